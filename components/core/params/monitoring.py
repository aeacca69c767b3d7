"""Sections `monitor`, `governor` and `alerts`: what is watched, and what follows from it."""

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
    max_rows: Positive = Field(
        5000, description="predictions that are read of one window, evenly spread"
    )
    false_alarm_rate: Between = Field(
        0.01, description="of a window without drift, over all signals together"
    )
    false_alarms_a_day: Rate = Field(
        0.1,
        description="on average within 24 hours, however often one looks; each window may take a "
        "tenth of what is left, and false_alarm_rate at most: with one look an hour some 0.3 % a "
        "window",
    )
    max_bad_share: Share = Field(
        0.1,
        description="share of damaged, foreign, too short or too long texts (see validate) from "
        "which the data of a window are bad: it calls a person and is not learned from",
    )
    max_lost_share: Share = Field(
        0.1,
        description="share of predictions whose text is missing because the scrubber failed on "
        'it, from which the verdict is "cannot say"',
    )
    max_source_share: Share = Field(
        0.9, description="share from one source that had less before, from which it is a flood"
    )
    max_text_share: Share = Field(
        0.9,
        description="share of one and the same text, from which the data are bad; a probe that "
        "asks all day is no flood",
    )
    accuracy_hours: Rate = Field(
        24, description="hours of a window of time whose labelled answers are counted"
    )
    accuracy_days: Positive = Field(30, description="days that are looked back")
    confidence: Between = Field(0.95, description="of the intervals")
    resamples: Positive = Field(
        100, description="bootstrap samples of the estimated accuracy; about 3 seconds"
    )
    decay_delta: Between = Field(
        0.002, description="chance of a false finding that answers got worse (ADWIN)"
    )
    seed: int = Field(29, description="of permutations and the bootstrap")
    queue_candidates: Positive = Field(
        5000, description="newest answers among which the label queue chooses"
    )
    keep_pages: Positive = Field(
        100, description="newest pages that are kept, 0.5 MB each; their JSON stays"
    )
    sources: Positive = Field(
        10, description="largest sources of a window that are judged by themselves, too"
    )


class Governor(Settings):
    """`governor`: when a retraining is asked for; docs/deciding.md."""

    drifted_windows: Positive = Field(
        3,
        description="of the champion's newest windows that must drift before the world has moved; "
        "a step shows in each window, a slow slide only when monitoring looks back, a few times a "
        "day; looking hourly a window raises 0.3 % false alarms: 3 of 24 happen by chance once in "
        "16 years, if they are independent",
    )
    last_windows: Positive = Field(24, description="newest windows that are counted")
    max_accuracy_drop: Annotated[float, Field(gt=0, le=1)] = Field(
        0.05, description="below the test accuracy; more, measured or estimated, counts as drift"
    )
    harmless_drop: Annotated[float, Field(ge=0, le=1)] = Field(
        0.03,
        description="drift is let be while the accuracy expected of such texts is to be trusted "
        "and its whole interval is less than this below that of the texts held back; 0: any "
        "drift counts",
    )
    min_new_labels: Annotated[int, Field(ge=0)] = Field(
        50,
        description="labels since the champion's snapshot; without labels nothing new can be "
        "learned",
    )
    cooldown_hours: NotNegative = Field(6, description="after a retraining was asked for")
    per_day: Positive = Field(2, description="retrainings in 24 hours, a person's own not counted")
    per_month: Positive = Field(10, description="retrainings in 30 days")
    quiet_hours: list[Hour] = Field(
        [], description="hours of the day, UTC, in which drift starts no retraining: [8, 9]"
    )
    max_age_days: Rate | None = Field(
        None,
        description="days; age of the champion from which new labels alone are a reason; null: "
        "never",
    )
    blind_hours: Rate = Field(
        24, description="without a window that could be judged, before people are told"
    )
    failures: Positive = Field(
        3,
        description="failed retrainings in a row that open the circuit: no more are tried",
    )
    circuit_hours: Rate = Field(
        24,
        description="until one may be tried again; `newsloop decisions --close-circuit` ends it "
        "sooner",
    )
    reconcile_minutes: NotNegative = Field(
        5, description="after which a retraining that no run took up is asked for again"
    )
    compare_windows: Positive = Field(
        3, description="after a release, in which it is compared with the model before"
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
    """`alerts`: where they go stands in .newsloop/alerts.yaml or NEWSLOOP_ALERTS."""

    repeat_hours: Rate = Field(24, description="in which the same alert is sent once")
    timeout_seconds: Rate = Field(
        10, description="for all channels together; a run waits no longer for them"
    )
    min_free_disk: Share = Field(0.1, description="share of the disk; less is an alert")
