"""What is asked of the documents as a whole: volume, classes, sources, repeats, age, label noise.

Each check gives a number and its bounds; Great Expectations judges the number, and the page shows
it. What cannot be asked says why: it never counts as passed.
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
from components.label_noise import Noise

V = parameters.Validate
_DAY = 86_400.0  # seconds
_AHEAD = 1.0  # days that a document's time may lie after the snapshot: zones, wrong clocks


@dataclass(frozen=True)
class Check:
    """One number and its bounds.

    Attributes:
        name: in a word or two.
        words: what is asked, in plain words, with the bounds.
        value: None where it cannot be asked.
        least, most: bounds; None: none. A value equal to one of them is good,
        below: but not to `most` where this is true.
        told: the value in words, or why there is none.
        problem: what is said of a value outside the bounds.
    """

    name: str
    words: str
    value: float | None
    told: str
    least: float | None = None
    most: float | None = None
    problem: str = ""
    below: bool = False

    @property
    def passed(self) -> bool | None:
        """None where it was not asked."""
        if self.value is None:
            return None
        if self.below and self.value == self.most:
            return False
        low = self.least is None or self.value >= self.least
        return low and (self.most is None or self.value <= self.most)


def volume(rows: int, last: Known | None, sources: Collection[str], settings: V) -> Check:
    """The rows that came in against those of the last snapshot.

    Args:
        rows: now.
        last: the last snapshot; not comparable if it had other sources.
        sources: names of all sources now.
    """
    least, most = 1 - settings.max_volume_loss, settings.max_volume_growth
    words = f"Rows as a multiple of the last snapshot's: from {least:g} to {most:g}"
    if last is None or not last.rows:
        return Check("volume", words, None, "there is no earlier snapshot")
    if set(last.sources) != set(sources):
        return Check("volume", words, None, "the last snapshot had other sources")
    times = rows / last.rows
    return Check(
        "volume", words, times, f"{rows} rows, {last.rows} before: {times:.2f} times as many",
        least, most,
        f"{rows} rows came in where the last snapshot had {last.rows} ({times:.2f} times as many, "
        f"expected {least:g} to {most:g}): see whether a source is cut short or read twice",
    )  # fmt: skip


def class_balance(now: Mapping[str, int], last: Known | None, settings: V) -> Check:
    """Each class's share of the documents against the last release's.

    The hypothesis is that no share moved by more than `max_class_shift`; it is given up, at the
    level `class_shift_level` for all classes together (Bonferroni), where the confidence interval
    of a difference lies beyond. A mere test for equality would refuse every large data set, and
    the shift that a retraining is there to learn. The interval is Newcombe's (1998, Interval
    estimation for the difference between independent proportions, method 10).
    """
    most, level = settings.max_class_shift, settings.class_shift_level
    words = (
        "How far a class's share of the documents surely moved since the last release: at most "
        f"{most:g} (test at level {level:g})"
    )
    if last is None:
        return Check("class balance", words, None, "there is no earlier release")
    if set(last.by_class) != set(now):
        return Check("class balance", words, None, "the last release had other classes")
    total, before = sum(now.values()), sum(last.by_class.values())
    if not total or not before:
        return Check("class balance", words, None, "there are no documents to compare")
    shifts = {
        name: surely_apart((n, total), (last.by_class[name], before), level / len(now))
        for name, n in now.items()
    }
    name = max(shifts, key=lambda key: shifts[key])
    told = f"{name}: {now[name] / total:.1%} now, {last.by_class[name] / before:.1%} before"
    return Check(
        "class balance", words, shifts[name], f"{shifts[name]:.3f} ({told})", None, most,
        f"the classes are not balanced as in the last release ({told}; surely moved by "
        f"{shifts[name]:.3f}, at most {most:g}, level {level:g}): see whether labels were mixed "
        "up, or raise validate.max_class_shift if the world moved so far",
    )  # fmt: skip


def surely_apart(new: tuple[int, int], old: tuple[int, int], level: float) -> float:
    """How far two shares are apart at least, with error probability `level`; 0 if perhaps not.

    Args:
        new, old: (hits, total).

    >>> round(surely_apart((300, 1000), (200, 1000), 0.01), 3)
    0.051
    >>> surely_apart((21, 100), (20, 100), 0.01)
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
) -> Check:
    """Whether one source floods the others.

    A source that had such a share in the last release already is no flood, and neither is the only
    source beside feedback, which begins small. A flood comes with a new or a broken source.

    Args:
        now: source -> documents that go on; without those that have none.
        last: the last release.
        sources: names of all sources in params.yaml.
        feedback: of these, the ones of that kind.
    """
    limit = settings.max_source_share
    words = f"The share of the documents that one source has: below {limit:g}"
    total = sum(now.values())
    before = last.by_source if last else {}
    base = sum(before.values())
    # A source that had documents in the last release and has none now is flooded, too.
    if len({*now, *(name for name in before if name in sources)}) < 2:  # noqa: PLR2004 - no rest
        return Check("source share", words, None, "only one source has documents")
    ours = [name for name in now if name not in feedback]
    asked = {
        name: n / total
        for name, n in now.items()
        if not (base and before.get(name, 0) / base >= limit) and not (not base and ours == [name])
    }
    if not asked:
        return Check("source share", words, None, "the largest source always was that large")
    name = max(asked, key=lambda key: (asked[key], key))
    return Check(
        "source share", words, asked[name], f"{name} has {asked[name]:.1%}", None, limit,
        f"the source {name} floods the others: it has {asked[name]:.1%} of the documents, expected "
        f"less than {limit:.1%}. See what it sends, or raise validate.max_source_share",
        below=True,
    )  # fmt: skip


