"""Labels outside ingest.labels: which of them are class names that a message may show.

Ingest writes a pseudonym instead of a label that may name a person. A label is a class name if it
occurs at least twice and the scrubber finds no personal data in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from components.core.params.data import LONGEST_LABEL
from components.core.scrub import Scrubbed

# More than a set of classes has: another column was taken for the label.
_MOST = 1000
# The tagger marks single words more often by mistake than words in a sentence, and the reverse.
_SENTENCE = "The class of this text is {}."

Scrub = Callable[[Sequence[str]], Sequence[Scrubbed]]


class UnknownLabels:
    """Counts labels by their pseudonym; the labels themselves stay in memory."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._labels: dict[str, str] = {}
        self._too_many = False

    def add(self, pseudonym: str, label: str) -> None:
        if self._too_many or len(label) > LONGEST_LABEL:
            return
        self._labels[pseudonym] = label
        self._counts[pseudonym] += 1
        if len(self._labels) > _MOST:
            self._too_many = True
            self._labels.clear()

    def names(self, scrub: Scrub) -> Mapping[str, str]:
        """Returns pseudonym -> label for the class names."""
        frequent = {key: label for key, label in self._labels.items() if self._counts[key] > 1}
        if not frequent:
            return {}
        labels = list(frequent.values())
        alone = scrub(labels)
        inside = scrub([_SENTENCE.format(label) for label in labels])
        return {
            key: label
            for (key, label), *found in zip(frequent.items(), alone, inside, strict=True)
            if not all(scrubbed.counts or scrubbed.dropped for scrubbed in found)
        }
