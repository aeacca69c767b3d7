"""Files of rows: what comes in, what comes out, and what is told when it cannot be read."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.core.bundle import Predictions
from components.core.errors import DataError, UsageError
from components.core.params import Limits
from components.predict import predict

TEXTS = ["a film", 'two\nlines, "quoted"', "naïve \U0001f600", "unsure"]


def answer(texts: Sequence[str]) -> Predictions:
    """Each text's label is its own length; "unsure" is unsure, since it is unlike the others."""
    n = len(texts)
    return Predictions(
        labels=[f"l{len(text)}" for text in texts],
        confidence=np.full(n, 0.5, np.float32),
        probabilities=np.ones((n, 1), np.float32),
        words=np.ones(n, np.int32),
        unknown_share=np.zeros(n, np.float32),
        features=np.zeros((n, 1), np.float32),
        abstained=np.array([text == "unsure" for text in texts], bool),
        novelty=np.array([1.5 if text == "unsure" else 0.5 for text in texts], np.float32),
    )


def write(path: Path, table: pl.DataFrame) -> Path:
    writers: dict[str, Callable[[], Any]] = {
        "csv": lambda: table.write_csv().encode(),
        "jsonl": lambda: table.write_ndjson().encode(),
    }
    if path.suffix == ".parquet":
        table.write_parquet(path)
        return path
    content = writers[path.name.removesuffix(".gz").rsplit(".")[-1]]()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(path: Path) -> pl.DataFrame:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.name.endswith((".csv", ".csv.gz")):
        return pl.read_csv(content, infer_schema=False)
    return pl.read_parquet(content) if path.suffix == ".parquet" else pl.read_ndjson(content)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("in.csv", "out.csv"),
        ("in.csv.gz", "out.csv"),
        ("in.jsonl", "out.jsonl.gz"),
        ("in.jsonl", "out.ndjson"),
        ("in.parquet", "out.parquet"),
    ],
)
@pytest.mark.parametrize("repeats", [1, 100])
def test_every_row_keeps_its_columns_and_gets_four(
    tmp_path: Path, source: str, target: str, repeats: int
) -> None:
    count = repeats * len(TEXTS)
    table = pl.DataFrame({"id": [f"{i:04}" for i in range(count)], "text": TEXTS * repeats})
    write(tmp_path / source, table)
    counts = predict(tmp_path / source, tmp_path / target, answer)
    found = read(tmp_path / target)
    assert found.select("id", "text").equals(table)
    assert found["label"].to_list() == [f"l{len(text)}" for text in TEXTS] * repeats
    assert {float(one) for one in found["confidence"]} == {0.5}
    assert [str(one).lower() for one in found["abstained"]] == [
        "false", "false", "false", "true",
    ] * repeats  # fmt: skip
    assert [float(one) for one in found["novelty"]] == [0.5, 0.5, 0.5, 1.5] * repeats
    assert counts == {"rows": count, "abstained": repeats, "novel": repeats, "without_text": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source, target])


def test_types_and_nulls_of_parquet_stay(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"n": [1, None, 3], "when": [None, None, None], "text": ["a", None, "bb"]},
        schema={"n": pl.Int16, "when": pl.Datetime("us", "UTC"), "text": pl.String},
    )
    write(tmp_path / "in.parquet", table)
    counts = predict(tmp_path / "in.parquet", tmp_path / "out.parquet", answer)
    found = read(tmp_path / "out.parquet")
    assert found.drop("label", "confidence", "abstained", "novelty").equals(table)
    assert found["novelty"].to_list() == [0.5, None, 0.5]
    assert found["label"].to_list() == ["l1", None, "l2"]
    assert found["abstained"].to_list() == [False, True, False]
    assert counts == {"rows": 3, "abstained": 1, "novel": 0, "without_text": 1}


