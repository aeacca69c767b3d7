"""Section `tune`: search space and budget of `newsloop tune`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from components.core.params.architectures import ARCHITECTURES
from components.core.params.base import Positive, Rate, SearchSpace, Settings

SPACE: dict[str, SearchSpace] = {
    name: settings.search_space for name, settings in ARCHITECTURES.items() if settings.search_space
}


class Tune(Settings):
    """`tune`: the search never uses the test side."""

    trials: Positive = Field(20, description="trials of one call, at most")
    minutes: Rate = Field(60, description="minutes, after which no trial starts")
    folds: Positive = Field(
        1,
        description="1: the validation side; 2 or more: cross-validation, which takes as many "
        "times as long",
    )
    prune_after: Positive = Field(
        3, description="epochs, after which a trial worse than the median of the others is pruned"
    )
    prune_trials: Positive = Field(4, description="finished trials, before pruning starts")
    seed: int = Field(17, description="seed of the sampler and of the folds")
    space: dict[str, Annotated[SearchSpace, Field(min_length=1)]] = Field(
        SPACE,
        description="settings of train.<architecture> to try: low and high (log: uniform in the "
        "logarithm), or choices; the list of an architecture that is named here "
        "replaces its default list",
    )

    @model_validator(mode="before")
    @classmethod
    def completed(cls, values: Any) -> Any:
        """Gives an architecture that is not named its default space."""
        if not isinstance(values, dict) or not isinstance(values.get("space"), dict):
            return values
        return {**values, "space": {**SPACE, **values["space"]}}
