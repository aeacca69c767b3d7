"""Release rate of the gate for candidates that are worse, equal or better than the champion.

Two models answer the same simulated texts. Each text has a difficulty that both models feel (a
Gaussian copula with a correlation drawn anew for each try), so that they err on the same texts as
real ones do: of two trainings of textcnn on BBC News, 4 of 4 and 6 errors were shared. Two models
that are both wrong say the same wrong class in most cases. A share of the texts counts as newest
labels. Everything that the gate asks of the champion is asked: both sides, macro F1, slices.

The first release is simulated too, against the majority class and the linear baseline: a candidate
without skill, which is as often right as the majority class, or (where classes are imbalanced)
guesses by the shares of the classes; and candidates equal to, or worse than, the linear baseline.

    python benchmarks/operations/gate_simulation.py [--tries 1000] [--resamples 4000]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from components.core import params
from components.core.ledger.verdicts import GateVerdict
from components.core.metrics import wilson
from components.core.target import SingleLabel
from components.gate import baselines, comparison
from components.gate.baselines import Metric
from components.gate.checks import against_baselines, against_champion, verdict

CLASSES = 5
TARGET = SingleLabel([str(i) for i in range(CLASSES)])
SIZES = (100, 200, 400, 1000, 2000)
CORRELATIONS = (0.5, 0.7, 0.85, 0.95)
CHAMPIONS = (0.85, 0.98)  # lowest and highest true accuracy of a champion
NEWEST = (0.0, 0.05, 0.2)  # shares of texts that people labelled since the champion was made
FIRST = (22, 100, 400)  # texts on the test side of a first release
BALANCED = {2: (0.5, 0.5), 5: (0.2,) * 5}  # classes -> shares
IMBALANCED = {2: (0.85, 0.15), 5: (0.5, 0.2, 0.1, 0.1, 0.1)}
SAME_MISTAKE = 0.7  # of texts that both get wrong: both say the same wrong class


def answers(
    generator: np.random.Generator,
    size: int,
    champion: float,
    lead: float,
    shares: tuple[float, ...] = BALANCED[CLASSES],
) -> pl.DataFrame:
    """Simulates a test side with both models' predictions, the input of `comparison.compare`.

    Args:
        size: number of texts.
        champion: true accuracy of the champion.
        lead: true accuracy of the candidate less the champion's.
        shares: of the classes.
    """
    correlation = generator.choice(CORRELATIONS)
    shared = generator.normal(size=size)
    own = generator.normal(size=(2, size))
    felt = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own  # (2, N)
    bars = norm.ppf([min(champion + lead, 1 - 1e-9), champion])[:, None]
    wrong = felt > bars  # (2, N): candidate, champion
    classes = len(shares)
    even = len(set(shares)) == 1
    actual = (
        generator.integers(classes, size=size)
        if even
        else generator.choice(classes, size, p=shares)
    )
    shifts = generator.integers(1, classes, size=(2, size))
    shifts[0] = np.where(generator.random(size) < SAME_MISTAKE, shifts[1], shifts[0])
    predicted = (actual + wrong * shifts) % classes
    newest = generator.random(size) < generator.choice(NEWEST)
    return pl.DataFrame(
        {
            "actual": actual.astype(str),
            "candidate": predicted[0].astype(str),
            "champion": predicted[1].astype(str),
            "recent": newest,
            "source": np.where(newest, "feedback", "archive"),
            "length": generator.integers(100, 5000, size=size),
        }
    )


def tries(
    settings: params.Gate, count: int, sizes: tuple[int, ...], leads: tuple[float, float], seed: int
) -> Counter[str]:
    """Simulates `count` comparisons with random size and lead; returns the gate's verdicts.

    Args:
        leads: smallest and largest true lead of the candidate; each try draws one between.
    """
    generator = np.random.default_rng(seed)
    verdicts: Counter[str] = Counter()
    for _ in range(count):
        rows = answers(
            generator,
            int(generator.choice(sizes)),
            generator.uniform(CHAMPIONS[0], CHAMPIONS[1] - max(leads[1], 0)),
            generator.uniform(*leads),
        )
        checks = against_champion(comparison.compare(rows, TARGET, settings), settings)
        verdicts[verdict(checks)] += 1
    return verdicts


def first_release(
    settings: params.Gate,
    count: int,
    size: int,
    shares: Mapping[int, tuple[float, ...]],
    lead: float | None,
    seed: int,
    linear: bool = True,
) -> Counter[str]:
    """Simulates `count` first releases; returns the gate's verdicts, KEEP counted as REFUSE.

    Args:
        size: number of test documents.
        shares: classes -> share of each class; each simulation draws one entry.
        lead: true accuracy of the candidate less the linear baseline's; None: without skill.
        linear: False: the linear baseline could not be trained.
    """
    generator = np.random.default_rng(seed)
    metric = Metric.ACCURACY if shares is BALANCED else Metric.MACRO_F1
    verdicts: Counter[str] = Counter()
    for _ in range(count):
        of_classes = shares[int(generator.choice(list(shares)))]
        accuracy = generator.uniform(*CHAMPIONS)
        rows = answers(generator, size, accuracy, lead or 0.0, of_classes)
        if lead is None:
            rows = rows.with_columns(candidate=without_skill(generator, rows, of_classes, metric))
        table = rows.rename({"champion": "baseline"}).with_columns(
            pl.when(pl.lit(linear)).then("baseline"), majority=pl.lit("0")
        )
        target = SingleLabel([str(i) for i in range(len(of_classes))])
        (compared,) = baselines.compare([table], target, settings, metric)
        found = verdict(against_baselines(compared, settings))
        verdicts[GateVerdict.RELEASE if found == GateVerdict.RELEASE else GateVerdict.REFUSE] += 1
    return verdicts


def without_skill(
    generator: np.random.Generator, rows: pl.DataFrame, shares: tuple[float, ...], metric: Metric
) -> pl.Series:
    """Answers that are as often right as the majority class, or guesses by the classes' shares."""
    actual = rows["actual"].cast(pl.Int64).to_numpy()
    classes, size = len(shares), len(rows)
    if metric == Metric.MACRO_F1:
        predicted = generator.choice(classes, size, p=shares)
    else:
        right = generator.random(size) < max(shares)
        other = (actual + generator.integers(1, classes, size)) % classes
        predicted = np.where(right, actual, other)
    return pl.Series(predicted).cast(pl.String)


