"""newsloop in Python: a project as an object whose methods return Polars tables.

>>> from newsloop import Project

docs/tutorial.ipynb goes through all methods. The commands of `newsloop` do the same and more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from components.core import params as parameters
from components.core import tables
from components.core.errors import NewsloopError, UsageError
from components.core.params import Params
from components.core.paths import Paths

if TYPE_CHECKING:
    import polars as pl

    from components.core.bundle import Bundle

__all__ = ["Project"]
_SIDES = ("train", "validation", "test")


class Project:
    """A newsloop project.

    Args:
        folder: the project, or a folder in it: a clone of newsloop, with params.yaml and dvc.yaml.

    Raises:
        UsageError: there is no project at or above `folder`.
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.paths = Paths.find(Path(folder))
        self._loaded: Bundle | None = None

    @property
    def params(self) -> Params:
        """The settings in params.yaml, as they are now."""
        return parameters.load(self.paths.params)

    def init(self, *data: str | Path) -> str:
        """Looks at data and writes params.yaml for them, as `newsloop init DATA --yes`.

        Args:
            data: files, folders, archives or addresses.

        Returns:
            What was found and written, as text.

        Raises:
            NewsloopError: the data cannot be used.
        """
        return self._command("init", "--yes", *map(str, data))

    def run(self, reason: str = "a person") -> str:
        """Trains, evaluates and releases a model if it passes the gate, as `newsloop run`.

        Returns:
            Stages, metrics, decision and addresses, as text.

        Raises:
            NewsloopError: a stage failed, or the gate refused every candidate.
        """
        self._loaded = None
        return self._command("run", "--reason", reason)

    def data(self) -> pl.DataFrame:
        """Reads the sources, scrubs, validates and splits the documents.

        Returns:
            The documents with id, text, label, source, time, author, and side: train, validation
            or test; with fold where a test side would be too small.
        """
        import polars as pl

        from components import folds, snapshot

        with self._alone():
            snapshot.run(self.params, self.paths)
            self._bring_up_to("split")
        documents = folds.read(self.paths)
        if documents is not None:
            return documents
        sides = {side: tables.read_table(self.paths.split / f"{side}.parquet") for side in _SIDES}
        return pl.concat([table.with_columns(side=pl.lit(side)) for side, table in sides.items()])

    def train(self, candidate: str | None = None) -> pl.DataFrame:
        """Trains one candidate.

        Args:
            candidate: one of train.candidates; None: the first.

        Returns:
            One row: architecture, documents, validation_accuracy, validation_loss, temperature and
            abstain_below, the confidence below which the model is unsure.
        """
        import polars as pl

        from components import snapshot

        candidates = self.params.train.candidates
        if candidate is not None and candidate not in candidates:
            raise UsageError(
                f"Expected one of {', '.join(candidates)} (train.candidates), got {candidate}. Add "
                "it to params.yaml."
            )
        self._loaded = None
        with self._alone():
            if not self.paths.snapshot.exists():
                snapshot.run(self.params, self.paths)
            snapshot.choose(candidate or candidates[0], self.paths)
            self._bring_up_to("train")
        facts = tables.read_json(self.paths.trained / "training.json")
        names = ("validation_accuracy", "validation_loss", "temperature", "abstain_below")
        return pl.DataFrame(
            {
                "architecture": facts["architecture"],
                "documents": facts["train_documents"],
                **{name: facts[name] for name in names},
            }
        )

    def evaluate(self) -> pl.DataFrame:
        """Measures the trained candidate on the test side, and packs it into a signed bundle.

        Returns:
            Accuracy, macro F1 and each class's recall: metric, value, and low and high of the
            interval, which are null for a recall.
        """
        import polars as pl

        self._loaded = None
        with self._alone():
            self._bring_up_to("package")
        measured = tables.read_json(self.paths.evaluated / "metrics.json")
        rows = [{"metric": name, **measured[name]} for name in ("accuracy", "macro_f1")]
        rows += [
            {"metric": f"recall of {label}", "value": scores["recall"]}
            for label, scores in measured["classes"].items()
        ]
        shape = {"metric": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
        return pl.DataFrame(rows, schema=shape)

    def predict(self, texts: Sequence[str]) -> pl.DataFrame:
        """Predicts texts by the champion, or by the candidate before the first release.

        Nothing is recorded in the ledger.

        Returns:
            For each text label, confidence, abstained, and novelty, which is above 1 for a text
            unlike those that the model learned from.
        """
        import polars as pl

        found = self._bundle().predict(list(texts))
        return pl.DataFrame(
            {
                "label": found.labels,
                "confidence": found.confidence,
                "abstained": found.abstained,
                "novelty": found.novelty,
            }
        )

    def explain(self, text: str) -> pl.DataFrame:
        """Explains the label of a text.

        Returns:
            A row for each distinct word: word, and its weight for the label (above 0) or against
            it, the largest absolute weight first.
        """
        import polars as pl

        (explanation,) = self._bundle().explain([text])
        weights = explanation.weights
        table = pl.DataFrame({"word": list(weights), "weight": list(weights.values())})
        return table.sort(pl.col("weight").abs(), descending=True, maintain_order=True)

    def ledger(self, table: str) -> pl.DataFrame:
        """Reads a table of the ledger, such as versions, predictions or decisions.

        Raises:
            UsageError: there is no such table; the message names all.
        """
        import polars as pl
        import sqlalchemy as sa

        from components.core import ledger as ledgers
        from components.core.ledger.tables import METADATA

        if table not in METADATA.tables:
            known = ", ".join(sorted(METADATA.tables))
            raise UsageError(f"Expected a table of the ledger, {known}, got {table}.")
        columns = METADATA.tables[table]
        opened = ledgers.existing(ledgers.url(self.paths.ledger))
        try:
            rows = opened.query(sa.select(columns))
        finally:
            opened.close()
        names = [column.name for column in columns.columns]
        return pl.DataFrame(rows, schema=None if rows else names, infer_schema_length=None)

    def _bundle(self) -> Bundle:
        from components.core import bundle
        from components.core import ledger as ledgers

        if self._loaded is None:
            opened = ledgers.existing(ledgers.url(self.paths.ledger))
            try:
                champion = opened.champion()
            finally:
                opened.close()
            folder = self.paths.bundles / champion.bundle if champion else self.paths.bundle
            if not folder.exists():
                raise UsageError(
                    "Expected a model, there is none yet. Call evaluate(), or run() to release one."
                )
            self._loaded = bundle.load(folder, self.paths.keys)
        return self._loaded

    def _bring_up_to(self, last: str) -> None:
        """Runs the changed stages up to `last` by DVC."""
        from flows.dvc import pipeline

        stages = pipeline.stages(self.paths)
        for stage in stages[: stages.index(last) + 1]:
            pipeline.repro(stage, self.paths)
        pipeline.complete(self.paths)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the lock of learning runs, with one process for all commands of DVC."""
        from flows import environment
        from flows.dvc import process, workspace

        environment.settle(self.params, self.paths)
        workspace.settle(self.paths)
        with workspace.alone(self.paths), process.shared(self.paths):
            yield

    def _command(self, *arguments: str) -> str:
        # A notebook asks programs for colours, which a text has not.
        plain = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "CLICOLOR_FORCE")}
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=self.paths.root, env=plain, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise NewsloopError(done.stderr.strip().removeprefix("error: "))
        return done.stdout
