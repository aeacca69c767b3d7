"""The numbers that a whole table is judged by: bounds, tests, and what cannot be asked."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from components import label_noise
from components.core.baseline import Baseline, Known
from components.validate import checks
from tests.validating import PARAMS, everything

SETTINGS = PARAMS.validate_
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def known(rows: int = 100, *, a: int = 50, b: int = 50, sources: tuple[str, ...] = ("s",)) -> Known:
    return Known(rows, {"a": a, "b": b}, dict.fromkeys(sources, rows), sources)


@pytest.mark.parametrize(
    ("rows", "last", "passed"),
    [
        (100, None, None),
        (100, known(0), None),
        (100, known(100, sources=("s", "t")), None),
        (100, known(100), True),
        (70, known(100), True),
        (69, known(100), False),
        (1000, known(100), True),
        (1001, known(100), False),
        (0, known(100), False),
    ],
)
def test_volume(rows: int, last: Known | None, passed: bool | None) -> None:
    assert checks.volume(rows, last, ["s"], SETTINGS).passed is passed


@pytest.mark.parametrize(
    ("now", "last", "passed"),
    [
        ({"a": 50, "b": 50}, None, None),
        ({"a": 50, "c": 50}, known(), None),
        ({"a": 0, "b": 0}, known(), None),
        ({"a": 50, "b": 50}, known(a=0, b=0), None),
        ({"a": 70, "b": 30}, known(), True),  # a hundred documents do not show it surely
        ({"a": 8000, "b": 2000}, known(a=5000, b=5000), False),
        ({"a": 6200, "b": 3800}, known(a=5000, b=5000), False),  # by twelve points
        ({"a": 5900, "b": 4100}, known(a=5000, b=5000), True),  # by nine: the world may move
        ({"a": 0, "b": 100}, known(), False),
    ],
)
def test_class_balance(now: dict[str, int], last: Known | None, passed: bool | None) -> None:
    check = checks.class_balance(now, last, SETTINGS)
    assert check.passed is passed
    assert check.value is None or "a: " in check.problem or "b: " in check.problem


def test_class_balance_keeps_its_level() -> None:
    """1,000 pairs of samples whose shares differ by just what is allowed: at most 1 % alarms."""
    chosen = random.Random(3)
    alarms = 0
    for _ in range(1000):
        before = Counter(chosen.choices("ab", (0.5, 0.5), k=400))
        now = Counter(chosen.choices("ab", (0.6, 0.4), k=400))
        check = checks.class_balance(dict(now), known(a=before["a"], b=before["b"]), SETTINGS)
        alarms += check.passed is False
    assert alarms <= 10


@pytest.mark.parametrize(
    ("texts", "labels", "passed", "counts"),
    [
        ([], [], None, (0, 0)),
        ([1, 2, 3, 4, 5], "ababa", True, (0, 0)),
        ([1, 2, 3, 4, 4], "ababa", True, (1, 1)),
        ([1, 2, 3, 4, 4], "ababb", True, (1, 0)),
        ([1, 2, 3, 3, 3], "ababa", False, (2, 1)),
    ],
)
def test_repeats(
    texts: list[int], labels: str, passed: bool | None, counts: tuple[int, int]
) -> None:
    good = pl.DataFrame(
        {"content": texts, "label": list(labels)},
        schema={"content": pl.UInt64, "label": pl.String},
    )
    check, found = checks.repeats(good, SETTINGS)
    assert check.passed is passed
    assert (found["exact"], found["texts_with_several_labels"]) == counts


@pytest.mark.parametrize(
    ("days", "most", "taken", "passed"),
    [
        (3, None, NOW, None),
        (3, 7.0, NOW, True),
        (7, 7.0, NOW, True),
        (8, 7.0, NOW, False),
        (-0.5, 7.0, NOW, True),  # a clock that is fast
        (-2, 7.0, NOW, False),
        (-86_200, 30.0, NOW, False),  # the year 2262, where nanoseconds end
        (7, 7.0, NOW.astimezone(ZoneInfo("Pacific/Chatham")), True),
        (8, 7.0, NOW.astimezone(ZoneInfo("America/New_York")), False),
        (None, 7.0, NOW, False),
        (3, 7.0, None, False),  # a limit that cannot be checked is not kept
    ],
)
def test_freshness(
    days: float | None, most: float | None, taken: datetime | None, passed: bool | None
) -> None:
    settings = SETTINGS.model_copy(update={"max_age_days": most})
    newest = None if days is None else NOW - timedelta(days=days)
    check = checks.freshness(newest, Baseline(taken=taken), 10, settings)
    assert check.passed is passed


def test_freshness_of_nothing_cannot_be_asked() -> None:
    settings = SETTINGS.model_copy(update={"max_age_days": 7.0})
    assert checks.freshness(None, Baseline(taken=NOW), 0, settings).passed is None


# Wrong labels


@pytest.mark.parametrize(("share", "low", "high"), [(0, 0, 0.02), (0.2, 0.15, 0.3)])
def test_the_share_of_wrong_labels_is_estimated(share: float, low: float, high: float) -> None:
    """400 articles; the same answer twice."""
    chosen = random.Random(4)
    sample = chosen.sample(everything(), 400)
    labels = [label for _, label in sample]
    for i in chosen.sample(range(400), round(share * 400)):
        labels[i] = "tech" if labels[i] != "tech" else "sports"
    texts, folds = [text for text, _ in sample], list(range(400))
    found = label_noise.estimate(texts, labels, folds)
    assert low <= found.share <= high
    assert found == label_noise.estimate(texts, labels, folds)
    assert share == 0 or (found.worst is not None and found.worst[0] == "tech")


def test_labels_of_texts_without_spaces_are_not_called_wrong() -> None:
    sentences = [("株価が大きく上がる", "経済"), ("野球の試合で勝利した", "スポーツ")]
    texts = [f"{sentences[n % 2][0]}第{n}回" for n in range(120)]
    labels = [sentences[n % 2][1] for n in range(120)]
    assert label_noise.estimate(texts, labels, list(range(120))).share < 0.02


def test_folds_that_miss_a_class_do_not_fail() -> None:
    texts = ["one two", "three four", "five six", "seven eight"]
    assert 0 <= label_noise.estimate(texts, ["a", "a", "b", "b"], [0, 0, 0, 0]).share <= 1
    assert 0 <= label_noise.estimate(texts, ["a", "b", "a", "b"], [0, 1, 2, 3]).share <= 1


def test_label_noise_answers_for_twenty_classes_of_which_one_has_six_documents() -> None:
    rng = random.Random(5)
    sizes = {f"class {i}": 100 for i in range(19)} | {"rare": 6}
    labels = [name for name, size in sizes.items() for _ in range(size)]
    texts = [" ".join(f"{label}word{rng.randrange(40)}" for _ in range(8)) for label in labels]
    texts = [text.replace(" word", "word").replace("class ", "class") for text in texts]
    folds = [rng.randrange(1000) for _ in texts]
    clean = label_noise.estimate(texts, labels, folds).share
    wrong = [label if rng.random() > 0.2 else "class 0" for label in labels]
    assert clean < 0.02
    assert 0.1 < label_noise.estimate(texts, wrong, folds).share < 0.3
