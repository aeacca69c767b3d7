"""The section `tune` of params.yaml: what `newsloop tune` tries, and for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.core.params.base import Positive, Rate, Settings


class Range(Settings):
    """Numbers from `low` to `high`, both tried too; whole ones where both are whole."""

    low: int | float
    high: int | float
    log: bool = False  # tried evenly by their logarithm, as learning rates should be

    @model_validator(mode="after")
    def ordered(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"low must be below high, and above 0 with log, got {self.low} and {self.high}"
            )
        return self


class Choice(Settings):
    """Some values, of which one is taken."""

    choices: Annotated[list[int | float | str | bool], Field(min_length=2)]


class Tune(Settings):
    trials: Positive
    minutes: Rate
    folds: Positive
    prune_after: Positive
    prune_trials: Positive
    seed: int
    space: dict[str, Annotated[dict[str, Range | Choice], Field(min_length=1)]]