def repeats(good: pl.DataFrame, settings: V) -> tuple[Check, dict[str, int]]:
    """Documents that repeat an earlier one word for word; and the counts for validation.json.

    Args:
        good: columns `content` and `label` are used.
    """
    texts = good["content"].n_unique()
    again = good.height - texts
    labels = good.group_by("content").agg(n=pl.col("label").n_unique())
    counts = {"exact": again, "texts_with_several_labels": labels.filter(pl.col("n") > 1).height}
    most = settings.max_duplicate_share
    words = f"The share of documents that repeat an earlier one word for word: at most {most:g}"
    if not good.height:
        return Check("repeats", words, None, "no document goes on"), counts
    share = again / good.height
    return Check(
        "repeats", words, share, f"{again} of {good.height}", None, most,
        f"{again} of {good.height} documents repeat an earlier one word for word ({share:.1%}, at "
        f"most {most:.1%}): see whether a source is read twice",
    ), counts  # fmt: skip


def freshness(newest: datetime | None, baseline: Baseline, now_rows: int, settings: V) -> Check:
    """The newest document's age in days when the snapshot was taken."""
    most = settings.max_age_days
    words = "The newest document's age in days when the snapshot was taken: " + (
        "no limit (validate.max_age_days)" if most is None else f"at most {most:g}"
    )
    if most is None:
        told = "no document has a time" if newest is None else f"the newest is of {newest:%Y-%m-%d}"
        return Check("freshness", words, None, f"no limit is set; {told}")
    if not now_rows:
        return Check("freshness", words, None, "no document goes on")
    if newest is None or baseline.taken is None:
        # A limit that cannot be checked is not kept: infinitely old.
        missing = "no document has a time" if newest is None else "the snapshot has no time"
        return Check(
            "freshness", words, float("inf"), missing, -_AHEAD, most,
            f"expected the newest document to be at most {most:g} days old, but {missing}: give "
            "the documents times, take a new snapshot, or set validate.max_age_days to null",
        )  # fmt: skip
    age = (baseline.taken - newest).total_seconds() / _DAY
    return Check(
        "freshness", words, age, f"{age:.1f} days", -_AHEAD, most,
        f"the newest document was {age:.1f} days old when the snapshot was taken, expected at most "
        f"{most:g} and not from the future: see whether a source has stopped, or sends wrong times",
    )  # fmt: skip


def label_noise(found: Noise | None, why_not: str, settings: V) -> Check:
    """The estimated share of wrong labels; see components/label_noise.py."""
    most = settings.max_label_noise
    words = f"The estimated share of wrong labels: at most {most:g}"
    if found is None:
        return Check("label noise", words, None, f"cannot say: {why_not}")
    worst = ""
    if found.worst is not None:
        worst = f", most often documents of {found.worst[0]} that look like {found.worst[1]}"
    return Check(
        "label noise", words, found.share, f"{found.share:.1%}{worst}", None, most,
        f"about {found.share:.1%} of the labels are wrong (at most {most:.1%}){worst}: look where "
        "the labels come from",
    )  # fmt: skip


def counted(column: pl.Series) -> dict[str, int]:
    """Value -> count, in the order of the alphabet; nulls are left out."""
    return dict(sorted(Counter(column.drop_nulls().to_list()).items()))
