"""What Great Expectations is asked of the documents, and how: counts come back, never a value.

It sees lengths, codes and hashes. A check of what texts say, such as a search for personal data in
them, must be made where the texts are, and come here as a number, like `damage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from components.core import params as parameters
from components.core import schema
from components.core.errors import DataError
from components.core.text_quality import SHORT
from components.validate.checks import Check

# Times and authors are often unknown and never learned from.
_CHECKED = ("id", "characters", "label", "source")


class Checker:
    """Great Expectations with one context, made once: making it costs more than a check."""

    def __init__(self) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
        )

        # The default configuration makes a temporary folder and leaves it behind.
        nowhere = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
        context = gx.get_context(mode="ephemeral", project_config=nowhere)
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("newsloop").add_dataframe_asset("documents")
        self._batches = asset.add_batch_definition_whole_dataframe("all")

    def check(self, table: pl.DataFrame, name: str, expectations: Sequence[Any]) -> Any:
        """The result of `expectations` on `table`, without any value of it.

        Raises:
            DataError: not every expectation was answered.
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
            if hasattr(observed, "item"):  # its renderer knows no numbers of NumPy
                answer.result["observed_value"] = observed.item()
            if not answer.result:  # it raised; its traceback may hold values
                answer.exception_info = {
                    "raised_exception": True,
                    "exception_message": "This could not be checked.",
                    "exception_traceback": "",
                }
        return result


def numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """What Great Expectations sees of rows that were measured: numbers and short codes, no text.

    Args:
        rows: columns MEASURES of components/validate/rows.py.
    """
    # A hash would lose digits on its way through pandas; its place among the others does not.
    places = [pl.col(name).rank("dense").cast(pl.UInt32) for name in ("id", "source")]
    codes = [pl.col(name).cast(pl.Categorical) for name in ("label", "language")]
    return rows.select(*places, "characters", *codes, "damage", "leaks")


def facts(checks: Sequence[Check]) -> pl.DataFrame:
    """One row with the numbers of the checks that could be asked."""
    return pl.DataFrame({check.name: [check.value] for check in checks if check.value is not None})


def columns_of(columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """An empty table whose columns are named "<name>: <type>" after `columns`.

    So that Great Expectations judges the types before they meet pandas, which has fewer.
    """
    return pl.DataFrame({name: [] for name in _typed(columns)})


def column_expectations() -> list[Any]:
    """For `columns_of` the documents."""
    import great_expectations.expectations as gxe

    wanted = _typed(schema.DOCUMENT)
    return [gxe.ExpectTableColumnsToMatchSet(column_set=wanted, exact_match=True)]


def _typed(columns: Mapping[str, pl.DataType]) -> list[str]:
    return [f"{name}: {kind}" for name, kind in columns.items()]


def row_expectations(
    settings: parameters.Validate, labels: Sequence[str], mostly: float = 1
) -> list[Any]:
    """For each row of `numbers`; a share of `mostly` must pass."""
    import great_expectations.expectations as gxe

    between = gxe.ExpectColumnValuesToBeBetween
    asked = [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name, mostly=mostly) for name in _CHECKED],
        gxe.ExpectColumnValuesToBeUnique(column="id", mostly=mostly),
        between(
            column="characters",
            min_value=settings.min_characters,
            max_value=settings.max_characters,
            mostly=mostly,
        ),
        between(column="damage", max_value=settings.damage_marks - 1, mostly=mostly),
        between(column="leaks", max_value=0, mostly=mostly),
        gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(labels), mostly=mostly),
    ]
    if settings.languages:
        known = [*settings.languages, SHORT]
        asked.append(
            gxe.ExpectColumnValuesToBeInSet(column="language", value_set=known, mostly=mostly)
        )
    return asked


def fact_expectations(checks: Sequence[Check]) -> list[Any]:
    """For `facts`: each number within its bounds."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnMaxToBeBetween(
            column=check.name,
            min_value=check.least,
            max_value=check.most,
            strict_max=check.below,
            description=check.words,
        )
        for check in checks
        if check.value is not None
    ]


def table_expectations(settings: parameters.Validate, labels: Sequence[str]) -> list[Any]:
    """For the documents that go on, together."""
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
    """Each answer of Great Expectations: name, column, success, count of unexpected values."""
    answers = []
    for answer in result.results:
        config = answer.expectation_config
        kwargs, found = config.kwargs, answer.result
        told: dict[str, Any] = {
            "name": config.type,
            "column": kwargs.get("column"),
            "success": answer.success is True,
            "unexpected": found.get("unexpected_count"),
        }
        if isinstance(found.get("observed_value"), int | float):
            told["observed"] = found["observed_value"]
        if kwargs.get("row_condition") is not None:
            condition = kwargs["row_condition"]
            told["label"] = getattr(condition, "parameter", None)
        answers.append(told)
    return sorted(answers, key=lambda a: (a["name"], a["column"] or "", a.get("label") or ""))
