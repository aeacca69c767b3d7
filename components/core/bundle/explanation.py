"""Which words carried a label: integrated gradients, inside the bundle.

Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks". Between nothing to read
(every word's vector is 0, as word dropout hides words in training) and the text as it is lies a
straight path of vectors. A word's weight is the gradient of the label's log probability, collected
along that path, times how far the word's vector moved. So the weights of a text add up to
ln p(label | text) - ln p(label | nothing to read): the paper calls this completeness.

It needs no more of a network than that ids enter it through layers of Keras' class Embedding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

POINTS = 6  # of the path at which slopes are taken; for a trained network the sum is some 2 % off
_GOES_ON, _ENDS = "##", ("[CLS]", "[SEP]")  # of word pieces; a word may go on in the next chunk
_LEAST = 1e-12  # probability that still has a logarithm in float32


@dataclass(frozen=True)
class Explanation:
    """Why one text got its label.

    Attributes:
        label: of the text.
        confidence: its probability, in [0, 1].
        baseline: the label's probability where there is nothing to read, in [0, 1].
        weights: distinct word that was read -> weight, all its places added up, in the order of
            the text. Above 0 it spoke for the label. They add up to ln(confidence / baseline).
    """

    label: str
    confidence: float
    baseline: float
    weights: dict[str, float]


def gather(words: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """Distinct word -> sum of its weights.

    Args:
        words: L words, empty where nothing was read. One that begins with ## goes on with the word
            before it, as word pieces do.
        weights: L of them.
    """
    read: list[tuple[str, float]] = []
    for word, weight in zip(words, weights, strict=True):
        begun = next((i for i in reversed(range(len(read))) if read[i][0] not in _ENDS), None)
        if word.startswith(_GOES_ON) and begun is not None:
            first, so_far = read[begun]
            read[begun] = (first + word.removeprefix(_GOES_ON), so_far + weight)
        elif word:
            read.append((word, weight))
    found: dict[str, float] = {}
    for name, weight in read:
        found[name] = found.get(name, 0.0) + weight
    return found


def path(points: int = POINTS) -> tuple[Array, Array]:
    """Places on the path, inside (0, 1), and the share of the path that each stands for.

    Gauss-Legendre quadrature over the root of the place: a network is soon sure, so most of what
    there is to collect lies near the beginning.

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
    """Integrated gradients of a batch; called while TensorFlow traces the bundle's signature.

    Args:
        network: as core/networks/assembly.py builds it.
        probabilities: ids (N, L) -> (N, C), through `network`.
        ids: (B, l) int32. l is L, or where no text is longer and padding does not matter, less.
        lengths: of the parts of L that an ensemble's members read; (L,) for any other network.
        points: of the path; more of them cost more, and bring the sum nearer to what it should be.

    Returns:
        probabilities (B, C) of the texts; baseline (B,), the label's probability where there is
        nothing to read; weights (B, L).
    """
    import tensorflow as tf

    texts = tf.shape(ids)[0]

    def along(places: Sequence[float], seen: list[tuple[Any, Any, int]]) -> Any:
        """(B, P, C) at P places of each text's path; `seen` gets the vectors there, (B P, L, E)."""

        def between(vectors: Any, ids: Any, member: int) -> Any:
            # What is the same in every text stays: padding, and BERT's only segment.
            moves = tf.cast(tf.not_equal(ids, 0), vectors.dtype)[:, :, None] * vectors
            alpha = tf.tile(tf.constant(places, vectors.dtype), [texts])
            # Where a text is read in chunks, they lie one after the other.
            chunks = tf.shape(vectors)[0] // tf.shape(alpha)[0]
            alpha = tf.repeat(alpha, chunks)[:, None, None]
            inside = vectors - (1 - alpha) * moves
            seen.append((inside, moves, member))
            return inside

        with _interrupted(network, len(lengths), between):
            said = probabilities(tf.repeat(ids, len(places), axis=0))
        return tf.reshape(said, [texts, len(places), said.shape[-1]])

    ends = along((0.0, 1.0), [])
    label = tf.argmax(ends[:, 1], axis=1)
    places, shares = path(points)
    moved: list[tuple[Any, Any, int]] = []
    said = tf.gather(along(places.tolist(), moved), label, axis=2, batch_dims=1)  # (B, points)
    collected = tf.math.log(tf.maximum(said, _LEAST)) * tf.constant(shares, tf.float32)
    slopes = tf.gradients(
        collected,
        [inside for inside, _, _ in moved],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    weights = _at_words(
        [
            (_of_texts(tf.reduce_sum(slope * distance, axis=-1), texts * points), member)
            for slope, (_, distance, member) in zip(slopes, moved, strict=True)
        ],
        lengths,
    )
    return {
        "probabilities": ends[:, 1],
        "baseline": tf.gather(ends[:, 0], label, axis=1, batch_dims=1),
        "weights": tf.reduce_sum(tf.reshape(weights, [texts, points, -1]), axis=1),
    }


def _of_texts(weights: Any, count: Any) -> Any:
    """(count, l): weights of the places of texts, where they were read in chunks, too."""
    import tensorflow as tf

    if weights.shape[1] is not None:
        return weights
    return tf.reshape(weights, [count, -1])


def _at_words(found: Sequence[tuple[Any, int]], lengths: Sequence[int]) -> Any:
    """(N, L): what each embedding's places weigh, added up at the words that stand there.

    Args:
        found: (N, l) and the number of the member. An embedding of n-grams has n - 1 places fewer
            than there are words; an n-gram's weight is shared by its words.
        lengths: of the members.
    """
    import tensorflow as tf

    parts: list[list[Any]] = [[] for _ in lengths]
    for weights, member in found:
        if weights.shape[1] is None:  # as many places as the longest text needs
            missing = lengths[member] - tf.shape(weights)[1]
            parts[member].append(tf.pad(weights, [[0, 0], [0, missing]]))
            continue
        short = lengths[member] - int(weights.shape[1])
        for i in range(short + 1):
            parts[member].append(tf.pad(weights / (short + 1), [[0, 0], [i, short - i]]))
    return tf.concat([tf.add_n(part) for part in parts], axis=1)


@contextlib.contextmanager
def _interrupted(
    network: Any, members: int, between: Callable[[Any, Any, int], Any]
) -> Iterator[None]:
    """Within it, each embedding gives `between(its vectors, the ids it got, its member)`.

    A network cannot be cut behind its embeddings in a way that holds for all: some have several,
    some have them inside other layers, and masks come from the ids. So the layers stay where they
    are, and only what they compute is replaced while the graph is traced.
    """
    import keras

    parts = [network]
    if members > 1:
        parts = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    layers = [
        (layer, member)
        for member, part in enumerate(parts)
        for layer in part._flatten_layers()  # `layers` shows the outermost only
        if isinstance(layer, keras.layers.Embedding)
    ]

    def replacement(call: Callable[..., Any], member: int) -> Callable[..., Any]:
        def interrupted(inputs: Any, *others: Any, **named: Any) -> Any:
            return between(call(inputs, *others, **named), inputs, member)

        return interrupted

    for layer, member in layers:
        layer.call = replacement(layer.call, member)
    try:
        yield
    finally:
        for layer, _ in layers:
            del layer.call
