"""Section `evaluate`: how a candidate is measured on the test side."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.params.base import Between, Positive, Settings


class Evaluate(Settings):
    """`evaluate`."""

    confidence: Between = Field(0.95, description="of the intervals")
    resamples: Positive = Field(2000, description="bootstrap samples, for macro F1")
    calibration_bins: Positive = Field(
        15, description="of the expected calibration error, equally many documents each"
    )
    reference_rows: Positive = Field(
        5000,
        description="documents held back whose answers the bundle knows, for monitoring; evenly "
        "spread",
    )
    seed: int = Field(11, description="of the bootstrap and of samples")
    length_bounds: Annotated[list[Positive], Field(min_length=1)] | Literal["thirds"] = Field(
        "thirds",
        description="slices by length, in report and gate: equally many documents in each, or "
        "characters from which the next slice begins, such as [1500, 2500]",
    )
    explained_documents: Positive = Field(
        20, description="documents of a class, for the words that speak for it"
    )
    suspect_documents: Positive = Field(
        5000, description="documents that are searched for wrong labels; about 10 seconds"
    )
    behaviour_documents: Positive = Field(
        10, description="documents of a class that the changes in behaviour.yaml are tried on"
    )

    @model_validator(mode="after")
    def rising(self) -> Evaluate:
        bounds = self.length_bounds
        if bounds != "thirds" and bounds != sorted(set(bounds)):
            raise ValueError(f"length_bounds must rise, got {', '.join(map(str, bounds))}")
        return self
