"""Searches files for personal data and for planted strings (canaries): `newsloop audit`.

A report holds counts and locations, never a value. Exact search finds canaries in any encoding.
The scrubber finds personal data. Its structured entities (an e-mail address, a card number) are
certain. Names of persons are the estimate of a convolutional tagger, and are counted separately.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, cast

import polars as pl

from components.core.audit import readers
from components.core.audit.canaries import LONGEST, Canaries
from components.core.audit.readers import CHUNK, Piece
from components.core.errors import UsageError
from components.core.params import Params
from components.core.progress import track
from components.core.scrub import Finding, Scrubber

__all__ = ["CANARY", "STATISTICAL", "Canaries", "Hit", "Report", "findings", "scan", "searcher"]

CANARY = "canary"
STATISTICAL = frozenset({"PERSON"})
_BATCH = 64  # pieces searched by the scrubber at a time
_LONGEST_PIECE = 20_000  # characters; longer ones are cut into such parts
_OVERLAP = 200  # characters that two parts share
_UNREADABLE = (
    OSError, EOFError, ValueError, sqlite3.Error, zipfile.BadZipFile, zlib.error,
    pl.exceptions.PolarsError,
)  # fmt: skip
_IN_MEMORY = 256 * 1024 * 1024  # bytes of an unpacked file; more goes to a nameless file
_DEEPEST = 4  # archives in archives
# Machine-written values that recognizers mistake for numbers of people: hashes, UUIDs, times, long
# fractions, pseudonyms of documents that have digits only. Placeholders of the scrubber are no
# findings either.
_MACHINE_VALUES = re.compile(
    r"(?<![0-9A-Za-z])(?:anon-[0-9a-f]{16}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}"
    r"|(?=[0-9]*[a-f])[0-9a-f]{16}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9A-Za-z])"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?|\d{8}T\d{6}Z"
    r"|-?\d+\.\d{4,}(?:[eE][+-]?\d+)?|<[A-Z][A-Z_]+(?:_[0-9a-f]{12})?>"
)


class PersonFinder(Protocol):
    """The part of components.core.scrub.Scrubber that an audit calls."""

    def find_many(self, texts: Sequence[str]) -> list[list[Finding]]: ...


@dataclass(frozen=True, order=True)
class Hit:
    """An entity or canary at one location of a file, and its number of occurrences there."""

    file: str
    where: str
    entity: str
    count: int = 1


@dataclass
class Report:
    """The result of an audit.

    Attributes:
        files, bytes: numbers of files and bytes that were searched.
        hits: in the order of the files.
        unread: files that could not be read, with the reason; with one of them the report is not
            clean.
    """

    files: int = 0
    bytes: int = 0
    hits: list[Hit] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Entity -> number of occurrences, the most frequent first."""
        counts: Counter[str] = Counter()
        for hit in self.hits:
            counts[hit.entity] += hit.count
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def clean(self) -> bool:
        return not self.hits and not self.unread


def scan(
    paths: Sequence[Path],
    canaries: Canaries,
    scrubber: PersonFinder | None = None,
    *,
    leave_out: Sequence[Path] = (),
) -> Report:
    """Searches files and folders.

    Args:
        paths: files, or folders with everything below them; links are not followed.
        canaries: planted strings; may be none.
        scrubber: finds personal data; None to look for canaries only.
        leave_out: files and folders that are not searched.

    Raises:
        UsageError: one of `paths` does not exist.
        ScrubError: the scrubber failed, so that there is no report.
    """
    for location in paths:
        if not location.exists():
            raise UsageError(
                f"Expected a file or folder at {location}, found none. Correct the path."
            )
    out = [path.resolve() for path in leave_out]
    files = [
        path
        for path in dict.fromkeys(path for location in paths for path in _files(location))
        if not any(path.resolve().is_relative_to(excluded) for excluded in out)
    ]
    report = Report()
    for path in track(files, "audit", total=len(files), unit="files"):
        hits: Counter[tuple[str, str]] = Counter()
        try:
            size = path.stat().st_size
            for offset, name in canaries.find(os.fsencode(path.name)):
                del offset
                hits["the file's name", f"{CANARY} ({name})"] += 1
            with path.open("rb") as file:
                hits += _search(path, path.name, file, canaries, scrubber, 0)
        except FileNotFoundError:
            continue  # removed during the search: a write-ahead log, an expired page
        except _UNREADABLE as error:
            report.unread.append(f"{path}: {type(error).__name__}")
            continue
        report.files += 1
        report.bytes += size
        report.hits += [Hit(str(path), *location, count) for location, count in hits.items()]
    return report


def searcher(params: Params, entities: Sequence[str]) -> PersonFinder | None:
    """Loads a scrubber with the settings of `params` that finds only `entities`.

    Returns:
        The scrubber; None if `entities` is empty.

    Raises:
        ScrubError: the scrubber cannot be loaded.
    """
    if not entities:
        return None
    masks = dict.fromkeys(entities, "mask")
    return Scrubber(params.ingest.scrub.model_copy(update={"entities": masks}))


