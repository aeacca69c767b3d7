"""SQL sources on SQLite: exactly the rows of the pin, and nothing secret in a message."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import ParamsError, SourceError
from components.core.params import Source, parse
from components.core.paths import Paths
from components.sources import RawDocument, SourceReader, open_source

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
TABLE = "CREATE TABLE tickets (id, text, label, time, author, seen)"
ROWS = [
    (3, "three", "b", None, None, 20),
    (1, "one", "a", "2024-05-01T14:00:00+02:00", "Ann", 10),
    (2, "two", "a", "2024-05-01 12:00:00", None, 20),
]
SETTINGS: dict[str, Any] = {
    "kind": "sql", "url_env": "TICKETS_URL", "table": "tickets", "watermark": "seen",
}  # fmt: skip


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("TICKETS_URL", "sqlite:///tickets.sqlite")
    with closing(sqlite3.connect(tmp_path / "tickets.sqlite")) as database, database:
        database.execute(TABLE)
        database.executemany("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    return Paths(tmp_path, tmp_path / ".newsloop")


def change(paths: Paths, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(paths.root / "tickets.sqlite")) as database, database:
        database.execute(statement, values)


def reader(paths: Paths, **settings: Any) -> SourceReader:
    given = {"name": "s", **SETTINGS, **settings}
    return open_source(
        Source.model_validate({k: v for k, v in given.items() if v is not None}), paths
    )


def test_rows_come_by_watermark_then_id(paths: Paths) -> None:
    opened = reader(paths)
    pin = opened.pin()
    assert {key: pin[key] for key in ("watermark", "last_id", "rows", "skipped")} == {
        "watermark": ["int", "20"], "last_id": ["int", "3"], "rows": 3, "skipped": 0,
    }  # fmt: skip
    assert list(opened.read(json.loads(json.dumps(pin)))) == [
        RawDocument("s/1", "one", "a", NOON, "Ann"),
        RawDocument("s/2", "two", "a", NOON),
        RawDocument("s/3", "three", "b"),
    ]


def test_a_query_with_colons_names_and_an_end(paths: Paths) -> None:
    query = "SELECT id, text AS body, 'x:y' AS queue, seen FROM tickets WHERE id < 3 ;"
    opened = reader(paths, table=None, query=query, text="body", label="queue")
    assert [(d.text, d.label) for d in opened.read(opened.pin())] == [
        ("one", "x:y"),
        ("two", "x:y"),
    ]


NEW = "INSERT INTO tickets VALUES (?, 'new', 'a', NULL, NULL, ?)"


@pytest.mark.parametrize(
    ("statement", "values"),
    [(NEW, (9, 21)), (NEW, (9, 20)), (NEW, (9, None)), (NEW, (None, 5))],
    ids=["above", "the same watermark, a later id", "no watermark", "no id"],
)
def test_what_came_after_the_pin_is_not_read(
    paths: Paths, statement: str, values: tuple[object, ...]
) -> None:
    opened = reader(paths)
    pin, before = opened.pin(), list(opened.read(opened.pin()))
    change(paths, statement, *values)
    assert list(opened.read(pin)) == before


@pytest.mark.parametrize(
    ("statement", "values", "words"),
    [
        ("DELETE FROM tickets WHERE id = ?", (1,), "2 rows up to the watermark: some were deleted"),
        (NEW, (0, 15), "4 rows"),
        (NEW, (0, 20), "4 rows"),
        ("UPDATE tickets SET seen = 30 WHERE id = ?", (3,), "2 rows"),
        ("UPDATE tickets SET text = 'SECRET' WHERE id = ?", (1,), "rows that changed"),
        ("UPDATE tickets SET label = 'c' WHERE id = ?", (1,), "rows that changed"),
        ("UPDATE tickets SET id = 7 WHERE id = ?", (1,), "rows that changed"),
    ],
)
def test_rows_that_changed_since_the_pin_are_refused(
    paths: Paths, statement: str, values: tuple[object, ...], words: str
) -> None:
    opened = reader(paths)
    pin = opened.pin()
    change(paths, statement, *values)
    with pytest.raises(SourceError, match=rf"pinned.*{words}.*newsloop run") as caught:
        list(opened.read(pin))
    assert "SECRET" not in str(caught.value)


def test_rows_without_a_watermark_or_id_are_counted_in_the_pin(paths: Paths) -> None:
    change(paths, NEW, 9, None)
    change(paths, NEW, None, 5)
    opened = reader(paths)
    assert (opened.pin()["skipped"], opened.pin()["rows"]) == (2, 3)


def test_an_empty_table_pins_nothing(paths: Paths) -> None:
    change(paths, "DELETE FROM tickets")
    opened = reader(paths)
    pin = opened.pin()
    assert (pin["watermark"], pin["rows"]) == (None, 0)
    change(paths, NEW, 1, 1)
    assert list(opened.read(pin)) == []


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ((4, None, "a"), "'text' must be a text, got none"),
        ((4, b"SECRET", "a"), "type bytes"),
        ((4, "", "a"), "empty"),
        ((4, "t", b"SECRET"), "'label' must be a text"),
    ],
)
def test_a_bad_row_is_marked(paths: Paths, values: tuple[object, ...], fault: str) -> None:
    change(paths, "INSERT INTO tickets VALUES (?, ?, ?, NULL, NULL, 99)", *values)
    opened = reader(paths)
    bad = list(opened.read(opened.pin()))[-1]
    assert bad.id == "s/4" and fault in (bad.fault or "") and "SECRET" not in repr(bad)


def test_text_that_is_not_utf8_is_marked(paths: Paths) -> None:
    change(paths, "INSERT INTO tickets VALUES (4, CAST(X'80ff' AS TEXT), 'a', NULL, NULL, 99)")
    opened = reader(paths)
    *good, bad = opened.read(opened.pin())
    assert "not valid UTF-8" in str(bad.fault) and all(d.fault is None for d in good)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"table": "letters"}, "no such table: letters"),
        ({"text": "body"}, "a column 'body', got only 'id', 'text', 'label'"),
        ({"watermark": "version"}, "a column 'version'.*`watermark:`"),
        ({"id": "key"}, "a column 'key'"),
        ({"id": "label"}, "no two rows of the same watermark and id"),
        ({"table": None, "query": "SELEC 1"}, "syntax error"),
        ({"url_env": "NOT_SET"}, "variable NOT_SET, got no such variable"),
    ],
)
def test_what_is_wrong_is_said(paths: Paths, settings: dict[str, Any], words: str) -> None:
    change(paths, "INSERT INTO tickets VALUES (4, 't', 'a', NULL, NULL, 10)")
    with pytest.raises(SourceError, match=words):
        reader(paths, **settings).pin()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no address", "an SQLAlchemy address"),
        ("sqlite:///none.sqlite", "the SQLite file that TICKETS_URL names, got none"),
        ("oracle://u:hunter2@h/d", "a driver for oracle"),
        ("nosuch://u:hunter2@h/d", "a driver for nosuch"),
        ("postgresql+psycopg://u:hunter2@127.0.0.1:9/d?options=hunter2", "Connection"),
    ],
)
def test_no_password_gets_into_a_message(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("TICKETS_URL", url)
    with pytest.raises(SourceError, match=words) as caught:
        reader(paths).pin()
    shown: BaseException | None = caught.value
    while shown is not None and not shown.__suppress_context__:
        assert "hunter2" not in str(shown)
        shown = shown.__cause__ or shown.__context__
    assert "hunter2" not in str(caught.value)
    assert not (paths.root / "none.sqlite").exists()


def test_a_float_is_no_watermark(paths: Paths) -> None:
    change(paths, "UPDATE tickets SET seen = seen + 0.5")
    with pytest.raises(SourceError, match="a watermark of whole numbers, times or texts"):
        reader(paths).pin()


def test_a_query_cannot_write(paths: Paths) -> None:
    with pytest.raises(SourceError):
        reader(paths, table=None, query="DELETE FROM tickets RETURNING *").pin()
    assert reader(paths).pin()["rows"] == 3


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"kind": "sql", "url_env": "U", "table": "t"}, "needs a watermark"),
        ({"kind": "sql", "table": "t", "watermark": "w"}, "needs a url_env"),
        ({"kind": "sql", "url_env": "U", "watermark": "w"}, "needs a table or a query"),
        ({"kind": "sql", "url_env": "U", "watermark": "w", "table": "t", "query": "q"}, "one of"),
        ({"kind": "csv", "path": "p", "table": "t"}, "csv has no key table"),
        ({"kind": "feed"}, "needs a path or a url"),
        ({"kind": "http_json", "url": "ftp://host/x"}, "http"),
        ({"kind": "http_json", "url": "http://user:hunter2@host/x"}, "header_env"),
        ({"kind": "http_json", "url": "http://host/x", "header": "X"}, "belong together"),
        ({"kind": "http_json", "url": "http://host/x", "pages": {"by": "cursor"}}, "need path"),
        ({"kind": "http_json", "url": "http://host/x", "pages": {"by": "number"}}, "parameter"),
    ],
)
def test_settings_that_do_not_fit_the_kind(source: dict[str, Any], words: str) -> None:
    import yaml

    values = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())
    values["ingest"]["sources"] = [{"name": "s", **source}]
    with pytest.raises(ParamsError, match=words) as caught:
        parse(values, "params.yaml")
    assert "hunter2" not in str(caught.value)


def test_sqlite_sorts_in_memory_because_its_files_would_hold_raw_text(paths: Paths) -> None:
    with (
        reader(paths)._connected() as connection,  # type: ignore[attr-defined]
        connection.exec_driver_sql("PRAGMA temp_store") as answer,
    ):
        assert answer.scalar() == 2  # MEMORY
