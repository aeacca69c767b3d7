"""Estimated and measured accuracy: cases whose truth is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest

from components.core.target import SingleLabel
from monitoring import accuracy_estimate
from monitoring.windows import span

CLASSES = ["a", "b", "c"]
TARGET = SingleLabel(CLASSES)
SKILL = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9]])  # of an honest model


def world(shares: list[float], rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities, actual) where the model knows p(class | what it sees) for equal shares."""
    rng = np.random.default_rng(seed)
    actual = rng.choice(3, rows, p=shares)
    seen = np.array([rng.choice(3, p=SKILL[i]) for i in actual])
    posterior = (SKILL / SKILL.sum(axis=0)).T  # p(actual | seen), by Bayes with equal shares
    return posterior[seen], actual


def reference(seed: int = 0) -> pl.DataFrame:
    probabilities, actual = world([1 / 3] * 3, 2000, seed)
    return pl.DataFrame(
        {"actual": [CLASSES[i] for i in actual], "probabilities": probabilities.tolist()}
    )


def texts(probabilities: np.ndarray) -> list[str]:
    """One for each answer, no two alike."""
    return [f"text {i}" for i in range(len(probabilities))]


@pytest.mark.parametrize("shares", [[1 / 3] * 3, [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
def test_the_estimate_follows_the_class_shares(shares: list[float]) -> None:
    probabilities, actual = world(shares, 3000, 1)
    truth = (probabilities.argmax(axis=1) == actual).mean()
    known = accuracy_estimate.Estimator(reference(), TARGET, 20, 2)
    found = known(probabilities, texts(probabilities), 0.95)
    assert found.window.value == pytest.approx(truth, abs=0.03)
    assert found.drop.value == pytest.approx(SKILL.diagonal().mean() - truth, abs=0.03)
    for ends in (found.window, found.drop):
        assert ends.low < ends.value < ends.high < ends.low + 0.08
    assert found.shares == pytest.approx(shares, abs=0.05)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(40):
        probabilities, actual = world([0.6, 0.2, 0.2], 200, 100 + seed)
        known = reference(seed)[:300]
        estimator = accuracy_estimate.Estimator(known, TARGET, 30, seed)
        found = estimator(probabilities, texts(probabilities), 0.9).window
        inside += found.low <= (probabilities.argmax(axis=1) == actual).mean() <= found.high
    assert 0.8 * 40 <= inside < 40


def test_a_text_that_comes_again_and_again_says_no_more_than_once() -> None:
    probabilities, _ = world([1 / 3] * 3, 30, 4)
    names = texts(probabilities)
    known = accuracy_estimate.Estimator(reference(), TARGET, 50, 6)
    said = known(probabilities, names, 0.95)
    many = probabilities.repeat(20, axis=0)
    same = [name for name in names for _ in range(20)]
    again, fresh = known(many, same, 0.95), known(many, texts(many), 0.95)
    assert again.shares == pytest.approx(said.shares)
    for name in ("window", "drop"):
        once, often, new = (getattr(one, name) for one in (said, again, fresh))
        assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))
        assert new.high - new.low < 0.5 * (often.high - often.low)


def test_what_few_texts_say_wrongly_of_a_model_does_not_look_like_a_drop() -> None:
    drops, accuracies = [], []
    for seed in range(12):
        probabilities, _ = world([1 / 3] * 3, 4000, 200 + seed)
        found = accuracy_estimate.Estimator(reference(seed)[:250], TARGET, 2, seed)(
            probabilities, texts(probabilities), 0.95
        )
        drops.append(found.drop.value)
        accuracies.append(found.window.value)
    assert abs(np.mean(drops)) < 0.01
    assert np.std(drops) < 0.8 * np.std(accuracies)


def test_an_overconfident_model_is_not_believed() -> None:
    probabilities, actual = world([1 / 3] * 3, 3000, 3)
    sharp = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    calibrator = accuracy_estimate.fit(sharp, actual)
    assert calibrator.temperature == pytest.approx(4, rel=0.15)
    assert calibrator(sharp).max(axis=1).mean() == pytest.approx(
        (sharp.argmax(axis=1) == actual).mean(), abs=0.01
    )


@pytest.mark.parametrize(("shares", "rows"), [([0.8, 0.1, 0.1], 833), ([1 / 3] * 3, 1950)])
def test_of_the_reference_remain_as_many_as_have_the_windows_shares(
    shares: list[float], rows: int
) -> None:
    known = reference().with_row_index()
    drawn = accuracy_estimate.reweighed(known, TARGET, np.array(shares), 1)
    assert drawn.height == pytest.approx(rows, rel=0.05)
    assert drawn["index"].n_unique() == drawn.height
    assert [(drawn["actual"] == name).mean() for name in CLASSES] == pytest.approx(shares, abs=0.01)


def test_a_class_that_the_reference_lacks_leaves_little_of_it() -> None:
    known = reference().filter(pl.col("actual") != "c")
    assert accuracy_estimate.reweighed(known, TARGET, np.array([0.4, 0.4, 0.2]), 1).height < 10
    assert accuracy_estimate.reweighed(known, TARGET, np.array([0.5, 0.5, 1e-12]), 1).height > 1200


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_accuracy_is_counted_by_days_of_utc() -> None:
    rows = [
        (NOON, True),
        (NOON.astimezone(timezone(timedelta(hours=13))), False),
        (NOON + timedelta(hours=12), True),
    ]
    found = accuracy_estimate.by_time(rows, 24, 0.95)
    assert [(one.start.day, one.labelled, one.accuracy.value) for one in found] == [
        (5, 2, 0.5), (6, 1, 1.0),
    ]  # fmt: skip
    late = accuracy_estimate.by_time([*rows, (NOON, True)], 24, 0.95)  # a label that comes late
    assert [one.labelled for one in late] == [3, 1]
    assert accuracy_estimate.by_time([], 24, 0.95) == []


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ([0.95] * 8, False),
        ([0.95] * 4 + [0.6] * 4, True),
        ([0.6] * 4 + [0.95] * 4, False),  # better is no decay
        ([0.95] * 4 + [0.6] * 4 + [0.95] * 8, False),  # it is over
    ],
)
def test_decay_is_a_fall_that_lasts(shares: list[float], found: bool) -> None:
    rng = np.random.default_rng(8)
    hits = np.concatenate([rng.random(200) < share for share in shares])
    rows = [(NOON + timedelta(minutes=i), bool(hit)) for i, hit in enumerate(hits)]
    decay = accuracy_estimate.decay(rows, 0.002)
    assert (decay is not None) is found
    if decay:
        assert decay.before > 0.9 > decay.after
        assert decay.time > rows[800][0]
    assert accuracy_estimate.decay(rows[::-1], 0.002) == decay  # by time, whatever the order


