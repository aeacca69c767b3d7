"""The commands about who may use the service: newsloop api-key add, list, revoke."""

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
    """Adds the group `api-key` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="The keys of those who use the service.")
    app.add_typer(group, name="api-key")

    @group.command("add")
    def make(
        name: Annotated[str, typer.Argument(help="Who or what will use it; unique.")],
        scope: Annotated[
            list[str],
            typer.Option(
                help="predict, feedback, label (feedback that may decide alone) or admin "
                "(everything); again for more than one."
            ),
        ],
        as_json: Json = False,
    ) -> None:
        """Make a key. It is shown once, now, and kept nowhere; the service takes it at once."""
        key = api_keys.add(_file(), name, scope, datetime.now(UTC))
        output.say("Keep this key; it cannot be shown again:")
        output.lines([key], {"name": name, "scopes": scope, "key": key}, as_json)

    @group.command("list")
    def list_(as_json: Json = False) -> None:
        """List the keys, without what would let one use them."""
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
        name: Annotated[str, typer.Argument(help="The name of the key, or its id.")],
        as_json: Json = False,
    ) -> None:
        """Make a key invalid. A running service refuses it from its next request on."""
        gone = api_keys.revoke(_file(), name, datetime.now(UTC))
        output.lines([f"{gone.name} is revoked"], {"name": gone.name, "id": gone.id}, as_json)


def _file() -> Path:
    from serving import server

    return server.api_keys_file(Paths.find())
