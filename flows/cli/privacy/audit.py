"""The command `newsloop audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.core.errors import (
    LeakFound,
    UsageError,
)
from components.core.params import Params
from flows.cli import common, output
from flows.cli.common import Json, Project

_SHOWN = 20  # locations of findings; --json prints all


def add(app: typer.Typer, project: Project = common.read_project) -> None:
    """Registers the command."""

    @app.command()
    def audit(
        places: Annotated[list[Path], typer.Argument(help="Files or folders.")],
        canaries: Annotated[
            Path | None, typer.Option(help="File with planted strings, one per line.")
        ] = None,
        entities: Annotated[
            str,
            typer.Option(
                help="all, structured (all but persons), none, or names such as "
                "EMAIL_ADDRESS,PERSON. Persons are estimated by a model, and much slower to find."
            ),
        ] = "all",
        as_json: Json = False,
    ) -> None:
        """Search files for personal data and planted strings; print counts and locations only.

        Reads text, JSON, HTML, CSV, Parquet, SQLite with deleted rows, archives and models.
        Changes nothing.

        Exit status: 1 if anything is found, or a file is unreadable.

        Example: `newsloop audit data .newsloop --canaries planted.txt`
        """
        params, _ = project()
        _audit(params, places, canaries, entities, as_json)


def _audit(
    params: Params, places: list[Path], canary_file: Path | None, entities: str, as_json: bool
) -> None:
    from components.core import audit

    wanted = _entities(params, entities)
    values: list[str] = []
    if canary_file is not None:
        try:
            values = canary_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"Expected one planted string a line, in UTF-8, in {canary_file}, got: {error}."
            ) from error
    out = [canary_file] if canary_file else []
    report = audit.scan(
        places, audit.Canaries.of(values), audit.searcher(params, wanted), leave_out=out
    )
    counts = report.counts()
    certain = {name: n for name, n in counts.items() if name not in audit.STATISTICAL}
    guessed = {name: n for name, n in counts.items() if name in audit.STATISTICAL}
    lines = [f"{report.files} files, {report.bytes / 1e6:.1f} MB, searched"]
    persons = bool(audit.STATISTICAL & set(wanted))
    for title, group, searched in (
        ("certain", certain, bool(set(wanted) - audit.STATISTICAL) or canary_file is not None),
        ("guessed by the name tagger", guessed, persons),
    ):
        listed = ", ".join(f"{name} {n}" for name, n in group.items()) or "nothing"
        lines.append(f"{title}: {listed if searched else 'not searched'}")
    if not persons:
        lines.append("Names of persons were not searched: --entities all does.")
    for hit in report.hits[:_SHOWN]:
        lines.append(f"  {hit.file}: {hit.where}: {hit.entity} {hit.count}")
    if len(report.hits) > _SHOWN:
        lines.append(f"  and {len(report.hits) - _SHOWN} more places; --json shows them all")
    lines += [f"  not readable: {path}" for path in report.unread]
    locations = [
        {"file": hit.file, "where": hit.where, "entity": hit.entity, "count": hit.count}
        for hit in report.hits
    ]
    output.lines(
        lines,
        {"files": report.files, "bytes": report.bytes, "certain": certain, "guessed": guessed,
         "persons_searched": persons, "places": locations, "unread": report.unread,
         "clean": report.clean},
        as_json,
    )  # fmt: skip
    if not report.clean:
        raise LeakFound(
            f"Expected no personal data, found {sum(counts.values())} in "
            f"{len({hit.file for hit in report.hits})} files, and {len(report.unread)} files that "
            "could not be read. See the locations above; `newsloop erase` removes a subject."
        )


def _entities(params: Params, wanted: str) -> list[str]:
    from components.core.audit import STATISTICAL

    known = [name for name, policy in params.ingest.scrub.entities.items() if policy != "keep"]
    if wanted == "none":
        return []
    if wanted == "all":
        return known
    if wanted == "structured":
        return [name for name in known if name not in STATISTICAL]
    chosen = [name.strip().upper() for name in wanted.split(",") if name.strip()]
    unknown = sorted(set(chosen) - set(known))
    if unknown or not chosen:
        raise UsageError(
            f"Expected all, structured, none or some of {', '.join(known)}, got {wanted}."
        )
    return chosen
