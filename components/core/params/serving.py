"""Section `serve`: the service, and the challenger's rollout."""

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
    """`serve.challenger`: shadow and canary of a new version, and a new champion's probation."""

    shadow_seconds: Rate = Field(3600, description="seconds that a shadow is compared, at least")
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] = Field(
        [0.05, 0.25, 0.5],
        description="share of the requests that a canary answers, one value per step",
    )
    step_seconds: Rate = Field(1800, description="seconds of each step, at least")
    probation_seconds: NotNegative = Field(
        1800,
        description="seconds after a release in which a failing champion is rolled back "
        "automatically; 0: never",
    )
    report_seconds: Annotated[float, Field(gt=0, le=15)] = Field(
        5, description="seconds between two readings of the counters"
    )
    absent_seconds: Annotated[float, Field(gt=0, le=40)] = Field(
        30, description="seconds without counts, after which the challenger has failed"
    )
    queue_texts: Positive = Field(
        512, description="texts that wait for the shadow; further texts skip the shadow"
    )
    patience_ms: Rate = Field(
        5000,
        description="milliseconds to wait for a canary's answer; then the champion answers",
    )
    slow_ms: Rate = Field(
        10_000,
        description="milliseconds to compute max_batch texts, from which a batch is slow; half of"
        " deadline_seconds",
    )
    max_slow_share: Share = Field(0.05, description="share of batches that may be slow")
    max_error_share: Share = Field(0.01, description="share of batches that may fail")
    min_failures: Positive = Field(
        3, description="errors, or slow batches; fewer never fail a challenger"
    )
    min_texts: Positive = Field(200, description="answers that each step needs")
    max_confidence_drop: Share = Field(
        0.1, description="loss of mean confidence against the champion"
    )
    max_disagreement: Share = Field(
        0.2, description="share of texts with another label than the champion's"
    )
    min_labels: Positive = Field(
        20, description="texts labelled by people, from which two models are compared on them"
    )
    level: Between = Field(
        0.01,
        description="probability that labels end the trial of a version that is not less accurate, "
        "over the whole trial (a sequential test)",
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
    port: Port = Field(3000, description="TCP port that the service listens on")
    max_batch: Positive = Field(64, description="texts that are computed together")
    max_wait_ms: NotNegative = Field(
        0,
        description="milliseconds that a text waits for others to fill a batch; 0: batches form "
        "while all threads compute",
    )
    batches_at_once: Positive = Field(
        2, description="batches that are computed at the same time; one per processor core"
    )
    max_texts: Positive = Field(256, description="texts of one request")
    max_characters: Positive = Field(200_000, description="characters of one text")
    follow_seconds: Rate = Field(
        1, description="seconds between two reads of the ledger for a new champion"
    )
    keep_seconds: NotNegative = Field(
        600, description="seconds that a replaced bundle stays in memory, for an instant rollback"
    )
    spool_mib: Positive = Field(
        1024, description="MiB on disk for predictions that wait while the ledger is unavailable"
    )
    explain_seconds: Rate = Field(
        2,
        description="seconds for one explanation by perturbation, for a bundle without a direct "
        "explanation",
    )
    ask_keys: Literal["remote", "always"] = Field(
        "remote",
        description="which requests need an API key (`newsloop api-key add`). remote: all but "
        "those from this machine; always: all, for use behind a proxy on this "
        "machine; docs/serving.md",
    )  # `keys` would make Prefect take it for a mapping
    key_requests_per_second: Rate = Field(
        100, description="requests per second of one key; further requests get 429"
    )
    key_burst: Positive = Field(
        200, description="requests of one key at once, after a pause: the size of the token bucket"
    )
    max_requests: Positive = Field(
        512, description="requests in progress; further requests get 429"
    )
    max_waiting_texts: Positive = Field(
        4096,
        description="texts that wait for the model, about 7 s of work on two cores; further "
        "requests get 429",
    )
    max_body_bytes: Positive = Field(
        1_048_576,
        description="bytes of one request: 1 MiB, about 400 news articles; a larger one gets 413",
    )
    max_body_bytes_held: Positive = Field(
        67_108_864,
        description="bytes of all requests in progress: 64 MiB of memory; further requests get 429",
    )
    max_connections: Positive = Field(4096, description="open connections; a further one is closed")
    receive_seconds: Rate = Field(
        10, description="seconds for a whole request to arrive; slower clients are disconnected"
    )
    deadline_seconds: Rate = Field(
        20, description="seconds until a request gets 504; the header X-Deadline-Ms may set less"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=5)] = Field(
        2,
        description="seconds after the stop signal in which /readyz fails and requests are still "
        "answered; 5 at most",
    )
    log: Literal["json", "text"] = Field(
        "json", description="format of the service's log: json (one line per event) or text"
    )
    feedback: Feedback = Feedback()
    challenger: Challenger = Challenger()
