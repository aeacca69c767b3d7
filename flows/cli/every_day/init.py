"""The command `newsloop init`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from components.core.errors import UsageError
from components.core.runtime import interrupts
from flows.cli import common, output_profile
from flows.cli.common import Json, Project

if TYPE_CHECKING:
    from components.core.params import Scrub
    from components.profile.examine import Examined, Wishes
    from components.profile.privacy import ExampleScrubber


def _terminal() -> bool:
    return sys.stdin.isatty()


def _privacy(settings: Scrub) -> ExampleScrubber:
    from components.profile.privacy import ExampleScrubber

    return ExampleScrubber(settings)


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    terminal: Callable[[], bool] = _terminal,
    open_privacy: Callable[[Scrub], ExampleScrubber] = _privacy,
) -> None:
    """Registers the command."""

    @app.command()
    def init(
        data: Annotated[
            list[str],
            typer.Argument(
                metavar="DATA...",
                help="Files, folders, archives, s3:// addresses, or the names of environment "
                "variables that hold a database's URL.",
            ),
        ],
        text: Annotated[
            list[str] | None,
            typer.Option(help="Column of the text. Several are joined: --text title --text body."),
        ] = None,
        label: Annotated[str | None, typer.Option(help="Column of the label.")] = None,
        id_: Annotated[
            str | None, typer.Option("--id", help="Column that is unique in each row. '': none.")
        ] = None,
        time: Annotated[
            str | None, typer.Option(help="Column of the date or time. '': none.")
        ] = None,
        author: Annotated[
            str | None, typer.Option(help="Column of the author, kept as a pseudonym. '': none.")
        ] = None,
        part: Annotated[
            str | None,
            typer.Option(help="Column with train, validation or test of each row. '': none."),
        ] = None,
        kind: Annotated[
            str, typer.Option(help="Kind of the sources, such as csv. Default: detected.")
        ] = "",
        labels: Annotated[
            str,
            typer.Option(
                help="Classes to learn, such as 'billing,fault', or names of numbers, such as "
                "'0=negative,1=positive'. Default: all labels."
            ),
        ] = "",
        table: Annotated[str, typer.Option(help="Table of a database.")] = "",
        watermark: Annotated[
            str, typer.Option(help="Column of a database table that only grows.")
        ] = "",
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Take all proposals.")] = False,
        check: Annotated[bool, typer.Option("--check", help="Write nothing.")] = False,
        show_raw: Annotated[
            bool, typer.Option("--show-raw", help="Show examples with personal data.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Look at your data and write params.yaml for it.

        Finds the kind of each file, the columns of text, label, id, time and author, the classes,
        the languages and an official split; says what is odd; proposes classes, sources, limits
        and candidates. Personal data in examples are masked. --json alone writes nothing.

        Exit status: 0 done; 1 the data cannot be used; 2 an option or address is wrong or missing.

        Example: `newsloop init tickets.csv && newsloop run`
        """
        interrupts.keeps("params.yaml was not changed")
        ask = terminal() and not (yes or as_json)
        if not (yes or check or as_json or ask):
            raise UsageError(
                "Expected --yes to take all proposals or --check to see them, since nobody is "
                "here to answer. Add one of them and run again."
            )
        params, paths = project()
        from components import profile
        from components.core.params import effective
        from components.profile import databases, examine, findings, proposal
        from components.profile.locate import locate, unique

        single = {"label": label, "id": id_, "time": time, "author": author, "part": part}
        wishes = examine.Wishes.of(text or (), single, labels, watermark)
        privacy = open_privacy(params.ingest.scrub)
        entries = [
            complete
            for address in data
            for entry in locate(address, paths, kind)
            for complete in databases.with_tables(entry, table, params, paths)
        ]
        examined = [
            examine.examine(entry, wishes, params, paths, privacy.are_persons)
            for entry in unique(entries)
        ]
        if ask:
            examined = [_answered(source, wishes) for source in examined]
        profiled = profile.count(examined, wishes, params, paths)
        current = effective.plain(params)
        settings = proposal.propose(profiled, params, current["ingest"]["sources"])
        changes = proposal.changed(settings, current)
        shown = findings.describe(profiled, settings, changes, current, params, privacy, show_raw)
        if not as_json:
            output_profile.show(shown)
        written = bool(changes) and not check
        if written and not yes:
            written = ask and typer.confirm("Write this into params.yaml?")
        if written:
            proposal.write(paths.params, changes)
        output_profile.finish({**shown, "written": written}, paths.params, check, as_json)


def _answered(examined: Examined, wishes: Wishes) -> Examined:
    """Asks which column has a role where several fit, or none."""
    from components.profile.examine import chosen_again
    from components.profile.names import Role

    names = [column.name for column in examined.columns]
    doubts = dict(examined.roles.doubts)
    if names and not examined.roles.text:
        doubts[Role.TEXT] = tuple(names)
    if names and examined.roles.label is None:
        doubts[Role.LABEL] = tuple(names)
    answers = dict(wishes.columns)
    for role, columns in doubts.items():
        typer.echo(f"{examined.entry['name']}: columns that may be the {role}:", err=True)
        for number, column in enumerate(columns, 1):
            typer.echo(f"  {number}  {column}", err=True)
        number = 0
        while not 1 <= number <= len(columns):
            number = typer.prompt("Which one", 1, type=int, err=True)
        answers[role] = [columns[number - 1]]
    return chosen_again(examined, answers) if doubts else examined
