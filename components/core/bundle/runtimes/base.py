"""What a model runtime is: the functions of its module, and what its `load` gives."""

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
    """What training gives, and every format is made of.

    Attributes:
        network: as core/networks/assembly.py builds it.
        encoder: tf.Module from strings (B,) to ids, words, unknown share, whose `read` gives the
            words at the places of the ids, and `lengths` how many; see core/tokenizers/words.py.
        centre: (F,) mean of the features.
        directions: (F, D) columns along which the features are kept.
        calibration: what is done to the network's probabilities; see core/target/calibration.py.
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
        """`explain` can be called; models of before it cannot."""
        ...

    @property
    def memory(self) -> int:
        """Bytes of its weights."""
        ...

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Answers for B texts, each (B, ...): probabilities, features, words, unknown_share, and
        abstained, which models of before abstention lack.
        """
        ...

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Of each text its probabilities (C,), those of nothing to read (C,), the N words that are
        read, and their weights (N,).
        """
        ...

    def close(self) -> None:
        """Gives its memory back. No call runs then, and none comes after it."""
        ...


class Format(Protocol):
    """A module of this package: writes and reads one format of models.

    Attributes:
        PREFERENCE: of several formats that accept a model the one with the largest is used.
    """

    PREFERENCE: int

    def save(self, folder: Path, trained: Trained) -> None:
        """Writes a trained model to `folder`; does nothing where this format cannot hold it."""
        ...

    def accepts(self, folder: Path) -> bool:
        """The model in `folder` has this format."""
        ...

    def import_libraries(self) -> None:
        """Imports the large libraries that `load` needs."""
        ...

    def load(self, folder: Path) -> Runtime:
        """The model in `folder`; raises OSError, ValueError or KeyError if it cannot be read."""
        ...
