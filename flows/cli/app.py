"""Typer application: every module of the packages in panels.py is a command.

`GROUP/some_name.py` defines the command `newsloop some-name`: the package is its group in the help,
and `add(app)` registers it. No list of commands exists.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from importlib.metadata import version
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.models import CommandInfo, TyperInfo

from flows import cli
from flows.cli import panels


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """Builds the application with all commands, in the order of the help.

    Args:
        arguments: of the command line. If the first one names a command, the application has no
            other, since the imports of all commands take longer than most commands.
    """
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Trains, releases, serves and monitors a text classifier, and retrains it on drift.",
        epilog="Start with `newsloop init DATA`, which writes params.yaml for your data, and "
        "`newsloop run`, which trains and releases a model. `newsloop up` then "
        "starts the service and the schedules. Exit status: 0 done, 1 refused or failed (the "
        "reason is on stderr), 2 wrong usage or settings, 130 interrupted.",
    )

    @app.callback()
    def options(
        version_: Annotated[
            bool,
            typer.Option(
                "--version", help="Show the version and exit.", callback=_version, is_eager=True
            ),
        ] = False,
    ) -> None:
        del version_  # the option's callback ended the command

    for command in commands(arguments[0] if arguments else None):
        command.add(app)
        _arrange(app, panel(command))
    return app


def commands(name: str | None = None) -> list[ModuleType]:
    """Imports the modules of all commands; returns them in the order of the help.

    Args:
        name: of the only command to import; all are imported if there is no such command.
    """
    ordered = []
    for group in panels.ORDER:
        package = importlib.import_module(f"{cli.__name__}.{group}")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        if name is not None and name.replace("-", "_") in names:
            return [importlib.import_module(f"{package.__name__}.{name.replace('-', '_')}")]
        modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
        ordered += sorted(modules, key=_rank)
    return ordered


def panel(command: ModuleType) -> str:
    """Returns the heading under which the help shows a command."""
    return panels.title(command.__name__.split(".")[-2])


def _rank(command: ModuleType) -> tuple[int, str]:
    name = command.__name__.rpartition(".")[2]
    return panels.DAILY.index(name) if name in panels.DAILY else len(panels.DAILY), name


def _arrange(app: typer.Typer, heading: str) -> None:
    """Moves the newest commands into the panel `heading`, with help that wraps at any width."""
    new: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for info in new:
        if isinstance(info.rich_help_panel, str):
            continue  # registered by an earlier module
        info.rich_help_panel = heading
        group = info.typer_instance if isinstance(info, TyperInfo) else None
        commands = group.registered_commands if group else [info]
        for command in commands:
            if isinstance(command, CommandInfo):
                command.help = flowing(command.help, command.callback)


def flowing(text: str | None, function: Callable[..., Any] | None) -> str:
    """Joins the lines of each paragraph of a help text.

    Args:
        text: help text; None: the function's docstring.
    """
    paragraphs = (text or inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"newsloop {version('newsloop')}")
        raise typer.Exit
