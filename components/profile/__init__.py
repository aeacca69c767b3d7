"""Profiles data before the first run: what `newsloop init` finds in files, folders and databases.

    address -> locate -> sources -> examine -> columns, roles -> count -> Profile -> propose

All rows come from the readers of components/sources, so limits and budgets hold. Raw rows stay in
memory. Kinds of files: locate.py; columns: columns.py, names.py, roles.py; documents: summary.py,
classes.py, oddities.py; settings: proposal.py, estimate.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.core import text_quality
from components.core.errors import DataError, UsageError
from components.core.params import Params, Source
from components.core.paths import Paths
from components.core.progress import track
from components.profile.classes import Classes, classes, names_beside
from components.profile.columns import Column, flat, measure, unspaced_share
from components.profile.locate import Entry
from components.profile.names import Role
from components.profile.roles import Roles, choose
from components.profile.summary import Reservoir, Summary
from components.sources import open_source
from components.sources.files import FileReader
from components.sources.reader import printable
from components.sources.tabular.columns import looks_like_name

ROWS_COUNTED = 500_000  # of one source; counts of a larger one come from its first rows
CHARACTERS_COUNTED = 1 << 30
_SAMPLED = 5_000  # rows that decide about the columns
_LEAST_CLASS = 3  # documents of a class, one for each side of the split
_LEAST_CLASSES = 2
_LISTED = 20  # columns in a message
_LANGUAGE_CHARACTERS = 40  # of a text, from which its language is detected
_LANGUAGE_SCORE = 0.5
_FIELDS = Roles(text=("text",), label="label", id="id", time="time", author="author")
ArePersons = Callable[[Sequence[str]], Sequence[bool]]


@dataclass(frozen=True)
class Wishes:
    """Choices of a person, which stand above what the data suggest.

    Attributes:
        columns: role -> columns; an empty sequence: the role has no column.
        kind: of the sources; "": detected.
        labels: classes to learn; empty: all.
        names: label in the source -> class.
    """

    columns: Mapping[Role, Sequence[str]] = field(default_factory=dict)
    kind: str = ""
    labels: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Examined:
    """A source whose columns were examined.

    Attributes:
        entry: of ingest.sources, without columns.
        columns: statistics of the sample; empty for a source of texts without columns.
        roles: choice of columns.
        rows: number of rows seen.
        sample: flat rows.
    """

    entry: Entry
    columns: Sequence[Column]
    roles: Roles
    rows: int
    sample: Sequence[Mapping[str, object]] = field(repr=False, default=())

    @property
    def tabular(self) -> bool:
        return bool(self.columns)

    @property
    def usable(self) -> bool:
        """True if a text and a label were found."""
        return bool(self.roles.text) and self.roles.label is not None


@dataclass(frozen=True)
class Profile:
    """All that was found.

    Attributes:
        sources: with complete entries.
        left_out: name of a source without texts or labels -> reason.
        summary: counts over all documents.
        complete: whether all rows were counted.
        faults: reason -> number of rows that cannot be read.
        classes: proposed classes.
        languages: code -> share of the texts whose language was detected, 0 to 1.
        unspaced: share of letters in scripts without spaces between words, 0 to 1.
    """

    sources: Sequence[Examined]
    left_out: Mapping[str, str]
    summary: Summary
    complete: bool
    faults: Mapping[str, int]
    classes: Classes
    languages: Mapping[str, float]
    unspaced: float


def wishes(
    text: Sequence[str], single: Mapping[str, str | None], kind: str = "", labels: str = ""
) -> Wishes:
    """Makes the choices of a person from the options of a command.

    Args:
        text: columns of the text; empty: detected.
        single: role -> column; "": the role has no column, None: detected.
        kind: of the sources; "": detected.
        labels: classes, or number=name, separated by commas.
    """
    columns: dict[Role, Sequence[str]] = {Role.TEXT: text} if text else {}
    for role, column in single.items():
        if column is not None:
            columns[Role(role)] = [column] if column else []
    wanted = [label.strip() for label in labels.split(",") if label.strip()]
    pairs = [label.partition("=") for label in wanted]
    if wanted and all(equals for _, equals, _ in pairs):
        names = {number.strip(): name.strip() for number, _, name in pairs}
        return Wishes(columns, kind, (), names)
    return Wishes(columns, kind, tuple(wanted))


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
        UsageError: a column that a person named is not there.
    """
    reader = open_source(_source(entry, params), paths)
    sample: Reservoir[dict[str, object]] = Reservoir(_SAMPLED)
    with closing(reader.records(ROWS_COUNTED)) as records:
        for row in track(records, f"reading {entry['name']}", unit="rows"):
            sample.add(flat(row))
    if not sample.seen:
        raise DataError(
            f"Expected rows in {entry.get('path', entry['name'])}, got none. Check that the "
            "file is complete."
        )
    if not isinstance(reader, FileReader):
        return Examined(entry, (), _FIELDS, sample.seen, sample.items)
    columns = measure(sample.items, are_persons)
    present = {column.name for column in columns}
    for role, named in wishes.columns.items():
        for name in named:
            if name not in present:
                raise UsageError(
                    f"Expected a column {printable(name)} in {entry['name']}, as --{role} says, "
                    f"got {listed(columns)}. Name one of these."
                )
    roles = choose(columns, sample.items, wishes.columns)
    return Examined(entry, columns, roles, sample.seen, sample.items)


