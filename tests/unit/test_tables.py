"""Atomic writes, equal bytes for equal values, clear errors."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from components.core import schema, tables
from components.core.errors import DataError


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
