"""The governor: turns what is known into "retrain", "wait" or "alert", and says why.

A pure policy: a list of rules for each asker, read from top to bottom; the first that has an
answer gives it, and where none has, the answer is "retrain". params.yaml holds the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from components.core.params import Governor

Finding = Literal["drift", "none", "cannot say", "bad data"]
Asker = Literal["monitoring", "schedule", "person"]
Answer = Literal["retrain", "wait", "alert"]


@dataclass(frozen=True)
class WindowVerdict:
    """What monitoring found in a window.

    Attributes:
        finding: what the ledger's `windows.verdict` says.
        reasons: why, in English, with numbers.
        enough: whether there were rows enough to judge. "cannot say" about many is told at once.
        real_drop: test accuracy less the window's by labels; None without labels.
        estimated_drop: how much less accurate answers are than on the held-back texts, estimated
            without labels: the least that it can be; None where that is not to be trusted.
        estimated_most: the most that it can be; None likewise.
    """

    finding: Finding
    reasons: tuple[str, ...] = ()
    enough: bool = True
    real_drop: float | None = None
    estimated_drop: float | None = None
    estimated_most: float | None = None


@dataclass(frozen=True)
class History:
    """What happened before.

    Attributes:
        new_labels: labels that came since the champion's snapshot.
        asked: when retrainings were asked for in the last 30 days, UTC, the newest first.
        moved: whether the world had moved in the champion's judged windows, the newest first,
            without this one.
        failures: when the retrainings since the last good one failed, UTC, the newest first.
        under_way: which retraining is at work or asked for; empty if none.
        champion_since: when the champion began to serve, UTC.
        judged: when a window was last judged, UTC; None if never.
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
    """What is to be done, and why.

    Attributes:
        verdict: retrain, wait or alert: a person must do something.
        reasons: a sentence each; the last is the governor's own.
        rule: which rule decided.
        moved: whether the world has moved in this window; None where that cannot be said.
    """

    verdict: Answer
    reasons: list[str]
    rule: str = ""
    moved: bool | None = None


@dataclass(frozen=True)
class _Case:
    verdict: WindowVerdict
    history: History
    params: Governor
    now: datetime

    def drops(self) -> list[str]:
        """What is said about accuracy that fell too far."""
        found = (
            ("accuracy is {:.3f} below the test side's", self.verdict.real_drop),
            (
                "estimated accuracy is {:.3f} below the held-back texts'",
                self.verdict.estimated_drop,
            ),
        )
        return [
            f"The {what.format(drop)}; {self.params.max_accuracy_drop:g} is allowed."
            for what, drop in found
            if drop is not None and drop > self.params.max_accuracy_drop
        ]

    def harmless(self) -> bool:
        """Whether drift is known to cost next to nothing."""
        most = self.verdict.estimated_most
        return most is not None and most < self.params.harmless_drop and not self.drops()

    def old(self) -> bool:
        """Whether the champion's age alone is a reason."""
        since, limit = self.history.champion_since, self.params.max_age_days
        return None not in (since, limit) and self.ago(since) > timedelta(days=limit or 0)

    def ago(self, time: datetime | None) -> timedelta:
        """How long ago, never negative: a time ahead (a clock was set back) counts as far back."""
        return abs(self.now - time) if time else timedelta.max


def decide(
    verdict: WindowVerdict,
    history: History,
    params: Governor,
    now: datetime,
    by: Asker = "monitoring",
) -> GovernorDecision:
    """What to do now.

    Args:
        verdict: of the window; a schedule and a person need none: `WindowVerdict("none")`.
        history: what happened before.
        params: the policy.
        now: UTC. A time in the history that lies in the future (a clock was set back) counts as
            long ago as it is ahead, so that it can hold up retraining for one cooldown only.
        by: who asks. A schedule needs no drift, no labels and minds no quiet hours: people chose
            it. A person is held up only by a retraining that is asked for already.
    """
    case = _Case(verdict, history, params, now)
    reasons = [*verdict.reasons, *case.drops()]
    moved = moves(verdict, params)
    for rule in _RULES[by]:
        found = rule(case)
        if found:
            answer, sentence = found
            return GovernorDecision(answer, [*reasons, sentence], rule.__name__.strip("_"), moved)
    return GovernorDecision("retrain", [*reasons, *_grounds(case, by)], by, moved)


def moves(verdict: WindowVerdict, params: Governor) -> bool | None:
    """Whether the world has moved in a window; None where that cannot be said."""
    case = _Case(verdict, History(), params, datetime.min.replace(tzinfo=UTC))
    if case.drops():
        return verdict.finding != "bad data" or None
    if verdict.finding == "drift" and case.harmless():
        return False
    return {"drift": True, "none": False}.get(verdict.finding)


