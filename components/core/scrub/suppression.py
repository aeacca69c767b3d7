"""The suppression list: keyed hashes of erased subjects, whose documents ingest leaves out.

    .newsloop/suppression.json  the list of this installation; every run uses it, in any clone
    data/suppression.json       the same in git, so that DVC runs ingest again when it grows, and a
                                clone of the repository has it too

The hashes have their own key, keys/suppression.key, which is never rotated: the list cannot be
hashed again under another key, because it holds no names. With a list of another key, ingest fails,
since it cannot match subjects.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from components.core import keys, tables
from components.core.errors import DataError, UsageError
from components.core.paths import Paths
from components.core.scrub import pseudonyms
from components.core.scrub.labels import UnknownLabels

Kind = Literal["author", "email", "document"]
KINDS: tuple[Kind, ...] = ("author", "email", "document")
EMPTY: dict[str, Any] = {"key": None, "rotations": 0, "subjects": []}
_KEY_ID = "newsloop suppression list"


class Document(Protocol):
    """The fields of a raw document that suppression reads; see components.sources.RawDocument."""

    id: str
    text: str
    label: str | None
    author: str | None


D = TypeVar("D", bound=Any)


@dataclass(frozen=True)
class Subject:
    """An erased person or document, as the command names it.

    Attributes:
        kind: author (as the source names them), email (an address), document (an id).
        key: the name, address or id; it reaches no disk and no log.
    """

    kind: Kind
    key: str

    @classmethod
    def of(cls, key: str, kind: str | None = None) -> Subject:
        """Makes a subject; without `kind`, an e-mail address is an email, "a/b" a document's id.

        Raises:
            UsageError: `key` is empty, or `kind` is none of KINDS.

        >>> [Subject.of(key).kind for key in ("Ann", "ann@example.org", "mine/12")]
        ['author', 'email', 'document']
        """
        if kind is not None and kind not in KINDS:
            raise UsageError(f"Expected one of {', '.join(KINDS)} as the kind, got {kind}.")
        key = key.strip()
        if not key:
            raise UsageError("Expected an author, an e-mail address or a document's id, got none.")
        guess: Kind = "document" if "/" in key else "author"
        if pseudonyms.EMAIL.fullmatch(key):
            guess = "email"
        chosen: Kind = next((listed for listed in KINDS if listed == kind), guess)
        if chosen == "email" and not pseudonyms.EMAIL.fullmatch(key):
            raise UsageError("Expected an address such as ann@example.org, got another text.")
        return cls(chosen, key)

    def hash(self, secret: bytes) -> str:
        """Computes the entry of the list: 64 hexadecimal characters."""
        # An id has one spelling; names and addresses have many.
        value = self.key if self.kind == "document" else pseudonyms.person(self.key)
        return pseudonyms.keyed(f"{self.kind}\0{value}", secret)

    def hashes(self, secret: bytes) -> set[str]:
        """Returns the hashes that the list may hold: the current one, and those of before."""
        folded = unicodedata.normalize("NFKC", self.key).strip().casefold()
        forms = {folded} if self.kind == "document" else {folded, pseudonyms.normal(self.key)}
        before = {pseudonyms.keyed(f"{self.kind}\0{form}", secret) for form in forms}
        return {self.hash(secret), *before}


class SuppressionFilter:
    """Filters documents of erased subjects, and pseudonymises ids and labels of the others.

    Args:
        subjects: keyed hashes, by kind.
        suppression_key: of these hashes.
        pseudonym_key: of the pseudonyms of ids and labels that are not plain.
        labels: the known classes.

    Attributes:
        left_out: number of documents of erased subjects.
        unknown_labels: labels that were replaced by a pseudonym.
    """

    def __init__(
        self,
        subjects: Iterable[tuple[str, str]],
        suppression_key: bytes,
        pseudonym_key: bytes,
        labels: Iterable[str],
    ) -> None:
        self._hashes = frozenset(subject_hash for _, subject_hash in subjects)
        self._by_email = any(kind == "email" for kind, _ in subjects)
        self._suppression_key, self._pseudonym_key = suppression_key, pseudonym_key
        self._labels = frozenset(labels)
        self.left_out = 0
        self.unknown_labels = UnknownLabels()

    @classmethod
    def load(cls, paths: Paths, labels: Iterable[str]) -> SuppressionFilter:
        """Loads the guard of this installation.

        Raises:
            DataError: as `read`.
        """
        subjects = [(entry["kind"], entry["hash"]) for entry in read(paths)["subjects"]]
        return cls(
            subjects, keys.suppression_key(paths.keys), keys.pseudonym_key(paths.keys), labels
        )

    def admit(self, raw: D) -> D | None:
        """Returns `raw` with an id and a label that name nobody; None for an erased subject.

        Args:
            raw: a named tuple with the fields of `Document`; its text is not changed.
        """
        plain_id = pseudonyms.plain_id(raw.id, self._pseudonym_key, self._labels)
        if self._hashes and self._is_suppressed(raw, plain_id):
            self.left_out += 1
            return None
        label = pseudonyms.plain_label(raw.label, self._pseudonym_key, self._labels)
        if plain_id == raw.id and label == raw.label:
            return raw
        if label is not None and label != raw.label:
            self.unknown_labels.add(label, str(raw.label))
        replaced: D = raw._replace(id=plain_id, label=label)
        return replaced

    def admit_all(self, raws: Iterable[D]) -> Iterator[D]:
        """Yields the admitted documents of `raws`."""
        for raw in raws:
            admitted = self.admit(raw)
            if admitted is not None:
                yield admitted

    def _is_suppressed(self, raw: Document, plain_id: str) -> bool:
        subjects = [Subject("document", document_id) for document_id in {raw.id, plain_id}]
        if raw.author is not None:
            subjects.append(Subject("author", raw.author))
        if self._by_email:
            named = f"{raw.author or ''}\n{raw.id}\n{raw.text}"
            subjects += [Subject("email", address) for address in pseudonyms.emails(named)]
        return any(
            not self._hashes.isdisjoint(subject.hashes(self._suppression_key))
            for subject in subjects
        )


def home_file(paths: Paths) -> Path:
    return paths.home / "suppression.json"


def pinned_file(root: Path) -> Path:
    return root / "data" / "suppression.json"


def read(paths: Paths) -> dict[str, Any]:
    """Reads the union of the list of this installation and the list in git.

    Returns:
        `key` (which key made the hashes; None while there is none), `rotations` (how often the
        pseudonym key was replaced), `subjects` (kind, hash, time of each), sorted.

    Raises:
        DataError: a file is no such list, or names people by the hashes of another key.
    """
    ours = pseudonyms.keyed(_KEY_ID, keys.suppression_key(paths.keys))[:16]
    subjects: dict[str, dict[str, str]] = {}
    rotations = 0
    for file in (home_file(paths), pinned_file(paths.root)):
        if not file.exists():
            continue
        stored = tables.read_json(file)
        try:
            entries = [
                {k: str(entry[k]) for k in ("kind", "hash", "time")} for entry in stored["subjects"]
            ]
            rotations = max(rotations, int(stored["rotations"]))
        except (TypeError, KeyError, ValueError) as error:
            raise DataError(
                f"Expected {file} to be a list of erased subjects, got something else. Put it back "
                "as git has it; nothing is taken in until then."
            ) from error
        if entries and stored.get("key") != ours:
            raise DataError(
                f"Expected {file} to be made with the key {paths.keys / keys.SUPPRESSION}, it was "
                "made with another one. Copy that key here from the machine where people were "
                "erased; without it nobody can tell whom to leave out."
            )
        subjects |= {entry["hash"]: entry for entry in entries}
    ordered = sorted(subjects.values(), key=lambda entry: (entry["time"], entry["hash"]))
    return {"key": ours if ordered else None, "rotations": rotations, "subjects": ordered}


def pin(paths: Paths) -> bool:
    """Writes the union of both lists to both files; returns True if the one in git changed."""
    known = read(paths)
    if known != EMPTY and (
        not home_file(paths).exists() or tables.read_json(home_file(paths)) != known
    ):
        tables.write_json(known, home_file(paths))
    pinned = pinned_file(paths.root)
    if pinned.exists() and tables.read_json(pinned) == known:
        return False
    tables.write_json(known, pinned)
    return True


def add(paths: Paths, subject: Subject, now: datetime) -> bool:
    """Adds `subject` to both files; returns True if it is new."""
    known = read(paths)
    secret = keys.suppression_key(paths.keys)
    subject_hash = subject.hash(secret)
    new = subject_hash not in {entry["hash"] for entry in known["subjects"]}
    if new:
        entry = {"kind": subject.kind, "hash": subject_hash, "time": now.date().isoformat()}
        known["subjects"] = [*known["subjects"], entry]
        known["key"] = pseudonyms.keyed(_KEY_ID, secret)[:16]
        tables.write_json(known, home_file(paths))
    pin(paths)
    return new


def note_rotation(paths: Paths) -> None:
    """Counts a rotation of the pseudonym key, so that ingest runs again."""
    known = read(paths)
    tables.write_json({**known, "rotations": known["rotations"] + 1}, home_file(paths))
    pin(paths)
