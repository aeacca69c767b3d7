"""Checks of the table as a whole: volume, classes, sources, repeats, age, label noise.

Each check computes a value and its bounds; Great Expectations compares them, and the report shows
them. A check without a value holds the reason, and never counts as passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from components.core import params as parameters
from components.core.baseline import Baseline, Known
from components.core.metrics import wilson
from components.core.scrub import unsearched_note
from components.label_noise import Noise

V = parameters.Validate
_DAY = 86_400.0  # seconds
_MAX_AHEAD = 1.0  # days that a document's time may be after the snapshot: time zones, wrong clocks


@dataclass(frozen=True)
class TableCheck:
    """A value and its bounds.

    Attributes:
        name: of the check, in a word or two.
        words: definition of the value, with the bounds.
        value: None if it cannot be computed.
        description: the value as text, or the reason for a missing value.
        low, high: inclusive bounds; None for no bound.
        problem: the message for a value outside the bounds.
        below: makes the bound `high` exclusive.
    """

    name: str
    words: str
    value: float | None
    description: str
    low: float | None = None
    high: float | None = None
    problem: str = ""
    below: bool = False

    @property
    def passed(self) -> bool | None:
        """True for a value within the bounds; None without a value."""
        if self.value is None:
            return None
        if self.below and self.value == self.high:
            return False
        above = self.low is None or self.value >= self.low
        return above and (self.high is None or self.value <= self.high)


def volume(rows: int, last: Known | None, sources: Collection[str], settings: V) -> TableCheck:
    """Compares the number of ingested rows with that of the last snapshot.

    Args:
        rows: of this snapshot.
        last: the last snapshot; not comparable if it had other sources.
        sources: names of all sources in params.yaml.
    """
    low, high = 1 - settings.max_volume_loss, settings.max_volume_growth
    words = f"Rows as a multiple of the last snapshot's: from {low:g} to {high:g}"
    if last is None or not last.rows:
        return TableCheck("volume", words, None, "there is no earlier snapshot")
    if set(last.sources) != set(sources):
        return TableCheck("volume", words, None, "the last snapshot had other sources")
    times = rows / last.rows
    return TableCheck(
        "volume", words, times, f"{rows} rows, {last.rows} before: {times:.2f} times as many",
        low, high,
        f"{rows} rows came in where the last snapshot had {last.rows} ({times:.2f} times as many, "
        f"expected {low:g} to {high:g}): see whether a source is cut short or read twice",
    )  # fmt: skip


def class_balance(now: Mapping[str, int], last: Known | None, settings: V) -> TableCheck:
    """Compares each class's share of the documents with its share in the last release.

    The null hypothesis is that no share moved by more than `max_class_shift`. It is rejected if
    the confidence interval of a difference lies beyond that, at the level `class_shift_level` for
    all classes together (Bonferroni). A test for equality would refuse every large data set, and
    the shift that a retraining must learn. The interval is Newcombe's (1998, Interval estimation
    for the difference between independent proportions, method 10).

    Args:
        now: class -> documents.
        last: the last release; not comparable if it had other classes.
        settings: bounds.
    """
    limit, level = settings.max_class_shift, settings.class_shift_level
    words = (
        "The lower confidence bound of the change of a class's share since the last release: at "
        f"most {limit:g} (test at level {level:g})"
    )
    if last is None:
        return TableCheck("class balance", words, None, "there is no earlier release")
    if set(last.by_class) != set(now):
        return TableCheck("class balance", words, None, "the last release had other classes")
    total, before = sum(now.values()), sum(last.by_class.values())
    if not total or not before:
        return TableCheck("class balance", words, None, "there are no documents to compare")
    shifts = {
        name: difference_bound((n, total), (last.by_class[name], before), level / len(now))
        for name, n in now.items()
    }
    name = max(shifts, key=lambda key: shifts[key])
    change = f"{name}: {now[name] / total:.1%} now, {last.by_class[name] / before:.1%} before"
    return TableCheck(
        "class balance", words, shifts[name], f"{shifts[name]:.3f} ({change})", None, limit,
        f"the classes are not balanced as in the last release ({change}; moved by at least "
        f"{shifts[name]:.3f}, expected at most {limit:g}, level {level:g}): see if labels were "
        "mixed up, or raise validate.max_class_shift if the world moved so far",
    )  # fmt: skip


def difference_bound(new: tuple[int, int], old: tuple[int, int], level: float) -> float:
    """Lower confidence bound of the difference of two proportions (Newcombe 1998, method 10).

    Args:
        new, old: (hits, total).
        level: error probability.

    Returns:
        The bound of the absolute difference, in [0, 1]; 0 where the interval contains 0.

    >>> round(difference_bound((300, 1000), (200, 1000), 0.01), 3)
    0.05
    >>> difference_bound((21, 100), (20, 100), 0.01)
    0.0
    """
    a, b = (wilson(hits, total, 1 - level) for hits, total in (new, old))
    gap = a.value - b.value
    if gap < 0:
        a, b, gap = b, a, -gap
    return float(max(0.0, gap - ((a.value - a.low) ** 2 + (b.high - b.value) ** 2) ** 0.5))


def source_share(
    now: Mapping[str, int],
    last: Known | None,
    sources: Collection[str],
    feedback: Collection[str],
    settings: V,
) -> TableCheck:
    """Compares the largest share of one source with `max_source_share`.

    The check looks for a new or a broken source that floods the others. It leaves out a source that
    had such a share in the last release, and the only source beside feedback, which begins small.

    Args:
        now: source -> good documents; without sources that have none.
        last: the last release.
        sources: names of all sources in params.yaml.
        feedback: names of the sources of the kind feedback.
    """
    limit = settings.max_source_share
    words = f"The share of the documents that one source has: below {limit:g}"
    total = sum(now.values())
    before = last.by_source if last else {}
    base = sum(before.values())
    # A source of the last release that has no documents now may be flooded by the others.
    if len({*now, *(name for name in before if name in sources)}) < 2:  # noqa: PLR2004 - no rest
        return TableCheck("source share", words, None, "only one source has documents")
    own = [name for name in now if name not in feedback]
    shares = {
        name: n / total
        for name, n in now.items()
        if not (base and before.get(name, 0) / base >= limit) and not (not base and own == [name])
    }
    if not shares:
        return TableCheck("source share", words, None, "the largest source always was that large")
    name = max(shares, key=lambda key: (shares[key], key))
    return TableCheck(
        "source share", words, shares[name], f"{name} has {shares[name]:.1%}", None, limit,
        f"the source {name} floods the others: it has {shares[name]:.1%} of the documents, "
        f"expected less than {limit:.1%}. See what it sends, or raise validate.max_source_share",
        below=True,
    )  # fmt: skip


def repeats(good: pl.DataFrame, settings: V) -> tuple[TableCheck, dict[str, int]]:
    """Computes the share of documents that repeat an earlier one word for word.

    Args:
        good: good rows, with the columns `content` and `label`.
        settings: bounds.

    Returns:
        The check; `exact` and `texts_with_several_labels` for validation.json.
    """
    texts = good["content"].n_unique()
    repeated = good.height - texts
    labels = good.group_by("content").agg(n=pl.col("label").n_unique())
    counts = {"exact": repeated, "texts_with_several_labels": labels.filter(pl.col("n") > 1).height}
    limit = settings.max_duplicate_share
    words = f"The share of documents that repeat an earlier one word for word: at most {limit:g}"
    if not good.height:
        return TableCheck("repeats", words, None, "no document goes on"), counts
    share = repeated / good.height
    return TableCheck(
        "repeats", words, share, f"{repeated} of {good.height}", None, limit,
        f"{repeated} of {good.height} documents repeat an earlier one word for word ({share:.1%}, "
        f"at most {limit:.1%}): see whether a source is read twice",
    ), counts  # fmt: skip


def freshness(
    newest: datetime | None, baseline: Baseline, now_rows: int, settings: V
) -> TableCheck:
    """Computes the newest document's age in days when the snapshot was taken."""
    limit = settings.max_age_days
    words = "The newest document's age in days when the snapshot was taken: " + (
        "no limit (validate.max_age_days)" if limit is None else f"at most {limit:g}"
    )
    if limit is None:
        newest_text = (
            "no document has a time" if newest is None else f"the newest is of {newest:%Y-%m-%d}"
        )
        return TableCheck("freshness", words, None, f"no limit is set; {newest_text}")
    if not now_rows:
        return TableCheck("freshness", words, None, "no document goes on")
    if newest is None or baseline.taken is None:
        # An age that is unknown fails the limit.
        missing = "no document has a time" if newest is None else "the snapshot has no time"
        return TableCheck(
            "freshness", words, float("inf"), missing, -_MAX_AHEAD, limit,
            f"expected the newest document to be at most {limit:g} days old, but {missing}: give "
            "the documents times, take a new snapshot, or set validate.max_age_days to null",
        )  # fmt: skip
    age = (baseline.taken - newest).total_seconds() / _DAY
    return TableCheck(
        "freshness", words, age, f"{age:.1f} days", -_MAX_AHEAD, limit,
        f"the newest document was {age:.1f} days old when the snapshot was taken, expected at most "
        f"{limit:g} and not from the future: see if a source has stopped, or sends wrong times",
    )  # fmt: skip


