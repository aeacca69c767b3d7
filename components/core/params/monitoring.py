"""Sections `monitor`, `governor` and `alerts`: drift tests, retraining decisions, alerts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.core.params.base import (
    Between,
    NotNegative,
    Positive,
    Rate,
    Settings,
    Share,
)

Hour = Annotated[int, Field(ge=0, le=23)]


class Monitor(Settings):
    """`monitor`: windows of predictions."""

    min_rows: Positive = Field(
        100, description='predictions of a window; with fewer the verdict is "cannot say"'
    )
    max_rows: Positive = Field(5000, description="predictions read of one window, evenly spread")
    false_alarm_rate: Between = Field(
        0.01,
        description="probability of an alarm in a window without drift, over all signals together",
    )
    false_alarms_a_day: Rate = Field(
        0.1,
        description="expected false alarms within 24 hours, at any number of windows. A window "
        "may use a tenth of the rest, and at most false_alarm_rate; with hourly "
        "windows that is about 0.3 %",
    )
    max_bad_share: Share = Field(
        0.1,
        description="share of texts that are damaged, in another language, too short or too long "
        "(limits of validate); above it the window calls a person and is not learned "
        "from",
    )
    max_lost_share: Share = Field(
        0.1,
        description="share of predictions without a text, because the scrubber failed; above it "
        'the verdict is "cannot say"',
    )
    max_source_share: Share = Field(
        0.9,
        description="share of a window's predictions from one source; above it the source is a "
        "flood, unless its usual share is as high",
    )
    max_text_share: Share = Field(
        0.9,
        description="share of predictions with the same text; above it the window's data are bad;"
        " a regular probe stays below it",
    )
    accuracy_hours: Rate = Field(
        24, description="hours of one point in the series of measured accuracy"
    )
    accuracy_days: Positive = Field(
        30, description="days of labelled predictions that the measured accuracy covers"
    )
    confidence: Between = Field(0.95, description="confidence level of the intervals")
    resamples: Positive = Field(
        100, description="bootstrap samples of the estimated accuracy; 100 take about 3 seconds"
    )
    decay_delta: Between = Field(
        0.002,
        description="probability of a false alarm of ADWIN, which tests if the measured accuracy "
        "falls",
    )
    seed: int = Field(29, description="seed of permutations and the bootstrap")
    queue_candidates: Positive = Field(
        5000, description="newest predictions that the label queue chooses from"
    )
    keep_pages: Positive = Field(
        100, description="newest monitoring pages that stay, 0.5 MB each; their JSON stays longer"
    )
    sources: Positive = Field(
        10,
        description="largest sources of a window that are also tested separately, if they have "
        "min_rows",
    )


class Governor(Settings):
    """`governor`: conditions of a retraining request; docs/deciding.md."""

    drifted_windows: Positive = Field(
        3,
        description="windows with drift among the last_windows, from which drift is a reason to "
        "retrain. With hourly windows each raises 0.3 % false alarms; 3 of 24 happen "
        "by chance once in 16 years, if windows are independent",
    )
    last_windows: Positive = Field(
        24, description="newest windows of the champion that are counted"
    )
    max_accuracy_drop: Annotated[float, Field(gt=0, le=1)] = Field(
        0.05,
        description="loss of accuracy against the test side, measured or estimated; above it the "
        "window counts as drift",
    )
    harmless_drop: Annotated[float, Field(ge=0, le=1)] = Field(
        0.03,
        description="loss of accuracy. Drift is ignored while the upper bound of the estimated "
        "loss is below this and the estimate is reliable; 0: any drift counts",
    )
    min_new_labels: Annotated[int, Field(ge=0)] = Field(
        50,
        description="labels since the champion's snapshot; with fewer, a retraining has nothing "
        "new to learn",
    )
    cooldown_hours: NotNegative = Field(
        6, description="hours after a retraining request without another one"
    )
    per_day: Positive = Field(
        2, description="retrainings within 24 hours, without those that a person requests"
    )
    per_month: Positive = Field(10, description="retrainings within 30 days")
    quiet_hours: list[Hour] = Field(
        [], description="hours of the day, UTC, in which drift starts no retraining, such as [8, 9]"
    )
    max_age_days: Rate | None = Field(
        None,
        description="days; a champion of this age is retrained if there are enough new labels; "
        "null: never",
    )
    blind_hours: Rate = Field(
        24, description='hours in which each window is "cannot say", before an alert'
    )
    failures: Positive = Field(
        3,
        description="failed retrainings in a row that open the circuit breaker; then no "
        "retraining starts",
    )
    circuit_hours: Rate = Field(
        24,
        description="hours until an open circuit breaker allows another attempt; `newsloop "
        "decisions --close-circuit` closes it sooner",
    )
    reconcile_minutes: NotNegative = Field(
        5, description="minutes after which a retraining request that no run claimed is sent again"
    )
    compare_windows: Positive = Field(
        3,
        description="windows after a release in which the new model is compared with the previous"
        " one",
    )

    @model_validator(mode="after")
    def possible(self) -> Governor:
        if self.drifted_windows > self.last_windows:
            raise ValueError(
                "drifted_windows must not be more than last_windows, got "
                f"{self.drifted_windows} and {self.last_windows}"
            )
        return self


class Alerts(Settings):
    """`alerts`: .newsloop/alerts.yaml or NEWSLOOP_ALERTS holds the channels."""

    repeat_hours: Rate = Field(24, description="hours in which the same alert is sent only once")
    timeout_seconds: Rate = Field(
        10, description="seconds for all channels together; then the run goes on without them"
    )
    min_free_disk: Share = Field(
        0.1, description="free share of the disk, 0 to 1; below it an alert is sent"
    )
