"""The ledger in SQLite and in PostgreSQL: the same answers, and its tables up and down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from components.core.errors import LedgerError
from components.core.ledger import (
    DEPLOYMENTS,
    METADATA,
    PREDICTIONS,
    TEXTS,
    VERSIONS,
    Ledger,
    migrations,
    transfer,
)
from components.core.ledger.tables import LABELS
from tests.postgres import new_database

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
BUNDLE = "b" * 64


def prediction(id_: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": id_, "time": NOON, "bundle": BUNDLE, "label": "sports", "confidence": 0.75,
        "probabilities": {"sports": 0.75}, "words": 3, "unknown_share": 0.0, "features": [1.5],
    } | changes  # fmt: skip


def version(number: int, bundle: str = BUNDLE) -> dict[str, Any]:
    return {
        "version": number, "bundle": bundle, "time": NOON, "tag": f"newsloop@v{number}.0.0",
        "commit": "c" * 40, "dvc_lock": "d" * 64, "snapshot": "e" * 64,
        "metrics": {"accuracy": {"value": 0.5}}, "decision": {"feedback_watermark": 7},
    }  # fmt: skip


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `count` threads get that start `work` at the same moment."""
    found: list[Any] = [None] * count
    start = threading.Barrier(count)

    def one(number: int) -> None:
        start.wait()
        try:
            found[number] = work(number)
        except LedgerError as error:
            found[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# The tables


def test_the_steps_make_the_tables_that_the_code_names(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        of_others = {"alembic_version"}
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "version_table": migrations.TAKEN,
                "include_name": lambda name, _kind, _parents: name not in of_others,
            },
        )
        assert compare_metadata(context, METADATA) == []
        assert migrations.revision(connection) == migrations.HEAD


def test_head_names_the_newest_step() -> None:
    folder = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert folder.get_heads() == [migrations.HEAD]
    assert folder.get_bases() == [migrations.FIRST]


def test_each_step_can_be_taken_back_and_again_with_rows_in_the_tables(ledger: Ledger) -> None:
    ledger.insert(PREDICTIONS, [prediction("a")])
    ledger.add_version(version(1), "first")
    ledger.add_labels([("a", "tech")], NOON)
    kept = [ledger.query(sa.select(table)) for table in (PREDICTIONS, VERSIONS, DEPLOYMENTS)]
    migrations.downgrade(ledger.engine, migrations.FIRST)
    with ledger.engine.connect() as connection:
        assert migrations.revision(connection) == migrations.FIRST
    migrations.upgrade(ledger.engine)
    again = [ledger.query(sa.select(table)) for table in (PREDICTIONS, VERSIONS, DEPLOYMENTS)]
    assert again == kept
    assert ledger.add_labels([("a", "tech")], NOON)["duplicate"] == 1


def test_a_ledger_of_before_the_steps_is_taken_over_with_its_rows(database: str) -> None:
    engine = sa.create_engine(database)
    migrations.upgrade(engine, migrations.FIRST)
    with engine.begin() as connection:
        for table in ("alembic_version", migrations.TAKEN):
            connection.execute(sa.text(f"DROP TABLE {table}"))
    engine.dispose()
    old = Ledger(database, create=False)
    old.insert(PREDICTIONS, [prediction("a")])
    old.close()
    new = Ledger(database)
    assert [row["id"] for row in new.query(sa.select(PREDICTIONS.c.id))] == ["a"]
    with new.engine.connect() as connection:
        assert migrations.revision(connection) == migrations.HEAD
    new.close()


def test_an_erasure_of_before_is_known_by_its_id(ledger: Ledger) -> None:
    for number, reason in ((1, "erasure 0123456789ab"), (2, "erasure"), (3, "a person")):
        ledger.add_version({**version(number), "bundle": f"b{number}"}, "first")
        ledger.retire(number, f"b{number}", NOON, reason)
    migrations.downgrade(ledger.engine, "0006")  # which had the reason only
    migrations.upgrade(ledger.engine)
    assert {number: row["erasure"] for number, row in ledger.retired().items()} == {
        1: "0123456789ab", 2: None, 3: None,
    }  # fmt: skip


def test_a_ledger_of_a_newer_newsloop_is_left_alone(ledger: Ledger, database: str) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="got 9999: a newer newsloop wrote it"):
        Ledger(database)


