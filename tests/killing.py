"""A learning run that can be killed, small enough to be killed often.

Real git, DVC, workspace lock, repair, journal, ledger and signed bundle; only what the stages
compute is small: each hashes what the one before it wrote, so that the bundle's name tells whether
everything came together. A stage writes in two halves, with a child process in between.

    python -m tests.killing run ROOT       as `newsloop run` does, without Prefect
    python -m tests.killing stage NAME     one stage, in the working directory
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.core.ledger import Ledger
    from components.core.paths import Paths

NAMES = ("ingest", "validate", "split", "train", "evaluate", "package")
FOLDERS = dict(
    zip(NAMES, ("ingested", "validated", "split", "trained", "evaluated", "packaged"), strict=True)
)
PUSH_SECONDS = "TESTS_PUSH_SECONDS"  # environment variable
HALF_SECONDS = 0.2  # between the halves of a stage
METRICS = {"architecture": "textcnn", "accuracy": {"value": 0.98}, "macro_f1": {"value": 0.98}}
WRITTEN = {
    "validate": ("validation.json", {"rows": 9, "by_class": {"a": 3}, "by_source": {"news": 8}}),
    "split": ("split.json", {"sides": {"test": {"documents": 2}}, "test_hash": "f" * 64}),
    "evaluate": ("metrics.json", METRICS),
}


def folder(name: str) -> str:
    return f"data/{NAMES.index(name) + 1:02}_{FOLDERS[name]}"


def source(name: str) -> str:
    """What a stage reads."""
    at = NAMES.index(name)
    return f"{folder(NAMES[at - 1])}/made.json" if at else "data/sources.json"


def stage(name: str) -> None:
    made = Path(folder(name))
    made.mkdir(parents=True, exist_ok=True)
    (made / "half").write_text("half of a stage's work")
    subprocess.run(["sleep", str(HALF_SECONDS)], check=True)
    (made / "half").unlink()
    before = hashlib.sha256(Path(source(name)).read_bytes()).hexdigest()
    (made / "made.json").write_text(json.dumps({"stage": name, "from": before}))
    if name in WRITTEN:
        file, content = WRITTEN[name]
        (made / file).write_text(json.dumps(content))
    if name == "package":
        bundle_of(made / "bundle", Path(os.environ["NEWSLOOP_HOME"]) / "keys", before)


def bundle_of(target: Path, key_folder: Path, origin: str) -> str:
    """A signed folder whose name depends on `origin`; nothing that TensorFlow could load."""
    import polars as pl

    from components.core import bundle

    (target / bundle.MODEL).mkdir(parents=True)
    (target / bundle.MODEL / "weights").write_text(origin)
    facts = {"labels": ["a", "b"], "training": {}, "origin": origin}
    return bundle.write(target, facts, pl.DataFrame({"label": ["a"]}), key_folder)


def by_hand(root: Path, name: str) -> None:
    """One stage without DVC: what a run gives that nobody kills."""
    subprocess.run(
        [sys.executable, "-m", "tests.killing", "stage", name],
        cwd=root, env=environment(root), check=True,
    )  # fmt: skip


def environment(root: Path) -> dict[str, str]:
    ours = {"PYTHONPATH": str(Path(__file__).parents[1]), "NEWSLOOP_HOME": str(root / ".newsloop")}
    return {**os.environ, **ours}


def commit(root: Path, *stages: str) -> None:
    """Tells DVC that what lies there is what the stages made."""
    command = [sys.executable, "-m", "dvc", "commit", "--force", "--quiet", *stages]
    subprocess.run(command, cwd=root, check=True)


def make_project(root: Path, news: str = "one") -> None:
    """A project in git and DVC, before its first run."""
    from components.core import keys

    (root / "data").mkdir(parents=True)
    home = root / ".newsloop"
    (home / "remote").mkdir(parents=True)
    keys.ensure(home / "keys")
    for name, value in {
        "sources": {"sources": [{"name": "news", "kind": "csv", "fingerprint": news}]},
        "candidate": {"architecture": "textcnn"},
        "baseline": {"snapshot": None, "release": None, "taken": None},
    }.items():
        (root / "data" / f"{name}.json").write_text(json.dumps(value))
    stages = [
        f"  {name}:\n    cmd: {sys.executable} -m tests.killing stage {name}\n"
        f"    deps: [{source(name)}]\n    outs: [{folder(name)}]\n"
        for name in NAMES
    ]
    (root / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    (root / "params.yaml").write_text("a: 1\n")
    kept = "".join(f"!/data/{name}.json\n" for name in ("sources", "baseline"))
    (root / ".gitignore").write_text(f"/data/*\n/.newsloop/\n{kept}")
    git(root, "init", "--quiet", "--initial-branch", "main")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=root, check=True)
    (root / ".dvc" / "config").write_text(
        "[core]\n    remote = local\n    analytics = false\n    check_update = false\n"
        "['remote \"local\"']\n    url = ../.newsloop/remote\n"
    )
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "start")
    git(root, "init", "--quiet", "--bare", str(home / "origin.git"))
    git(root, "remote", "add", "origin", "./.newsloop/origin.git")


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(
        command, cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def run(root: Path) -> None:
    """Repairs, brings every stage up to date, releases what does not serve yet."""
    from components.core.runtime import imports

    imports.collect_seldom()

    from components import release
    from components.core import bundle
    from components.core.ledger import Ledger
    from components.core.paths import Paths
    from flows.dvc import pipeline, process, workspace
    from flows.versions import repair

    paths = Paths(root, root / ".newsloop")
    ledger = Ledger(f"sqlite:///{paths.ledger}")
    now = datetime.now(UTC)
    with workspace.alone(paths):
        for line in repair.run(paths, ledger, now):
            print(f"repair: {line}")
        workspace.settle(paths)
        with process.shared(paths), pipeline.earlier_data_kept(paths):
            changed = pipeline.changed_stages(paths)
            for name in NAMES:
                if name in changed:
                    changed.update(NAMES)
                    print(name, pipeline.repro(name, paths), flush=True)
            champion = ledger.champion()
            if champion is None or champion.bundle != bundle.verify(paths.bundle, paths.keys):
                limit = float(os.environ.get(PUSH_SECONDS, release.PUSH_SECONDS))
                done = release.publish(paths, ledger, {}, 0, now, "a test", "origin", limit)
                print("release", done.tag)


def start(root: Path) -> subprocess.Popen[bytes]:
    """The learning run as a process of its own; what it says goes to ROOT/.newsloop/run.log."""
    with (root / ".newsloop" / "run.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.killing", "run", str(root)],
            cwd=root, env=environment(root), stdout=log, stderr=log,
        )  # fmt: skip


def check_after_kill(paths: Paths, ledger: Ledger, old: str, new: str) -> None:
    """Never neither, never a mixture."""
    from components.core import bundle

    champion = ledger.champion()
    assert champion is not None
    assert champion.bundle in (old, new)
    served = paths.bundles / champion.bundle
    assert bundle.verify(served, paths.keys) == champion.bundle


def check_in_the_end(paths: Paths, ledger: Ledger, old: str, new: str) -> None:
    """As if nobody had been killed, and nothing left lying about."""
    from components.core import bundle
    from components.core.runtime import stale_processes
    from flows import versions

    assert [row["bundle"] for row in ledger.versions()] == [new, old]
    champion = ledger.champion()
    assert champion is not None
    assert (champion.tag, champion.bundle) == ("newsloop@v2.0.0", new)
    assert bundle.verify(paths.bundles / new, paths.keys) == new
    assert versions.disagreements(paths, ledger) == []
    assert stale_processes.find([paths.root]) == []
    assert [str(path) for path in paths.root.rglob("*.partial")] == []
    assert not (paths.root / "data" / "01_ingested" / "half").exists()
    names = [path.name for path in paths.home.iterdir()]
    assert not [name for name in names if name.startswith(("index-", "build-", "release"))]


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    if what == "run":
        run(Path(argument))
    else:
        stage(argument)
