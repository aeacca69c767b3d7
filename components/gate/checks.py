"""The gate's conditions, one by one. Each is a number and its limit.

A new one is a function here, registered by `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from components.core import params
from components.core.errors import ParamsError
from components.core.ledger.verdicts import GateVerdict
from components.gate.comparison import Comparison


class CheckKind(StrEnum):
    FLOOR = "floor"
    REHEARSAL = "rehearsal"
    CHAMPION = "champion"  # the comparison with it


FLOOR, REHEARSAL, CHAMPION = CheckKind


@dataclass(frozen=True)
class Check:
    """One condition: `value` must not lie below `limit`, or above it if it is a `ceiling`.

    Attributes:
        proof: a failure says that something is not proven, not that something is bad.
    """

    name: str
    value: float
    limit: float
    kind: CheckKind = FLOOR
    ceiling: bool = False
    proof: bool = False

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
    """

    measured: dict[str, Any]
    leaks: int
    mebibytes: float
    rehearsal: dict[str, Any] | None = None
    comparison: Comparison | None = None


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
        *against,
    ]


def floors(
    measured: dict[str, Any], leaks: int, mebibytes: float, settings: params.Gate
) -> list[Check]:
    """The absolute conditions.

    Args:
        measured: metrics.json.
        leaks: documents with personal data that were learned from all the same.
        mebibytes: size of the bundle.
    """
    checks = [
        Check("accuracy", measured["accuracy"]["value"], settings.min_accuracy),
        Check("macro F1", measured["macro_f1"]["value"], settings.min_macro_f1),
    ]
    checks += [
        Check(f"recall of {label}", row["recall"], settings.min_class_recall)
        for label, row in measured["classes"].items()
    ]
    error = measured["calibration_error"]
    checks.append(Check("calibration error", error, settings.max_calibration_error, ceiling=True))
    if behaviour := measured.get("behaviour"):
        checks.append(Check("behaviour tests", behaviour["value"], settings.min_behaviour))
    return [
        *checks,
        Check("documents that leak personal data", leaks, settings.max_leaks, ceiling=True),
        Check("size in MiB", round(mebibytes, 2), settings.max_bundle_mib, ceiling=True),
    ]


def rehearsed(found: dict[str, Any] | None, settings: params.Gate) -> list[Check]:
    """The conditions on what the rehearsal found; see flows/rehearsal.py for its columns.

    Args:
        found: None if there was no rehearsal of this candidate, which fails.
    """
    if not settings.rehearse:
        return []
    served = found is not None and found["problem"] is None
    checks = [Check("the service serves it (1: yes)", float(served), 1.0, REHEARSAL)]
    if found is None or not served:
        return checks
    return [
        *checks,
        Check("answers equal to evaluate's", found["equal"], 1.0, REHEARSAL),
        Check("hostile requests refused by 4xx", found["refused"], 1.0, REHEARSAL),
        Check("ms for one text (95 %)", found["p95_ms"], settings.max_latency_ms, REHEARSAL, True),
        Check("MiB of memory", found["memory_mib"], settings.max_memory_mib, REHEARSAL, True),
    ]


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
    """RELEASE, KEEP or REFUSE."""
    failed = [check for check in checks if not check.passed]
    if not failed:
        return GateVerdict.RELEASE
    unproven = all(check.proof for check in failed)
    return GateVerdict.KEEP if unproven else GateVerdict.REFUSE
