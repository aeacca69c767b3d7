"""The gate's conditions, one by one. Each is a number and its limit.

A new one is a function here, registered by `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from components.core import params
from components.core.errors import ParamsError
from components.core.ledger.verdicts import GateVerdict
from components.gate.baselines import NAMES, Baseline, Simple
from components.gate.comparison import Comparison


class CheckKind(StrEnum):
    FLOOR = "floor"
    REHEARSAL = "rehearsal"
    BASELINE = "baseline"  # the comparison with the simplest models
    CHAMPION = "champion"  # the comparison with it


FLOOR, REHEARSAL, BASELINE, CHAMPION = CheckKind


@dataclass(frozen=True)
class Check:
    """One condition: `value` must not lie below `limit`, or above it if it is a `ceiling`.

    Attributes:
        proof: a failure says that something is not proven, not that something is bad.
        undecided: a failure says nothing about the candidate, because nothing was measured.
        setting: key of `gate` in params.yaml that holds the limit; empty if none does.
    """

    name: str
    value: float
    limit: float
    kind: CheckKind = FLOOR
    ceiling: bool = False
    proof: bool = False
    undecided: bool = False
    setting: str = ""

    @property
    def passed(self) -> bool:
        return self.value <= self.limit if self.ceiling else self.value >= self.limit

    def told(self) -> str:
        """
        >>> Check("accuracy", 0.93, 0.95).told()
        'accuracy is 0.93, 0.02 below 0.95'
        """
        side = "above" if self.ceiling else "below"
        gap = abs(self.value - self.limit)
        return f"{self.name} is {self.value:.4g}, {gap:.4g} {side} {self.limit:.4g}"


@dataclass(frozen=True)
class GateEvidence:
    """Evidence on a candidate.

    Attributes:
        measured: metrics.json.
        leaks: documents with personal data that were learned from all the same.
        mebibytes: size of the bundle.
        rehearsal: what the rehearsal found; None if there was none of this candidate.
        comparison: with the champion; None where there is none, or it cannot be compared.
        baselines: comparisons with the simplest models; empty where the champion is compared.
    """

    measured: dict[str, Any]
    leaks: int
    mebibytes: float
    rehearsal: dict[str, Any] | None = None
    comparison: Comparison | None = None
    baselines: Sequence[Baseline] = ()


Value = Callable[[GateEvidence], float | None]
# Name -> value, limit, and True for a ceiling: what `check` registered.
CHECKS: dict[str, tuple[Value, float, bool]] = {}


def check(name: str, limit: float, *, ceiling: bool = False) -> Callable[[Value], Value]:
    """Registers a condition on one number of the evidence; None: it says nothing here.

    Args:
        name: as people read it; `gate.limits` of params.yaml may name another limit for it.
        limit: of the number.
        ceiling: the number must not lie above the limit; else not below.
    """

    def register(value: Value) -> Value:
        CHECKS[name] = (value, limit, ceiling)
        return value

    return register


def examine(evidence: GateEvidence, settings: params.Gate) -> list[Check]:
    """All conditions, with their numbers.

    Raises:
        ParamsError: `gate.limits` names a check that nobody registered.
    """
    unknown = sorted(set(settings.limits) - set(CHECKS))
    if unknown:
        raise ParamsError(
            f"Expected registered checks in gate.limits ({', '.join(CHECKS) or 'none is'}), got "
            f"{', '.join(unknown)}. Correct the name in params.yaml."
        )
    own = [
        Check(name, number, settings.limits.get(name, limit), ceiling=ceiling)
        for name, (value, limit, ceiling) in CHECKS.items()
        if (number := value(evidence)) is not None
    ]
    against = against_champion(evidence.comparison, settings) if evidence.comparison else []
    return [
        *floors(evidence.measured, evidence.leaks, evidence.mebibytes, settings),
        *own,
        *rehearsed(evidence.rehearsal, settings),
        *against_baselines(evidence.baselines, settings),
        *against,
    ]


def floors(
    measured: dict[str, Any], leaks: int, mebibytes: float, settings: params.Gate
) -> list[Check]:
    """The absolute conditions; a limit of null is none.

    Args:
        measured: metrics.json.
        leaks: documents with personal data that were learned from all the same.
        mebibytes: size of the bundle.
    """
    checks = []
    for name, key, setting in (
        ("accuracy", "accuracy", "min_accuracy"),
        ("macro F1", "macro_f1", "min_macro_f1"),
    ):
        if (floor := getattr(settings, setting)) is not None:
            checks.append(Check(name, measured[key]["value"], floor, setting=setting))
    if settings.min_class_recall is not None:
        checks += [
            Check(
                f"recall of {label}", row["recall"], settings.min_class_recall,
                setting="min_class_recall",
            )
            for label, row in measured["classes"].items()
        ]  # fmt: skip
    if settings.max_calibration_error is not None:
        limit = max(settings.max_calibration_error, measured.get("calibration_noise", 0.0))
        error, setting = measured["calibration_error"], "max_calibration_error"
        checks.append(Check("calibration error", error, limit, ceiling=True, setting=setting))
    if settings.min_behaviour is not None and (behaviour := measured.get("behaviour")):
        floor, setting = settings.min_behaviour, "min_behaviour"
        checks.append(Check("behaviour tests", behaviour["value"], floor, setting=setting))
    size = round(mebibytes, 2)
    return [
        *checks,
        Check(
            "documents that leak personal data", leaks, settings.max_leaks, ceiling=True,
            setting="max_leaks",
        ),
        Check("size in MiB", size, settings.max_bundle_mib, ceiling=True, setting="max_bundle_mib"),
    ]  # fmt: skip


def rehearsed(found: dict[str, Any] | None, settings: params.Gate) -> list[Check]:
    """The conditions on what the rehearsal found; see flows/rehearsal.py for its columns.

    Args:
        found: None if there was no rehearsal of this candidate, which fails.
    """
    if not settings.rehearse:
        return []
    undecided = found is not None and bool(found.get("undecided"))
    served = found is not None and found["problem"] is None and not undecided
    name = "the service serves it (1: yes)"
    checks = [Check(name, float(served), 1.0, REHEARSAL, undecided=undecided)]
    if found is None or not served:
        return checks
    latency, memory = settings.max_latency_ms, settings.max_memory_mib
    return [
        *checks,
        Check("answers equal to evaluate's", found["equal"], 1.0, REHEARSAL),
        Check("hostile requests refused by 4xx", found["refused"], 1.0, REHEARSAL),
        Check(
            "ms for one text (95 %)", found["p95_ms"], latency, REHEARSAL, True,
            setting="max_latency_ms",
        ),
        Check(
            "MiB of memory", found["memory_mib"], memory, REHEARSAL, True,
            setting="max_memory_mib",
        ),
    ]  # fmt: skip


def against_baselines(baselines: Sequence[Baseline], settings: params.Gate) -> list[Check]:
    """The conditions on the comparison with the simplest models.

    Better than the majority class is always proven. Not worse than the linear baseline is proven
    where the test side can prove it; elsewhere the candidate must only not be proven worse by more
    than the margin.
    """
    luck = round(1 - settings.level, 6)
    checks = []
    for baseline in baselines:
        name = NAMES[baseline.model]
        if baseline.model == Simple.MAJORITY:
            check = Check(
                f"chance that the lead over {name} is luck", round(baseline.better, 6), luck,
                BASELINE, ceiling=True, proof=True,
            )  # fmt: skip
        elif baseline.provable:
            check = Check(
                f"{baseline.metric} less {name}'s, lower bound", round(baseline.low, 6),
                -settings.margin, BASELINE, proof=True, setting="margin",
            )  # fmt: skip
        else:
            question = f"chance that losing more than the margin to {name} is luck"
            check = Check(question, round(baseline.worse, 6), luck, BASELINE)
        checks.append(check)
    return checks


def against_champion(found: Comparison, settings: params.Gate) -> list[Check]:
    """The conditions on the comparison. The first is the proof, and only asked by rule `better`."""
    whole, luck = found.sides[0], 1 - settings.level
    checks = [
        Check(
            "accuracy less the champion's, lower bound",
            round(whole.low, 6),
            -settings.margin,
            CHAMPION,
            proof=True,
        ),
        Check(
            "macro F1 less the champion's, lower bound",
            round(found.macro_f1.low, 6),
            -settings.margin,
            CHAMPION,
            proof=True,
        ),
    ]
    checks += [
        Check(
            f"accuracy less the champion's, upper bound, {side.name}",
            round(side.high, 6),
            -settings.margin,
            CHAMPION,
        )
        for side in found.sides
    ]
    lost = [one for one in found.slices if one.difference < -settings.margin]
    if lost:
        worst = min(lost, key=lambda one: one.worse)
        checks.append(
            Check(f"chance that losing {worst.name} is luck", worst.worse, luck, CHAMPION)
        )
    if settings.rule == "better":
        name = "chance that the lead over the champion is luck"
        checks.insert(
            0, Check(name, round(found.better, 6), round(luck, 6), CHAMPION, True, proof=True)
        )
    return checks


def verdict(checks: Collection[Check]) -> GateVerdict:
    """RELEASE, KEEP, REFUSE or CANNOT_SAY.

    A fault of the candidate counts before a missing proof, and that before a rehearsal without a
    result: a candidate that is not released anyway need not be rehearsed again.
    """
    failed = [check for check in checks if not check.passed]
    if not failed:
        return GateVerdict.RELEASE
    if not all(check.proof or check.undecided for check in failed):
        return GateVerdict.REFUSE
    return GateVerdict.KEEP if any(check.proof for check in failed) else GateVerdict.CANNOT_SAY
