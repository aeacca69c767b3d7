"""Inference of a trained candidate, with cached features of frozen models.

The outputs are those of the network for the documents' ids. Features of a frozen model come from
core/training/feature_cache.py and may differ from the network's in the last bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import target as targets
from components.core.networks import assembly, presets
from components.core.params import Candidate, Params
from components.core.params.architectures.pretrained import Pretrained
from components.core.training import batches, feature_cache, loop
from components.core.training.batches import EncodedSplit

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_BATCH = 128  # documents
Outputs = dict[str, "Array"]
NAMES = (assembly.FEATURES, assembly.PROBABILITIES)


def outputs(
    name: Candidate,
    model: Any,
    encoder: Any,
    params: Params,
    documents: pl.DataFrame | Path,
    cache_folder: Path | None,
    limit: int | None = None,
) -> tuple[Outputs, Array]:
    """Computes the outputs of `model` for `documents`, and encodes their labels.

    Args:
        name: of the candidate.
        model, encoder: network and encoder from `train.fit`.
        params: all settings.
        documents, limit: see `batches.encode`.
        cache_folder: see `train.fit`.

    Returns:
        assembly.FEATURES (N, F) and assembly.PROBABILITIES (N, C); and the encoded labels (N, ...).
    """
    import keras
    import numpy as np

    models, encoders = [model], [encoder]
    if name == "ensemble":
        models = [layer for layer in model.layers if isinstance(layer, keras.Model)]
        encoders = encoder.encoders
    parts = []
    for member, net, member_encoder in zip(
        params.train.trained(name), models, encoders, strict=True
    ):
        rows = params.train.fitting.read_rows
        side = batches.encode(documents, member_encoder, targets.of(params), rows, limit)
        parts.append(
            _member_outputs(net, params.train.architecture(member), side, params, cache_folder)
        )
    return {
        assembly.FEATURES: np.concatenate([part[assembly.FEATURES] for part in parts], axis=1),
        assembly.PROBABILITIES: np.mean([part[assembly.PROBABILITIES] for part in parts], axis=0),
    }, side.labels


def counts(encoder: Any, documents: pl.DataFrame | Path, rows: int) -> Outputs:
    """Computes `words` (N,) and `unknown_share` (N,) of documents, see `words.make_encoder`.

    Args:
        rows: documents of a block that is encoded at once.
    """
    import numpy as np
    import tensorflow as tf

    parts = [
        encoder(tf.constant(part["text"].to_list(), tf.string))[1:]
        for block in batches.blocks(documents, rows)
        for part in block.iter_slices(_BATCH)
    ]
    words, unknown_share = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return {"words": words, "unknown_share": unknown_share}


def _member_outputs(
    net: Any, settings: Any, side: EncodedSplit, params: Params, cache_folder: Path | None
) -> Outputs:
    import numpy as np
    import tensorflow as tf

    if not (isinstance(settings, Pretrained) and settings.has_closed_form):
        look = loop.make_look(net, NAMES)
        return loop.outputs(net, look, side, params.train.fitting.padding_step)
    from components.core.networks import pretrained

    rest, frozen = pretrained.trained_part(net), frozen_features(net, settings, side, cache_folder)
    signature = [tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def infer(ids: Any, frozen: Any) -> Any:
        values_by_name = rest([ids, frozen], training=False)
        return {name: values_by_name[name] for name in NAMES}

    values_by_name: dict[str, list[Array]] = {name: [] for name in NAMES}
    for start in range(0, len(side), _BATCH):
        part = np.arange(start, min(start + _BATCH, len(side)))
        ids = side.padded(part, side.width(part, params.train.fitting.padding_step))
        for name, values in infer(ids, frozen[part]).items():
            values_by_name[name].append(values.numpy())
    return {name: np.concatenate(values) for name, values in values_by_name.items()}


def frozen_features(
    net: Any, settings: Any, side: EncodedSplit, cache_folder: Path | None
) -> Array:
    """Computes the features of the frozen part of `net`, (N, D) float32; D may be 0."""
    import numpy as np
    import tensorflow as tf

    from components.core.networks import pretrained

    if not isinstance(settings, Pretrained):
        return np.zeros((len(side), 0), np.float32)
    frozen = pretrained.frozen_part(net)

    @tf.function(input_signature=[tf.TensorSpec((1, None), tf.int32)], autograph=False)  # type: ignore[untyped-decorator]
    def look(ids: Any) -> Any:
        return frozen(ids, training=False)

    documents = [side.padded(np.array([i]), int(side.lengths[i]))[0] for i in range(len(side))]
    file = (
        None
        if cache_folder is None
        else cache_folder / f"{presets.fingerprint(settings)[:16]}.sqlite"
    )
    # One document at a time, since padding to a longer document changes the last bits.
    return feature_cache.read(documents, lambda ids: look(ids[None])[0].numpy(), file)
