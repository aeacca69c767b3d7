"""Operator page: champion, accuracy, drift, what waits, and decisions at a glance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from components.core import metrics, pages
from components.core.ledger import LABELS, PREDICTIONS, WINDOWS, Champion, Ledger, labels
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger import gate as ledger_gate
from components.core.ledger import windows as ledger_windows
from components.core.ledger.tables import last_labels
from components.core.ledger.verdicts import GovernorVerdict, WindowFinding
from components.core.metrics import Interval
from components.core.params import Params
from components.core.scrub import separated, unsearched_note
from components.core.training.energy import shown
from monitoring import alerts as telling
from monitoring import signal_names
from monitoring.governor import History
from monitoring.operator_page import charts
from monitoring.operator_page.charts import Judged

_WINDOWS, _DECISIONS, _VERSIONS, _ALERTS = 200, 200, 10, 8  # newest that are shown
_ROWS = 15  # of decisions, equal ones in a row being one
_MASKED = 8  # commonest entities
_STATES = {
    None: "is released; no traffic was judged yet",
    WindowFinding.NONE: "serves",
    WindowFinding.DRIFT: "serves, and its newest texts have drifted",
    WindowFinding.CANNOT_SAY: "serves; its newest texts cannot be judged",
    WindowFinding.BAD_DATA: "serves, and its newest texts are bad data",
}
_RECENT = timedelta(days=1)  # of the alerts that the page begins with, and of the lost texts


def judged(ledger: Ledger, confidence: float) -> list[Judged]:
    """Reads the newest judged windows, the oldest first, with late labels."""
    rows = ledger.query(
        sa.select(WINDOWS)
        .where(WINDOWS.c.until > WINDOWS.c.after)
        .order_by(WINDOWS.c.seq.desc())
        .limit(_WINDOWS)
    )[::-1]
    if not rows:
        return []
    answers = _labelled(ledger, min(row["after"] for row in rows))
    return [_judged(row, answers, confidence) for row in rows]


def _judged(row: dict[str, Any], answers: list[dict[str, Any]], confidence: float) -> Judged:
    right = [
        one["right"]
        for one in answers
        if one["bundle"] == row["bundle"] and row["after"] < one["seq"] <= row["until"]
    ]
    estimate = row["details"].get("estimate")
    return Judged(
        time=row["time"],
        signals=_signals(row["details"].get("signals", [])),
        rows=row["rows"],
        accuracy=metrics.wilson(sum(right), len(right), confidence) if right else None,
        labelled=len(right),
        estimated=Interval(**estimate["accuracy"]) if estimate else None,
        trusted=bool(estimate and estimate["trusted"]),
        finding=row["verdict"],
        bundle=row["bundle"],
    )


def _signals(signals: Sequence[Mapping[str, Any]]) -> dict[str, bool | None]:
    """Names the signals for people; several of one name have drifted if any has."""
    named: dict[str, bool | None] = {}
    for signal in signals:
        name, drifted = signal_names.title(signal["name"]), signal["drifted"]
        named[name] = drifted or named.get(name, drifted)
    return named


def _labelled(ledger: Ledger, after: int) -> list[dict[str, Any]]:
    """Reads seq, bundle and right of each labelled prediction later than `after`."""
    last = last_labels()
    rows = ledger.query(
        sa.select(
            PREDICTIONS.c.seq,
            PREDICTIONS.c.bundle,
            PREDICTIONS.c.label,
            LABELS.c.label.label("actual"),
        )
        .join(last, last.c.prediction_id == PREDICTIONS.c.id)
        .join(LABELS, LABELS.c.seq == last.c.seq)
        .where(PREDICTIONS.c.seq > after)
    )
    return [{**row, "right": row["label"] == row["actual"]} for row in rows]


def render(
    params: Params,
    ledger: Ledger,
    champion: Champion,
    now: datetime,
    masked: Mapping[str, int],
    links: Sequence[tuple[str, str]],
    last_page: str | None,
    heading: pages.Heading,
    spooled: int = 0,
) -> str:
    """Renders the page as HTML.

    Args:
        params: `evaluate.confidence`, `monitor`, `governor`.
        ledger: open.
        champion: the version that serves.
        now: UTC.
        masked: entity -> number of masked values of all sources.
        links: (name, address) of related pages.
        last_page: address of the newest drift page; None if there is none.
        heading: of the page.
        spooled: bytes of predictions that wait for the ledger.
    """
    windows = judged(ledger, params.evaluate.confidence)
    deployments = ledger.deployments(limit=_VERSIONS)
    story = ledger_decisions.story(ledger, _DECISIONS)
    history = History(failures=ledger_decisions.failures(ledger))
    recent = ledger_decisions.alerts(ledger, now - _RECENT, _ALERTS)
    opened = bool(telling.of_circuit(history, params, now))
    since = windows[0].time if windows else now
    released = [one.time for one in deployments if one.time >= since]
    tested = champion.metrics["accuracy"]["value"] if champion.metrics else None
    finding = windows[-1].finding if windows else None
    own = bool(windows) and windows[-1].bundle == champion.bundle
    # Without traffic there is no evidence that a service runs.
    state = _STATES[finding] if own or not windows else "serves; its own traffic was not judged yet"
    state = f"{champion.tag} {state}"
    if story and story[0]["verdict"] == GovernorVerdict.RETRAIN and not story[0]["outcome"]:
        state += "; a retraining was requested"
    if opened:
        state += "; the circuit is open"
    elif recent:
        state += f"; {len(recent)} alert{'s' if len(recent) > 1 else ''} in a day"
    cards = _cards(champion, windows, story, now)
    cards += _waiting(params, ledger, champion, spooled) + _held(ledger)
    if kept := ledger_windows.text_counts(ledger, now - _RECENT).summary():
        cards.append(_card("texts in a day", kept.split(",")[0], kept.partition(", ")[2]))
    moved = finding == WindowFinding.DRIFT
    return pages.render(
        __package__,
        "page.html.j2",
        heading,
        {"in_words": signal_names.in_words},
        state=state,
        colour="alarm" if opened or recent else "warn" if moved and own else "good",
        cards=cards,
        alerts=[{**row, "time": _time(row["time"])} for row in recent],
        windows=len(windows),
        last_page=last_page,
        drift=charts.drift(windows, released) if windows else "",
        accuracy=charts.accuracy(windows, tested, released) if windows else "",
        traffic=charts.traffic(windows, released) if windows else "",
        moved=_newest(ledger).get("moved") if moved else None,
        sources=_sources(_newest(ledger)),
        decisions=_decisions(story),
        versions=[_version(one) for one in deployments],
        masked=_masked(masked),
        links=links,
    )


def _newest(ledger: Ledger) -> dict[str, Any]:
    """Reads the findings about the newest judged window."""
    details = ledger.query(
        sa.select(WINDOWS.c.details)
        .where(WINDOWS.c.until > WINDOWS.c.after)
        .order_by(WINDOWS.c.seq.desc())
        .limit(1)
    )
    return dict(details[0]["details"]) if details else {}


def _sources(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Formats the drift by source of a window."""
    return [
        {**row, "signals": dict.fromkeys(signal_names.title(name) for name in row["signals"])}
        for row in details.get("by_source") or []
    ]


