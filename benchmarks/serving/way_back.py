"""Share of champions that go back because of labels: equal to the one before, better, and worse.

    python benchmarks/serving/way_back.py                  # half a minute
    python benchmarks/serving/way_back.py --runs 2000

Both models answer the same labelled texts, and the paired test of serving/rollout is asked after
each label. On a share of the texts, the discordance, exactly one of the two is right; nothing else
of how the models are alike matters to the test. Of a worse model the table also holds the share
that the best test of 100 labels would find which sends at most 1 % of equal models back and is
asked only once (Neyman and Pearson): no test that looks at right and wrong answers finds more.
For equal models the probability to go back within 2,000 discordant pairs is also computed exactly.
Last, the labels come from three callers in turn who may not decide alone, without and with a fourth
who lies in each of his: of a worse model he says that it won, of an equal one that it lost.
Writes benchmarks/serving/way_back.json.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import tables
from components.core.metrics import wilson
from components.core.params.serving import Challenger
from serving.rollout.paired_test import log_evidence, log_evidence_of_callers

LABELS = 2000  # of a whole probation; the service looks at no more
SOON = (100, 200, 500)  # labels within which a worse model goes back
DISCORDANCES = (0.1, 0.12, 0.15, 0.2, 0.3, 0.4)
SMALL = (0.02, 0.05)  # discordances of models that are no 10 points apart
# Discordance, lead and liar of what is simulated with several callers.
CALLERS = (
    (0.1, 0.1, False), (0.15, 0.1, False), (0.1, 0.1, True), (0.15, 0.1, True), (0.1, 0.0, True),
    (0.3, 0.0, True),
)  # fmt: skip
WORSE, BETTER = 0.1, -0.02  # accuracy of the model before less the champion's
_STEP = 20  # labels between two looks, where several callers label
TOGETHER = 500  # runs simulated at once
SEED = 26


@functools.cache
def evidence() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The evidence by pairs lost and won."""
    lost, won = np.meshgrid(*[np.arange(LABELS + 1)] * 2, indexing="ij")
    return log_evidence(lost, won)


