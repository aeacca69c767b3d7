"""Counts personal data that scrubbing left behind, before a model is trained on the documents.

The test searches for structured entities only (addresses, numbers, secrets): they are certain, and
fast to find. A row that leaks goes to quarantine without its text; too many bad rows refuse the
table.
"""

from __future__ import annotations

from collections.abc import Callable

from components.core import audit
from components.core.params import Params


def counter(params: Params) -> Callable[[list[str]], list[int]]:
    """Makes a function: scrubbed texts -> number of findings in each; its first call loads rules.

    Raises:
        ScrubError: from the function, if a text cannot be searched.
    """
    policies = params.ingest.scrub.entities
    wanted = [name for name, policy in policies.items() if policy != "keep"]
    certain = [name for name in wanted if name not in audit.STATISTICAL]
    loaded: list[audit.PersonFinder] = []

    def count(texts: list[str]) -> list[int]:
        if not certain:
            return [0] * len(texts)
        if not loaded and (searcher := audit.searcher(params, certain)):
            loaded.append(searcher)
        findings = loaded[0].find_many(texts)
        return [len(list(audit.findings(t, f))) for t, f in zip(texts, findings, strict=True)]

    return count
