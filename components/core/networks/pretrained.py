"""`pretrained`: a transformer that read much text before, and learns our classes on top of it.

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

_LAYER = re.compile(r".*layer_(\d+)$")  # of a transformer, as KerasHub names them
_GRAMS, _BUCKETS = 2, 131_072  # of the word pieces that are counted beside
_LOWEST = -1e4  # below any number that a layer gives, and within bfloat16
_SEEN = "seen"


def features(
    ids: Any, settings: Pretrained, embedding: np.ndarray[Any, Any], seed: int, classes: int
) -> list[Any]:
    """What the last layer says of a document's word pieces, which it reads chunk by chunk.

    The mean over all pieces says what it is about, the largest values what stands out in it, the
    mean over the first chunk how it begins: (B, 3 of its widths). It is normalised, as models
    differ in how large their numbers are.

    Where nothing in the model learns, a bag of the same pieces stands beside it, (B, classes) more
    (Cheng et al. 2016, "Wide & Deep Learning"): the model knows what words mean, the bag knows
    which of them matter here.

    Raises:
        ParamsError: the preset cannot be read, or has fewer layers than are to be trained.
    """
    del embedding, seed  # it brings its own vectors
    backbone = presets.backbone(settings)
    _freeze(backbone, settings.trained_layers)
    chunks = Chunks(settings.chunk)(ids)  # (B K, l)
    known = {
        "token_ids": chunks,
        "padding_mask": ops.cast(ops.not_equal(chunks, 0), "int32"),
        "segment_ids": ops.zeros_like(chunks),
    }
    found = backbone.output
    last = found["sequence_output"] if isinstance(found, dict) else found
    # BERT's own pooling is left out: nothing would teach it.
    body = keras.Model(backbone.input, last, name="body")
    sequence = body({name: known[name] for name in backbone.input})  # (B K, l, width)
    pooled = Pooled()(sequence, chunks, ids)
    seen = layers.LayerNormalization(center=False, scale=False, name=_SEEN)(pooled)
    if settings.trained_layers != 0:
        return [seen]
    rows = backbone.token_embedding.input_dim
    counted = tfidf.bag(ids, rows, _GRAMS, _BUCKETS, classes)
    return [ops.concatenate([ops.cast(seen, "float32"), counted], axis=-1)]


def body(net: Any) -> Any:
    """Of a network with a frozen model, what does not learn: ids -> (B, 3 widths)."""
    return keras.Model(net.input, ops.cast(net.get_layer(_SEEN).output, "float32"))


def rest(net: Any) -> Any:
    """Of the same network, all else: ids, and what `body` gives of them -> its outputs."""
    return keras.Model([net.input, net.get_layer(_SEEN).output], net.output)


class Chunks(layers.Layer):  # type: ignore[misc]
    """The chunks that documents (B, L) are made of, one after the other: (B K, l).

    K is as many as the longest needs, so that short documents do not pay for what they have not.

    Args:
        size: ids of a chunk, as core/tokenizers/wordpiece.py lays them out.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def call(self, ids: Any) -> Any:
        place = ops.arange(1, ops.shape(ids)[1] + 1, dtype="int32")
        longest = ops.maximum(ops.max(ops.where(ops.not_equal(ids, 0), place, 0)), 1)
        count = (longest + self._size - 1) // self._size
        width = ops.minimum(longest, self._size)
        filled = ops.pad(ids, [[0, 0], [0, self._size]])
        return ops.reshape(filled[:, : count * width], (-1, width))

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((None, None), dtype=ids.dtype)


class Pooled(layers.Layer):  # type: ignore[misc]
    """(B, 3 F): the mean and the largest of `sequence` over a document, and its first chunk's mean.

    An empty chunk counts for nothing.
    """

    def call(self, sequence: Any, chunks: Any, ids: Any) -> Any:
        """Of `sequence` (B K, l, F), of `chunks` (B K, l), of documents `ids` (B, L)."""
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


def _freeze(backbone: Any, trained: int | str) -> None:
    """Leaves the last `trained` layers as the only ones that learn; "all" leaves everything."""
    if trained == "all":
        return
    found = {layer.name: _LAYER.match(layer.name) for layer in backbone.layers}
    numbers = {name: int(match[1]) for name, match in found.items() if match}
    if int(trained) > len(numbers):
        raise ParamsError(
            f"Expected train.pretrained.trained_layers to be at most {len(numbers)}, which the "
            f"preset has, or `all`; got {trained}."
        )
    for layer in backbone.layers:
        layer.trainable = numbers.get(layer.name, -1) >= len(numbers) - int(trained)
