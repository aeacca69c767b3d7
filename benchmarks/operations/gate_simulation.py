"""Release rate of the gate for candidates that are worse, equal or better than the champion.

Two models answer the same simulated texts. Each text has a difficulty that both models feel (a
Gaussian copula with a correlation drawn anew for each try), so that they err on the same texts as
real ones do: of two trainings of textcnn on BBC News, 4 of 4 and 6 errors were shared. Two models
that are both wrong say the same wrong class in most cases. A share of the texts counts as newest
labels. Everything that the gate asks of the champion is asked: both sides, macro F1, slices.

    python benchmarks/operations/gate_simulation.py [--tries 1000] [--resamples 4000]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from components.core import params
from components.core.ledger.verdicts import GateVerdict
from components.core.metrics import wilson
from components.core.target import SingleLabel
from components.gate import comparison
from components.gate.checks import against_champion, verdict

CLASSES = 5
TARGET = SingleLabel([str(i) for i in range(CLASSES)])
SIZES = (100, 200, 400, 1000, 2000)
CORRELATIONS = (0.5, 0.7, 0.85, 0.95)
CHAMPIONS = (0.85, 0.98)  # lowest and highest true accuracy of a champion
NEWEST = (0.0, 0.05, 0.2)  # shares of texts that people labelled since the champion was made
SAME_MISTAKE = 0.7  # of texts that both get wrong: both say the same wrong class


def answers(
    generator: np.random.Generator, size: int, champion: float, lead: float
) -> pl.DataFrame:
    """Simulates a test side with both models' predictions, the input of `comparison.compare`.

    Args:
        size: number of texts.
        champion: true accuracy of the champion.
        lead: true accuracy of the candidate less the champion's.
    """
    correlation = generator.choice(CORRELATIONS)
    shared = generator.normal(size=size)
    own = generator.normal(size=(2, size))
    felt = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own  # (2, N)
    bars = norm.ppf([min(champion + lead, 1 - 1e-9), champion])[:, None]
    wrong = felt > bars  # (2, N): candidate, champion
    actual = generator.integers(CLASSES, size=size)
    shifts = generator.integers(1, CLASSES, size=(2, size))
    shifts[0] = np.where(generator.random(size) < SAME_MISTAKE, shifts[1], shifts[0])
    predicted = (actual + wrong * shifts) % CLASSES
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


def show(title: str, verdicts: Counter[str]) -> None:
    count = verdicts.total()
    bound = wilson(verdicts[GateVerdict.RELEASE], count, 0.95)
    shares = ", ".join(
        f"{name} {verdicts[name] / count:.1%}" for name in ("release", "keep", "refuse")
    )
    print(f"{title:<52} {shares:<44} released: {bound.low:.1%} to {bound.high:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=1000, help="of each row")
    parser.add_argument("--resamples", type=int, help="of the bootstrap; default: params.yaml's")
    parser.add_argument("--seed", type=int, default=12)
    asked = parser.parse_args()
    loaded = params.load(Path(__file__).parents[2] / "params.yaml").gate
    changes: dict[str, Any] = {"resamples": asked.resamples} if asked.resamples else {}
    better = loaded.model_copy(update={"rule": "better", **changes})
    lenient = loaded.model_copy(update={"rule": "not_worse", **changes})
    started = time.monotonic()
    print(f"{asked.tries} simulated comparisons a row, level {better.level}, seed {asked.seed}\n")
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
