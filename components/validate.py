"""Checks the documents with Great Expectations; bad rows go to quarantine, bad tables no further.

    data/01_ingested/documents.parquet, faults.json
        -> data/02_validated/documents.parquet   (core/schema.py DOCUMENT) what can be learned from
           data/02_validated/quarantine.parquet  bad rows, with `reasons`
           data/02_validated/validation.json     what was checked and found, without times
           .newsloop/data_docs/index.html        the same for people, also of a refused table

Three tables are checked: the columns' types, the rows that came in (a few may be bad), and the
documents that go on (none may be). A row without label is neither good nor bad: it is left out and
counted. Great Expectations never sees a text, only a mask of its length, so that none gets into its
results. It passes empty tables, empty suites and columns of nulls; here each of them fails.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components import validation_report
from components.core import params as parameters
from components.core import schema, stage, tables
from components.core.errors import DataError
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say
from components.validation_suite import (
    Checker,
    column_expectations,
    columns_of,
    described,
    masked,
    row_expectations,
    table_expectations,
)

_COLUMNS = "Columns and their types"
_SHOWN_LABELS = 5
# A column that is no label at all may hold personal data, which no message may repeat.
_LIKE_A_LABEL = re.compile(r"(?!.*\d{5})[\w &/.+-]{1,30}")


@dataclass(frozen=True)
class Rows:
    """The rows that came in, sorted out.

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


@dataclass(frozen=True)
class Verdict:
    """What validation says.

    Attributes:
        problems: why nothing may be learned from this table; empty if it may.
        rows: None where the columns were so wrong that no row was looked at.
        summary: for validation.json.
        results: title -> result of Great Expectations, for the report.
    """

    problems: list[str]
    rows: Rows | None
    summary: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


def judge(
    table: pl.DataFrame,
    faults: Mapping[str, str],
    settings: parameters.Validate,
    labels: Sequence[str],
    checker: Checker,
) -> Verdict:
    """Whether and what of `table` can be learned from.

    Args:
        table: documents as ingest wrote them.
        faults: id -> why the row could not be read.
        settings: bounds.
        labels: the classes.
    """
    columns = checker.check(columns_of(table), "columns", column_expectations())
    if not columns.success:
        return Verdict(_column_problems(table), None, results={_COLUMNS: columns})
    rows = sort_out(table, faults, settings, labels)
    share = settings.max_bad_share
    came = checker.check(
        masked(rows.judged), "rows", row_expectations(settings, labels, mostly=round(1 - share, 6))
    )
    goes = checker.check(
        masked(rows.good),
        "documents",
        row_expectations(settings, labels) + table_expectations(settings, labels),
    )
    results = {_COLUMNS: columns, "Rows that came in": came, "Documents that go on": goes}
    problems = _problems(rows, settings, labels)
    failed = [a for r in results.values() for a in described(r) if not a["success"]]
    if failed and not problems:
        names = ", ".join(sorted({f"{a['name']} ({a['column']})" for a in failed}))
        problems = [f"Great Expectations finds fault that newsloop does not: {names}"]
    return Verdict(problems, rows, _summary(rows, labels, results), results)


def sort_out(
    table: pl.DataFrame,
    faults: Mapping[str, str],
    settings: parameters.Validate,
    labels: Sequence[str],
) -> Rows:
    """Good rows, bad rows with their reasons, and how many have no label; arguments as `judge`."""
    fault = pl.col("id").replace_strict(
        list(faults), list(faults.values()), default=None, return_dtype=pl.String
    )
    read = fault.is_null()
    length = pl.col("text").str.strip_chars().str.len_chars()
    least, most = settings.min_characters, settings.max_characters
    rules = {
        "no id": pl.col("id").fill_null("") == "",
        "id not unique": pl.col("id").is_duplicated() & pl.col("id").is_not_null(),
        "no text": read & pl.col("text").is_null(),
        f"text shorter than {least} characters": read & (length < least),
        f"text longer than {most} characters": read & (length > most),
        "label not in ingest.labels": pl.col("label").is_in(list(labels)).not_(),
        "no source": pl.col("source").fill_null("") == "",
    }
    reasons = pl.concat_list(
        pl.format("not readable: {}", fault),
        *[pl.when(rule).then(pl.lit(reason)) for reason, rule in rules.items()],
    ).list.drop_nulls()
    judged = table.with_columns(reasons=reasons, fault=fault).filter(
        pl.col("label").is_not_null() | pl.col("fault").is_not_null()
    )
    bad = pl.col("reasons").list.len() > 0
    return Rows(
        judged=judged.select(table.columns),
        good=judged.filter(~bad).select(table.columns),
        bad=judged.filter(bad).drop("fault"),
        unlabelled=table.height - judged.height,
    )


def _column_problems(table: pl.DataFrame) -> list[str]:
    expected = {name: str(kind) for name, kind in schema.DOCUMENT.items()}
    found = {name: str(kind) for name, kind in table.schema.items()}
    return [
        f"column {name}: expected {expected.get(name, 'none')}, got {found.get(name, 'none')}"
        for name in [*expected, *(name for name in found if name not in expected)]
        if expected.get(name) != found.get(name)
    ] or ["the columns did not pass Great Expectations"]


