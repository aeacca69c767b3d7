"""Retention: what is too old goes, what is not stays, and a dry run only counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core import tables
from components.core.errors import Busy
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows.dvc import workspace
from flows.retention import retain

PARAMS = parameters.load(Path(__file__).parents[3] / "params.yaml")
NOW = datetime.now(UTC)  # ages of files come from their times, which a test cannot set in DVC
LATER = NOW + timedelta(days=PARAMS.privacy.quarantine_days + 1)
BAD = pl.DataFrame({"id": ["s/1"], "text": ["a bad row"], "reasons": [["no label"]]})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose dvc.lock has a quarantine with one row."""
    root = tmp_path_factory.mktemp("project")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run([*dvc, "init", "--quiet"], cwd=root, check=True)
    tables.write_table(BAD, root / "bad.parquet")
    (root / "dvc.yaml").write_text(
        "stages:\n  validate:\n    cmd: mkdir -p data/02_validated && "
        "cp bad.parquet data/02_validated/quarantine.parquet && echo x > data/02_validated/x\n"
        "    outs: [data/02_validated]\n"
    )
    subprocess.run([*dvc, "repro", "--quiet"], cwd=root, check=True)
    return root


@pytest.fixture
def paths(template: Path, tmp_path: Path) -> Paths:
    shutil.copytree(template, tmp_path / "project")
    return Paths(tmp_path / "project", tmp_path / "home")


@pytest.fixture
def ledger(paths: Paths) -> Iterator[Ledger]:
    opened = Ledger(ledgers.url(paths.ledger))
    yield opened
    opened.close()


def objects(paths: Paths) -> int:
    return sum(path.is_file() for path in (paths.root / ".dvc" / "cache" / "files").rglob("*"))


def write(path: Path, age: int, text: str = "x") -> Path:
    tables.write_text(text, path)
    moment = (NOW - timedelta(days=age)).timestamp()
    os.utime(path, (moment, moment))
    return path


def test_old_bad_rows_go_from_the_tree_and_from_the_cache(paths: Paths, ledger: Ledger) -> None:
    quarantine = paths.validated / "quarantine.parquet"
    assert retain(PARAMS, paths, ledger, NOW)["quarantines"] == 0
    assert (tables.read_table(quarantine).height, objects(paths)) == (1, 3)
    assert retain(PARAMS, paths, ledger, LATER, dry_run=True)["quarantines"] == 2
    assert (tables.read_table(quarantine).height, objects(paths)) == (1, 3)
    assert retain(PARAMS, paths, ledger, LATER)["quarantines"] == 2
    assert (tables.read_table(quarantine).height, objects(paths)) == (0, 2)
    assert tables.read_table(quarantine).columns == BAD.columns
    assert retain(PARAMS, paths, ledger, LATER)["quarantines"] == 0


def test_old_logs_and_pages_go(paths: Paths, ledger: Ledger) -> None:
    old_log = write(paths.logs / "service.log.20250101", PARAMS.privacy.log_days + 1)
    new_log = write(paths.logs / "service.log.20250102", PARAMS.privacy.log_days - 1)
    rows = write(paths.refused_rows, PARAMS.privacy.quarantine_days + 1)
    assert retain(PARAMS, paths, ledger, NOW, dry_run=True)["quarantines"] == 1
    old_page = write(paths.monitoring_reports / "a.html", PARAMS.privacy.page_days + 1)
    new_page = write(paths.monitoring_reports / "b.json", PARAMS.privacy.page_days - 1)
    found = retain(PARAMS, paths, ledger, NOW, dry_run=True)
    assert (found["logs"], found["pages"], old_log.exists()) == (1, 1, True)
    found = retain(PARAMS, paths, ledger, NOW)
    assert (found["logs"], found["pages"]) == (1, 1)
    kept = [path.exists() for path in (old_log, new_log, old_page, new_page, rows)]
    assert kept == [False, True, False, True, False]


def test_a_log_that_is_written_now_is_put_aside_and_its_writer_goes_on(
    paths: Paths, ledger: Ledger
) -> None:
    log = write(paths.logs / "service.log", 0, "yesterday\n")
    with log.open("a") as writer:
        retain(PARAMS, paths, ledger, NOW)
        writer.write("today\n")
    aside = paths.logs / f"service.log.{NOW:%Y%m%d}"
    assert (aside.read_text(), log.read_text()) == ("yesterday\n", "today\n")
    retain(PARAMS, paths, ledger, NOW)  # once a day
    assert (aside.read_text(), log.read_text()) == ("yesterday\n", "today\n")


def test_bundles_of_retired_versions_go_when_they_serve_no_more(
    paths: Paths, ledger: Ledger
) -> None:
    row = {"time": NOW, "commit": "c", "dvc_lock": "l", "snapshot": "s", "metrics": {},
           "decision": {}}  # fmt: skip
    for version in (1, 2):
        name = f"bundle{version}"
        write(paths.bundles / name / "manifest.json", 0)
        ledger.add_version({"version": version, "bundle": name, "tag": f"v{version}", **row}, "t")
        ledger.retire(version, name, NOW, "erasure")
    assert retain(PARAMS, paths, ledger, NOW, dry_run=True)["bundles"] == 1
    assert retain(PARAMS, paths, ledger, NOW)["bundles"] == 1
    assert [path.name for path in paths.bundles.iterdir()] == ["bundle2"]  # it serves


def test_beside_a_learning_run_it_waits(paths: Paths, ledger: Ledger) -> None:
    with workspace.alone(paths), pytest.raises(Busy):
        retain(PARAMS, paths, ledger, NOW)


@pytest.mark.parametrize(
    ("text", "labelled", "ledger_days"), [(31, 30, 730), (30, 731, 730), (0, 30, 730)]
)
def test_times_that_contradict_each_other_are_refused(
    text: int, labelled: int, ledger_days: int
) -> None:
    values = PARAMS.privacy.model_dump()
    values |= {"text_days": text, "labelled_text_days": labelled, "ledger_days": ledger_days}
    with pytest.raises(ValueError, match="text_days"):
        parameters.Privacy.model_validate(values)