def findings(text: str, raw_findings: Iterable[Finding]) -> Iterator[Finding]:
    """Drops loopback, unspecified and link-local IP addresses, which name no person."""
    for finding in raw_findings:
        value = text[finding.start : finding.end]
        if finding.entity != "IP_ADDRESS" or not _is_own(value):
            yield finding


def _search(
    path: Path | None,
    name: str,
    file: IO[bytes],
    canaries: Canaries,
    scrubber: PersonFinder | None,
    depth: int,
) -> Counter[tuple[str, str]]:
    """Counts (location, entity) in a file and in the members of an archive."""
    hits: Counter[tuple[str, str]] = Counter()
    if file.seekable():
        hits += _raw(file, canaries)
        file.seek(0)
    packed = False
    if depth < _DEEPEST:
        for inside, member in readers.members(name, file):
            packed = True
            bare = inside.removesuffix(" unpacked").removesuffix(".gz")
            with _rewindable(member) as content:
                inner = _search(None, bare, content, canaries, scrubber, depth + 1)
            for (where, entity), count in inner.items():
                hits[f"{inside}: {where}", entity] += count
        if file.seekable():
            file.seek(0)
    if packed:
        return hits
    known: set[str] = set()
    coded = _is_coded(file)
    pieces = readers.pieces(path, name, file)
    _take(pieces, hits, canaries if coded else None, scrubber, known)
    if coded == "sqlite" and scrubber is not None:
        file.seek(0)
        _take(readers.binary(file), hits, None, scrubber, known, raw=True)
    return hits


def _take(
    pieces: Iterator[Piece],
    hits: Counter[tuple[str, str]],
    canaries: Canaries | None,
    scrubber: PersonFinder | None,
    known: set[str],
    *,
    raw: bool = False,
) -> None:
    """Adds the findings in `pieces` to `hits`; the scrubber gets many pieces at a time.

    Args:
        pieces: of one file.
        hits: (location, entity) -> count; changed in place.
        canaries: None where the bytes of the file were searched for them.
        scrubber: None to look for canaries only.
        known: values that earlier pieces of the file hold; changed in place.
        raw: the pieces are bytes of a database. A known value is a live row, any other one deleted.
    """
    batch: list[Piece] = []

    def search() -> None:
        if scrubber is None or not batch:
            return
        texts = [_MACHINE_VALUES.sub(_blank, piece.text) for piece in batch]
        for piece, text, raw_findings in zip(batch, texts, scrubber.find_many(texts), strict=True):
            for finding in findings(text, raw_findings):
                value, entity = text[finding.start : finding.end], finding.entity
                if (raw and value in known) or (not piece.certain and entity in STATISTICAL):
                    continue
                known.add(value)
                location = piece.locate(finding.start)
                hits[f"{location} (deleted)" if raw else location, entity] += 1

    for piece in pieces:
        if canaries is not None:
            for offset, form in canaries.find(piece.text.encode("utf-8", "replace")):
                hits[piece.locate(min(offset, len(piece.text))), f"{CANARY} ({form})"] += 1
        if scrubber is None or piece.pseudonym:
            continue
        batch += _parts(piece)
        if len(batch) >= _BATCH:
            search()
            batch.clear()
    search()


def _parts(piece: Piece) -> Iterator[Piece]:
    """Cuts a piece into overlapping parts of at most _LONGEST_PIECE characters."""
    step = _LONGEST_PIECE - _OVERLAP
    for start in range(0, max(len(piece.text) - _OVERLAP, 1), step):
        text = piece.text[start : start + _LONGEST_PIECE]

        def locate(offset: int, start: int = start) -> str:
            return piece.locate(start + offset)

        yield Piece(text, locate, piece.certain)


def _raw(file: IO[bytes], canaries: Canaries) -> Counter[tuple[str, str]]:
    """Counts canaries in the undecoded bytes, which includes deleted rows of a database."""
    hits: Counter[tuple[str, str]] = Counter()
    offset, rest = 0, b""
    while len(canaries) and (chunk := file.read(CHUNK)):
        content = rest + chunk
        for start, form in canaries.find(content, after=len(rest)):
            hits[f"offset {offset - len(rest) + start}", f"{CANARY} ({form})"] += 1
        offset += len(chunk)
        rest = content[-LONGEST:] if len(chunk) == CHUNK else b""
    return hits


def _is_coded(file: IO[bytes]) -> str:
    """Names the encoding of a file whose bytes differ from those of its texts.

    Returns:
        "sqlite", "other" (Parquet, or not seekable), or "" for plain text.
    """
    if not file.seekable():
        return "other"
    head = file.read(16)
    file.seek(0)
    if head.startswith(readers.SQLITE):
        return "sqlite"
    return "other" if head.startswith(readers.PARQUET) else ""


@contextlib.contextmanager
def _rewindable(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Copies a member of an archive to a seekable file: in memory, if large on disk."""
    if isinstance(file, io.BytesIO):
        yield file
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        while chunk := file.read(CHUNK):
            spool.write(chunk)
        spool.seek(0)
        yield cast("IO[bytes]", spool)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        # The newest rows of an SQLite database are in its write-ahead log.
        for ending in ("-wal", "-journal"):
            beside = root.with_name(root.name + ending)
            if beside.is_file():
                yield beside
        return
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _is_own(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value.strip())
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or address.is_link_local
