"""The commands `newsloop api-key add`, `list` and `revoke`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from components.core.paths import Paths
from flows.cli import output
from flows.cli.common import Json
from serving.http import api_keys


def add(app: typer.Typer) -> None:
    """Registers the commands."""
    group = typer.Typer(no_args_is_help=True, help="Add, list or revoke API keys of the service.")
    app.add_typer(group, name="api-key")

    @group.command("add")
    def make(
        name: Annotated[str, typer.Argument(help="Unique name of the key's user.")],
        scope: Annotated[
            list[str],
            typer.Option(
                help="predict, feedback, label (feedback that may decide alone) or admin "
                "(everything); repeat the option for several."
            ),
        ],
        as_json: Json = False,
    ) -> None:
        """Make a key and print it once; only its hash is stored.

        A running service accepts the key at once.

        Example: `newsloop api-key add newsroom --scope predict --scope feedback`
        """
        key = api_keys.add(_file(), name, scope, datetime.now(UTC))
        output.say("Keep this key; it cannot be shown again:")
        output.lines([key], {"name": name, "scopes": scope, "key": key}, as_json)

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """List names, ids, scopes and dates of the keys, without their secrets."""
        keys = api_keys.load(_file())
        rows = [
            {"name": key.name, "id": key.id, "scopes": list(key.scopes), "created": key.created,
             "revoked": key.revoked}
            for key in keys
        ]  # fmt: skip
        lines = [
            f"{key.name}  nl_{key.id}_...  {' '.join(key.scopes)}  made {key.created[:10]}"
            + (f", revoked {key.revoked[:10]}" if key.revoked else "")
            for key in keys
        ]
        output.lines(
            lines or ["no keys; `newsloop api-key add` makes one"], {"keys": rows}, as_json
        )

    @group.command("revoke")
    def revoke(
        name: Annotated[str, typer.Argument(help="Name of the key, or its id.")],
        as_json: Json = False,
    ) -> None:
        """Revoke a key. A running service refuses it from the next request on."""
        gone = api_keys.revoke(_file(), name, datetime.now(UTC))
        output.lines([f"{gone.name} is revoked"], {"name": gone.name, "id": gone.id}, as_json)


def _file() -> Path:
    from serving import server

    return server.api_keys_file(Paths.find())
