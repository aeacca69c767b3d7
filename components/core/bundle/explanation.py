"""Explains a label by the words of the text: integrated gradients, inside the bundle.

Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks". The path leads in a
straight line from the baseline, where every word's vector is 0 as with word dropout, to the text's
word vectors. The weight of a word is the integral of the gradient of the label's log probability
along the path, times the word's vector. The weights of a text add up to ln p(label | text) -
ln p(label | baseline); the paper calls this completeness.

The method works for every network whose ids enter through Keras layers of the class Embedding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

POINTS = 6  # gradients for each path; the sum of a trained network's weights is then about 2 % off
_CONTINUES, _ENDS = (
    "##",
    ("[CLS]", "[SEP]"),
)  # of word pieces; a word may continue in the next chunk
_SMALLEST = 1e-12  # lower bound of a probability whose logarithm is computed in float32


@dataclass(frozen=True)
class Explanation:
    """Explanation of one text's label.

    Attributes:
        label: of the text.
        confidence: probability of the label, in [0, 1].
        baseline: probability of the label for a text without words, in [0, 1].
        weights: distinct word -> sum of its weights, in the order of the text. A weight above 0
            is evidence for the label. The sum is about ln(confidence / baseline).
    """

    label: str
    confidence: float
    baseline: float
    weights: dict[str, float]


def gather(words: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """Sums the weights of each distinct word.

    Args:
        words: L words, empty for padding. A word piece that begins with ## continues the word
            before it.
        weights: weight of each of the L words.
    """
    read: list[tuple[str, float]] = []
    for word, weight in zip(words, weights, strict=True):
        last_word = next((i for i in reversed(range(len(read))) if read[i][0] not in _ENDS), None)
        if word.startswith(_CONTINUES) and last_word is not None:
            first, weight_so_far = read[last_word]
            read[last_word] = (first + word.removeprefix(_CONTINUES), weight_so_far + weight)
        elif word:
            read.append((word, weight))
    weight_by_word: dict[str, float] = {}
    for name, weight in read:
        weight_by_word[name] = weight_by_word.get(name, 0.0) + weight
    return weight_by_word


def path(points: int = POINTS) -> tuple[Array, Array]:
    """Returns points on the path, inside (0, 1), and their weights in the integral.

    Gauss-Legendre quadrature over the square root of the point. A network's probabilities change
    most near the beginning of the path, so most points lie there.

    >>> [values.round(4).tolist() for values in path(2)]
    [[0.0447, 0.622], [0.2113, 0.7887]]
    """
    import numpy as np

    roots, shares = np.polynomial.legendre.leggauss(points)
    roots = (roots + 1) / 2
    return roots**2, roots * shares


def weigh(
    network: Any,
    probabilities: Callable[[Any], Any],
    ids: Any,
    lengths: Sequence[int],
    points: int = POINTS,
) -> dict[str, Any]:
    """Computes integrated gradients of a batch, while TensorFlow traces the bundle's signature.

    Args:
        network: network from core/networks/assembly.py.
        probabilities: ids (N, L) -> (N, C), through `network`.
        ids: (B, l) int32. l is L, or less if no text is longer and padding has no effect.
        lengths: lengths of the parts of L that an ensemble's members read; (L,) for any other
            network.
        points: number of points on the path; more points cost time and make the sum more exact.

    Returns:
        probabilities (B, C) of the texts; baseline (B,), the label's probability for a text
        without words; weights (B, L), 0 for padding.
    """
    import tensorflow as tf

    texts = tf.shape(ids)[0]

    def at_points(alphas: Sequence[float], interpolated: list[tuple[Any, Any, int]]) -> Any:
        """Returns probabilities (B, P, C) at P points of each text's path.

        Appends the vectors at these points (B P, L, E), their distances from the baseline, and the
        number of the ensemble's member to `interpolated`.
        """

        def interpolate(vectors: Any, ids: Any, member: int) -> Any:
            # Embeddings of id 0 are the same in every text and stay: padding, BERT's only segment.
            moves = tf.cast(tf.not_equal(ids, 0), vectors.dtype)[:, :, None] * vectors
            alpha = tf.tile(tf.constant(alphas, vectors.dtype), [texts])
            # The chunks of a text lie one after the other.
            chunks = tf.shape(vectors)[0] // tf.shape(alpha)[0]
            alpha = tf.repeat(alpha, chunks)[:, None, None]
            vectors_at = vectors - (1 - alpha) * moves
            interpolated.append((vectors_at, moves, member))
            return vectors_at

        with _replaced_embeddings(network, len(lengths), interpolate):
            outputs = probabilities(tf.repeat(ids, len(alphas), axis=0))
        return tf.reshape(outputs, [texts, len(alphas), outputs.shape[-1]])

    ends = at_points((0.0, 1.0), [])
    label = tf.argmax(ends[:, 1], axis=1)
    alphas, shares = path(points)
    interpolated_points: list[tuple[Any, Any, int]] = []
    label_probabilities = tf.gather(
        at_points(alphas.tolist(), interpolated_points), label, axis=2, batch_dims=1
    )  # (B, points)
    collected = tf.math.log(tf.maximum(label_probabilities, _SMALLEST)) * tf.constant(
        shares, tf.float32
    )
    slopes = tf.gradients(
        collected,
        [vectors_at for vectors_at, _, _ in interpolated_points],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    weights = _at_words(
        [
            (_by_text(tf.reduce_sum(slope * distance, axis=-1), texts * points), member)
            for slope, (_, distance, member) in zip(slopes, interpolated_points, strict=True)
        ],
        lengths,
    )
    return {
        "probabilities": ends[:, 1],
        "baseline": tf.gather(ends[:, 0], label, axis=1, batch_dims=1),
        "weights": tf.reduce_sum(tf.reshape(weights, [texts, points, -1]), axis=1),
    }


def _by_text(weights: Any, count: Any) -> Any:
    """Reshapes weights to (count, l), which joins the chunks of a text."""
    import tensorflow as tf

    if weights.shape[1] is not None:
        return weights
    return tf.reshape(weights, [count, -1])


def _at_words(weights_of_embeddings: Sequence[tuple[Any, int]], lengths: Sequence[int]) -> Any:
    """Adds up the weights of all embeddings for each word, (N, L).

    Args:
        weights_of_embeddings: weights (N, l) and the number of the member. An embedding of n-grams
            has n - 1 positions fewer than words; the words of an n-gram share its weight equally.
        lengths: numbers of words that the members read.
    """
    import tensorflow as tf

    parts: list[list[Any]] = [[] for _ in lengths]
    for weights, member in weights_of_embeddings:
        if weights.shape[1] is None:  # as many positions as the longest text needs
            missing = lengths[member] - tf.shape(weights)[1]
            parts[member].append(tf.pad(weights, [[0, 0], [0, missing]]))
            continue
        short = lengths[member] - int(weights.shape[1])
        for i in range(short + 1):
            parts[member].append(tf.pad(weights / (short + 1), [[0, 0], [i, short - i]]))
    return tf.concat([tf.add_n(part) for part in parts], axis=1)


@contextlib.contextmanager
def _replaced_embeddings(
    network: Any, members: int, replace_output: Callable[[Any, Any, int], Any]
) -> Iterator[None]:
    """Replaces each embedding's output inside `with` by `replace_output(vectors, ids, member)`.

    Networks cannot be split behind their embeddings in one general way: some have several
    embeddings, some have them inside other layers, and masks come from the ids. So the layers stay
    in place, and only their `call` is replaced while TensorFlow traces the graph.
    """
    import keras

    parts = [network]
    if members > 1:
        parts = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    layers = [
        (layer, member)
        for member, part in enumerate(parts)
        for layer in part._flatten_layers()  # `layers` lists the outermost layers only
        if isinstance(layer, keras.layers.Embedding)
    ]

    def replacement(call: Callable[..., Any], member: int) -> Callable[..., Any]:
        def replaced(inputs: Any, *others: Any, **named: Any) -> Any:
            return replace_output(call(inputs, *others, **named), inputs, member)

        return replaced

    for layer, member in layers:
        layer.call = replacement(layer.call, member)
    try:
        yield
    finally:
        for layer, _ in layers:
            del layer.call
