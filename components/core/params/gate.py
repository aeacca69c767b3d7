"""Sections `gate` and `release`: which candidate may serve, and where its tag goes."""

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
    """`gate`: docs/release.md has the rule in words."""

    min_accuracy: Share = Field(0.95, description="on the test side")
    min_macro_f1: Share = Field(0.94, description="on the test side")
    min_class_recall: Share = Field(0.85, description="of each class, on the test side")
    max_calibration_error: Share = Field(
        0.05, description="mean distance of the confidence from the share that is right"
    )
    min_behaviour: Share = Field(
        0.9, description="share of behaviour tests passed, where evaluate ran some"
    )
    max_leaks: Annotated[int, Field(ge=0)] = Field(
        0, description="documents with personal data that are learned from all the same"
    )
    max_bundle_mib: Rate = Field(
        400, description="MiB; a bundle of `pretrained` has 100, one of `textcnn` 14"
    )
    rule: Literal["better", "not_worse"] = Field(
        "better",
        description="against the champion on the same texts; better: released only if it is "
        "proven better, on the test side or on the newest labels from people; not_worse: proven "
        "not worse is enough, a worse model may then pass if it is worse by less than the margin",
    )
    margin: Share = Field(
        0.02, description="of accuracy and macro F1 that a candidate may seem worse by"
    )
    level: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.95, description="confidence of each proof"
    )
    slice_documents: Positive = Field(
        30, description="documents; a smaller part of the test side is not judged by itself"
    )
    resamples: Positive = Field(4000, description="bootstrap samples, for the bounds")
    seed: int = Field(13, description="of the bootstrap")
    rehearse: bool = Field(
        True,
        description="before the decision the real service loads the candidate in a process of its "
        "own; false where the machine that learns cannot run the service",
    )
    rehearsal_texts: Annotated[int, Field(ge=2)] = Field(
        100, description="test texts that are sent one by one"
    )
    rehearsal_seconds: Rate = Field(
        90, description="until the service answers; it takes 10 on two idle cores"
    )
    max_latency_ms: Rate = Field(250, description="milliseconds of one text, 95th percentile")
    max_memory_mib: Rate = Field(3072, description="MiB resident, of the process that answers")
    limits: dict[str, float] = Field(
        default_factory=dict,
        description="name of a check -> its limit, for checks without a key of their own: those "
        "that components/gate/checks.py registers by `check`",
    )


class Release(Settings):
    """`release`."""

    git_remote: str | None = Field(
        None,
        description="git remote that the tag of a version is pushed to, such as origin, for "
        "several machines that release the same project; null: it stays in this repository",
    )
    remote_minutes: Rate = Field(
        60,
        description="of one `dvc push` or `dvc pull`; what arrived by then stays, and the next run "
        "goes on with the rest",
    )
