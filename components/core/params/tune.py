"""Section `tune`: what `newsloop tune` tries, and for how long."""

from __future__ import annotations

from typing import Annotated, Any

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


Space = Annotated[dict[str, Range | Choice], Field(min_length=1)]

SPACE: dict[str, dict[str, Range | Choice]] = {
    "textcnn": {
        "learning_rate": Range(low=0.0003, high=0.003, log=True),
        "dropout": Range(low=0.2, high=0.7),
        "word_dropout": Range(low=0.0, high=0.3),
        "filters": Choice(choices=[64, 128, 256]),
        "batch_size": Choice(choices=[16, 32, 64]),
    },
    "bilstm": {
        "learning_rate": Range(low=0.0003, high=0.005, log=True),
        "dropout": Range(low=0.1, high=0.6),
        "word_dropout": Range(low=0.0, high=0.3),
        "units": Choice(choices=[64, 128]),
    },
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
    space: dict[str, Space] = Field(
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
