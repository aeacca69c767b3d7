"""What a trained candidate makes of documents, with no document read twice by a frozen model.

The same as the network gives for their ids; of documents that a frozen model read before, what it
saw is taken from core/training/feature_cache.py, up to the last bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import target as targets
from components.core.networks import assembly, presets
from components.core.params import Candidate, Params
from components.core.params.architectures.pretrained import Pretrained
from components.core.training import batches, feature_cache, loop
from components.core.training.batches import Side

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_TOGETHER = 128  # documents
Found = dict[str, "Array"]
NAMES = (assembly.FEATURES, assembly.PROBABILITIES)


def outputs(
    name: Candidate,
    model: Any,
    encoder: Any,
    params: Params,
    documents: pl.DataFrame | Path,
    kept: Path | None,
    most: int | None = None,
) -> tuple[Found, Array]:
    """What `model` says of `documents`, and their labels.

    Args:
        name: of the candidate.
        model, encoder: as train.fit gives them.
        documents, most: as `feeding.encode` takes them.
        kept: see train.fit.

    Returns:
        network.FEATURES (N, F), network.PROBABILITIES (N, C); and the encoded labels (N, ...).
    """
    import keras
    import numpy as np

    models, encoders = [model], [encoder]
    if name == "ensemble":
        models = [layer for layer in model.layers if isinstance(layer, keras.Model)]
        encoders = encoder.encoders
    found = []
    for one, net, own in zip(params.train.trained(name), models, encoders, strict=True):
        rows = params.train.fitting.read_rows
        side = batches.encode(documents, own, targets.of(params), rows, most)
        found.append(_of_one(net, params.train.architecture(one), side, params, kept))
    return {
        assembly.FEATURES: np.concatenate([one[assembly.FEATURES] for one in found], axis=1),
        assembly.PROBABILITIES: np.mean([one[assembly.PROBABILITIES] for one in found], axis=0),
    }, side.labels


def _of_one(net: Any, settings: Any, side: Side, params: Params, kept: Path | None) -> Found:
    import numpy as np
    import tensorflow as tf

    if not (isinstance(settings, Pretrained) and settings.has_closed_form):
        look = loop.make_look(net, NAMES)
        return loop.outputs(net, look, side, params.train.fitting.padding_step)
    from components.core.networks import pretrained

    answer, seen = pretrained.rest(net), frozen_features(net, settings, side, kept)
    signature = [tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def look_on(ids: Any, seen: Any) -> Any:
        found = answer([ids, seen], training=False)
        return {name: found[name] for name in NAMES}

    found: dict[str, list[Array]] = {name: [] for name in NAMES}
    for start in range(0, len(side), _TOGETHER):
        part = np.arange(start, min(start + _TOGETHER, len(side)))
        ids = side.padded(part, side.width(part, params.train.fitting.padding_step))
        for name, values in look_on(ids, seen[part]).items():
            found[name].append(values.numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


def frozen_features(net: Any, settings: Any, side: Side, kept: Path | None) -> Array:
    """(N, D) float32: what the frozen part of `net` sees of each document; D may be 0."""
    import numpy as np
    import tensorflow as tf

    from components.core.networks import pretrained

    if not isinstance(settings, Pretrained):
        return np.zeros((len(side), 0), np.float32)
    frozen = pretrained.body(net)

    @tf.function(input_signature=[tf.TensorSpec((1, None), tf.int32)], autograph=False)  # type: ignore[untyped-decorator]
    def look(ids: Any) -> Any:
        return frozen(ids, training=False)

    documents = [side.padded(np.array([i]), int(side.lengths[i]))[0] for i in range(len(side))]
    file = None if kept is None else kept / f"{presets.fingerprint(settings)[:16]}.sqlite"
    # One by one: beside longer ones a document's last bits would be others.
    return feature_cache.read(documents, lambda ids: look(ids[None])[0].numpy(), file)
