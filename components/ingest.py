"""Reads what the snapshot pins, scrubs it in the stream, and writes the documents.

    data/sources.json, the sources -> data/01_ingested/documents.parquet  (core/schema.py DOCUMENT)
                                      data/01_ingested/faults.json        rows that cannot be read
                                      data/01_ingested/privacy.json       what was masked, by source

Raw text lives in memory only; the first byte on disk is scrubbed.
"""

from __future__ import annotations

import hmac
import multiprocessing
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from components.core import keys, schema, stage, tables
from components.core import params as parameters
from components.core.errors import ScrubError, SourceError
from components.core.params import Params
from components.core.paths import Paths
from components.core.progress import say, track
from components.core.scrub import Scrubbed, Scrubber, policy_hash
from components.core.scrub_cache import ScrubCache
from components.sources import RawDocument, open_source

_PSEUDONYM_LENGTH = 16  # hexadecimal characters: 64 bits, enough that two people never meet


def pseudonym(author: str | None, secret: bytes) -> str | None:
    """A stable stand-in for a person, which nobody can compute without the secret."""
    if author is None:
        return None
    digest = hmac.digest(secret, author.strip().casefold().encode(), "sha256")
    return digest.hex()[:_PSEUDONYM_LENGTH]


def row(raw: RawDocument, scrubbed: Scrubbed, source: str, secret: bytes) -> dict[str, object]:
    """The document's row, from its raw form and its scrubbed text."""
    return {
        "id": raw.id,
        "text": scrubbed.text,
        "label": raw.label,
        "source": source,
        "time": raw.time,
        "author": pseudonym(raw.author, secret),
    }


def scrub_stream(
    texts: Sequence[str], settings: parameters.Scrub, cache: ScrubCache
) -> Iterator[Scrubbed]:
    """Scrubs `texts` on `settings.workers` processes; yields in their order.

    Raises:
        ScrubError: a text could not be scrubbed, or a worker died; nothing later is yielded.
    """
    known = [cache.get(text) for text in texts]
    missing = [i for i, scrubbed in enumerate(known) if scrubbed is None]
    fresh = _scrub_on_processes([texts[i] for i in missing], settings, cache)
    for scrubbed in known:
        yield scrubbed if scrubbed is not None else next(fresh)


def _scrub_on_processes(
    texts: Sequence[str], settings: parameters.Scrub, cache: ScrubCache
) -> Iterator[Scrubbed]:
    if not texts:
        return
    batches = iter([texts[i : i + settings.batch] for i in range(0, len(texts), settings.batch)])
    context = multiprocessing.get_context("spawn")
    workers = min(settings.workers, -(-len(texts) // settings.batch))
    with ProcessPoolExecutor(workers, context, _start_worker, (settings,)) as pool:
        # A few batches ahead, so that memory does not grow with the data.
        ahead = deque((b, pool.submit(_scrub_batch, b)) for b in islice(batches, 2 * workers))
        try:
            while ahead:
                batch, future = ahead.popleft()
                done = _result(future)
                cache.put(zip(batch, done, strict=True))
                # What the scrubber gave is scrubbed: it is not searched again if it comes back.
                cache.put((clean.text, Scrubbed(clean.text, {})) for clean in done)
                yield from done
                for later in islice(batches, 1):
                    ahead.append((later, pool.submit(_scrub_batch, later)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[list[Scrubbed]]) -> list[Scrubbed]:
    try:
        return future.result()
    except ScrubError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
        raise ScrubError(
            f"Expected a batch of texts to be scrubbed, got {type(error).__name__}. Nothing of it "
            "was kept; texts scrubbed before are remembered, so run again."
        ) from None


_scrubber: Scrubber  # one a worker process


def _start_worker(settings: parameters.Scrub) -> None:
    global _scrubber  # noqa: PLW0603 - a pool's initializer has no other place
    _scrubber = Scrubber(settings)


def _scrub_batch(texts: Sequence[str]) -> list[Scrubbed]:
    return _scrubber.scrub_many(texts)


def read(params: Params, paths: Paths) -> Iterator[tuple[str, RawDocument]]:
    """(source, raw document) pairs, exactly as the snapshot pins them.

    Raises:
        SourceError: the snapshot is of other sources, or a source changed since.
    """
    pins = tables.read_json(paths.snapshot)["sources"]
    expected = [(source.name, source.kind) for source in params.ingest.sources]
    if [(pin["name"], pin["kind"]) for pin in pins] != expected:
        raise SourceError(
            f"Expected a snapshot of the sources {[name for name, _ in expected]}, got one of "
            f"{[pin['name'] for pin in pins]}. Run `newsloop run`, or `python -m "
            "components.snapshot`, to take a new one."
        )
    for source, pin in zip(params.ingest.sources, pins, strict=True):
        for raw in open_source(source, paths).read(pin):
            yield source.name, raw


def privacy(masked: Iterable[tuple[str, Scrubbed]]) -> dict[str, dict[str, int]]:
    """Findings by source and entity: counts, never the values."""
    counts: dict[str, Counter[str]] = {}
    for source, scrubbed in masked:
        counts.setdefault(source, Counter()).update(scrubbed.counts)
    return {source: dict(sorted(found.items())) for source, found in counts.items()}


def run(params: Params, paths: Paths) -> None:
    """The stage: reads, scrubs, writes."""
    secret = keys.pseudonym_key(paths.keys)
    raws = list(read(params, paths))
    cache = ScrubCache(paths.scrub_cache, policy_hash(params.ingest.scrub), secret)
    stream = scrub_stream([raw.text for _, raw in raws], params.ingest.scrub, cache)
    scrubbed = list(track(stream, "ingest: scrubbing", total=len(raws)))
    cache.close()
    rows = [
        row(raw, clean, source, secret) for (source, raw), clean in zip(raws, scrubbed, strict=True)
    ]
    faults = [{"id": raw.id, "reason": raw.fault} for _, raw in raws if raw.fault]
    masked = privacy((source, clean) for (source, _), clean in zip(raws, scrubbed, strict=True))
    tables.write_table(schema.documents(rows), paths.ingested / "documents.parquet")
    tables.write_json(faults, paths.ingested / "faults.json")
    tables.write_json(masked, paths.ingested / "privacy.json")
    say(f"ingest: {len(rows)} documents, {len(faults)} unreadable, masked {masked}")


if __name__ == "__main__":
    sys.exit(stage.main(run))
