"""Rows of a JSON lines file (one object a line, UTF-8), plain or .gz."""

from __future__ import annotations

import json
from collections.abc import Iterator

from components.sources.reader import UNREADABLE, FileReader, RawDocument, open_binary
from components.sources.rows import document, faulty


class JsonlReader(FileReader):
    """A line is a document. Text and label keys must occur in the file; bad lines are marked."""

    def _rows(self) -> Iterator[RawDocument]:
        source, seen, objects = self.source, set[str](), 0
        try:
            with open_binary(self._path()) as lines:
                for number, line in enumerate(lines, start=1):
                    if not line.strip():
                        continue
                    try:
                        row = json.loads(line.decode("utf-8-sig"))
                    except UnicodeDecodeError:
                        yield faulty(str(number), "the line is not valid UTF-8", source)
                        continue
                    except (ValueError, RecursionError):
                        yield faulty(str(number), "the line is no JSON", source)
                        continue
                    if not isinstance(row, dict):
                        yield faulty(str(number), "the line is no JSON object", source)
                        continue
                    objects += 1
                    seen |= row.keys() & {source.text, source.label}
                    yield document(row, number, source)
        except UNREADABLE as error:
            raise self._unreadable(error) from error
        for key in ("text", "label"):
            if objects and getattr(source, key) not in seen:
                raise self._without_column(key)
