"""The command `newsloop erase`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from components.core.errors import LeakFound
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def erase(
        subject: Annotated[
            str,
            typer.Option(
                help="Author, e-mail address or document's id; - reads it from standard input."
            ),
        ],
        kind: Annotated[
            str | None, typer.Option(help="author, email or document. Default: guessed.")
        ] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Search, change nothing.")] = False,
        retire_now: Annotated[
            bool,
            typer.Option(
                "--retire-now",
                help="Serve a version that was not trained on the subject at once.",
            ),
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Erase a person or a document from data, caches, remotes, ledger and reports.

        A suppression list keeps the subject from being ingested again. Versions trained on it are
        retired; a retired champion serves until a retrained version replaces it, which the next
        monitoring run requests. A signed certificate lists every deletion, and the copies that
        newsloop cannot reach. Erasure cannot be undone.

        Exit status: 1 if a trace of the subject is left.

        Example: `newsloop erase --subject someone@example.org --dry-run`
        """
        params, paths = project()
        key = sys.stdin.readline() if subject == "-" else subject
        _erase(params, paths, open_ledger(paths), (key, kind), (yes, dry_run, retire_now), as_json)


def _erase(
    params: Params,
    paths: Paths,
    ledger: Ledger,
    who: tuple[str, str | None],
    how: tuple[bool, bool, bool],
    as_json: bool,
) -> None:
    from components.core.scrub.suppression import Subject
    from flows.dvc import workspace
    from flows.erasure import erase

    (key, kind), (yes, dry_run, retire_now) = who, how
    subject = Subject.of(key, kind)
    workspace.settle(paths)
    now = datetime.now(UTC)

    def work(*, dry: bool) -> dict[str, Any]:
        return erase(params, paths, ledger, subject, now, dry_run=dry, retire_now=retire_now)

    if dry_run or not yes:
        plan = work(dry=True)
        if dry_run:
            output.lines(_lines(plan), plan, as_json)
            return
        for line in _lines(plan):
            output.say(line)
        common.confirm("Erase it? This cannot be undone.")
    done = work(dry=False)
    output.lines(_lines(done), done, as_json)
    if done["left"]:
        raise LeakFound(
            f"Expected nothing of the subject to be left, found it in {len(done['left'])} places "
            f"({'; '.join(done['left'][:3])}). Remove these by hand, or stop the processes that "
            "write them, and run the same command again."
        )


def _lines(found: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"v{version}" for version in found["versions"]) or "none"
    lines = [
        f"erasure {found['erasure']}: {found['kind']}, {found['documents']} documents, "
        f"{found['objects']} objects of DVC, {found['predictions']} texts of predictions",
        f"versions trained on it: {versions}",
    ]
    if found["unknown_versions"]:
        listed = ", ".join(f"v{version}" for version in found["unknown_versions"])
        lines.append(f"unknown, and treated as trained on it: {listed}")
    lines += found["unread_sources"]
    if found["dry_run"]:
        return [*lines, "nothing was changed"]
    if found["champion_retired"]:
        lines.append(
            f"{found['champion']} is retired and serves until a retrained version replaces it, "
            "which the next monitoring run asks for; `newsloop run` does it now"
        )
    return [*lines, f"certificate: {found['certificate']}",
            "Commit data/suppression.json, so that every clone suppresses it."]  # fmt: skip
