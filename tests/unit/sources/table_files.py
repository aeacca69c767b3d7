"""Reads small files of rows in tests: documents, records, or the one paragraph of a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SourceError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import RawDocument, SourceReader, open_source

SECRET = "SECRET"  # stands in rows, and must stand in no message
TWO = [("one", "a"), ("two", "b")]  # text and label of the documents that most files hold


def opened(root: Path, name: str, content: bytes, kind: str, **settings: Any) -> SourceReader:
    """The reader of a file that is written to `root`."""
    (root / name).write_bytes(content)
    source = Source.model_validate({"name": "s", "kind": kind, "path": name, **settings})
    return open_source(source, Paths(root, root / ".newsloop"))


def read(reader: SourceReader) -> list[RawDocument]:
    """All documents, read twice by two pins that are equal."""
    pin = reader.pin()
    documents = list(reader.read(pin))
    assert reader.pin() == pin and list(reader.read(pin)) == documents
    return documents


def labelled(documents: list[RawDocument]) -> list[tuple[str, str | None]]:
    assert [document.fault for document in documents] == [None] * len(documents)
    return [(document.text, document.label) for document in documents]


def refusal(reader: SourceReader) -> str:
    """The message of the SourceError that reading ends with: one paragraph without any value."""
    with pytest.raises(SourceError) as error:
        list(reader.read(reader.pin()))
    message = str(error.value)
    assert "\n" not in message and SECRET not in message and "Traceback" not in message
    assert message.startswith("Source s: expected ")
    return message
