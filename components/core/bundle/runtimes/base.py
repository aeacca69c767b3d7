"""The interface of model runtimes: functions of their modules, and the object of `load`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from components.core.target.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trained:
    """A trained model, from which each format is written.

    Attributes:
        network: network from core/networks/assembly.py.
        encoder: tf.Module from strings (B,) to ids, words, unknown share. Its `read` returns the
            word of each id, and `lengths` the numbers of ids; see core/tokenizers/words.py.
        centre: (F,) mean of the features.
        directions: (F, D) principal components of the features.
        calibration: temperature and abstention threshold; see core/target/calibration.py.
    """

    network: Any
    encoder: Any
    centre: Array
    directions: Array
    calibration: Calibration


class Runtime(Protocol):
    """A loaded model; safe to call from several threads."""

    @property
    def explains(self) -> bool:
        """True if `explain` works; models older than explanations return False."""
        ...

    @property
    def memory(self) -> int:
        """Bytes of the weights."""
        ...

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Predicts B texts.

        Returns:
            Arrays (B, ...): probabilities, features, words, unknown_share, and abstained, which
            models older than abstention lack.
        """
        ...

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Explains texts.

        Yields:
            For each text its probabilities (C,), those of a text without words (C,), the N words
            that the model reads, and their weights (N,).
        """
        ...

    def close(self) -> None:
        """Frees the memory. The caller guarantees that no call runs, and that none follows."""
        ...


class Format(Protocol):
    """A module of this package: writes and reads one format of models.

    Attributes:
        PREFERENCE: of several formats that accept a model, the highest PREFERENCE wins.
    """

    PREFERENCE: int

    def save(self, folder: Path, trained: Trained) -> None:
        """Writes a trained model to `folder`; does nothing if the format does not support it."""
        ...

    def accepts(self, folder: Path) -> bool:
        """Tests that the model in `folder` has this format."""
        ...

    def import_libraries(self) -> None:
        """Imports the large libraries that `load` needs."""
        ...

    def load(self, folder: Path) -> Runtime:
        """Loads the model in `folder`.

        Raises:
            OSError, ValueError, KeyError: the model cannot be read.
        """
        ...
