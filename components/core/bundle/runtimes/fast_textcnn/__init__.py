"""Runtime for a trained `textcnn` without TensorFlow: predictions and explanations from a table.

A convolution over word vectors is a sum of products of a vector and a part of the kernel. Both are
constant after training, so all products are computed once, when the bundle is loaded. The table
has a row for each word, and a column for each filter and position in the filter. Inference adds up
columns of the table and finds the maximum for each filter (kernels.py).

Integrated gradients (explanation.py) use the same sums: along the path from the baseline to the
text every sum grows in proportion, so the phrase with the maximum stays the same. They need no
network, only the phrase with the maximum of each filter.

The bundle holds a second copy of the weights in NumPy's format, beside the SavedModel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.bundle import explanation
from components.core.bundle.runtimes.base import Trained
from components.core.bundle.runtimes.fast_textcnn.tokenizer import Tokenizer
from components.core.target.calibration import Calibration
from components.core.tokenizers import words as word_tokenizer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PREFERENCE = 1  # faster than TensorFlow
FILE = "shortcut.npz"  # released bundles have this name
_POINTS = 48  # on the path of an explanation
_SMALLEST = 1e-12  # lower bound of a probability in a denominator


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
    unit: word_tokenizer.Unit,
    centre: Array,
    directions: Array,
    calibration: Calibration,
) -> None:
    """Writes FILE into `folder`.

    Args:
        weights: arrays of `assembly.textcnn_weights`.
        words: the vocabulary.
        length: maximum number of words of a text.
        unit: "words" or "chars"; see core/tokenizers/words.py.
        centre, directions, calibration: see `Trained`.
    """
    import numpy as np

    arrays: dict[str, Any] = {
        **weights,
        "words": np.frombuffer("\n".join(words).encode(), np.uint8),
        "length": np.int64(length),
        "unit": np.bytes_(unit.encode()),
        "centre": np.asarray(centre, np.float32),
        "directions": np.asarray(directions, np.float32),
        "calibration": np.array([calibration.temperature, calibration.abstain_below], np.float32),
    }
    np.savez(folder / FILE, **arrays)


def accepts(folder: Path) -> bool:
    """Tests that `folder` holds FILE."""
    return (folder / FILE).exists()


def import_libraries() -> None:
    """Imports nothing: NumPy and the kernels are small."""


def load(folder: Path) -> FastTextCnn:
    """Loads the model in `folder`.

    Raises:
        ValueError, KeyError, OSError: the file has another format, or a weight is NaN or infinite.
    """
    import numpy as np

    with np.load(folder / FILE, allow_pickle=False) as arrays:
        return FastTextCnn(dict(arrays))


class FastTextCnn:
    """The loaded model; see `Runtime` in core/bundle/runtimes/base.py.

    F is the number of features: `filters` for each width of each member, then those of the bag. M
    is the number of members with the bag, C the classes.

    Args:
        arrays: content of FILE.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        import numpy as np

        from components.core.bundle.runtimes.fast_textcnn.compilation import kernels

        self._kernels = kernels()
        words = arrays["words"].tobytes().decode().split("\n")
        self._tokenizer = Tokenizer(words, int(arrays["length"]), arrays["unit"].item().decode())
        self._temperature, self._abstain_below = arrays["calibration"]
        self._scale = float(arrays["scale"])
        self._centre, self._directions = arrays["centre"], arrays["directions"]
        pairs = [
            (i, width) for i in range(len(arrays["members"])) for width in arrays["widths"].tolist()
        ]
        biases = [arrays[f"bias_{i}_{width}"] for i, width in pairs]
        self._widths = np.array([width for _, width in pairs], np.int64)
        self._filters, self._bias = len(biases[0]), np.concatenate(biases)
        self._table = _table(arrays)
        self._answers, self._answers_bias = _answers(arrays)

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Predicts B texts; the arrays are those of the SavedModel's signature."""
        import numpy as np

        ids, starts, words, unknowns = self._tokenizer.read(texts)
        hidden = self._hidden(self._sums(ids, starts))
        probabilities = self._probabilities(hidden)[1]
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
        """Does nothing: NumPy frees an array with its last reference."""

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Explains labels by integrated gradients; see core/bundle/explanation.py.

        Yields:
            For each text its probabilities (C,); those of a text without words (C,); the N words
            that the model reads; their weights (N,).
        """
        return map(self._explain, texts)

    def _explain(self, text: str) -> tuple[Array, Array, list[str], Array]:
        import numpy as np

        ids, starts, _, _ = self._tokenizer.read([text])
        sums = self._sums(ids, starts)[0]
        alphas, shares = explanation.path(_POINTS)
        hidden = self._hidden(np.concatenate([[0.0], alphas, [1.0]])[:, None] * sums)
        members, probabilities = self._probabilities(hidden)
        slopes = self._slopes(members[1:-1], probabilities[1:-1], int(probabilities[-1].argmax()))
        phrases = len(self._bias)
        slopes[:, :phrases] *= hidden[1:-1, :phrases] > 0
        gradients = (shares @ slopes).astype(np.float32)
        arguments = (ids, self._table, self._filters, self._widths)
        weights = self._kernels.attributed(*arguments, sums[:phrases], gradients[:phrases])
        bag = self._table[ids, -len(gradients[phrases:]) :] @ gradients[phrases:]
        weights += bag * self._bag_scale(np.array(len(ids)))
        return probabilities[-1], probabilities[0], self._tokenizer.split(text), weights

    def _sums(self, ids: Array, starts: Array) -> Array:
        """Computes the largest sum of each filter, and the bag's sums, (B, F).

        Args:
            ids, starts: see `kernels.largest`.
        """
        import numpy as np

        sums = np.empty((len(starts) - 1, len(self._centre)), np.float32)
        ring = np.empty((self._widths.sum(), self._filters), np.float32)
        layout = (self._table, self._filters, self._widths)
        self._kernels.largest(ids, starts, *layout, ring, sums)
        sums[:, len(self._bias) :] *= self._bag_scale(np.diff(starts))[:, None]
        return sums

    def _bag_scale(self, counts: Array) -> Array:
        """Computes the factor of the bag's sum for texts with `counts` words."""
        import numpy as np

        return (self._scale / np.sqrt(np.maximum(counts, 1))).astype(np.float32)

    def _hidden(self, sums: Array) -> Array:
        """Computes features (B, F) from sums (B, F): bias and ReLU for the filters."""
        import numpy as np

        hidden = sums.astype(np.float32)
        phrases = hidden[:, : len(self._bias)]
        np.maximum(phrases + self._bias, 0, out=phrases)
        return hidden

    def _probabilities(self, hidden: Array) -> tuple[Array, Array]:
        """Computes probabilities from features (B, F).

        Returns:
            Probabilities of each member (B, M, C), and the calibrated mean (B, C).
        """
        import numpy as np

        scores = np.einsum("bf,fmc->bmc", hidden, self._answers, optimize=True)
        scores += self._answers_bias
        members = np.exp(scores - scores.max(axis=2, keepdims=True))
        members /= members.sum(axis=2, keepdims=True)
        powers = members.mean(axis=1) ** (1 / self._temperature)
        return members, powers / powers.sum(axis=1, keepdims=True)

    def _slopes(self, members: Array, probabilities: Array, label: int) -> Array:
        """Computes the gradient of the log probability of `label` by the features, (B, F).

        Args:
            members, probabilities: results of `_probabilities`.
            label: index of the class.
        """
        import numpy as np

        mean = np.maximum(members.mean(axis=1), _SMALLEST)
        by_mean = -probabilities / mean
        by_mean[:, label] += 1 / mean[:, label]
        by_mean /= self._temperature * members.shape[1]
        weighted = members * by_mean[:, None]
        by_score = weighted - members * weighted.sum(axis=2, keepdims=True)
        slopes: Array = np.einsum("bmc,fmc->bf", by_score, self._answers, optimize=True)
        return slopes


