"""Words and n-grams weighed as search engines weigh them, inside the graph: TF-IDF.

Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval": how often a
document has a term counts by its logarithm, how rare the term is among documents counts too, and
each document is as long as any other.
"""

from __future__ import annotations

from typing import Any

from keras import layers, ops

_FACTOR = 1009  # prime; words of a phrase up to the 1009th commonest never share a number
_LEAST = 1e-9  # squared length of a document without terms


def phrase(shorter: Any, ids: Any, n: int, buckets: int) -> Any:
    """Rows of n-grams, (B, L - n + 1) in [0, buckets), from the rows of those one word shorter.

    >>> import keras
    >>> ids = keras.ops.array([[2, 3, 4]])
    >>> keras.ops.convert_to_numpy(phrase(ids, ids, 2, 10_000)).tolist()
    [[2021, 3031]]
    """
    # Taken down before it is multiplied, so that 32 bits are enough for up to 2 million buckets.
    return ((shorter[:, :-1] % buckets) * _FACTOR + ids[:, n - 1 :]) % buckets


def places(ids: Any, known: Any, grams: int, buckets: int) -> list[tuple[Any, Any]]:
    """Rows of words, pairs, ... up to `grams` words, and which of them count.

    Written with operators alone: Keras computes it in the graph, NumPy while it is learned.

    Args:
        ids: (B, L) of words, at least as many as `grams`.
        known: (B, L) 1 where a word stands. An n-gram counts where all of its words do.
        grams: words of the longest.
        buckets: rows that n-grams share by a hash; a word has its id's row.

    Returns:
        For each number of words n: rows (B, L - n + 1), and (B, L - n + 1).
    """
    found, place, present = [(ids, known)], ids, known
    for n in range(2, grams + 1):
        place = phrase(place, ids, n, buckets)
        present = present[:, :-1] * known[:, n - 1 :]
        found.append((place, present))
    return found


class Weights(layers.Layer):  # type: ignore[misc]
    """What each term weighs in its document, before all terms are made one long.

    Its weight `idf` (rows,) is learned by counting, not by gradients: see core/training/tfidf.py.
    """

    def __init__(self, rows: int, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.rows = rows

    def build(self, *_: Any) -> None:
        self.idf = self.add_weight(
            shape=(self.rows,), initializer="ones", trainable=False, name="idf"
        )

    def call(self, place: Any, known: Any) -> tuple[Any, Any]:
        """(B, L) the weight of each place, a term's shared by its places; (B, 1) their squares.

        Args:
            place: (B, L) rows.
            known: (B, L) float32, 0 where no term stands.
        """
        times = ops.bincount(place, weights=known, minlength=self.rows)  # (B, rows)
        here = ops.maximum(ops.take_along_axis(times, place, axis=1), 1.0)
        whole = ops.take(self.idf, place) * (1.0 + ops.log(here))
        squares = ops.sum(known * whole * whole / here, axis=1, keepdims=True)
        return known * whole / here, squares

    def compute_output_shape(self, place_shape: Any, known_shape: Any) -> tuple[Any, Any]:
        del known_shape
        return tuple(place_shape), (place_shape[0], 1)


def bag(ids: Any, rows: int, grams: int, buckets: int, size: int) -> Any:
    """(B, size): the sum of the vectors of all terms of a document, by their TF-IDF.

    The vectors start from nothing, and are solved: see components/train/linear_head.py.

    Args:
        ids: (B, L) int32 in [0, rows), 0 is padding.
        rows: that words have.
        grams, buckets: see `places`.
        size: of a term's vector.
    """
    known = ops.cast(ops.not_equal(ids, 0), "float32")
    sums, squares = [], []
    for n, (place, present) in enumerate(places(ids, known, grams, buckets), start=1):
        own = rows if n == 1 else buckets
        weight, square = Weights(own, _idf(n))(place, present)
        vectors = layers.Embedding(
            own, size, embeddings_initializer="zeros", name=_bag(n), dtype="float32"
        )(place)
        sums.append(ops.sum(vectors * ops.expand_dims(weight, -1), axis=1))
        squares.append(square)
    length = ops.sqrt(ops.maximum(ops.sum(ops.stack(squares), axis=0), _LEAST))  # (B, 1)
    return ops.sum(ops.stack(sums), axis=0) / length


def rows(net: Any) -> list[int]:
    """How many rows a network has for words, for pairs, ...; none if it has no bag."""
    return [layer.rows for layer in net.layers if isinstance(layer, Weights)]


def put(net: Any, idf: Any, vectors: Any) -> None:
    """Gives the bag of `net` its numbers.

    Args:
        idf: (T,) of all terms, those of words first, then those of pairs, ...
        vectors: (T, size) of the same.
    """
    start = 0
    for n, count in enumerate(rows(net), start=1):
        net.get_layer(_idf(n)).idf.assign(idf[start : start + count])
        net.get_layer(_bag(n)).embeddings.assign(vectors[start : start + count])
        start += count


def _idf(n: int) -> str:
    return f"idf_{n}"


def _bag(n: int) -> str:
    return f"bag_{n}"
