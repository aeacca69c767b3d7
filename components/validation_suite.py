"""What Great Expectations is asked of the documents, and how: counts come back, never a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from components.core import params as parameters
from components.core import schema
from components.core.errors import DataError

# Times and authors are often unknown and never learned from.
_CHECKED = ("id", "text", "label", "source")


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
            if not answer.result:  # it raised; its traceback may hold values
                answer.exception_info = {
                    "raised_exception": True,
                    "exception_message": "This could not be checked.",
                    "exception_traceback": "",
                }
        return result


def masked(table: pl.DataFrame) -> pl.DataFrame:
    """The checked columns; a text is as many x as it has characters without outer space.

    An empty id or source is as good as none, and becomes null.
    """
    length = pl.col("text").str.strip_chars().str.len_chars()
    mask = pl.lit("x").repeat_by(length).list.join("")
    return table.select(_CHECKED).with_columns(
        pl.when(pl.col("text").is_not_null()).then(mask).alias("text"),
        *[pl.when(pl.col(name) != "").then(name) for name in ("id", "source")],
    )


def columns_of(table: pl.DataFrame) -> pl.DataFrame:
    """An empty table whose columns are named "<name>: <type>" after those of `table`.

    So that Great Expectations judges the types before they meet pandas, which has fewer.
    """
    return pl.DataFrame({name: [] for name in _typed(table.schema)})


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
    """For each row; a share of `mostly` must pass."""
    import great_expectations.expectations as gxe

    return [
        *[gxe.ExpectColumnValuesToNotBeNull(column=name, mostly=mostly) for name in _CHECKED],
        gxe.ExpectColumnValuesToBeUnique(column="id", mostly=mostly),
        gxe.ExpectColumnValueLengthsToBeBetween(
            column="text",
            min_value=settings.min_characters,
            max_value=settings.max_characters,
            mostly=mostly,
        ),
        gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(labels), mostly=mostly),
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
        if isinstance(found.get("observed_value"), int):
            told["observed"] = found["observed_value"]
        if kwargs.get("row_condition") is not None:
            condition = kwargs["row_condition"]
            told["label"] = getattr(condition, "parameter", None)
        answers.append(told)
    return sorted(answers, key=lambda a: (a["name"], a["column"] or "", a.get("label") or ""))
