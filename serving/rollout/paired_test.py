"""An always-valid test of "this model is right as often as the other one" on the same texts.

Only texts on which exactly one of the two is right say something: the discordant pairs. If the
model is not worse, it is the wrong one in at most half of them. The test bets against that with
money that it may lose. A bet on the share p multiplies the stake by 2p for each pair that the model
lost and by 2(1 - p) for each that it won; with p above 1/2 that gains nothing on average while the
model is not worse. The stake is spread over p in (1/2, 1] by a Beta distribution, most of it near
1: of a model that has become worse by much, nearly all pairs are lost. By Ville's inequality the
stake ever reaches 1 / level with a probability of `level` at most. So the test may be asked after
each label and as often as one likes.

A caller may lie. The evidence has to stand whoever is left out, so that one caller alone sends no
model back; and one caller who calls everything right must not hide what the others say, so a half
of the stake is bet as if each of the others, one after the other, had said nothing either.

References: Robbins 1970, Statistical Methods Related to the Law of the Iterated Logarithm (mixture
martingales); Waudby-Smith and Ramdas 2024, Estimating Means of Bounded Random Variables by Betting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

# Parameters of the Beta distribution of p, of which the part above 1/2 is used. Flatter ones find
# fewer of the models that are 10 points worse within 100 labels (benchmarks/serving/way_back.py).
_A, _B = 3.0, 0.2


def log_evidence(lost: Any, won: Any) -> Array:
    """The natural logarithm of the stake, which began as 1.

    Args:
        lost: texts on which only the other model is right, whole numbers of any shape.
        won: texts on which only this model is right, of the same shape.

    >>> [round(float(log_evidence(lost, won)), 2) for lost, won in ((0, 0), (7, 0), (8, 2), (5, 5))]
    [0.0, 4.61, 0.32, -3.11]
    """
    import numpy as np
    from scipy.special import betaincc, betaln

    lost, won = np.asarray(lost, np.float64), np.asarray(won, np.float64)
    a, b = lost + _A, won + _B
    # betaincc(a, b, 1/2): the part of Beta(a, b) above 1/2.
    with np.errstate(divide="ignore"):  # so many won that nothing is left of the stake
        above = np.log(betaincc(a, b, 0.5)) - np.log(betaincc(_A, _B, 0.5))
    evidence: Array = (lost + won) * np.log(2) + betaln(a, b) - betaln(_A, _B) + above
    return evidence


def log_evidence_of_callers(alone: tuple[int, int], others: Sequence[tuple[int, int]]) -> float:
    """The evidence that is left whichever of the other callers lies.

    Args:
        alone: texts lost and won by the labels of those who may decide alone.
        others: the same of each other caller.

    >>> others = [[(100, 0)], [(9, 0), (9, 0)], [(5, 0)] * 3, [(5, 0)] * 3 + [(0, 99)]]
    >>> [log_evidence_of_callers((0, 0), one) > 4.6 for one in others]
    [False, True, True, True]
    """
    import numpy as np
    from scipy.special import logsumexp

    if not others:
        return float(log_evidence(*alone))
    total = np.sum([alone, *others], axis=0)  # (2,)
    kinds, counts = np.unique(np.asarray(others), axis=0, return_counts=True)  # (K, 2), (K,)
    left = total - kinds  # (K, 2) without one caller of that kind
    evidence = log_evidence(left[:, 0], left[:, 1])  # (K,)
    if len(others) > 1:
        without_two = np.maximum(left[:, None] - kinds[None], 0)  # (K, K, 2)
        weights = (counts - np.eye(len(kinds))) / (len(others) - 1)  # (K, K)
        pairs = log_evidence(without_two[..., 0], without_two[..., 1])
        hidden = logsumexp(pairs, b=weights, axis=1)
        evidence = np.logaddexp(evidence, hidden) - np.log(2)
    return float(evidence.min())
