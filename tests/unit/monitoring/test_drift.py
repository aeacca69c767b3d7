"""What is found in a window: exact small cases through Evidently itself."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import polars as pl
import pytest

from components.core import params
from components.core.pages import Heading
from components.core.paths import Paths
from monitoring import drift, report, signal_names
from monitoring.drift import evidently as evidently_page
from monitoring.drift.what_moved import Moved

SETTINGS = params.load(Paths.find().params).monitor
NAMES = ["label", "confidence", "words", "unknown_share", "feature_0", "feature_1"]
TESTED = [*NAMES, drift.TOGETHER]


def sample(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "label": rng.choice(["a", "b", "c"], rows),
            "confidence": rng.beta(9, 1, rows).astype(np.float32),
            "words": rng.poisson(300, rows).astype(np.int32),
            "unknown_share": (rng.binomial(320, 0.01, rows) / 320).astype(np.float32),
            "feature_0": rng.normal(size=rows).astype(np.float32),
            "feature_1": rng.normal(size=rows).astype(np.float32),
        }
    )


REFERENCE, WINDOW = sample(300, 1), sample(200, 2)


def found(result: drift.Drift, name: str) -> drift.Signal:
    return next(signal for signal in result.signals if signal.name == name)


def test_the_same_distribution_is_no_drift() -> None:
    result = drift.judge(REFERENCE, WINDOW, SETTINGS)
    assert result.verdict.finding == "none"
    assert [signal.name for signal in result.signals] == TESTED
    for signal in result.signals:
        assert signal.drifted is False
        assert signal.p_value is not None and signal.p_value > signal.threshold
        assert signal.threshold == 0.01
    assert "7 signals" in result.verdict.reasons[0]
    assert drift.judge(REFERENCE, WINDOW, SETTINGS).signals == result.signals


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("confidence", pl.col("confidence") - 0.2),
        ("words", pl.col("words") // 2),
        ("unknown_share", pl.col("unknown_share") + 0.1),
        ("feature_1", pl.col("feature_1") * 3),
        ("label", pl.lit("a")),
        ("label", pl.col("label").replace("a", "never seen")),
        ("confidence", pl.lit(0.5, pl.Float32)),  # constant now, but it was not
    ],
)
def test_a_shift_is_found_in_its_signal(name: str, moved: pl.Expr) -> None:
    result = drift.judge(REFERENCE, WINDOW.with_columns(moved.alias(name)), SETTINGS)
    assert result.verdict.finding == "drift"
    moved_names = [signal.name for signal in result.signals if signal.drifted]
    assert moved_names == [name, *[drift.TOGETHER] * name.startswith("feature")]
    assert result.verdict.reasons[0].startswith(
        f"{len(moved_names)} of {len(result.signals)} signals drifted in {WINDOW.height} "
        f"predictions: {signal_names.title(name)} (p = "
    )


def test_features_that_moved_together_only_are_found() -> None:
    """Each feature is as before; that they agree is new."""
    agreeing = WINDOW.with_columns(feature_1="feature_0")
    result = drift.judge(REFERENCE, agreeing, SETTINGS)
    assert [signal.name for signal in result.signals if signal.drifted] == [drift.TOGETHER]


def test_probabilities_are_one_signal_shown_as_a_number() -> None:
    def with_probabilities(table: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        rare = np.where(rng.random(table.height) < share, 0.4, 0.02)
        lists = np.stack([rare, 1 - rare], axis=1).tolist()
        return table.with_columns(probabilities=pl.Series(lists, dtype=pl.List(pl.Float32)))

    known = with_probabilities(REFERENCE, 0.03, 1)
    still = drift.judge(known, with_probabilities(WINDOW, 0.03, 2), SETTINGS)
    assert still.verdict.finding == "none"
    moved = drift.judge(known, with_probabilities(WINDOW, 0.3, 3), SETTINGS)
    assert [one.name for one in moved.signals if one.drifted] == ["probabilities"]
    assert found(moved, "probabilities").method == drift.EXPECTED
    assert "Expected class shares" in (moved.page or "")


def test_small_drift_is_found_by_looking_back_and_says_how_far() -> None:
    moved = pl.col("feature_0") + 0.5
    windows = [sample(100, 10 + i).with_columns(moved) for i in range(10)]
    older = pl.concat(windows[:-1])
    alone = drift.judge(REFERENCE, windows[-1], SETTINGS, draw=False)
    assert (alone.verdict.finding, alone.rows) == ("none", 100)
    result = drift.judge(REFERENCE, windows[-1], SETTINGS, older)
    assert result.verdict.finding == "drift"
    assert result.rows in (400, 1000)
    assert result.verdict.reasons[0] == f"Of the last {result.rows} predictions together:"
    assert f"signals drifted in {result.rows} predictions: " in result.verdict.reasons[1]
    assert "feature_0" in [signal.name for signal in result.signals if signal.drifted]


def test_no_more_is_looked_back_at_than_the_reference_is_worth() -> None:
    assert (drift.look_back(300, 100), drift.look_back(300, 5000)) == (1100, 0)
    older = sample(2000, 3)
    long_ago = older.with_columns(
        words=pl.when(pl.int_range(pl.len()) < 900).then(1).otherwise("words")
    )
    assert drift.judge(REFERENCE, WINDOW, SETTINGS, long_ago, draw=False).verdict.finding == "none"


NOT_A_NUMBER = pl.when(pl.int_range(pl.len()) == 0).then(math.nan).otherwise(pl.col("feature_0"))
HALF = pl.when(pl.int_range(pl.len()) % 2 == 1).then(pl.col("label"))


@pytest.mark.parametrize(
    ("reference", "window", "name", "reason"),
    [
        (REFERENCE, WINDOW.drop("words"), "words", "the window does not have it"),
        (REFERENCE.drop("words"), WINDOW, "words", "the reference does not have it"),
        (
            REFERENCE,
            WINDOW.with_columns(words=pl.lit(None, pl.Int32)),
            "words",
            "200 of 200 values in the window are missing",
        ),
        (
            REFERENCE,
            WINDOW.with_columns(label=pl.lit(None, pl.String)),
            "label",
            "200 of 200 values in the window are missing",
        ),
        (
            REFERENCE,
            WINDOW.with_columns(confidence=pl.lit(math.nan)),
            "confidence",
            "200 of 200 values in the window are missing",
        ),
        (
            REFERENCE.with_columns(words=pl.lit(None, pl.Int32)),
            WINDOW,
            "words",
            "the reference has 0 values, too few for a p-value below 0.01",
        ),
        (
            REFERENCE.with_columns(words=pl.lit(3)),
            WINDOW.with_columns(words=pl.lit(3)),
            "words",
            "it is 3.0 in every row of reference and window",
        ),
        (
            REFERENCE.with_columns(label=pl.lit("a")),
            WINDOW.with_columns(label=pl.lit("a")),
            "label",
            "it is a in every row of reference and window",
        ),
        (
            REFERENCE,
            WINDOW.with_columns(label=pl.lit(1)),
            "label",
            "it is String in the reference, Int32 in the window",
        ),
        (
            REFERENCE,
            WINDOW.with_columns(feature_0=NOT_A_NUMBER),
            "feature_0",
            "1 values are missing; the others show no drift",
        ),
        (
            REFERENCE,
            WINDOW.with_columns(label=HALF),
            "label",
            "100 values are missing; the others show no drift",
        ),
    ],
)
def test_what_cannot_be_tested_is_shown_and_is_no_pass(
    reference: pl.DataFrame, window: pl.DataFrame, name: str, reason: str
) -> None:
    result = drift.judge(reference, window, SETTINGS)
    assert result.verdict.finding == "cannot say"
    assert {signal.name for signal in result.signals} == set(TESTED)
    assert [s.name for s in result.signals if s.drifted is None] == [name]
    assert found(result, name).reason == reason
    assert result.verdict.reasons == (
        f"{signal_names.column(name)} cannot be tested: {reason}.",
    )  # fmt: skip
    assert any(reason in line for line in report.table(result.signals))


def test_missing_values_do_not_hide_drift() -> None:
    moved = pl.when(pl.int_range(pl.len()) > 0).then(pl.col("feature_0") + 2)
    result = drift.judge(
        REFERENCE, WINDOW.drop("words").with_columns(feature_0=moved), SETTINGS
    )  # fmt: skip
    assert result.verdict.finding == "drift"
    assert found(result, "feature_0").drifted is True
    assert "length in words cannot be tested" in result.verdict.reasons[-1]


@pytest.mark.parametrize(("p_value", "drifted"), [(0.01, True), (0.0101, False)])
def test_a_p_value_at_the_level_is_drift(p_value: float, drifted: bool) -> None:
    rows = sample(20, 1)
    assert drift._signal("words", rows, rows, p_value, 0.01).drifted is drifted


def test_nothing_can_be_tested() -> None:
    result = drift.judge(REFERENCE.head(0), WINDOW, SETTINGS)
    assert (result.verdict.finding, result.page) == ("cannot say", None)
    assert len(result.signals) == len(NAMES)


@pytest.mark.parametrize("rows", [0, 1, 99])
def test_too_few_rows(rows: int) -> None:
    result = drift.judge(REFERENCE, WINDOW.head(rows), SETTINGS)
    assert result == drift.Drift(result.verdict)
    assert result.verdict.finding == "cannot say"
    assert result.verdict.reasons == (
        f"{rows} predictions wait, and 100 are needed to judge.",
    )  # fmt: skip


def test_the_page_has_a_title_and_the_signals_and_asks_nobody() -> None:
    result = drift.judge(REFERENCE, WINDOW, SETTINGS)
    assert result.page is not None
    reasons = [*result.verdict.reasons, "feature_1 (p = 0.5)"]
    page = report.page(
        result.page, "Drift of <v1>", Heading(), reasons[0], reasons[1:], result.signals, Moved()
    )
    assert page.count("<title>Drift of &lt;v1&gt; · newsloop</title>") == 1
    assert page.count("<h1>Drift of &lt;v1&gt;</h1>") == 1
    assert "Content-Security-Policy" in page
    assert "a direction of the text vectors (p = 0.5)" in page
    for name in NAMES:
        assert f"<td>{signal_names.column(name)}</td>" in page
        assert signal_names.column(name).capitalize() in page.partition("<td>")[0]
    # Shares, not counts, and without a switch to counts: the samples have different sizes.
    assert page.count("share of the texts, %") == len(NAMES)
    assert '"updatemenus' not in page.partition("<main>")[0]
    assert len(page) < 1_000_000
    # Nothing is loaded but the scripts beside the page: no tag has an address that is not data.
    body = re.sub(r"(?s)<script>.*?</script>", "", page)
    found = re.findall(r"<script[^>]+src=.*?>|<link|<iframe|<img|@import|url\((?!data:)", body)
    assert found == [f'<script src="{evidently_page.SCRIPT}">']


@pytest.mark.parametrize("both", [True, False], ids=["both", "window"])
def test_one_label_only_gives_a_page_and_a_verdict(both: bool) -> None:
    only = pl.lit("a").alias("label")
    reference = REFERENCE.with_columns(only) if both else REFERENCE
    result = drift.judge(reference, WINDOW.with_columns(only), SETTINGS)
    assert result.verdict.finding == ("cannot say" if both else "drift")
    if both:
        reason = "predicted class cannot be tested: it is a in every row of reference and window."
        assert result.verdict.reasons[0] == reason
    assert result.page
    json.dumps(result.evidently, allow_nan=False)


def test_words_that_are_zero_throughout_are_a_finding_without_a_traceback() -> None:
    empty = WINDOW.with_columns(words=pl.lit(0, pl.Int32), unknown_share=pl.lit(1.0, pl.Float32))
    result = drift.judge(REFERENCE, empty, SETTINGS)
    assert {"words", "unknown_share"} <= {s.name for s in result.signals if s.drifted}
    json.dumps(result.evidently, allow_nan=False)