def test_a_step_that_only_adds_does_not_shut_an_older_newsloop_out(
    ledger: Ledger, database: str
) -> None:
    """The code of 0.1.0, in the workspace of a scheduled run, asks alembic_version for 0005."""
    needed = sa.text("SELECT version_num FROM alembic_version")
    for step, seen in (("0003", "0003"), (migrations.HEAD, migrations.COMPATIBLE)):
        migrations.downgrade(ledger.engine, "0002")
        migrations.upgrade(ledger.engine, step)
        with ledger.engine.connect() as connection:
            assert connection.execute(needed).scalars().all() == [seen]
            assert migrations.revision(connection) == step
    with ledger.engine.begin() as connection:  # as a newer newsloop leaves it
        connection.execute(sa.text(f"UPDATE {migrations.TAKEN} SET version_num = '9998'"))
    older = Ledger(database)
    assert older.versions() == []
    with older.engine.connect() as connection:
        assert migrations.revision(connection) == "9998"
    older.close()


def test_a_ledger_with_one_number_gets_the_other(ledger: Ledger, database: str) -> None:
    with ledger.engine.begin() as connection:  # as it was between two releases
        connection.execute(sa.text(f"DROP TABLE {migrations.TAKEN}"))
        connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{migrations.HEAD}'"))
    again = Ledger(database)
    with again.engine.connect() as connection:
        assert migrations.revision(connection) == migrations.HEAD
        needed = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    again.close()
    assert needed == migrations.COMPATIBLE


def test_labels_of_an_older_newsloop_have_no_caller(ledger: Ledger) -> None:
    """It names the columns that it knows."""
    ledger.insert(PREDICTIONS, [prediction("a")])
    with ledger.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO labels (prediction_id, label, time) VALUES ('a', 'tech', :now)"),
            {"now": NOON.replace(tzinfo=None)},
        )
    assert ledger.query(sa.select(LABELS.c.caller, LABELS.c.trusted)) == [
        {"caller": None, "trusted": None}
    ]


@pytest.mark.parametrize("step", ["base", "9999", ""])
def test_there_is_no_way_back_to_no_tables(ledger: Ledger, step: str) -> None:
    with pytest.raises(LedgerError, match="Nothing was changed"):
        migrations.downgrade(ledger.engine, step)
    assert ledger.versions() == []


def test_processes_that_start_together_make_the_tables_once(database: str) -> None:
    def opened(_number: int) -> str | None:
        ledger = Ledger(database)
        with ledger.engine.connect() as connection:
            found = migrations.revision(connection)
        ledger.close()
        return found

    assert together(6, opened) == [migrations.HEAD] * 6


# What is written and read


def test_times_come_back_in_utc(ledger: Ledger) -> None:
    tokyo = datetime(2026, 3, 29, 21, tzinfo=timezone(timedelta(hours=9)))
    ledger.insert(PREDICTIONS, [prediction("a", time=tokyo)])
    (row,) = ledger.query(sa.select(PREDICTIONS))
    assert (row["time"], row["time"].tzinfo) == (NOON, UTC)
    assert row["probabilities"] == {"sports": 0.75}
    with pytest.raises(LedgerError, match="Expected a time with a zone"):
        ledger.insert(PREDICTIONS, [prediction("b", time=datetime(2026, 3, 29))])


def test_the_last_deployment_names_the_champion(ledger: Ledger) -> None:
    assert ledger.champion() is None
    ledger.add_version(version(1), "first")
    ledger.add_version(version(2, "f" * 64), "better")
    champion = ledger.champion()
    assert champion is not None
    assert (champion.version, champion.reason) == (2, "better")
    ledger.deploy(1, NOON, "rolled back")
    assert [one.version for one in ledger.deployments()] == [1, 2, 1]
    with pytest.raises(LedgerError):
        ledger.add_version(version(3), "a bundle has one version")
    assert [row["version"] for row in ledger.versions()] == [2, 1]
    with pytest.raises(LedgerError):
        ledger.deploy(9, NOON, "there is none")


def test_the_last_word_on_a_prediction_counts(ledger: Ledger) -> None:
    ledger.insert(PREDICTIONS, [prediction(name) for name in "abc"])
    ledger.insert(TEXTS, [{"prediction_id": name, "text": f"text {name}"} for name in "ab"])
    said = [("a", "tech"), ("a", "tech"), ("nobody", "tech"), ("b", "x"), ("a", "sports")]
    assert ledger.add_labels(said, NOON) == {"accepted": 3, "duplicate": 1, "unknown": 1}
    assert ledger.feedback_watermark() == 3
    found = [(row["prediction_id"], row["label"]) for row in ledger.feedback(3)]
    assert found == [("b", "x"), ("a", "sports")]
    assert [row["label"] for row in ledger.feedback(1)] == ["tech"]
    ledger.add_labels([("c", "tech")], NOON)  # its text is still with the scrubber
    assert ledger.feedback_watermark() == 3
    assert ledger.count_labels(3) == 1


