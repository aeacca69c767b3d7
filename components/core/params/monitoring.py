"""The sections `governor` and `alerts` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)

Hour = Annotated[int, Field(ge=0, le=23)]
NotNegative = Annotated[float, Field(ge=0)]


class Governor(Settings):
    drifted_windows: Positive
    last_windows: Positive
    max_accuracy_drop: Annotated[float, Field(gt=0, le=1)]
    harmless_drop: Annotated[float, Field(ge=0, le=1)]
    min_new_labels: Annotated[int, Field(ge=0)]
    cooldown_hours: NotNegative
    per_day: Positive
    per_month: Positive
    quiet_hours: list[Hour]
    max_age_days: Rate | None
    blind_hours: Rate
    failures: Positive
    circuit_hours: Rate
    reconcile_minutes: NotNegative
    compare_windows: Positive

    @model_validator(mode="after")
    def possible(self) -> Governor:
        if self.drifted_windows > self.last_windows:
            raise ValueError(
                "drifted_windows must not be more than last_windows, got "
                f"{self.drifted_windows} and {self.last_windows}"
            )
        return self


class Alerts(Settings):
    repeat_hours: Rate
    timeout_seconds: Rate
    min_free_disk: Share
