"""Expectations on the documents, and their results: counts, never a value.

Great Expectations gets lengths, codes and ranks. A check that needs the text, such as a search for
personal data, is computed in rows.py and passed as a number, like `damage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from components.core import params as parameters
from components.core import schema
from components.core.errors import DataError
from components.core.text_quality import SHORT
from components.validate.checks import TableCheck

# Times and authors are often unknown, and no model is trained on them.
_CHECKED = ("id", "characters", "label", "source")


class Checker:
    """Runs expectations in one context, since a new context costs more than a check."""

    def __init__(self) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
        )

        # The default configuration makes a temporary folder and leaves it behind.
        configuration = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
        context = gx.get_context(mode="ephemeral", project_config=configuration)
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("newsloop").add_dataframe_asset("documents")
        self._batches = asset.add_batch_definition_whole_dataframe("all")

    def check(self, table: pl.DataFrame, name: str, expectations: Sequence[Any]) -> Any:
        """Runs `expectations` on `table`; the result holds counts, no value of the table.

        Raises:
            DataError: there are no expectations, or one of them has no result.
        """
        import great_expectations as gx

        batch = self._batches.get_batch({"dataframe": table.to_pandas()})
        suite = gx.ExpectationSuite(name, expectations=list(expectations))
        counts_only = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
        result = batch.validate(suite, result_format=counts_only)
        if not expectations or len(result.results) != len(expectations):
            raise DataError(
                f"Expected Great Expectations to answer {len(expectations)} expectations on "
                f"{name}, got {len(result.results)} answers. Nothing unchecked goes on."
            )
        for answer in result.results:
            observed = answer.result.get("observed_value")
            if hasattr(observed, "item"):  # the renderer does not format NumPy scalars
                answer.result["observed_value"] = observed.item()
            if isinstance(observed, list):  # else it shows Python's own notation
                answer.result["observed_value"] = ", ".join(map(str, observed))
            if not answer.result:  # the expectation raised; its traceback may hold values
                answer.exception_info = {
                    "raised_exception": True,
                    "exception_message": "This could not be checked.",
                    "exception_traceback": "",
                }
        return result


def numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """Selects the columns for Great Expectations: numbers and short codes, no text.

    Args:
        rows: columns MEASURES of components/validate/rows.py.
    """
    # pandas would round a 64-bit hash to a float; the rank of the hash stays exact.
    ranks = [pl.col(name).rank("dense").cast(pl.UInt32) for name in ("id", "source")]
    codes = [pl.col(name).cast(pl.Categorical) for name in ("label", "language")]
    return rows.select(*ranks, "characters", *codes, "damage", "leaks")


def facts(checks: Sequence[TableCheck]) -> pl.DataFrame:
    """Builds one row with the values of the checks that have a value."""
    return pl.DataFrame({check.name: [check.value] for check in checks if check.value is not None})


def columns_of(columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Builds an empty table whose columns are named "<name>: <type>" after `columns`.

    Great Expectations can thus check the types before the conversion to pandas, which has fewer.
    """
    return pl.DataFrame({name: [] for name in _typed(columns)})


def column_expectations() -> list[Any]:
    """Builds the expectations on `columns_of` the documents."""
    import great_expectations.expectations as gxe

    wanted = _typed(schema.DOCUMENT)
    return [gxe.ExpectTableColumnsToMatchSet(column_set=wanted, exact_match=True)]


def _typed(columns: Mapping[str, pl.DataType]) -> list[str]:
    return [f"{name}: {kind}" for name, kind in columns.items()]


def row_expectations(
    settings: parameters.Validate, labels: Sequence[str], mostly: float = 1
) -> list[Any]:
    """Builds the expectations on the rows of `numbers`.

    A share of `mostly` must pass; of the leak test also 1 - `max_leak_share`, unless all must.
    """
    import great_expectations.expectations as gxe

    between = gxe.ExpectColumnValuesToBeBetween
    without_leaks = max(mostly, round(1 - settings.max_leak_share, 6))
    expectations = [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name, mostly=mostly) for name in _CHECKED],
        gxe.ExpectColumnValuesToBeUnique(column="id", mostly=mostly),
        between(
            column="characters",
            min_value=settings.min_characters,
            max_value=settings.max_characters,
            mostly=mostly,
        ),
        between(column="damage", max_value=settings.damage_marks - 1, mostly=mostly),
        between(column="leaks", max_value=0, mostly=without_leaks),
        gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(labels), mostly=mostly),
    ]
    if settings.languages:
        languages = [*settings.languages, SHORT]
        expectations.append(
            gxe.ExpectColumnValuesToBeInSet(column="language", value_set=languages, mostly=mostly)
        )
    return expectations


def fact_expectations(checks: Sequence[TableCheck]) -> list[Any]:
    """Builds the expectations on `facts`: each value within its bounds."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnMaxToBeBetween(
            column=check.name,
            min_value=check.low,
            max_value=check.high,
            strict_max=check.below,
            description=check.words,
        )
        for check in checks
        if check.value is not None
    ]


def table_expectations(settings: parameters.Validate, labels: Sequence[str]) -> list[Any]:
    """Builds the expectations on the good documents as a whole."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=settings.min_documents),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="label", min_value=2),
        *[
            gxe.ExpectColumnUniqueValueCountToBeBetween(
                column="id",
                min_value=settings.min_class_documents,
                row_condition=Column("label") == label,
            )
            for label in labels
        ],
    ]


def described(result: Any) -> list[dict[str, Any]]:
    """Converts a result to JSON: name, column, success and unexpected count of each expectation."""
    answers = []
    for answer in result.results:
        config = answer.expectation_config
        kwargs, outcome = config.kwargs, answer.result
        entry: dict[str, Any] = {
            "name": config.type,
            "column": kwargs.get("column"),
            "success": answer.success is True,
            "unexpected": outcome.get("unexpected_count"),
        }
        if isinstance(outcome.get("observed_value"), int | float):
            entry["observed"] = outcome["observed_value"]
        if kwargs.get("row_condition") is not None:
            condition = kwargs["row_condition"]
            entry["label"] = getattr(condition, "parameter", None)
        answers.append(entry)
    return sorted(answers, key=lambda a: (a["name"], a["column"] or "", a.get("label") or ""))
