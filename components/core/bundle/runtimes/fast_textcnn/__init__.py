"""A trained `textcnn` without TensorFlow: the same answers, and reasons, from a table.

A convolution over word vectors is a sum of products of a vector and a part of the kernel. Both are
fixed once the network is trained, so the products of all words are computed once, when the bundle
is loaded: a row of the table for each word, a column for each filter and place that it sees. A text
then costs additions and a search for each filter's largest sum (kernels.py).

The same sums explain (explanation.py): on the path from nothing to the text every sum grows in
proportion, so the phrase that is largest stays the largest, and integrated gradients need no
network, but only which phrase that was.

A bundle holds the weights a second time for it, in NumPy's format beside the SavedModel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.bundle import explanation
from components.core.bundle.runtimes.base import Trained
from components.core.bundle.runtimes.fast_textcnn.tokenizer import Tokenizer
from components.core.target.calibration import Calibration
from components.core.tokenizers import words as words_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PREFERENCE = 1  # faster than TensorFlow
FILE = "shortcut.npz"  # released bundles have this name
_POINTS = 48  # of an explanation's path
_LEAST = 1e-12  # probability that still has a logarithm in float32


def save(folder: Path, trained: Trained) -> None:
    """Writes FILE into `folder` if the network is a `textcnn`."""
    from components.core.networks import assembly

    weights, encoder = assembly.textcnn_weights(trained.network), trained.encoder
    if weights:
        write(
            folder, weights, encoder.vocabulary(), encoder.lengths[0], encoder.unit,
            trained.centre, trained.directions, trained.calibration,
        )  # fmt: skip


def write(
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
        weights: of the network, as core/networks/assembly.py gives them.
        words: the vocabulary.
        length: words of a text that are read.
        unit: what a word is; see core/tokenizers/words.py.
        centre, directions, calibration: as `Trained` has them.
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


def accepts(folder: Path) -> bool:
    """FILE lies in `folder`."""
    return (folder / FILE).exists()


def import_libraries() -> None:
    """Imports nothing: NumPy and the kernels are small."""


def load(folder: Path) -> FastTextCnn:
    """The model in `folder`.

    Raises:
        ValueError, KeyError, OSError: the file is none of ours, or a weight is no number.
    """
    import numpy as np

    with np.load(folder / FILE, allow_pickle=False) as held:
        return FastTextCnn(dict(held))


class FastTextCnn:
    """The model of the loaded weights; see core/bundle/runtimes/__init__.py.

    F counts the features: `filters` of each width of each member, then the bag's. M counts the
    members, the bag among them, C the classes.

    Args:
        held: as `save` wrote it.
    """

    def __init__(self, held: Mapping[str, Array]) -> None:
        import numpy as np

        from components.core.bundle.runtimes.fast_textcnn.compilation import kernels

        self._kernels = kernels()
        words = held["words"].tobytes().decode().split("\n")
        self._tokenizer = Tokenizer(words, int(held["length"]), held["unit"].item().decode())
        self._temperature, self._abstain_below = held["calibration"]
        self._scale = float(held["scale"])
        self._centre, self._directions = held["centre"], held["directions"]
        pairs = [
            (i, width) for i in range(len(held["members"])) for width in held["widths"].tolist()
        ]
        biases = [held[f"bias_{i}_{width}"] for i, width in pairs]
        self._widths = np.array([width for _, width in pairs], np.int64)
        self._filters, self._bias = len(biases[0]), np.concatenate(biases)
        self._table = _table(held)
        self._answers, self._answers_bias = _answers(held)

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Answers for B texts, as the SavedModel's signature gives them."""
        import numpy as np

        ids, starts, words, unknowns = self._tokenizer.read(texts)
        hidden = self._hidden(self._sums(ids, starts))
        probabilities = self._said(hidden)[1]
        counts = np.diff(starts)
        return {
            "probabilities": probabilities,
            "abstained": probabilities.max(axis=1) < self._abstain_below,
            "features": (hidden - self._centre) @ self._directions,
            "words": words,
            "unknown_share": np.where(counts, unknowns / np.maximum(counts, 1), 1).astype(
                np.float32
            ),
        }

    @property
    def explains(self) -> bool:
        return True

    @property
    def memory(self) -> int:
        import numpy as np

        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    def close(self) -> None:
        """Does nothing: NumPy gives an array's memory back with its last reference."""

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Integrated gradients of the label's log probability; see core/bundle/explanation.py.

        Yields:
            Of each text probabilities (C,) of it, and of nothing to read; the N words that are
            read; their weights (N,).
        """
        return map(self._explained, texts)

    def _explained(self, text: str) -> tuple[Array, Array, list[str], Array]:
        import numpy as np

        ids, starts, _, _ = self._tokenizer.read([text])
        sums = self._sums(ids, starts)[0]
        alphas, shares = explanation.path(_POINTS)
        hidden = self._hidden(np.concatenate([[0.0], alphas, [1.0]])[:, None] * sums)
        members, said = self._said(hidden)
        slopes = self._slopes(members[1:-1], said[1:-1], int(said[-1].argmax()))
        phrases = len(self._bias)
        slopes[:, :phrases] *= hidden[1:-1, :phrases] > 0
        gradients = (shares @ slopes).astype(np.float32)
        where = (ids, self._table, self._filters, self._widths)
        weights = self._kernels.attributed(*where, sums[:phrases], gradients[:phrases])
        bag = self._table[ids, -len(gradients[phrases:]) :] @ gradients[phrases:]
        weights += bag * self._bag_scale(np.array(len(ids)))
        return said[-1], said[0], self._tokenizer.split(text), weights

    def _sums(self, ids: Array, starts: Array) -> Array:
        """(B, F): the largest sum of each filter, and of the bag, of ids as `largest` has them."""
        import numpy as np

        sums = np.empty((len(starts) - 1, len(self._centre)), np.float32)
        begun = np.empty((self._widths.sum(), self._filters), np.float32)
        where = (self._table, self._filters, self._widths)
        self._kernels.largest(ids, starts, *where, begun, sums)
        sums[:, len(self._bias) :] *= self._bag_scale(np.diff(starts))[:, None]
        return sums

    def _bag_scale(self, counts: Array) -> Array:
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


def _table(held: Mapping[str, Array]) -> Array:
    """(V, T + bag), the table of the file's head, and beside it the vectors of the bag."""
    import numpy as np

    # A loop that is compiled for numbers would pass over what is none.
    if not all(np.isfinite(one).all() for one in held.values() if one.dtype == np.float32):
        raise ValueError("a weight is NaN or infinite")
    kernels = [
        np.concatenate(
            [part for width in held["widths"] for part in held[f"kernel_{i}_{width}"]], 1
        )
        for i in range(len(held["members"]))
    ]  # (E, columns of the member)
    bag, columns = held["bag"], sum(kernel.shape[1] for kernel in kernels)
    table = np.empty((len(bag), columns + bag.shape[1]), np.float32)
    start = 0
    for i, kernel in enumerate(kernels):
        end = start + kernel.shape[1]
        np.matmul(held[f"vectors_{i}"], kernel, out=table[:, start:end])
        start = end
    table[:, start:] = bag
    table[words_of.PAD] = 0
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
