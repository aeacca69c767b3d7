"""Versions, the champion and retired versions, in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from components.core.errors import LedgerError
from components.core.ledger.database import LedgerDatabase
from components.core.ledger.tables import DEPLOYMENTS, RETIRED, VERSIONS


@dataclass(frozen=True)
class Champion:
    """The version that serves.

    Attributes:
        time, reason: of its deployment.
        seq: of its deployment, which tells two deployments of one version apart.
        returns_to: of a rollback, the restored deployment; None: a step forward.
    """

    version: int
    bundle: str
    tag: str
    commit: str
    time: datetime
    reason: str
    metrics: dict[str, Any]
    decision: dict[str, Any]
    snapshot: str
    dvc_lock: str
    seq: int = 0
    returns_to: int | None = None


class VersionRecords(LedgerDatabase):
    """Queries and records of versions and deployments."""

    def champion(self) -> Champion | None:
        """Returns the version that serves; None before the first release."""
        history = self.deployments(limit=1)
        return history[0] if history else None

    def need_champion(self, purpose: str) -> Champion:
        """Returns the version that serves.

        Args:
            purpose: completes "Expected a champion".

        Raises:
            LedgerError: none was released yet.
        """
        champion = self.champion()
        if champion is None:
            raise LedgerError(
                f"Expected a champion {purpose} in the ledger {self.name}, none was released yet. "
                "Run `newsloop run` first."
            )
        return champion

    def deployments(self, limit: int | None = None) -> list[Champion]:
        """Lists the deployments, the newest first."""
        statement = (
            sa.select(
                *[column for column in VERSIONS.c if column.name != "time"],
                DEPLOYMENTS.c.time,
                DEPLOYMENTS.c.reason,
                DEPLOYMENTS.c.seq,
                DEPLOYMENTS.c.returns_to,
            )
            .join_from(DEPLOYMENTS, VERSIONS, DEPLOYMENTS.c.version == VERSIONS.c.version)
            .order_by(DEPLOYMENTS.c.seq.desc())
            .limit(limit)
        )
        return [Champion(**row) for row in self.query(statement)]

    def versions(self) -> list[dict[str, Any]]:
        """Lists the released versions, the newest first."""
        return self.query(sa.select(VERSIONS).order_by(VERSIONS.c.version.desc()))

    def add_version(self, row: dict[str, Any], reason: str) -> None:
        """Registers a version and makes it the champion, both or neither."""
        with self.transaction() as connection:
            connection.execute(sa.insert(VERSIONS), [row])
            connection.execute(
                sa.insert(DEPLOYMENTS),
                [{"version": row["version"], "time": row["time"], "reason": reason}],
            )

    def deploy(self, version: int, time: datetime, reason: str) -> None:
        """Makes an earlier version the champion."""
        self.insert(DEPLOYMENTS, [{"version": version, "time": time, "reason": reason}])

    def retire(
        self, version: int, bundle: str, time: datetime, reason: str, erasure: str | None = None
    ) -> bool:
        """Marks a version that must not serve again. True the first time, False after that."""
        if version in self.retired():
            return False
        row = {"version": version, "bundle": bundle, "time": time, "reason": reason}
        self.insert(RETIRED, [{**row, "erasure": erasure}])
        return True

    def retired(self) -> dict[int, dict[str, Any]]:
        """Maps each retired version to its row, with the id of the `erasure` that retired it."""
        return {row["version"]: row for row in self.query(sa.select(RETIRED))}
