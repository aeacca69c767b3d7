"""The parts of an erasure: traces, lineage through DVC's steps, trees, deeds and certificates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from components.core import keys, tables
from components.core import ledger as ledgers
from components.core.errors import BundleError, DataError, LedgerError
from components.core.ledger import Ledger
from components.core.paths import Paths
from components.core.scrub import Scrubbed
from components.core.scrub.cache import ScrubCache
from flows import erasure
from flows.dvc import lockfile
from flows.dvc.lockfile import Step
from flows.dvc.stores import Library, open_stores
from flows.erasure import certificate, lineage
from flows.erasure import plan as erasure_plan
from flows.erasure.certificate import ErasureLog
from flows.erasure.lineage import Held, Traces
from flows.erasure.plan import Plan
from serving.recording.write_ahead import WriteAhead

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG = "a text that is long enough to be the same document wherever it stands"


def table(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    schema = {"id": pl.String, "text": pl.String, "author": pl.String}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


TABLE = table(
    ("s/1", LONG, "ann"), ("s/2", "short", "ann"), ("s/3", LONG, "bob"), ("s/4", "short", None)
)


@pytest.mark.parametrize(
    ("traces", "rows"),
    [
        (Traces(authors={"ann"}), ["s/1", "s/2", "s/3"]),  # the third repeats a text of Ann's
        (Traces(ids={"s/2"}), ["s/2"]),  # a short text is a phrase: it takes nobody with it
        (Traces(ids={"s/3"}), ["s/1", "s/3"]),
        (Traces(texts={"short"}), ["s/2", "s/4"]),
        (Traces(authors={"nobody"}), []),
    ],
)
def test_traces_find_rows_by_author_id_and_text(traces: Traces, rows: list[str]) -> None:
    traces.learn(TABLE)
    assert TABLE.filter(traces.rows(TABLE))["id"].to_list() == rows


def test_a_table_without_authors_is_searched_by_id() -> None:
    found = Traces(authors={"ann"}, ids={"s/1"})
    assert found.rows(TABLE.select("id")).to_list() == [True, False, False, False]


class Objects:
    """A library in memory: folders with their files."""

    def __init__(self, folders: dict[str, dict[str, str]]) -> None:
        self._folders = folders

    def files(self, folder: str) -> dict[str, str] | None:
        return self._folders.get(folder)

    def read(self, id_: str) -> bytes | None:
        there = {file for files in self._folders.values() for file in files.values()}
        return b"" if id_ in there else None


def steps(version: str, train: str, test: str, shared: str = "code") -> tuple[list[Step], dict]:  # type: ignore[type-arg]
    """A version's steps and folders, with ids made of names."""
    folders = {
        f"split{version}": {
            "train.parquet": train,
            "validation.parquet": "v",
            "test.parquet": test,
        },
        f"trained{version}": {"model": f"m{version}"},
        f"evaluated{version}": {"report": f"r{version}"},
        f"packaged{version}": {"bundle": f"b{version}", "code": shared},
    }
    split, trained = f"split{version}", f"trained{version}"
    return [
        Step("split", {}, {lineage.SPLIT: split}),
        Step(
            "train",
            {"data/03_split/train.parquet": train, "data/03_split/validation.parquet": "v"},
            {lineage.TRAINED: trained},
        ),
        Step(
            "evaluate",
            {lineage.SPLIT: split, lineage.TRAINED: trained},
            {lineage.EVALUATED: f"evaluated{version}"},
        ),
        Step(
            "package",
            {lineage.TRAINED: trained, lineage.EVALUATED: f"evaluated{version}"},
            {lineage.PACKAGED: f"packaged{version}"},
        ),
    ], folders


@pytest.mark.parametrize(
    ("files", "gone", "learned"),
    [
        (
            {"train1"},
            {"train1", "split1", "trained1", "m1", "evaluated1", "r1", "packaged1", "b1"},
            [True, False],
        ),
        # A test document teaches the model nothing, but the bundle's reference has its signals.
        (
            {"test2"},
            {"test2", "split2", "evaluated2", "r2", "packaged2", "b2"},
            [False, True],
        ),
        (set(), set(), [False, False]),
    ],
)
def test_what_was_made_from_a_table_goes_with_it_and_shared_files_stay(
    files: set[str], gone: set[str], learned: list[bool]
) -> None:
    first, one = steps("1", "train1", "test1")
    second, two = steps("2", "train2", "test2")
    library = Objects({**one, **two})
    held = lineage.follow(library, [*first, *second], files)  # type: ignore[arg-type]
    assert lineage.objects(library, [*first, *second], held) == gone  # type: ignore[arg-type]
    found = [lineage.learned(library, version, held) for version in (first, second)]  # type: ignore[arg-type]
    assert found == learned


