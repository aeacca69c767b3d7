"""A trial of `newsloop tune` as a DVC experiment, which `dvc exp show` lists.

    .newsloop/tune/<study>/trial-0007/ -> refs/exps/<commit>/<study>-0007

An experiment is a commit beside the branch whose reference names the commit that it began from. Its
params.yaml holds the trial's settings, and the folder `tune` what DVCLive recorded. `dvc exp save`
would take all of the working tree, whatever a person is editing there, and wait for the lock of
whoever trains.
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
RESULT = "result.json"  # what became of the trial


def name(study: str, number: int) -> str:
    """
    >>> name("textcnn-0a1b2c3d", 7)
    'textcnn-0a1b2c3d-0007'
    """
    return f"{study}-{number:04}"


def save(paths: Paths, title: str, params: str, recorded: Path, result: Mapping[str, Any]) -> str:
    """Keeps a trial as an experiment of the commit that is checked out.

    Branch, index and files stay as they are. An experiment of the same name and commit is replaced.

    Args:
        title: as `name` gives it.
        params: the text of params.yaml with the trial's settings.
        recorded: DVCLive's folder of the trial, or one with such a folder a fold.
        result: what became of it, as `dvc exp show` shows it under `trial`; None is left out.

    Returns:
        The experiment's commit.

    Raises:
        ReleaseError: git refused, or there is no commit yet.
    """
    base = git.run(paths.root, "rev-parse", "HEAD")
    # Under a name of its own: next to it stand the accuracy and loss of the candidate in data/.
    told = {"trial": {key: value for key, value in result.items() if value is not None}}
    files = {"params.yaml": params, f"{FOLDER}/{RESULT}": json.dumps(told, indent=1) + "\n"}
    plots = sorted({f"{where.parent.relative_to(recorded)}" for where in recorded.rglob("*.tsv")})
    pipeline = {"metrics": [RESULT], "plots": [{plot: {"x": "step"}} for plot in plots]}
    files[f"{FOLDER}/dvc.yaml"] = yaml.safe_dump(pipeline, sort_keys=False)
    for file in sorted(recorded.rglob("*.tsv")):
        files[f"{FOLDER}/{file.relative_to(recorded)}"] = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=paths.home, prefix="index-") as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run(paths.root, "read-tree", base, env=own)
        for place, text in files.items():
            written = Path(folder) / "file"
            written.write_text(text, encoding="utf-8")
            blob = git.run(paths.root, "hash-object", "-w", str(written))
            entry = f"100644,{blob},{place}"
            git.run(paths.root, "update-index", "--add", "--cacheinfo", entry, env=own)
        tree = git.run(paths.root, "write-tree", env=own)
    commit = git.run(paths.root, "commit-tree", tree, "-p", base, "-m", f"newsloop: trial {title}")
    # DVC's naming of experiments: refs/exps/<first two>/<the other 38>/<name>.
    git.run(paths.root, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{title}", commit)
    return commit
