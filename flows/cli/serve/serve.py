"""The command `newsloop serve`."""

from __future__ import annotations

import typer

from flows.cli import common
from flows.cli.common import OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Registers the command."""

    @app.command()
    def serve() -> None:
        """Run only the service, in the foreground, with the champion.

        Address and port: serve.host and serve.port in params.yaml. Ctrl-C stops the service.
        `newsloop up` runs it in the background instead, with the deployments. `newsloop status`
        knows both, and `newsloop down` ends both.
        """
        params, paths = project()
        open_ledger(paths).need_champion("to serve")
        from flows import stack

        stack.become_service(params, paths)
