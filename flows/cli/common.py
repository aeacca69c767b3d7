"""What the files of commands share: the way to the project, and --json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths

Project = Callable[[], tuple[Params, Paths]]  # settings and places, or an error that says why not
OpenLedger = Callable[[Paths], Ledger]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]