def _table(arrays: Mapping[str, Array]) -> Array:
    """Computes the table (V, T + bag): T columns for filters, then the vectors of the bag."""
    import numpy as np

    # The kernels are compiled with the assumption that no number is NaN.
    if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype == np.float32):
        raise ValueError("a weight is NaN or infinite")
    kernels = [
        np.concatenate(
            [part for width in arrays["widths"] for part in arrays[f"kernel_{i}_{width}"]], 1
        )
        for i in range(len(arrays["members"]))
    ]  # (E, columns of the member)
    bag, columns = arrays["bag"], sum(kernel.shape[1] for kernel in kernels)
    table = np.empty((len(bag), columns + bag.shape[1]), np.float32)
    start = 0
    for i, kernel in enumerate(kernels):
        end = start + kernel.shape[1]
        np.matmul(arrays[f"vectors_{i}"], kernel, out=table[:, start:end])
        start = end
    table[:, start:] = bag
    table[word_tokenizer.PAD] = 0
    return table


def _answers(arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    """Returns output weights (F, M, C), 0 for other members' features, and biases (M, C)."""
    import numpy as np

    parts = [arrays[f"answer_{i}"] for i in range(len(arrays["members"]) + 1)]
    weights = np.zeros((sum(map(len, parts)), len(parts), parts[0].shape[1]), np.float32)
    start = 0
    for i, part in enumerate(parts):
        weights[start : start + len(part), i] = part
        start += len(part)
    return weights, np.stack([arrays[f"answer_bias_{i}"] for i in range(len(parts))])
