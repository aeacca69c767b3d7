"""Sorts rows into good and bad ones by measures of each text.

A text is in memory only while it is measured; the measures of a row take some 100 bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from components.core import params as parameters
from components.core.text_quality import SHORT, damage, language_of
from components.near_duplicates import normalise

# The measures of a row.
MEASURES: dict[str, pl.DataType] = {
    "id": pl.UInt64(),  # hash of the id; null for a row without id
    # Without outer white space; 0 without a letter or digit; null without text.
    "characters": pl.UInt32(),
    "label": pl.String(),  # one of ingest.labels, OTHER, or null
    "source": pl.String(),  # null for a row without source
    "time": pl.Datetime("us", "UTC"),
    "content": pl.UInt64(),  # hash of the text without case and white space; null without text
    "language": pl.String(),  # ISO 639 code, or SHORT if it is not measured or uncertain
    "damage": pl.UInt32(),  # traces of a wrong decoding
    "mended": pl.Boolean(),  # True if a wrong decoding was fixed
    "leaks": pl.UInt32(),  # personal data that scrubbing left behind, see leak_test.py
    "fault": pl.String(),  # reason of an unreadable row; null for a readable row
}
_LETTER = r"[\p{L}\p{N}]"
NO_TEXT, NO_LETTER = "no text", "text without a letter or digit"
# Rows with no other reason hold nothing to learn from, so they do not count as bad data.
_BLANK = [NO_TEXT, NO_LETTER, "not readable: the text is empty"]
LEAK = "the leak test found personal data that was not masked"
UNKNOWN_LABEL = "label not in ingest.labels"
OTHER = "(other)"  # any label that is not in ingest.labels: it may be personal data
Scrub = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class SortedRows:
    """The ingested rows, sorted into good and bad; columns as MEASURES, and the row number `row`.

    Attributes:
        judged: good and bad rows.
        good: rows that pass every rule.
        bad: other rows, with a column `reasons`, a list of strings.
        unlabelled: number of rows without label, which are neither good nor bad.
    """

    judged: pl.DataFrame
    good: pl.DataFrame
    bad: pl.DataFrame
    unlabelled: int

    @property
    def with_text(self) -> pl.DataFrame:
        """The judged rows without those that are bad only because they have no text."""
        blank = self.bad.filter(pl.col("reasons").list.eval(pl.element().is_in(_BLANK)).list.all())
        return self.judged.join(blank, on="row", how="anti", maintain_order="left")

    def reasons(self) -> dict[str, int]:
        """Counts the rows by reason, the most frequent first."""
        counts = Counter(self.bad["reasons"].explode(empty_as_null=False).to_list())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class Measurer:
    """Computes MEASURES of rows.

    Args:
        settings: bounds.
        labels: the classes.
        faults: id of an unreadable row -> reason.
        scrub: scrubs fixed texts again, since wrong decoding may have hidden personal data; called
            only if settings.damaged is "mend".
        leaks: counts the personal data in each of several texts; None to count 0.
    """

    def __init__(
        self,
        settings: parameters.Validate,
        labels: Sequence[str],
        faults: Mapping[str, str],
        scrub: Scrub,
        leaks: Callable[[list[str]], list[int]] | None = None,
    ) -> None:
        self._settings, self._labels, self._faults = settings, list(labels), faults
        self._scrub, self._leaks = scrub, leaks
        self._language = (
            language_of(settings.language_characters, settings.language_score)
            if settings.languages
            else _short
        )

    @staticmethod
    def nothing() -> pl.DataFrame:
        """Builds an empty table of MEASURES."""
        return pl.DataFrame(schema=MEASURES)

    def mend(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, list[bool]]:
        """Fixes wrong decoding of texts by ftfy, if settings.damaged is "mend".

        Returns:
            The batch with fixed and scrubbed texts; for each row, True if its text was fixed.

        Raises:
            ScrubError: a fixed text could not be scrubbed.
        """
        texts: list[str | None] = batch["text"].to_list()
        unchanged = [False] * len(texts)
        if self._settings.damaged != "mend":
            return batch, unchanged
        from ftfy import fix_encoding

        minimum = self._settings.damage_marks
        fixed = {
            i: clean
            for i, text in enumerate(texts)
            if text and damage(text) >= minimum and (clean := fix_encoding(text)) != text
        }
        if not fixed:
            return batch, unchanged
        for i, clean in zip(fixed, self._scrub(list(fixed.values())), strict=True):
            texts[i] = clean
        changed = batch.with_columns(text=pl.Series(texts, dtype=pl.String))
        return changed, [i in fixed for i in range(len(texts))]

    def measure(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Computes MEASURES of each row of `batch`, a table of documents."""
        batch, mended = self.mend(batch)
        texts: list[str | None] = batch["text"].to_list()
        faults = [self._faults.get(id_) if id_ else None for id_ in batch["id"]]
        leaks = self._leaks([text or "" for text in texts]) if self._leaks else [0] * len(texts)
        named = [pl.when(pl.col(name) != "").then(name) for name in ("id", "source")]
        return (
            batch.with_columns(named)
            .select(
                id=pl.when(pl.col("id").is_not_null()).then(pl.col("id").hash()),
                characters=pl.when(pl.col("text").str.contains(_LETTER).not_())
                .then(pl.lit(0))
                .otherwise(pl.col("text").str.strip_chars().str.len_chars())
                .cast(pl.UInt32),
                label=pl.when(pl.col("label").is_in(self._labels))
                .then("label")
                .when(pl.col("label").is_not_null())
                .then(pl.lit(OTHER)),
                source="source",
                time="time",
                content=pl.Series(
                    [None if t is None else content(t) for t in texts], dtype=pl.UInt64
                ),
                language=pl.Series(
                    [SHORT if t is None else self._language(t) for t in texts], dtype=pl.String
                ),
                damage=pl.Series([damage(t) if t else 0 for t in texts], dtype=pl.UInt32),
                mended=pl.Series(mended, dtype=pl.Boolean),
                leaks=pl.Series(leaks, dtype=pl.UInt32),
                fault=pl.Series(faults, dtype=pl.String),
            )
            .with_columns(pl.when(pl.col("id").is_not_null()).then("id"))
        )


