"""Sections `gate` and `release`: conditions of a release, and the remote of its tag."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.core.params.base import (
    Positive,
    Rate,
    Settings,
    Share,
)


class Gate(Settings):
    """`gate`: docs/release.md explains the rule."""

    baselines: bool = Field(
        True,
        description="true: where no champion can be compared, the candidate must be proven better "
        "than the majority class, and must not be worse than TF-IDF + LinearSVC by more than "
        "`margin`; false: only the other checks count",
    )
    min_accuracy: Share | None = Field(
        None, description="floor of the accuracy on the test side; null: none"
    )
    min_macro_f1: Share | None = Field(
        None, description="floor of macro F1 on the test side; null: none"
    )
    min_class_recall: Share | None = Field(
        None, description="floor of the recall of each class on the test side; null: none"
    )
    max_calibration_error: Share | None = Field(
        0.1,
        description="expected calibration error: mean distance between confidence and accuracy; a "
        "small test side may exceed it as far as a perfectly calibrated model would in 1 of 20 "
        "cases; null: no limit",
    )
    min_behaviour: Share | None = Field(
        None,
        description="share of behaviour tests that pass, such as 0.9; checked if evaluate ran any; "
        "null: no floor",
    )
    max_leaks: Annotated[int, Field(ge=0)] = Field(
        0, description="documents of the training data in which personal data remains"
    )
    max_bundle_mib: Rate = Field(
        400, description="MiB of the bundle; `pretrained` has 100, `textcnn` 14"
    )
    rule: Literal["better", "not_worse"] = Field(
        "better",
        description="comparison with the champion on the same texts. better: the candidate must "
        "be proven better, on the test side or on the newest labels from people. "
        "not_worse: the candidate must be proven less than `margin` worse",
    )
    margin: Share = Field(
        0.02,
        description="largest loss of accuracy and macro F1 that still counts as not worse, against "
        "the champion and against the linear baseline",
    )
    level: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.95, description="confidence level of each proof"
    )
    slice_documents: Positive = Field(
        30, description="documents; a smaller slice of the test side is not compared"
    )
    resamples: Positive = Field(4000, description="bootstrap samples for the confidence bounds")
    seed: int = Field(13, description="seed of the bootstrap")
    rehearse: bool = Field(
        True,
        description="true: before the decision, the real service loads the candidate in a "
        "separate process; false: for a training machine that cannot run the service",
    )
    rehearsal_texts: Annotated[int, Field(ge=2)] = Field(
        100, description="test texts that the rehearsal sends, one per request"
    )
    rehearsal_seconds: Rate = Field(
        90, description="seconds until the service is ready; about 10 on two idle cores"
    )
    max_latency_ms: Rate = Field(
        250, description="milliseconds of a request with one text, 95th percentile"
    )
    max_memory_mib: Rate = Field(3072, description="MiB of resident memory of the service process")
    limits: dict[str, float] = Field(
        default_factory=dict,
        description="limit by name of a check, for checks without a key of their own; "
        "components/gate/checks.py registers them by `check`",
    )


class Release(Settings):
    """`release`."""

    git_remote: str | None = Field(
        None,
        description="git remote, such as origin, to which version tags are pushed; needed if "
        "several machines release one project; null: tags stay in this repository",
    )
    remote_minutes: Rate = Field(
        60,
        description="of one `dvc push` or `dvc pull`; what arrived by then stays, and the next run "
        "goes on with the rest",
    )
