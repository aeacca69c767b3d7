"""Profiles data before the first run: what `newsloop init` finds in files, folders and databases.

    address -> locate -> entries -> examine -> columns and roles -> count -> Profile -> propose

All rows come from the readers of components/sources, so limits and budgets hold. Raw rows stay in
memory. Kinds of files: locate.py, databases.py; columns: examine.py, columns.py, names.py,
roles.py; documents: summary.py, classes.py, oddities.py; settings: proposal.py, estimate.py;
what is shown: findings.py, privacy.py.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components import label_noise
from components.core import text_quality
from components.core.errors import DataError, UsageError
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import track
from components.near_duplicates import normalise
from components.profile import databases
from components.profile.classes import NAME_FILES, Classes, classes, names_beside
from components.profile.columns import unspaced_share
from components.profile.examine import ROWS, Examined, Wishes, completed, source_of
from components.profile.file_classes import by_file, with_sides
from components.profile.locate import Entry
from components.profile.summary import DocumentCounts
from components.sources import RawDocument, open_source
from components.sources.rows import document

_CHARACTERS = 1 << 30  # of one source that are counted
_LEAST_DOCUMENTS = 3  # of a class, one for each side of the split
_LEAST_CLASSES = 2
_LANGUAGE_CHARACTERS = 40  # of a text, from which its language is detected
_LANGUAGE_SCORE = 0.5


@dataclass(frozen=True)
class Profile:
    """All that was found.

    Attributes:
        sources: with complete entries.
        left_out: name of a source without texts or labels -> what is missing.
        summary: counts over all documents.
        complete: whether all rows were counted.
        faults: reason -> number of rows that cannot be read.
        classes: proposed classes.
        languages: code -> share of the texts whose language was detected, 0 to 1.
        unspaced: share of letters in scripts without spaces between words, 0 to 1.
        damaged: texts of the sample that were decoded with a wrong encoding.
        noise: estimated share of wrong labels in the sample; None: too few documents.
    """

    sources: Sequence[Examined]
    left_out: Mapping[str, str]
    summary: DocumentCounts
    complete: bool
    faults: Mapping[str, int]
    classes: Classes
    languages: Mapping[str, float]
    unspaced: float
    damaged: int = 0
    noise: label_noise.Noise | None = None


def count(examined: Iterable[Examined], wishes: Wishes, params: Params, paths: Paths) -> Profile:
    """Counts the documents of the sources, as a run would read them.

    Raises:
        SourceError: a source cannot be read.
        UsageError: no source has a column of texts and one of labels.
        DataError: there is no document, or fewer than two classes.
    """
    examined = with_sides(by_file(list(examined)))
    usable = [source for source in examined if source.usable]
    if not usable:
        source = examined[0]
        flag = "--label" if source.roles.text else "--text"
        raise UsageError(
            f"{source.entry['name']}: expected {source.problem}. Name the right column by {flag}."
        )
    summary, faults, complete = DocumentCounts(), Counter[str](), True
    sources = [replace(source, entry=completed(source)) for source in usable]
    for source in sources:
        complete &= _count(source.entry, params, paths, summary, faults)
    if faults.total() >= summary.documents:
        rows = faults.total() + summary.documents
        reason = f": {faults.most_common(1)[0][0]}" if faults else ""
        raise DataError(
            f"Expected readable rows in {sources[0].entry['name']}, got {faults.total()} of {rows} "
            f"rows that cannot be read{reason}. Name other columns by --text and --label, or "
            "repair the data."
        )
    found = _classes(summary, sources, wishes, paths)
    if len(found.counts) < _LEAST_CLASSES:
        raise DataError(
            f"Expected at least {_LEAST_CLASSES} classes with {_LEAST_DOCUMENTS} documents each, "
            f"got {len(found.counts)} in {summary.documents} documents. Name another column by "
            "--label, or label more documents."
        )
    texts = [text for text, _ in summary.texts.items]
    return Profile(
        sources=sources,
        left_out={
            source.entry["name"]: f"expected {source.problem}"
            for source in examined
            if not source.usable and not _names_classes(source, found)
        },
        summary=summary,
        complete=complete,
        faults=dict(faults),
        classes=found,
        languages=languages(texts),
        unspaced=unspaced_share(texts),
        damaged=sum(text_quality.damage(text) > 0 for text in texts),
        noise=_noise(summary, found, params),
    )


def _names_classes(source: Examined, found: Classes) -> bool:
    """Tests if a source is the list that gave numbered classes their names."""
    return bool(found.names) and Path(source.entry.get("path", "")).name.lower() in NAME_FILES


def _noise(summary: DocumentCounts, found: Classes, params: Params) -> label_noise.Noise | None:
    """Estimates the share of wrong labels in the sample, as validation does in the run."""
    labelled = [
        (text, name)
        for text, label in summary.texts.items
        if label is not None and (name := found.names.get(label, label)) in found.counts
    ]
    texts, labels = zip(*labelled, strict=True) if labelled else ((), ())
    needed = params.validate_.noise_class_documents * len(found.counts)
    if len(set(labels)) < _LEAST_CLASSES or len(labels) < needed:
        return None
    folds = [zlib.crc32(normalise(text).encode("utf-8", "replace")) for text in texts]
    return label_noise.estimate(texts, labels, folds)


def _classes(
    summary: DocumentCounts, sources: Sequence[Examined], wishes: Wishes, paths: Paths
) -> Classes:
    names = dict(wishes.names)
    for source in sources:
        path = source.entry.get("path", "")
        if not names and path and "://" not in path:
            names = names_beside(paths.sources / path, summary.labels)
    found = classes(summary.labels, names, _LEAST_DOCUMENTS)
    if not wishes.labels:
        return found
    for label in wishes.labels:
        if label not in found.counts:
            raise UsageError(
                f"Expected classes of the data in --labels, got {label!r}, which has fewer than "
                f"{_LEAST_DOCUMENTS} documents. Check its spelling."
            )
    return replace(found, counts={label: found.counts[label] for label in wishes.labels})


def _count(
    entry: Entry, params: Params, paths: Paths, summary: DocumentCounts, faults: Counter[str]
) -> bool:
    """Adds the documents of one source; returns True if all were read."""
    documents, characters = summary.documents, summary.characters
    for raw in track(_documents(entry, params, paths), f"counting {entry['name']}"):
        if summary.documents - documents >= ROWS or summary.characters - characters >= _CHARACTERS:
            return False
        if raw.fault:
            faults[raw.fault] += 1
        else:
            summary.add(raw.text.strip(), raw.label, raw.part)
    return True


def _documents(entry: Entry, params: Params, paths: Paths) -> Iterator[RawDocument]:
    """Yields the documents of a source; of a database without a pin, which would read all rows."""
    source = source_of(entry, params)
    if entry["kind"] != "sql":
        reader = open_source(source, paths)
        yield from reader.read(reader.pin())
        return
    rows = databases.open_catalog(entry, params, paths).rows(entry["table"], ROWS + 1)
    for number, row in enumerate(rows, 1):
        yield document(row, number, source)


def languages(texts: Iterable[str]) -> dict[str, float]:
    """Detects the languages of texts: code -> share of the texts long enough, frequent first."""
    detect = text_quality.language_of(_LANGUAGE_CHARACTERS, _LANGUAGE_SCORE)
    codes = Counter(code for text in texts if (code := detect(text)) != text_quality.SHORT)
    total = codes.total()
    return {code: number / total for code, number in codes.most_common()}
