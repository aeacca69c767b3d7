"""Sources against real servers on the loopback: PostgreSQL, an object store, HTTP."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import polars as pl
import pytest
import sqlalchemy as sa

from components.core.errors import SourceError, UsageError
from components.core.params import ENTITIES, Source
from components.core.paths import Paths
from components.profile.locate import locate
from components.sources import RawDocument, SourceReader, open_source
from tests import object_store, postgres
from tests.project import Project, articles
from tests.unit.profile.test_profile_shapes import profile_of

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path / ".newsloop")


def reader(paths: Paths, **settings: Any) -> SourceReader:
    return open_source(Source.model_validate({"name": "s", **settings}), paths)


# PostgreSQL


@pytest.fixture
def tickets(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    monkeypatch.setenv("TICKETS_URL", postgresql)
    engine = sa.create_engine(postgresql, poolclass=sa.NullPool)
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


def insert(tickets: sa.Engine, *rows: dict[str, Any]) -> None:
    with tickets.begin() as connection:
        for row in rows:
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO tickets ({names}) VALUES ({marks})"), row)


SQL = {"kind": "sql", "url_env": "TICKETS_URL", "table": "public.tickets", "id": "number"}


def row(text: str, hour: str, **more: Any) -> dict[str, Any]:
    when = datetime.fromisoformat(f"2024-05-01T{hour}")
    return {"text": text, "label": "a", "time": when, "seen": when, **more}


def test_postgres_times_of_any_zone_are_one_order(paths: Paths, tickets: sa.Engine) -> None:
    """The session's zone is not ours, and the watermark has microseconds."""
    with tickets.begin() as connection:
        connection.execute(sa.text("ALTER ROLE tester SET timezone TO 'America/New_York'"))
    insert(
        tickets,
        row("third", "12:00:00.000001+00:00"),
        row("first", "13:30:00+02:00"),
        row("second", "07:45:00-04:00"),
    )
    opened = reader(paths, **SQL, watermark="seen")
    pin = json.loads(json.dumps(opened.pin()))
    assert pin["watermark"] == ["datetime", "2024-05-01T12:00:00.000001+00:00"]
    insert(tickets, row("later", "12:00:00.000002+00:00"), row("tied", "12:00:00.000001+00:00"))
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
    paths: Paths, tickets: sa.Engine, watermark: str, key: str, types: list[str]
) -> None:
    def numbered(i: int) -> dict[str, Any]:
        local = datetime(2024, 3, 31, 2, 30, i)  # an hour that Berlin does not have
        return row(f"text {i}", "12:00:00Z", local=local, price=f"{i}.5")

    insert(tickets, *(numbered(i) for i in range(5)))
    opened = reader(paths, **SQL | {"id": key}, watermark=watermark)
    pin = json.loads(json.dumps(opened.pin()))
    assert [pin["watermark"][0], pin["last_id"][0]] == types
    insert(tickets, numbered(7))
    assert [d.text for d in opened.read(pin)] == [f"text {i}" for i in range(5)]
    with tickets.begin() as connection:
        connection.execute(sa.text("DELETE FROM tickets WHERE text = 'text 3'"))
    with pytest.raises(SourceError, match="4 rows up to the watermark: some were deleted"):
        list(opened.read(pin))


def test_postgres_streams_a_query(paths: Paths, tickets: sa.Engine) -> None:
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
    with tickets.connect() as other:
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
    paths: Paths, tickets: sa.Engine, change: dict[str, Any], words: str
) -> None:
    settings = {**SQL, "watermark": "number", **change}
    with pytest.raises(SourceError, match=words) as caught:
        reader(paths, **{k: v for k, v in settings.items() if v}).pin()
    assert "SECRET" not in str(caught.value) and postgres.PASSWORD not in str(caught.value)


