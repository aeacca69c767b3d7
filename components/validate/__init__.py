"""Validates the documents with Great Expectations; quarantines bad rows, refuses bad tables.

    data/01_ingested/documents.parquet, faults.json, labels.json, data/baseline.json
        -> data/02_validated/documents.parquet   (core/schema.py DOCUMENT) the good rows
           data/02_validated/quarantine.parquet  bad rows, with `reasons`
           data/02_validated/validation.json     checks and their results, without run times
           .newsloop/data_docs/index.html        the same as a page, also for a refused table
           .newsloop/data_docs/quarantine.parquet  a copy of the bad rows, if the table is refused

Four suites run: the types of the columns, the ingested rows (a few may be bad), the good documents
(none may be bad), and the table checks. Table checks compare the documents with the last snapshot
and the last release, and estimate label noise. A row without label is neither good nor bad: the
stage leaves it out and counts it. Great Expectations gets numbers only, so that its results hold no
text. It passes empty tables, empty suites and columns of nulls; this stage fails each of them.

The stage reads the table in batches. Memory holds some 100 bytes a row, and the texts of the sample
for label noise.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from components import label_noise
from components.core import baseline as baselines
from components.core import keys, schema, tables
from components.core import params as parameters
from components.core.baseline import Baseline
from components.core.errors import DataError
from components.core.pages import Heading
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say, track
from components.core.scrub import Scrubber, separated
from components.core.tables import streams
from components.core.tables.streams import Batches
from components.validate import checks as validation_checks
from components.validate import leak_test, report
from components.validate.checks import TableCheck, counted
from components.validate.messages import (
    column_problems,
    counts_by_class,
    problems_of,
    summary_of,
)
from components.validate.rows import (
    LEAK,
    Measurer,
    Scrub,
    SortedRows,
    sort_out,
)
from components.validate.suite import (
    Checker,
    column_expectations,
    columns_of,
    described,
    fact_expectations,
    facts,
    numbers,
    row_expectations,
    table_expectations,
)

_COLUMNS = "Columns and their types"
_TOGETHER = "The documents together"
_QUARANTINE = {**schema.DOCUMENT, "reasons": pl.List(pl.String())}


@dataclass(frozen=True)
class ValidationResult:
    """The result of a validation.

    Attributes:
        problems: reasons to refuse the table; empty if it is accepted.
        rows: None for wrong columns, with which no row is measured.
        summary: the content of validation.json.
        results: title -> result of Great Expectations, for the report.
    """

    problems: list[str]
    rows: SortedRows | None
    summary: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


def judge(
    documents: Batches,
    measurer: Measurer,
    settings: parameters.Validate,
    ingest: parameters.Ingest,
    baseline: Baseline,
    checker: Checker,
    unsearched: Mapping[str, int] | None = None,
    names: Mapping[str, str] | None = None,
) -> ValidationResult:
    """Validates the columns, the rows and the table as a whole.

    Args:
        documents: output of the stage `ingest`.
        measurer: with the same settings and labels.
        settings: bounds.
        ingest: its classes and sources.
        baseline: counts of the last snapshot and of the last release.
        checker: runs the expectations.
        unsearched: number of documents in which names were not searched, by language.
        names: pseudonym of a label outside the classes -> the label, if it is a class name.
    """
    columns = checker.check(columns_of(documents.columns), "columns", column_expectations())
    if not columns.success:
        return ValidationResult(
            column_problems(documents.columns), None, results={_COLUMNS: columns}
        )
    measured = (measurer.measure(batch) for batch in documents.batches())
    count = -(-documents.height // streams.BATCH)
    batches = track(measured, "validate: measuring", count, f"batches of {streams.BATCH}")
    rows = sort_out(pl.concat([measurer.nothing(), *batches]), settings)
    labels = ingest.labels
    checks, repeats = _checks(rows, documents, measurer, settings, ingest, baseline)
    checks.append(validation_checks.names_searched(unsearched or {}))
    mostly = round(1 - settings.max_bad_share, 6)
    results = {
        _COLUMNS: columns,
        "Rows that came in": checker.check(
            numbers(rows.with_text), "rows", row_expectations(settings, labels, mostly)
        ),
        "Documents that go on": checker.check(
            numbers(rows.good),
            "documents",
            row_expectations(settings, labels) + table_expectations(settings, labels),
        ),
    }
    if any(check.value is not None for check in checks):
        results[_TOGETHER] = checker.check(facts(checks), "together", fact_expectations(checks))
    problems = problems_of(rows, documents, settings, labels, names or {})
    problems += [check.problem for check in checks if check.passed is False]
    failed = [a for r in results.values() for a in described(r) if not a["success"]]
    if failed and not problems:
        shown = ", ".join(sorted({f"{a['name']} ({a['column']})" for a in failed}))
        problems = [f"Great Expectations failed where newsloop passed: {shown}"]
    return ValidationResult(
        problems, rows, summary_of(rows, labels, checks, repeats, results), results
    )


def _checks(
    rows: SortedRows,
    documents: Batches,
    measurer: Measurer,
    settings: parameters.Validate,
    ingest: parameters.Ingest,
    baseline: Baseline,
) -> tuple[list[TableCheck], dict[str, int]]:
    good = rows.good
    by_class, by_source = counts_by_class(good, ingest.labels), counted(good["source"])
    sources = [source.name for source in ingest.sources]
    feedback = [source.name for source in ingest.sources if source.kind == "feedback"]
    repeats, counts = validation_checks.repeats(good, settings)
    noise, why_not = _noise(good, documents, measurer, settings)
    newest = good["time"].max()
    total = rows.judged.height + rows.unlabelled
    return [
        validation_checks.volume(total, baseline.snapshot, sources, settings),
        validation_checks.class_balance(by_class, baseline.release, settings),
        validation_checks.source_share(by_source, baseline.release, sources, feedback, settings),
        repeats,
        validation_checks.freshness(newest, baseline, good.height, settings),  # type: ignore[arg-type]
        validation_checks.label_noise(noise, why_not, settings),
    ], counts


def _noise(
    good: pl.DataFrame, documents: Batches, measurer: Measurer, settings: parameters.Validate
) -> tuple[label_noise.Noise | None, str]:
    """Estimates label noise on a sample; else None and the reason."""
    # The smallest hashes select the same documents in any order of the rows.
    sample = good.sort("content", "row").head(settings.noise_documents).sort("row")
    classes = sample["label"].n_unique()
    needed = settings.noise_class_documents * max(classes, 2)
    if sample.height < needed or classes < 2:  # noqa: PLR2004 - one class cannot be mistaken
        return None, f"{sample.height} documents of {classes} classes, at least {needed} needed"
    texts = [text for batch in chosen(documents, measurer, sample["row"]) for text in batch["text"]]
    return label_noise.estimate(texts, sample["label"].to_list(), sample["content"].to_list()), ""


def chosen(documents: Batches, measurer: Measurer, rows: pl.Series) -> Iterator[pl.DataFrame]:
    """Yields the documents with row numbers `rows`, in order, with encoding damage fixed."""
    wanted = rows.cast(pl.UInt32).sort().to_frame("row")
    start = 0
    for batch in documents.batches():
        selected = wanted.filter(pl.col("row").is_between(start, start + batch.height - 1))
        fixed, _ = measurer.mend(batch.select(pl.all().gather(selected["row"] - start)))
        yield fixed
        start += batch.height


def read_faults(value: object) -> dict[str, str]:
    """Parses the content of faults.json: id -> reason.

    Raises:
        DataError: `value` is no list of {"id", "reason"}.
    """
    try:
        return {str(entry["id"]): str(entry["reason"]) for entry in value}  # type: ignore[attr-defined]
    except (TypeError, KeyError) as error:
        raise DataError(
            'Expected faults.json to be a list of {"id", "reason"}, got something else. Run '
            "`dvc repro` to write it again."
        ) from error


def quarantined(
    documents: Batches, measurer: Measurer, bad: pl.DataFrame, names: Mapping[str, str]
) -> Iterator[pl.DataFrame]:
    """Yields the bad rows with their `reasons`, in order; leaking rows without text.

    Labels have their names in `names`, see `judge`.
    """
    start = 0
    for batch in chosen(documents, measurer, bad["row"]):
        reasons = bad["reasons"][start : start + batch.height]
        # Unmasked personal data must not reach a file, not even the quarantine.
        text = pl.when(~pl.col("reasons").list.contains(LEAK)).then("text")
        label = pl.col("label").replace(names)
        yield batch.with_columns(reasons=reasons, label=label).with_columns(text=text)
        start += batch.height


def again(settings: parameters.Scrub, key_folder: Path) -> Scrub:
    """Makes a function that scrubs fixed texts; its first call loads the scrubber.

    A text that the policy drops becomes empty, and so fails the check of its length.
    """
    loaded: list[Scrubber] = []

    def scrub(texts: list[str]) -> list[str]:
        if not loaded:
            keyed = "pseudonym" in settings.entities.values()
            loaded.append(Scrubber(settings, keys.pseudonym_key(key_folder) if keyed else None))
        return [scrubbed.text for scrubbed in loaded[0].scrub_many(texts)]

    return scrub


def _unsearched(paths: Paths) -> dict[str, int]:
    sources = tables.read_json(paths.ingested / "privacy.json").values()
    return separated(sum((Counter(counts) for counts in sources), Counter[str]()))[1]


def run(params: Params, paths: Paths) -> None:
    """Runs the stage: reads, validates, writes the report, then the tables.

    Raises:
        DataError: the table is refused; the report and the quarantine are written nonetheless.
    """
    out = paths.validated
    # DVC empties the folder; a run by hand must remove the output of an earlier table itself.
    for name in ("documents.parquet", "quarantine.parquet", "validation.json"):
        (out / name).unlink(missing_ok=True)
    paths.refused_rows.unlink(missing_ok=True)
    documents = streams.Stored(paths.ingested / "documents.parquet")
    faults = read_faults(tables.read_json(paths.ingested / "faults.json"))
    settings, ingest = params.validate_, params.ingest
    named = paths.ingested / "labels.json"
    names: dict[str, str] = tables.read_json(named) if named.exists() else {}
    measurer = Measurer(
        settings, ingest.labels, faults, again(ingest.scrub, paths.keys), leak_test.counter(params)
    )
    baseline = baselines.read(paths.baseline)
    result = judge(
        documents, measurer, settings, ingest, baseline, Checker(), _unsearched(paths), names
    )
    shown = paths.data_docs / "index.html"
    heading = Heading.of(paths, shown, "", datetime.now(UTC))
    page = report.render(result.problems, result.summary, result.results, heading)
    tables.write_text(page, shown)
    places = str(shown)
    if result.rows is not None:
        rows = quarantined(documents, measurer, result.rows.bad, names)
        quarantine = streams.write(rows, _QUARANTINE, out / "quarantine.parquet")
        if result.problems:
            # A flow puts the data of the run before back; a person needs these.
            tables.write_atomic(paths.refused_rows, lambda copy: shutil.copyfile(quarantine, copy))
            places += f" and {paths.refused_rows}"
    if result.problems or result.rows is None:
        raise DataError(
            f"Expected documents to learn from, got: {'. Also: '.join(result.problems)}. Look at "
            f"{places}, then correct the source, or ingest.labels and validate in params.yaml."
        )
    good = chosen(documents, measurer, result.rows.good["row"])
    streams.write(good, schema.DOCUMENT, out / "documents.parquet")
    tables.write_json(result.summary, out / "validation.json")
    say(
        f"validate: {result.rows.good.height} documents go on, {result.rows.bad.height} in "
        f"quarantine, {result.rows.unlabelled} without label; {shown}"
    )
