"""`transformer`: a transformer encoder trained from scratch.

Vaswani et al. 2017, "Attention Is All You Need". Layer normalization comes before each block, not
after (Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture"), so training
needs no warm-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import layers, ops

from components.core.networks import parts
from components.core.params.architectures.transformer import Transformer

if TYPE_CHECKING:
    import numpy as np

_FEED_FORWARD = 4  # width of the feed-forward layers over `units`; Vaswani et al.
_LONGEST_WAVE = 10000.0  # base of the sinusoidal position encoding; Vaswani et al.


def features(
    ids: Any, settings: Transformer, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """Returns the mean of the last layer's states over the words, (B, units)."""
    del classes  # `assembly` adds the output layers
    vectors = parts.embed(ids, embedding, settings.word_dropout, seed)  # (B, L, E)
    state = layers.Dense(settings.units, name="word")(vectors) + _positions(
        ids, settings
    )  # (B, L, units)
    words = parts.inside(ids)  # (B, L, 1)
    visible = ops.transpose(words, (0, 2, 1)) > 0  # (B, 1, L): no attention to padding
    for i in range(settings.layers):
        drops = [layers.Dropout(settings.dropout, seed=seed + 2 * i + part) for part in (0, 1)]
        normalized = layers.LayerNormalization()(state)
        attended = layers.MultiHeadAttention(settings.heads, settings.units // settings.heads)(
            normalized, normalized, attention_mask=visible
        )
        state = state + drops[0](attended)
        normalized = layers.LayerNormalization()(state)
        wide = layers.Dense(_FEED_FORWARD * settings.units, "gelu", name=f"wide_{i}")(normalized)
        state = state + drops[1](layers.Dense(settings.units, name=f"narrow_{i}")(wide))
    return [parts.mean(layers.LayerNormalization()(state), words)]


def _positions(ids: Any, settings: Transformer) -> Any:
    """Returns position encodings (B, L, units): learned up to `words`, or sinusoidal."""
    positions = ops.cumsum(ops.ones_like(ids), axis=1) - 1  # (B, L): 0, 1, 2, ...
    if settings.positions == "learned":
        return layers.Embedding(settings.words, settings.units, name="positions")(positions)
    half = settings.units // 2
    speeds = _LONGEST_WAVE ** (-ops.arange(half, dtype="float32") / half)
    angles = ops.expand_dims(ops.cast(positions, "float32"), -1) * speeds  # (B, L, units / 2)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
