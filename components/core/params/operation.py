"""Sections `privacy` and `flow`: how long things are kept, and when flows run."""

from __future__ import annotations

from pydantic import Field, model_validator

from components.core.params.base import Port, Positive, Settings


class Privacy(Settings):
    """`privacy`: days that things are kept; `newsloop retain` removes what is older."""

    text_days: Positive = Field(
        30, description="days of scrubbed texts of predictions that nobody labelled"
    )
    labelled_text_days: Positive = Field(
        365, description="days of scrubbed texts that people labelled: a source to learn from"
    )
    ledger_days: Positive = Field(
        730, description="days of predictions, labels, windows, decisions, runs and alerts"
    )
    quarantine_days: Positive = Field(
        30, description="days of tables of bad rows, in data/, the cache and the remotes"
    )
    log_days: Positive = Field(
        30, description="days of logs of our processes, and of Prefect's record of runs"
    )
    page_days: Positive = Field(
        30, description="days of monitoring's pages, which show examples, and of their JSON"
    )
    retention_cron: str = Field("30 2 * * *", description="daily 02:30 UTC")

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
    """`flow`: the local Prefect server, and when its deployments run."""

    server_port: Port = Field(4200, description="of the local Prefect server")
    learning_cron: str = Field("0 3 * * 1", description="Mondays 03:00 UTC")
    monitoring_cron: str = Field("0 * * * *", description="hourly")
