"""`pretrained`: a transformer that read much text before, and learns our classes on top of it.

Devlin et al. 2019, "BERT"; Reimers and Gurevych 2019, "Sentence-BERT", for the mean over words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from components.core import presets
from components.core.architecture_settings import Pretrained
from components.core.errors import ParamsError
from components.core.networks import parts

if TYPE_CHECKING:
    import numpy as np

_LAYER = re.compile(r".*layer_(\d+)$")  # of a transformer, as KerasHub names them


def features(
    ids: Any, settings: Pretrained, embedding: np.ndarray[Any, Any], seed: int
) -> list[Any]:
    """The mean over the word pieces of what the last layer says of them, (B, its width).

    It is normalised: models differ in how large their numbers are, and the answer's weights, which
    start from nothing, learn slowly from small ones.

    Raises:
        ParamsError: the preset cannot be read, or has fewer layers than are to be trained.
    """
    del embedding, seed  # it brings its own vectors
    backbone = presets.backbone(settings)
    _freeze(backbone, settings.trained_layers)
    known = {
        "token_ids": ids,
        "padding_mask": ops.cast(ops.not_equal(ids, 0), "int32"),
        "segment_ids": ops.zeros_like(ids),
    }
    found = backbone.output
    last = found["sequence_output"] if isinstance(found, dict) else found
    # BERT's own pooling is left out: nothing would teach it.
    body = keras.Model(backbone.input, last, name="body")
    sequence = body({name: known[name] for name in backbone.input})  # (B, L, width)
    pooled = parts.mean(sequence, parts.inside(ids))
    return [layers.LayerNormalization(center=False, scale=False)(pooled)]


class Known(layers.Layer):  # type: ignore[misc]
    """Rows of a table (N, F) by their numbers (B, 1): what was computed before. No weights."""

    def __init__(self, table: np.ndarray[Any, Any]) -> None:
        super().__init__()
        self._table = ops.convert_to_tensor(table)

    def call(self, numbers: Any) -> Any:
        return ops.take(self._table, numbers[:, 0], axis=0)


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
