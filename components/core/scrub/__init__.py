"""Finds and replaces personal data in texts. The only implementation: ingest, service call it.

    text -> unveil (what a reader sees) -> rules (forms) + tagger (persons, addresses) -> policy

If anything raises, nothing passes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.core import params as parameters
from components.core.errors import NewsloopError, ScrubError
from components.core.scrub import recognizers
from components.core.scrub.confusables import unveil
from components.core.scrub.pseudonyms import keyed_value
from components.core.scrub.recognizers import Span
from components.core.scrub.recognizers.presidio import PresidioRules
from components.core.scrub.taggers import cnn as tagger

PERSON, ADDRESS = "PERSON", "STREET_ADDRESS"
_TAGGED = {"PERSON": PERSON, "ADDRESS": ADDRESS}  # what the tagger's marks are called
_TOKEN_LENGTH = 12  # hexadecimal characters of a pseudonym: 48 bits
_TITLE = re.compile(  # a title belongs to the name: it tells the gender, at least
    r"(?<!\w)(?:mr|mrs|ms|miss|mx|dr|prof|professor|sir|dame|lord|lady|rev|fr|sr|sra|herr|frau|mme|mlle)"
    r"\.?\s{1,2}\Z",
    re.IGNORECASE,
)
_LONGEST_TITLE = 14  # characters
_OF_ADDRESS = re.compile(r"[^\W\d_]{3}|\d{4}")  # a word or a postal code
_PLACEHOLDER = re.compile(rf"<[A-Z][A-Z_]+[A-Z](?:_[0-9a-f]{{{_TOKEN_LENGTH}}})?>")


@dataclass(frozen=True, order=True)
class Finding:
    """Personal data in a text: characters [start, end), what it is, how sure (0 to 1)."""

    start: int
    end: int
    entity: str
    score: float


@dataclass(frozen=True)
class Scrubbed:
    """A text without personal data.

    Attributes:
        text: with a placeholder in place of each finding; empty if the document is dropped.
        counts: how many of each entity there were.
        dropped: the policy says that a document with one of these may not be used at all.
    """

    text: str
    counts: dict[str, int]
    dropped: bool = False


class Scrubber:
    """Finds and replaces personal data by the settings under ingest.scrub.

    Args:
        settings: policy by entity, least scores.
        secret: key of the pseudonyms; needed if the policy has one.

    Raises:
        ScrubError: a recognizer cannot be loaded or the secret is missing; from every method, when
            a text cannot be searched.
    """

    def __init__(self, settings: parameters.Scrub, secret: bytes | None = None) -> None:
        self._settings = settings
        self._policy = {e: p for e, p in settings.entities.items() if p != "keep"}
        self._secret = secret
        if secret is None and "pseudonym" in self._policy.values():
            raise ScrubError(
                "Expected the key of the pseudonyms, as ingest.scrub.entities asks for pseudonyms, "
                "got none. Run `newsloop run` once: it makes the keys."
            )
        try:
            ours = [rule for rule in recognizers.RULES if rule.entity in self._policy]
            others = set(self._policy) - {rule.entity for rule in recognizers.RULES} - {PERSON}
            self._rules = recognizers.RuleSet(ours) if ours else None
            self._presidio = PresidioRules(others) if others else None
            self._tagger = tagger.Tagger() if PERSON in self._policy else None
        except NewsloopError:
            raise
        except Exception as error:
            raise ScrubError(
                f"Expected to load the recognizers of personal data, got: {error}. Run "
                "`make setup`."
            ) from error

    @classmethod
    def from_params(cls, path: Path | None = None) -> Scrubber:
        """A scrubber with the settings of the params.yaml at `path` (default: the project's)."""
        from components.core import keys
        from components.core.paths import Paths, state_of

        path = path or Paths.find().params
        settings = parameters.load(path).ingest.scrub
        needs_key = "pseudonym" in settings.entities.values()
        folder = state_of(path.parent) / "keys"
        return cls(settings, keys.pseudonym_key(folder) if needs_key else None)

    def find(self, text: str) -> list[Finding]:
        """The personal data in `text`, ordered, without overlaps."""
        return self.find_many([text])[0]

    def find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
        """`find` for each of `texts`; faster than one by one."""
        try:
            return self._find_many(texts)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
            # The message must not repeat the text, nor must the chained error in a log.
            raise ScrubError(
                f"Expected to search {len(texts)} texts for personal data, got "
                f"{type(error).__name__}. Nothing of them was kept."
            ) from None

    def scrub(self, text: str) -> Scrubbed:
        """`text` with each finding replaced."""
        return self.scrub_many([text])[0]

    def scrub_many(self, texts: Sequence[str]) -> list[Scrubbed]:
        """`scrub` for each of `texts`."""
        return [
            replace(text, found, self._policy, self._secret)
            for text, found in zip(texts, self.find_many(texts), strict=True)
        ]

    def _find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
        shown = [unveil(text) for text in texts]
        spans = [self._search(one.text) for one in shown]
        if self._tagger is not None:
            marked = self._tagger.mark([one.text for one in shown], self._settings.tagger_threshold)
            for one, found, marks in zip(shown, spans, marked, strict=True):
                found += [
                    Span(_with_title(one.text, m), m.end, _TAGGED[m.kind], m.score)
                    for m in marks
                    if _TAGGED[m.kind] in self._policy and _says_something(one.text, m)
                ]
        return [
            [Finding(*one.span(f.start, f.end), f.entity, f.score) for f in merge(one.text, found)]
            if found
            else []  # most documents, without persons
            for one, found in zip(shown, spans, strict=True)
        ]

    def _search(self, text: str) -> list[Span]:
        found = self._rules.search(text) if self._rules is not None else []
        if self._presidio is not None:
            found += self._presidio.search(text)
        return [span for span in found if span.score >= self._settings.min_score]


def _says_something(text: str, mark: tagger.Mark) -> bool:
    """Whether a marked address may be one: in tables and code, single letters look like some."""
    return mark.kind == PERSON or bool(_OF_ADDRESS.search(text, mark.start, mark.end))


def _with_title(text: str, mark: tagger.Mark) -> int:
    """Where a marked name begins, with its title; where another mark does."""
    if mark.kind != PERSON:
        return mark.start
    title = _TITLE.search(text[max(0, mark.start - _LONGEST_TITLE) : mark.start])
    return mark.start - (len(title[0]) if title else 0)


def merge(text: str, spans: Iterable[Span]) -> list[Span]:
    """Findings without overlaps: those that overlap become one, called as the surest is.

    What stands in a placeholder of an earlier scrubbing is no finding.

    >>> merge("abcdef", [Span(0, 3, "A", 0.5), Span(2, 5, "B", 0.9)])
    [Span(start=0, end=5, entity='B', score=0.9)]
    """
    holes = [hole.span() for hole in _PLACEHOLDER.finditer(text)] if "<" in text else []
    merged: list[list[Span]] = []
    for span in sorted(spans):
        if any(span.start < b and a < span.end for a, b in holes):
            continue
        if merged and span.start < max(other.end for other in merged[-1]):
            merged[-1].append(span)
        else:
            merged.append([span])
    result = []
    for group in merged:
        # A form that was checked says more than a word that looks like a name.
        best = max(group, key=lambda s: (s.entity != PERSON, s.score, s.end - s.start, s.entity))
        result.append(best._replace(start=group[0].start, end=max(span.end for span in group)))
    return result


def replace(
    text: str, findings: Iterable[Finding], policy: Mapping[str, str], secret: bytes | None
) -> Scrubbed:
    """`text` with `<ENTITY>` or `<ENTITY_pseudonym>` in place of each finding.

    >>> replace("Call Ann now", [Finding(5, 8, "PERSON", 0.9)], {}, None)
    Scrubbed(text='Call <PERSON> now', counts={'PERSON': 1}, dropped=False)
    """
    findings = sorted(findings)
    if not findings:
        return Scrubbed(text, {})
    counts = Counter(finding.entity for finding in findings)
    if any(policy.get(finding.entity) == "drop" for finding in findings):
        return Scrubbed("", dict(counts), dropped=True)
    names = _full_names([text[f.start : f.end] for f in findings if f.entity == PERSON])
    parts, last = [], 0
    for finding in findings:
        value = text[finding.start : finding.end]
        mark = finding.entity
        if policy.get(finding.entity) == "pseudonym" and secret is not None:
            meant = names.get(value, value) if finding.entity == PERSON else value
            mark = f"{mark}_{keyed_value(meant, secret)[:_TOKEN_LENGTH]}"
        parts += [text[last : finding.start], f"<{mark}>"]
        last = finding.end
    return Scrubbed("".join([*parts, text[last:]]), dict(counts))


def _full_names(names: Sequence[str]) -> dict[str, str]:
    """Surname -> the one full name in `names` that ends with it: the same person."""
    full: dict[str, set[str]] = {}
    for name in names:
        words = name.split()
        if len(words) > 1:
            full.setdefault(words[-1], set()).add(name)
    return {surname: next(iter(those)) for surname, those in full.items() if len(those) == 1}


def policy_hash(settings: parameters.Scrub) -> str:
    """What a scrubbed text depends on besides the text and the key: settings, rules, weights."""
    from importlib.metadata import version

    policy = {
        "rules": _code(),
        "entities": settings.entities,
        "min_score": settings.min_score,
        "tagger_threshold": settings.tagger_threshold,
        "presidio": version("presidio-analyzer"),
    }
    return hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Hash of the files that decide what is found."""
    here = Path(__file__).parent
    files = [
        *(here / name for name in ("__init__.py", "confusables.py")),
        *sorted((here / "taggers").glob("*.py")),
        *sorted((here / "recognizers").glob("*.py")),
        tagger.WEIGHTS,
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
