"""The command `newsloop run`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from components.core.errors import NotReleased
from components.core.runtime import interrupts
from flows import environment, privacy_report
from flows.cli import common, output, output_learning
from flows.cli.common import Json, Project


def add(
    app: typer.Typer,
    project: Project = common.project,
) -> None:
    """Registers the command."""

    @app.command()
    def run(
        reason: Annotated[
            str, typer.Option(help="Reason of the run; stored with the release.")
        ] = "a person",
        as_json: Json = False,
    ) -> None:
        """Train on the sources and release the model if it passes the gate.

        Takes a snapshot of the sources in params.yaml, then runs ingest, validate, split, train,
        evaluate, package, rehearse, gate and release. Stages without changes are skipped. Starts a
        local Prefect server if none answers; `newsloop down` stops it.

        Exit status: 0 also if the champion stays because no candidate is proven better; 1 if the
        gate refuses every candidate, or if a rehearsal has no result. Without a release the run
        ends with the checks that failed, and with the next steps.

        Example: `newsloop run --reason "new source of sports articles"`
        """
        interrupts.keeps("finished stages and epochs are kept; the same command goes on")
        params, paths = project()
        from flows import stack
        from flows.dvc import workspace

        workspace.settle(paths)
        output.say("Prefect server ...")
        stack.ensure_server(params, paths)
        from flows.learning import learning

        def end(summary: dict[str, Any]) -> None:
            summary["privacy"] = privacy_report.read(paths)
            output_learning.show(summary, paths, environment.server_url(params), as_json)

        try:
            end(learning(str(paths.root), str(paths.home), reason, in_place=True))
        except NotReleased as error:
            if error.summary is not None:
                end(error.summary)
            raise
