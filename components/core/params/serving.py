"""Section `serve`: the service, and a version's trial beside the champion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.params.base import (
    Between,
    NotNegative,
    Port,
    Positive,
    Rate,
    Settings,
    Share,
)


class Challenger(Settings):
    """`serve.challenger`: a new version beside the champion, and a new champion's first time."""

    shadow_seconds: Rate = Field(3600, description="a shadow is compared at least this long")
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] = Field(
        [0.05, 0.25, 0.5], description="of the requests that a canary answers, step by step"
    )
    step_seconds: Rate = Field(1800, description="of each step, at least")
    probation_seconds: NotNegative = Field(
        1800, description="after a release, in which a bad champion goes back by itself; 0: never"
    )
    report_seconds: Annotated[float, Field(gt=0, le=15)] = Field(
        5, description="between two looks at the counters"
    )
    absent_seconds: Annotated[float, Field(gt=0, le=40)] = Field(
        30, description="without any counts, after which the challenger has failed"
    )
    queue_texts: Positive = Field(
        512, description="texts that wait for the shadow; more are left out"
    )
    patience_ms: Rate = Field(
        5000,
        description="milliseconds that a canary's answer may take, then the champion answers",
    )
    slow_ms: Rate = Field(
        10_000,
        description="milliseconds to compute max_batch texts, from which a batch is slow: half of "
        "deadline_seconds",
    )
    max_slow_share: Share = Field(0.05, description="of batches")
    max_error_share: Share = Field(0.01, description="of batches")
    min_failures: Positive = Field(3, description="errors, or slow batches; fewer prove nothing")
    min_texts: Positive = Field(200, description="answers that a step needs")
    max_confidence_drop: Share = Field(
        0.1, description="of the mean confidence, below the champion's"
    )
    max_disagreement: Share = Field(
        0.2, description="share of texts with another label than the champion's"
    )
    min_labels: Positive = Field(
        20, description="texts that people labelled, to compare two models on them"
    )
    level: Between = Field(
        0.01,
        description="probability that a version which is not less accurate goes because of labels, "
        "over its whole time on trial (a sequential test)",
    )

    @model_validator(mode="after")
    def ordered(self) -> Challenger:
        if sorted(set(self.shares)) != self.shares:
            shares = ", ".join(map(str, self.shares))
            raise ValueError(f"shares must grow from step to step, got {shares}")
        return self


class Feedback(Settings):
    """`serve.feedback`: how many labels one caller may send; docs/feedback.md."""

    labels_per_hour: Positive = Field(
        300,
        description="labels of one caller in an hour: as many as a person can read texts for; more "
        "get 429",
    )
    trusted_labels_per_hour: Positive = Field(
        20_000, description="the same of a key with the scope `label`, which a program may use"
    )


class Serve(Settings):
    """`serve`: docs/serving.md."""

    host: str = Field("127.0.0.1", description="address that the service listens on")
    port: Port = Field(3000, description="that the service listens on")
    max_batch: Positive = Field(64, description="texts that are computed together")
    max_wait_ms: NotNegative = Field(
        0,
        description="milliseconds that a text waits for others; while all threads compute, they "
        "come by themselves",
    )
    batches_at_once: Positive = Field(
        2, description="batches that are computed at the same time, one a processor core"
    )
    max_texts: Positive = Field(256, description="texts of one request")
    max_characters: Positive = Field(200_000, description="characters of one text")
    follow_seconds: Rate = Field(
        1, description="between two looks at the ledger for a new champion"
    )
    keep_seconds: NotNegative = Field(
        600, description="that a bundle which served stays in memory, for an instant way back"
    )
    spool_mib: Positive = Field(
        1024, description="MiB of disk, for predictions that wait while the ledger is away"
    )
    explain_seconds: Rate = Field(
        2, description="for one explanation by a bundle that must be asked word by word"
    )
    ask_keys: Literal["remote", "always"] = Field(
        "remote",
        description="who needs an API key (`newsloop api-key add`); remote: all but this machine "
        "itself; always: all, where a proxy on this machine brings requests from elsewhere; "
        "docs/serving.md",
    )  # `keys` would make Prefect take it for a mapping
    key_requests_per_second: Rate = Field(100, description="of one key; more get 429")
    key_burst: Positive = Field(200, description="requests of one key at once, after a pause")
    max_requests: Positive = Field(
        512, description="requests that are answered at once; more get 429"
    )
    max_waiting_texts: Positive = Field(
        4096,
        description="texts that wait for the model: some 7 s of work on two cores; more get 429",
    )
    max_body_bytes: Positive = Field(
        1_048_576,
        description="bytes of one request: 1 MiB, some 400 news articles; more get 413",
    )
    max_body_bytes_held: Positive = Field(
        67_108_864,
        description="bytes of all requests at once: 64 MiB of memory; more get 429",
    )
    max_connections: Positive = Field(4096, description="at once; one more is closed")
    receive_seconds: Rate = Field(
        10, description="for a request to arrive whole; slower clients are cut"
    )
    deadline_seconds: Rate = Field(
        20, description="for an answer, then 504; X-Deadline-Ms may ask for less"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=5)] = Field(
        2, description="at the end: not ready any more, but answering; 5 at most"
    )
    log: Literal["json", "text"] = Field(
        "json", description="of the service: json, a line an event, or text"
    )
    feedback: Feedback = Feedback()
    challenger: Challenger = Challenger()
