"""What bad input gets: exit 1 or 2, one paragraph, and everything as it was before."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.core import ledger as ledgers
from components.core.ledger import Ledger
from components.core.paths import Paths
from tests.project import QUICKEST, Project
from tests.tiny import make_champion


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with data, a champion and a running Prefect server; nothing was trained."""
    made = Project(tmp_path_factory.mktemp("bad") / "project", per_class=14)
    made.settle({"validate.min_documents": 30, "ingest.scrub.workers": 1})
    make_champion(Paths(made.root, made.home))
    first = made.command("python", "-m", "components.snapshot")
    assert first.status == 0, first.err
    done = made.command("dvc", "repro", "split")
    assert done.status == 0, done.err
    started = made.command(
        sys.executable,
        "-c",
        "from components.core import params; from components.core.paths import Paths;"
        "from flows import environment; p = Paths.find(); s = params.load(p.params);"
        "environment.settle(s, p); from flows import stack; stack.ensure_server(s, p)",
    )
    assert started.status == 0, started.err
    yield made
    made.newsloop("down")


def state(project: Project) -> dict[str, str]:
    """Hashes of the pins, the data and the champion."""
    files = [project.root / "dvc.lock", *sorted((project.root / "data").rglob("*"))]
    found = {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }
    ledger = Ledger(ledgers.url(project.home / "ledger.sqlite"))
    found["champion"] = repr(ledger.champion())
    ledger.close()
    return found


def settings(changes: dict[str, Any]) -> Callable[[Project], None]:
    return lambda project: project.settle(changes)


def empty_data(project: Project) -> None:
    (project.root / "nothing").mkdir()
    (project.root / "nothing" / "business").mkdir()
    project.settle({"ingest.sources": [{"name": "texts", "kind": "folder", "path": "nothing"}]})


def one_article_and_other_class(project: Project) -> None:
    shutil.copytree(project.root / "texts" / "tech", project.root / "texts" / "weather")
    for path in sorted((project.root / "texts" / "tech").iterdir())[1:]:
        path.unlink()


def unreadable(project: Project) -> None:
    (project.root / "broken.parquet").write_bytes(b"no parquet")
    project.settle({"ingest.sources": [{"name": "t", "kind": "parquet", "path": "broken.parquet"}]})


CASES: list[tuple[str, Callable[[Project], None], int, list[str]]] = [
    ("unknown key", settings({"train.epoch": 3}), 2, ["train.epoch", "unknown key"]),
    ("wrong type", settings({"train.epochs": "many"}), 2, ["train.epochs", "'many'"]),
    (
        "missing source",
        settings({"ingest.sources": [{"name": "t", "kind": "csv", "path": "none.csv"}]}),
        1,
        ["none.csv"],
    ),
    ("missing package", settings({"ingest.sources": [
        {"name": "t", "kind": "package", "package": "no_such_package", "path": "x"}]}),
        1, ["no_such_package"]),
    ("unreadable file", unreadable, 1, ["broken.parquet"]),
    ("empty data set", empty_data, 1, []),
    ("a class with one article, and a label outside the list", one_article_and_other_class, 1,
     ["'weather' 14", "data_docs/index.html", "data_docs/quarantine.parquet"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "status", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_run_is_refused_in_one_paragraph_and_changes_nothing(
    project: Project, spoil: Callable[[Project], None], status: int, words: list[str]
) -> None:
    before = state(project)
    params = (project.root / "params.yaml").read_bytes()
    texts = project.root.parent / "texts"
    shutil.copytree(project.root / "texts", texts)
    try:
        spoil(project)
        answer = project.newsloop("run")
    finally:
        (project.root / "params.yaml").write_bytes(params)
        shutil.rmtree(project.root / "texts")
        shutil.move(texts, project.root / "texts")
        shutil.rmtree(project.root / "nothing", ignore_errors=True)
    assert answer.status == status, answer.err
    assert "Traceback" not in answer.err + answer.out
    paragraph = answer.err.strip().splitlines()[-1]
    assert paragraph.startswith("newsloop: ")
    for word in words:
        assert word in paragraph
    assert state(project) == before
    # The page and the bad rows are where the message says, though the data are those of before.
    for path in re.findall(r"\S+/data_docs/[\w.]+\w", paragraph):
        assert Path(path).is_file()
    # The page that links the others is there, and names the refusal.
    assert status == 2 or "The last run: failed." in (project.home / "home.html").read_text()


def test_a_refused_candidate_leaves_the_champion(project: Project) -> None:
    """The gate says no to every candidate; the run says by how much."""
    params = (project.root / "params.yaml").read_bytes()
    champion = state(project)["champion"]
    project.settle(
        {**QUICKEST, "gate.min_accuracy": 1.0, "train.epochs": 1, "train.textcnn.members": 1,
         "train.candidates": ["textcnn", "linear"]}
    )  # fmt: skip
    answer = project.newsloop("run")
    (project.root / "params.yaml").write_bytes(params)
    assert answer.status == 1
    paragraph = answer.err.strip().splitlines()[-1]
    for word in ("textcnn: accuracy is", "linear: accuracy is", "below 1", "stays"):
        assert word in paragraph
    # Before that the run ends as a good one does, with what failed, and what to do next.
    lines = [line for line in answer.out.splitlines() if line.strip()]
    for beginning in (
        "stage", "train", "gate ", "accuracy", "weakest", "            textcnn: accuracy is 0",
        "            linear: accuracy is 0", "evidence", "next        1. ", "version     newsloop@",
        "evaluation  file://", "gate, textcnn  file://", "gate        file://",
    ):  # fmt: skip
        assert any(line.startswith(beginning) for line in lines), (beginning, answer.out)
    assert state(project)["champion"] == champion


def test_no_right_to_write_is_said(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = project.newsloop("run", NEWSLOOP_HOME=str(tmp_path / "file" / "home"))
    assert answer.status == 1
    assert "NEWSLOOP_HOME" in answer.err
    assert "Traceback" not in answer.err


def test_no_server_is_said(project: Project) -> None:
    answer = project.newsloop("run", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert answer.status == 1
    assert "PREFECT_API_URL=http://127.0.0.1:9/api" in answer.err
    assert "Traceback" not in answer.err


def test_a_port_in_use_is_said(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(project.service.rsplit(":", 1)[1])))
        taken.listen()
        answer = project.newsloop("up")
    assert answer.status == 1
    assert "serve.port" in answer.err
    assert "Traceback" not in answer.err


def test_another_run_at_work_is_said(project: Project) -> None:
    holder = subprocess.Popen(
        ["flock", str(project.home / "learning.lock"), "sleep", "60"], start_new_session=True
    )
    try:
        while (
            subprocess.run(
                ["flock", "--nonblock", str(project.home / "learning.lock"), "true"], check=False
            ).returncode
            == 0
        ):
            pass
        answer = project.newsloop("run")
    finally:
        subprocess.run(["pkill", "-g", str(holder.pid)], check=False)
        holder.wait()
    assert answer.status == 1
    assert "only learning run" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("walk",), "walk"),
        (("run", "--fast"), "--fast"),
        (("promote", "v1"), "--because"),
        (("promote", "one", "--because", "x"), "such as v3"),
    ],
)
def test_wrong_usage_is_two(project: Project, arguments: tuple[str, ...], words: str) -> None:
    answer = project.newsloop(*arguments)
    assert answer.status == 2
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_outside_a_project_is_said(project: Project, tmp_path: Path) -> None:
    answer = project.command("newsloop", "status", cwd=tmp_path)
    assert answer.status == 2
    assert "params.yaml" in answer.err
