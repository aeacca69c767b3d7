"""Settings of a version's trial beside the champion, and of a new champion's first time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)


class Challenger(Settings):
    """`serve.challenger` in params.yaml, which gives each its unit and reason."""

    shadow_seconds: Rate
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    step_seconds: Rate
    probation_seconds: Annotated[float, Field(ge=0)]
    report_seconds: Annotated[float, Field(gt=0, le=15)]
    absent_seconds: Annotated[float, Field(gt=0, le=40)]
    queue_texts: Positive
    patience_ms: Rate
    slow_ms: Rate
    max_slow_share: Share
    max_error_share: Share
    min_failures: Positive
    min_texts: Positive
    max_confidence_drop: Share
    max_disagreement: Share
    min_labels: Positive
    level: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def ordered(self) -> Challenger:
        if sorted(set(self.shares)) != self.shares:
            raise ValueError(f"shares must grow from step to step, got {self.shares}")
        return self
