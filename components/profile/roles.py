"""Chooses the text, label, id, time, author and part among the columns of a sample."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.profile import names
from components.profile.columns import Column, as_text
from components.profile.names import Role

_UNNAMED = re.compile(r"column_\d+")  # columns of a file without a header
_FILLED = 0.5  # share of rows in which a column of texts or labels has a value
_LABEL_CHARACTERS = 80  # mean length of a class name, at most
_LABEL_PROSE = 6  # words of a class name, at most
_CLASS_ROWS = 2  # rows a class, on average, at least
_UNNAMED_CLASSES = 200  # of a column whose name suggests no label
_NUMBERED_CLASSES = 50  # of whole numbers whose name suggests no label
_DECIMAL_CLASSES = 12  # such as ratings in halves
_PROSE = 0.3  # share of values of a text column that are prose
_TEXT_DISTINCT = 0.3  # share of distinct values in a text column
_LONG_SHARE = 0.3  # length of a second text column, relative to the first
_UNNAMED_LONG_SHARE = 0.1  # the same in a table without a header, where no name tells a title
_SAME = 0.7  # share of rows with the same words, and of these words, in a copy of a column
_COPY_WORDS = 0.4  # words of a copy, relative to the longer one of two columns
_PURE = 0.95  # share of values that must fit a role
_SOME = 0.5  # share of values that must look like persons
_CLEAR = 0.75  # difference of scores from which the first candidate is the choice


@dataclass(frozen=True)
class Roles:
    """Columns of a table by role.

    Attributes:
        text: columns that are joined to the text, in order; empty: none is plausible.
        label, id, time, author, part: a column, or None.
        doubts: role -> columns of which another may be meant, the choice first.
    """

    text: tuple[str, ...]
    label: str | None = None
    id: str | None = None
    time: str | None = None
    author: str | None = None
    part: str | None = None
    doubts: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)

    def of(self, column: str) -> Role | None:
        """Returns the role of a column."""
        if column in self.text:
            return Role.TEXT
        singles = (Role.LABEL, Role.ID, Role.TIME, Role.AUTHOR, Role.PART)
        return next((role for role in singles if getattr(self, role) == column), None)


def choose(
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, object]],
    wished: Mapping[Role, Sequence[str]] | None = None,
) -> Roles:
    """Chooses the column or columns of each role.

    A role goes by content first: a column that does not fit is never chosen for its name.

    Args:
        columns: statistics of `rows`.
        rows: flat rows of a sample; used where two columns are compared value by value.
        wished: role -> columns that a person named; an empty sequence: no column.
    """
    wished = wished or {}
    free = {column.name: column for column in columns if column.filled}
    chosen: dict[Role, tuple[str, ...]] = {}
    doubts: dict[Role, tuple[str, ...]] = {}
    for role, named in wished.items():
        chosen[role] = tuple(named)
        for name in named:
            free.pop(name, None)
    for role, rank in (
        (Role.PART, _part), (Role.LABEL, _label), (Role.TEXT, _text),
        (Role.TIME, _time), (Role.ID, _id), (Role.AUTHOR, _author),
    ):  # fmt: skip
        if role in chosen:
            continue
        ranked = _ranked(free.values(), rank)
        if role is Role.LABEL:
            ranked = _without_copies(ranked, free, rows)
        if not ranked:
            continue
        best, score = ranked[0]
        chosen[role] = (best,)
        if role is Role.TEXT:
            chosen[role] = _joined(ranked, free, rows)
        elif role is Role.LABEL:
            rivals = [name for name, other in ranked if score - other < _CLEAR]
            if len(rivals) > 1:
                doubts[role] = tuple(rivals)
        for name in chosen[role]:
            free.pop(name)
    single = {role: chosen.get(role, ()) for role in Role if role is not Role.TEXT}
    return Roles(
        chosen.get(Role.TEXT, ()),
        **{str(role): named[0] if named else None for role, named in single.items()},
        doubts=doubts,
    )


def _ranked(columns: Iterable[Column], score: Callable[[Column], float]) -> list[tuple[str, float]]:
    scored = [(column.name, score(column)) for column in columns]
    # sorted is stable: of equal candidates the first column wins.
    return sorted((pair for pair in scored if pair[1] > 0), key=lambda pair: -pair[1])


def _part(column: Column) -> float:
    """Scores a column of train and test by its values."""
    sides = {names.part_of(v) if len(names.words(v)) == 1 else None for v in column.counts}
    if None in sides or column.scalar < 1:
        return 0.0
    named = names.fit(column.name, Role.PART)
    return 1.0 + named if len(sides) > 1 or named else 0.0


def _label(column: Column) -> float:
    """Scores a column of class names: few distinct short values, and its name."""
    named = names.fit(column.name, Role.LABEL)
    wordy = sum(len(v.split()) > _LABEL_PROSE for v in column.counts) > column.distinct / 2
    if (
        column.distinct < 2  # noqa: PLR2004 - one class is nothing to learn
        or column.filled_share < _FILLED
        or column.characters > _LABEL_CHARACTERS
        or wordy
        or column.filled < _CLASS_ROWS * column.distinct
        or column.nested > _SOME
        or column.times > _SOME
        or column.addresses > _SOME
        or (column.decimal > 0 and column.distinct > _DECIMAL_CLASSES)
    ):
        return 0.0
    numbers = column.whole + column.decimal
    most = _NUMBERED_CLASSES if numbers > _SOME else _UNNAMED_CLASSES
    if not named and column.distinct > most:
        return 0.0
    score = 1.0 + 3.0 * named + (1.0 - column.distinct_share)
    score -= 0.5 * (numbers > _SOME)
    # Two values of a person's name are senders; a property such as a language is a weak guess.
    score -= 1.5 * names.is_metadata(column.name)
    score -= 1.5 * (column.persons > _SOME and not named)
    score -= 1.0 * (names.fit(column.name, Role.ID) > 0 and column.whole > _SOME)
    score -= 1.0 * (names.fit(column.name, Role.AUTHOR) == 1 and not named)
    score -= 1.0 * (column.codes - numbers > _SOME and not named)  # such as product numbers
    return max(score, 0.1)


def _text(column: Column) -> float:
    """Scores a column of texts: long distinct values of several words, and its name."""
    named = names.fit(column.name, Role.TEXT)
    if (
        column.prose < _PROSE
        or column.filled_share < _FILLED
        or column.times > _SOME
        or column.addresses > _SOME
        or column.scalar < _SOME
        or (column.persons > _SOME and not named)
        or (column.distinct_share < _TEXT_DISTINCT and not named)
    ):
        return 0.0
    length = math.log2(1 + column.characters)
    return length * column.prose * (0.5 + 0.5 * column.distinct_share) + 3.0 * named


def _time(column: Column) -> float:
    """Scores a column of times; the time of creation stands before that of a change."""
    if not column.readable_times:
        return 0.0
    changed = {"updated", "modified", "closed", "geandert"}.intersection(names.words(column.name))
    return 1.0 + names.fit(column.name, Role.TIME) - 0.5 * bool(changed)


def _id(column: Column) -> float:
    """Scores a column of unique identifiers."""
    if column.distinct < column.rows or column.prose > 1 - _PURE or column.decimal > 0:
        return 0.0
    named = names.fit(column.name, Role.ID)
    fits = column.codes + column.whole
    if fits < _PURE and named < 1:
        return 0.0
    return fits / 2 + 2.0 * named


def _author(column: Column) -> float:
    """Scores a column of persons: e-mail addresses, handles, names, or numbers that recur."""
    named = names.fit(column.name, Role.AUTHOR)
    contents = max(column.addresses, column.persons)
    if contents >= _SOME:
        return contents + named
    opaque = column.codes + column.whole >= _PURE and column.distinct < column.rows
    return 0.3 if named and opaque and column.prose < 1 - _PURE else 0.0


def _without_copies(
    ranked: list[tuple[str, float]],
    columns: Mapping[str, Column],
    rows: Sequence[Mapping[str, object]],
) -> list[tuple[str, float]]:
    """Removes label columns that name the classes of another one by other values.

    Of number and name of a class the name stays, and takes the better score.
    """
    best: list[tuple[str, float]] = []
    for name, score in ranked:
        twin = next((k for k, (other, _) in enumerate(best) if _mapped(other, name, rows)), None)
        if twin is None:
            best.append((name, score))
        elif columns[best[twin][0]].whole > _SOME > columns[name].whole:
            best[twin] = (name, best[twin][1])
    return best


def _mapped(one: str, other: str, rows: Sequence[Mapping[str, object]]) -> bool:
    """Tests if the values of two columns determine each other."""
    pairs = {(as_text(row.get(one)), as_text(row.get(other))) for row in rows}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 1


def _joined(
    ranked: list[tuple[str, float]],
    columns: Mapping[str, Column],
    rows: Sequence[Mapping[str, object]],
) -> tuple[str, ...]:
    """Adds to the best text column its title, or a second text that is as long."""
    main = columns[ranked[0][0]]
    joined = [main.name]
    for name, _ in ranked[1:]:
        column = columns[name]
        equal = names.fit(name, Role.TEXT) >= names.fit(main.name, Role.TEXT)
        least = _UNNAMED_LONG_SHARE if _UNNAMED.fullmatch(name) else _LONG_SHARE
        long = column.characters >= least * main.characters
        title = names.is_title(name) != names.is_title(main.name)
        if (title or (equal and long)) and not any(_same(other, name, rows) for other in joined):
            joined.append(name)
    order = {name: place for place, name in enumerate(columns)}
    return tuple(sorted(joined, key=lambda name: (not names.is_title(name), order[name])))


def _same(one: str, other: str, rows: Sequence[Mapping[str, object]]) -> bool:
    """Tests if one column mostly repeats the words of another, as a cleaned copy does."""
    repeated = compared = 0
    for row in rows[:200]:
        a, b = (set((as_text(row.get(name)) or "").casefold().split()) for name in (one, other))
        if a and b:
            compared += 1
            short, long = sorted((len(a), len(b)))
            repeated += len(a & b) >= _SAME * short and short >= _COPY_WORDS * long
    return compared > 0 and repeated >= _SAME * compared


def reason(role: Role, column: Column) -> str:
    """Describes the measurement that speaks for a choice."""
    share = f"{column.distinct_share:.0%} distinct"
    return {
        Role.TEXT: f"{column.characters:.0f} characters on average, {share}",
        Role.LABEL: f"{column.distinct} distinct values",
        Role.ID: "unique in each row",
        Role.TIME: "dates or times",
        Role.AUTHOR: "names, addresses or numbers of people",
        Role.PART: ", ".join(sorted(column.counts)),
    }[role]
