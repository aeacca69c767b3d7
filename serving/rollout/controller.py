"""Watches versions on trial, and ends what is bad by itself: a challenger, or a new champion.

Each service writes what it counted to the ledger, and each judges the sum of all: whoever is first
acts, the others find it done. A text of our own is computed at each look, so that counts are absent
only when a version does not work. A new champion is on probation for a while after its release.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from components.core.errors import ChampionChanged, NewsloopError, NoWayBack
from components.core.ledger import Champion, Ledger, deployments, trials
from components.core.ledger.counts import Counts
from components.core.ledger.trials import Challenge
from components.core.ledger.verdicts import TrialEvent
from components.core.params import Serve
from serving.models.champion_watcher import WARM_TEXT, Served
from serving.models.predictions import answers
from serving.rollout.challenger import ChallengerWatcher
from serving.rollout.comparison import Comparison, LabelledTexts
from serving.rollout.counters import Counters
from serving.rollout.policy import Evidence, RolloutVerdict, judge
from serving.rollout.router import Models

LOG = logging.getLogger("newsloop.serving")
LAST_WORDS = 2.0  # seconds for the thread to end; the ledger may be away


class RolloutController:
    """A thread that looks every `report_seconds`.

    Args:
        ledger: where counts and verdicts go.
        models: whose `current` is the champion as this service has it.
        challenger: the challenger as this service has it.
        counters: what was counted here.
        texts: what two models say of labelled texts.
        limits: the numbers of params.yaml.
        now: the clock, UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        models: Models,
        challenger: ChallengerWatcher,
        counters: Counters,
        texts: LabelledTexts,
        limits: Serve,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger, self._models, self._challenger = ledger, models, challenger
        self._counters, self._texts = counters, texts
        self._limits, self._now = limits.challenger, now
        self._began = now()  # nobody could count before
        self._probes: dict[str, Future[object]] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="probe")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollout-controller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(LAST_WORDS)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._texts.close()

    def look(self) -> None:
        """Counts, judges, acts.

        Raises:
            LedgerError: the ledger is away; what was counted is not kept.
        """
        now, counts = self._now(), self._counters.take()
        champion, challenge = self._ledger.champion(), trials.newest(self._ledger)
        running = challenge is not None and challenge.running
        probation = champion is not None and self._on_probation(champion, now)
        shadows = self._challenger.take_rows()
        if not running and not probation:
            self._probes.clear()
            self._texts.clear()
            return
        trial = self._challenger.current
        served = [self._models.current, trial.served if trial is not None else None]
        for model in served:
            if model is not None:
                self._probe(model)
        trials.observe(self._ledger, counts, now)
        trials.add_shadows(self._ledger, shadows)
        if challenge is not None and running:
            self._judge_challenge(challenge, champion, now)
        if champion is not None and probation:
            self._judge_champion(champion, now)

    def _on_probation(self, champion: Champion, now: datetime) -> bool:
        since = now - champion.time
        # A version that stands again has served before: nothing is left to go back to but older.
        returned = champion.returns_to is not None
        return not returned and since < timedelta(seconds=self._limits.probation_seconds)

    def _probe(self, served: Served) -> None:
        """Computes one text on a thread of its own; one that hangs counts as an error each time."""
        bundle = served.bundle
        last = self._probes.get(bundle.name)
        if last is not None and not last.done():
            self._counters.add(bundle.name, Counts(batches=1, errors=1))
            return
        self._probes[bundle.name] = self._pool.submit(
            self._counters.compute, bundle.name, 1, lambda: answers(bundle, [WARM_TEXT]), probe=True
        )

    def _judge_champion(self, champion: Champion, now: datetime) -> None:
        begin = max(champion.time, self._began)
        ours, last = trials.observed(self._ledger, champion.bundle, champion.time)
        evidence = Evidence(
            ours,
            labelled=self._compare(champion.bundle, self._before(champion), champion.time),
            silent_seconds=_seconds(now, max(begin, last or begin)),
        )
        verdict, reason = judge(evidence, self._limits, float("inf"))
        if verdict != RolloutVerdict.FAILED:
            return
        why = f"returned by itself: {champion.tag}: {reason}"
        try:
            back = deployments.roll_back(self._ledger, champion, now, why)
        except (NoWayBack, ChampionChanged):  # nobody served before, or another service was first
            return
        LOG.error("%s failed (%s): %s serves again.", champion.tag, reason, back["tag"])

    def _before(self, champion: Champion) -> str | None:
        """The bundle that serves again when the champion fails; None if there is none."""
        try:
            leaving, before = deployments.way_back(self._ledger)
        except NoWayBack:
            return None
        return str(before["bundle"]) if leaving.seq == champion.seq else None

    def _compare(self, bundle: str, other: str | None, since: datetime) -> Comparison:
        """Both on the texts that people labelled since then, once there are enough."""
        if other is None:
            return Comparison()
        rows = trials.labelled_texts(self._ledger, since)
        if len(rows) < self._limits.min_labels:
            return Comparison()
        return self._texts.compare(rows, bundle, other)

    def _judge_challenge(
        self, challenge: Challenge, champion: Champion | None, now: datetime
    ) -> None:
        if champion is None or champion.bundle != challenge.champion:
            why = "another version serves since it began"
            trials.go_on(self._ledger, challenge, TrialEvent.STOPPED, why, now)
            return
        refused = self._challenger.refused.get(challenge.id)
        if refused is not None:
            verdict, reason = RolloutVerdict.FAILED, refused
        else:
            evidence = self._evidence(challenge, now)
            seconds = self._limits.step_seconds if challenge.share else self._limits.shadow_seconds
            verdict, reason = judge(evidence, self._limits, seconds)
        if verdict == RolloutVerdict.WAIT:
            return
        if verdict == RolloutVerdict.FAILED:
            event = TrialEvent.FAILED
        elif challenge.step + 1 < len(challenge.shares):
            event = TrialEvent.STEP
        else:
            event = TrialEvent.PROMOTED if challenge.share else TrialEvent.PASSED
        if trials.go_on(self._ledger, challenge, event, f"{event}: {reason}", now):
            say = LOG.error if event == TrialEvent.FAILED else LOG.info
            say("Challenger %s: %s (%s).", challenge.tag, event, reason)

    def _evidence(self, challenge: Challenge, now: datetime) -> Evidence:
        begin = max(challenge.time, self._began)
        ours, last = trials.observed(self._ledger, challenge.bundle, challenge.time)
        other, _ = trials.observed(self._ledger, challenge.champion, challenge.time)
        return Evidence(
            ours,
            other,
            self._compare(challenge.bundle, challenge.champion, challenge.time),
            silent_seconds=_seconds(now, max(begin, last or begin)),
            seconds=_seconds(now, challenge.time),
            shadow=not challenge.share,
        )

    def _run(self) -> None:
        logged = ""
        while not self._stop.wait(self._limits.report_seconds):
            try:
                self.look()
                logged = ""
            except NewsloopError as error:
                if str(error) != logged:
                    logged = str(error)
                    LOG.error("Nothing can be judged: %s", error)
            except Exception as error:  # noqa: BLE001 - the service must outlive any surprise here
                LOG.error("Watching gave %s: %s", type(error).__name__, error)


def _seconds(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()
