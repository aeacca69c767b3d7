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
        keras.layers.Dense(classes, activation="softmax", name=_answers(i), dtype="float32")(
            keras.layers.Dropout(settings.dropout, seed=seed + i)(one)
        )
        for i, one in enumerate(seen, start=1)
    ]
    return keras.Model(ids, _given(seen, said), name=type(settings).__name__.lower())


def reads_once(settings: architectures.Network) -> bool:
    """Whether training changes nothing below the features, so that they are computed once."""
    return isinstance(settings, architectures.Pretrained) and settings.trained_layers == 0


def head(net: Any, features: np.ndarray[Any, Any], dropout: float, seed: int) -> Any:
    """What learns in `net` where it `reads_once`: the same answers, from features that are known.

    Args:
        net: as `build` gives it, of one member.
        features: (N, F) float32 of N documents.
        dropout, seed: as `net` was built with.

    Returns:
        A keras.Model as `net`, but from the numbers of documents (B, 1) int32, 0 to N - 1. The
        layer that answers is `net`'s own, so what one learns the other knows.
    """
    import keras

    from components.core.networks.pretrained import Known

    number = keras.Input((1,), dtype="int32", name="number")
    seen = Known(features)(number)  # (B, F)
    answer = net.get_layer(_answers(1))
    said = answer(keras.layers.Dropout(dropout, seed=seed + 1)(seen))
    return keras.Model(number, _given([seen], [said]), name="head")


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


def shortcut(net: Any) -> dict[str, np.ndarray[Any, Any]] | None:
    """What core/shortcut.py needs of a trained network; most architectures have no shortcut.

    Args:
        net: as `build` gives it.

    Returns:
        As networks/textcnn.py has it, and of the layers that answer `answer_<i>` (its part of F, C)
        and `answer_bias_<i>` (C,).
    """
    from keras import ops

    from components.core.networks import textcnn

    if net.name != architectures.TextCnn.__name__.lower():
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
