"""The command `newsloop keys rotate`."""

from __future__ import annotations

from typing import Annotated

import typer

from components.core.paths import Paths
from flows.cli import common, output
from flows.cli.common import Json, Project


def add(app: typer.Typer, project: Project = common.project) -> None:
    """Registers the command."""

    keys_app = typer.Typer(no_args_is_help=True, help="Replace keys of this installation.")
    app.add_typer(keys_app, name="keys")

    @keys_app.command()
    def rotate(
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        as_json: Json = False,
    ) -> None:
        """Destroy the pseudonym key and make a new one.

        Afterwards nobody can link old pseudonyms to persons. Clears the cache of scrubbed texts,
        so that the next `newsloop run` scrubs all documents again. Cannot be undone.
        """
        _, paths = project()
        _rotate(paths, yes, as_json)


def _rotate(paths: Paths, yes: bool, as_json: bool) -> None:
    from components.core import keys
    from components.core.scrub import suppression
    from flows.dvc import workspace

    if not yes:
        common.confirm("Destroy the pseudonym key? Then nobody can link old pseudonyms to persons.")
    with workspace.alone(paths):
        # Counted first: after a kill in between, ingest runs once too often, never too rarely.
        suppression.note_rotation(paths)
        keys.rotate_pseudonym_key(paths.keys)
        for file in paths.home.glob(f"{paths.scrub_cache.name}*"):
            file.unlink(missing_ok=True)
    output.lines(
        [
            "The pseudonym key is new, the old one is destroyed, the cache of scrubbed texts is "
            "deleted.",
            "data/ keeps old pseudonyms until `newsloop run` writes it again; earlier versions "
            "keep them.",
            "Commit data/suppression.json: it counts the rotations, so that ingest runs again.",
        ],
        {"rotations": suppression.read(paths)["rotations"]},
        as_json,
    )
