"""Builds a network of any architecture in Keras 3: ids in, label probabilities out.

Each architecture lies in its own file under `networks/`; this module adds the output layers.
B is the batch, L the words of a document, F the features, M the members, C the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from components.core.params.architectures import ReaderSettings
from components.core.params.architectures.textcnn import TextCnn

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Keys of the outputs of a network.
PROBABILITIES, MEMBERS, FEATURES = "probabilities", "members", "features"


@dataclass(frozen=True)
class Solution:
    """Parameters of a network with a closed form: a linear layer over TF-IDF and body features.

    Attributes:
        idf: (T,) float32, inverse document frequencies of the terms.
        vectors: (T, C) float32, coefficients of the terms for each class.
        kernel: (D, C) float32, coefficients of the body's features; D is 0 without a body.
        bias: (C,) float32.
        scale: factor of the logits, which calibrates the softmax.
    """

    idf: Array
    vectors: Array
    kernel: Array
    bias: Array
    scale: float


def build(
    settings: ReaderSettings,
    embedding: np.ndarray[Any, Any],
    classes: int,
    seed: int,
) -> Any:
    """Builds the network of one candidate, not yet compiled.

    A network with a closed form predicts nothing useful before `set_solution`: the vectors of its
    bag are zeros.

    Args:
        settings: the architecture and its hyperparameters.
        embedding: (vocabulary + 2, E) float32, initial word vectors; rows 0 and 1 are padding and
            unknown. `pretrained` ignores them, `linear` uses only the number of rows.
        classes: C.
        seed: of the initial weights and of dropout.

    Returns:
        A keras.Model from ids (B, L) int32 to a dictionary: PROBABILITIES (B, C), the mean over
        the members; MEMBERS (B, M, C), probabilities of each member; FEATURES (B, F), the
        concatenated features of the members.
    """
    import keras

    network = import_module(f"{__package__}.{settings.architecture}")
    dropout = 0.0 if settings.has_closed_form else settings.dropout  # type: ignore[attr-defined]
    keras.utils.set_random_seed(seed)
    ids = keras.Input((None,), dtype="int32", name="ids")  # (B, L)
    features = network.features(ids, settings, embedding, seed, classes)
    probabilities = [
        keras.layers.Dense(classes, activation="softmax", name=_head_name(i), dtype="float32")(
            keras.layers.Dropout(dropout, seed=seed + i)(member)
        )
        for i, member in enumerate(features, start=1)
    ]
    return keras.Model(ids, _outputs(features, probabilities), name=settings.architecture)


def set_solution(net: Any, solution: Solution) -> None:
    """Sets the parameters of `net`, a network with a closed form, to `solution`."""
    import numpy as np

    from components.core.networks import tfidf

    tfidf.set_parameters(net, solution.idf, solution.vectors)
    classes = len(solution.bias)
    kernel = np.concatenate([solution.kernel, np.eye(classes)])
    net.get_layer(_head_name(1)).set_weights(
        [solution.scale * kernel, solution.scale * solution.bias]
    )


def _head_name(member: int) -> str:
    return f"dense_{member}"


def _outputs(features: Sequence[Any], probabilities: Sequence[Any]) -> dict[str, Any]:
    """Returns the outputs of a network from the members' features and probabilities (B, C)."""
    from keras import ops

    members = ops.stack(probabilities, axis=1)  # (B, M, C)
    return {
        PROBABILITIES: ops.mean(members, axis=1),
        MEMBERS: members,
        FEATURES: ops.cast(ops.concatenate(features, axis=-1), "float32"),
    }


def textcnn_weights(net: Any) -> dict[str, np.ndarray[Any, Any]] | None:
    """Returns the weights that the runtime fast_textcnn needs; None for other architectures.

    Args:
        net: a network that `build` returned.

    Returns:
        The arrays of `networks.textcnn.weights`, and for each output layer `answer_<i>` (features
        of member i, C) and `answer_bias_<i>` (C,).
    """
    from keras import ops

    from components.core.networks import textcnn

    if net.name != TextCnn.architecture:
        return None
    arrays = textcnn.weights(net)
    for i in range(len(arrays["members"]) + 1):  # the bag is a member, too
        layer = net.get_layer(_head_name(i + 1))
        arrays[f"answer_{i}"] = ops.convert_to_numpy(layer.kernel)
        arrays[f"answer_bias_{i}"] = ops.convert_to_numpy(layer.bias)
    return arrays


def join(networks: Sequence[Any], lengths: Sequence[int]) -> Any:
    """Joins networks that were trained separately into their mean; see `networks/ensemble.py`.

    Args:
        networks: networks that `build` returned, of different architectures.
        lengths: number of ids that each network reads.

    Returns:
        A keras.Model with the outputs of `build` from ids (B, sum of lengths), the ids of the
        networks one after the other. The members are the networks.
    """
    from components.core.networks import ensemble

    return ensemble.join(networks, lengths, (PROBABILITIES, MEMBERS, FEATURES))
