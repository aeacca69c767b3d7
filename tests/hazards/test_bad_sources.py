"""Hazards 21 and 32 where documents come in: bad tables are said, and zones do not move a time.

What validation makes of documents is in test_bad_data.py.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import RawDocument, open_source

Rows = list[dict[str, Any]]
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("ROWS_URL", "sqlite:///d.sqlite")
    shutil.copy(Path(__file__).parents[2] / "params.yaml", tmp_path)
    return Paths(tmp_path, tmp_path / ".newsloop")


def write(paths: Paths, kind: str, rows: Rows, columns: list[str]) -> Source:
    """The same rows as a file or table of `kind`; the source that reads it."""
    place = paths.root / f"d.{kind}"
    if kind == "csv":
        out = csv.writer(buffer := io.StringIO())
        out.writerows([columns, *([row.get(name) for name in columns] for row in rows)])
        place.write_text(buffer.getvalue(), "utf-8")
    elif kind == "jsonl":
        place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "parquet":
        pl.DataFrame(
            {name: [row.get(name) for row in rows] for name in columns}, strict=False
        ).write_parquet(place)
    else:
        with closing(sqlite3.connect(paths.root / "d.sqlite")) as database, database:
            database.execute(f"CREATE TABLE t ({', '.join(columns)}, n INTEGER PRIMARY KEY)")
            for row in rows:
                marks = ", ".join("?" * len(columns))
                database.execute(
                    f"INSERT INTO t ({', '.join(columns)}) VALUES ({marks})",
                    [row.get(name) for name in columns],
                )
        return Source(
            name="s", kind="sql", url_env="ROWS_URL", table="t", watermark="n", id="n", time="time"
        )
    return Source(name="s", kind=kind, path=place.name, id="id", time="time")


def read(paths: Paths, source: Source) -> list[RawDocument]:
    opened = open_source(source, paths)
    return list(opened.read(opened.pin()))


KINDS = ["csv", "jsonl", "parquet", "sql"]
GOOD = {"text": "a text", "label": "a", "id": "1"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_no_documents_and_one_row_is_one(paths: Paths, kind: str) -> None:
    columns = ["text", "label"] if kind == "sql" else ["text", "label", "id"]
    assert read(paths, write(paths, kind, [], columns)) == []
    (paths.root / "d.sqlite").unlink(missing_ok=True)
    (found,) = read(paths, write(paths, kind, [GOOD], columns))
    assert (found.text, found.label, found.id, found.fault) == ("a text", "a", "s/1", None)


BAD: list[tuple[list[str], dict[str, Any], str]] = [
    (["jsonl", "parquet", "sql"], {"text": None}, "'text' must be a text, got none"),
    (KINDS, {"text": ""}, "empty"),
    (["jsonl", "parquet", "sql"], {"text": 5}, "'text' must be a text, got a value of type int"),
    (["parquet", "sql"], {"text": b"\x00"}, "'text' must be a text, got a value of type bytes"),
    (["jsonl"], {"label": {"a": 1}}, "'label' must be a text or a whole number"),
    (["parquet", "sql"], {"label": b"a"}, "'label' must be a text or a whole number"),
    (KINDS, {"time": "yesterday"}, "'time' must be an ISO 8601 time"),
    (KINDS, {"text": "a\0b"}, "NUL"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "bad", "reason"),
    [(kind, bad, reason) for kinds, bad, reason in BAD for kind in kinds],
)
def test_a_column_that_is_null_or_of_a_wrong_type_makes_every_row_a_fault(
    paths: Paths, kind: str, bad: dict[str, Any], reason: str
) -> None:
    rows = [{"text": "t", "label": "a", **bad} for _ in range(3)]
    found = read(paths, write(paths, kind, rows, list(rows[0])))
    assert len(found) == 3
    assert all(document.text == "" and reason in str(document.fault) for document in found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gone", ["text", "label"])
def test_a_table_without_texts_or_labels_is_refused(paths: Paths, kind: str, gone: str) -> None:
    row = {name: value for name, value in GOOD.items() if name not in (gone, "id")}
    with pytest.raises(SourceError, match=f"a column '{gone}'"):
        read(paths, write(paths, kind, [row], list(row)))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp1252", "utf-8-sig"])
def test_csv_in_another_encoding(paths: Paths, encoding: str) -> None:
    (paths.root / "d.csv").write_bytes("text,label\ncosts £5,a\n".encode(encoding))
    (found,) = read(paths, Source(name="s", kind="csv", path="d.csv"))
    assert found.text == "costs £5"
    (found,) = read(paths, Source(name="s", kind="csv", path="d.csv", encoding=encoding))
    assert found.text == "costs £5"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_ids_that_come_twice_and_unknown_labels_go_on_to_validation(
    paths: Paths, kind: str
) -> None:
    """A connector does not know the classes nor all ids; it loses no row over them."""
    rows = [GOOD, GOOD | {"text": "another"}, GOOD | {"label": "weather"}]
    found = read(paths, write(paths, kind, rows, list(GOOD)))
    assert [(d.id, d.label) for d in found] == [("s/1", "a"), ("s/1", "a"), ("s/1", "weather")]


# Hazard 32

# The same moments as clocks showed them, on days when some of these clocks change.
MOMENTS = [
    NOON,
    datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC),  # a second before Berlin's summer time
    datetime(2024, 3, 31, 1, 0, 0, tzinfo=UTC),
    datetime(2024, 10, 27, 0, 30, tzinfo=UTC),  # 02:30 in Berlin, for the first time
    datetime(2024, 10, 27, 1, 30, tzinfo=UTC),  # and for the second
    datetime(2024, 11, 3, 6, 30, tzinfo=UTC),  # 01:30 in New York, for the second time
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_moment_is_the_same_in_any_zone(paths: Paths, kind: str, zone: str) -> None:
    local = [moment.astimezone(ZoneInfo(zone)) for moment in MOMENTS]
    rows: Rows = [{"text": "t", "label": "a", "time": when.isoformat()} for when in local]
    found = read(paths, write(paths, kind, rows, list(rows[0])))
    assert [document.time for document in found] == MOMENTS


@pytest.mark.parametrize("zone", ZONES)
def test_parquet_columns_of_any_zone(paths: Paths, zone: str) -> None:
    table = pl.DataFrame({"text": ["t"] * 6, "label": ["a"] * 6, "time": MOMENTS})
    table = table.with_columns(pl.col("time").dt.convert_time_zone(zone))
    table.write_parquet(paths.root / "d.parquet")
    found = read(paths, Source(name="s", kind="parquet", path="d.parquet"))
    assert [document.time for document in found] == MOMENTS


@pytest.mark.parametrize("zone", ZONES)
def test_feeds_of_any_zone(paths: Paths, zone: str) -> None:
    import email.utils

    stamps = [email.utils.format_datetime(m.astimezone(ZoneInfo(zone))) for m in MOMENTS]
    items = "".join(
        f"<item><guid>{i}</guid><title>t</title><pubDate>{stamp}</pubDate></item>"
        for i, stamp in enumerate(stamps)
    )
    (paths.root / "f.xml").write_text(f'<rss version="2.0"><channel>{items}</channel></rss>')
    found = read(paths, Source(name="s", kind="feed", path="f.xml"))
    assert [document.time for document in found] == MOMENTS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_a_time_without_a_zone_is_utc_whatever_the_machine_says(
    paths: Paths, kind: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        rows = [{"text": "t", "label": "a", "time": "2024-05-01T12:00:00"}]
        (found,) = read(paths, write(paths, kind, rows, list(rows[0])))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found.time == NOON