@pytest.mark.parametrize(
    ("callers", "found"),
    [([None], True), (["one"], False), (["one", "two"], True), (["one", None], True)],
)
def test_a_fall_that_one_caller_alone_reports_is_none(
    callers: list[str | None], found: bool
) -> None:
    """Every answer is called right until some callers call theirs wrong."""
    rows: list[tuple[datetime, bool, str | None]] = [
        (NOON + timedelta(minutes=i), True, None) for i in range(600)
    ]
    rows += [
        (NOON + timedelta(minutes=600 + i), False, callers[i % len(callers)]) for i in range(300)
    ]
    assert (accuracy_estimate.decay_without_each(rows, 0.002) is not None) is found
    assert accuracy_estimate.decay([(time, right) for time, right, _ in rows], 0.002) is not None


@pytest.mark.parametrize(
    ("time", "hours", "start"),
    [
        ("2026-03-29T01:59:59+01:00", 1, "2026-03-29T00:00:00+00:00"),
        ("2026-03-29T03:00:00+02:00", 1, "2026-03-29T01:00:00+00:00"),  # the clock went forward
        ("2026-10-25T02:30:00+02:00", 1, "2026-10-25T00:00:00+00:00"),
        ("2026-10-25T02:30:00+01:00", 1, "2026-10-25T01:00:00+00:00"),  # the same hour again
        ("2026-01-05T23:00:00-09:00", 24, "2026-01-06T00:00:00+00:00"),
        ("1969-12-31T23:00:00+00:00", 24, "1969-12-31T00:00:00+00:00"),
    ],
)
def test_windows_of_time_know_no_local_clock(time: str, hours: float, start: str) -> None:
    found = span(datetime.fromisoformat(time), hours)
    assert found[0].isoformat() == start
    assert found[1] - found[0] == timedelta(hours=hours)


def test_what_the_calibration_misses_of_a_class_is_found_and_chance_is_not() -> None:
    rng = np.random.default_rng(3)
    actual, sure = rng.integers(0, 3, 600), np.full(600, 0.9)
    right = rng.random(600) < sure
    assert (accuracy_estimate.amiss(sure, right, actual, 4) == 0).all()
    right[actual == 1] = rng.random((actual == 1).sum()) < 0.6
    found = accuracy_estimate.amiss(sure, right, actual, 4)
    assert found[1] == pytest.approx(-0.3 * 200 / 250, abs=0.08)
    assert np.abs(found[[0, 2]]).max() < 0.05
    assert found[3] == 0  # nothing is known of it


def test_answers_that_are_all_right_are_not_amiss() -> None:
    assert (accuracy_estimate.amiss(np.ones(9), np.ones(9, bool), np.zeros(9, int), 2) == 0).all()
