"""Scrubs a batch in a worker process, on this machine or on a cluster."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from components.core import params as parameters
from components.core.errors import ScrubError
from components.core.scrub import Scrubbed, Scrubber, policy_hash


@dataclass(frozen=True)
class ScrubWork:
    """Scrubs batches; the scrubber is loaded once a process, with the first batch.

    Attributes:
        settings: ingest.scrub, as JSON.
        policy: `scrub.policy_hash` in the process that made the work. A worker with other rules or
            libraries would scrub differently, so it raises an error.
        secret: key of the pseudonyms; None where the policy has none, so that it need not travel.
    """

    settings: str
    policy: str
    secret: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: parameters.Scrub, secret: bytes) -> ScrubWork:
        needs_key = "pseudonym" in settings.entities.values()
        return cls(settings.model_dump_json(), policy_hash(settings), secret if needs_key else None)

    def __call__(self, texts: Sequence[str]) -> list[Scrubbed]:
        # One batch at a time enters the models, which are not made for threads. The tagger's
        # products are small: two threads for one of them cost half as much again as one thread,
        # and here each process has a core of its own.
        with _one_at_a_time:
            scrubber, libraries = _loaded(self)
            with libraries.limit(limits=1, user_api="blas"):
                return scrubber.scrub_many(texts)


_one_at_a_time = threading.Lock()


@cache
def _loaded(work: ScrubWork) -> tuple[Scrubber, Any]:
    """Loads the scrubber, and a controller of the thread pools of linear algebra libraries."""
    from threadpoolctl import ThreadpoolController

    settings = parameters.Scrub.model_validate_json(work.settings)
    policy = policy_hash(settings)
    if policy != work.policy:
        raise ScrubError(
            f"Expected a worker with the scrubbing rules {work.policy[:12]}, got one with "
            f"{policy[:12]}: another version of newsloop or Presidio. Install the same release on "
            "every machine of the cluster, then run again."
        )
    scrubber = Scrubber(settings, work.secret)
    return scrubber, ThreadpoolController()
