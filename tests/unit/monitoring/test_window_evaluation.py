"""monitoring/window_evaluation.py: what is expected of answers that nobody has labelled, and when
it is to be trusted.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.core.metrics import Interval
from components.core.params import Params
from components.core.target import SingleLabel
from monitoring import drift, report, window_evaluation
from monitoring.window_evaluation import Answered, Estimate
from monitoring.windows import Window
from tests.validating import PARAMS

CLASSES = ["a", "b", "c"]
SETTINGS = PARAMS.model_copy(
    update={"monitor": PARAMS.monitor.model_copy(update={"resamples": 30})}
)
LEVEL = SETTINGS.monitor.false_alarm_rate


EVEN, MOVED = [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]
SKILL = np.array([[0.96, 0.02, 0.02], [0.02, 0.96, 0.02], [0.25, 0.15, 0.6]])  # class c is hard


def said(shares: list[float], rows: int, seed: int) -> pl.DataFrame:
    """What a model says of texts with these class shares that learned where they were EVEN."""
    rng = np.random.default_rng(seed)
    actual = rng.choice(3, rows, p=shares)
    seen = np.array([rng.choice(3, p=SKILL[i]) for i in actual])
    joint = SKILL * np.array(EVEN)[:, None]
    probabilities = (joint / joint.sum(axis=0)).T[seen]  # of a class by what is seen, by Bayes
    return pl.DataFrame(
        {
            "label": [CLASSES[i] for i in probabilities.argmax(axis=1)],
            "feature_0": actual + rng.normal(0, 0.1, rows),
            "feature_1": rng.normal(0, 1, rows),
            "actual": [CLASSES[i] for i in actual],
            "probabilities": probabilities.tolist(),
        }
    )


def answered(table: pl.DataFrame) -> Answered:
    texts = [f"text {i}" for i in range(table.height)]
    probabilities = np.array(table["probabilities"].to_list())
    return Answered(Window("", 0, 0, texts), probabilities, table.drop("actual"))


def estimated(
    reference: pl.DataFrame, shown: pl.DataFrame, every: pl.DataFrame, params: Params = SETTINGS
) -> Estimate:
    known = reference.drop("actual")
    found = drift.judge(known, shown.drop("actual"), params.monitor, level=LEVEL, draw=False)
    assert found.verdict.finding == "drift"
    made = window_evaluation.estimator_of(reference, SingleLabel(CLASSES), params.monitor)
    assert made is not None
    return window_evaluation.estimate(
        made, reference, answered(shown), answered(every), found, params.monitor
    )


def test_all_recent_answers_together_say_more_than_a_window() -> None:
    reference, shown = said(EVEN, 4000, 1), said(MOVED, 100, 2)
    alone = estimated(reference, shown, shown)
    together = estimated(reference, shown, pl.concat([said(MOVED, 1500, 3), shown]))
    assert together.trusted
    assert together.accuracy == alone.accuracy
    width = [one.drop.high - one.drop.low for one in (alone, together)]
    assert width[1] < 0.8 * width[0]


def test_after_a_jump_only_what_came_since_counts() -> None:
    reference, shown = said(EVEN, 600, 1), said(MOVED, 100, 2)
    found = estimated(reference, shown, pl.concat([said(EVEN, 1500, 3), shown]))
    assert found.drop == estimated(reference, shown, shown).drop
    fell = float(SKILL.diagonal() @ EVEN - SKILL.diagonal() @ MOVED)
    assert 0.04 < found.drop.low < fell < found.drop.high


@pytest.mark.parametrize(("rare", "trusted"), [(0.03, False), (0.2, True)])
def test_a_class_that_is_hardly_known_is_not_vouched_for(rare: float, *, trusted: bool) -> None:
    reference = said([0.5, 0.5 - rare, rare], 600, 4)
    shown = said([0.3, 0.3, 0.4], 200, 5)
    assert estimated(reference, shown, shown).trusted is trusted


def test_texts_that_differ_otherwise_are_not_vouched_for() -> None:
    reference, shown = said(EVEN, 600, 6), said(MOVED, 200, 7)
    assert estimated(reference, shown, shown).trusted
    other = shown.with_columns(pl.col("feature_1") + 1)
    assert not estimated(reference, other, other).trusted


@pytest.mark.parametrize("trusted", [True, False])
def test_the_report_says_what_the_drift_costs(*, trusted: bool) -> None:
    drop = Interval(0.012, -0.003, 0.0214)
    lines = report.quality(Estimate(Interval(0.93, 0.8, 1.0), drop, trusted, {}), [], None)
    assert lines[0] == "Estimated accuracy, without labels: 0.930 [0.800, 1.000]."
    assert "-0.012 [-0.021, +0.003]." in lines[1]
    assert ("Neither is to be trusted" in lines[1]) is not trusted


def test_a_bundle_of_before_has_no_estimate() -> None:
    reference = said(EVEN, 100, 8).drop("actual")
    assert window_evaluation.estimator_of(reference, SingleLabel(CLASSES), SETTINGS.monitor) is None
