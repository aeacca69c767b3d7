"""Sources against real servers on the loopback: PostgreSQL, an object store, HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import RawDocument, SourceReader, open_source
from tests import postgres

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def reader(paths: Paths, **settings: Any) -> SourceReader:
    return open_source(Source.model_validate({"name": "s", **settings}), paths)


# PostgreSQL


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgres.server(programs) as url:
        yield url


@pytest.fixture
def database(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    monkeypatch.setenv("TICKETS_URL", address)
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS tickets"))
        connection.execute(
            sa.text(
                "CREATE TABLE tickets (id uuid DEFAULT gen_random_uuid(), text text, label text,"
                ' "time" timestamptz, number bigserial, seen timestamptz, local timestamp,'
                " price numeric)"
            )
        )
    yield engine
    engine.dispose()


def insert(database: sa.Engine, *rows: dict[str, Any]) -> None:
    with database.begin() as connection:
        for row in rows:
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO tickets ({names}) VALUES ({marks})"), row)


SQL = {"kind": "sql", "url_env": "TICKETS_URL", "table": "public.tickets", "id": "number"}


def row(text: str, hour: str, **more: Any) -> dict[str, Any]:
    when = datetime.fromisoformat(f"2024-05-01T{hour}")
    return {"text": text, "label": "a", "time": when, "seen": when, **more}


def test_postgres_times_of_any_zone_are_one_order(paths: Paths, database: sa.Engine) -> None:
    """The session's zone is not ours, and the watermark has microseconds."""
    with database.begin() as connection:
        connection.execute(sa.text("ALTER ROLE tester SET timezone TO 'America/New_York'"))
    insert(
        database,
        row("third", "12:00:00.000001+00:00"),
        row("first", "13:30:00+02:00"),
        row("second", "07:45:00-04:00"),
    )
    opened = reader(paths, **SQL, watermark="seen")
    pin = json.loads(json.dumps(opened.pin()))
    assert pin["watermark"] == ["datetime", "2024-05-01T12:00:00.000001+00:00"]
    insert(database, row("later", "12:00:00.000002+00:00"), row("tied", "12:00:00.000001+00:00"))
    assert [(d.text, d.time) for d in opened.read(pin)] == [
        ("first", NOON.replace(hour=11, minute=30)),
        ("second", NOON.replace(hour=11, minute=45)),
        ("third", NOON.replace(microsecond=1)),
    ]


@pytest.mark.parametrize(
    ("watermark", "key", "types"),
    [
        ("number", "id", ["int", "uuid"]),
        ("local", "number", ["datetime", "int"]),
        ("price", "number", ["decimal", "int"]),
        ("text", "number", ["str", "int"]),
    ],
)
def test_postgres_watermarks_of_each_type(
    paths: Paths, database: sa.Engine, watermark: str, key: str, types: list[str]
) -> None:
    def numbered(i: int) -> dict[str, Any]:
        local = datetime(2024, 3, 31, 2, 30, i)  # an hour that Berlin does not have
        return row(f"text {i}", "12:00:00Z", local=local, price=f"{i}.5")

    insert(database, *(numbered(i) for i in range(5)))
    opened = reader(paths, **SQL | {"id": key}, watermark=watermark)
    pin = json.loads(json.dumps(opened.pin()))
    assert [pin["watermark"][0], pin["last_id"][0]] == types
    insert(database, numbered(7))
    assert [d.text for d in opened.read(pin)] == [f"text {i}" for i in range(5)]
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM tickets WHERE text = 'text 3'"))
    with pytest.raises(SourceError, match="4 rows up to the watermark: some were deleted"):
        list(opened.read(pin))


def test_postgres_streams_a_query(paths: Paths, database: sa.Engine) -> None:
    """A cursor of the server is used: rows come before all of them have."""
    query = (
        "SELECT n AS number, 'text ' || n AS text, 'a'::text AS label"
        " FROM generate_series(1, 50000) n WHERE 'x:y' LIKE '%:y'"
    )
    settings = SQL | {"table": None, "query": query}
    opened = reader(paths, **{k: v for k, v in settings.items() if v}, watermark="number")
    pin = opened.pin()
    assert pin["rows"] == 50000
    stream = opened.read(pin)
    assert next(stream) == RawDocument("s/1", "text 1", "a")
    with database.connect() as other:
        cursors = other.scalar(
            sa.text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH FORWARD%'")
        )
    assert cursors == 1
    assert sum(1 for _ in stream) == 49999


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": "letters"}, "UndefinedTable.*letters"),
        ({"watermark": "nothing"}, "a column 'nothing'"),
        ({"table": None, "query": "SELECT 1 AS number, 'SECRET'::int AS text, 'a' AS label"},
         "DataError|InvalidText"),
    ],
)  # fmt: skip
def test_postgres_says_what_is_wrong_without_values(
    paths: Paths, database: sa.Engine, change: dict[str, Any], words: str
) -> None:
    settings = {**SQL, "watermark": "number", **change}
    with pytest.raises(SourceError, match=words) as caught:
        reader(paths, **{k: v for k, v in settings.items() if v}).pin()
    assert "SECRET" not in str(caught.value) and postgres.PASSWORD not in str(caught.value)


def test_postgres_refuses_a_wrong_password_and_to_write(
    paths: Paths, database: sa.Engine, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(database, row("one", "12:00:00Z"))
    with pytest.raises(SourceError, match=r"InternalError|ReadOnly"):
        reader(paths, kind="sql", url_env="TICKETS_URL", watermark="number", id="number",
               query="SELECT setval('tickets_number_seq', 99) AS number, 'a' AS text, 'b' AS label",
               ).pin()  # fmt: skip
    wrong = "another-secret"
    monkeypatch.setenv("TICKETS_URL", address.replace(postgres.PASSWORD, wrong))
    with pytest.raises(SourceError, match="password authentication failed") as caught:
        reader(paths, **SQL, watermark="number").pin()
    assert wrong not in str(caught.value)
