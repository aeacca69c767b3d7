"""Sorts rows into good and bad ones by numbers that are measured on each text.

A text is in memory only while it is measured; what is kept of a row takes some 100 bytes.
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

# What is measured on a row.
MEASURES: dict[str, pl.DataType] = {
    "id": pl.UInt64(),  # hash of the id; null where there is none
    "characters": pl.UInt32(),  # without outer white space; null where there is no text
    "label": pl.String(),  # one of ingest.labels, OTHER, or null
    "source": pl.String(),  # null where there is none
    "time": pl.Datetime("us", "UTC"),
    "content": pl.UInt64(),  # hash of the text without case and white space; null without text
    "language": pl.String(),  # ISO 639 code, or SHORT where it was not asked or not told
    "damage": pl.UInt32(),  # traces of a wrong decoding
    "mended": pl.Boolean(),  # whether it had such traces and was mended
    "leaks": pl.UInt32(),  # personal data that scrubbing left behind, see leak_test.py
    "fault": pl.String(),  # why the row could not be read; null where it could
}
LEAK = "the leak test found personal data that was not masked"
OTHER = "(other)"  # any label that is not in ingest.labels: it may be anything, a name even
Scrub = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Rows:
    """The rows that came in, sorted out; columns as MEASURES and `row`, their number.

    Attributes:
        judged: all but the unlabelled ones.
        good: what goes on.
        bad: with a column `reasons`, a list of strings.
        unlabelled: how many rows nobody has labelled.
    """

    judged: pl.DataFrame
    good: pl.DataFrame
    bad: pl.DataFrame
    unlabelled: int

    def reasons(self) -> dict[str, int]:
        """Reason -> how many rows have it, the commonest first."""
        counts = Counter(self.bad["reasons"].explode(empty_as_null=False).to_list())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class Measurer:
    """Measures rows.

    Args:
        settings: bounds.
        labels: the classes.
        faults: id -> why the row could not be read.
        scrub: searches mended texts again for personal data, which the damage may have hidden;
            asked only where settings.damaged is "mend".
        leaks: counts personal data in each of some texts; None: not looked for.
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
            else _not_asked
        )

    @staticmethod
    def nothing() -> pl.DataFrame:
        """The measures of no rows."""
        return pl.DataFrame(schema=MEASURES)

    def mend(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, list[bool]]:
        """`batch` with damaged texts mended if the settings say so, and which were.

        Raises:
            ScrubError: a mended text could not be scrubbed.
        """
        texts: list[str | None] = batch["text"].to_list()
        unchanged = [False] * len(texts)
        if self._settings.damaged != "mend":
            return batch, unchanged
        from ftfy import fix_encoding

        least = self._settings.damage_marks
        fixed = {
            i: mended
            for i, text in enumerate(texts)
            if text and damage(text) >= least and (mended := fix_encoding(text)) != text
        }
        if not fixed:
            return batch, unchanged
        for i, clean in zip(fixed, self._scrub(list(fixed.values())), strict=True):
            texts[i] = clean
        changed = batch.with_columns(text=pl.Series(texts, dtype=pl.String))
        return changed, [i in fixed for i in range(len(texts))]

    def measure(self, batch: pl.DataFrame) -> pl.DataFrame:
        """MEASURES of each row of `batch`, documents."""
        batch, mended = self.mend(batch)
        texts: list[str | None] = batch["text"].to_list()
        faults = [self._faults.get(id_) if id_ else None for id_ in batch["id"]]
        leaks = self._leaks([text or "" for text in texts]) if self._leaks else [0] * len(texts)
        named = [pl.when(pl.col(name) != "").then(name) for name in ("id", "source")]
        return (
            batch.with_columns(named)
            .select(
                id=pl.when(pl.col("id").is_not_null()).then(pl.col("id").hash()),
                characters=pl.col("text").str.strip_chars().str.len_chars().cast(pl.UInt32),
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


def _not_asked(text: str) -> str:
    del text
    return SHORT


def content(text: str) -> int:
    """64 bits of what a text says, without case and white space."""
    digest = hashlib.blake2b(normalise(text).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def sort_out(measures: pl.DataFrame, settings: parameters.Validate) -> Rows:
    """Good rows, bad rows with their reasons, and how many have no label.

    Args:
        measures: of all rows, in their order.
        settings: bounds.
    """
    numbered = measures.with_row_index("row")
    rules = _rules(settings)
    found = numbered.with_columns(
        pl.any_horizontal(
            pl.col("fault").is_not_null(),
            pl.col("language").is_in([*settings.languages, SHORT]).not_()
            if settings.languages
            else pl.lit(False),
            *[rule.fill_null(False) for rule in rules.values()],
        ).alias("bad"),
        pl.col("id").is_duplicated().alias("twice"),
    )
    judged = found.filter(pl.col("label").is_not_null() | pl.col("fault").is_not_null())
    return Rows(
        judged=judged.drop("bad", "twice"),
        good=judged.filter(~pl.col("bad")).drop("bad", "twice"),
        bad=_with_reasons(judged.filter("bad"), settings, rules),
        unlabelled=numbered.height - judged.height,
    )


def _rules(settings: parameters.Validate) -> dict[str, pl.Expr]:
    """Reason -> which rows it concerns."""
    read = pl.col("fault").is_null()
    least, most = settings.min_characters, settings.max_characters
    return {
        "no id": pl.col("id").is_null(),
        "id not unique": pl.col("id").is_duplicated() & pl.col("id").is_not_null(),
        "no text": read & pl.col("characters").is_null(),
        f"text shorter than {least} characters": read & (pl.col("characters") < least),
        f"text longer than {most} characters": read & (pl.col("characters") > most),
        "label not in ingest.labels": pl.col("label") == OTHER,
        "no source": pl.col("source").is_null(),
        LEAK: pl.col("leaks") > 0,
        "characters damaged by a wrong decoding": pl.col("damage") >= settings.damage_marks,
    }


def _with_reasons(
    bad: pl.DataFrame, settings: parameters.Validate, rules: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    # Whether an id is there twice cannot be seen among the bad rows alone.
    rules = {**rules, "id not unique": pl.col("twice") & pl.col("id").is_not_null()}
    wanted = ", ".join(settings.languages)
    foreign = pl.col("language").is_in([*settings.languages, SHORT]).not_()
    told: list[Any] = [
        pl.format("not readable: {}", pl.col("fault")),
        *[pl.when(rule).then(pl.lit(reason)) for reason, rule in rules.items()],
    ]
    if settings.languages:
        told.append(
            pl.when(foreign).then(pl.format(f"language {{}}, expected {wanted}", "language"))
        )
    reasons = pl.concat_list(told).list.drop_nulls()
    return bad.with_columns(reasons=reasons).drop("bad", "twice")