def show(title: str, verdicts: Counter[str]) -> None:
    count = verdicts.total()
    bound = wilson(verdicts[GateVerdict.RELEASE], count, 0.95)
    shares = ", ".join(
        f"{name} {verdicts[name] / count:.1%}" for name in ("release", "keep", "refuse")
    )
    print(f"{title:<72} {shares:<44} released: {bound.low:.1%} to {bound.high:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=1000, help="of each row")
    parser.add_argument("--resamples", type=int, help="of the bootstrap; default: params.yaml's")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--first", action="store_true", help="the first release only")
    asked = parser.parse_args()
    loaded = params.load(Path(__file__).parents[2] / "params.yaml").gate
    changes: dict[str, Any] = {"resamples": asked.resamples} if asked.resamples else {}
    better = loaded.model_copy(update={"rule": "better", **changes})
    lenient = loaded.model_copy(update={"rule": "not_worse", **changes})
    started = time.monotonic()
    print(f"{asked.tries} simulated comparisons a row, level {better.level}, seed {asked.seed}\n")
    for size in FIRST:
        for title, shares in (("balanced", BALANCED), ("imbalanced", IMBALANCED)):
            for name, lead, linear in (
                ("no skill, and no linear baseline", None, False), ("no skill", None, True),
                ("equal to the linear baseline", 0.0, True),
                ("5 points worse", -0.05, True), ("10 points worse", -0.1, True),
            ):  # fmt: skip
                arguments = (better, asked.tries, size, shares, lead, asked.seed + size, linear)
                show(f"first release, {title}, {size} texts: {name}", first_release(*arguments))
    if asked.first:
        return
    show(
        "equal or up to 3 points worse, 100 to 2,000 texts",
        tries(better, asked.tries, SIZES, (-0.03, 0.0), asked.seed),
    )
    for size in SIZES:
        verdicts = tries(better, asked.tries, (size,), (0.0, 0.0), asked.seed + size)
        show(f"exactly equal, {size} texts", verdicts)
    for size in SIZES:
        verdicts = tries(better, asked.tries, (size,), (0.03, 0.03), asked.seed + size)
        show(f"3 points better, {size} texts", verdicts)
    for size in SIZES:
        verdicts = tries(lenient, asked.tries, (size,), (-0.03, 0.0), asked.seed + size)
        show(f"rule not_worse: up to 3 points worse, {size} texts", verdicts)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
