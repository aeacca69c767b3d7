"""Reads the documents that the snapshot pins, scrubs them as a stream, and writes them.

    data/sources.json, the sources -> data/01_ingested/documents.parquet  (core/schema.py DOCUMENT)
                                      data/01_ingested/faults.json        rows that cannot be read
                                      data/01_ingested/privacy.json       findings by source, entity

Raw text is in memory only; every byte on disk is scrubbed. Documents pass in batches, so memory
does not grow with their number. The table does not depend on the number or kind of workers.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from components.core import keys, schema, stage, tables
from components.core import params as parameters
from components.core.errors import SourceError
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say, track
from components.core.scrub import Scrubbed, counts_of, policy_hash, separated, unsearched_note
from components.core.scrub.cache import ScrubCache
from components.core.scrub.pseudonyms import pseudonym
from components.core.scrub.suppression import SuppressionFilter
from components.core.scrub.work import ScrubWork
from components.core.tables import streams
from components.core.workers import open_workers
from components.core.workers.base import Task, Work, Workers
from components.sources import RawDocument, open_source

_FIELDS = len(RawDocument._fields)
_DROPPED = "DROPPED_DOCUMENTS"  # beside the entities in privacy.json
_BATCHES_AHEAD = 4  # read before the first is written, with any number of workers


@dataclass(frozen=True)
class Batch:
    """Documents of one source, which become one row group.

    Attributes:
        source: name of the source.
        raws: documents; their texts are not scrubbed.
    """

    source: str
    raws: Sequence[RawDocument]

    @property
    def texts(self) -> list[str]:
        return [raw.text for raw in self.raws]


@dataclass
class IngestCounts:
    """Counts of documents and findings, added batch by batch.

    Attributes:
        rows: documents that are written.
        faults: id and reason of each row that could not be read.
        masked: source -> counts of findings by entity, of documents that the policy dropped, and
            of documents in which names were not searched, by language; never a value.
    """

    rows: int = 0
    faults: list[dict[str, str]] = field(default_factory=list)
    masked: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, batch: Batch, scrubbed: Sequence[Scrubbed], unknown: str = "rules") -> None:
        """Adds a batch; `unknown`: the policy for languages without a tagger."""
        self.faults += [{"id": raw.id, "reason": raw.fault} for raw in batch.raws if raw.fault]
        counts = self.masked.setdefault(batch.source, Counter())
        dropped = 0
        for clean in scrubbed:
            if clean.counts or clean.unsearched:
                counts.update(counts_of(clean))
                dropped += clean.dropped
        if unknown == "quarantine":
            self.faults += [
                {"id": raw.id, "reason": f"names not searched ({clean.unsearched})"}
                for raw, clean in zip(batch.raws, scrubbed, strict=True)
                if clean.unsearched and not clean.dropped
            ]
        self.rows += len(scrubbed) - dropped
        if dropped:
            counts[_DROPPED] += dropped

    @property
    def privacy(self) -> dict[str, dict[str, int]]:
        return {source: dict(sorted(counts.items())) for source, counts in self.masked.items()}


def columns(batch: Batch, scrubbed: Sequence[Scrubbed], secret: bytes) -> dict[str, Sequence[Any]]:
    """Converts a batch to columns of DOCUMENT, with scrubbed texts and pseudonyms.

    A document that the policy drops has no row.
    """
    raws = batch.raws
    if any(clean.dropped for clean in scrubbed):
        raws = [raw for raw, clean in zip(raws, scrubbed, strict=True) if not clean.dropped]
    ids, _, labels, times, authors, _, parts = zip(*raws, strict=True) if raws else [()] * _FIELDS
    return {
        "id": ids,
        "text": [clean.text for clean in scrubbed if not clean.dropped],
        "label": labels,
        "source": [batch.source] * len(ids),
        "time": times,
        "author": [pseudonym(author, secret) for author in authors],
        "part": parts,
    }


def read(
    params: Params, paths: Paths, guard: SuppressionFilter | None = None
) -> Iterator[tuple[str, Iterator[RawDocument]]]:
    """Yields (source, raw documents), as the snapshot pins them, without erased subjects.

    Args:
        params, paths: of the project.
        guard: filters them; None for the one of this installation.

    Raises:
        SourceError: the snapshot has other sources, or a source changed since the snapshot.
    """
    pins = tables.read_json(paths.snapshot)["sources"]
    expected = [(source.name, source.kind) for source in params.ingest.sources]
    if [(pin["name"], pin["kind"]) for pin in pins] != expected:
        raise SourceError(
            f"Expected a snapshot of the sources {', '.join(name for name, _ in expected)}, got "
            f"one of {', '.join(pin['name'] for pin in pins)}. Run `newsloop run`, or `python -m "
            "components.snapshot`, to take a new one."
        )
    guard = guard or SuppressionFilter.load(paths, params.ingest.labels)
    for source, pin in zip(params.ingest.sources, pins, strict=True):
        yield source.name, guard.admit_all(open_source(source, paths).read(pin))
    if guard.left_out:
        say(f"ingest: {guard.left_out} documents of erased subjects left out")


def batches(
    sources: Iterable[tuple[str, Iterable[RawDocument]]], settings: parameters.Stream
) -> Iterator[Batch]:
    """Groups documents into batches that end at `rows` documents or `characters` characters.

    The ends of the batches, and so the bytes of the table, depend on the documents alone.
    """
    for source, documents in sources:
        raws: list[RawDocument] = []
        size = 0
        for raw in documents:
            raws.append(raw)
            size += len(raw.text)
            if len(raws) >= settings.rows or size >= settings.characters:
                yield Batch(source, raws)
                raws, size = [], 0
        if raws:
            yield Batch(source, raws)


def scrub_stream(
    stream: Iterable[Batch], piece: int, workers: Workers[Scrubbed], cache: ScrubCache | None
) -> Iterator[tuple[Batch, list[Scrubbed]]]:
    """Yields each batch with its scrubbed texts, in order.

    Args:
        stream: the batches; a few are read ahead, so that no worker waits.
        piece: number of documents in one task of a worker.
        workers: scrub the texts that the cache does not hold.
        cache: of texts that were scrubbed before; None for no cache.

    Raises:
        ScrubError: a text could not be scrubbed, or workers died; nothing later is yielded.
    """
    ahead: deque[_BatchInWork] = deque()
    for batch in stream:
        ahead.append(_submit(batch, piece, workers, cache))
        while (
            sum(len(waiting.tasks) for waiting in islice(ahead, 1, None)) >= workers.ahead
            or len(ahead) > _BATCHES_AHEAD
        ):
            yield _collect(ahead.popleft(), workers, cache)
    while ahead:
        yield _collect(ahead.popleft(), workers, cache)


@dataclass(frozen=True)
class _BatchInWork:
    """A batch in work: the texts from the cache, and tasks for the missing texts."""

    batch: Batch
    known: list[Scrubbed | None]
    tasks: list[Task[Scrubbed]]


def _submit(
    batch: Batch, piece: int, workers: Workers[Scrubbed], cache: ScrubCache | None
) -> _BatchInWork:
    texts = batch.texts
    known: list[Scrubbed | None] = [None] * len(texts)
    if cache:
        known = cache.get_many(texts)
    missing = [text for text, scrubbed in zip(texts, known, strict=True) if scrubbed is None]
    pieces = [missing[i : i + piece] for i in range(0, len(missing), piece)]
    return _BatchInWork(batch, known, [workers.submit(texts) for texts in pieces])


def _collect(
    waiting: _BatchInWork, workers: Workers[Scrubbed], cache: ScrubCache | None
) -> tuple[Batch, list[Scrubbed]]:
    fresh: list[Scrubbed] = []
    for task in waiting.tasks:
        done = workers.result(task)
        fresh += done
        if cache:
            # Before the next task: if that fails, the next run finds these texts in the cache.
            cache.put(zip(task.batch, done, strict=True))
    rest = iter(fresh)
    scrubbed = [next(rest) if clean is None else clean for clean in waiting.known]
    return waiting.batch, scrubbed


def remembers(settings: parameters.Ingest) -> bool:
    """Tests by ingest.stream.remember if scrubbed texts go to the cache."""
    if settings.stream.remember == "persons":
        return settings.scrub.entities.get("PERSON", "keep") != "keep"
    return settings.stream.remember == "always"


def run(params: Params, paths: Paths, work: Work[Scrubbed] | None = None) -> None:
    """Runs the stage: reads, scrubs, writes.

    Args:
        params, paths: of the project.
        work: scrubs a batch of texts; by default the scrubber with the settings of ingest.scrub.
    """
    settings = params.ingest
    secret = keys.pseudonym_key(paths.keys)
    for partial in paths.ingested.glob(".*.partial"):
        partial.unlink()  # of a run that was killed
    counts = IngestCounts()
    guard = SuppressionFilter.load(paths, settings.labels)
    table = paths.ingested / "documents.parquet"
    with (
        open_cache(settings, paths, secret) as cache,
        open_workers(
            work or ScrubWork.of(settings.scrub, secret),
            settings.scrub.workers,
            settings.stream.attempts,
            settings.stream.cluster_seconds,
        ) as workers,
        streams.TableWriter(table, schema.DOCUMENT, settings.stream.compression) as writer,
    ):
        stream = batches(read(params, paths, guard), settings.stream)
        done = scrub_stream(stream, settings.scrub.batch, workers, cache)
        for batch, scrubbed in track(done, "ingest: scrubbing", size=lambda d: len(d[0].raws)):
            counts.add(batch, scrubbed, settings.scrub.unknown_language)
            writer.write(columns(batch, scrubbed, secret))
        names = guard.unknown_labels.names(lambda texts: workers.result(workers.submit(texts)))
    tables.write_json(counts.faults, paths.ingested / "faults.json")
    tables.write_json(counts.privacy, paths.ingested / "privacy.json")
    (paths.ingested / "labels.json").unlink(missing_ok=True)  # of a run by hand
    if names:
        tables.write_json(names, paths.ingested / "labels.json")
    entities, languages = separated(sum(counts.masked.values(), Counter[str]()))
    masked = sum(entities.values()) - entities.get(_DROPPED, 0)
    say(
        f"ingest: {counts.rows} documents, {len(counts.faults)} unreadable, {masked} pieces of "
        "personal data taken out"
    )
    if note := unsearched_note(languages):
        say(f"ingest: {note} See ingest.scrub.unknown_language and docs/privacy.md.")


def open_cache(
    settings: parameters.Ingest, paths: Paths, secret: bytes
) -> ScrubCache | nullcontext[None]:
    """Opens the cache of scrubbed texts, or an empty context without a cache."""
    if not remembers(settings):
        return nullcontext()
    return ScrubCache(paths.scrub_cache, policy_hash(settings.scrub), secret)


if __name__ == "__main__":
    sys.exit(stage.main(run))
