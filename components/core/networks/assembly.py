"""The architectures behind one door, in pure Keras 3: ids in, label probabilities out.

Each lies in a file of its own under `networks/`; here it gets the layers that answer.
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

PROBABILITIES, MEMBERS, FEATURES = "probabilities", "members", "features"  # what a network gives


@dataclass(frozen=True)
class Solution:
    """What a network with a closed form learns: a linear answer from what its body sees and counts.

    Attributes:
        idf: (T,) float32, inverse document frequencies of the terms.
        vectors: (T, C) float32, what each term says for each class.
        kernel: (D, C) float32, what each number of the body says; D is 0 without a body.
        bias: (C,) float32.
        scale: of all that is said, so that its softmax is as sure as it is right.
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
    """The network of one candidate, not yet compiled.

    What has a closed form says nothing before it is solved: its bag starts from nothing.

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

    network = import_module(f"{__package__}.{settings.architecture}")
    dropout = 0.0 if settings.has_closed_form else settings.dropout  # type: ignore[attr-defined]
    keras.utils.set_random_seed(seed)
    ids = keras.Input((None,), dtype="int32", name="ids")  # (B, L)
    seen = network.features(ids, settings, embedding, seed, classes)
    said = [
        keras.layers.Dense(classes, activation="softmax", name=_answers(i), dtype="float32")(
            keras.layers.Dropout(dropout, seed=seed + i)(one)
        )
        for i, one in enumerate(seen, start=1)
    ]
    return keras.Model(ids, _given(seen, said), name=settings.architecture)


def put(net: Any, solution: Solution) -> None:
    """Gives `net`, which has a closed form, what it has learned."""
    import numpy as np

    from components.core.networks import tfidf

    tfidf.put(net, solution.idf, solution.vectors)
    classes = len(solution.bias)
    kernel = np.concatenate([solution.kernel, np.eye(classes)])
    net.get_layer(_answers(1)).set_weights(
        [solution.scale * kernel, solution.scale * solution.bias]
    )


def _answers(member: int) -> str:
    return f"dense_{member}"


def _given(seen: Sequence[Any], said: Sequence[Any]) -> dict[str, Any]:
    """What a network gives: of what its members saw, (B, F) each, and said, (B, C) each."""
    from keras import ops

    answers = ops.stack(said, axis=1)  # (B, M, C)
    return {
        PROBABILITIES: ops.mean(answers, axis=1),
        MEMBERS: answers,
        FEATURES: ops.cast(ops.concatenate(seen, axis=-1), "float32"),
    }


def textcnn_weights(net: Any) -> dict[str, np.ndarray[Any, Any]] | None:
    """The weights that bundle/fast_textcnn computes with; None for other architectures.

    Args:
        net: as `build` gives it.

    Returns:
        As networks/textcnn.py has it, and of the layers that answer `answer_<i>` (its part of F, C)
        and `answer_bias_<i>` (C,).
    """
    from keras import ops

    from components.core.networks import textcnn

    if net.name != TextCnn.architecture:
        return None
    found = textcnn.weights(net)
    for i in range(len(found["members"]) + 1):  # the bag answers, too
        layer = net.get_layer(_answers(i + 1))
        found[f"answer_{i}"] = ops.convert_to_numpy(layer.kernel)
        found[f"answer_bias_{i}"] = ops.convert_to_numpy(layer.bias)
    return found


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
