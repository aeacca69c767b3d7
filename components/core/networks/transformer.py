"""`transformer`: an encoder learned from scratch.

Vaswani et al. 2017, "Attention Is All You Need"; each part is normalised before it, not after
(Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture"), so that it learns
without a slow start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import layers, ops

from components.core.networks import parts
from components.core.params.architectures.transformer import Transformer

if TYPE_CHECKING:
    import numpy as np

_FEED_FORWARD = 4  # times as wide as the rest; Vaswani et al.
_LONGEST_WAVE = 10000.0  # of the sinusoidal positions; Vaswani et al.


def features(
    ids: Any, settings: Transformer, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """The mean over the words of what the last layer says of them, (B, units)."""
    del classes  # the layers that answer are added by `assembly`
    vectors = parts.embed(ids, embedding, settings.word_dropout, seed)  # (B, L, E)
    state = layers.Dense(settings.units, name="word")(vectors) + _positions(
        ids, settings
    )  # (B, L, units)
    words = parts.inside(ids)  # (B, L, 1)
    visible = ops.transpose(words, (0, 2, 1)) > 0  # (B, 1, L): padding is not looked at
    for i in range(settings.layers):
        drops = [layers.Dropout(settings.dropout, seed=seed + 2 * i + part) for part in (0, 1)]
        calm = layers.LayerNormalization()(state)
        seen = layers.MultiHeadAttention(settings.heads, settings.units // settings.heads)(
            calm, calm, attention_mask=visible
        )
        state = state + drops[0](seen)
        calm = layers.LayerNormalization()(state)
        wide = layers.Dense(_FEED_FORWARD * settings.units, "gelu", name=f"wide_{i}")(calm)
        state = state + drops[1](layers.Dense(settings.units, name=f"narrow_{i}")(wide))
    return [parts.mean(layers.LayerNormalization()(state), words)]


def _positions(ids: Any, settings: Transformer) -> Any:
    """(B, L, units): where a word stands. Learned positions end at `words`, waves do not."""
    place = ops.cumsum(ops.ones_like(ids), axis=1) - 1  # (B, L): 0, 1, 2, ...
    if settings.positions == "learned":
        return layers.Embedding(settings.words, settings.units, name="positions")(place)
    half = settings.units // 2
    speeds = _LONGEST_WAVE ** (-ops.arange(half, dtype="float32") / half)
    angles = ops.expand_dims(ops.cast(place, "float32"), -1) * speeds  # (B, L, units / 2)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
