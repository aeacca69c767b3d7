"""The Typer application: every module of the packages that panels.py lists is a command.

A command `newsloop some-name` lies in `GROUP/some_name.py`: the package is its group in the help,
and `add(app)` registers it. Nothing else names it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.models import CommandInfo, TyperInfo

from flows import cli
from flows.cli import panels


def build() -> typer.Typer:
    """The application with all commands, in the order of the help."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Learns to sort text into classes, and keeps doing it well by itself.",
        epilog="Start with `newsloop run`; then `newsloop up` keeps everything going. Exit status: "
        "0 done, 1 refused or failed (the reason on stderr), 2 wrong usage, 130 interrupted.",
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
        del version_  # its callback has ended the command

    for command in commands():
        command.add(app)
        _arrange(app, panel(command))
    return app


def commands() -> list[ModuleType]:
    """The modules of all commands, in the order of the help."""
    found = []
    for group in panels.ORDER:
        package = importlib.import_module(f"{cli.__name__}.{group}")
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
        found += sorted(modules, key=_place)
    return found


def panel(command: ModuleType) -> str:
    """The heading under which the help shows a command."""
    return panels.title(command.__name__.split(".")[-2])


def _place(command: ModuleType) -> tuple[int, str]:
    name = command.__name__.rpartition(".")[2]
    return panels.DAILY.index(name) if name in panels.DAILY else len(panels.DAILY), name


def _arrange(app: typer.Typer, heading: str) -> None:
    """Puts what was just registered into its panel, with text that flows at any width."""
    new: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for info in new:
        if isinstance(info.rich_help_panel, str):
            continue  # of an earlier module
        info.rich_help_panel = heading
        group = info.typer_instance if isinstance(info, TyperInfo) else None
        commands = group.registered_commands if group else [info]
        for command in commands:
            if isinstance(command, CommandInfo):
                command.help = flowing(command.help, command.callback)


def flowing(text: str | None, function: Callable[..., Any] | None) -> str:
    """A help text with one line a paragraph.

    Args:
        text: of the help; None: the function's docstring.
    """
    paragraphs = (text or inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"newsloop {version('newsloop')}")
        raise typer.Exit
