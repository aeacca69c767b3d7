"""Formats the reasons to refuse a table, and the counts of validation.json."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from components.core import params as parameters
from components.core import schema
from components.core.scrub.pseudonyms import is_hashed
from components.core.tables.streams import Batches
from components.validate.checks import TableCheck, counted
from components.validate.rows import LEAK, UNKNOWN_LABEL, SortedRows
from components.validate.suite import described

_SHOWN_LABELS = 10
_MAX_LABELS = 1000  # unknown labels with a count: a column of texts must not fill the memory
_OTHERS = "other values"
_PERSONAL = "whose label occurs once or may hold personal data"
# A column that holds no labels may hold personal data, which no message may repeat.
_LIKE_A_LABEL = re.compile(r"(?!.*\d{5})[\w &/.+-]{1,30}")


def column_problems(columns: Mapping[str, pl.DataType]) -> list[str]:
    """Lists the differences between `columns` and core/schema.py DOCUMENT."""
    expected = {name: str(kind) for name, kind in schema.DOCUMENT.items()}
    actual = {name: str(kind) for name, kind in columns.items()}
    return [
        f"column {name}: expected {expected.get(name, 'none')}, got {actual.get(name, 'none')}"
        for name in [*expected, *(name for name in actual if name not in expected)]
        if expected.get(name) != actual.get(name)
    ] or ["the columns did not pass Great Expectations"]


def problems_of(
    rows: SortedRows,
    documents: Batches,
    settings: parameters.Validate,
    labels: Sequence[str],
    names: Mapping[str, str],
) -> list[str]:
    """Lists the reasons to refuse the rows without a comparison to other tables.

    Args:
        rows: good and bad rows.
        documents: source of the labels that are not in `labels`.
        settings: bounds.
        labels: the classes.
        names: pseudonym of another label -> the label, if it is a class name.
    """
    total, good = rows.judged.height, rows.good
    if not total:
        if rows.unlabelled:
            return [f"none of {rows.unlabelled} documents has a label"]
        return ["no documents came in"]
    problems = []
    total = rows.with_text.height
    bad = total - good.height
    reasons = "; ".join(
        f"{reason}: {n}{_labels(documents, labels, names) if reason == UNKNOWN_LABEL else ''}"
        for reason, n in rows.reasons().items()
    )
    refused = bad > total * settings.max_bad_share
    if refused:
        problems.append(
            f"{bad} of {total} rows are bad ({bad / total:.1%}, at most "
            f"{settings.max_bad_share:.1%}): {reasons}"
        )
    leaking = rows.reasons().get(LEAK, 0)
    if leaking > total * settings.max_leak_share:
        problems.append(
            f"{LEAK} in {leaking} of {total} rows ({leaking / total:.1%}, at most "
            f"{settings.max_leak_share:.1%})"
        )
    if good.height < settings.min_documents:
        left_out = f", and {rows.unlabelled} without label" if rows.unlabelled else ""
        problems.append(
            f"expected at least {settings.min_documents} good documents, got {good.height}"
            f"{left_out}{f' ({reasons})' if reasons and not refused else ''}"
        )
    if good["label"].n_unique() < 2:  # noqa: PLR2004 - one class leaves nothing to classify
        problems.append(f"expected at least two classes, got {good['label'].n_unique()}")
    minimum = settings.min_class_documents
    few = {k: n for k, n in counts_by_class(good, labels).items() if n < minimum}
    if few:
        problems.append(
            f"expected at least {minimum} documents of each class, got "
            + ", ".join(f"{n} of {label}" for label, n in few.items())
        )
    return problems


def _labels(documents: Batches, labels: Sequence[str], names: Mapping[str, str]) -> str:
    """Formats the most frequent labels that are not in `labels`, with their counts.

    Ingest has masked labels that occur once or may hold personal data; these are counted only.
    """
    counts: Counter[str] = Counter()
    hidden: Counter[str] = Counter()
    for batch in documents.batches():
        unknown = batch["label"].drop_nulls().filter(~batch["label"].drop_nulls().is_in(labels))
        for label, n in unknown.value_counts().sort("label").iter_rows():
            if label not in counts and len(counts) >= _MAX_LABELS:
                hidden[_OTHERS] += 1
            elif is_hashed(label) and label not in names:
                hidden[_PERSONAL] += n
            elif label in names or _LIKE_A_LABEL.fullmatch(label):
                counts[label] += n
            else:
                hidden[_OTHERS] += 1
    frequent = counts.most_common()
    shown = [f"{names.get(label, label)!r} {n}" for label, n in frequent[:_SHOWN_LABELS]]
    hidden[_OTHERS] += len(frequent[_SHOWN_LABELS:])
    shown += [f"{n} {what}" for what, n in hidden.items() if n]
    return f" ({', '.join(shown)})"


def counts_by_class(good: pl.DataFrame, labels: Sequence[str]) -> dict[str, int]:
    """Counts the documents of each class; 0 for a class without documents."""
    counts = Counter(good["label"].to_list())
    return {label: counts[label] for label in labels}


def summary_of(
    rows: SortedRows,
    labels: Sequence[str],
    checks: Sequence[TableCheck],
    repeats: Mapping[str, int],
    results: Mapping[str, Any],
) -> dict[str, Any]:
    """Builds the content of validation.json: counts and numbers, no text, no id."""
    good, lengths = rows.good, rows.good["characters"]
    times = good["time"].drop_nulls()
    return {
        "rows": rows.judged.height + rows.unlabelled,
        "documents": good.height,
        "unlabelled": rows.unlabelled,
        "quarantined": rows.bad.height,
        "reasons": rows.reasons(),
        "by_class": counts_by_class(good, labels),
        "by_source": counted(good["source"]),
        "by_language": counted(good["language"]),
        "mended": int(good["mended"].sum()),
        "leaks": int((good["leaks"] > 0).sum()),
        "characters": {
            "least": lengths.min(),
            "median": lengths.median(),
            "most": lengths.max(),
        },
        "times": {
            "documents": times.len(),
            "oldest": _iso(times.min()),
            "newest": _iso(times.max()),
        },
        "repeats": dict(repeats),
        "checks": [
            {
                "name": check.name,
                "asked": check.words,
                "value": check.value,
                "told": check.description,
                "passed": check.passed,
            }
            for check in checks
        ],
        "expectations": {title: described(result) for title, result in results.items()},
    }


def _iso(time: Any) -> str | None:
    return None if time is None else str(time.isoformat())
