"""TF-IDF of words and n-grams inside the graph.

Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval": the weight of a
term is 1 + ln(its frequency in the document), times its inverse document frequency. Each document
is scaled to L2 norm 1.
"""

from __future__ import annotations

from typing import Any

from keras import layers, ops

_FACTOR = 1009  # prime, so that rows of n-grams spread over all buckets
_SMALLEST = 1e-9  # squared length of a document without terms


def phrase(shorter: Any, ids: Any, n: int, buckets: int) -> Any:
    """Hashes n-grams to rows (B, L - n + 1) in [0, buckets), from the rows of (n-1)-grams.

    >>> import keras
    >>> ids = keras.ops.array([[2, 3, 4]])
    >>> keras.ops.convert_to_numpy(phrase(ids, ids, 2, 10_000)).tolist()
    [[2021, 3031]]
    """
    # The modulo before the product keeps it within int32 for up to 2 million buckets.
    return ((shorter[:, :-1] % buckets) * _FACTOR + ids[:, n - 1 :]) % buckets


def term_rows(ids: Any, known: Any, grams: int, buckets: int) -> list[tuple[Any, Any]]:
    """Returns the rows of words, bigrams, ... up to `grams` words, and their masks.

    The code uses operators only: Keras computes it in the graph, NumPy during training.

    Args:
        ids: (B, L) of words, with L at least `grams`.
        known: (B, L) mask, 1 for a word. An n-gram is present where all of its words are.
        grams: words of the longest n-gram.
        buckets: rows that n-grams share by a hash; the row of a word is its id.

    Returns:
        For each n from 1: rows (B, L - n + 1), and their mask (B, L - n + 1).
    """
    levels, terms, present = [(ids, known)], ids, known
    for n in range(2, grams + 1):
        terms = phrase(terms, ids, n, buckets)
        present = present[:, :-1] * known[:, n - 1 :]
        levels.append((terms, present))
    return levels


class Weights(layers.Layer):  # type: ignore[misc]
    """TF-IDF weight of each term in its document, before the L2 normalization.

    Counting sets the weight `idf` (rows,), not gradients: see core/training/tfidf.py.
    """

    def __init__(self, rows: int, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.rows = rows

    def build(self, *_: Any) -> None:
        self.idf = self.add_weight(
            shape=(self.rows,), initializer="ones", trainable=False, name="idf"
        )

    def call(self, terms: Any, present: Any) -> tuple[Any, Any]:
        """Returns the weight of each position, (B, L), and the squared norm of the terms, (B, 1).

        The positions of a term share the weight of the term equally.

        Args:
            terms: (B, L) rows of the terms.
            present: (B, L) float32 mask, 0 for a position without a term.
        """
        times = ops.bincount(terms, weights=present, minlength=self.rows)  # (B, rows)
        frequency = ops.maximum(ops.take_along_axis(times, terms, axis=1), 1.0)
        weight = ops.take(self.idf, terms) * (1.0 + ops.log(frequency))
        squares = ops.sum(present * weight * weight / frequency, axis=1, keepdims=True)
        return present * weight / frequency, squares

    def compute_output_shape(self, terms_shape: Any, present_shape: Any) -> tuple[Any, Any]:
        del present_shape
        return tuple(terms_shape), (terms_shape[0], 1)


def bag(ids: Any, rows: int, grams: int, buckets: int, size: int) -> Any:
    """Returns the sum of the vectors of a document's terms (B, size), weighted by TF-IDF.

    The initial vectors are zeros; components/train/linear_head.py solves for them.

    Args:
        ids: (B, L) int32 in [0, rows), 0 is padding.
        rows: number of rows for words.
        grams, buckets: see `term_rows`.
        size: components of a term's vector.
    """
    known = ops.cast(ops.not_equal(ids, 0), "float32")
    sums, squares = [], []
    for n, (terms, present) in enumerate(term_rows(ids, known, grams, buckets), start=1):
        own = rows if n == 1 else buckets
        weight, square = Weights(own, _idf(n))(terms, present)
        vectors = layers.Embedding(
            own, size, embeddings_initializer="zeros", name=_bag(n), dtype="float32"
        )(terms)
        sums.append(ops.sum(vectors * ops.expand_dims(weight, -1), axis=1))
        squares.append(square)
    length = ops.sqrt(ops.maximum(ops.sum(ops.stack(squares), axis=0), _SMALLEST))  # (B, 1)
    return ops.sum(ops.stack(sums), axis=0) / length


def rows(net: Any) -> list[int]:
    """Returns the number of rows for words, for bigrams, ...; empty without a TF-IDF bag."""
    return [layer.rows for layer in net.layers if isinstance(layer, Weights)]


def set_parameters(net: Any, idf: Any, vectors: Any) -> None:
    """Sets the parameters of the bag of `net`.

    Args:
        idf: (T,) of all terms, words first, then bigrams, ...
        vectors: (T, size) of the same terms.
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