def test_where_nobody_can_say_it_is_said() -> None:
    first, folders = steps("1", "train1", "test1")
    del folders["split1"]  # purged by an earlier erasure
    library = Objects(folders)
    assert lineage.learned(library, first, Held()) is None  # type: ignore[arg-type]
    assert lineage.learned(library, None, Held()) is None  # type: ignore[arg-type]


def test_no_lock_is_said() -> None:
    with pytest.raises(DataError):
        lockfile.parse("- a\n- b")


@pytest.mark.parametrize(
    ("where", "removed"),
    [
        ("03_split/train.parquet", ["04_trained", "05_evaluated", "06_packaged"]),
        ("03_split/test.parquet", ["05_evaluated", "06_packaged"]),
        ("02_validated/quarantine.parquet", []),
    ],
)
def test_a_tree_loses_rows_and_what_was_made_of_them(
    tmp_path: Path, where: str, removed: list[str]
) -> None:
    data = tmp_path / "data"
    tables.write_table(TABLE, data / where)
    tables.write_table(table(("s/9", "x", "bob")), data / "03_split" / "validation.parquet")
    tables.write_json([{"id": "s/1", "reason": "r"}], data / "01_ingested" / "faults.json")
    for folder in ("04_trained", "05_evaluated", "06_packaged"):
        (data / folder).mkdir()
    traces = Traces(ids={"s/1"})
    planned = list(lineage.clean_tree(tmp_path, traces, Held(), dry_run=True))
    assert (data / "05_evaluated").exists()
    done = list(lineage.clean_tree(tmp_path, traces, Held(), dry_run=False))
    assert [one["where"] for one in planned] == [one["where"] for one in done]
    assert tables.read_table(data / where)["id"].to_list() == ["s/2", "s/3", "s/4"]
    assert tables.read_json(data / "01_ingested" / "faults.json") == []
    gone = [
        name for name in ("04_trained", "05_evaluated", "06_packaged") if not (data / name).exists()
    ]
    assert gone == removed
    assert list(lineage.clean_tree(tmp_path, traces, Held(), dry_run=False)) == []


def test_deeds_survive_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.done"
    ErasureLog(path).add("ledger", "v1 retired", "b1")
    with path.open("a") as file:
        file.write('{"where": "led')
    after = ErasureLog(path)
    after.add("cache", "object removed")
    assert [one["what"] for one in after.all] == ["v1 retired", "object removed"]
    assert after.new == 1
    assert [json.loads(line)["what"] for line in path.read_text().splitlines()] == [
        "v1 retired",
        "object removed",
    ]


def test_what_a_killed_run_noted_is_not_noted_again(tmp_path: Path) -> None:
    path = tmp_path / "a.done"
    ErasureLog(path).once("DVC cache", "object removed", "ab")
    after = ErasureLog(path)
    after.once("DVC cache", "object removed", "ab")
    after.once("DVC far", "object removed", "ab")
    assert [one["where"] for one in after.all] == ["DVC cache", "DVC far"]
    assert after.new == 1


def test_a_folder_is_noted_before_it_goes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tables.write_table(TABLE, data / "03_split" / "train.parquet")
    (data / "04_trained").mkdir()
    deeds = lineage.clean_tree(tmp_path, Traces(ids={"s/1"}), Held(), dry_run=False)
    assert next(deeds)["where"] == str(data / "04_trained")
    assert (data / "04_trained").exists()
    next(deeds)
    assert not (data / "04_trained").exists()


def test_a_journal_whose_removal_was_killed_is_no_journal_and_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, plan = Paths(tmp_path, tmp_path / "home"), Plan("abc", "author")
    plan.traces.texts.add(LONG)
    journal = erasure_plan.write_journal(paths, plan)

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            erasure_plan.remove_journal(journal)
    (journal.parent / f".{journal.name}.7.partial").write_text(LONG)
    assert not journal.exists()
    assert len(list(journal.parent.iterdir())) == 2
    again = Plan("abc", "author")
    erasure_plan._read_journal(paths, again)
    assert again == Plan("abc", "author")
    erasure_plan.remove_journal(erasure_plan.write_journal(paths, again))
    assert list(journal.parent.iterdir()) == []


