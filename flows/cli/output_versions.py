"""Output of the commands about versions: tables for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from flows.cli.output import as_json, console, plain, show, table

_SHORT = 12  # digits of a printed hash
_SHOWN = 20  # documents and settings; --json prints all
# Metrics of metrics.json that are printed; --json prints all.
_METRICS = ("accuracy.value", "macro_f1.value", "calibration_error", "errors")
_REASON = 60  # characters of a reason
_CANNOT_SAY = "unknown: DVC's stores do not hold it any more"


def models(rows: list[dict[str, Any]], history: list[dict[str, Any]], json_wanted: bool) -> None:
    """Prints versions, the newest first, then every change of the champion."""
    if json_wanted:
        as_json(rows)
        return
    if not rows:
        console().print("none yet: `newsloop run` makes one")
        return
    released = table(
        "version", "", "released (UTC)", "architecture", "accuracy", "macro F1", "bundle"
    )
    champion = history[-1]["version"] if history else None
    for row in rows:
        words = ["champion"] if row["version"] == champion else []
        words += ["retired"] if row["retired"] else []
        released.add_row(
            f"v{row['version']}",
            ", ".join(words),
            f"{row['time']:%Y-%m-%d %H:%M}",
            row["metrics"]["architecture"],
            f"{row['metrics']['accuracy']['value']:.4f}",
            f"{row['metrics']['macro_f1']['value']:.4f}",
            row["bundle"][:_SHORT],
        )
    show(released)
    served = table("served from (UTC)", "version", "because")
    for row in reversed(history):
        served.add_row(
            f"{row['time']:%Y-%m-%d %H:%M:%S}", f"v{row['version']}", _brief(row["reason"])
        )
    console().print()
    show(served)


def why(found: dict[str, Any], json_wanted: bool) -> None:
    """Prints a line for each link of the chain from a prediction to its data."""
    if json_wanted:
        as_json(found)
        return
    answer, stored, version = found["prediction"], found["bundle"], found["version"]
    label = f"{answer['label']}, confidence {answer['confidence']:.3f}"
    _line("prediction", f"{answer['id']}, {answer['time']:%Y-%m-%d %H:%M:%S} UTC: {label}")
    state = "every byte as signed" if stored["verified"] else stored["fault"]
    _line("bundle", f"{stored['name'][:_SHORT]}, {state}")
    if version is None:
        _line("version", "the ledger knows no version with this bundle")
        return
    accuracy = version["metrics"]["accuracy"]["value"]
    because = _brief(version["served_because"] or "not the champion at that time")
    _line("version", f"{version['tag']}, test accuracy {accuracy:.4f} ({because})")
    commit = found["commit"]
    missing = "not in this repository: `git fetch --tags`"
    _line("commit", f"{commit['id'][:_SHORT]}, {_brief(commit['subject'])}" if commit else missing)
    data = found["data"]
    _line("snapshot", f"sha256 {data['snapshot'][:_SHORT]}")
    for source in data["sources"] or []:
        pin = ", ".join(f"{k} {plain(v)}" for k, v in source.items() if k not in ("name", "kind"))
        _line("", f"{source['name']} ({source['kind']}): {pin}")
    _line("data", f"dvc.lock sha256 {data['dvc_lock'][:_SHORT]}")
    for path, id_ in data["outs"].items():
        _line("", f"{path}  {id_}")
    checked = found["validation"]
    if checked:
        passed = sum(check["passed"] is True for check in checked["checks"])
        skipped = sum(check["passed"] is None for check in checked["checks"])
        _line(
            "validation",
            f"{checked['rows']} rows, {checked['documents']} documents, {checked['quarantined']} "
            f"in quarantine; {passed} checks passed, {skipped} had nothing to compare with",
        )
    else:
        _line("validation", _CANNOT_SAY)
    checks = found["gate"].get("checks", [])
    _line("gate", f"{sum(c['passed'] for c in checks)} of {len(checks)} checks passed")
    for check in checks:
        sign = "<=" if check.get("ceiling") else ">="
        _line("", f"{check['name']} {check['value']:.4f}, required {sign} {check['limit']:.4f}")
    _line("energy", found["energy"] or "not measured")


def diff(found: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        as_json(found)
        return
    one, two = found["versions"]
    _line("", f"{one} -> {two}")
    for side, row in found["data"].items():
        if row is None:
            _line(side, _CANNOT_SAY)
            continue
        before, after = row["documents"]
        _line(
            side, f"{before} -> {after} documents: {row['added']} added, {row['removed']} removed"
        )
    for title in ("sources", "params"):
        changed = found[title]
        _line(title, "equal" if not changed else "")
        for key, (before, after) in list(changed.items())[:_SHOWN]:
            _line("", f"{key}: {plain(before)} -> {plain(after)}")
    metrics = found["metrics"]
    _line("metrics", "equal" if not metrics else "")
    for key in _METRICS:
        if key in metrics:
            _line("", f"{key}: {plain(metrics[key][0])} -> {plain(metrics[key][1])}")
    answers = found["answers"]
    if answers is None:
        _line("answers", _CANNOT_SAY)
        return
    disagreements = answers["disagree"]
    _line(
        "answers",
        f"the versions disagree on {len(disagreements)} of the {answers['documents']} documents "
        f"that both were tested on: the first is right on {answers['first_right']}, the second on "
        f"{answers['second_right']}",
    )
    if disagreements:
        documents = table("document", "actual", one, two)
        for row in disagreements[:_SHOWN]:
            documents.add_row(
                *(escape(plain(row[key])) for key in ("id", "actual", "first", "second"))
            )
        show(documents)


def restored(found: dict[str, Any], json_wanted: bool) -> None:
    if json_wanted:
        as_json(found)
        return
    _line("restored", f"{found['tag']} in {found['folder']}")
    _line("verified", f"commit {found['commit'][:_SHORT]}, {found['files']} files of data")
    _line("bundle", f"{found['bundle'][:_SHORT]}, every byte as signed")
    if found["gone"]:
        _line("gone", f"removed by retention: {', '.join(found['gone'])}")
    if "retrained" in found:
        _line("retrained", "training again gave the same bundle")


def _brief(text: str) -> str:
    return text if len(text) <= _REASON else f"{text[: _REASON - 3]}..."


def _line(name: str, text: Any) -> None:
    console().print(f"{name:<12}{escape(str(text))}")