def _problems(rows: Rows, settings: parameters.Validate, labels: Sequence[str]) -> list[str]:
    total, good = rows.judged.height, rows.good
    if not total:
        if rows.unlabelled:
            return [f"none of {rows.unlabelled} documents has a label"]
        return ["no documents came in"]
    problems = []
    if rows.bad.height / total > settings.max_bad_share:
        told = "; ".join(
            f"{reason}: {n}{_labels(rows.bad, labels) if reason.startswith('label') else ''}"
            for reason, n in rows.reasons().items()
        )
        problems.append(
            f"{rows.bad.height} of {total} rows are bad ({rows.bad.height / total:.1%}, at most "
            f"{settings.max_bad_share:.1%}): {told}"
        )
    if good.height < settings.min_documents:
        left_out = f", and {rows.unlabelled} without label" if rows.unlabelled else ""
        problems.append(
            f"expected at least {settings.min_documents} good documents, got {good.height}"
            f"{left_out}"
        )
    if good["label"].n_unique() < 2:  # noqa: PLR2004 - one class leaves nothing to tell apart
        problems.append(f"expected at least two classes, got {good['label'].n_unique()}")
    few = {k: n for k, n in _counts(good, labels).items() if n < settings.min_class_documents}
    if few:
        problems.append(
            f"expected at least {settings.min_class_documents} documents of each class, got "
            + ", ".join(f"{n} of {label}" for label, n in few.items())
        )
    return problems


def _labels(bad: pl.DataFrame, labels: Sequence[str]) -> str:
    """A few of the labels that are not in the list, with their counts."""
    counts = Counter(bad["label"].drop_nulls().to_list())
    unknown = [(label, n) for label, n in counts.most_common() if label not in labels]
    like = [(label, n) for label, n in unknown if _LIKE_A_LABEL.fullmatch(label)][:_SHOWN_LABELS]
    shown = [f"{label!r} {n}" for label, n in like]
    if len(like) < len(unknown):
        shown.append(f"{len(unknown) - len(like)} other values")
    return f" ({', '.join(shown)})"


def _counts(good: pl.DataFrame, labels: Sequence[str]) -> dict[str, int]:
    counts = Counter(good["label"].to_list())
    return {label: counts[label] for label in labels}


def _summary(rows: Rows, labels: Sequence[str], results: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rows": rows.judged.height + rows.unlabelled,
        "documents": rows.good.height,
        "unlabelled": rows.unlabelled,
        "quarantined": rows.bad.height,
        "reasons": rows.reasons(),
        "by_class": _counts(rows.good, labels),
        "by_source": dict(sorted(Counter(rows.good["source"].to_list()).items())),
        "expectations": {title: described(result) for title, result in results.items()},
    }


def read_faults(value: object) -> dict[str, str]:
    """id -> reason, from what faults.json holds.

    Raises:
        DataError: it is no list of {"id", "reason"}.
    """
    try:
        return {str(entry["id"]): str(entry["reason"]) for entry in value}  # type: ignore[attr-defined]
    except (TypeError, KeyError) as error:
        raise DataError(
            'Expected faults.json to be a list of {"id", "reason"}, got something else. Run '
            "`dvc repro` to make it anew."
        ) from error


def run(params: Params, paths: Paths) -> None:
    """The stage: reads, judges, writes; the report for people comes first, whatever the verdict."""
    out = paths.validated
    # Below DVC the folder is empty; run by hand, nothing of an earlier table may stay.
    for name in ("documents.parquet", "quarantine.parquet", "validation.json"):
        (out / name).unlink(missing_ok=True)
    table = tables.read_table(paths.ingested / "documents.parquet")
    faults = read_faults(tables.read_json(paths.ingested / "faults.json"))
    verdict = judge(table, faults, params.validate_, params.ingest.labels, Checker())
    page = validation_report.render(verdict.problems, verdict.summary, verdict.results)
    shown = tables.write_text(page, paths.data_docs / "index.html")
    if verdict.rows is not None:
        tables.write_table(verdict.rows.bad, out / "quarantine.parquet")
    if verdict.problems or verdict.rows is None:
        raise DataError(
            f"Expected documents to learn from, got: {'. Also: '.join(verdict.problems)}. Look at "
            f"{shown} and {out / 'quarantine.parquet'}, then mend the source, or ingest.labels and "
            "validate in params.yaml."
        )
    tables.write_table(verdict.rows.good, out / "documents.parquet")
    tables.write_json(verdict.summary, out / "validation.json")
    say(
        f"validate: {verdict.rows.good.height} documents go on, {verdict.rows.bad.height} in "
        f"quarantine, {verdict.rows.unlabelled} without label; {shown}"
    )


if __name__ == "__main__":
    sys.exit(stage.main(run))
