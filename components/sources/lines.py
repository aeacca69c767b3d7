"""Reads a text file with a document a line; labels stand in a second file, a label a line.

Without a second file, each line begins with its label: as fastText writes it, `__label__tech The
text`, or as a first word, `tech The text`. The first line decides. Both files may be packed as gz.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import zip_longest
from typing import IO, Any

from components.formats.charsets import decode
from components.sources.files import PinnedFile
from components.sources.packed import gunzipped
from components.sources.reader import Pin, RawDocument, fingerprint
from components.sources.rows import named_label, text_fault
from components.sources.stores import Store, open_store
from components.sources.streams import lines

_PREFIX = "__label__"
_FASTTEXT = re.compile(r"\s*((?:__label__\S+\s+)+)")
_FIRST_WORD = re.compile(r"\s*(\S+\s+)")
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_LABEL = 1000  # bytes
_END = b""  # behind the last line of a file; no line is empty


class LinesReader(PinnedFile):
    """A line is a document; its id is its number."""

    def _state(self) -> Pin:
        pin = super()._state()
        labels = self._labels()
        if labels is not None:
            with self._reading():
                pin["labels"] = fingerprint({labels.name: labels.mark()})
        return pin

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        for before in (True, False):
            labels = self._labels()
            if labels is not None:
                with self._reading():
                    found = fingerprint({labels.name: labels.mark()})
                if found != pin.get("labels"):
                    raise self._not_as_pinned(f"other labels ({found})", pin.get("labels"))
            if before:
                yield from super()._documents(pin)

    def _unpacked(self, file: IO[bytes]) -> Iterator[RawDocument]:
        labels = self._labels()
        texts = self._lines(file, self._store.name)
        if labels is None:
            labelled = None
            for number, text in enumerate(texts, start=1):
                if labelled is None and text:
                    labelled = (
                        _FASTTEXT if text.lstrip().startswith(_PREFIX.encode()) else _FIRST_WORD
                    )
                yield self._with_own_label(number, text, labelled or _FIRST_WORD)
            return
        with labels.open() as opened:
            yield from self._paired(texts, self._lines(opened, labels.name, _LONGEST_LABEL))

    def _paired(
        self, texts: Iterator[bytes | None], labels: Iterator[bytes | None]
    ) -> Iterator[RawDocument]:
        counts, surplus = [0, 0], False
        for number, pair in enumerate(zip_longest(texts, labels, fillvalue=_END), start=1):
            for side, line in enumerate(pair):
                if line != _END:
                    counts[side] = number
            if counts[0] != counts[1]:  # blank lines at the end of one file are no lines
                surplus = surplus or any(line is None or line.strip() for line in pair)
                continue
            label = None if pair[1] is None else decode(pair[1])
            if label is None:
                yield self._faulty(number, "the label is longer than 1,000 bytes, or not decodable")
                continue
            yield self._document(number, pair[0], label.strip() or None)
        if surplus:
            raise self._error(
                f"as many labels in {self.source.labels_path} as texts in {self._shown}",
                f"{counts[0]:,} texts and {counts[1]:,} labels",
                "Give each line of the one file a line of the other.",
            )

    def _with_own_label(
        self, number: int, line: bytes | None, labelled: re.Pattern[str]
    ) -> RawDocument:
        if self.source.fixed_label is not None:
            return self._document(number, line, None)
        text = "" if line is None else decode(line) or ""
        labels = labelled.match(text)
        if line is not None and labels is None:
            before = _PREFIX if labelled is _FASTTEXT else "a label and a space"
            return self._faulty(number, f"the line does not begin with {before}")
        words = labels[1].split() if labels else []
        if len(words) > 1:
            return self._faulty(number, f"the line has {len(words)} labels, a document has one")
        label = words[0].removeprefix(_PREFIX) if words else None
        start = labels.end() if labels else 0
        return self._document(number, None if line is None else text[start:].encode(), label)

    def _document(self, number: int, line: bytes | None, label: str | None) -> RawDocument:
        if line is None:
            return self._faulty(number, f"the text is longer than {self._longest:,} bytes")
        text = decode(line)
        if text is None:
            return self._faulty(number, "the text is in an unknown encoding: save it as UTF-8")
        text = text.strip("\r\n")
        if fault := text_fault(text.strip()):
            return self._faulty(number, fault)
        return RawDocument(self._id(str(number)), text, named_label(label, self.source))

    def _faulty(self, number: int, fault: str) -> RawDocument:
        return RawDocument(self._id(str(number)), "", fault=fault)

    def _lines(self, file: IO[bytes], name: str, most: int | None = None) -> Iterator[bytes | None]:
        """Yields the lines in UTF-8, or in the encoding of the file without a mark."""
        if name.lower().endswith(".gz"):
            file = gunzipped(file, self._budget)
        most = self._longest if most is None else most
        head = file.read(len(codecs.BOM_UTF16_LE))
        file.seek(0)
        if head not in _WIDE_MARKS:
            yield from lines(file, most)
            return
        wide = io.TextIOWrapper(file, "utf-16", newline="\n")
        try:
            for line in iter(partial(wide.readline, most + 1), ""):
                yield line.encode() if len(line) <= most else None
                rest = line if len(line) > most else ""
                while rest and not rest.endswith("\n"):
                    rest = wide.readline(most)
        finally:
            wide.detach()

    def _labels(self) -> Store | None:
        """Opens the store of the file with the labels; None without one."""
        address = self.source.labels_path
        if address is None:
            return None
        try:
            store = open_store(address, self.paths.sources, self.source.allow_outside_files)
            what = store.what()
        except OSError as error:
            raise self._error(
                f"to reach {address}", str(error), "Mend `labels_path` in params.yaml."
            ) from None
        return self._only_file(store, what, "labels_path")
