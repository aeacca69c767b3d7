"""A project that version 0.1.0 released goes on after the upgrade, as docs/upgrading.md says.

The old code of this repository makes the project; then the new code takes its place. The tests tell
one story and run in the order of this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from components.core import bundle, tables
from components.core import ledger as ledgers
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows.dvc import process
from tests.project import LABELS, QUICKEST, ROOT, Project, articles, canary

BEFORE = "e318b04"  # the last commit of version 0.1.0
# What docs/upgrading.md says of whose side to take where git asks.
OURS = ("params.yaml", "dvc.lock", "data/")
UPSTREAM = "refs/heads/upstream"
PER_CLASS = 16
ANSWERS = 40
# Run by the old code, as its service does: answers, their texts, and one label that a person gave.
OLD_SERVICE = f"""
from datetime import UTC, datetime
from components.core import bundle, ledger
from components.core.paths import Paths
from serving.answer import answers
paths, now = Paths.find(), datetime.now(UTC)
opened = ledger.Ledger(ledger.url(paths.ledger))
name = opened.champion().bundle
texts = [f"The club won cup number {{i}}." for i in range({ANSWERS})]
found = answers(bundle.load(paths.bundles / name, paths.keys), texts)
opened.insert(ledger.PREDICTIONS, [answer.row(name, now) | {{"source": None}} for answer in found])
rows = [{{"prediction_id": a.id, "text": t}} for a, t in zip(found, texts)]
opened.insert(ledger.TEXTS, rows)
opened.add_labels([(found[0].id, "sport")], now)
opened.close()
print(found[0].id)
"""
# The part of `newsloop up` that registers the deployments; the same in old and new code.
RUNNER = """
from components.core import params
from components.core.paths import Paths
from flows import environment, stack
paths = Paths.find()
settings = params.load(paths.params)
environment.settle(settings, paths)
stack.ensure_server(settings, paths)
stack.start_runner(settings, paths)
"""
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
    made = Project(
        tmp_path_factory.mktemp("upgrade") / "project",
        PER_CLASS,
        code=old_code,
        # The old environment had these packages.
        shell={"PYTHONPATH": os.pathsep.join(process.missing_aliases())},
    )
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
    # A user's branch grows out of the history of newsloop.
    made.git("fetch", "--quiet", "--no-tags", str(old_code), "HEAD")
    made.git("reset", "--soft", "FETCH_HEAD")
    made.git("add", "--all")
    made.git("commit", "--quiet", "-m", "settings")
    released = made.newsloop("run", "--json").json
    assert (released["outcome"], released["version"]) == ("released", "newsloop@v1.0.0")
    registered = made.command(sys.executable, "-c", RUNNER)
    assert registered.status == 0, registered.err[-3000:]
    made.newsloop("down")
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


@pytest.fixture(scope="module")
def answered(project: Project) -> str:
    """An answer of the old code, with a label."""
    done = project.command(sys.executable, "-c", OLD_SERVICE)
    assert done.status == 0, done.err[-3000:]
    return done.out.strip()


def new_commit(old_code: Path, index: Path) -> None:
    """Makes a commit of this checkout as it is, committed or not, in the clone `old_code`."""

    def git(*arguments: str) -> str:
        environment = os.environ | {"GIT_INDEX_FILE": str(index)}
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment | {"GIT_DIR": str(old_code / ".git")}, check=True,
            capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    git("read-tree", head)
    git("--work-tree", str(ROOT), "add", "--all")
    made = git("commit-tree", git("write-tree"), "-p", head, "-m", "new")
    git("update-ref", UPSTREAM, made)


def test_the_new_code_is_merged(
    project: Project, answered: str, old_code: Path, tmp_path: Path
) -> None:
    """Only files of the project are in conflict, and the project's side is taken."""
    del answered  # the old code answered before
    project.shell = {}
    project.git("add", "--all")
    project.git("commit", "--quiet", "-m", "what was learned from")
    settings = (project.root / "params.yaml").read_bytes()
    new_commit(old_code, tmp_path / "index")
    project.git("fetch", "--quiet", "--no-tags", str(old_code), UPSTREAM)
    merged = project.command(
        "git", "-c", "user.name=t", "-c", "user.email=t@localhost",
        "merge", "--quiet", "--no-edit", "FETCH_HEAD",
    )  # fmt: skip
    conflicts = project.git("diff", "--name-only", "--diff-filter=U").splitlines()
    assert [name for name in conflicts if not name.startswith(OURS)] == [], merged.out
    if conflicts:
        project.git("checkout", "--ours", *conflicts)
        project.git("add", *conflicts)
        project.git("commit", "--quiet", "--no-edit")
    assert (project.root / "params.yaml").read_bytes() == settings
    assert not (project.root / "flows" / "cli.py").exists()
    assert (project.root / "flows" / "cli" / "__init__.py").is_file()


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


def test_an_old_answer_is_explained_and_judged(
    project: Project, answered: str, ledger: Ledger
) -> None:
    found = project.newsloop("why", answered, "--json").json
    assert found["version"]["tag"] == "newsloop@v1.0.0"
    assert found["bundle"]["verified"], found["bundle"]
    assert found["validation"] is not None
    found = project.newsloop("at", datetime.now(UTC).isoformat(), "--json").json
    assert found["tag"] == "newsloop@v1.0.0"
    judged = project.newsloop("monitor", "--json").json
    assert Path(judged["report"]).is_file()
    (window,) = ledger.query(sa.select(ledgers.WINDOWS))
    assert window["rows"] == ANSWERS


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


def test_versions_of_old_and_new_code_are_compared(project: Project) -> None:
    found = project.newsloop("diff", "v1", "v3", "--json").json
    assert found["versions"] == ["newsloop@v1.0.0", "newsloop@v3.0.0"]
    assert found["data"]["train"]["added"] > 0
    assert found["answers"] is not None


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


def test_schedules_name_the_new_code(project: Project) -> None:
    """Prefect keeps what the old code registered: flows.monitoring, which is not there any more."""
    before = entrypoints(project)
    assert "flows.monitoring.monitor" in before.values(), before
    registered = project.command(sys.executable, "-c", RUNNER)
    assert registered.status == 0, registered.err[-3000:]
    after = entrypoints(project)
    assert after.keys() == before.keys()  # replaced, not one more
    for entrypoint in after.values():
        module = entrypoint.rpartition(".")[0]
        assert (project.root / f"{module.replace('.', '/')}.py").is_file(), entrypoint


def entrypoints(project: Project) -> dict[str, str]:
    """Deployment -> the flow that it calls."""
    rows = project.prefect("POST", "/deployments/filter", {})
    return {row["id"]: row["entrypoint"] for row in rows}
