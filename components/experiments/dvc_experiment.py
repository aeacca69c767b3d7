"""Saves a trial of `newsloop tune` as a DVC experiment, which `dvc exp show` lists.

    .newsloop/tune/<study>/trial-0007/ -> refs/exps/<commit>/<study>-0007

An experiment is a commit outside of any branch; the name of its reference holds its base commit.
Its params.yaml holds the trial's settings, and its folder `tune` the records of DVCLive. `dvc exp
save` is not used: it would save the whole working tree with uncommitted edits, and wait for the
lock of a running training.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.core import git
from components.core.paths import Paths

FOLDER = "tune"
RESULT = "result.json"  # the result of the trial


def name(study: str, number: int) -> str:
    """Formats the name of a trial's experiment.

    >>> name("textcnn-0a1b2c3d", 7)
    'textcnn-0a1b2c3d-0007'
    """
    return f"{study}-{number:04}"


def save(
    paths: Paths, title: str, params: str, live_folder: Path, result: Mapping[str, Any]
) -> str:
    """Saves a trial as an experiment based on the commit that is checked out.

    Branch, index and files do not change. The function replaces an experiment of the same name and
    base commit.

    Args:
        paths: of the project.
        title: result of `name`.
        params: the text of params.yaml with the trial's settings.
        live_folder: DVCLive's folder of the trial, or a folder with one such folder for each fold.
        result: values that `dvc exp show` shows under `trial`; None values are left out.

    Returns:
        The experiment's commit.

    Raises:
        ReleaseError: git failed, or there is no commit yet.
    """
    base = git.run(paths.root, "rev-parse", "HEAD")
    # The key `trial` keeps these values apart from accuracy and loss of the candidate in data/.
    trial_result = {"trial": {key: value for key, value in result.items() if value is not None}}
    files = {"params.yaml": params, f"{FOLDER}/{RESULT}": json.dumps(trial_result, indent=1) + "\n"}
    plots = sorted(
        {f"{file.parent.relative_to(live_folder)}" for file in live_folder.rglob("*.tsv")}
    )
    pipeline = {"metrics": [RESULT], "plots": [{plot: {"x": "step"}} for plot in plots]}
    files[f"{FOLDER}/dvc.yaml"] = yaml.safe_dump(pipeline, sort_keys=False)
    for file in sorted(live_folder.rglob("*.tsv")):
        files[f"{FOLDER}/{file.relative_to(live_folder)}"] = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="index-") as folder:
        environment = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run(paths.root, "read-tree", base, env=environment)
        for path, text in files.items():
            written = Path(folder) / "file"
            written.write_text(text, encoding="utf-8")
            blob = git.run(paths.root, "hash-object", "-w", str(written))
            entry = f"100644,{blob},{path}"
            git.run(paths.root, "update-index", "--add", "--cacheinfo", entry, env=environment)
        tree = git.run(paths.root, "write-tree", env=environment)
    commit = git.run(paths.root, "commit-tree", tree, "-p", base, "-m", f"newsloop: trial {title}")
    # DVC's naming of experiments: refs/exps/<first two>/<the other 38>/<name>.
    git.run(paths.root, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{title}", commit)
    return commit
