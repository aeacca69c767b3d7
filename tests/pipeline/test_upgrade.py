"""A project that version 0.1.0 released goes on after the upgrade, as docs/upgrading.md says.

The old code of this repository makes the project; then the new code takes its place. The tests tell
one story and run in the order of this file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core import bundle, tables
from components.core import ledger as ledgers
from components.core.ledger import Ledger
from components.core.paths import Paths
from tests.project import LABELS, QUICKEST, ROOT, Project, articles, canary

BEFORE = "e318b04"  # the last commit of version 0.1.0
KEPT = ("params.yaml", ".gitignore", "dvc.lock", "data", "texts")
PER_CLASS = 16
# A run that a schedule or an event started: in the workspace, at the champion's commit.
SCHEDULED = """
import json
from datetime import UTC, datetime
from components.core import ledger, params
from components.core.paths import Paths
from flows import environment, retrain_requests, stack
paths = Paths.find()
settings = params.load(paths.params)
environment.settle(settings, paths)
stack.ensure_server(settings, paths)
opened = ledger.Ledger(ledger.url(paths.ledger))
asked, _ = retrain_requests.ask_as_person(opened, settings, datetime.now(UTC), "a test")
opened.close()
from flows.learning import learning
print(json.dumps(learning(str(paths.root), str(paths.home), "a test", asked), default=str))
"""


@pytest.fixture(scope="module")
def old_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before") / "checkout"
    subprocess.run(
        ["git", "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(folder)], check=True
    )
    found = subprocess.run(
        ["git", "checkout", "--quiet", BEFORE], cwd=folder, capture_output=True, check=False
    )
    assert found.returncode == 0, (
        f"Expected the commit {BEFORE} in this clone, it is not there: the clone is shallow. "
        "Run `git fetch --unshallow`."
    )
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, old_code: Path) -> Iterator[Project]:
    """Released once by the old code; its server runs."""
    made = Project(tmp_path_factory.mktemp("upgrade") / "project", PER_CLASS, code=old_code)
    made.settle(
        {
            **QUICKEST,
            "train.epochs": 3,
            "ingest.scrub.workers": 1,
            "gate.min_accuracy": 0.0,
            "gate.min_macro_f1": 0.0,
            "gate.min_behaviour": 0.0,
        }
    )
    made.git("commit", "--quiet", "--all", "-m", "settings")
    released = made.newsloop("run", "--json").json
    assert (released["outcome"], released["version"]) == ("released", "newsloop@v1.0.0")
    yield made
    made.newsloop("down")


@pytest.fixture(scope="module")
def ledger(project: Project) -> Iterator[Ledger]:
    opened = Ledger(ledgers.url(Paths(project.root, project.home).ledger))
    yield opened
    opened.close()


def more_texts(project: Project, name: str) -> None:
    """New data, so that there is something to learn."""
    for label in LABELS:
        for i, text in enumerate(articles(label, 50, 54)):
            (project.root / "texts" / label / f"{name}-{i}.txt").write_text(f"{text} {name}")


def test_the_new_code_takes_the_place_of_the_old(project: Project) -> None:
    """As `git merge` does: the project keeps its settings, its pins and its dvc.lock."""
    for name in project.git("ls-files").splitlines():
        if not name.startswith(KEPT):
            (project.root / name).unlink()
    held = {name: project.root.parent / f"held-{name}" for name in KEPT if name != "texts"}
    for name, place in held.items():
        shutil.move(project.root / name, place)
    project.take(ROOT)
    for name, place in held.items():
        found = project.root / name
        shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        shutil.move(place, found)
    project.git("add", "--all")
    project.git("commit", "--quiet", "-m", "upgrade")
    assert not (project.root / "flows" / "cli.py").exists()


def test_what_was_released_is_there(project: Project) -> None:
    found = project.newsloop("status", "--json").json
    assert (found["champion"]["version"], found["champion"]["tag"]) == (1, "newsloop@v1.0.0")
    (row,) = project.newsloop("models", "--json").json
    assert row["version"] == 1


def test_the_old_bundle_answers(project: Project, ledger: Ledger) -> None:
    champion, paths = ledger.champion(), Paths(project.root, project.home)
    assert champion is not None
    loaded = bundle.load(paths.bundles / champion.bundle, paths.keys)
    assert set(loaded.predict(["The club won the cup."]).labels) <= set(LABELS)


def test_the_old_version_is_restored(project: Project, tmp_path: Path) -> None:
    found = project.newsloop("restore", "v1", str(tmp_path / "v1"), "--json").json
    assert found["tag"] == "newsloop@v1.0.0"


def test_a_scheduled_run_learns_by_the_old_release_and_releases(
    project: Project, ledger: Ledger
) -> None:
    """The workspace has the old code and settings, the flow is new."""
    more_texts(project, "scheduled")
    done = project.command(sys.executable, "-c", SCHEDULED)
    assert done.status == 0, done.err[-3000:]
    champion = ledger.champion()
    assert champion is not None
    assert champion.tag == "newsloop@v2.0.0"
    clone = project.home / "workspace"
    assert (clone / "flows" / "cli.py").is_file()


def test_a_person_learns_by_the_new_code(project: Project, ledger: Ledger) -> None:
    more_texts(project, "person")
    found = project.newsloop("run", "--json").json
    assert (found["outcome"], found["version"]) == ("released", "newsloop@v3.0.0")
    assert (project.root / "data" / "06_packaged").is_dir()


def test_the_way_back_leads_to_a_version_of_the_old_code(project: Project, ledger: Ledger) -> None:
    assert project.newsloop("rollback", "v1", "--json").status == 0
    champion = ledger.champion()
    assert champion is not None
    assert champion.tag == "newsloop@v1.0.0"


def test_an_erasure_reaches_the_old_data(project: Project) -> None:
    address = canary(LABELS[0])
    found = project.newsloop("erase", "--subject", address, "--yes", "--json").json
    assert found["left"] == []
    certificate = tables.read_json(Path(found["certificate"]))
    assert address not in str(certificate)
