"""Alerts: written down, sent as one message to a real webhook, not repeated, never in the way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.core import ledger as ledgers
from components.core import params
from components.core.errors import UsageError
from components.core.ledger import Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.verdicts import WindowFinding
from components.core.params import Alerts, Params
from components.core.paths import Paths
from flows import notify
from monitoring import alerts
from monitoring.alerts import Alert, AlertKind
from monitoring.drift import Drift
from monitoring.governor import GovernorDecision, History, WindowVerdict
from monitoring.monitor import Outcome
from monitoring.window_evaluation import Seen
from monitoring.windows import Window
from tests import tiny

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SETTINGS = Alerts(repeat_hours=24.0, timeout_seconds=5.0, min_free_disk=0.0)
DRIFT, DISK = (
    Alert(AlertKind.DRIFT, "The world has moved.", "v1"),
    Alert(AlertKind.DISK, "It is nearly full."),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(ledgers.url(tmp_path / "ledger.sqlite"))
    yield opened
    opened.close()


class Hook:
    """A webhook on the loopback: what it was sent, and what it answers."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status, self.released = 200, threading.Event()
        self.released.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.released.wait(20)
                hook.messages.append(json.loads(body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing is said."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.released.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def told(ledger: Ledger) -> list[tuple[str, str]]:
    return [(row["kind"], row["told"]) for row in ledger_decisions.alerts(ledger)[::-1]]


def test_alerts_arrive_as_one_message(ledger: Ledger, hook: Hook) -> None:
    new = alerts.tell([DRIFT, DISK, DRIFT], ledger, [hook.url], SETTINGS, NOW)
    assert new == [DRIFT, DISK]
    assert [one["title"] for one in hook.messages] == ["newsloop: drift, disk"]
    assert "drift: The world has moved." in hook.messages[0]["message"]
    assert "disk: It is nearly full." in hook.messages[0]["message"]
    assert told(ledger) == [("drift", "told"), ("disk", "told")]


@pytest.mark.parametrize(("hours", "messages"), [(0, 1), (23.9, 1), (24.1, 2)])
def test_the_same_is_not_repeated_within_hours(
    ledger: Ledger, hook: Hook, hours: float, messages: int
) -> None:
    for later in (0.0, hours):
        alerts.tell([DRIFT], ledger, [hook.url], SETTINGS, NOW + timedelta(hours=later))
    assert len(hook.messages) == messages
    other = Alert(AlertKind.DRIFT, "The world has moved.", "v2")
    alerts.tell([other], ledger, [hook.url], SETTINGS, NOW + timedelta(hours=hours))
    assert len(hook.messages) == messages + 1


@pytest.mark.parametrize("hours", [1, 100])
def test_what_a_channel_refused_is_told_with_the_next(
    ledger: Ledger, hook: Hook, hours: int
) -> None:
    hook.status = 500
    alerts.tell([DRIFT], ledger, [hook.url], SETTINGS, NOW)
    assert told(ledger) == [("drift", "not yet")]
    hook.status = 200
    alerts.tell([], ledger, [hook.url], SETTINGS, NOW + timedelta(hours=hours))
    assert told(ledger) == [("drift", "told")]
    assert [one["title"] for one in hook.messages] == ["newsloop: drift"] * 2
    assert hook.messages[-1]["message"] == "drift, 2026-01-05 12:00 UTC: The world has moved."


def test_a_channel_that_hangs_holds_nothing_up(ledger: Ledger, hook: Hook) -> None:
    hook.released.clear()
    quick = SETTINGS.model_copy(update={"timeout_seconds": 0.2})
    started = time.monotonic()
    alerts.tell([DRIFT], ledger, [hook.url], quick, NOW)
    assert time.monotonic() - started < 3
    assert told(ledger) == [("drift", "not yet")]


def raising(*_: object) -> bool:
    raise RuntimeError("a plug-in's own")


@pytest.mark.parametrize(
    ("where", "send", "expected"),
    [
        ([], None, "no channel"),
        (["nonsense"], None, "not yet"),
        (["json://127.0.0.1:1/nobody"], None, "not yet"),
        (["json://127.0.0.1:1/"], raising, "not yet"),
    ],
)
def test_a_failing_channel_is_no_failing_run(
    ledger: Ledger, where: list[str], send: alerts.Send | None, expected: str
) -> None:
    alerts.tell([DRIFT], ledger, where, SETTINGS, NOW, send)
    assert told(ledger) == [("drift", expected)]


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("- json://x\n- mailto://y\n", 0o600, None),
        ("- json://x\n", 0o640, "chmod 600"),
        ("- json://x\n", 0o604, "chmod 600"),
        ("json://x\n", 0o600, "YAML list"),
        ("- [1]\n", 0o600, "YAML list"),
        ("a: [", 0o600, "YAML list"),
    ],
)
def test_addresses_lie_in_a_file_of_the_owner(
    tmp_path: Path, text: str, mode: int, says: str | None
) -> None:
    paths = Paths(tmp_path, tmp_path)
    assert alerts.channels(paths) == []
    (tmp_path / alerts.FILE).write_text(text)
    (tmp_path / alerts.FILE).chmod(mode)
    if says is None:
        assert alerts.channels(paths) == ["json://x", "mailto://y"]
        return
    with pytest.raises(UsageError, match=says):
        alerts.channels(paths)