def _short(text: str) -> str:
    del text
    return SHORT


def content(text: str) -> int:
    """Hashes a text without case and white space to 64 bits (BLAKE2b)."""
    digest = hashlib.blake2b(normalise(text).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def sort_out(measures: pl.DataFrame, settings: parameters.Validate) -> SortedRows:
    """Sorts rows into good rows, bad rows with reasons, and a count of unlabelled rows.

    Args:
        measures: of all rows, in ingest order.
        settings: bounds.
    """
    numbered = measures.with_row_index("row")
    rules = _rules(settings)
    marked = numbered.with_columns(
        pl.any_horizontal(
            pl.col("fault").is_not_null(),
            pl.col("language").is_in([*settings.languages, SHORT]).not_()
            if settings.languages
            else pl.lit(False),
            *[rule.fill_null(False) for rule in rules.values()],
        ).alias("bad"),
        pl.col("id").is_duplicated().alias("twice"),
    )
    judged = marked.filter(pl.col("label").is_not_null() | pl.col("fault").is_not_null())
    return SortedRows(
        judged=judged.drop("bad", "twice"),
        good=judged.filter(~pl.col("bad")).drop("bad", "twice"),
        bad=_with_reasons(judged.filter("bad"), settings, rules),
        unlabelled=numbered.height - judged.height,
    )


def _rules(settings: parameters.Validate) -> dict[str, pl.Expr]:
    """Builds the rules: reason -> expression that is true for a bad row."""
    read = pl.col("fault").is_null()
    shortest, longest = settings.min_characters, settings.max_characters
    return {
        "no id": pl.col("id").is_null(),
        "id not unique": pl.col("id").is_duplicated() & pl.col("id").is_not_null(),
        NO_TEXT: read & pl.col("characters").is_null(),
        NO_LETTER: read & (pl.col("characters") == 0),
        f"text shorter than {shortest} characters": read
        & pl.col("characters").is_between(1, shortest, closed="left"),
        f"text longer than {longest} characters": read & (pl.col("characters") > longest),
        UNKNOWN_LABEL: pl.col("label") == OTHER,
        "no source": pl.col("source").is_null(),
        LEAK: pl.col("leaks") > 0,
        "characters damaged by a wrong decoding": pl.col("damage") >= settings.damage_marks,
    }


def _with_reasons(
    bad: pl.DataFrame, settings: parameters.Validate, rules: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    # The other row with the same id may be missing among the bad rows, so the rule uses `twice`.
    rules = {**rules, "id not unique": pl.col("twice") & pl.col("id").is_not_null()}
    wanted = ", ".join(settings.languages)
    foreign = pl.col("language").is_in([*settings.languages, SHORT]).not_()
    messages: list[Any] = [
        pl.format("not readable: {}", pl.col("fault")),
        *[pl.when(rule).then(pl.lit(reason)) for reason, rule in rules.items()],
    ]
    if settings.languages:
        messages.append(
            pl.when(foreign).then(pl.format(f"language {{}}, expected {wanted}", "language"))
        )
    reasons = pl.concat_list(messages).list.drop_nulls()
    return bad.with_columns(reasons=reasons).drop("bad", "twice")
