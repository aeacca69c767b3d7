"""Deployment history, rollback, and the version behind a prediction.

Deployments are a stack to which rows are only added. A release or a promotion adds a row. A
rollback adds a row that names, by `returns_to`, the earlier deployment that it restores. The next
rollback starts below that deployment. So rollbacks never run in a circle, and never restore a
version that a rollback has left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from components.core.errors import ChampionChanged, NoWayBack, UsageError
from components.core.ledger import Champion, Ledger, version_names
from components.core.ledger.tables import DEPLOYMENTS, PREDICTIONS, RETIRED, VERSIONS

_HISTORY = (
    sa.select(DEPLOYMENTS, VERSIONS.c.tag, VERSIONS.c.bundle)
    .join_from(DEPLOYMENTS, VERSIONS, DEPLOYMENTS.c.version == VERSIONS.c.version)
    .order_by(DEPLOYMENTS.c.seq)
)


def history(ledger: Ledger) -> list[dict[str, Any]]:
    """Lists all deployments, oldest first: seq, version, time, reason, returns_to, tag, bundle."""
    return ledger.query(_HISTORY)


def at(ledger: Ledger, time: datetime) -> dict[str, Any] | None:
    """Returns the deployment that served at `time` (aware), as `history`; None before the first."""
    return next((row for row in reversed(history(ledger)) if row["time"] <= time), None)


def served(rows: list[dict[str, Any]], version: int) -> list[dict[str, Any]]:
    """Lists the periods of a version: `from`, `until` (None: still), `reason`; the oldest first.

    Args:
        rows: as `history` gives them.
    """
    ends = [row["time"] for row in rows[1:]] + [None]
    return [
        {"from": row["time"], "until": end, "reason": row["reason"]}
        for row, end in zip(rows, ends, strict=True)
        if row["version"] == version
    ]


def earlier(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lists the deployments that rollbacks from the last one restore, the nearest first.

    Args:
        rows: as `history` gives them; not empty.
    """
    by_seq = {row["seq"]: row for row in rows}
    stands = {row["seq"]: row["returns_to"] or row["seq"] for row in rows}
    before = dict(zip(list(stands)[1:], stands.values(), strict=False))
    deployments = []
    seq: int | None = stands[rows[-1]["seq"]]
    while seq := before.get(seq):  # what stood when that one was laid
        deployments.append(by_seq[seq])
    return deployments


def roll_back(
    ledger: Ledger, champion: Champion, now: datetime, reason: str, version: int | None = None
) -> dict[str, Any]:
    """Restores the version that served before `champion`, in one row.

    Args:
        champion: the version that the caller decided to leave.
        now: UTC.
        reason: for people.
        version: restore the last deployment of this version; None: one step.

    Returns:
        The restored deployment, as `history`.

    Raises:
        NoWayBack: no earlier version may serve.
        ChampionChanged: `champion` is no longer the champion.
    """
    with ledger.sole_writer(DEPLOYMENTS) as connection:
        rows = [dict(row) for row in connection.execute(_HISTORY).mappings()]
        if rows[-1]["seq"] != champion.seq:
            raise ChampionChanged(
                "Expected to be the only one who changes the champion, somebody else did so "
                "first. Look at it with `newsloop models`, then roll back again if it is needed."
            )
        retired = connection.execute(sa.select(RETIRED.c.version)).scalars()
        target = _way_back(rows, set(retired), version)
        row = {"version": target["version"], "time": now, "reason": reason}
        connection.execute(sa.insert(DEPLOYMENTS), [{**row, "returns_to": target["seq"]}])
    return target


def way_back(ledger: Ledger, version: int | None = None) -> tuple[Champion, dict[str, Any]]:
    """Finds the champion, and the deployment that `roll_back` would restore.

    Raises:
        NoWayBack: there is none.
    """
    champion = ledger.champion()
    if champion is None:
        raise NoWayBack(
            "Expected a champion to go back from, none was released yet. Run `newsloop run` first."
        )
    return champion, _way_back(history(ledger), set(ledger.retired()), version)


def _way_back(rows: list[dict[str, Any]], retired: set[int], version: int | None) -> dict[str, Any]:
    gone = {rows[-1]["version"], *retired}
    choices = [row for row in earlier(rows) if row["version"] not in gone]
    fitting = [row for row in choices if version in (None, row["version"])]
    if not fitting:
        expected = "a version" if version is None else f"v{version}"
        known = version_names.listed(dict.fromkeys(row["version"] for row in choices))
        raise NoWayBack(
            f"Expected {expected} before {rows[-1]['tag']} to go back to, there is "
            f"{'only ' + known if choices else 'none'}. `newsloop models` lists what was "
            "released; `newsloop promote` makes any of them the champion."
        )
    return fitting[0]


def prediction(ledger: Ledger, prediction_id: str) -> dict[str, Any] | None:
    """Returns a prediction of the service by its id, without its text; None if there is none."""
    rows = ledger.query(sa.select(PREDICTIONS).where(PREDICTIONS.c.id == prediction_id))
    return rows[0] if rows else None


def released(ledger: Ledger, name: str) -> dict[str, Any]:
    """Returns the row of the released version that a person names, such as v3.

    Raises:
        UsageError: there is none.
    """
    rows = {row["version"]: row for row in ledger.versions()}
    row = rows.get(version_names.number(name))
    if row is None:
        raise UsageError(
            f"Expected one of the released versions ({version_names.listed(sorted(rows))}), got "
            f"{name}. `newsloop models` lists them."
        )
    return row


def version_of(ledger: Ledger, bundle: str) -> dict[str, Any] | None:
    """Returns the version that released this bundle; None if none did."""
    rows = ledger.query(sa.select(VERSIONS).where(VERSIONS.c.bundle == bundle))
    return rows[0] if rows else None
