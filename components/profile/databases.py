"""Tables of a database, and a bounded number of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from components.core.params import Params, Source
from components.core.paths import Paths
from components.profile.columns import Column
from components.profile.locate import Entry, slug
from components.profile.names import Role, fit
from components.sources.sql import SqlReader, readable

_BATCH = 1000  # rows fetched at a time
_CHANGED = ("updated_at", "modified_at", "created_at")  # usual names of a column that only grows


class Catalog(SqlReader):
    """A database whose tables are looked at; nothing of `source` but its URL is used.

    Raises:
        SourceError: from every method, if the database cannot be read.
    """

    def tables(self) -> list[str]:
        """Lists tables and views of the default schema."""
        with self._connected() as connection:
            inspector = sa.inspect(connection)
            return sorted([*inspector.get_table_names(), *inspector.get_view_names()])

    def key(self, table: str) -> str | None:
        """Returns the column of the primary key; None if it has none or several."""
        schema, _, name = table.rpartition(".")
        with self._connected() as connection:
            try:
                key = sa.inspect(connection).get_pk_constraint(name, schema or None)
            except sa.exc.NoSuchTableError:
                return None  # `rows` reports it
        columns = key["constrained_columns"]
        return columns[0] if len(columns) == 1 else None

    def rows(self, table: str, most: int) -> Iterator[dict[str, Any]]:
        """Yields at most `most` rows of a table, column -> value."""
        schema, _, name = table.rpartition(".")
        query = (
            sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None)).limit(most)
        )
        options = {"stream_results": True, "yield_per": _BATCH}
        with (
            self._connected() as connection,
            connection.execute(query, execution_options=options) as result,
        ):
            for row in result.mappings():
                yield {name: readable(value) for name, value in row.items()}


def open_catalog(entry: Entry, params: Params, paths: Paths) -> Catalog:
    """Opens the database of an entry of kind sql, which may lack its table."""
    complete = {"table": "-", "watermark": "-", **entry, "limits": params.ingest.limits}
    return Catalog(Source.model_validate(complete), paths)


def with_tables(entry: Entry, table: str, params: Params, paths: Paths) -> list[Entry]:
    """Returns an entry for the table that a person named, or for each table."""
    if entry["kind"] != "sql":
        return [entry]
    tables = [table] if table else open_catalog(entry, params, paths).tables()
    return [{**entry, "name": slug(name.rpartition(".")[2]), "table": name} for name in tables]


def watermark(columns: Sequence[Column], key: str | None) -> str | None:
    """Chooses a column that only grows: the key if its values are numbers, or else a time."""
    named = {column.name: column for column in columns}
    if key in named and named[key].whole == 1:
        return key
    for name in _CHANGED:
        if name in named and named[name].filled == named[name].rows:
            return name
    times = [column for column in columns if column.readable_times and column.filled == column.rows]
    growing = [column for column in times if _grows(column)]
    best = max(growing or times, key=lambda column: fit(column.name, Role.TIME), default=None)
    return best.name if best else None


def _grows(column: Column) -> bool:
    return all(before <= after for before, after in pairwise(column.counts))
