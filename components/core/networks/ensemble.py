"""`ensemble`: the mean of several architectures that were trained separately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def join(networks: Sequence[Any], lengths: Sequence[int], names: Sequence[str]) -> Any:
    """Joins trained networks (Hansen and Salamon 1990, "Neural Network Ensembles").

    Args:
        networks: networks that `assembly.build` returned.
        lengths: number of ids that each network reads; the joined network reads them one after
            the other.
        names: keys of the outputs: probabilities, members, features.

    Returns:
        A keras.Model from ids (B, sum of lengths) to the same outputs. Its members are the mean
        probabilities of each network.
    """
    probabilities, members, features = names
    ids = keras.Input((sum(lengths),), dtype="int32", name="ids")
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    outputs = [
        network(ids[:, start : start + length])
        for network, start, length in zip(networks, starts, lengths, strict=True)
    ]
    means = ops.stack([output[probabilities] for output in outputs], axis=1)  # (B, M, C)
    return keras.Model(
        ids,
        {
            probabilities: ops.mean(means, axis=1),
            members: means,
            features: ops.concatenate([output[features] for output in outputs], axis=-1),
        },
        name="ensemble",
    )
