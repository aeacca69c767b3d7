"""The command about the labels that people sent: newsloop labels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from components.core.errors import UsageError
from components.core.ledger import LABELS, Ledger, labels
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project
from flows.cli.release.at import moment
from serving.http import api_keys

_SHOWN = 160  # characters of a text


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Adds the command to `app`; `project` and `open_ledger` are those of the other commands."""

    @app.command("labels")
    def labels_(
        caller: Annotated[
            str | None,
            typer.Option(help="Name or id of an API key; loopback: without a key; operator."),
        ] = None,
        since: Annotated[
            str | None, typer.Option(help="With its zone, such as 2026-11-01T12:00Z.")
        ] = None,
        suspects: Annotated[
            bool, typer.Option("--suspects", help="Those that are held back as probably wrong.")
        ] = False,
        withdraw: Annotated[
            bool, typer.Option("--withdraw", help="Let them count no more, anywhere.")
        ] = False,
        accept: Annotated[
            bool, typer.Option("--accept", help="With --suspects: let them count, they are right.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        as_json: Json = False,
    ) -> None:
        """List who sent which labels; withdraw them, or accept those that are held back.

        A withdrawn label counts nowhere: no rollback, no window, no gate, no learning. The next run
        learns without it. Without --yes the command asks first, and names the versions that were
        made when the labels were there.
        """
        if accept and (withdraw or not suspects):
            raise UsageError("Expected --accept together with --suspects and without --withdraw.")
        from serving import server

        _, paths = project()
        ledger, names = open_ledger(paths), _names(server.api_keys_file(paths))
        id_ = _id(caller, names) if caller else None
        start = moment(since) if since else None
        if suspects:
            rows = [
                row
                for row in labels.aside(ledger, "suspect")
                if (id_ is None or row["caller"] == id_) and (start is None or row["time"] >= start)
            ]
        else:
            where = [] if id_ is None else [LABELS.c.caller.is_not_distinct_from(_null(id_))]
            where += [] if start is None else [LABELS.c.time >= start]
            rows = ledger.query(sa.select(LABELS).where(*where).order_by(LABELS.c.seq))
        found: dict[str, Any] = {
            "callers": _by_caller(rows, names),
            "versions": labels.learned_by(ledger, [row["seq"] for row in rows]),
            "held": len(labels.aside(ledger, "suspect")),
            "withdrawn": len(labels.aside(ledger, "withdrawn")),
        }
        lines = _lines(found, suspects)
        if suspects:
            found["labels"] = _texts(ledger, rows)
            lines += [
                f"{row['label']}, the model says {row['predicted']}: {row['text']}"
                for row in found["labels"]
            ]
        if rows and (withdraw or accept):
            done = "accepted" if accept else "withdrawn"
            if not yes:
                for line in lines:
                    output.say(line)
                common.confirm(f"{len(rows)} labels are {done}. Go on?")
            found[done] = _change(ledger, rows, suspects=suspects, accept=accept)
            lines.append(f"{found[done]} labels are {done}; the next `newsloop run` learns anew")
        output.lines(lines, found, as_json)


def _change(ledger: Ledger, rows: list[dict[str, Any]], *, suspects: bool, accept: bool) -> int:
    seqs = [row["seq"] for row in rows]
    if accept:
        return labels.take_back(ledger, seqs)
    if suspects:
        return labels.withdraw_suspects(ledger, seqs)
    return labels.set_aside(ledger, seqs, "withdrawn", datetime.now(UTC))


def _names(file: Path) -> dict[str, str]:
    """Id -> name of each API key, revoked ones too."""
    return {key.id: key.name for key in api_keys.load(file)}


def _id(caller: str, names: dict[str, str]) -> str:
    """The id of the caller that a person names; of a name with several keys the newest."""
    return next((id_ for id_, name in reversed(names.items()) if name == caller), caller)


def _null(id_: str) -> str | None:
    return None if id_ == "unknown" else id_


def _by_caller(rows: list[dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    """Labels by caller and hour, in the order of the labels."""
    found: dict[tuple[str | None, datetime], dict[str, Any]] = {}
    for row in rows:
        hour = row["time"].replace(minute=0, second=0, microsecond=0)
        one = found.setdefault(
            (row["caller"], hour),
            {
                "caller": row["caller"] or "unknown",
                "name": names.get(row["caller"] or ""),
                "hour": hour.isoformat(),
                "decides_alone": row["trusted"] is not False,
                "labels": 0,
            },
        )
        one["labels"] += 1
    return list(found.values())


def _lines(found: dict[str, Any], suspects: bool) -> list[str]:
    lines = []
    for one in found["callers"]:
        hour, who = one["hour"][:16].replace("T", " "), one["name"] or one["caller"]
        alone = ", may decide alone" if one["decides_alone"] else ""
        lines.append(f"{hour} UTC  {who}  {one['labels']} labels{alone}")
    lines = lines or ["no labels" + (" are held back" if suspects else "")]
    if found["versions"]:
        told = ", ".join(f"{tag} ({n})" for tag, n in found["versions"].items())
        lines.append(f"made when they were there: {told}")
    lines.append(f"held back as probably wrong: {found['held']}; withdrawn: {found['withdrawn']}")
    return lines


def _texts(ledger: Ledger, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The beginnings of the scrubbed texts of these labels, and what the model said of them."""
    found = labels.texts(ledger, [row["prediction_id"] for row in rows])
    nothing = {"predicted": "nothing", "text": None}
    return [
        {
            "prediction_id": row["prediction_id"],
            "label": row["label"],
            "predicted": found.get(row["prediction_id"], nothing)["predicted"],
            "text": (found.get(row["prediction_id"], nothing)["text"] or "no text")[:_SHOWN],
        }
        for row in rows
    ]
