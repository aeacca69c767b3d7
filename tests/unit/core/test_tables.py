"""Atomic writes, equal bytes for equal values, clear errors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.core import schema, tables
from components.core.errors import DataError
from components.core.tables import streams

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    tables.write_json({"a": 1}, path)

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        tables.write_atomic(path, fail)
    assert tables.read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["value.json"]


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    one = tables.write_json({"b": 1, "a": "ä"}, tmp_path / "one").read_bytes()
    other = tables.write_json({"a": "ä", "b": 1}, tmp_path / "other").read_bytes()
    assert one == other
    frame = schema.documents([{"id": "x", "text": "t", "label": None, "source": "s"}])
    first = tables.write_table(frame, tmp_path / "1.parquet").read_bytes()
    assert tables.write_table(frame, tmp_path / "2.parquet").read_bytes() == first


def test_json_holds_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        tables.write_json({"a": float("nan")}, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"no parquet"])
def test_an_unreadable_table_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="Expected a Parquet table"):
        tables.read_table(path)


def test_documents_have_the_columns_of_the_schema() -> None:
    frame = schema.documents([{"id": "x", "text": "t"}])
    assert dict(frame.schema) == schema.DOCUMENT
    with pytest.raises(DataError, match="Expected the columns"):
        schema.check_documents(frame.drop("author"), "a test")
    with pytest.raises(DataError, match="Expected the columns"):
        schema.check_documents(frame.with_columns(pl.lit(1).alias("label")), "a test")


def documents(*ids: str) -> dict[str, list[object]]:
    none: list[object] = [None] * len(ids)
    empty = dict.fromkeys(schema.DOCUMENT, none)
    return {**empty, "id": [*ids], "text": [f"text {i}" for i in ids], "time": [NOON] * len(ids)}


@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
@pytest.mark.parametrize(
    ("batches", "groups"),
    [([["a", "b"], ["c"]], 2), ([["a", "b", "c"]], 1), ([["a"], [], ["b", "c"]], 2), ([], 0)],
)
def test_a_table_is_written_batch_by_batch(
    tmp_path: Path, batches: list[list[str]], groups: int, compression: str
) -> None:
    written = []
    for name in ("one.parquet", "other.parquet"):
        path = tmp_path / "made" / name
        with streams.TableWriter(path, schema.DOCUMENT, compression) as writer:
            for batch in batches:
                writer.write(documents(*batch))
            assert not path.exists()
        written.append(path.read_bytes())
    assert written[0] == written[1]
    table = schema.check_documents(tables.read_table(path), "a test")
    rows = [i for batch in batches for i in batch]
    assert writer.rows == len(rows)
    assert (
        table.to_dicts()
        == schema.documents([{"id": i, "text": f"text {i}", "time": NOON} for i in rows]).to_dicts()
    )
    assert pq.ParquetFile(path).num_row_groups == groups
    assert sorted(file.name for file in path.parent.iterdir()) == ["one.parquet", "other.parquet"]


@pytest.mark.parametrize("batches", [[], [documents("new")]])
def test_a_table_that_is_not_finished_leaves_the_old_one(
    tmp_path: Path, batches: list[dict[str, list[object]]]
) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"old")
    with (
        pytest.raises(ZeroDivisionError),
        streams.TableWriter(path, schema.DOCUMENT) as writer,
    ):
        for batch in batches:
            writer.write(batch)
        _ = 1 // 0
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.parquet"]


def test_a_value_of_another_type_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(pa.ArrowTypeError),
        streams.TableWriter(tmp_path / "table.parquet", schema.DOCUMENT) as writer,
    ):
        writer.write({**documents("a"), "text": [5]})
    assert not list(tmp_path.iterdir())
