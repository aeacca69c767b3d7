"""Alerts: records them in the ledger and sends them through Apprise.

The addresses hold passwords, so they are secrets: a list in .newsloop/alerts.yaml that only its
owner may read, or NEWSLOOP_ALERTS, separated by blanks. Every alert is in the ledger, with or
without a channel. An alert that could not be sent is sent with the next one. A message holds
newsloop's words and numbers only, no text of users.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from components.core import tables
from components.core.errors import UsageError
from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import AlertDelivery, GovernorVerdict
from components.core.params import Alerts, Params
from components.core.paths import Paths
from monitoring.governor import Asker, GovernorRule, History, circuit_open
from monitoring.monitor import Outcome

CHANNELS = "NEWSLOOP_ALERTS"  # the environment variable
FILE = "alerts.yaml"
Send = Callable[[Sequence[str], str, str], bool]


class AlertKind(StrEnum):
    """Kinds of alerts, as the ledger stores them and a message's first line names them."""

    DRIFT = "drift"
    BAD_DATA = "bad data"
    CANNOT_SAY = "cannot say"
    WORSE_MODEL = "worse model"
    MONITORING_FAILED = "monitoring failed"
    RETRAINING_FAILED = "retraining failed"
    GATE_REFUSED = "gate refused"
    REHEARSAL_UNDECIDED = "rehearsal undecided"
    DEAD_RUN = "dead run"
    CIRCUIT_OPEN = "circuit open"
    ROLLBACK = "rollback"
    LEDGER_AWAY = "ledger away"
    DISK = "disk"
    TEST = "test"


@dataclass(frozen=True)
class Alert:
    """Event that people should know.

    Attributes:
        kind: what happened.
        text: a sentence or two, without anything that users wrote.
        key: subject of the alert: equal kind and key are sent once in `alerts.repeat_hours`.
    """

    kind: AlertKind
    text: str
    key: str = ""


def channels(paths: Paths) -> list[str]:
    """Reads the Apprise addresses; none without a file or variable.

    Raises:
        UsageError: others may read the file, or it is no list of addresses.
    """
    if asked := os.environ.get(CHANNELS):
        return asked.split()
    path = paths.home / FILE
    if not path.exists():
        return []
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"Expected {path} to be readable by its owner only, others may read it and its "
            f"addresses hold passwords. Run `chmod 600 {path}`."
        )
    try:
        addresses = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        addresses = None
    if not (isinstance(addresses, list) and all(isinstance(address, str) for address in addresses)):
        raise UsageError(
            f"Expected {path} to be a YAML list of addresses such as - mailto://..., it is not. "
            "docs/deciding.md shows one."
        )
    return addresses


def tell(
    alerts: Sequence[Alert],
    ledger: Ledger,
    where: Sequence[str],
    settings: Alerts,
    now: datetime,
    send: Send | None = None,
) -> list[Alert]:
    """Records alerts in the ledger and sends them in one message with the unsent ones.

    Args:
        alerts: new ones; repetitions within `repeat_hours` are left out.
        ledger: open.
        where: Apprise addresses; with none, the alerts are in the ledger only.
        settings: `repeat_hours`, `timeout_seconds`.
        now: UTC.
        send: (addresses, title, body) -> True if all channels accepted it; default: Apprise. An
            exception or a timeout counts as False.

    Returns:
        The alerts that are new.
    """
    since = now - timedelta(hours=settings.repeat_hours)
    recent = ledger_decisions.alerts(ledger, since)
    known = {(row["kind"], row["key"]) for row in recent}
    fresh = list({(alert.kind, alert.key): alert for alert in alerts}.items())
    new = [alert for pair, alert in fresh if pair not in known]
    for alert in new:
        ledger_decisions.add_alert(ledger, alert.kind, alert.key, alert.text, now)
    waiting = ledger_decisions.untold(ledger)
    if not waiting:
        return new
    seqs = [row["seq"] for row in waiting]
    if not where:
        ledger_decisions.mark_alerts(ledger, seqs, AlertDelivery.NO_CHANNEL)
        return new
    title = f"newsloop: {', '.join(dict.fromkeys(row['kind'] for row in waiting))}"
    body = "\n\n".join(_paragraph(row, now) for row in waiting)
    if _within(settings.timeout_seconds, send or _apprise, where, title, body):
        ledger_decisions.mark_alerts(ledger, seqs, AlertDelivery.TOLD)
    return new


