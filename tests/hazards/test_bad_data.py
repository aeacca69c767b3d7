"""Hazards 21 and 22: spoiled tables are blocked, each with its reason; clean ones pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from components import validate, validation_suite
from components.core import params as parameters
from components.core import schema
from components.core.offline import stay_home

stay_home()
LABELS = ["business", "entertainment", "politics", "sports", "tech"]
SETTINGS = parameters.Validate(
    min_documents=60,
    min_class_documents=6,
    min_characters=20,
    max_characters=5000,
    max_bad_share=0.02,
)


@pytest.fixture(scope="module")
def checker() -> validation_suite.Checker:
    return validation_suite.Checker()


def clean(count: int = 200, seed: int = 0) -> pl.DataFrame:
    chosen = random.Random(seed)
    return schema.documents(
        [
            {
                "id": f"news/{seed}-{i}",
                "text": " ".join(
                    f"word{chosen.randrange(999)}" for _ in range(chosen.randrange(5, 80))
                ),
                "label": LABELS[i % len(LABELS)],
                "source": "news",
                "time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i) if i % 3 else None,
                "author": f"{i % 7:016x}" if i % 2 else None,
            }
            for i in range(count)
        ]
    )


row = pl.int_range(pl.len())
Spoil = Callable[[pl.DataFrame], pl.DataFrame]
WAYS: dict[str, tuple[Spoil, str]] = {
    # Too little
    "no rows": (lambda t: t.clear(), "no documents came in"),
    "one row": (lambda t: t.head(1), "at least 60 good documents, got 1"),
    "59 rows": (lambda t: t.head(59), "at least 60 good documents, got 59"),
    "one class": (lambda t: t.with_columns(label=pl.lit("tech")), "at least two classes, got 1"),
    "a class is missing": (lambda t: t.filter(pl.col("label") != "tech"), "0 of tech"),
    "a class of five": (
        lambda t: t.filter((pl.col("label") != "tech") | (row < 25)),
        "at least 6 documents of each class, got 5 of tech",
    ),
    # Columns
    "no text column": (lambda t: t.drop("text"), "column text: expected String, got none"),
    "no label column": (lambda t: t.drop("label"), "column label: expected String, got none"),
    "no id column": (lambda t: t.drop("id"), "column id: expected String, got none"),
    "a superfluous column": (
        lambda t: t.with_columns(email=pl.lit("x")),
        "column email: expected none",
    ),
    "a renamed column": (lambda t: t.rename({"label": "class"}), "column class: expected none"),
    "text of numbers": (
        lambda t: t.with_columns(text=row),
        "column text: expected String, got Int64",
    ),
    "text of bytes": (
        lambda t: t.with_columns(text=pl.col("text").cast(pl.Binary)),
        "column text: expected String, got Binary",
    ),
    "text of lists": (
        lambda t: t.with_columns(text=pl.concat_list("text")),
        "column text: expected String, got List",
    ),
    "labels of numbers": (
        lambda t: t.with_columns(label=row % 5),
        "column label: expected String, got Int64",
    ),
    "times as text": (
        lambda t: t.with_columns(time=pl.col("time").cast(pl.String)),
        "column time: expected Datetime",
    ),
    "times without zone": (
        lambda t: t.with_columns(time=pl.col("time").dt.replace_time_zone(None)),
        "column time: expected Datetime",
    ),
    "labels of the type null": (
        lambda t: t.with_columns(label=pl.lit(None)),
        "column label: expected String, got Null",
    ),
    # Columns of nulls
    "all texts null": (lambda t: t.with_columns(text=pl.lit(None, pl.String)), "no text: 200"),
    "all labels null": (
        lambda t: t.with_columns(label=pl.lit(None, pl.String)),
        "none of 200 documents has a label",
    ),
    "all ids null": (lambda t: t.with_columns(id=pl.lit(None, pl.String)), "no id: 200"),
    "all sources null": (
        lambda t: t.with_columns(source=pl.lit(None, pl.String)),
        "no source: 200",
    ),
    # Values
    "3 % of texts null": (
        lambda t: t.with_columns(text=pl.when(row >= 6).then("text")),
        "6 of 200 rows are bad (3.0%, at most 2.0%): no text: 6",
    ),
    "all texts empty": (
        lambda t: t.with_columns(text=pl.lit("")),
        "text shorter than 20 characters: 200",
    ),
    "texts of white space": (
        lambda t: t.with_columns(text=pl.lit(" \n\t" * 50)),
        "text shorter than 20 characters: 200",
    ),
    "texts cut short": (
        lambda t: t.with_columns(text=pl.col("text").str.head(10)),
        "text shorter than 20 characters: 200",
    ),
    "one text repeated to a dump": (
        lambda t: t.with_columns(
            text=pl.when(row < 9).then(pl.lit("dump " * 2000)).otherwise("text")
        ),
        "text longer than 5000 characters: 9",
    ),
    "every id the same": (lambda t: t.with_columns(id=pl.lit("news/1")), "id not unique: 200"),
    "the table twice": (lambda t: pl.concat([t, t]), "id not unique: 400"),
    "a tenth of the rows twice": (lambda t: pl.concat([t, t.head(20)]), "id not unique: 40"),
    "labels in capitals": (
        lambda t: t.with_columns(label=pl.col("label").str.to_uppercase()),
        "label not in ingest.labels: 200 ('BUSINESS' 40",
    ),
    "a class that nobody listed": (
        lambda t: t.with_columns(label=pl.when(row < 10).then(pl.lit("health")).otherwise("label")),
        "label not in ingest.labels: 10 ('health' 10)",
    ),
    "text and label changed over": (
        lambda t: t.rename({"text": "label", "label": "text"}).select(t.columns),
        "label not in ingest.labels: 200",
    ),
    "labels with spaces": (
        lambda t: t.with_columns(label=pl.format("{} ", pl.col("label"))),
        "label not in ingest.labels: 200",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_spoiled_table_is_blocked_with_its_reason(
    checker: validation_suite.Checker, way: str
) -> None:
    spoil, reason = WAYS[way]
    verdict = validate.judge(spoil(clean()), {}, SETTINGS, LABELS, checker)
    assert reason in " ".join(verdict.problems)
    # Great Expectations must see it by itself, too, and not only the reasons in words.
    answers = [a for r in verdict.results.values() for a in validation_suite.described(r)]
    assert any(not answer["success"] for answer in answers)


def test_unreadable_rows_are_blocked_with_their_reasons(checker: validation_suite.Checker) -> None:
    """Wrong encoding: the source marks the rows, validation counts them."""
    table = clean().with_columns(text=pl.when(row < 10).then(pl.lit("")).otherwise("text"))
    faults = dict.fromkeys(table["id"].head(10), "the text is not valid UTF-8")
    verdict = validate.judge(table, faults, SETTINGS, LABELS, checker)
    assert "not readable: the text is not valid UTF-8: 10" in " ".join(verdict.problems)


def test_at_least_thirty_ways() -> None:
    assert len(WAYS) >= 30


CHANGES: dict[str, Spoil] = {
    "as it is": lambda t: t,
    "turned round": lambda t: t.reverse(),
    "no times": lambda t: t.with_columns(time=pl.lit(None, t.schema["time"])),
    "no authors": lambda t: t.with_columns(author=pl.lit(None, pl.String)),
    "other alphabets": lambda t: t.with_columns(
        text=pl.format("Ü 東京 здравствуйте 😀 {}", "text")
    ),
    "placeholders": lambda t: t.with_columns(text=pl.format("<PERSON> said {}", "text")),
    "markup": lambda t: t.with_columns(
        text=pl.format("<p>\"{}\", 'it' & {{that}} % $x</p>", "text")
    ),
    "unlabelled rows": lambda t: pl.concat(
        [t, t.with_columns(id=pl.format("{}u", "id"), label=pl.lit(None, pl.String))]
    ),
    "a few bad rows": lambda t: t.with_columns(
        text=pl.when(row < pl.len() // 50).then(pl.lit("short")).otherwise("text")
    ),
    "several sources": lambda t: t.with_columns(source=pl.format("s{}", row % 4)),
}


@pytest.mark.parametrize("size", range(10))
@pytest.mark.parametrize("change", CHANGES)
def test_a_clean_table_passes(checker: validation_suite.Checker, change: str, size: int) -> None:
    table = CHANGES[change](clean(100 + 37 * size, seed=size))
    verdict = validate.judge(table, {}, SETTINGS, LABELS, checker)
    assert verdict.problems == []
    assert verdict.rows is not None
    assert verdict.rows.good.height + verdict.rows.bad.height == verdict.rows.judged.height
    assert (verdict.rows.bad.height > 0) is (change == "a few bad rows")