def _cards(
    champion: Champion, windows: Sequence[Judged], story: Sequence[dict[str, Any]], now: datetime
) -> list[dict[str, str]]:
    day = [one for one in windows if now - one.time < timedelta(days=1)]
    labelled = [one for one in windows if one.accuracy]
    newest = windows[-1] if windows else None
    cards = [
        _card("champion", champion.tag, f"since {_time(champion.time)}: {_brief(champion.reason)}"),
        _card("in a day", f"{sum(one.rows for one in day)} predictions", f"{len(day)} windows"),
    ]
    found = champion.metrics.get("accuracy")
    if isinstance(found, dict):
        cards.append(_card("test accuracy", _share(found), "when it was released"))
    if labelled and (measured := labelled[-1].accuracy):
        count = f"{labelled[-1].labelled} labels in its window"
        cards.append(_card("accuracy by labels", _told(measured), count))
    if newest and newest.estimated:
        trust = "in the newest window" if newest.trusted else "not to be trusted: the texts moved"
        cards.append(_card("estimated accuracy", _told(newest.estimated), trust))
    if story:
        newest_decision = f"{_time(story[0]['time'])}: {_brief(_why(story[0]))}"
        cards.append(_card("decided", story[0]["verdict"], newest_decision))
    if energy := champion.metrics.get("energy"):
        cards.append(_card("energy of training", shown(energy.get("kwh", 0.0)), "estimated"))
    return cards


