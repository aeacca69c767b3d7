"""What the settings of all architectures have in common, and their registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator

from components.core.params.base import Positive, Rate, SearchSpace, Settings, Share

ENSEMBLE = "ensemble"


class ReaderSettings(Settings):
    """Settings of every architecture that is trained by itself.

    Attributes:
        architecture: its name.
        search_space: what `newsloop tune` tries, unless params.yaml says otherwise.
    """

    architecture: ClassVar[str]
    search_space: ClassVar[SearchSpace] = {}

    words: Positive

    @property
    def has_closed_form(self) -> bool:
        """Only a linear answer learns: it has one best solution, which is computed."""
        return False


class Network(ReaderSettings):
    """Settings of the architectures that learn step by step."""

    dropout: Share
    batch_size: Positive
    learning_rate: Rate


ARCHITECTURES: dict[str, type[ReaderSettings]] = {}
T = TypeVar("T", bound=type[ReaderSettings])


def architecture(name: str) -> Callable[[T], T]:
    """Registers settings as those of the architecture `name`, section `train.<name>`.

    The network is the function `features` of components/core/networks/<name>.py.
    """

    def register(settings: T) -> T:
        settings.architecture = name
        ARCHITECTURES[name] = settings
        return settings

    return register


def candidates() -> list[str]:
    """All names that `train.candidates` takes."""
    return [*ARCHITECTURES, ENSEMBLE]


def _single(name: str) -> str:
    return _one_of(name, list(ARCHITECTURES))


def _candidate(name: str) -> str:
    return _one_of(name, candidates())


def _one_of(name: str, known: list[str]) -> str:
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}")
    return name


Single = Annotated[str, AfterValidator(_single)]  # an architecture that is trained by itself
Candidate = Annotated[str, AfterValidator(_candidate)]
