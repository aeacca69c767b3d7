"""A trained `textcnn` without TensorFlow: the same answers, and reasons, from a table.

A convolution over word vectors is a sum of products of a vector and a part of the kernel. Both are
fixed once the network is trained, so the products of all words are computed once, when the bundle
is loaded: a row of the table for each word, a column for each filter and place that it sees. A text
then costs additions and a search for each filter's largest sum (core/compiled.py).

The same sums explain (core/explanation.py): on the path from nothing to the text every sum grows in
proportion, so the phrase that is largest stays the largest, and integrated gradients need no
network, but only which phrase that was.

A bundle holds the weights a second time for it, in NumPy's format beside the SavedModel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import explanation
from components.core import text as words_of
from components.core.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = "shortcut.npz"
_POINTS = 24  # of an explanation's path; its sum is then right to five digits
_LEAST = 1e-12  # probability that still has a logarithm in float32


def save(
    folder: Path,
    weights: Mapping[str, Array],
    words: Sequence[str],
    length: int,
    unit: words_of.Unit,
    centre: Array,
    directions: Array,
    calibration: Calibration,
) -> None:
    """Writes FILE into `folder`.

    Args:
        weights: of the network, as core/network.py gives them.
        words: the vocabulary.
        length: words of a text that are read.
        unit: what a word is; see core/text.py.
        centre, directions, calibration: as `bundle.save_model` has them.
    """
    import numpy as np

    held: dict[str, Any] = {
        **weights,
        "words": np.frombuffer("\n".join(words).encode(), np.uint8),
        "length": np.int64(length),
        "unit": np.bytes_(unit.encode()),
        "centre": np.asarray(centre, np.float32),
        "directions": np.asarray(directions, np.float32),
        "calibration": np.array([calibration.temperature, calibration.abstain_below], np.float32),
    }
    np.savez(folder / FILE, **held)


def load(folder: Path) -> Shortcut | None:
    """The shortcut in `folder`; None where there is none.

    Raises:
        ValueError, KeyError, OSError: the file is none of ours, or a weight is no number.
    """
    import numpy as np

    file = folder / FILE
    if not file.exists():
        return None
    with np.load(file, allow_pickle=False) as held:
        return Shortcut(dict(held))


class _Ids(dict[str, int]):
    """Word -> id."""

    def __missing__(self, word: str) -> int:
        return words_of.UNKNOWN


class Shortcut:
    """What the loaded weights say of texts; safe to call from several threads.

    F counts the features: `filters` of each width of each member, then the bag's. M counts the
    members, the bag among them, C the classes.

    Args:
        held: as `save` wrote it.
    """

    def __init__(self, held: Mapping[str, Array]) -> None:
        import numpy as np

        from components.core import compiled

        self._compiled = compiled
        spelled = held["words"].tobytes().decode()
        first = words_of.FIRST_WORD
        self._ids = _Ids(zip(spelled.split("\n"), itertools.count(first), strict=False))
        self._length = int(held["length"])
        self._unit: words_of.Unit = held["unit"].item().decode()
        self._temperature, self._abstain_below = held["calibration"]
        self._scale = float(held["scale"])
        self._centre, self._directions = held["centre"], held["directions"]
        kernels, self._bias = _kernels(held)
        self._widths = np.array([len(kernel) for _, kernel in kernels], np.int64)
        self._filters = kernels[0][1].shape[2]
        self._table = _table(kernels, held["bag"])
        self._answers, self._answers_bias = _answers(held)

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Answers for B texts, as the SavedModel's signature gives them."""
        import numpy as np

        split = [words_of.split(text, self._unit) for text in texts]
        words = np.fromiter(map(len, split), np.int32, len(split))
        counts = np.minimum(words, self._length)
        starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        read = itertools.chain.from_iterable(one[: self._length] for one in split)
        ids = self._numbers(read, int(starts[-1]))
        hidden = self._hidden(self._sums(ids, starts))
        probabilities = self._said(hidden)[1]
        owner = np.repeat(np.arange(len(texts)), counts)
        unknown = np.bincount(owner, ids == words_of.UNKNOWN, len(texts)) / np.maximum(counts, 1)
        return {
            "probabilities": probabilities,
            "abstained": probabilities.max(axis=1) < self._abstain_below,
            "features": (hidden - self._centre) @ self._directions,
            "words": words,
            "unknown_share": np.where(counts > 0, unknown, 1).astype(np.float32),
        }

    @property
    def explains(self) -> bool:
        return True

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Integrated gradients of the label's log probability; see core/explanation.py.

        Yields:
            Of each text probabilities (C,) of it, and of nothing to read; the N words that are
            read; their weights (N,).
        """
        return map(self._explained, texts)

    def _explained(self, text: str) -> tuple[Array, Array, list[str], Array]:
        import numpy as np

        words = words_of.split(text, self._unit)[: self._length]
        sums = self._sums(ids := self._numbers(words, len(words)), np.array([0, len(ids)]))[0]
        alphas, shares = explanation.path(_POINTS)
        hidden = self._hidden(np.concatenate([[0.0], alphas, [1.0]])[:, None] * sums)
        members, said = self._said(hidden)
        slopes = self._slopes(members[1:-1], said[1:-1], int(said[-1].argmax()))
        phrases = len(self._bias)
        slopes[:, :phrases] *= hidden[1:-1, :phrases] > 0
        worth = (shares @ slopes).astype(np.float32)
        where = (ids, self._table, self._filters, self._widths)
        weights = self._compiled.shared(*where, sums[:phrases], worth[:phrases])
        bag = self._table[ids, -len(worth[phrases:]) :] @ worth[phrases:]
        return said[-1], said[0], words, weights + bag * self._shrunk(np.array(len(ids)))

    def _numbers(self, words: Iterable[str], count: int) -> Array:
        """(count,) ids of words."""
        import numpy as np

        return np.fromiter(map(self._ids.__getitem__, words), np.int32, count)

    def _sums(self, ids: Array, starts: Array) -> Array:
        """(B, F): the largest sum of each filter, and of the bag, of ids as `largest` has them."""
        import numpy as np

        sums = np.empty((len(starts) - 1, len(self._centre)), np.float32)
        self._compiled.largest(ids, starts, self._table, self._filters, self._widths, sums)
        sums[:, len(self._bias) :] *= self._shrunk(np.diff(starts))[:, None]
        return sums

    def _shrunk(self, counts: Array) -> Array:
        """What a bag's sum is multiplied by, of texts with that many words."""
        import numpy as np

        return (self._scale / np.sqrt(np.maximum(counts, 1))).astype(np.float32)

    def _hidden(self, sums: Array) -> Array:
        """(B, F) features of sums (B, F)."""
        import numpy as np

        hidden = sums.astype(np.float32)
        phrases = hidden[:, : len(self._bias)]
        np.maximum(phrases + self._bias, 0, out=phrases)
        return hidden

    def _said(self, hidden: Array) -> tuple[Array, Array]:
        """What each member says, (B, M, C), and all together, (B, C), of features (B, F)."""
        import numpy as np

        scores = np.einsum("bf,fmc->bmc", hidden, self._answers, optimize=True)
        scores += self._answers_bias
        members = np.exp(scores - scores.max(axis=2, keepdims=True))
        members /= members.sum(axis=2, keepdims=True)
        powers = members.mean(axis=1) ** (1 / self._temperature)
        return members, powers / powers.sum(axis=1, keepdims=True)

    def _slopes(self, members: Array, said: Array, label: int) -> Array:
        """(B, F): how the log probability of `label` grows with each feature.

        Args:
            members, said: as `_said` gives them.
        """
        import numpy as np

        mean = np.maximum(members.mean(axis=1), _LEAST)
        by_mean = -said / mean
        by_mean[:, label] += 1 / mean[:, label]
        by_mean /= self._temperature * members.shape[1]
        drawn = members * by_mean[:, None]
        by_score = drawn - members * drawn.sum(axis=2, keepdims=True)
        slopes: Array = np.einsum("bmc,fmc->bf", by_score, self._answers, optimize=True)
        return slopes