def _waiting(
    params: Params, ledger: Ledger, champion: Champion, spooled: int
) -> list[dict[str, str]]:
    """Makes a card for each kind of thing that waits, with the reason."""
    texts, needed = ledger_windows.unjudged(ledger, champion.bundle), params.monitor.min_rows
    why = []
    if texts.lost > params.monitor.max_lost_share * max(texts.lost + texts.kept, 1):
        why.append(f"{texts.lost} texts were lost, more than a judged window may lack")
    elif sum(texts) and texts.kept < needed:
        why.append(f"a window needs {needed} texts, {needed - texts.kept} more")
    elif texts.kept:
        why.append("the next monitoring run judges them")
    if texts.waiting:
        why.append(f"{texts.waiting} are not scrubbed yet")
    count = f"{sum(texts):,} predictions" if sum(texts) else "no prediction"
    cards = [_card("waits to be judged", count, "; ".join(why) or "all were judged")]
    after = champion.decision.get("feedback_watermark") or 0
    if labelled := len(ledger_gate.labelled_since(ledger, after)):
        reason = "sent after the champion's training; the next training uses them"
        cards.append(_card("waits to be learned", f"{labelled:,} labels", reason))
    if spooled:
        size = f"{max(spooled / 1e6, 0.1):.1f} MB of predictions"
        cards.append(_card("waits in the spool", size, "the service could not reach the ledger"))
    return cards


def _held(ledger: Ledger) -> list[dict[str, str]]:
    """A card while labels wait for a person."""
    count = len(labels.aside(ledger, "suspect"))
    more = "look at them by newsloop labels --suspects"
    return [_card("held back", f"{count} labels that look wrong", more)] if count else []


def _brief(reason: str) -> str:
    """Keeps what a reason begins with; the table of versions has all of it.

    >>> _brief("2 of 9 signals drifted in 60 predictions: label (p = 0.01). There are 60 labels.")
    '2 of 9 signals drifted in 60 predictions'
    """
    return reason.partition(": ")[0].partition(". ")[0]


def _card(name: str, value: str, more: str) -> dict[str, str]:
    return {"name": name, "value": value, "more": more}


def _told(found: Interval) -> str:
    return _share(found.rounded())


def _share(found: Mapping[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _decisions(story: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Formats the newest decisions; consecutive equal ones are merged into one row."""
    grouped = itertools.groupby(
        story, lambda row: (row["verdict"], row["details"].get("rule"), row["flow_run"])
    )
    rows = []
    for _, group in itertools.islice(grouped, _ROWS):
        same = list(group)
        newest = same[0]
        rows.append(
            {
                "time": _time(newest["time"]),
                "verdict": newest["verdict"],
                "times": len(same),
                "why": _why(newest),
                "became": became(newest),
            }
        )
    return rows


def _why(row: Mapping[str, Any]) -> str:
    """Formats the reasons of a decision; the last reason to wait includes the others."""
    waits = row["verdict"] == GovernorVerdict.WAIT
    return str(row["reasons"][-1]) if waits else " ".join(row["reasons"])


def became(row: Mapping[str, Any]) -> str:
    """Formats outcome and effect of a decision to retrain; empty for other decisions."""
    if row["verdict"] != GovernorVerdict.RETRAIN:
        return ""
    told = row["outcome"] or ("at work or dead" if row["flow_run"] else "not taken up yet")
    if effect := row["details"].get("effect"):
        seen = f"{effect['windows']} of {effect['of']} windows"
        told += f". {effect['after']} after {effect['before']}: {effect['answer']}"
        told += f" ({seen}). {effect['text']}"
    return str(told)


def _version(one: Champion) -> dict[str, str]:
    found = one.metrics.get("accuracy")
    accuracy = f"{found['value']:.3f}" if isinstance(found, dict) else ""
    return {"tag": one.tag, "time": _time(one.time), "accuracy": accuracy, "reason": one.reason}


def _masked(counts: Mapping[str, int]) -> str:
    entities, languages = separated(counts)
    ordered = sorted(((n, name) for name, n in entities.items() if n), reverse=True)
    text = ", ".join(f"{name} {n}" for n, name in ordered[:_MASKED])
    if len(ordered) > _MASKED:
        text += f" and {len(ordered) - _MASKED} more kinds"
    return f"{text}. {note}" if (note := unsearched_note(languages)) else text


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