def listed(columns: Sequence[Column]) -> str:
    """Lists the names of columns; one that looks like a value of a row is not shown."""
    shown = [
        printable(column.name) if looks_like_name(column.name) else "(a name like a value)"
        for column in columns[:_LISTED]
    ]
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return ", ".join(shown) + more


def chosen_again(examined: Examined, columns: Mapping[Role, Sequence[str]]) -> Examined:
    """Chooses the columns again, with the choices of a person."""
    roles = choose(examined.columns, examined.sample, columns)
    return replace(examined, roles=roles)


def _nothing_usable(examined: Examined) -> UsageError:
    """Makes the error of a table without a column of texts or labels."""
    wanted = Role.LABEL if examined.roles.text else Role.TEXT
    described = {
        Role.LABEL: "a column of labels, which has few distinct short values",
        Role.TEXT: "a column of texts of several words",
    }[wanted]
    return UsageError(
        f"Expected {described} in {examined.entry['name']}, got none among the columns "
        f"{listed(examined.columns)}. Name it by --{wanted}."
    )


def completed(examined: Examined) -> Entry:
    """Returns the entry of ingest.sources with its columns; defaults are left out."""
    entry, roles = dict(examined.entry), examined.roles
    if not examined.tabular:
        return entry
    names = {column.name for column in examined.columns}
    if entry["kind"] in ("csv", "excel") and all(
        name == f"column_{number}" for number, name in enumerate(sorted(names), 1)
    ):
        entry["header"] = False
    if roles.text != ("text",):
        entry["text"] = list(roles.text) if len(roles.text) > 1 else "".join(roles.text)
    if roles.label not in ("label", None):
        entry["label"] = roles.label
    for role in (Role.ID, Role.TIME, Role.AUTHOR):
        column = getattr(roles, role)
        # A column of the default's name that was not chosen would be read.
        if column is not None or role in names:
            entry[role] = column
    if roles.part is not None:
        entry["part"] = roles.part
        entry.pop("fixed_part", None)
    return entry


def count(examined: Iterable[Examined], wishes: Wishes, params: Params, paths: Paths) -> Profile:
    """Counts the documents of the sources, as a run would read them.

    Raises:
        SourceError: a source cannot be read.
        DataError: there is no document, or fewer than two classes.
    """
    examined = list(examined)
    usable = [source for source in examined if source.usable]
    if not usable:
        raise _nothing_usable(examined[0])
    left_out = {
        source.entry["name"]: "no column of labels was found"
        for source in examined
        if not source.usable
    }
    summary, faults, complete = Summary(), Counter[str](), True
    sources = []
    for source in usable:
        entry = completed(source)
        whole = _count(entry, params, paths, summary, faults)
        complete = complete and whole
        sources.append(replace(source, entry=entry))
    if not summary.documents and faults:
        raise DataError(
            f"Expected documents in {sources[0].entry['name']}, got {faults.total()} rows that "
            f"cannot be read: {faults.most_common(1)[0][0]}. Name other columns by --text and "
            "--label, or repair the file."
        )
    names = dict(wishes.names)
    for entry in (source.entry for source in sources):
        if not names and entry.get("path") and "://" not in entry["path"]:
            names = names_beside(Path(paths.sources / entry["path"]), summary.labels)
    found = classes(summary.labels, names, _LEAST_CLASS)
    if wishes.labels:
        found = replace(found, counts={name: found.counts.get(name, 0) for name in wishes.labels})
    if len(found.counts) < _LEAST_CLASSES:
        raise DataError(
            f"Expected at least two classes with {_LEAST_CLASS} documents each, got "
            f"{len(found.counts)} in {summary.documents} documents. Name another column by "
            "--label, or label more documents."
        )
    texts = [text for text, _ in summary.texts.items]
    return Profile(
        sources, left_out, summary, complete, dict(faults), found,
        languages(texts), unspaced_share(texts),
    )  # fmt: skip


def _count(
    entry: Entry, params: Params, paths: Paths, summary: Summary, faults: Counter[str]
) -> bool:
    """Adds the documents of one source; returns True if all were read."""
    reader = open_source(_source(entry, params), paths)
    before = summary.documents, summary.characters
    with closing(reader.read(reader.pin())) as documents:
        for raw in track(documents, f"counting {entry['name']}"):
            if summary.documents - before[0] >= ROWS_COUNTED:
                return False
            if summary.characters - before[1] >= CHARACTERS_COUNTED:
                return False
            if raw.fault:
                faults[raw.fault] += 1
            else:
                side = getattr(raw, "part", None) or entry.get("fixed_part")
                summary.add(raw.text.strip(), raw.label, side)
    return True


def _source(entry: Entry, params: Params) -> Source:
    return Source.model_validate({"limits": params.ingest.limits, **entry})


def languages(texts: Iterable[str]) -> dict[str, float]:
    """Detects the languages of texts: code -> share of the texts long enough, frequent first."""
    detect = text_quality.language_of(_LANGUAGE_CHARACTERS, _LANGUAGE_SCORE)
    codes = Counter(code for text in texts if (code := detect(text)) != text_quality.SHORT)
    total = codes.total()
    return {code: number / total for code, number in codes.most_common()}
