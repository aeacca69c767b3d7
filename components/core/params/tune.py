"""Section `tune`: what `newsloop tune` tries, and for how long."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from components.core.params.architectures import ARCHITECTURES
from components.core.params.base import Positive, Rate, SearchSpace, Settings

SPACE: dict[str, SearchSpace] = {
    name: settings.search_space for name, settings in ARCHITECTURES.items() if settings.search_space
}


class Tune(Settings):
    """`tune`: `newsloop tune` never looks at the test side."""

    trials: Positive = Field(20, description="at most, in one call")
    minutes: Rate = Field(60, description="after which no trial begins")
    folds: Positive = Field(
        1,
        description="1: the validation side; 2 or more: folds, which take so many times as long",
    )
    prune_after: Positive = Field(
        3, description="epochs before a trial worse than the median of the others ends"
    )
    prune_trials: Positive = Field(4, description="trials before one is compared with the others")
    seed: int = Field(17, description="of the sampler and of the folds")
    space: dict[str, Annotated[SearchSpace, Field(min_length=1)]] = Field(
        SPACE,
        description="settings of train.<architecture> to try: low and high (log: evenly by "
        "logarithm), or choices; an architecture that is named here is searched by its own list "
        "alone",
    )

    @model_validator(mode="before")
    @classmethod
    def completed(cls, values: Any) -> Any:
        """An architecture that is not named keeps its default space."""
        if not isinstance(values, dict) or not isinstance(values.get("space"), dict):
            return values
        return {**values, "space": {**SPACE, **values["space"]}}
