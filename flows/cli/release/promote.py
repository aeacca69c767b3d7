"""The command `newsloop promote`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from components.core import bundle
from components.core.errors import UsageError
from components.core.ledger import Champion, Ledger
from components.core.ledger import deployments as ledger_deployments
from components.core.ledger.verdicts import DecisionKind
from components.core.params import Params
from components.core.paths import Paths
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project

_BUNDLE = re.compile(r"[0-9a-f]{12,64}")
_SEARCHED = 1000  # newest decisions that are searched for a bundle


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def promote(
        version: Annotated[
            str,
            typer.Argument(
                help="Version, such as v3 or 3; or a candidate's bundle, as `newsloop gate` lists "
                "it."
            ),
        ],
        because: Annotated[str, typer.Option(help="Reason; stored in the ledger.")],
        as_json: Json = False,
    ) -> None:
        """Deploy a released version, or release the last candidate against the gate.

        The version becomes the champion; a running service follows within seconds. `newsloop
        models` shows which versions were released against the gate, and why.

        Example: `newsloop promote v2 --because "v3 fails on tech"`
        """
        params, paths = project()
        ledger = open_ledger(paths)
        if not because.strip():
            raise UsageError('Expected a reason, such as --because "the old one fails on tech".')
        if is_bundle(version):
            champion = release_anyway(params, paths, ledger, version, because)
            line = f"{champion.tag} serves from now on ({champion.reason})"
            found = {key: getattr(champion, key) for key in ("version", "tag", "reason")}
            output.lines([line], found, as_json)
            return
        row = ledger_deployments.released(ledger, version)
        _deploy(paths, ledger, row["version"], f"promoted: {because}", as_json)


def _deploy(paths: Paths, ledger: Ledger, version: int, reason: str, as_json: bool) -> None:
    if version in ledger.retired():
        raise UsageError(
            f"Expected a version that may serve, v{version} is retired: it was trained on a "
            "subject that was erased. `newsloop models` lists the others."
        )
    row = next(row for row in ledger.versions() if row["version"] == version)
    bundle.verify(paths.bundles / row["bundle"], paths.keys)
    ledger.deploy(version, datetime.now(UTC), reason)
    line = f"{row['tag']} serves from now on ({reason})"
    output.lines([line], {"version": version, "tag": row["tag"], "reason": reason}, as_json)


def is_bundle(name: str) -> bool:
    """Returns True for a bundle's name, or 12 or more of its digits; False for a version."""
    return _BUNDLE.fullmatch(name) is not None


def release_anyway(
    params: Params, paths: Paths, ledger: Ledger, name: str, because: str
) -> Champion:
    """Releases a candidate that did not pass the gate; the version stores the reason.

    Args:
        name: name of the candidate's bundle, or its first 12 or more digits.
        because: the person's reason.

    Raises:
        UsageError: the gate judged no such candidate, it is released already, or another
            candidate has replaced it in checkout and workspace.
        ReleaseError, BundleError, Busy: as a learning run.
    """
    from components import release, snapshot
    from flows.dvc import workspace

    judged = next(
        (
            row["details"]
            for row in ledger.decisions(DecisionKind.GATE, limit=_SEARCHED)
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
    projects = [paths, Paths(paths.workspace, paths.home, checkout=paths.root)]
    project = next((each for each in projects if _packaged(each) == judged["candidate"]), None)
    if project is None:
        raise UsageError(
            f"Expected the candidate {name} in {paths.packaged} or in the workspace, another one "
            "is there now. Run `newsloop run` with its settings and data again, then promote it."
        )
    now = datetime.now(UTC)
    with workspace.alone(paths):
        return release.publish(
            project,
            ledger,
            {**judged, "promoted": because},
            snapshot.feedback_watermark(project),
            now,
            f"promoted against the gate: {because}",
            params.release.git_remote,
            params.release.remote_minutes * 60,
        )


def _packaged(paths: Paths) -> str | None:
    """Verifies the packaged bundle and returns its name; None without a packaged bundle."""
    return bundle.verify(paths.bundle, paths.keys) if paths.bundle.exists() else None
