"""The seam for model runtimes: what loads a model and computes its answers.

Another runtime is another module of this package with `accepts`, `import_libraries` and `load`, and
its entry in FORMATS. Nobody outside this package knows which runtime a bundle has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from components.core.bundle import fast_textcnn, saved_model
from components.core.errors import BundleError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


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
    """A module that reads one format of models."""

    def accepts(self, folder: Path) -> bool:
        """The model in `folder` has this format."""
        ...

    def import_libraries(self) -> None:
        """Imports the large libraries that `load` needs."""
        ...

    def load(self, folder: Path) -> Runtime:
        """The model in `folder`; raises OSError, ValueError or KeyError if it cannot be read."""
        ...


# A model may lie there in several formats: the first one that accepts it is used, so the fast ones
# stand first.
FORMATS: tuple[Format, ...] = (fast_textcnn, saved_model)


def find(folder: Path) -> Format | None:
    """The format that reads the model in `folder`; None if no format does."""
    return next((one for one in FORMATS if one.accepts(folder)), None)


def load(folder: Path) -> Runtime:
    """The model in `folder`, by the first of FORMATS that accepts it.

    Raises:
        BundleError: none of them does.
        OSError, ValueError, KeyError: it cannot be read.
    """
    found = find(folder)
    if found is None:
        raise BundleError(
            f"Expected a model in {folder} in a format that this version of newsloop reads, found "
            "none. Release another version, or install the newsloop that made this bundle."
        )
    return found.load(folder)
