"""`ensemble`: the mean of several architectures, each trained by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def join(networks: Sequence[Any], lengths: Sequence[int], names: Sequence[str]) -> Any:
    """One network out of trained ones (Hansen and Salamon 1990, "Neural Network Ensembles").

    Args:
        networks: as `network.build` builds them.
        lengths: ids that each reads; the joined one reads them one after the other.
        names: what the outputs are called: probabilities, members, features.

    Returns:
        A keras.Model from ids (B, sum of lengths) to the same outputs. Its members are the
        networks, each with its own mean.
    """
    probabilities, members, features = names
    ids = keras.Input((sum(lengths),), dtype="int32", name="ids")
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    found = [
        network(ids[:, start : start + length])
        for network, start, length in zip(networks, starts, lengths, strict=True)
    ]
    said = ops.stack([one[probabilities] for one in found], axis=1)  # (B, M, C)
    return keras.Model(
        ids,
        {
            probabilities: ops.mean(said, axis=1),
            members: said,
            features: ops.concatenate([one[features] for one in found], axis=-1),
        },
        name="ensemble",
    )