def test_lines_may_differ_and_stay_as_they_are(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "a", "deep": {"x": [1, None]}, "big": 2**70},
        {"other": 1},
        {"text": "\ud800b"},
    ]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "in.jsonl").write_text("\n\n".join(lines))
    predict(tmp_path / "in.jsonl", tmp_path / "out.jsonl", answer, prefix="p_")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row.pop("p_label") for row in found] == ["l1", None, "l2"]
    assert [row.pop("p_abstained") for row in found] == [False, True, False]
    assert [row.pop("p_confidence") for row in found] == [0.5, None, 0.5]
    assert [row.pop("p_novelty") for row in found] == [0.5, None, 0.5]
    assert found == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", b"", "Expected a column text, got none"),
        ("in.csv", b"id;text\n1;a\n", "got id;text. Name the column"),
        ("in.csv", b"text,label\na,b\n", "Expected no column label"),
        ("in.csv", b"id,text\n1\n", "expected 2 cells, got 1"),
        ("in.csv", b"text\n\xff\n", "bytes that are no UTF-8"),
        ("in.csv", b'text\n"a"b\n', "after the first 0"),
        ("in.csv.gz", b"text\na\n", "Not a gzipped file"),
        ("in.csv.gz", gzip.compress(b"text\na\n" * 999)[:-9], "end-of-stream"),
        ("in.jsonl", b'{"text": "a"}\n{"text"\n', "after the first 0, within the next 128"),
        ("in.jsonl", b'{"text": "a"}\n' * 130 + b"[]\n", "after the first 128"),
        ("in.jsonl", b'{"text": 5}\n', "expected a string as the text, got int"),
        ("in.jsonl", b'{"text": "a", "label": "b"}\n', "Expected no column label"),
        ("in.parquet", b"PAR1 not really", "Expected rows in"),
        ("in.parquet.gz", gzip.compress(b"PAR1"), "packed inside already"),
        ("in.txt", b"a", "Expected a file named .csv"),
        ("missing.csv", None, "No such file"),
    ],
)
def test_what_cannot_be_read_is_told_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    out = tmp_path / f"out{name.removeprefix('in').removeprefix('missing')}"
    with pytest.raises((DataError, UsageError), match=message):
        predict(tmp_path / name, out, answer)
    assert {path.name for path in tmp_path.iterdir()} <= {name}


def test_a_file_without_rows_keeps_its_header(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n")
    counts = predict(tmp_path / "in.csv", tmp_path / "out.csv", answer)
    assert counts == {"rows": 0, "abstained": 0, "novel": 0, "without_text": 0}
    assert (tmp_path / "out.csv").read_text() == "id,text,label,confidence,abstained,novelty\n"


def test_one_format_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="to be of the format of"):
        predict(tmp_path / "in.csv", tmp_path / "out.parquet", answer)


def test_the_column_has_to_hold_texts(tmp_path: Path) -> None:
    pl.DataFrame({"text": [1]}).write_parquet(tmp_path / "in.parquet")
    with pytest.raises(UsageError, match="Expected strings in the column text, got int64"):
        predict(tmp_path / "in.parquet", tmp_path / "out.parquet", answer)


def test_a_run_that_fails_leaves_the_older_output(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\na\n")
    (tmp_path / "out.csv").write_text("older")

    def broken(texts: Sequence[str]) -> Predictions:
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        predict(tmp_path / "in.csv", tmp_path / "out.csv", broken)
    assert (tmp_path / "out.csv").read_text() == "older"


TIGHT = Limits(document_mib=1, unpacked_ratio=10, unpacked_mib=3)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        # 4 MiB of one letter in 4 KB; 4 MiB that are packed twice as small, but too much.
        ("in.csv.gz", lambda: gzip.compress(b"text\n" + b"a\n" * 2**21), "bytes unpacked"),
        ("in.jsonl.gz", lambda: gzip.compress(b'{"text": "a"}\n' * 2**18), "bytes unpacked"),
        ("in.jsonl.gz", lambda: gzip.compress(noise(5000)), "more than 3,145,728 bytes unpacked"),
        ("in.parquet", lambda: parquet(["a" * 100] * 2**15), "bytes unpacked"),
        ("in.csv", lambda: b"text\n" + b"a" * 2**20, "a line of more than 1 MiB"),
        ("in.jsonl", lambda: b'{"text": "' + b"a" * 2**20, "a line of more than 1 MiB"),
    ],
)
def test_what_unpacks_to_more_than_its_limits_is_refused(
    tmp_path: Path, name: str, content: Callable[[], bytes], words: str
) -> None:
    source = tmp_path / name
    source.write_bytes(content())
    with pytest.raises(DataError, match=words):
        predict(source, tmp_path / f"out.{name.partition('.')[2]}", answer, limits=TIGHT)
    assert list(tmp_path.iterdir()) == [source]


def noise(rows: int) -> bytes:
    """Rows of 1 KB that pack to no less than half."""
    return b"".join(b'{"text": "%s"}\n' % os.urandom(500).hex().encode() for _ in range(rows))


def parquet(texts: list[str]) -> bytes:
    """A file whose pages hold the texts themselves, packed."""
    file = io.BytesIO()
    pl.DataFrame({"text": texts}).write_parquet(file, use_pyarrow=True, pyarrow_options={
        "use_dictionary": False, "compression": "zstd"})  # fmt: skip
    return file.getvalue()
