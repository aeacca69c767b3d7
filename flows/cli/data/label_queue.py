"""The command `newsloop label-queue`."""

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
    """Registers the command."""

    @app.command("label-queue")
    def label_queue(
        out: Annotated[
            Path | None, typer.Argument(help="New file to write, .csv or .jsonl.")
        ] = None,
        count: Annotated[int, typer.Option(min=1, help="Texts to label.")] = 50,
        read: Annotated[
            Path | None, typer.Option(help="File with labels to read as feedback.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Write the texts whose labels help most, or read the labels back.

        Selects predictions of the champion with low confidence that differ from each other. Fill
        in the column label, then pass the file to --read. The texts are scrubbed; delete the file
        afterwards.

        Example: `newsloop label-queue todo.csv --count 30`, then `newsloop label-queue --read
        todo.csv`
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
            line = (
                f"labels stored: {counts['accepted']}, known already: {counts['duplicate']}, of "
                f"unknown predictions: {counts['unknown']}"
            )
            output.lines([line], counts, as_json)
            return
        assert out is not None
        if out.exists():
            raise UsageError(f"Expected a new file, {out} is there already. Name another one.")
        limit = params.monitor.queue_candidates
        answers = ledger_windows.unlabelled(ledger, champion.bundle, limit)
        chosen = [answers[i] for i in queue.choose(answers, count)]
        queue.write(chosen, out)
        line = f"{len(chosen)} of the newest {len(answers)} predictions without label are in {out}"
        output.lines([line], {"written": len(chosen), "candidates": len(answers)}, as_json)