@pytest.fixture
def settings() -> Params:
    loaded = params.load(Paths.find().params)
    return loaded.model_copy(update={"alerts": SETTINGS})


def test_flows_tell_in_spite_of_open_addresses(
    tmp_path: Path, ledger: Ledger, settings: Params
) -> None:
    paths = Paths(tmp_path, tmp_path)
    (tmp_path / alerts.FILE).write_text("- json://x\n")
    (tmp_path / alerts.FILE).chmod(0o644)
    notify.tell([DRIFT], settings, paths, ledger, NOW)
    assert told(ledger) == [("drift", "not yet")]


@pytest.mark.parametrize(
    ("finding", "decision", "kinds"),
    [
        ("drift", GovernorDecision("retrain", ["SECRET", "50 labels."], "monitoring"), ["drift"]),
        (
            "drift",
            GovernorDecision("alert", ["SECRET", "Label more."], "too_few_labels"),
            ["drift"],
        ),
        ("bad data", GovernorDecision("alert", ["SECRET", "Look."], "bad_data"), ["bad data"]),
        (
            "cannot say",
            GovernorDecision("alert", ["SECRET", "No pass."], "cannot_say"),
            ["cannot say"],
        ),
        ("cannot say", GovernorDecision("wait", ["SECRET", "No pass."], "cannot_say"), []),
        ("none", GovernorDecision("wait", ["No reason."], "no_reason"), []),
        ("drift", GovernorDecision("alert", ["Failed."], "circuit"), []),  # told by of_circuit
    ],
)
def test_what_was_decided_is_told_without_what_was_found_in_texts(
    finding: WindowFinding, decision: GovernorDecision, kinds: list[str]
) -> None:
    seen = Seen(Drift(WindowVerdict(finding, ("SECRET",))), {})
    outcome = Outcome(
        "1" * 32, decision, seen, Window("b", 0, 100), "complete", [], None, "v1", None
    )
    told = alerts.of_outcome(outcome)
    assert [one.kind for one in told] == kinds
    assert not any("SECRET" in one.text for one in told)
    assert all(decision.reasons[-1] in one.text for one in told)


def test_rollbacks_are_told_whoever_made_them(
    tmp_path: Path, ledger: Ledger, settings: Params
) -> None:
    paths = Paths(tmp_path, tmp_path)
    for name in ("a" * 64, "b" * 64, "a" * 64):
        tiny.deploy(paths, name, NOW)
    notify.tell([], settings, paths, ledger, NOW + timedelta(hours=1))
    notify.tell([], settings, paths, ledger, NOW + timedelta(hours=2))
    rows = ledger_decisions.alerts(ledger)
    assert [(row["kind"], row["text"]) for row in rows] == [
        ("rollback", "newsloop@v1.0.0 serves again instead of newsloop@v2.0.0.")
    ]


def test_the_circuit_is_told_once_though_more_fail(settings: Params) -> None:
    def failed(*hours: float) -> History:
        return History(failures=tuple(NOW - timedelta(hours=one) for one in hours))

    assert alerts.of_circuit(failed(1, 2), settings, NOW) == []
    three = alerts.of_circuit(failed(1, 2, 3), settings, NOW)
    four = alerts.of_circuit(failed(0.5, 1, 2, 3), settings, NOW)
    assert [one.kind for one in three] == ["circuit open"]
    assert three[0].key == four[0].key


@pytest.mark.parametrize(("least", "kinds"), [(0.0, []), (1.0, ["disk"])])
def test_a_full_disk_is_told(tmp_path: Path, least: float, kinds: list[str]) -> None:
    wanted = SETTINGS.model_copy(update={"min_free_disk": least})
    assert [one.kind for one in alerts.of_disk(Paths(tmp_path, tmp_path), wanted)] == kinds


def test_an_alert_without_the_ledger_is_sent_once(tmp_path: Path, hook: Hook) -> None:
    memory, away = (
        tmp_path / "ledger-away.json",
        Alert(AlertKind.LEDGER_AWAY, "It cannot be opened."),
    )
    assert not alerts.tell_once(away, memory, [], SETTINGS, NOW)  # no channel: nothing to remember
    hook.status = 500
    assert not alerts.tell_once(away, memory, [hook.url], SETTINGS, NOW)
    hook.status = 200
    assert alerts.tell_once(away, memory, [hook.url], SETTINGS, NOW)
    assert not alerts.tell_once(away, memory, [hook.url], SETTINGS, NOW + timedelta(hours=23))
    assert alerts.tell_once(away, memory, [hook.url], SETTINGS, NOW + timedelta(hours=25))
    assert [message["title"] for message in hook.messages] == ["newsloop: ledger away"] * 3
    assert hook.messages[-1]["message"] == "ledger away: It cannot be opened."
