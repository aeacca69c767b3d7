"""An always-valid test of "this model is right as often as the other one" on the same texts.

Only texts on which exactly one of the two is right say something: the discordant pairs. If the
model is not worse, it is the wrong one in at most half of them. The test bets against that with
money that it may lose. A bet on the share p multiplies the stake by 2p for each pair that the model
lost and by 2(1 - p) for each that it won; with p above 1/2 that gains nothing on average while the
model is not worse. The stake is spread over p in (1/2, 1] by a Beta distribution, most of it near
1: of a model that has become worse by much, nearly all pairs are lost. By Ville's inequality the
stake ever reaches 1 / level with a probability of `level` at most. So the test may be asked after
each label and as often as one likes.

References: Robbins 1970, Statistical Methods Related to the Law of the Iterated Logarithm (mixture
martingales); Waudby-Smith and Ramdas 2024, Estimating Means of Bounded Random Variables by Betting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

# Parameters of the Beta distribution of p, of which the part above 1/2 is used. Flatter ones find
# fewer of the models that are 10 points worse within 100 labels; see benchmarks/way_back.py.
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
    found: Array = (lost + won) * np.log(2) + betaln(a, b) - betaln(_A, _B) + above
    return found