def test_a_certificate_is_signed_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    path = certificate.write(paths, "0123456789ab", {"done": []}, NOW)
    assert certificate.verify(paths, path) == {"done": []}
    assert certificate.newest(paths, "0123456789ab") == path
    assert certificate.newest(paths, "another") is None
    path.write_text(path.read_text() + " ")
    with pytest.raises(BundleError):
        certificate.verify(paths, path)
    keys.ensure(tmp_path / "other" / "keys")
    with pytest.raises(BundleError):
        certificate.verify(Paths(tmp_path, tmp_path / "other"), path)


def test_the_scrub_cache_loses_the_texts_or_itself(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with ScrubCache(path, "policy", b"key") as cache:
        cache.put([("raw", Scrubbed(LONG * 50, {})), ("other", Scrubbed("kept", {}))])
    assert erasure._clean_scrub_cache(path, {LONG * 50}) == "1 rows deleted"
    assert LONG.encode() not in path.read_bytes()
    assert b"kept" in path.read_bytes()
    assert erasure._clean_scrub_cache(path, {LONG * 50}) == ""
    path.write_bytes(b"no database")
    assert erasure._clean_scrub_cache(path, {LONG}) == "removed; it is made anew"
    assert not path.exists()


@pytest.mark.parametrize(
    ("ids", "left"), [({"s/1"}, []), (set(), ["checkpoints", "drill", "reports", "vectors"])]
)
def test_copies_and_unfinished_trainings_go_if_the_subject_was_found(
    tmp_path: Path, ids: set[str], left: list[str]
) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    for file in (
        paths.checkpoints / "key-net.npz",
        paths.vectors / "model.sqlite",
        paths.home / "drill" / "newsroom.parquet",
        paths.evaluation_page,
        paths.refused_rows,
    ):
        tables.write_text("learned from somebody", file)
    deeds = ErasureLog(tmp_path / "deeds")
    plan = Plan("0123456789ab", "author", Traces(ids=ids))
    ledger = Ledger(ledgers.url(tmp_path / "ledger.sqlite"))
    erasure._forget(paths, ledger, plan, deeds)
    ledger.close()
    assert sorted(file.relative_to(paths.home).parts[0] for file in paths.home.rglob("*.*")) == left
    assert len(deeds.all) == 5 - len(left)  # bad rows of a refused run always go


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Path]:
    """A DVC project with one folder in its cache and in its remote."""
    for command in (
        ["git", "init", "--quiet"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        [
            sys.executable,
            "-m",
            "dvc",
            "remote",
            "add",
            "--default",
            "local",
            str(tmp_path / "remote"),
        ],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "remote").mkdir()
    tables.write_table(TABLE, tmp_path / "data" / "a.parquet")
    (tmp_path / "data" / "b.txt").write_text("b")
    for command in (["add", "--quiet", "data"], ["push", "--quiet"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True)
    yield tmp_path


def test_objects_are_found_read_and_removed_in_cache_and_remote(stored: Path) -> None:
    stores = open_stores(stored)
    assert [store.name for store in stores] == ["cache", "remote local"]
    library = Library(stores)
    for store in stores:
        ids = store.ids()
        assert len(ids) == 3
        (held,) = lineage.search(library, ids, Traces(authors={"ann"}))
        assert store.changed(held) <= datetime.now(UTC)
        store.delete(held)
        assert held not in store.ids()
        store.delete(held)  # gone already: nothing to do
        assert store.read(held) is None
        assert store.ids() == ids - {held}


def test_what_is_on_its_way_to_the_ledger_is_waited_for(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    erasure.need_delivered(paths)
    paths.spool.mkdir(parents=True)
    erasure.need_delivered(paths)
    (paths.spool / "1.jsonl").touch()
    with pytest.raises(LedgerError, match="newsloop_spool_bytes"):
        erasure.need_delivered(paths)


def test_what_a_killed_service_was_about_to_write_waits_too(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    ahead = WriteAhead(paths.ahead)
    ahead.put("predictions", [{"id": "a"}])
    erasure.need_delivered(paths)  # the service lives: its rows arrive in a moment
    ahead.close()
    with pytest.raises(LedgerError, match="newsloop_spool_bytes"):
        erasure.need_delivered(paths)
    for file in paths.ahead.iterdir():
        file.write_bytes(b"")
    erasure.need_delivered(paths)
