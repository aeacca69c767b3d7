"""The columns of a document, of a prediction and of a label: names, types, meaning."""

from __future__ import annotations

import polars as pl

from components.core.errors import DataError

DOCUMENT: dict[str, pl.DataType] = {
    "id": pl.String(),  # unique within the snapshot: "<source>/<name in the source>"
    "text": pl.String(),  # scrubbed; raw text never reaches a table
    "label": pl.String(),  # one of ingest.labels; null where nobody has said
    "source": pl.String(),  # name of the source in params.yaml
    "time": pl.Datetime("us", "UTC"),  # when it was published; null where unknown
    "author": pl.String(),  # keyed pseudonym; null where unknown
    "part": pl.String(),  # train, validation or test, as the source says; null where it does not
}


def documents(rows: list[dict[str, object]]) -> pl.DataFrame:
    """A table of documents from `rows`, with exactly DOCUMENT's columns; absent ones are null."""
    return pl.DataFrame(rows, schema=DOCUMENT, orient="row", strict=True)


def check_documents(table: pl.DataFrame, where: str) -> pl.DataFrame:
    """`table` itself, if it has DOCUMENT's columns and types.

    Raises:
        DataError: a column is missing, superfluous or of another type; `where` names the table.
    """
    found = {name: str(kind) for name, kind in table.schema.items()}
    expected = {name: str(kind) for name, kind in DOCUMENT.items()}
    if found != expected:
        raise DataError(
            f"Expected the columns {expected} in {where}, found {found}. Run `dvc repro` to make "
            "it anew."
        )
    return table
