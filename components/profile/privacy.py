"""Personal data in what a person is shown: scrubbed examples, names of persons, class names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from components.core import params as parameters
from components.core.params import ENTITIES
from components.core.scrub import Scrubber

PERSON = "PERSON"
PRIVATE_LABEL = "(a label that may be personal data)"
# A sentence in which the tagger marks Jane Roe but not Garden Chair: of products and teams that
# were tried, "wrote this message" had 9 of 16 marked, this one none, and all 12 persons.
_BEFORE, _AFTER = "I bought a ", " last week."
_COVERED = 0.6  # share of a value that the tagger must mark
_LEAST = 3  # documents of a class whose name is shown
# Of these a class name may look like one, such as comp.graphics or @news.
_LIKE_NAMES = frozenset({"STREET_ADDRESS", "PRIVATE_URL", "USER_HANDLE", "DRIVER_LICENSE"})


class ExampleScrubber:
    """Scrubs what is shown, by the project's scrubber.

    In a language without a tagger the scrubber of a run does not search names. Here all that
    looks like a name is masked, as an example may lose words but must not show a person.

    Args:
        settings: ingest.scrub; pseudonyms and dropped documents are masked.
    """

    def __init__(self, settings: parameters.Scrub) -> None:
        masked = {
            entity: policy if policy == "keep" else "mask"
            for entity, policy in settings.entities.items()
        }
        shown = {"entities": masked, "unknown_language": "mask_all"}
        self._scrubber = Scrubber(settings.model_copy(update=shown))
        everything = {"entities": dict.fromkeys(ENTITIES, "mask"), "unknown_language": "mask_all"}
        self._strict = (
            self._scrubber
            if masked == everything["entities"]
            else Scrubber(settings.model_copy(update=everything))
        )

    def scrubbed(self, texts: Sequence[str]) -> list[str]:
        """Masks personal data in examples."""
        return [scrubbed.text for scrubbed in self._scrubber.scrub_many(texts)]

    def are_persons(self, values: Sequence[str]) -> list[bool]:
        """Tests values of a column for names of persons."""
        found = self._strict.find_many([f"{_BEFORE}{value}{_AFTER}" for value in values])
        start = len(_BEFORE)
        return [
            sum(
                max(0, min(finding.end, start + len(value)) - max(finding.start, start))
                for finding in findings
                if finding.entity == PERSON
            )
            >= _COVERED * len(value)
            for value, findings in zip(values, found, strict=True)
        ]

    def labels(self, counts: Mapping[str, int]) -> Callable[[str], str]:
        """Returns a function that formats labels for a person.

        A label with fewer than three documents, an address or number of a person in it, or of a
        person's first and last name, is not shown.
        """
        names = list(counts)
        findings = self._strict.find_many(names)
        private = {
            name
            for name, own in zip(names, findings, strict=True)
            if counts[name] < _LEAST
            or any(finding.entity not in {PERSON, *_LIKE_NAMES} for finding in own)
            or any(
                finding.entity == PERSON
                and (finding.start, finding.end) == (0, len(name))
                and " " in name
                for finding in own
            )
        }
        return lambda name: PRIVATE_LABEL if name in private else name