def tell_once(
    alert: Alert, memory: Path, where: Sequence[str], settings: Alerts, now: datetime,
    send: Send | None = None,
) -> bool:  # fmt: skip
    """Sends an alert without the ledger, once in `repeat_hours`.

    Args:
        alert: to be sent.
        memory: file with the time of the last one.
        where, settings, now, send: as for `tell`.

    Returns:
        True if it was sent.
    """
    if memory.exists():
        last = datetime.fromisoformat(tables.read_json(memory)["time"])
        if now - last < timedelta(hours=settings.repeat_hours):
            return False
    title = f"newsloop: {alert.kind}"
    if not where or not _within(
        settings.timeout_seconds, send or _apprise, where, title, f"{alert.kind}: {alert.text}"
    ):
        return False
    tables.write_json({"time": now.isoformat()}, memory)
    return True


def _paragraph(row: dict[str, Any], now: datetime) -> str:
    """Formats an alert for a message, with its time if the alert is late."""
    late = "" if row["time"] >= now else f", {row['time']:%Y-%m-%d %H:%M} UTC"
    return f"{row['kind']}{late}: {row['text']}"


def _within(seconds: float, send: Send, where: Sequence[str], title: str, body: str) -> bool:
    """Sends in a daemon thread, which is abandoned on a timeout; returns True on success."""
    taken: list[bool] = []

    def work() -> None:
        try:
            taken.append(send(where, title, body))
        except Exception:  # noqa: BLE001 - a channel's plug-in may raise anything
            taken.append(False)

    thread = threading.Thread(target=work, daemon=True, name="alerts")
    thread.start()
    thread.join(seconds)
    return taken == [True]


def _apprise(where: Sequence[str], title: str, body: str) -> bool:
    import apprise

    box = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True, async_mode=False))
    known = [box.add(address) for address in where]
    return bool(box.notify(title=title, body=body)) and all(known)


# Sources of alerts


def of_outcome(outcome: Outcome) -> list[Alert]:
    """Builds the alert of a run, without the verdict's reasons, which may quote texts."""
    decision, tag = outcome.decision, outcome.tag
    if decision.verdict == GovernorVerdict.RETRAIN:
        text = (
            f"{tag}: its inputs have drifted, and a retraining is requested. {decision.reasons[-1]}"
        )
        return [Alert(AlertKind.DRIFT, text, f"{tag} retrain")]
    if (
        decision.verdict != GovernorVerdict.ALERT or decision.rule == GovernorRule.CIRCUIT
    ):  # see of_circuit
        return []
    finding = outcome.drift.verdict.finding
    kinds: dict[GovernorRule | Asker, AlertKind] = {
        GovernorRule.BAD_DATA: AlertKind.BAD_DATA,
        GovernorRule.CANNOT_SAY: AlertKind.CANNOT_SAY,
    }
    kind = kinds.get(decision.rule, AlertKind.DRIFT)
    text = f"{tag}: {finding} in {outcome.window.rows} predictions. {decision.reasons[-1]}"
    return [Alert(kind, text, f"{tag} {decision.rule}")]


def of_circuit(history: History, params: Params, now: datetime) -> list[Alert]:
    """Builds an alert while the circuit is open."""
    if not circuit_open(history, params.governor, now):
        return []
    text = (
        f"{len(history.failures)} retrainings failed in a row; none is tried for "
        f"{params.governor.circuit_hours:g} hours. The champion serves on. See `newsloop decisions`"
        " and Prefect; `newsloop decisions --close-circuit` closes it."
    )
    return [Alert(AlertKind.CIRCUIT_OPEN, text, history.failures[-1].isoformat())]


def of_setbacks(ledger: Ledger, settings: Alerts, now: datetime) -> list[Alert]:
    """Builds an alert for each recent rollback, manual or automatic."""
    since = now - timedelta(hours=settings.repeat_hours)
    return [
        Alert(
            AlertKind.ROLLBACK,
            f"{row['tag']} serves again instead of {row['before']}.",
            f"{row['seq']}",
        )
        for row in ledger_decisions.setbacks(ledger, since)
    ]


def of_disk(paths: Paths, settings: Alerts) -> list[Alert]:
    """Builds an alert if the disk with the state is nearly full."""
    usage = shutil.disk_usage(paths.home)
    free = usage.free / usage.total
    if free >= settings.min_free_disk:
        return []
    text = (
        f"{usage.free / 2**30:.1f} GiB are free where newsloop keeps its state, {free:.1%} of the "
        f"disk; less than {settings.min_free_disk:.0%} is told. `newsloop retain` removes what is "
        "old."
    )
    return [Alert(AlertKind.DISK, text)]
