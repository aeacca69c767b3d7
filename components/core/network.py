"""The architectures behind one door, in pure Keras 3: ids in, label probabilities out.

Each lies in a file of its own under `networks/`; here it gets the layers that answer.
B is the batch, L the words of a document, F the features, M the members, C the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from components.core import architecture_settings as architectures

if TYPE_CHECKING:
    import numpy as np

PROBABILITIES, MEMBERS, FEATURES = "probabilities", "members", "features"  # what a network gives


def build(
    settings: architectures.Network,
    embedding: np.ndarray[Any, Any],
    classes: int,
    seed: int,
) -> Any:
    """The network of one candidate, not yet compiled.

    Args:
        settings: which architecture, and its numbers.
        embedding: (vocabulary + 2, E) float32, first values of the word vectors; rows 0 and 1 are
            padding and unknown. `pretrained` brings its own, `linear` takes the number of rows.
        classes: C.
        seed: of the first weights and of dropout.

    Returns:
        A keras.Model from ids (B, L) int32 to a dictionary: PROBABILITIES (B, C), the mean of the
        members; MEMBERS (B, M, C), what each says; FEATURES (B, F), what they saw.
    """
    import keras

    from components.core.networks import bilstm, linear, pretrained, textcnn, transformer

    features: dict[type, Callable[..., list[Any]]] = {
        architectures.TextCnn: textcnn.features,
        architectures.BiLstm: bilstm.features,
        architectures.Transformer: transformer.features,
        architectures.Pretrained: pretrained.features,
        architectures.Linear: linear.features,
    }
    keras.utils.set_random_seed(seed)
    ids = keras.Input((None,), dtype="int32", name="ids")  # (B, L)
    seen = features[type(settings)](ids, settings, embedding, seed)
    said = [
        keras.layers.Dense(classes, activation="softmax", name=f"dense_{i}", dtype="float32")(
            keras.layers.Dropout(settings.dropout, seed=seed + i)(one)
        )
        for i, one in enumerate(seen, start=1)
    ]
    answers = keras.ops.stack(said, axis=1)  # (B, M, C)
    return keras.Model(
        ids,
        {
            PROBABILITIES: keras.ops.mean(answers, axis=1),
            MEMBERS: answers,
            FEATURES: keras.ops.cast(keras.ops.concatenate(seen, axis=-1), "float32"),
        },
        name=type(settings).__name__.lower(),
    )


def join(networks: Sequence[Any], lengths: Sequence[int]) -> Any:
    """The mean of networks that were trained each by itself; see `networks/ensemble.py`.

    Args:
        networks: as `build` gives them, of different architectures.
        lengths: ids that each reads.

    Returns:
        As `build`, from ids (B, sum of lengths), the networks' one after the other. Its members
        are the networks.
    """
    from components.core.networks import ensemble

    return ensemble.join(networks, lengths, (PROBABILITIES, MEMBERS, FEATURES))
