"""Section `evaluate`: measurement of a candidate on the test side."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.params.base import Between, Positive, Settings


class Evaluate(Settings):
    """`evaluate`."""

    confidence: Between = Field(0.95, description="confidence level of the intervals")
    resamples: Positive = Field(2000, description="bootstrap samples for the interval of macro F1")
    calibration_bins: Positive = Field(
        15, description="bins of the expected calibration error, with equally many documents each"
    )
    reference_rows: Positive = Field(
        5000,
        description="held-back documents, evenly spread, whose predictions the bundle contains; "
        "monitoring compares traffic with them",
    )
    seed: int = Field(11, description="seed of the bootstrap and of samples")
    length_bounds: Annotated[list[Positive], Field(min_length=1)] | Literal["thirds"] = Field(
        "thirds",
        description="slices by text length, in report and gate. thirds: equally many documents in"
        " each; or the characters at which each next slice begins, such as [1500, "
        "2500]",
    )
    explained_documents: Positive = Field(
        20,
        description="documents of each class that are explained, to list the class's typical words",
    )
    suspect_documents: Positive = Field(
        5000, description="documents searched for wrong labels; 5000 take about 10 seconds"
    )
    behaviour_documents: Positive = Field(
        10,
        description="documents of each class that every behaviour test in behaviour.yaml changes",
    )

    @model_validator(mode="after")
    def rising(self) -> Evaluate:
        bounds = self.length_bounds
        if bounds != "thirds" and bounds != sorted(set(bounds)):
            raise ValueError(f"length_bounds must rise, got {', '.join(map(str, bounds))}")
        return self
