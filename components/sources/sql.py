"""Reads rows of a table or query of any database that SQLAlchemy supports, up to a watermark.

The URL of the database comes from an environment variable, because it may hold a password. No
secret of the URL gets into a pin or a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, OperationalError, ProgrammingError, SQLAlchemyError

from components.core.databases import postgresql
from components.core.errors import SourceError
from components.sources.reader import Fingerprint, Pin, RawDocument, SourceReader, printable
from components.sources.rows import Columns, document

_ROWS = 1000  # fetched at a time; of texts this is a few MiB
_AT, _LAST = "newsloop_watermark", "newsloop_id"  # names of ours, for the columns that order


class SqlReader(SourceReader):
    """Makes one document of each row; the pin holds the last (watermark, id), count, fingerprint.

    Rows are ordered by watermark, then id, so that rows with the same watermark have one order.
    Rows without a watermark or id have no place in it: they are not read, and the pin counts them.
    A row that is deleted, changed, or written below the pinned place after the pin was taken is a
    SourceError; one above it is left for the next snapshot.
    """

    def _state(self) -> Pin:
        print_, at, last = Fingerprint(), None, None
        with self._connected() as connection:
            table = self._table(connection)
            skipped = _count(connection, table, sa.not_(_ordered(table)))
            # One statement sees one state of the table; its last row is the watermark.
            for place, found in self._rows(connection, table, _ordered(table)):
                at, last = place
                print_.add(self._counted(found))
        return {
            "watermark": _plain(at, "watermark", self._error),
            "last_id": _plain(last, "id", self._error),
            "rows": print_.documents,
            "skipped": skipped,
            "fingerprint": print_.hexdigest(),
        }

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        if not pin.get("rows"):
            return
        try:
            at, last = _value(pin["watermark"]), _value(pin["last_id"])
        except (KeyError, TypeError, ValueError, ArithmeticError):
            raise self._not_as_pinned("a pin without a watermark", "a query") from None
        print_ = Fingerprint()
        with self._connected() as connection:
            table = self._table(connection)
            place, name = table.c[_AT], table.c[_LAST]
            tied = sa.and_(place == at, name <= last)
            below = sa.and_(_ordered(table), sa.or_(place < at, tied))
            count = _count(connection, table, below)
            if count != pin["rows"]:
                raise self._not_as_pinned(
                    f"{count} rows up to the watermark: some were deleted, or came in below it",
                    f"{pin['rows']} rows",
                )
            for _, found in self._rows(connection, table, below):
                yield print_.add(found)
        if print_.hexdigest() != pin.get("fingerprint"):
            raise self._not_as_pinned("rows that changed", pin.get("fingerprint"))

    def _rows(
        self, connection: sa.Connection, table: sa.Subquery, which: sa.ColumnElement[bool]
    ) -> Iterator[tuple[tuple[Any, Any], RawDocument]]:
        """Yields ((watermark, id), document) of the rows that satisfy `which`, in order."""
        query = sa.select(table).where(which).order_by(table.c[_AT], table.c[_LAST])
        before = None
        options = {"stream_results": True, "yield_per": _ROWS}
        with connection.execute(query, execution_options=options) as result:
            for number, row in enumerate(result.mappings(), start=1):
                here = (row[_AT], row[_LAST])
                if here == before:
                    raise self._error(
                        "no two rows of the same watermark and id",
                        "two of them",
                        "Name a column by `id:` that tells rows apart.",
                    )
                before = here
                values = {key: readable(value) for key, value in row.items()}
                yield here, document(values, number, self.source)

    def _table(self, connection: sa.Connection) -> sa.Subquery:
        """Builds the subquery of the wanted columns that exist, the watermark and the id."""
        source = self.source
        inner: sa.FromClause
        if source.table is not None:
            schema, _, table = source.table.rpartition(".")
            inner = sa.table(table, schema=schema or None)
        else:
            text = (source.query or "").strip().rstrip(";")
            # A colon before a word would be a parameter of SQLAlchemy's.
            escaped = re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", text)
            inner = sa.text(escaped).columns().subquery("rows_of_query")
        found = connection.execute(sa.select(sa.text("*")).select_from(inner).where(sa.false()))
        there = list(found.keys())
        needed = Columns.of(source).needed | {
            str(source.column("id")): "id", str(source.watermark): "watermark",
        }  # fmt: skip
        for name, key in needed.items():
            if name not in there:
                raise self._error(
                    f"a column {name!r}",
                    f"only {', '.join(printable(name) for name in there) or 'none'}",
                    f"Name the right column by `{key}:` in this source's entry in params.yaml.",
                )
        columns: list[sa.ColumnElement[Any]] = [
            sa.column(name) for name in Columns.of(source).all if name in there
        ]
        ordering: list[sa.ColumnElement[Any]] = [
            sa.column(str(source.watermark)).label(_AT),
            sa.column(str(source.column("id"))).label(_LAST),
        ]
        return sa.select(*columns, *ordering).select_from(inner).subquery("rows_of_source")

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """Opens a read-only connection; turns database errors into SourceErrors without secrets.

        Raises:
            SourceError: no address, no driver, no database, no right, or no such table.
        """
        url = self._url()
        try:
            engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
        except (ImportError, NoSuchModuleError) as error:
            missing = getattr(error, "name", None) or url.drivername
            raise self._error(
                f"a driver for {url.drivername}",
                f"{missing} is not installed",
                "Install it with pip beside newsloop.",
            ) from None
        if url.get_backend_name() == "sqlite":
            sa.event.listen(engine, "connect", _only_read_sqlite)
        postgresql.limit(engine)
        try:
            with engine.connect() as connection:
                if url.get_backend_name() == "postgresql":
                    connection = connection.execution_options(  # noqa: PLW2901
                        postgresql_readonly=True, isolation_level="REPEATABLE READ"
                    )
                yield connection
        except SQLAlchemyError as error:
            raise self._explained(error, url) from None
        finally:
            engine.dispose()

    @property
    def _address(self) -> str:
        """File or environment variable that params.yaml names."""
        return self.source.path or self.source.url_env or ""

    def _url(self) -> sa.URL:
        if self.source.path:
            return self._of_file(sa.URL.create("sqlite", database=self.source.path))
        name = self.source.url_env or ""
        try:
            url = sa.make_url(os.environ[name])
        except KeyError:
            raise self._error(
                f"the database's address in the environment variable {name}",
                "no such variable",
                f"Set it, such as {name}=postgresql+psycopg://user:password@host/database.",
            ) from None
        except (SQLAlchemyError, ValueError):
            raise self._error(
                f"an SQLAlchemy address in the environment variable {name}",
                "another text",
                "It looks like postgresql+psycopg://user:password@host/database.",
            ) from None
        if url.get_backend_name() != "sqlite" or not url.database or ":memory:" in url.database:
            return url
        return self._of_file(url)

    def _of_file(self, url: sa.URL) -> sa.URL:
        """Checks that the SQLite file is there; connecting would make an empty one."""
        path = self.paths.sources / (url.database or "")
        if not path.is_file():
            raise self._error(
                f"the SQLite file that {self._address} names",
                "none",
                "Put it there, or mend the name.",
            )
        return url.set(database=str(path))

    def _explained(self, error: SQLAlchemyError, url: sa.URL) -> SourceError:
        cause = getattr(error, "orig", None)
        said = type(cause or error).__name__
        # Other errors than these two repeat values of rows.
        if cause is not None and isinstance(error, OperationalError | ProgrammingError):
            said = f"{said}: {str(cause).strip().splitlines()[0]}"
        for secret in filter(None, (url.password, *url.query.values())):
            for word in (secret,) if isinstance(secret, str) else secret:
                said = said.replace(word, "***")
        return self._error(
            f"to read the {'table' if self.source.table else 'query'} with {self._address}",
            said,
            "See that the database runs, and that this user may read there.",
        )


def _only_read_sqlite(connection: Any, record: object) -> None:
    """SQLite does not say whether text is UTF-8: what is not becomes lone surrogates."""
    del record
    connection.execute("PRAGMA query_only=ON")
    # Without an index on watermark and id it sorts rows, and would put raw text into a file.
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")


def _ordered(table: sa.Subquery) -> sa.ColumnElement[bool]:
    """Builds the condition that a row has a watermark and an id."""
    return sa.and_(table.c[_AT].is_not(None), table.c[_LAST].is_not(None))


def _count(connection: sa.Connection, table: sa.Subquery, which: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(which)
    return int(connection.scalar(query) or 0)


def readable(value: Any) -> Any:
    """Converts a UUID to text, and a Decimal without fraction to an integer."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value


def _plain(value: Any, what: str, error: Any) -> list[str] | None:
    """[type, text] of a watermark or id, for JSON; times in UTC, or without a zone as they are."""
    if value is None:
        return None
    if isinstance(value, bool):
        pass
    elif isinstance(value, int | str | UUID):
        return [type(value).__name__.lower(), str(value)]
    elif isinstance(value, Decimal) and value.is_finite():
        return ["decimal", str(value)]
    elif isinstance(value, datetime):
        aware = value.tzinfo is not None
        return ["datetime", (value.astimezone(UTC) if aware else value).isoformat()]
    elif isinstance(value, date):
        return ["date", value.isoformat()]
    raise error(
        f"a {what} of whole numbers, times or texts",
        f"one of type {type(value).__name__}",
        f"Name another column by `{what}:` in params.yaml.",
    )


def _value(plain: Any) -> Any:
    """Parses a value that `_plain` wrote."""
    kind, text = plain
    read: Any = {
        "int": int, "str": str, "uuid": UUID, "decimal": Decimal,
        "datetime": datetime.fromisoformat, "date": date.fromisoformat,
    }[kind]  # fmt: skip
    return read(text)
