"""`pretrained`: a pretrained transformer, fine-tuned or frozen, with output layers for our classes.

Devlin et al. 2019, "BERT"; Reimers and Gurevych 2019, "Sentence-BERT", for the mean over words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from components.core.errors import ParamsError
from components.core.networks import presets, tfidf
from components.core.params.architectures.pretrained import Pretrained

if TYPE_CHECKING:
    import numpy as np

_LAYER = re.compile(r".*layer_(\d+)$")  # transformer layers, as KerasHub names them
_GRAMS, _BUCKETS = 2, 131_072  # n-grams of word pieces in the bag beside a frozen model
_LOWEST = -1e4  # below any output of a layer, and representable in bfloat16
_NORMALIZED = "seen"


def features(
    ids: Any, settings: Pretrained, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """Returns pooled outputs of the last layer, which encodes a document chunk by chunk.

    The features are the mean and the maximum over all word pieces and the mean over the first
    chunk: (B, 3 widths). Layer normalization makes models with outputs of different scales
    comparable.

    A frozen model (`trained_layers` 0) gets a TF-IDF bag of the same pieces beside it, (B, classes)
    more (Cheng et al. 2016, "Wide & Deep Learning"): the model has the meaning of words, the bag
    learns which words matter for these classes.

    Raises:
        ParamsError: the preset cannot be read, or has fewer layers than `trained_layers`.
    """
    del embedding, seed  # the model has its own word vectors, and nothing is random
    backbone = presets.backbone(settings)
    _freeze(backbone, settings.trained_layers)
    chunks = Chunks(settings.chunk)(ids)  # (B K, l)
    inputs = {
        "token_ids": chunks,
        "padding_mask": ops.cast(ops.not_equal(chunks, 0), "int32"),
        "segment_ids": ops.zeros_like(chunks),
    }
    output = backbone.output
    last = output["sequence_output"] if isinstance(output, dict) else output
    # BERT's own pooler is left out: a frozen model would not train it for these classes.
    body = keras.Model(backbone.input, last, name="body")
    sequence = body({name: inputs[name] for name in backbone.input})  # (B K, l, width)
    pooled = Pooled()(sequence, chunks, ids)
    normalized = layers.LayerNormalization(center=False, scale=False, name=_NORMALIZED)(pooled)
    if settings.trained_layers != 0:
        return [normalized]
    rows = backbone.token_embedding.input_dim
    bag = tfidf.bag(ids, rows, _GRAMS, _BUCKETS, classes)
    return [ops.concatenate([ops.cast(normalized, "float32"), bag], axis=-1)]


def frozen_part(net: Any) -> Any:
    """Returns the frozen part of a network with a frozen model: ids -> (B, 3 widths)."""
    return keras.Model(net.input, ops.cast(net.get_layer(_NORMALIZED).output, "float32"))


def trained_part(net: Any) -> Any:
    """Returns the trained part of the same network: ids, result of `frozen_part` -> outputs."""
    return keras.Model([net.input, net.get_layer(_NORMALIZED).output], net.output)


class Chunks(layers.Layer):  # type: ignore[misc]
    """Cuts documents (B, L) into chunks, one after the other: (B K, l).

    K is the number of chunks of the longest document in the batch, so that a batch of short
    documents costs less time.

    Args:
        size: ids of a chunk, in the layout of core/tokenizers/wordpiece.py.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def call(self, ids: Any) -> Any:
        positions = ops.arange(1, ops.shape(ids)[1] + 1, dtype="int32")
        longest = ops.maximum(ops.max(ops.where(ops.not_equal(ids, 0), positions, 0)), 1)
        count = (longest + self._size - 1) // self._size
        width = ops.minimum(longest, self._size)
        filled = ops.pad(ids, [[0, 0], [0, self._size]])
        return ops.reshape(filled[:, : count * width], (-1, width))

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((None, None), dtype=ids.dtype)


class Pooled(layers.Layer):  # type: ignore[misc]
    """Pools a document to (B, 3 F): mean, maximum, and mean over the first chunk.

    Padding and empty chunks are left out.
    """

    def call(self, sequence: Any, chunks: Any, ids: Any) -> Any:
        """Pools `sequence` (B K, l, F) of the `chunks` (B K, l) of the documents `ids` (B, L)."""
        width = sequence.shape[-1]
        words = ops.cast(ops.expand_dims(ops.not_equal(chunks, 0), -1), sequence.dtype)
        by_chunk = (ops.shape(ids)[0], -1, width)  # (B, K, F)
        sums = ops.reshape(ops.sum(sequence * words, axis=1), by_chunk)
        counts = ops.reshape(ops.sum(words, axis=1), (*by_chunk[:2], 1))
        largest = ops.max(ops.where(words > 0, sequence, _LOWEST), axis=1)
        largest = ops.max(ops.reshape(largest, by_chunk), axis=1)
        largest = ops.where(largest > _LOWEST, largest, 0)
        mean = ops.sum(sums, axis=1) / ops.maximum(ops.sum(counts, axis=1), 1)
        first = sums[:, 0] / ops.maximum(counts[:, 0], 1)
        return ops.concatenate([mean, largest, first], axis=-1)

    def compute_output_shape(
        self, sequence_shape: Any, chunks_shape: Any, ids_shape: Any
    ) -> tuple[Any, Any]:
        del chunks_shape
        return ids_shape[0], 3 * sequence_shape[-1]


def _freeze(backbone: Any, last_layers: int | str) -> None:
    """Freezes all layers but the last `last_layers`; "all" freezes none."""
    if last_layers == "all":
        return
    matches = {layer.name: _LAYER.match(layer.name) for layer in backbone.layers}
    numbers = {name: int(match[1]) for name, match in matches.items() if match}
    if int(last_layers) > len(numbers):
        raise ParamsError(
            f"Expected train.pretrained.trained_layers to be at most {len(numbers)}, which the "
            f"preset has, or `all`; got {last_layers}."
        )
    for layer in backbone.layers:
        layer.trainable = numbers.get(layer.name, -1) >= len(numbers) - int(last_layers)
