"""Types, and the base class of every section of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Between = Annotated[float, Field(gt=0, lt=1)]  # 0 and 1 excluded
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Port = Annotated[int, Field(gt=0, lt=65536)]


class Settings(BaseModel):
    """Base of every section: frozen, strict about types, closed to unknown keys.

    A field has a default, and a description with its unit or reason; docs/params.md shows both.
    Defaults are validated too, so that 10 becomes 10.0 in a default as it does in a file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Range(Settings):
    """Numbers from `low` to `high`, both included; integers if both are integers."""

    low: int | float
    high: int | float
    log: bool = False  # sampled uniformly in the logarithm, for learning rates

    @model_validator(mode="after")
    def ordered(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"low must be below high, and above 0 with log, got {self.low} and {self.high}"
            )
        return self


class Choice(Settings):
    """Values of which a trial takes one."""

    choices: Annotated[list[int | float | str | bool], Field(min_length=2)]


SearchSpace = dict[str, Range | Choice]  # setting -> values that `newsloop tune` tries
