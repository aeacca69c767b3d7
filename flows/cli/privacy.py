"""The commands about people's data: newsloop audit, erase, retain, keys rotate."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from components.core import version_names
from components.core.errors import LeakFound, UsageError
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths
from flows.cli import output
from flows.cli.common import Json, OpenLedger, Project

_SHOWN = 20  # places of findings that a person reads; --json has them all


def add(app: typer.Typer, project: Project, open_ledger: OpenLedger) -> None:
    """Adds the commands to `app`; `project` and `open_ledger` are those of the other commands."""

    @app.command()
    def audit(
        places: Annotated[list[Path], typer.Argument(help="Files or folders.")],
        canaries: Annotated[
            Path | None, typer.Option(help="A file of planted strings, one a line.")
        ] = None,
        entities: Annotated[
            str,
            typer.Option(
                help="structured (all but persons), all, none, or names such as "
                "EMAIL_ADDRESS,PERSON. Persons are guessed, and the search is much slower."
            ),
        ] = "structured",
        as_json: Json = False,
    ) -> None:
        """Search files for personal data and planted strings; tell counts and places, no values.

        Reads text, JSON, HTML, CSV, Parquet, SQLite with deleted rows, archives and models. Exit
        status 1 if anything is found.
        """
        params, _ = project()
        _audit(params, places, canaries, entities, as_json)

    @app.command()
    def erase(
        subject: Annotated[
            str, typer.Option(help="An author, an e-mail address or a document's id; - reads it.")
        ],
        kind: Annotated[
            str | None, typer.Option(help="author, email or document; guessed if left out.")
        ] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Find, change nothing.")] = False,
        retire_now: Annotated[
            bool, typer.Option("--retire-now", help="Serve an earlier version at once.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Erase a person or a document from data, caches, remotes, ledger and reports.

        It never comes in again. Versions that were trained on it are retired; the champion serves
        until a retrained one replaces it, which is asked for. A signed certificate says what was
        done, and what cannot be reached.
        """
        params, paths = project()
        key = sys.stdin.readline() if subject == "-" else subject
        _erase(params, paths, open_ledger(paths), (key, kind), (yes, dry_run, retire_now), as_json)

    @app.command()
    def retain(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, remove nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Remove what is older than `privacy` in params.yaml allows, as is done daily."""
        params, paths = project()
        from flows.retention import retain as remove

        done = remove(params, paths, open_ledger(paths), datetime.now(UTC), dry_run=dry_run)
        verb = "would go" if dry_run else "gone"
        told = ", ".join(f"{name} {count}" for name, count in done.items() if count)
        output.lines([f"{verb}: {told or 'nothing is too old'}"], done, as_json)

    keys_app = typer.Typer(no_args_is_help=True, help="The keys of this installation.")
    app.add_typer(keys_app, name="keys")

    @keys_app.command()
    def rotate(
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        as_json: Json = False,
    ) -> None:
        """Destroy the pseudonym key and make a new one: old pseudonyms can be linked by nobody."""
        _, paths = project()
        _rotate(paths, yes, as_json)

    del audit, erase, retain, rotate  # registered; they are called by their names only


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
    for title, found in (("certain", certain), ("guessed by a language model", guessed)):
        told = ", ".join(f"{name} {n}" for name, n in found.items()) or "nothing"
        lines.append(f"{title}: {told}")
    for hit in report.hits[:_SHOWN]:
        lines.append(f"  {hit.file}: {hit.where}: {hit.entity} {hit.count}")
    if len(report.hits) > _SHOWN:
        lines.append(f"  and {len(report.hits) - _SHOWN} more places; --json shows them all")
    lines += [f"  not readable: {one}" for one in report.unread]
    places_ = [
        {"file": hit.file, "where": hit.where, "entity": hit.entity, "count": hit.count}
        for hit in report.hits
    ]
    output.lines(
        lines,
        {"files": report.files, "bytes": report.bytes, "certain": certain, "guessed": guessed,
         "places": places_, "unread": report.unread, "clean": report.clean},
        as_json,
    )  # fmt: skip
    if not report.clean:
        raise LeakFound(
            f"Expected no personal data, found {sum(counts.values())} in "
            f"{len({hit.file for hit in report.hits})} files, and {len(report.unread)} files that "
            "could not be read. Look at the places above; `newsloop erase` removes a subject."
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
            f"Expected structured, all, none or some of {', '.join(known)}, got {wanted}."
        )
    return chosen


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
            output.lines(_told(plan), plan, as_json)
            return
        for line in _told(plan):
            output.say(line)
        _confirm("Erase it? This cannot be undone.")
    done = work(dry=False)
    output.lines(_told(done), done, as_json)
    if done["left"]:
        raise LeakFound(
            f"Expected nothing of the subject to be left, found it in {len(done['left'])} places "
            f"({'; '.join(done['left'][:3])}). Remove these by hand, or end what writes them, and "
            "run the same command again."
        )


def _told(found: dict[str, Any]) -> list[str]:
    versions = version_names.listed(found["versions"])
    lines = [
        f"erasure {found['erasure']}: {found['kind']}, {found['documents']} documents, "
        f"{found['objects']} objects of DVC, {found['predictions']} texts of predictions",
        f"versions trained on it: {versions}",
    ]
    if found["unknown_versions"]:
        listed = version_names.listed(found["unknown_versions"])
        lines.append(f"of {listed} nobody can say any more: they count as trained on it")
    lines += found["unread_sources"]
    if found["dry_run"]:
        return [*lines, "nothing was changed"]
    if found["champion_retired"]:
        lines.append(
            f"{found['champion']} is retired and serves until a retrained version replaces it, "
            "which the next monitoring run asks for; `newsloop run` does it now"
        )
    return [*lines, f"certificate: {found['certificate']}",
            "Commit data/suppression.json, so that every clone knows it."]  # fmt: skip


def _rotate(paths: Paths, yes: bool, as_json: bool) -> None:
    from components.core import keys
    from components.core.scrub import suppression
    from flows.dvc import workspace

    if not yes:
        _confirm("Destroy the pseudonym key? Old pseudonyms can then be linked by nobody.")
    with workspace.alone(paths):
        # Counted first: after a kill in between, ingest runs once too often, never too seldom.
        suppression.note_rotation(paths)
        keys.rotate_pseudonym_key(paths.keys)
        for file in paths.home.glob(f"{paths.scrub_cache.name}*"):
            file.unlink(missing_ok=True)
    output.lines(
        [
            "The pseudonym key is new, the old one is destroyed, the cache of scrubbed texts is "
            "gone.",
            "data/ keeps old pseudonyms until `newsloop run` writes it anew; earlier versions keep "
            "them.",
            "Commit data/suppression.json: it counts the rotations, so that ingest runs again.",
        ],
        {"rotations": suppression.read(paths)["rotations"]},
        as_json,
    )


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("Expected --yes, since nobody is here to answer. Add it and run again.")
    typer.confirm(question, abort=True, err=True)
