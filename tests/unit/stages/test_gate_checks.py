"""checks.py: each condition with its number, limit, kind and key of params.yaml."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.core import params
from components.core.errors import ParamsError
from components.core.metrics import Interval
from components.core.paths import Paths
from components.gate import checks
from components.gate.baselines import Baseline, Metric, Simple
from components.gate.checks import Check, CheckKind, GateEvidence, examine, verdict
from components.gate.comparison import Comparison, Part

SETTINGS = params.load(Paths.find().params).gate.model_copy(
    update={
        "min_accuracy": 0.9, "min_macro_f1": 0.8, "min_class_recall": 0.5, "min_behaviour": 0.7,
        "max_calibration_error": 0.05, "max_leaks": 3, "max_bundle_mib": 100.0, "margin": 0.02,
        "level": 0.95, "rule": "better", "rehearse": True, "max_latency_ms": 200.0,
        "max_memory_mib": 900.0, "limits": {},
    }
)  # fmt: skip
MEASURED: dict[str, Any] = {
    "accuracy": {"value": 0.91}, "macro_f1": {"value": 0.81}, "calibration_error": 0.04,
    "classes": {"a": {"recall": 0.6}}, "behaviour": {"value": 0.75},
}  # fmt: skip
REHEARSAL = {"problem": None, "equal": 0.98, "refused": 0.97, "p95_ms": 20.0, "memory_mib": 800.0}
SIDE = Part("test side", 100, 0.9, 0.88, 5, 3, -0.0123456789, 0.05, 0.3333333333, 0.7)
LOST = [
    replace(SIDE, name="class a", candidate=0.5, worse=0.2),
    replace(SIDE, name="class b", candidate=0.4, worse=0.1),
    replace(SIDE, name="class c", candidate=0.84375, champion=0.875, worse=0.001),  # by 1/32
]
BASELINE = Baseline(
    Simple.LINEAR, Metric.MACRO_F1, 100, 0.9, 0.8, 5, 3,
    low=-0.0123456789, high=0.1, better=0.04, worse=0.6666666666, provable=True,
)  # fmt: skip


def told(found: list[Check]) -> list[tuple[Any, ...]]:
    return [
        (c.name, c.value, c.limit, str(c.kind), c.ceiling, c.proof, c.undecided, c.setting)
        for c in found
    ]


def test_a_floor_and_a_ceiling_hold_their_limit() -> None:
    for ceiling, values in ((False, (0.5, 0.6)), (True, (0.5, 0.4))):
        assert all(Check("x", value, 0.5, ceiling=ceiling).passed for value in values)
    assert not Check("x", 0.4, 0.5).passed
    assert not Check("x", 0.6, 0.5, ceiling=True).passed
    assert Check("x", 0.75, 0.5, ceiling=True).told() == "x is 0.75, 0.25 above 0.5"


def test_all_conditions_and_where_their_limits_stand() -> None:
    comparison = Comparison([SIDE], Interval(0.01, -0.03, 0.04), [])
    evidence = GateEvidence(MEASURED, 2, 12.3456, REHEARSAL, comparison, [BASELINE])
    floor = [
        ("accuracy", 0.91, 0.9, "min_accuracy", False),
        ("macro F1", 0.81, 0.8, "min_macro_f1", False),
        ("recall of a", 0.6, 0.5, "min_class_recall", False),
        ("calibration error", 0.04, 0.05, "max_calibration_error", True),
        ("behaviour tests", 0.75, 0.7, "min_behaviour", False),
        ("documents that leak personal data", 2, 3, "max_leaks", True),
        ("size in MiB", 12.35, 100.0, "max_bundle_mib", True),
    ]
    rehearsed = [
        ("the service serves it (1: yes)", 1.0, 1.0, "", False),
        ("answers equal to evaluate's", 0.98, 1.0, "", False),
        ("hostile requests refused by 4xx", 0.97, 1.0, "", False),
        ("ms for one text (95 %)", 20.0, 200.0, "max_latency_ms", True),
        ("MiB of memory", 800.0, 900.0, "max_memory_mib", True),
    ]
    assert told(examine(evidence, SETTINGS)) == [
        *((name, value, limit, "floor", top, False, False, key)
          for name, value, limit, key, top in floor),
        *((name, value, limit, "rehearsal", top, False, False, key)
          for name, value, limit, key, top in rehearsed),
        ("macro F1 less the linear baseline's, lower bound", -0.012346, -0.02, "baseline", False,
         True, False, "margin"),
        ("chance that the lead over the champion is luck", 0.333333, 0.05, "champion", True, True,
         False, ""),
        ("accuracy less the champion's, lower bound", -0.012346, -0.02, "champion", False, True,
         False, ""),
        ("macro F1 less the champion's, lower bound", -0.03, -0.02, "champion", False, True,
         False, ""),
        ("accuracy less the champion's, upper bound, test side", 0.05, -0.02, "champion", False,
         False, False, ""),
    ]  # fmt: skip


def test_what_cannot_be_measured_is_not_asked() -> None:
    without = SETTINGS.model_copy(
        update={"min_accuracy": None, "min_macro_f1": None, "min_class_recall": None,
                "max_calibration_error": None, "rehearse": False}
    )  # fmt: skip
    measured = {key: value for key, value in MEASURED.items() if key != "behaviour"}
    names = [check.name for check in examine(GateEvidence(measured, 0, 1.0), without)]
    assert names == ["documents that leak personal data", "size in MiB"]
    # Of a rehearsal without a result nothing else is known.
    for found, undecided in ((None, False), ({"problem": "x"}, False), (
        REHEARSAL | {"undecided": "it took too long"}, True)):  # fmt: skip
        (check,) = checks.rehearsed(found, SETTINGS)
        assert (check.value, check.limit, check.undecided, check.passed) == (0, 1, undecided, False)


def test_the_surest_loss_of_a_part_is_named() -> None:
    settings = SETTINGS.model_copy(update={"rule": "not_worse", "margin": 1 / 32})
    comparison = Comparison([SIDE, replace(SIDE, name="newest labels", high=-0.04)],
                            Interval(0, 0, 0), LOST)  # fmt: skip
    found = checks.against_champion(comparison, settings)
    assert [(check.name, check.passed) for check in found[2:]] == [
        ("accuracy less the champion's, upper bound, test side", True),
        ("accuracy less the champion's, upper bound, newest labels", False),
        ("chance that losing class b is luck", True),
    ]
    assert (found[-1].value, found[-1].limit) == (0.1, pytest.approx(0.05))
    assert found[-1].kind == CheckKind.CHAMPION
    equal = Comparison([SIDE], Interval(0, 0, 0), LOST[2:])
    assert len(checks.against_champion(equal, settings)) == 3


@pytest.mark.parametrize(
    ("model", "provable", "expected"),
    [
        (Simple.MAJORITY, True, ("chance that the lead over the majority class is luck", 0.04, 0.05,
                                 True, True, "")),
        (Simple.LINEAR, True, ("macro F1 less the linear baseline's, lower bound", -0.012346, -0.02,
                               False, True, "margin")),
        (Simple.LINEAR, False, ("chance that losing more than the margin to the linear baseline is "
                                "luck", 0.666667, 0.05, False, False, "")),
    ],
)  # fmt: skip
def test_against_each_simple_model(
    model: Simple, provable: bool, expected: tuple[Any, ...]
) -> None:
    (check,) = checks.against_baselines(
        [replace(BASELINE, model=model, provable=provable)], SETTINGS
    )
    found = (check.name, check.value, check.limit, check.ceiling, check.proof, check.setting)
    assert found == expected
    assert (check.kind, check.undecided, check.passed) == ("baseline", False, True)


def test_a_limit_of_a_check_that_nobody_registered() -> None:
    settings = SETTINGS.model_copy(update={"limits": {"zeal": 1.0, "ardour": 1.0}})
    with pytest.raises(ParamsError, match=r"\(none is\), got ardour, zeal\."):
        examine(GateEvidence(MEASURED, 0, 1.0), settings)


@pytest.mark.parametrize("ceiling", [True, False])
def test_a_registered_check_is_asked_where_it_has_a_number(
    monkeypatch: pytest.MonkeyPatch, ceiling: bool
) -> None:
    monkeypatch.setattr(checks, "CHECKS", {})
    checks.check("leaks twice", 5.0, ceiling=ceiling)(lambda evidence: 2.0 * evidence.leaks)
    checks.check("silent", 5.0)(lambda evidence: None)
    for limits, limit in (({}, 5.0), ({"leaks twice": 7.0}, 7.0)):
        settings = SETTINGS.model_copy(update={"limits": limits})
        found = examine(GateEvidence(MEASURED, 3, 1.0), settings)
        (own,) = [check for check in found if check.name == "leaks twice"]
        assert (own.value, own.limit, own.ceiling, own.kind) == (6.0, limit, ceiling, "floor")
        assert not any(check.name == "silent" for check in found)


BAD, UNPROVEN = Check("bad", 0, 1), Check("unproven", 0, 1, proof=True)
UNCLEAR, GOOD = Check("unclear", 0, 1, undecided=True), Check("good", 1, 1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "release"), ([GOOD], "release"), ([GOOD, BAD], "refuse"),
        ([BAD, UNPROVEN, UNCLEAR], "refuse"), ([GOOD, UNPROVEN], "keep"),
        ([UNPROVEN, UNCLEAR], "keep"), ([GOOD, UNCLEAR], "cannot say"),
    ],
)  # fmt: skip
def test_verdicts(found: list[Check], expected: str) -> None:
    assert verdict(found) == expected