def _kernels(held: Mapping[str, Array]) -> tuple[list[tuple[Array, Array]], Array]:
    """Word vectors (V, E) and kernel (width, E, filters) of each width of each member; biases."""
    import numpy as np

    pairs = [(i, width) for i in range(len(held["members"])) for width in held["widths"].tolist()]
    kernels = [(held[f"vectors_{i}"], held[f"kernel_{i}_{width}"]) for i, width in pairs]
    return kernels, np.concatenate([held[f"bias_{i}_{width}"] for i, width in pairs])


def _table(kernels: Sequence[tuple[Array, Array]], bag: Array) -> Array:
    """(V, T + bag), the table of the file's head, and beside it the vectors of the bag."""
    import numpy as np

    columns = sum(kernel.shape[0] * kernel.shape[2] for _, kernel in kernels)
    table = np.empty((len(bag), columns + bag.shape[1]), np.float32)
    start = 0
    for vectors, kernel in kernels:
        for part in kernel:
            end = start + part.shape[1]
            np.matmul(vectors, part, out=table[:, start:end])
            start = end
    table[:, start:] = bag
    table[words_of.PAD] = 0
    # A loop that is compiled for numbers would pass over what is none.
    if not np.isfinite(table).all():
        raise ValueError("a weight is NaN or infinite")
    return table


def _answers(held: Mapping[str, Array]) -> tuple[Array, Array]:
    """Weights (F, M, C) and biases (M, C) of the layers that answer; 0 for what one cannot see."""
    import numpy as np

    parts = [held[f"answer_{i}"] for i in range(len(held["members"]) + 1)]
    whole = np.zeros((sum(map(len, parts)), len(parts), parts[0].shape[1]), np.float32)
    start = 0
    for i, part in enumerate(parts):
        whole[start : start + len(part), i] = part
        start += len(part)
    return whole, np.stack([held[f"answer_bias_{i}"] for i in range(len(parts))])