def circuit_open(history: History, params: Governor, now: datetime) -> bool:
    """Whether so many retrainings failed, one after the other, that none is tried for a while."""
    if len(history.failures) < params.failures:
        return False
    return abs(now - history.failures[0]) < timedelta(hours=params.circuit_hours)


_RuleAnswer = tuple[Answer, str] | None


def _bad_data(case: _Case) -> _RuleAnswer:
    if case.verdict.finding != "bad data":
        return None
    return "alert", "Bad data is no drift, and nothing is learned from it: a person must look."


def _cannot_say(case: _Case) -> _RuleAnswer:
    if case.verdict.finding != "cannot say" or case.drops():
        return None
    unclear = "Whether there is drift cannot be said; this is no pass"
    if case.verdict.enough:
        return "alert", f"{unclear}, though there are predictions enough: a person must look."
    since = case.history.judged or case.history.champion_since
    blind = timedelta(hours=case.params.blind_hours)
    if since and case.ago(since) >= blind:
        return "alert", f"{unclear}, and has not been for {_hours(case.ago(since))}."
    return "wait", f"{unclear}."


def _no_reason(case: _Case) -> _RuleAnswer:
    if moves(case.verdict, case.params) or case.old():
        return None
    if case.verdict.finding != "drift":
        return "wait", "There is no reason to retrain."
    return "wait", (
        f"The drift is harmless: the accuracy is at most {case.verdict.estimated_most:.3f} below "
        f"the held-back texts' as it is estimated, and {case.params.harmless_drop:g} is let be."
    )


def _under_way(case: _Case) -> _RuleAnswer:
    if not case.history.under_way:
        return None
    return "wait", f"{case.history.under_way}; one at a time is enough."


def _circuit(case: _Case) -> _RuleAnswer:
    if not circuit_open(case.history, case.params, case.now):
        return None
    closes = case.history.failures[0] + timedelta(hours=case.params.circuit_hours)
    return "alert", (
        f"The last {len(case.history.failures)} retrainings failed, so none is tried before "
        f"{closes:%Y-%m-%d %H:%M} UTC. Look at why, then `newsloop decisions --close-circuit`."
    )


def _too_few_windows(case: _Case) -> _RuleAnswer:
    if case.old():
        return None
    seen = [True, *case.history.moved[: case.params.last_windows - 1]]
    if sum(seen) >= case.params.drifted_windows:
        return None
    return "wait", (
        f"{sum(seen)} of the last {len(seen)} windows moved; {case.params.drifted_windows} of "
        f"{case.params.last_windows} are needed."
    )


def _cooldown(case: _Case) -> _RuleAnswer:
    if not case.history.asked:
        return None
    ago = case.ago(case.history.asked[0])
    if ago >= timedelta(hours=case.params.cooldown_hours):
        return None
    return "wait", (
        f"A retraining was asked for {_hours(ago)} ago, and {case.params.cooldown_hours:g} hours "
        "must lie between two."
    )


def _budget(case: _Case) -> _RuleAnswer:
    for days, most in ((1, case.params.per_day), (30, case.params.per_month)):
        count = sum(case.ago(time) < timedelta(days=days) for time in case.history.asked)
        if count >= most:
            return "alert", (
                f"{count} retrainings were asked for in {days * 24} hours, {most} are allowed: "
                "something makes them useless. `newsloop retrain` starts one all the same."
            )
    return None


def _too_few_labels(case: _Case) -> _RuleAnswer:
    missing = case.params.min_new_labels - case.history.new_labels
    if missing <= 0:
        return None
    return "alert", (
        f"There are {case.history.new_labels} labels since the champion's snapshot, and "
        f"{case.params.min_new_labels} are needed to learn anything new: a person must label "
        f"{missing} more (POST /feedback)."
    )


def _quiet_hours(case: _Case) -> _RuleAnswer:
    hour = case.now.astimezone(UTC).hour
    if hour not in case.params.quiet_hours:
        return None
    return "wait", f"Hour {hour} (UTC) is one of the quiet ones; a later window asks again."


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):.1f} hours"


def _grounds(case: _Case, by: Asker) -> list[str]:
    if by != "monitoring":
        return [{"schedule": "The schedule asks for it.", "person": "A person asks for it."}[by]]
    age = f"The champion is {case.ago(case.history.champion_since).days} days old. "
    return [
        (age if case.old() else "")
        + f"There are {case.history.new_labels} labels since the champion's snapshot, "
        f"{case.params.min_new_labels} are needed."
    ]


_RULES: dict[Asker, tuple[Callable[[_Case], _RuleAnswer], ...]] = {
    "monitoring": (
        _bad_data, _cannot_say, _no_reason, _under_way, _circuit, _too_few_windows, _cooldown,
        _budget, _too_few_labels, _quiet_hours,
    ),
    "schedule": (_under_way, _circuit, _cooldown, _budget),
    "person": (_under_way,),
}  # fmt: skip
