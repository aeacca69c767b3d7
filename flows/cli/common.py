"""Code that commands share: finding the project, versions, common options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.errors import (
    NewsloopError,
    UsageError,
    cause_and_remedy,
)
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths
from flows import environment

Project = Callable[[], tuple[Params, Paths]]  # settings and places, or an error that says why not
OpenLedger = Callable[[Paths], Ledger]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]
Limit = Annotated[int, typer.Option(min=1, help="How many, the newest first.")]
Version = Annotated[str, typer.Argument(help="Such as v3, or 3.")]


def project() -> tuple[Params, Paths]:
    """Settings and places, with the environment settled; before Prefect is imported."""
    return _project(make=True)


def read_project() -> tuple[Params, Paths]:
    """As `project`, for commands that only read: nothing is made that is missing."""
    return _project(make=False)


def _project(make: bool) -> tuple[Params, Paths]:
    paths = Paths.find()
    params = parameters.load(paths.params)
    try:
        environment.settle(params, paths, make)
    except OSError as error:
        raise NewsloopError(
            f"Expected to write in {paths.home}, got: {cause_and_remedy(error)} Or set "
            "NEWSLOOP_HOME to another folder."
        ) from error
    environment.quiet_console()
    return params, paths


def open_ledger(paths: Paths) -> Ledger:
    """The ledger; an empty one in memory before the first run, since no command makes it."""
    return ledgers.existing(ledgers.url(paths.ledger))


def confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("Expected --yes, since nobody is here to answer. Add it and run again.")
    typer.confirm(question, abort=True, err=True)
