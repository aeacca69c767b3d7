"""Next steps after a candidate that was not released: each rule, and their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core import params as parameters
from components.core.metrics import Interval
from components.gate import advice
from components.gate.advice import Findings, Kind, Step
from components.gate.baselines import Sample
from components.gate.checks import Check, CheckKind

PROJECT = parameters.load(Path(__file__).parents[3] / "params.yaml")
ALL = PROJECT.train.model_copy(update={"candidates": ["linear", "pretrained", "textcnn"]})
PARAMS = PROJECT.model_copy(update={"train": ALL})
UNPROVEN = Check("lead", 0.2, 0.05, CheckKind.BASELINE, ceiling=True, proof=True)


def share(value: float, spread: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread}


def findings(
    wrong: dict[tuple[str, str], int],
    checks: tuple[Check, ...] = (UNPROVEN,),
    train: dict[str, int] | None = None,
    sample: Sample | None = None,
    **measured: Any,
) -> Findings:
    """100 test documents, half a and half b, of which these (actual, predicted) are wrong."""
    rows = [pair for pair, count in wrong.items() for _ in range(count)]
    rows += [("a", "a")] * (50 - sum(pair[0] == "a" for pair in rows))
    rows += [("b", "b")] * (100 - len(rows))
    numbers = {
        "accuracy": share(1 - sum(wrong.values()) / 100), "macro_f1": share(0.9),
        "classes": {name: {"recall": 0.9, "f1": 0.9, "documents": 50} for name in "ab"},
    }  # fmt: skip
    answers = pl.DataFrame(rows, schema=["actual", "predicted"], orient="row")
    return Findings(numbers | measured, answers, train or {}, checks, sample)


def steps(found: Findings, params: parameters.Params = PARAMS) -> list[Step]:
    return advice.steps(found, params)


def test_a_class_with_few_documents_is_named_before_one_with_many() -> None:
    found = findings({("b", "a"): 2, ("a", "c"): 2}, train={"a": 800, "b": 20})
    (step,) = steps(found)
    assert step.values == {"class": "b", "documents": 20, "wanted": 410}
    assert "Bring more documents of b: 20 to learn from" in step.text
    assert step.gain == pytest.approx(0.02 * (1 - (20 / 410) ** 0.35))
    rare = {"a": {"recall": 0.99, "f1": 0.99}, "b": {"recall": 0.5, "f1": 0.6}}
    found = findings({("b", "a"): 2}, train={"a": 800, "b": 20}, classes=rare, imbalanced=True)
    assert steps(found)[0].gain == pytest.approx(0.4 / 2 * (1 - (20 / 410) ** 0.35))


def test_labels_that_look_wrong_are_named_from_2_percent_on() -> None:
    wrong = {("a", "b"): 2, ("b", "a"): 2}
    labels = {"searched": 1000, "suspected": 30}
    (step,) = [step for step in steps(findings(wrong, label_errors=labels))
               if step.kind == Kind.LABELS]  # fmt: skip
    assert (step.gain, "30 of 1000 look wrong" in step.text) == (0.03, True)
    few = findings(wrong, label_errors=labels | {"suspected": 19})
    assert Kind.LABELS not in [step.kind for step in steps(few)]


def test_the_pair_of_classes_with_most_mistakes_is_named_in_both_directions() -> None:
    (step,) = steps(findings({("a", "b"): 3, ("b", "a"): 3, ("a", "c"): 2}))
    assert step.values == {"classes": ["a", "b"], "mistakes": 6, "of": 8}
    assert steps(findings({("a", "b"): 1, ("b", "a"): 1})) == []
    constant = findings({("b", "a"): 50})
    assert steps(constant) == []


def test_short_texts_that_are_less_often_right_are_named() -> None:
    slices = {
        "length": {
            "41 characters and more": {"documents": 80, "accuracy": {"value": 0.95}},
            "0 to 40 characters": {"documents": 20, "accuracy": {"value": 0.7}},
        }
    }
    (step,) = steps(findings({}, slices=slices))
    assert step.gain == pytest.approx(0.25 * 0.2)
    assert "(0 to 40 characters)" in step.text
    slices["length"]["0 to 40 characters"]["accuracy"] = {"value": 0.91}
    assert steps(findings({}, slices=slices)) == []


def test_architectures_that_were_not_tried_are_named() -> None:
    tried = PROJECT.train.model_copy(update={"candidates": ["textcnn"]})
    found = findings({("a", "b"): 9}, baseline={"name": "LinearSVC", "accuracy": share(0.95)})
    named = [
        (step.values["candidate"], step.gain)
        for step in steps(found, PROJECT.model_copy(update={"train": tried}))
        if step.kind == Kind.CANDIDATE
    ]
    assert named == [("linear", pytest.approx(0.04)), ("pretrained", None)]
    untrained = findings({("a", "b"): 2}, baseline={"name": "LinearSVC", "problem": "one class"})
    assert steps(untrained) == []


@pytest.mark.parametrize(("mistakes", "first"), [(6, Kind.FLOOR), (30, Kind.CONFUSION)])
def test_a_floor_above_the_interval_is_first_unless_another_step_may_reach_it(
    mistakes: int, first: Kind
) -> None:
    accuracy = 1 - mistakes / 100
    floor = Check("accuracy", accuracy, accuracy + 0.055, setting="min_accuracy")
    found = findings({("a", "b"): mistakes}, (floor,))
    kinds = [step.kind for step in steps(found)]
    assert kinds[0] == first
    assert Kind.FLOOR in kinds
    near = Check("accuracy", accuracy, accuracy + 0.04, setting="min_accuracy")
    within = findings({("a", "b"): mistakes}, (near,))
    assert Kind.FLOOR not in [step.kind for step in steps(within)]


def test_more_test_documents_are_wanted_only_where_a_proof_is_missing() -> None:
    sample = Sample(22, 0, Interval(0.9, 0.7, 0.97), 0.02, 924)
    (step,) = steps(findings({}, (UNPROVEN,), sample=sample))
    assert "22 were measured, about 924 would prove" in step.text
    own = Check("a check of one's own", 1, 0, ceiling=True)
    assert steps(findings({}, (own,), sample=sample)) == []
    enough = Sample(1000, 0, sample.accuracy, 0.02, 924)
    assert steps(findings({}, (UNPROVEN,), sample=enough)) == []


def test_a_slow_service_is_answered_by_a_smaller_one_and_one_without_a_result_by_a_second_try() -> (
    None
):
    slow = Check("ms", 400, 250, CheckKind.REHEARSAL, ceiling=True, setting="max_latency_ms")
    assert "raise gate.max_latency_ms" in steps(findings({}, (slow,)))[0].text
    big = Check("MiB", 500, 400, ceiling=True, setting="max_bundle_mib")
    leaks = Check("leaks", 3, 0, ceiling=True, setting="max_leaks")
    # More documents would change nothing.
    found = steps(findings({("a", "b"): 9}, (big, leaks)))
    assert [step.kind for step in found] == [Kind.LIMIT, Kind.LEAKS]
    none = Check("served", 0, 1, CheckKind.REHEARSAL, undecided=True)
    assert [step.kind for step in steps(findings({("a", "b"): 9}, (none,)))] == [Kind.REHEARSE]


def test_at_most_three_steps_are_named_the_largest_gain_first() -> None:
    tried = PROJECT.train.model_copy(update={"candidates": ["textcnn"]})
    found = findings(
        {("a", "b"): 10}, train={"a": 10, "b": 10},
        label_errors={"searched": 100, "suspected": 20},
    )  # fmt: skip
    named = steps(found, PROJECT.model_copy(update={"train": tried}))
    gains = [step.gain for step in named]
    assert len(named) == 3
    assert gains == sorted(gains, key=lambda gain: -(gain or 0))