def label_noise(noise: Noise | None, why_not: str, settings: V) -> TableCheck:
    """Compares the estimated share of wrong labels; see components/label_noise.py."""
    limit = settings.max_label_noise
    words = f"The estimated share of wrong labels: at most {limit:g}"
    if noise is None:
        return TableCheck("label noise", words, None, f"cannot say: {why_not}")
    worst = ""
    if noise.worst is not None:
        worst = f", most often documents of {noise.worst[0]} that look like {noise.worst[1]}"
    return TableCheck(
        "label noise", words, noise.share, f"{noise.share:.1%}{worst}", None, limit,
        f"about {noise.share:.1%} of the labels are wrong (at most {limit:.1%}){worst}: look where "
        "the labels come from; if these classes are hard to tell apart, raise "
        "validate.max_label_noise",
    )  # fmt: skip


def names_searched(languages: Mapping[str, int]) -> TableCheck:
    """Shows in how many documents names were not searched, by language; it has no bound."""
    words = "The documents in which names and addresses were searched"
    return TableCheck("names searched", words, None, unsearched_note(languages) or "all")


def counted(column: pl.Series) -> dict[str, int]:
    """Counts each value of a column without nulls, in alphabetical order."""
    return dict(sorted(Counter(column.drop_nulls().to_list()).items()))
