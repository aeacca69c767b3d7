"""Bad data is told apart from drift; windows that cannot be judged say why."""

from __future__ import annotations

import polars as pl
import pytest

from components.core import params
from components.core.bundle.reference import (
    NAMED_FROM,
    common_words,
    sketch,
    table,
    thinned,
)
from components.core.paths import Paths
from monitoring import data_quality, window_evaluation
from monitoring.drift import what_moved
from monitoring.windows import Window
from tests.watched import Reader

PARAMS = params.load(Paths.find().params)
SETTINGS = PARAMS.monitor
GOOD = "The council said on Monday that the new bridge would open next year. It is article {}."
DAMAGED = "The cafÃ© asked for Â£5 a month, the council said on Monday about article {}."


def window(texts: list[str], sources: list[str | None] | None = None, lost: int = 0) -> Window:
    return Window("a" * 64, 0, 1, texts, lost=lost, sources=sources or [None] * len(texts))


def texts(good: int, *others: str) -> list[str]:
    return [GOOD.format(i) for i in range(good)] + [text.format(i) for i, text in enumerate(others)]


def verdict(one: Window, usual: dict[str, int] | None = None, language: str = "en") -> str:
    found, _ = data_quality.judge(
        one, [language] * one.rows, usual or {}, PARAMS.validate_, SETTINGS
    )
    return "" if found is None else found.reasons[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (texts(100), ""),
        (texts(95, *[DAMAGED] * 5), ""),  # fewer than one in ten
        (texts(80, *[DAMAGED] * 20), "20 of 100 texts are bad, and at most 10% may be: 20 damaged"),
        (texts(80, *["?! ..."] * 20), "20 without a letter or digit"),
        (texts(80, *["{}" + "x" * 200_000] * 20), "20 longer than 200000 characters"),
        (texts(5, *["The same text again, which is long enough."] * 95), "95% of them"),
    ],
)
def test_bad_texts(given: list[str], says: str) -> None:
    found = verdict(window(given))
    assert (says in found) if says else not found


def test_texts_that_are_too_short() -> None:
    settings = PARAMS.validate_.model_copy(update={"min_characters": 20})
    short = window(texts(80, *["{} short"] * 20))
    judged, _ = data_quality.judge(short, ["en"] * 100, {}, settings, SETTINGS)
    assert judged is not None
    assert "20 shorter than 20 characters" in judged.reasons[0]


def test_another_language() -> None:
    assert "100 not in en" in verdict(window(texts(100)), language="de")


@pytest.mark.parametrize(
    ("mine", "usual", "says"),
    [
        (95, {}, ""),  # nothing is known of before
        (95, {"crawler": 990, "desk": 10}, ""),  # it always had that share
        (80, {"crawler": 10, "desk": 990}, ""),  # much, but no flood
        (95, {"crawler": 10, "desk": 990}, "95% of the texts come from the source crawler"),
        (100, {"desk": 990}, "which had 0% before"),
    ],
)
def test_a_flood_is_a_source_that_grew(mine: int, usual: dict[str, int], says: str) -> None:
    sources = ["crawler"] * mine + ["desk"] * (100 - mine)
    found = verdict(window(texts(100), sources), usual)
    assert (says in found) if says else not found


@pytest.mark.parametrize(
    ("rows", "lost", "state", "says"),
    [
        (0, 0, "empty", "0 predictions wait"),
        (99, 0, "incomplete", "99 predictions wait, and 100 are needed"),
        (100, 12, "unvalidated", "lost 12 of 112 texts"),
        (5, 200, "unvalidated", "nobody knows what they said"),
        (100, 11, "complete", ""),
    ],
)
def test_what_cannot_be_judged_says_why(rows: int, lost: int, state: str, says: str) -> None:
    one = window(texts(rows), lost=lost)
    assert one.state(SETTINGS.min_rows, SETTINGS.max_lost_share) == state
    found = window_evaluation.unready(one, 0.01, SETTINGS)
    assert (found is None) is (state == "complete")
    if found:
        assert found.finding == "cannot say"
        assert says in found.reasons[0]


def test_a_spent_budget_is_said() -> None:
    found = window_evaluation.unready(window(texts(100)), 0.0001, SETTINGS)
    assert found and "false_alarms_a_day" in found.reasons[0]


def test_the_words_that_moved_are_named_only_where_several_texts_hold_them() -> None:
    old = ["bank money"] * 40 + ["goal"] * 10
    new = ["bank virus"] * 40 + ["goal"] * 10 + ["smith"] * (NAMED_FROM - 1)
    more, fewer = what_moved.words(common_words(old), len(old), new)
    assert [one.name for one in more] == ["virus"]
    assert more[0].before == pytest.approx((NAMED_FROM - 1) / 50)  # at most
    assert fewer[0].name == "money"
    assert "smith" not in {one.name for one in [*more, *fewer]}
    changes = what_moved.classes(
        pl.DataFrame({"label": ["a", "a"]}), pl.DataFrame({"label": ["a", "b"]})
    )
    assert [(one.name, one.before, one.now) for one in changes] == [
        ("a", 1.0, 0.5),
        ("b", 0.0, 0.5),
    ]


def test_what_a_bundle_keeps_holds_no_text() -> None:
    text = '{"label": "a", "confidence": 1, "words": 2, "unknown_share": 0, "feature_0": 0}'
    found = Reader.__new__(Reader)
    found.labels = ["a", "b"]
    kept = table(found.predict([text]), [text], lambda _: "en")
    assert kept["sketch"].to_list() == [sketch(text)]
    assert kept["language"].to_list() == ["en"]
    assert "text" not in kept.columns
    assert common_words(["bank"] * 4)["word"].to_list() == []
    assert thinned(10, 4) == [1, 4, 6, 9]
