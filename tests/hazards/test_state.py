"""Hazards 44 and 45: the ledger is replaced under the service; who may read the state."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from components.core.errors import LedgerError
from components.core.ledger import PREDICTIONS, Ledger
from tests.served import Project, wait_for

NOTICED_SECONDS = 5
TEXT = {"texts": ["the film and the singer"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    running = Project(tmp_path_factory.mktemp("state"), follow_seconds=0.5)
    yield running
    running.stop()
    running.ledger.close()


def classify(project: Project, count: int = 5) -> set[str]:
    """Ids of predictions that were answered."""
    ids = set()
    for _ in range(count):
        answer = project.http.post("/classify", json=TEXT)
        assert answer.status_code == 200
        ids.add(answer.json()["predictions"][0]["prediction_id"])
    return ids


def in_ledger(project: Project) -> list[str]:
    with closing(sqlite3.connect(f"file:{project.paths.ledger}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("SELECT id FROM predictions")]


def metric(project: Project, name: str) -> int:
    lines = project.http.get("/metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"{name} "))


def backup(project: Project) -> Path:
    """A copy of the ledger, as `sqlite3 .backup` makes one."""
    copy = project.paths.home / "backup.sqlite"
    with (
        closing(sqlite3.connect(project.paths.ledger)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def test_a_ledger_that_is_deleted_is_noticed_and_loses_no_prediction(project: Project) -> None:
    before = classify(project)
    wait_for("rows", lambda: before <= set(in_ledger(project)))
    copy = backup(project)
    project.paths.ledger.unlink()
    during = classify(project)
    wait_for("notice", lambda: metric(project, "newsloop_ledger_away") == 1, NOTICED_SECONDS)
    during |= classify(project)
    assert "The ledger is away" in project.http.get("/readyz").text
    assert project.http.get("/readyz").status_code == 200
    wait_for("spool", lambda: metric(project, "newsloop_rows_spooled_total") >= len(during), 10)
    label = {"labels": [{"prediction_id": next(iter(before)), "label": "tech"}]}
    assert project.http.post("/feedback", json=label).status_code == 503
    assert "restore it from a backup" in project.log.read_text()
    # Nobody makes an empty one in its place.
    with pytest.raises(LedgerError, match="released bundles lie beside it"):
        Ledger(f"sqlite:///{project.paths.ledger}")
    assert not project.paths.ledger.exists()
    copy.rename(project.paths.ledger)
    wait_for("reopening", lambda: metric(project, "newsloop_ledger_away") == 0, NOTICED_SECONDS)
    assert project.http.get("/readyz").text == "Ready.\n"
    wait_for("delivery", lambda: during <= set(in_ledger(project)), 30)
    after = classify(project)
    wait_for("rows", lambda: after <= set(in_ledger(project)))
    ids = in_ledger(project)
    assert len(ids) == len(set(ids)) and before <= set(ids)


def test_a_ledger_that_is_replaced_in_one_step_gets_what_comes_afterwards(
    project: Project,
) -> None:
    former = classify(project)
    wait_for("rows", lambda: former <= set(in_ledger(project)))
    backup(project).rename(project.paths.ledger)
    ids = classify(project, 20)
    wait_for("rows", lambda: ids <= set(in_ledger(project)), 20)
    assert len(project.rows(PREDICTIONS)) == len(in_ledger(project))  # this process follows, too
    with closing(sqlite3.connect(project.paths.ledger)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_ledger_that_is_moved_away_and_back_loses_nothing(project: Project) -> None:
    aside = project.paths.home / "aside.sqlite"
    project.paths.ledger.rename(aside)
    ids = classify(project)
    wait_for("notice", lambda: metric(project, "newsloop_ledger_away") == 1, NOTICED_SECONDS)
    aside.rename(project.paths.ledger)
    wait_for("delivery", lambda: ids <= set(in_ledger(project)), 30)


def test_an_empty_file_in_its_place_is_no_ledger(project: Project) -> None:
    copy = shutil.copy(backup(project), project.paths.home / "kept.sqlite")
    project.paths.ledger.unlink()
    project.paths.ledger.touch()
    ids = classify(project)
    wait_for("notice", lambda: metric(project, "newsloop_ledger_away") == 1, NOTICED_SECONDS)
    assert "an empty file is in its place" in project.log.read_text()
    Path(copy).rename(project.paths.ledger)
    wait_for("delivery", lambda: ids <= set(in_ledger(project)), 30)
