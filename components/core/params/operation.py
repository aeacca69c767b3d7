"""Sections `privacy` and `flow`: retention periods, and schedules of the flows."""

from __future__ import annotations

from pydantic import Field, model_validator

from components.core.params.base import Port, Positive, Settings


class Privacy(Settings):
    """`privacy`: retention periods in days; `newsloop retain` removes older data."""

    text_days: Positive = Field(
        30, description="days of scrubbed texts of predictions without a label from a person"
    )
    labelled_text_days: Positive = Field(
        365, description="days of scrubbed texts with a label from a person; they are training data"
    )
    ledger_days: Positive = Field(
        730,
        description="days of predictions, labels, windows, decisions, runs and alerts in the "
        "ledger",
    )
    quarantine_days: Positive = Field(
        30, description="days of quarantine tables, in data/, the DVC cache and the remotes"
    )
    log_days: Positive = Field(
        30, description="days of the logs of newsloop's processes, and of Prefect's records of runs"
    )
    page_days: Positive = Field(
        30, description="days of monitoring pages, which contain example texts, and of their JSON"
    )
    retention_cron: str = Field(
        "30 2 * * *", description="schedule of the retention flow, UTC: daily at 02:30"
    )

    @model_validator(mode="after")
    def ordered(self) -> Privacy:
        if not self.text_days <= self.labelled_text_days <= self.ledger_days:
            raise ValueError(
                "text_days must not be more than labelled_text_days, nor that more than "
                f"ledger_days, got {self.text_days}, {self.labelled_text_days}, {self.ledger_days}"
            )
        if self.page_days > self.text_days:
            raise ValueError(
                "page_days must not be more than text_days, because pages show examples of texts, "
                f"got {self.page_days} and {self.text_days}"
            )
        return self


class Flow(Settings):
    """`flow`: the local Prefect server, and the schedules of its deployments."""

    server_port: Port = Field(4200, description="TCP port of the local Prefect server")
    learning_cron: str = Field(
        "0 3 * * 1", description="schedule of the learning flow, UTC: Mondays at 03:00"
    )
    monitoring_cron: str = Field(
        "0 * * * *", description="schedule of the monitoring flow, UTC: hourly"
    )
