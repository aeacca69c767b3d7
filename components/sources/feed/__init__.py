"""Reads entries of RSS and Atom feeds, from saved files or from a URL.

A feed drops its old entries. Saved files are pinned by their content. A URL is requested for each
snapshot; its new entries are scrubbed at once and stored (store.py), and the pin holds the
sequence number of the last entry. Reading a pin sends no request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from components.core.params import Source
from components.core.paths import Paths
from components.core.scrub import Scrubbed, Scrubber
from components.sources.budget import MIB
from components.sources.feed.entries import FeedEntry, entries
from components.sources.feed.store import SeenEntries
from components.sources.files import StoredReader
from components.sources.http import getter, shown
from components.sources.known_labels import known_labels
from components.sources.packed import ending
from components.sources.reader import Fingerprint, Pin, RawDocument, fingerprint
from components.sources.rows import named_label, text_fault
from components.sources.stores import DIGEST_BYTES, Store

_SUFFIXES = (".xml", ".rss", ".atom")


class Scrubs(Protocol):
    """The part of a scrubber that a feed calls."""

    def scrub_many(self, texts: list[str]) -> list[Scrubbed]: ...


class FeedReader(StoredReader):
    """Makes one document of each entry; a repeated entry of another file or answer is dropped.

    Args:
        source: its entry in params.yaml.
        paths: of the project.
        scrubber: path of params.yaml -> scrubber; called only for new entries of a URL.
    """

    def __init__(self, source: Source, paths: Paths, scrubber: Any = Scrubber.from_params) -> None:
        super().__init__(source, paths)
        self._scrubber = scrubber

    def _state(self) -> Pin:
        if self.source.url is None:
            _, names, marks = self._saved()
            return {"files": len(names), "fingerprint": _over(names, marks)}
        self._look()
        print_, last = Fingerprint(), 0
        for seq, entry in self._seen().read():
            last = seq
            print_.add(self._document(entry))
        return {
            "watermark": last,
            "documents": print_.documents,
            "fingerprint": print_.hexdigest(),
        }

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        if self.source.url is None:
            yield from self._from_saved(pin)
            return
        until = pin.get("watermark")
        if not isinstance(until, int):
            raise self._not_as_pinned("a pin without a watermark", "a feed")
        print_ = Fingerprint()
        for _, entry in self._seen().read(until):
            yield print_.add(self._document(entry))
        if print_.hexdigest() != pin.get("fingerprint"):
            raise self._not_as_pinned(
                f"{print_.documents} seen entries, or others, in {self.paths.feeds}",
                f"{pin.get('documents')} documents",
            )

    def _look(self) -> None:
        """Requests the feed, and stores its new entries scrubbed."""
        url, seen = self.source.url or "", self._seen()
        with getter(self.source, self._error) as http:
            answer = http.get(url, seen.conditions(url))
        if answer.unchanged:
            return
        current = self._entries(answer.body, shown(url), answer.headers.get("content-type", ""))
        fresh = seen.unknown(current)
        clean: list[Scrubbed] = []
        if fresh:
            scrubber: Scrubs = self._scrubber(self.paths.params)
            clean = scrubber.scrub_many([entry.text for entry in fresh])
        nameless = [self._without_names(entry) for entry in fresh]
        headers = answer.headers
        seen.add(
            zip(nameless, clean, strict=True),
            url,
            headers.get("etag"),
            headers.get("last-modified"),
        )

    def _without_names(self, entry: FeedEntry) -> FeedEntry:
        """Removes text and author, and tags that params.yaml does not name."""
        tags = tuple(tag for tag in entry.tags if tag in self._known)
        return replace(entry, text="", tags=tags, author=None)

    def _seen(self) -> SeenEntries:
        return SeenEntries(self.paths.feeds, self.source.name)

    @cached_property
    def _known(self) -> frozenset[str]:
        return known_labels(self.source, self.paths)

    def _entries(self, content: bytes, where: str, kind: str = "") -> list[FeedEntry]:
        self._budget.values(content, (b"<", b"&lt;"))
        try:
            return list(entries(content, kind))
        except ValueError as error:
            raise self._error(
                f"an RSS or Atom feed at {where}", str(error), "Mend `path` or `url`."
            ) from None

    def _document(self, entry: FeedEntry) -> RawDocument:
        fault = text_fault(entry.text)
        if fault is None and len(entry.text.encode()) > self._longest:
            fault = f"the text is longer than {self._longest:,} bytes"
        known = self._known
        tag = next((tag for tag in entry.tags if tag in known), next(iter(entry.tags), None))
        return RawDocument(
            id=self._id(entry.id),
            text="" if fault else entry.text,
            label=named_label(tag, self.source),
            time=entry.time,
            author=entry.author,
            fault=fault,
        )

    def _saved(self) -> tuple[Store, list[str], bytearray]:
        """Lists the names of the saved feeds in order, and the marks of their content."""
        store = self._store
        with self._reading():
            what = store.what()
            if what == "file":
                self._budget.layer().take(store.size())
                return store, [""], bytearray.fromhex(store.mark())
            names: list[str] = []
            marks = bytearray()
            if what == "folder":
                names, marks = store.names(ending(_SUFFIXES), self._budget)
        if not names:
            raise self._error(
                f"a feed, or a folder of feeds ({', '.join(_SUFFIXES)}), at {store.shown}",
                "none",
                "Put it there, or mend `path` in params.yaml.",
            )
        return store, names, marks

    def _from_saved(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        store, names, marks = self._saved()
        current = _over(names, marks)
        if current != pin.get("fingerprint"):
            raise self._not_as_pinned(current, pin.get("fingerprint"))
        seen: set[str] = set()
        for place, name in enumerate(names):
            where = f"{store.shown}/{name}".rstrip("/")
            with self._reading():
                size = store.size(name)
                self._not_too_large(size, where)
                with store.open(name) as file:
                    content = file.read(size + 1)
                if store.mark(name) != _mark(marks, place):
                    raise self._not_as_pinned(f"another content of {where}", _mark(marks, place))
            for entry in self._entries(content, where):
                if entry.id not in seen:
                    seen.add(entry.id)
                    yield self._document(entry)

    def _not_too_large(self, size: int, where: str) -> None:
        limits = self.source.limits
        if limits and size > limits.answer_mib * MIB:
            raise self._error(
                f"a feed of at most {limits.answer_mib} MiB at {where}",
                f"{size:,} bytes",
                "Remove it, or raise answer_mib under `limits`.",
            )


def _mark(marks: bytearray, place: int) -> str:
    return marks[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES].hex()


def _over(names: list[str], marks: bytearray) -> str:
    return fingerprint({name: _mark(marks, place) for place, name in enumerate(names)})
