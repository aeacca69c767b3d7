"""The gate on the command line: its last decisions, and a person's word against one of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from components.core.errors import UsageError
from components.core.ledger import Champion, Ledger
from components.core.params import Params
from components.core.paths import Paths
from flows.cli import output
from flows.cli.common import Json, OpenLedger, Project

_BUNDLE = re.compile(r"[0-9a-f]{12,64}")
_SHOWN = 12  # digits of a bundle's name
_REMEMBERED = 1000  # decisions that are looked through for a bundle


def add(app: typer.Typer, project: Project, open_ledger: OpenLedger) -> None:
    """Adds the command to `app`; `project` and `open_ledger` are those of the other commands."""

    @app.command()
    def gate(
        last: Annotated[int, typer.Option(min=1, help="How many decisions.")] = 10,
        as_json: Json = False,
    ) -> None:
        """Show the gate's last decisions, the newest first, and where their pages lie.

        release: every check passed. keep: nothing bad was found, but it is not proven better than
        the champion, which stays. refuse: a check failed. docs/release.md says the rule.
        """
        _, paths = project()
        rows = [
            {
                "time": row["time"].isoformat(),
                "verdict": row["verdict"],
                "candidate": row["details"]["candidate"],
                "reasons": row["reasons"],
                "page": (paths.decisions / f"{row['id']}.html").as_uri(),
            }
            for row in open_ledger(paths).decisions("gate", limit=last)
        ]
        lines = [line for row in rows for line in _told(row)]
        output.lines(lines or ["none yet: `newsloop run` asks the gate"], rows, as_json)

    del gate  # registered; it is called by its name only


def _told(row: dict[str, Any]) -> list[str]:
    time = row["time"][:16].replace("T", " ")
    first = f"{time}  {row['verdict']:<9}  {row['candidate'][:_SHOWN]}  {row['page']}"
    return [first, *(f"    {reason}" for reason in row["reasons"])]


def is_bundle(name: str) -> bool:
    """Whether a person named a bundle, by 12 digits or more, and not a version."""
    return _BUNDLE.fullmatch(name) is not None


def release_anyway(
    params: Params, paths: Paths, ledger: Ledger, name: str, because: str
) -> Champion:
    """Releases a candidate that the gate did not let pass; the reason stays with the version.

    Args:
        name: of its bundle, or the first 12 digits or more.
        because: the person's reason.

    Raises:
        UsageError: no such candidate was judged, or it was released already, or other data lie
            where it was made.
        ReleaseError, BundleError, Busy: as a learning run.
    """
    from components import release, snapshot
    from flows.dvc import workspace

    judged = next(
        (
            row["details"]
            for row in ledger.decisions("gate", limit=_REMEMBERED)
            if row["details"]["candidate"].startswith(name)
        ),
        None,
    )
    if judged is None:
        raise UsageError(
            f"Expected a version such as v3, or a candidate that `newsloop gate` lists, got {name}."
        )
    for row in ledger.versions():
        if row["bundle"] == judged["candidate"]:
            raise UsageError(
                f"Expected a candidate that was not released, {name} is v{row['version']}. Promote "
                "that."
            )
    places = [paths, Paths(paths.workspace, paths.home, checkout=paths.root)]
    place = next((one for one in places if _packaged(one) == judged["candidate"]), None)
    if place is None:
        raise UsageError(
            f"Expected the candidate {name} in {paths.packaged} or in the workspace, another one "
            "lies there now. Run `newsloop run` with its settings and data again, then promote it."
        )
    now = datetime.now(UTC)
    with workspace.alone(paths):
        return release.publish(
            place,
            ledger,
            {**judged, "promoted": because},
            snapshot.feedback_watermark(place),
            now,
            f"promoted against the gate: {because}",
            params.release.git_remote,
        )


def _packaged(paths: Paths) -> str | None:
    """The name of the bundle that lies packaged in a workspace, verified; None if there is none."""
    from components.core import bundle

    return bundle.verify(paths.bundle, paths.keys) if paths.bundle.exists() else None
