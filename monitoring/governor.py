"""Governor: decides between "retrain", "wait" and "alert", and gives the reasons.

A pure policy with a list of rules for each asker. The first rule with an answer decides; without
any, the answer is "retrain". The section `governor` of params.yaml holds the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from components.core.ledger.verdicts import GovernorVerdict, WindowFinding
from components.core.params import Governor


class Asker(StrEnum):
    MONITORING = "monitoring"
    SCHEDULE = "schedule"
    PERSON = "person"


class GovernorRule(StrEnum):
    """The rules that may stop a retraining."""

    BAD_DATA = "bad_data"
    CANNOT_SAY = "cannot_say"
    NO_REASON = "no_reason"
    UNDER_WAY = "under_way"
    CIRCUIT = "circuit"
    TOO_FEW_WINDOWS = "too_few_windows"
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    TOO_FEW_LABELS = "too_few_labels"
    QUIET_HOURS = "quiet_hours"


@dataclass(frozen=True)
class WindowVerdict:
    """Monitoring's finding about a window.

    Attributes:
        finding: the ledger's `windows.verdict`.
        reasons: sentences with numbers.
        enough: False for a window with too few rows. "cannot say" about enough rows is an alert.
        real_drop: test accuracy less the accuracy by labels, in [-1, 1]; None without labels.
        estimated_drop: lower bound of the estimated drop of accuracy against the held-back texts,
            in [-1, 1]; None without a trusted estimate.
        estimated_most: upper bound of the same drop; None likewise.
    """

    finding: WindowFinding
    reasons: tuple[str, ...] = ()
    enough: bool = True
    real_drop: float | None = None
    estimated_drop: float | None = None
    estimated_most: float | None = None


@dataclass(frozen=True)
class History:
    """Earlier events that the rules read.

    Attributes:
        new_labels: number of labels since the champion's snapshot.
        asked: UTC times of the retraining requests of the last 30 days, the newest first.
        moved: for each earlier judged window of the champion, True if it moved; newest first.
        failures: UTC times of the failed retrainings since the last good one, the newest first.
        under_way: sentence about the retraining that runs or is requested; empty without one.
        champion_since: UTC time at which the champion began to serve.
        judged: UTC time of the last judged window; None without one.
    """

    new_labels: int = 0
    asked: tuple[datetime, ...] = ()
    moved: tuple[bool, ...] = ()
    failures: tuple[datetime, ...] = ()
    under_way: str = ""
    champion_since: datetime | None = None
    judged: datetime | None = None


@dataclass(frozen=True)
class GovernorDecision:
    """Governor's answer with its reasons.

    Attributes:
        verdict: retrain, wait or alert; an alert needs a person.
        reasons: a sentence each; the last one is the governor's.
        rule: that decided; the asker, where no rule stopped it.
        moved: True if this window moved, False if not; None if unknown.
    """

    verdict: GovernorVerdict
    reasons: list[str]
    rule: GovernorRule | Asker
    moved: bool | None = None


@dataclass(frozen=True)
class _Case:
    verdict: WindowVerdict
    history: History
    params: Governor
    now: datetime

    def drops(self) -> list[str]:
        """Formats a sentence for each accuracy that fell more than allowed."""
        measures = (
            ("accuracy is {:.3f} below the test side's", self.verdict.real_drop),
            (
                "estimated accuracy is {:.3f} below the held-back texts'",
                self.verdict.estimated_drop,
            ),
        )
        return [
            f"The {measure.format(drop)}; {self.params.max_accuracy_drop:g} is allowed."
            for measure, drop in measures
            if drop is not None and drop > self.params.max_accuracy_drop
        ]

    def harmless(self) -> bool:
        """Returns True if the upper bound of the estimated drop is below `harmless_drop`."""
        bound = self.verdict.estimated_most
        return bound is not None and bound < self.params.harmless_drop and not self.drops()

    def old(self) -> bool:
        """Returns True if the champion is older than `max_age_days`."""
        since, limit = self.history.champion_since, self.params.max_age_days
        return None not in (since, limit) and self.ago(since) > timedelta(days=limit or 0)

    def ago(self, time: datetime | None) -> timedelta:
        """Returns the distance to `time`, never negative; a future time counts as a past one."""
        return abs(self.now - time) if time else timedelta.max


def decide(
    verdict: WindowVerdict,
    history: History,
    params: Governor,
    now: datetime,
    by: Asker = Asker.MONITORING,
) -> GovernorDecision:
    """Decides whether to retrain now.

    Args:
        verdict: of the window; a schedule and a person pass `WindowFinding.NONE`.
        history: earlier events.
        params: limits of the policy.
        now: UTC. A future time in the history (a clock was set back) counts as equally long ago,
            so that it delays retraining for one cooldown at most.
        by: the asker. A schedule needs neither drift nor labels and ignores quiet hours, because
            people chose its time. Only a retraining under way stops a person.
    """
    case = _Case(verdict, history, params, now)
    reasons = [*verdict.reasons, *case.drops()]
    moved = moves(verdict, params)
    for rule in _ASKED[by]:
        if decided := _RULES[rule](case):
            answer, sentence = decided
            return GovernorDecision(answer, [*reasons, sentence], rule, moved)
    return GovernorDecision(GovernorVerdict.RETRAIN, [*reasons, *_grounds(case, by)], by, moved)


def moves(verdict: WindowVerdict, params: Governor) -> bool | None:
    """Returns True for a drop of accuracy or harmful drift, False for neither; None if unknown."""
    case = _Case(verdict, History(), params, datetime.min.replace(tzinfo=UTC))
    if case.drops():
        return verdict.finding != WindowFinding.BAD_DATA or None
    if verdict.finding == WindowFinding.DRIFT and case.harmless():
        return False
    return {WindowFinding.DRIFT: True, WindowFinding.NONE: False}.get(verdict.finding)


def circuit_open(history: History, params: Governor, now: datetime) -> bool:
    """Returns True for `circuit_hours` after `failures` or more failed retrainings in a row."""
    if len(history.failures) < params.failures:
        return False
    return abs(now - history.failures[0]) < timedelta(hours=params.circuit_hours)


_RuleAnswer = tuple[GovernorVerdict, str] | None


def _bad_data(case: _Case) -> _RuleAnswer:
    if case.verdict.finding != WindowFinding.BAD_DATA:
        return None
    return (
        GovernorVerdict.ALERT,
        "Bad data is no drift, and nothing is learned from it: a person must look.",
    )


def _cannot_say(case: _Case) -> _RuleAnswer:
    if case.verdict.finding != WindowFinding.CANNOT_SAY or case.drops():
        return None
    unclear = "Whether there is drift cannot be said; this is no pass"
    if case.verdict.enough:
        return (
            GovernorVerdict.ALERT,
            f"{unclear}, though there are predictions enough: a person must look.",
        )
    since = case.history.judged or case.history.champion_since
    blind = timedelta(hours=case.params.blind_hours)
    if since and case.ago(since) >= blind:
        return GovernorVerdict.ALERT, f"{unclear}, and has not been for {_hours(case.ago(since))}."
    return GovernorVerdict.WAIT, f"{unclear}."


def _no_reason(case: _Case) -> _RuleAnswer:
    if moves(case.verdict, case.params) or case.old():
        return None
    if case.verdict.finding != WindowFinding.DRIFT:
        return GovernorVerdict.WAIT, "There is no reason to retrain."
    return GovernorVerdict.WAIT, (
        f"The drift is harmless: the accuracy is at most {case.verdict.estimated_most:.3f} below "
        f"the held-back texts' as it is estimated, and {case.params.harmless_drop:g} is let be."
    )


def _under_way(case: _Case) -> _RuleAnswer:
    if not case.history.under_way:
        return None
    return GovernorVerdict.WAIT, f"{case.history.under_way}; one at a time is enough."


def _circuit(case: _Case) -> _RuleAnswer:
    if not circuit_open(case.history, case.params, case.now):
        return None
    closes = case.history.failures[0] + timedelta(hours=case.params.circuit_hours)
    return GovernorVerdict.ALERT, (
        f"The last {len(case.history.failures)} retrainings failed, so none is tried before "
        f"{closes:%Y-%m-%d %H:%M} UTC. Look at why, then `newsloop decisions --close-circuit`."
    )


def _too_few_windows(case: _Case) -> _RuleAnswer:
    if case.old():
        return None
    moved = [True, *case.history.moved[: case.params.last_windows - 1]]
    if sum(moved) >= case.params.drifted_windows:
        return None
    return GovernorVerdict.WAIT, (
        f"{sum(moved)} of the last {len(moved)} windows moved; {case.params.drifted_windows} of "
        f"{case.params.last_windows} are needed."
    )


def _cooldown(case: _Case) -> _RuleAnswer:
    if not case.history.asked:
        return None
    ago = case.ago(case.history.asked[0])
    if ago >= timedelta(hours=case.params.cooldown_hours):
        return None
    return GovernorVerdict.WAIT, (
        f"A retraining was asked for {_hours(ago)} ago, and {case.params.cooldown_hours:g} hours "
        "must lie between two."
    )


def _budget(case: _Case) -> _RuleAnswer:
    for days, limit in ((1, case.params.per_day), (30, case.params.per_month)):
        count = sum(case.ago(time) < timedelta(days=days) for time in case.history.asked)
        if count >= limit:
            return GovernorVerdict.ALERT, (
                f"{count} retrainings were asked for in {days * 24} hours, {limit} are allowed: "
                "something makes them useless. `newsloop retrain` starts one all the same."
            )
    return None


def _too_few_labels(case: _Case) -> _RuleAnswer:
    missing = case.params.min_new_labels - case.history.new_labels
    if missing <= 0:
        return None
    return GovernorVerdict.ALERT, (
        f"There are {case.history.new_labels} labels since the champion's snapshot, and "
        f"{case.params.min_new_labels} are needed to learn anything new: a person must label "
        f"{missing} more (POST /feedback)."
    )


def _quiet_hours(case: _Case) -> _RuleAnswer:
    hour = case.now.astimezone(UTC).hour
    if hour not in case.params.quiet_hours:
        return None
    return (
        GovernorVerdict.WAIT,
        f"Hour {hour} (UTC) is one of the quiet ones; a later window asks again.",
    )


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):.1f} hours"


def _grounds(case: _Case, by: Asker) -> list[str]:
    if by != Asker.MONITORING:
        return ["The schedule asks for it." if by == Asker.SCHEDULE else "A person asks for it."]
    age = f"The champion is {case.ago(case.history.champion_since).days} days old. "
    return [
        (age if case.old() else "")
        + f"There are {case.history.new_labels} labels since the champion's snapshot, "
        f"{case.params.min_new_labels} are needed."
    ]


_RULES: dict[GovernorRule, Callable[[_Case], _RuleAnswer]] = {
    GovernorRule.BAD_DATA: _bad_data,
    GovernorRule.CANNOT_SAY: _cannot_say,
    GovernorRule.NO_REASON: _no_reason,
    GovernorRule.UNDER_WAY: _under_way,
    GovernorRule.CIRCUIT: _circuit,
    GovernorRule.TOO_FEW_WINDOWS: _too_few_windows,
    GovernorRule.COOLDOWN: _cooldown,
    GovernorRule.BUDGET: _budget,
    GovernorRule.TOO_FEW_LABELS: _too_few_labels,
    GovernorRule.QUIET_HOURS: _quiet_hours,
}
_ASKED: dict[Asker, tuple[GovernorRule, ...]] = {  # in the order that they are asked
    Asker.MONITORING: tuple(_RULES),
    Asker.SCHEDULE: (
        GovernorRule.UNDER_WAY,
        GovernorRule.CIRCUIT,
        GovernorRule.COOLDOWN,
        GovernorRule.BUDGET,
    ),
    Asker.PERSON: (GovernorRule.UNDER_WAY,),
}
