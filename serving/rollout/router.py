"""Router of requests: to the champion, or for a share of the callers to the challenger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from components.core.ledger.counts import Counts
from components.core.params import Serve
from serving.errors import Refused, later
from serving.http.limits import RETRY_SECONDS
from serving.metrics import Metrics
from serving.models.batcher import Batcher
from serving.models.champion_watcher import Served
from serving.models.predictions import Answer, answers
from serving.rollout.challenger import ChallengerWatcher
from serving.rollout.counters import Counters

LOG = logging.getLogger("newsloop.serving")


class Models(Protocol):
    """Protocol of ChampionWatcher and of Pinned."""

    current: Served | None


class Router:
    """Routes requests; one model computes a batch, and the answer names it.

    The champion answers instead when the challenger of a canary fails or exceeds its time limit.

    Args:
        models: whose `current` is the champion.
        counters: counts what each model does.
        limits: the numbers of params.yaml.
        metrics: counts and times what is done.

    Attributes:
        challenger: the challenger; None where nothing is followed.
    """

    def __init__(self, models: Models, counters: Counters, limits: Serve, metrics: Metrics) -> None:
        self._models, self._counters, self._limits = models, counters, limits
        self._metrics = metrics
        batch = (
            limits.max_batch, limits.max_wait_ms, limits.batches_at_once,
            metrics.batch, metrics.answered,
        )  # fmt: skip
        self._first = Batcher[Served, Answer](self._by_champion, *batch)
        self._second = Batcher[Served, Answer](self._by_challenger, *batch)
        self.challenger: ChallengerWatcher | None = None

    @property
    def waiting(self) -> int:
        """Texts that wait for a model."""
        return self._first.waiting + self._second.waiting

    def champion(self) -> Served:
        """
        Raises:
            Refused: there is none yet (503).
        """
        if self._models.current is None:
            raise Refused(503, "No model is loaded yet; /readyz says when there is one.")
        return self._models.current

    async def close(self) -> None:
        await self._first.close()
        await self._second.close()

    async def answer(
        self, texts: Sequence[str], caller: str | None = None
    ) -> tuple[Served, Sequence[Answer]]:
        """Returns the model that answered, and its answers.

        Args:
            caller: the id of its key; None: the texts decide whether a canary answers.

        Raises:
            Refused: no model (503), or too many texts wait (429).
        """
        self.champion()
        waiting = self.waiting
        if waiting and waiting + len(texts) > self._limits.max_waiting_texts:
            raise later(
                f"Expected at most {self._limits.max_waiting_texts} texts to wait for the model, "
                f"and {waiting} do already; send this again later.",
                RETRY_SECONDS,
            )
        trial = self.challenger.current if self.challenger is not None else None
        if trial is None or self.challenger is None:
            return await self._first.answer(texts)
        if trial.challenge.share and trial.answers_to(caller or "\n".join(texts)):
            answered = await self._canary(texts, trial.served.bundle.name)
            if answered is not None:
                return answered
        served, given = await self._first.answer(texts)
        self.challenger.offer(texts, given)
        return served, given

    async def _canary(
        self, texts: Sequence[str], bundle: str
    ) -> tuple[Served, Sequence[Answer]] | None:
        """Returns the challenger's answers; None, and a count, where it failed or was too slow."""
        try:
            async with asyncio.timeout(self._limits.challenger.patience_ms / 1000):
                return await self._second.answer(texts)
        except TimeoutError:
            self._counters.add(bundle, Counts(batches=1, errors=1))
        except Exception as error:  # noqa: BLE001 - the counters have it; its text may hold text
            LOG.warning(
                "The challenger gave no answer, the champion does: %s.", type(error).__name__
            )
        return None

    def _by_champion(self, texts: list[str]) -> tuple[Served, Sequence[Answer]]:
        return self._compute(self.champion(), texts)

    def _by_challenger(self, texts: list[str]) -> tuple[Served, Sequence[Answer]]:
        trial = self.challenger.current if self.challenger is not None else None
        if trial is None:
            raise Refused(503, "The trial is over.")
        return self._compute(trial.served, texts)

    def _compute(self, served: Served, texts: list[str]) -> tuple[Served, Sequence[Answer]]:
        name, count = served.bundle.name, len(texts)
        with self._metrics.stage("compute"):
            computed = self._counters.compute(name, count, lambda: answers(served.bundle, texts))
        return served, computed
