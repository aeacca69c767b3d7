"""The last look before documents are learned from: personal data that scrubbing left behind.

Structured entities only (addresses, numbers, secrets): they are certain, and fast to find. A row
that leaks goes to quarantine without its text, and too many such rows stop the run.
"""

from __future__ import annotations

from collections.abc import Callable

from components.core import audit
from components.core.params import Params


def counter(params: Params) -> Callable[[list[str]], list[int]]:
    """Counts the personal data in each of some scrubbed texts; loads its rules at the first.

    Raises:
        ScrubError: when it is called, if a text cannot be searched; nothing goes on then.
    """
    policies = params.ingest.scrub.entities
    wanted = [name for name, policy in policies.items() if policy != "keep"]
    certain = [name for name in wanted if name not in audit.STATISTICAL]
    made: list[audit.Scrubber] = []

    def count(texts: list[str]) -> list[int]:
        if not certain:
            return [0] * len(texts)
        if not made and (searcher := audit.searcher(params, certain)):
            made.append(searcher)
        found = made[0].find_many(texts)
        return [len(list(audit.findings(t, f))) for t, f in zip(texts, found, strict=True)]

    return count
