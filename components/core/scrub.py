"""Finds personal data in a text and masks it. The only implementation: ingest and service call it.

Presidio does the finding: its pattern recognizers and, for persons, a spaCy model. If anything
raises, nothing passes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core import params as parameters
from components.core.errors import ScrubError

# Raise it when the same settings begin to give other results: cached texts are then scrubbed anew.
RULES = 1


@dataclass(frozen=True, order=True)
class Finding:
    """Personal data in a text: characters [start, end), what it is, how sure (0 to 1)."""

    start: int
    end: int
    entity: str
    score: float


@dataclass(frozen=True)
class Scrubbed:
    """A text with `<ENTITY>` in place of each finding, and how many of each there were."""

    text: str
    counts: dict[str, int]


class Scrubber:
    """Finds and masks personal data by the settings under ingest.scrub.

    Args:
        settings: language, spaCy model, entities, least score.

    Raises:
        ScrubError: the model or a recognizer cannot be loaded; from every method, when a text
            cannot be searched.
    """

    def __init__(self, settings: parameters.Scrub) -> None:
        self._settings = settings
        try:
            self._analyzer = _presidio(settings)
        except Exception as error:
            raise ScrubError(
                f"Expected to load Presidio with the spaCy model {settings.spacy_model}, got: "
                f"{error}. Run `make setup`."
            ) from error

    @classmethod
    def from_params(cls, path: Path | None = None) -> Scrubber:
        """A scrubber with the settings of the params.yaml at `path` (default: the project's)."""
        if path is None:
            from components.core.paths import Paths

            path = Paths.find().params
        return cls(parameters.load(path).ingest.scrub)

    def find(self, text: str) -> list[Finding]:
        """The personal data in `text`, ordered, without overlaps; the surer finding wins."""
        return self.find_many([text])[0]

    def find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
        """`find` for each of `texts`; faster than one by one."""
        settings = self._settings
        try:
            found = self._analyzer.analyze_iterator(
                texts,
                language=settings.language,
                entities=settings.entities,
                score_threshold=settings.min_score,
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
            # The message must not repeat the text, nor must the chained error in a log.
            raise ScrubError(
                f"Expected to search {len(texts)} texts for personal data, got "
                f"{type(error).__name__}. Nothing of them was kept."
            ) from None
        return [_without_overlaps(results) for results in found]

    def scrub(self, text: str) -> Scrubbed:
        """`text` with each finding masked."""
        return self.scrub_many([text])[0]

    def scrub_many(self, texts: Sequence[str]) -> list[Scrubbed]:
        """`scrub` for each of `texts`."""
        return [mask(text, found) for text, found in zip(texts, self.find_many(texts), strict=True)]


def mask(text: str, findings: Iterable[Finding]) -> Scrubbed:
    """`text` with `<ENTITY>` in place of each finding.

    >>> mask("Call Ann now", [Finding(5, 8, "PERSON", 0.9)])
    Scrubbed(text='Call <PERSON> now', counts={'PERSON': 1})
    """
    parts, last, counts = [], 0, Counter[str]()
    for finding in sorted(findings):
        parts += [text[last : finding.start], f"<{finding.entity}>"]
        last = finding.end
        counts[finding.entity] += 1
    return Scrubbed("".join([*parts, text[last:]]), dict(counts))


def policy_hash(settings: parameters.Scrub) -> str:
    """What a scrubbed text depends on besides the text: settings, rules, versions of libraries."""
    from importlib.metadata import version

    policy = {
        "rules": RULES,
        "language": settings.language,
        "model": settings.spacy_model,
        "entities": sorted(settings.entities),
        "min_score": settings.min_score,
        "presidio": version("presidio-analyzer"),
        "spacy": version("spacy"),
    }
    return hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()


def _without_overlaps(results: Iterable[Any]) -> list[Finding]:
    """The findings that stand: of two that overlap the surer, then the longer, then the first."""
    ranked = sorted(results, key=lambda r: (-r.score, r.start - r.end, r.start, r.entity_type))
    kept: list[Finding] = []
    for result in ranked:
        if all(result.end <= other.start or result.start >= other.end for other in kept):
            kept.append(Finding(result.start, result.end, result.entity_type, float(result.score)))
    return sorted(kept)


def _keep_persons_only(nlp: Any) -> None:
    """Leaves spaCy nothing but the recognizer of names; see benchmarks/scrubbing.py.

    Presidio compares the words around a finding with context words by their lemmas; the word in
    lower case stands in for its lemma.
    """
    from spacy.language import Language

    if not Language.has_factory("newsloop_lower_lemma"):

        @Language.component("newsloop_lower_lemma")  # type: ignore[untyped-decorator]
        def lower_lemma(doc: Any) -> Any:
            for token in doc:
                token.lemma_ = token.lower_
            return doc

    nlp.disable_pipes(*(name for name in nlp.pipe_names if name != "ner"))
    nlp.add_pipe("newsloop_lower_lemma")


def _presidio(settings: parameters.Scrub) -> Any:
    import logging

    import tldextract
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    # By default Presidio's e-mail recognizer fetches the public suffix list from the network.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True
    )
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    ner = NerModelConfiguration(
        model_to_presidio_entity_mapping={"PERSON": "PERSON"}, default_score=0.85
    )
    engine = SpacyNlpEngine(
        models=[{"lang_code": settings.language, "model_name": settings.spacy_model}],
        ner_model_configuration=ner,
    )
    engine.load()
    _keep_persons_only(engine.nlp[settings.language])
    registry = RecognizerRegistry(supported_languages=[settings.language])
    registry.load_predefined_recognizers(languages=[settings.language], nlp_engine=engine)
    analyzer = AnalyzerEngine(
        registry=registry, nlp_engine=engine, supported_languages=[settings.language]
    )
    known = set(analyzer.get_supported_entities(settings.language))
    unknown = sorted(set(settings.entities) - known)
    if unknown:
        raise ScrubError(f"no recognizer for {unknown}; known are {sorted(known)}")
    # Recognizers of entities that nobody asked for only cost time.
    registry.recognizers = [
        recognizer
        for recognizer in registry.recognizers
        if set(recognizer.supported_entities) & set(settings.entities)
    ]
    return BatchAnalyzerEngine(analyzer_engine=analyzer)