def test_nothing_of_a_failed_transaction_stays(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        ledger.insert(PREDICTIONS, [prediction("a"), prediction("b"), prediction("a")])
    assert ledger.query(sa.select(PREDICTIONS)) == []


# At the same time


def test_one_of_many_runs_takes_up_a_decision(ledger: Ledger) -> None:
    found = together(8, lambda number: ledger.claim("d" * 32, f"run {number}", NOON))
    assert sorted(found) == [False] * 7 + [True]


def test_one_of_many_monitoring_runs_judges_a_window(ledger: Ledger) -> None:
    ledger.add_version(version(1), "first")

    def judge(number: int) -> None:
        window = {"time": NOON, "bundle": BUNDLE, "after": 0, "until": 5, "rows": 5,
                  "verdict": "none", "details": {}}  # fmt: skip
        decision = {"id": f"{number:032x}", "kind": "governor", "time": NOON, "verdict": "wait",
                    "reasons": [], "details": {}}  # fmt: skip
        ledger.add_window(window, decision)

    refused = [one for one in together(4, judge) if one is not None]
    assert len(refused) == 3
    assert all("another one judged the same predictions" in str(error) for error in refused)
    assert len(ledger.decisions("governor", limit=9)) == 1


def test_predictions_written_by_many_threads_all_arrive(ledger: Ledger) -> None:
    def write(number: int) -> None:
        for part in range(5):
            ledger.insert(PREDICTIONS, [prediction(f"{number}-{part}-{i}") for i in range(4)])

    assert together(6, write) == [None] * 6
    rows = ledger.query(sa.select(PREDICTIONS.c.seq, PREDICTIONS.c.id))
    assert len({row["seq"] for row in rows}) == len({row["id"] for row in rows}) == 120


def test_a_database_that_is_away_is_one_paragraph(postgresql: str) -> None:
    wrong = sa.make_url(postgresql).set(password="not-it")
    with pytest.raises(LedgerError, match="Expected to reach the ledger at") as caught:
        Ledger(wrong.render_as_string(hide_password=False))
    assert "not-it" not in str(caught.value)
    nowhere = sa.make_url(postgresql).set(port=9)
    with pytest.raises(LedgerError, match="See that the database runs"):
        Ledger(nowhere.render_as_string(hide_password=False))


# From one database to another


@pytest.fixture
def other(tmp_path: Path, postgresql: str) -> Iterator[Ledger]:
    """A second, empty ledger in PostgreSQL."""
    opened = Ledger(new_database(postgresql))
    yield opened
    opened.close()


def test_a_ledger_moves_to_postgresql_and_goes_on_there(ledger: Ledger, other: Ledger) -> None:
    ledger.insert(PREDICTIONS, [prediction(f"p{i}") for i in range(2500)])
    ledger.insert(TEXTS, [{"prediction_id": "p1", "text": "Zw\u00f6lf \u4e2d\u6587 <PERSON>"}])
    ledger.add_version(version(1), "first")
    ledger.add_labels([("p1", "tech"), ("p2", "tech")], NOON)
    counts = transfer.copy(ledger, other)
    assert counts["predictions"] == 2500
    for table in METADATA.sorted_tables:
        keys = list(table.primary_key.columns)
        assert other.query(sa.select(table).order_by(*keys)) == ledger.query(
            sa.select(table).order_by(*keys)
        )
    assert other.add_labels([("p1", "sports")], NOON)["accepted"] == 1
    assert other.count_labels(after=2) == 1  # its number follows those that were copied
    with pytest.raises(LedgerError, match="Expected an empty ledger to copy to, found rows in"):
        transfer.copy(ledger, other)


def test_a_copy_that_fails_leaves_nothing(ledger: Ledger, other: Ledger) -> None:
    ledger.insert(PREDICTIONS, [prediction("a"), prediction("b" * 32)])
    with other.engine.begin() as connection:  # a column that the second row does not fit
        connection.execute(sa.text("ALTER TABLE predictions ALTER COLUMN id TYPE varchar(8)"))
    with pytest.raises(LedgerError, match="value too long"):
        transfer.copy(ledger, other)
    assert other.query(sa.select(PREDICTIONS.c.id)) == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("not an address", "Expected the address of the ledger as an SQLAlchemy URL"),
        ("oracle://x", "Expected a database of a kind that is installed here"),
        ("sqlite:////proc/no/ledger.sqlite", "Expected to write the ledger"),
    ],
)
def test_a_wrong_address_is_one_paragraph(address: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words):
        Ledger(address)
