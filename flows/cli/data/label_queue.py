"""The command that asks people for labels: newsloop label-queue."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from components.core import bundle, tables
from components.core.errors import UsageError
from components.core.ledger import labels
from components.core.ledger import windows as ledger_windows
from flows.cli import common, output
from flows.cli.common import Json, OpenLedger, Project


def add(
    app: typer.Typer,
    project: Project = common.read_project,
    open_ledger: OpenLedger = common.open_ledger,
) -> None:
    """Adds the command to `app`; `project` and `open_ledger` are those of the other commands."""

    @app.command("label-queue")
    def label_queue(
        out: Annotated[
            Path | None, typer.Argument(help="A new file that ends with .csv or .jsonl.")
        ] = None,
        count: Annotated[int, typer.Option(min=1, help="Texts to label.")] = 50,
        read: Annotated[
            Path | None, typer.Option(help="A file with labels filled in, to take as feedback.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Write the texts that are best labelled next, or read the labels back.

        Chooses answers of the champion that it was unsure of and that differ from each other. Fill
        in the column label, then give the file to --read. The texts are scrubbed. Delete the file
        when you are done.
        """
        if (out is None) == (read is None):
            raise UsageError("Expected either a file to write or --read with a file, not both.")
        from monitoring import label_queue as queue

        params, paths = project()
        ledger = open_ledger(paths)
        champion = ledger.need_champion("whose answers need labels")
        if read is not None:
            folder = paths.bundles / champion.bundle
            bundle.verify(folder, paths.keys)
            pairs = queue.read(read, tables.read_json(folder / bundle.FACTS)["labels"])
            counts = ledger.add_labels(
                pairs, datetime.now(UTC), ledger_windows.QUEUE, labels.OPERATOR
            )
            line = f"labels taken: {counts['accepted']}, known already: {counts['duplicate']}, " + (
                f"of unknown predictions: {counts['unknown']}"
            )
            output.lines([line], counts, as_json)
            return
        assert out is not None
        if out.exists():
            raise UsageError(f"Expected a new file, {out} is there already. Name another one.")
        most = params.monitor.queue_candidates
        answers = ledger_windows.unlabelled(ledger, champion.bundle, most)
        chosen = [answers[i] for i in queue.choose(answers, count)]
        queue.write(chosen, out)
        line = f"{len(chosen)} of the newest {len(answers)} answers without label are in {out}"
        output.lines([line], {"written": len(chosen), "candidates": len(answers)}, as_json)
