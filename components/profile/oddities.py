"""Names what is odd about the data, with its number and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from components.profile.summary import OTHER_PART

if TYPE_CHECKING:
    from components.profile import Profile

_FEW = 30  # documents of a class; with fewer its recall is known to +-0.18 at best
_DOMINANT = 0.7  # share of the largest class
_SHORT = 20  # characters
_SOME = 0.05  # share of all documents from which something is odd
_LISTED = 5
_TIMES = 0.95  # share of dates and times in a column
_HARD = 0.1  # share of the labels
_SEVERAL = 3  # columns of 0 and 1
_MINOR_LANGUAGE = 0.02  # share of the texts


class OddityKind(StrEnum):
    """Kinds of oddities in a data set."""

    FEW_DOCUMENTS = "few documents of a class"
    RARE = "classes left out"
    DOUBT = "several columns fit"
    TIME = "dates that are not read"
    DOMINANT = "dominant class"
    SHORT = "short texts"
    REPEATED = "repeated texts"
    CONTRADICTING = "contradicting labels"
    LANGUAGES = "several languages"
    DAMAGED = "wrong encoding"
    EMPTY = "empty texts"
    UNLABELLED = "no label"
    UNREADABLE = "unreadable rows"
    SPELLINGS = "spellings of labels"
    INVALID = "labels that are no names"
    NUMBERS = "numbers as labels"
    IDENTIFIERS = "labels like identifiers"
    JOINED = "several labels in one"
    PARTS = "values of the split"
    LEFT_OUT = "tables left out"
    PARTIAL = "counts of a part"
    HARD = "labels that a simple model contradicts"
    FILES = "files as classes"
    SEVERAL = "several columns of 0 and 1"


class Oddity(NamedTuple):
    """Something odd.

    Attributes:
        kind: what it is.
        text: sentence for a person, with what newsloop does about it.
    """

    kind: OddityKind
    text: str


def oddities(profile: Profile, shown: Callable[[str], str]) -> list[Oddity]:
    """Lists what is odd.

    Args:
        profile: of the data.
        shown: formats a class name for a terminal.
    """
    return [*_of_labels(profile, shown), *_of_texts(profile), *_of_sources(profile)]


def _of_labels(profile: Profile, shown: Callable[[str], str]) -> Iterator[Oddity]:
    found, summary = profile.classes, profile.summary
    few = {name: number for name, number in found.counts.items() if number < _FEW}
    if few:
        yield Oddity(
            OddityKind.FEW_DOCUMENTS,
            f"{len(few)} of {len(found.counts)} classes have fewer than {_FEW} documents "
            f"({_listed(few, shown)}): little can be proven about them. Label more of them.",
        )
    if found.rare:
        yield Oddity(
            OddityKind.RARE,
            f"{len(found.rare)} classes have fewer than 3 documents ({_listed(found.rare, shown)}) "
            "and are left out: their documents go to quarantine.",
        )
    total = sum(found.counts.values())
    if total and len(found.counts) > 1:
        largest = max(found.counts, key=lambda name: found.counts[name])
        share = found.counts[largest] / total
        if share >= _DOMINANT:
            yield Oddity(
                OddityKind.DOMINANT,
                f"{share:.0%} of the documents are in class {shown(largest)}: judge the model by "
                "macro F1 and by the rare classes, not by accuracy.",
            )
    if found.variants:
        pairs = [
            f"{', '.join(map(shown, others))} counts as {shown(name)}"
            for name, others in list(found.variants.items())[:_LISTED]
        ]
        yield Oddity(
            OddityKind.SPELLINGS,
            f"Labels differ by case or white space only: {'; '.join(pairs)} (`label_names`).",
        )
    if found.invalid:
        yield Oddity(
            OddityKind.INVALID,
            f"{found.invalid} documents have a label that is no class name (more than 200 "
            "characters, or control characters): they go to quarantine.",
        )
    if found.numbers:
        yield Oddity(
            OddityKind.NUMBERS,
            "The labels are numbers without names. Reports and answers show names if you give "
            'them: --labels "0=first name,1=second name".',
        )
    if found.id_like:
        yield Oddity(
            OddityKind.IDENTIFIERS,
            f"The {len(summary.labels)} labels look like identifiers, not like classes. Name "
            "another column by --label if this is none.",
        )
    if found.joined:
        yield Oddity(
            OddityKind.JOINED,
            f"Labels seem to join several classes by {found.joined!r}. A document has one class: "
            "each combination becomes a class of its own.",
        )
    if profile.noise is not None and profile.noise.share > _HARD and profile.noise.worst:
        given, likely = map(shown, profile.noise.worst)
        yield Oddity(
            OddityKind.HARD,
            f"A simple model contradicts about {profile.noise.share:.0%} of the labels, most often "
            f"documents of {given} that look like {likely}: labels are wrong, or these classes are "
            "hard to tell apart. Look at some of them.",
        )
    if summary.unlabelled:
        yield Oddity(
            OddityKind.UNLABELLED,
            f"{summary.unlabelled} of {summary.documents} documents have no label: nothing is "
            "learned from them.",
        )


def _of_texts(profile: Profile) -> Iterator[Oddity]:
    summary = profile.summary
    median = summary.length(0.5)
    if median < _SHORT:
        yield Oddity(
            OddityKind.SHORT,
            f"Half of the texts have {median} characters or fewer: they carry little to learn "
            "from. Join further columns by --text if there are any.",
        )
    if summary.empty:
        yield Oddity(
            OddityKind.EMPTY,
            f"{summary.empty} of {summary.documents} texts are empty: they go to quarantine.",
        )
    if summary.repeated > _SOME * summary.documents:
        yield Oddity(
            OddityKind.REPEATED,
            f"{summary.repeated} of {summary.documents} texts repeat an earlier one: each is used "
            "once.",
        )
    if summary.contradicting:
        yield Oddity(
            OddityKind.CONTRADICTING,
            f"{summary.contradicting} repeated texts have another label than the first one: look "
            "at how they were labelled.",
        )
    if profile.damaged:
        yield Oddity(
            OddityKind.DAMAGED,
            f"{profile.damaged} of {len(summary.texts.items)} texts look as if they were decoded "
            "with a wrong encoding: they go to quarantine. Save the data as UTF-8, or set "
            "validate.damaged: mend.",
        )
    minor = {code: share for code, share in profile.languages.items() if share >= _MINOR_LANGUAGE}
    if len(minor) > 1:
        listed = ", ".join(f"{code} {share:.0%}" for code, share in list(minor.items())[:_LISTED])
        yield Oddity(
            OddityKind.LANGUAGES,
            f"The texts are in several languages ({listed}): one model learns all of them.",
        )


def _of_sources(profile: Profile) -> Iterator[Oddity]:
    summary = profile.summary
    if any("fixed_label" in source.entry for source in profile.sources):
        yield Oddity(
            OddityKind.FILES,
            "The files have texts and no column of labels: the name of each file is the class of "
            "its texts.",
        )
    for source in profile.sources:
        if source.roles.time is None:
            for column in source.columns:
                if column.times >= _TIMES and not column.readable_times:
                    yield Oddity(
                        OddityKind.TIME,
                        f"{source.entry['name']}: the dates in the column {column.name} are not "
                        "read, since their form is ambiguous or rare. To read them, write time and "
                        "time_format into the source's entry.",
                    )
        marks = [column.name for column in source.columns if set(column.counts) == {"0", "1"}]
        if source.roles.label in marks and len(marks) >= _SEVERAL:
            yield Oddity(
                OddityKind.SEVERAL,
                f"{source.entry['name']}: the columns {', '.join(marks)} hold 0 and 1, as several "
                f"labels of a document do. One is learned: {source.roles.label}. --label names "
                "another one.",
            )
        for role, columns in source.roles.doubts.items():
            yield Oddity(
                OddityKind.DOUBT,
                f"{source.entry['name']}: the columns {', '.join(columns)} may each be the {role}; "
                f"{columns[0]} was taken. --{role} names another one.",
            )
    if profile.faults:
        rows = sum(profile.faults.values())
        reasons = sorted(profile.faults.items(), key=lambda item: -item[1])[:_LISTED]
        listed = "; ".join(f"{reason} ({number})" for reason, number in reasons)
        yield Oddity(
            OddityKind.UNREADABLE, f"{rows} rows cannot be read and go to quarantine: {listed}."
        )
    if unknown := summary.parts.get(OTHER_PART):
        yield Oddity(
            OddityKind.PARTS,
            f"{unknown} rows name neither train nor test nor validation in the column of the "
            "official split: they go to quarantine.",
        )
    for name, reason in profile.left_out.items():
        yield Oddity(OddityKind.LEFT_OUT, f"{name} is left out: {reason}.")
    if not profile.complete:
        yield Oddity(
            OddityKind.PARTIAL,
            f"The counts come from the first {summary.documents:,} documents. A class that begins "
            "later is missing in ingest.labels: the run names it.",
        )


def _listed(counts: Mapping[str, int], shown: Callable[[str], str]) -> str:
    items = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(f"{shown(name)} {number}" for name, number in items[:_LISTED]) + more
