"""Base classes of the architectures' settings, and their registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator

from components.core.params.base import Positive, Rate, SearchSpace, Settings, Share

ENSEMBLE = "ensemble"


class ReaderSettings(Settings):
    """Settings of an architecture; an ensemble is none.

    Attributes:
        architecture: name of the architecture.
        search_space: default search space of `newsloop tune`.
    """

    architecture: ClassVar[str]
    search_space: ClassVar[SearchSpace] = {}

    words: Positive

    @property
    def has_closed_form(self) -> bool:
        """True if only a linear layer is trained, whose optimum a solver computes directly."""
        return False


class Network(ReaderSettings):
    """Settings of the architectures that train by gradient descent."""

    dropout: Share
    batch_size: Positive
    learning_rate: Rate


ARCHITECTURES: dict[str, type[ReaderSettings]] = {}
T = TypeVar("T", bound=type[ReaderSettings])


def architecture(name: str) -> Callable[[T], T]:
    """Registers a class as the settings of the architecture `name`, section `train.<name>`.

    The network is the function `features` of components/core/networks/<name>.py.
    """

    def register(settings: T) -> T:
        settings.architecture = name
        ARCHITECTURES[name] = settings
        return settings

    return register


def candidates() -> list[str]:
    """Returns all names that `train.candidates` accepts."""
    return [*ARCHITECTURES, ENSEMBLE]


def _single(name: str) -> str:
    return _one_of(name, list(ARCHITECTURES))


def _candidate(name: str) -> str:
    return _one_of(name, candidates())


def _one_of(name: str, known: list[str]) -> str:
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}")
    return name


Single = Annotated[str, AfterValidator(_single)]  # an architecture, not the ensemble
Candidate = Annotated[str, AfterValidator(_candidate)]