def when_back(
    discordance: float, lead: float, runs: int, settings: Challenger
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """After how many labels each run goes back; LABELS + 1 for never.

    Args:
        discordance: share of texts on which exactly one of the two models is right.
        lead: accuracy of the model before less the champion's.
    """
    rng = np.random.default_rng([SEED, int(1000 * discordance), int(1000 * (lead + 1))])
    labels_needed = []
    for start in range(0, runs, TOGETHER):
        drawn = rng.random((min(TOGETHER, runs - start), LABELS))
        lost = np.cumsum(drawn < (discordance + lead) / 2, axis=1)
        won = np.cumsum(drawn > 1 - (discordance - lead) / 2, axis=1)
        back = evidence()[lost, won] >= -np.log(settings.level)
        back[:, : settings.min_labels - 1] = False
        labels_needed.append(np.where(back.any(axis=1), back.argmax(axis=1) + 1, LABELS + 1))
    return np.concatenate(labels_needed)


def best(discordance: float, lead: float, labels: int, level: float) -> float:
    """The power of the best test of so many labels, asked once."""
    power = 0.0
    for pairs in range(labels + 1):
        lost = np.arange(pairs, -1, -1)  # the most telling first
        equal = binom.pmf(lost, pairs, 0.5)
        worse = binom.pmf(lost, pairs, (discordance + lead) / (2 * discordance))
        # Of the outcome at the limit a part is drawn, so that the level is used up.
        taken = np.clip((level - (np.cumsum(equal) - equal)) / equal, 0, 1)
        power += binom.pmf(pairs, labels, discordance) * float(worse @ taken)
    return power


def by_callers(
    discordance: float, lead: float, runs: int, settings: Challenger, liar: bool
) -> dict[str, Any]:
    """Shares of runs that go back, when three honest callers and perhaps a liar label.

    Each of SOON counts the honest labels; the liar sends as many as all others together.
    """
    rng = np.random.default_rng([SEED, int(1000 * discordance), int(1000 * lead), int(liar)])
    result: dict[str, Any] = {
        "discordance": discordance, "worse_by": lead, "runs": runs, "callers": 3, "liar": liar,
    }  # fmt: skip
    back = np.full(runs, LABELS)
    shares = [(discordance + lead) / 6, (discordance - lead) / 6]
    for run in range(runs):
        drawn = rng.random((SOON[-1], 3))  # label, caller: a third of the labels each
        lost, won = np.zeros(3, int), np.zeros(3, int)
        for labels in range(_STEP, SOON[-1] + 1, _STEP):
            part = drawn[labels - _STEP : labels]
            lost = lost + (part < shares[0]).sum(axis=0)
            won = won + (part > 1 - shares[1]).sum(axis=0)
            others = [(int(a), int(b)) for a, b in zip(lost, won, strict=True)]
            if liar:
                others.append((0, labels) if lead > 0 else (labels, 0))
            if log_evidence_of_callers((0, 0), others) >= -np.log(settings.level):
                back[run] = labels
                break
    for labels in SOON:
        share = wilson(int((back <= labels).sum()), runs, 0.95)
        result[f"back_within_{labels}"] = share.rounded()
    return result


def exactly(level: float) -> float:
    """The probability that equal models part within LABELS discordant pairs."""
    going_on, back = np.ones(1), 0.0  # by pairs lost
    for pairs in range(1, LABELS + 1):
        going_on = np.convolve(going_on, [0.5, 0.5])
        lost = np.arange(pairs + 1)
        over = evidence()[lost, pairs - lost] >= -np.log(level)
        back += float(going_on[over].sum())
        going_on[over] = 0
    return back


def row(discordance: float, lead: float, runs: int, settings: Challenger) -> dict[str, Any]:
    back = when_back(discordance, lead, runs, settings)
    result: dict[str, Any] = {"discordance": discordance, "worse_by": lead, "runs": runs}
    for labels in (*SOON, LABELS):
        share = wilson(int((back <= labels).sum()), runs, 0.95)
        result[f"back_within_{labels}"] = share.rounded()
    if lead > 0:
        result["best_of_100"] = round(best(discordance, lead, SOON[0], settings.level), 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000, help="of each row")
    asked = parser.parse_args()
    settings, started = Challenger(), time.process_time()
    cases = [(d, WORSE) for d in DISCORDANCES]
    cases += [(d, 0.0) for d in (*SMALL, *DISCORDANCES)]
    cases += [(d, BETTER) for d in (*SMALL, *DISCORDANCES)]
    rows = []
    print(f"{'worse by':>9}{'discordance':>13}" + "".join(f"{n:>8}" for n in (*SOON, LABELS)))
    for discordance, lead in cases:
        case = row(discordance, lead, asked.runs, settings)
        rows.append(case)
        shares = [case[f"back_within_{n}"]["value"] for n in (*SOON, LABELS)]
        note = f"   best of 100: {case['best_of_100']:.1%}" if lead > 0 else ""
        print(f"{lead:>9.2f}{discordance:>13.2f}" + "".join(f"{s:>8.1%}" for s in shares) + note)
    for discordance, lead, liar in CALLERS:
        case = by_callers(discordance, lead, asked.runs // 40, settings, liar)
        rows.append(case)
        shares = [case[f"back_within_{n}"]["value"] for n in SOON]
        note = "three callers" + (" and a liar" if liar else "")
        print(f"{lead:>9.2f}{discordance:>13.2f}" + "".join(f"{s:>8.1%}" for s in shares), note)
    exact = exactly(settings.level)
    print(f"equal models, exactly, {LABELS} discordant pairs: {exact:.2%}")
    result = {
        "level": settings.level, "min_labels": settings.min_labels, "seed": SEED,
        "equal_exactly": round(exact, 5),
        "processor_seconds": round(time.process_time() - started, 1), "rows": rows,
    }  # fmt: skip
    tables.write_json(result, Path(__file__).with_suffix(".json"))


if __name__ == "__main__":
    main()
