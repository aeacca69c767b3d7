"""Samples the rows of a source, and chooses its columns by content and by a person's wishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from components.core.errors import DataError
from components.core.params import Params, Source
from components.core.paths import Paths
from components.core.progress import track
from components.profile import databases
from components.profile.columns import Column, flat, measure
from components.profile.exports import as_export
from components.profile.locate import TABLES, Entry
from components.profile.names import Role, fit
from components.profile.roles import Roles, choose
from components.profile.summary import Reservoir
from components.sources import open_source
from components.sources.reader import printable
from components.sources.tabular.columns import looks_like_name

ROWS = 500_000  # of one source that are looked at
_SAMPLED = 5_000  # rows that decide about the columns
_LISTED = 20  # columns in a message
FIELDS = Roles(text=("text",), label="label", id="id", time="time", author="author")
ArePersons = Callable[[Sequence[str]], Sequence[bool]]


@dataclass(frozen=True)
class Wishes:
    """Choices of a person, which stand above what the data suggest.

    Attributes:
        columns: role -> columns; an empty sequence: the role has no column.
        labels: classes to learn; empty: all.
        names: label in the source -> class.
        watermark: column of a database table that only grows; "": detected.
    """

    columns: Mapping[Role, Sequence[str]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    watermark: str = ""

    @classmethod
    def of(
        cls,
        text: Sequence[str],
        single: Mapping[str, str | None],
        labels: str = "",
        watermark: str = "",
    ) -> Wishes:
        """Makes the choices of the options of a command.

        Args:
            text: columns of the text; empty: detected.
            single: role -> column; "": the role has no column, None: detected.
            labels: classes, or number=name, separated by commas.
            watermark: see the attribute.
        """
        columns: dict[Role, Sequence[str]] = {Role.TEXT: text} if text else {}
        for role, column in single.items():
            if column is not None:
                columns[Role(role)] = [column] if column else []
        wanted = [label.strip() for label in labels.split(",") if label.strip()]
        pairs = [label.partition("=") for label in wanted]
        if wanted and all(equals for _, equals, _ in pairs):
            names = {number.strip(): name.strip() for number, _, name in pairs}
            return cls(columns, (), names, watermark)
        return cls(columns, tuple(wanted), {}, watermark)


@dataclass(frozen=True)
class Examined:
    """A source whose columns were examined.

    Attributes:
        entry: of ingest.sources; `completed` adds the columns.
        columns: statistics of the sample; empty for texts without columns.
        roles: choice of columns.
        rows: number of rows seen; 0 for texts without columns, which are counted later.
        sample: flat rows.
        missing: columns that a person named and that are not there.
    """

    entry: Entry
    columns: Sequence[Column]
    roles: Roles
    rows: int
    sample: Sequence[Mapping[str, object]] = field(repr=False, default=())
    missing: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """True if a text and a label were found."""
        return bool(self.roles.text) and self.roles.label is not None

    @property
    def problem(self) -> str:
        """Describes what is missing, for a sentence; "" for a usable source."""
        shown = ", ".join(
            printable(column.name) if looks_like_name(column.name) else "(a name like a value)"
            for column in self.columns[:_LISTED]
        )
        more = len(self.columns) - _LISTED
        among = f"none among the columns {shown}{f' and {more} more' if more > 0 else ''}"
        if self.missing:
            return f"a column {printable(self.missing[0])}, got {among}"
        if not self.roles.text:
            return f"a column of texts of several words, got {among}"
        named = [c for c in self.columns if c.distinct == 1 and fit(c.name, Role.LABEL) == 1]
        if self.roles.label is None and named:
            return f"at least two classes, got one in the column {printable(named[0].name)}"
        if self.roles.label is None:
            return f"a column of labels, with few distinct short values, got {among}"
        return ""


def examine(
    entry: Entry,
    wishes: Wishes,
    params: Params,
    paths: Paths,
    are_persons: ArePersons | None = None,
) -> Examined:
    """Samples the rows of a source and chooses the columns.

    Raises:
        SourceError: it cannot be read.
        DataError: it has no rows.
    """
    if entry["kind"] not in (*TABLES.values(), "sql"):
        return Examined(entry, (), FIELDS, 0)
    sample: Reservoir[dict[str, object]] = Reservoir(_SAMPLED)
    for row in track(_rows(entry, params, paths), f"reading {entry['name']}", unit="rows"):
        sample.add(flat(row))
    if not sample.seen:
        raise DataError(
            f"Expected rows in {entry.get('path') or entry.get('table')}, got none. See that the "
            "export is complete."
        )
    if export := as_export(entry, sample.items, wishes.columns.get(Role.TEXT, ())):
        return Examined(export, (), FIELDS, sample.seen)
    columns = measure(sample.items, are_persons)
    present = {column.name for column in columns}
    wished = (name for named in wishes.columns.values() for name in named)
    if missing := tuple(name for name in wished if name not in present):
        return Examined(entry, columns, Roles(()), sample.seen, (), missing)
    examined = Examined(
        entry, columns, choose(columns, sample.items, wishes.columns), sample.seen, sample.items
    )
    return _with_key(examined, wishes, params, paths) if entry["kind"] == "sql" else examined


def _rows(entry: Entry, params: Params, paths: Paths) -> Iterator[Mapping[str, object]]:
    if entry["kind"] == "sql":
        return databases.open_catalog(entry, params, paths).rows(entry["table"], ROWS)
    return open_source(source_of(entry, params), paths).records(ROWS)


def _with_key(examined: Examined, wishes: Wishes, params: Params, paths: Paths) -> Examined:
    """Adds what a table of a database needs beside columns: a unique id and a watermark."""
    catalog = databases.open_catalog(examined.entry, params, paths)
    key = catalog.key(examined.entry["table"])
    unique = examined.roles.id if Role.ID in wishes.columns else key or examined.roles.id
    watermark = wishes.watermark or databases.watermark(examined.columns, key)
    if unique is None or watermark is None:
        lacking = "--id" if unique is None else "--watermark"
        return replace(examined, roles=Roles(()), missing=(f"for {lacking}",))
    entry = {**examined.entry, "watermark": watermark}
    return replace(examined, entry=entry, roles=replace(examined.roles, id=unique))


def source_of(entry: Entry, params: Params) -> Source:
    """Makes the settings of a source, with the limits of the project."""
    return Source.model_validate({"limits": params.ingest.limits, **entry})


def chosen_again(examined: Examined, columns: Mapping[Role, Sequence[str]]) -> Examined:
    """Chooses the columns again, with the choices of a person."""
    return replace(examined, roles=choose(examined.columns, examined.sample, columns))


def completed(examined: Examined) -> Entry:
    """Returns the entry of ingest.sources with its columns; defaults are left out."""
    entry, roles = dict(examined.entry), examined.roles
    if not examined.columns:
        return entry
    names = [column.name for column in examined.columns]
    numbered = [f"column_{number}" for number in range(1, len(names) + 1)]
    if entry["kind"] in ("csv", "excel") and set(names) == set(numbered):
        entry["header"] = False
    if roles.text != ("text",):
        entry["text"] = list(roles.text) if len(roles.text) > 1 else "".join(roles.text)
    if roles.label != "label" and "fixed_label" not in entry:
        entry["label"] = roles.label
    for role in (Role.ID, Role.TIME, Role.AUTHOR):
        column = getattr(roles, role)
        # A column of the default's name that was not chosen would be tried.
        if column is not None or role in names:
            entry[str(role)] = column
    form = next((c.time_format for c in examined.columns if c.name == roles.time), None)
    if form is not None:
        entry["time_format"] = form
    if roles.part is not None:
        entry["part"] = roles.part
        entry.pop("fixed_part", None)
    return entry