def test_postgres_refuses_a_wrong_password_and_to_write(
    paths: Paths, tickets: sa.Engine, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(tickets, row("one", "12:00:00Z"))
    with pytest.raises(SourceError, match=r"InternalError|ReadOnly"):
        reader(paths, kind="sql", url_env="TICKETS_URL", watermark="number", id="number",
               query="SELECT setval('tickets_number_seq', 99) AS number, 'a' AS text, 'b' AS label",
               ).pin()  # fmt: skip
    wrong = "another-secret"
    monkeypatch.setenv("TICKETS_URL", postgresql.replace(postgres.PASSWORD, wrong))
    with pytest.raises(SourceError, match="password authentication failed") as caught:
        reader(paths, **SQL, watermark="number").pin()
    assert wrong not in str(caught.value)


# Object stores


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 client whose bucket `news` is empty; the readers find the server by the environment."""
    for name, value in object_store.environment(s3_address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = botocore.session.get_session().create_client("s3")
    client.create_bucket(Bucket="news")
    yield client
    while found := client.list_objects_v2(Bucket="news").get("Contents"):
        for entry in found:
            client.delete_object(Bucket="news", Key=entry["Key"])
    client.delete_bucket(Bucket="news")
    client.close()


def put(bucket: Any, name: str, content: bytes) -> None:
    bucket.put_object(Bucket="news", Key=name, Body=content)


JSONL = b'{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}\n'


def parquet_bytes() -> bytes:
    table = pl.DataFrame({"text": ["one", "two"], "label": ["a", "b"]})
    table.write_parquet(buffer := io.BytesIO())
    return buffer.getvalue()


def archive(name: str, files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(buffer, "w") as packed:
            for file, content in files.items():
                packed.writestr(file, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for file, content in files.items():
                entry = tarfile.TarInfo(file)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("d.csv", "csv", b"text,label\none,a\ntwo,b\n"),
        ("in/d.jsonl", "jsonl", JSONL),
        ("d.jsonl.gz", "jsonl", gzip.compress(JSONL)),
        ("d.zip", "jsonl", archive("d.zip", {"d.jsonl": JSONL})),
        ("d.parquet", "parquet", parquet_bytes()),
        ("d.parquet.gz", "parquet", gzip.compress(parquet_bytes())),
        ("n.zip", "folder", archive("n.zip", {"a/1.txt": b"one", "b/2.txt": b"two"})),
        ("n.tar.gz", "folder", archive("n.tar.gz", {"a/1.txt": b"one", "b/2.txt": b"two"})),
    ],
)
def test_s3_gives_what_a_file_here_gives(
    paths: Paths, bucket: Any, name: str, kind: str, content: bytes
) -> None:
    put(bucket, name, content)
    opened = reader(paths, kind=kind, path=f"s3://news/{name}")
    pin = json.loads(json.dumps(opened.pin()))
    found = list(opened.read(pin))
    assert [(d.text, d.label) for d in found] == [("one", "a"), ("two", "b")]
    local = paths.root / name
    local.parent.mkdir(exist_ok=True)
    local.write_bytes(content)
    here = reader(paths, kind=kind, path=name)
    assert list(here.read(here.pin())) == found
    put(bucket, name, content + b"\n")
    with pytest.raises(SourceError, match=r"pinned.*newsloop run"):
        list(opened.read(pin))


def test_s3_folder_of_texts(paths: Paths, bucket: Any) -> None:
    for name in ("tech/b.txt", "tech/old/c.txt", "art/a.txt", "top.txt", "tech/.d.txt", "art/x.md"):
        put(bucket, f"in/{name}", name.encode())
    opened = reader(paths, kind="folder", path="s3://news/in/")
    pin = opened.pin()
    assert pin["files"] == 4
    assert [(d.id, d.text, d.label) for d in opened.read(pin)] == [
        ("s/art/a.txt", "art/a.txt", "art"),
        ("s/art/x.md", "art/x.md", "art"),
        ("s/tech/b.txt", "tech/b.txt", "tech"),
        ("s/tech/old/c.txt", "tech/old/c.txt", "tech"),
    ]
    put(bucket, "in/art/a.txt", b"ART/a.txt")
    with pytest.raises(SourceError, match=r"pinned.*newsloop run"):
        list(opened.read(pin))


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_s3_object_that_changes_while_it_is_read(paths: Paths, bucket: Any, kind: str) -> None:
    content = b"text,label\n" + b"".join(b"text %06d,a\n" % i for i in range(2000))
    if kind == "csv":
        put(bucket, "d.csv", content)
        opened = reader(paths, kind="csv", path="s3://news/d.csv")
    else:
        put(bucket, "in/a/1.txt", b"one")
        put(bucket, "in/a/2.txt", b"two")
        opened = reader(paths, kind="folder", path="s3://news/in")
    stream = opened.read(opened.pin())
    next(stream)
    put(bucket, *(("d.csv", content.upper()) if kind == "csv" else ("in/a/2.txt", b"TWO")))
    with pytest.raises(SourceError):
        list(stream)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("s3://news/none.csv", "a file at s3://news/none.csv, got none"),
        ("s3://no-such-bucket/none.csv", "a file at s3://no-such-bucket"),
        ("gs://news/d.csv", "gcsfs is not installed.*pip install gcsfs"),
        ("az://news/d.csv", "adlfs is not installed.*pip install adlfs"),
        ("ftp://news/d.csv", "no store for ftp://"),
    ],
)
def test_a_store_that_has_not_is_said(paths: Paths, bucket: Any, path: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        reader(paths, kind="csv", path=path).pin()


def test_a_store_that_cannot_be_reached_is_said_without_its_key(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in object_store.environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceError, match="EndpointConnectionError") as caught:
        reader(paths, kind="csv", path="s3://news/d.csv").pin()
    assert "hunter2" not in str(caught.value)


def test_a_snapshot_and_ingest_from_s3_by_fsspecs_own_environment(
    tmp_path: Path, bucket: Any, s3_address: str
) -> None:
    """As a person has it: the endpoint in fsspec's variable, two commands."""
    project = Project(tmp_path / "project", per_class=2)
    files = {f"{label}/{i}.txt": articles(label, i, i + 1)[0].encode()
             for label in ("tech", "sports") for i in range(3)}  # fmt: skip
    put(bucket, "n.zip", archive("n.zip", files))
    project.settle(
        {
            "ingest.sources": [{"name": "far", "kind": "folder", "path": "s3://news/n.zip"}],
            # The quickest to find.
            "ingest.scrub.entities": dict.fromkeys(ENTITIES, "keep") | {"EMAIL_ADDRESS": "mask"},
        }
    )
    env = object_store.environment(s3_address)
    env["FSSPEC_S3_ENDPOINT_URL"] = env.pop("AWS_ENDPOINT_URL")
    env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    for stage in ("components.snapshot", "components.ingest"):
        done = project.command(sys.executable, "-m", stage, **env)
        assert done.status == 0, done.err
    rows = pl.read_parquet(project.root / "data/01_ingested/documents.parquet")
    assert sorted(rows["id"]) == sorted(f"far/{name}" for name in files)
    assert "hunter2" not in (project.root / "data/sources.json").read_text()


# What `newsloop init` finds


def test_init_finds_the_tables_of_postgres(paths: Paths, tickets: sa.Engine) -> None:
    insert(
        tickets,
        *(row(f"a sentence about {n}", "12:00+00:00", number=n) | {"label": "ab"[n % 2]}
          for n in range(20)),
    )  # fmt: skip
    profile = profile_of("TICKETS_URL", paths.root, table="public.tickets")
    (source,) = profile.sources
    assert source.entry == {
        "name": "tickets", "kind": "sql", "url_env": "TICKETS_URL", "table": "public.tickets",
        "watermark": "time", "id": "id", "time": "time",
    }  # fmt: skip
    assert profile.classes.counts == {"a": 10, "b": 10}


def test_init_finds_tables_in_a_bucket(paths: Paths, bucket: Any) -> None:
    lines = [f"a sentence about {n},{'ab'[n % 2]}\n" for n in range(20)]
    for part in ("train", "test"):
        put(bucket, f"set/{part}.csv", "".join(["text,label\n", *lines]).encode())
    profile = profile_of("s3://news/set", paths.root)
    entries = [(source.entry["path"], source.entry["fixed_part"]) for source in profile.sources]
    assert entries == [("s3://news/set/test.csv", "test"), ("s3://news/set/train.csv", "train")]
    assert profile.summary.parts == {"test": 20, "train": 20}
    (entry,) = locate("s3://news/set/train.csv", paths)
    assert entry["kind"] == "csv"
    with pytest.raises(UsageError, match="got none"):
        locate("s3://news/nothing", paths)
