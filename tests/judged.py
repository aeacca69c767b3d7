"""What the gate reads, made in a second: a packaged candidate, its evaluation, and champions.

The test side has 60 texts, 12 of each class; half of the texts with numbers from 48 on came by
feedback. The candidate knows every class, `equal` does too, `blind` takes tech for business.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from components.core import bundle, schema, tables
from components.core import params as parameters
from components.core.ledger import LABELS, PREDICTIONS, Champion, Ledger
from components.core.paths import Paths
from tests import tiny

ROOT = Path(__file__).parents[1]
PER_CLASS = 12


def documents() -> pl.DataFrame:
    """60 documents: a word of its class each, and a number so that no two are equal."""
    rows: list[dict[str, object]] = []
    for place, label in enumerate(tiny.LABELS):
        for i in range(PER_CLASS):
            number = place * PER_CLASS + i
            source = "feedback" if number >= 48 else "archive"
            text = f"the {tiny.WORDS[label][i % 3]} of day {number}"
            rows.append(
                {"id": f"{source}/{number:032x}", "text": text, "label": label, "source": source}
            )
    return schema.documents([dict.fromkeys(schema.DOCUMENT) | row for row in rows])


class Case:
    """A project folder in `root` as it is after the package stage.

    Attributes:
        candidate, equal, blind: names of bundles; the last two lie in the bundle store.
    """

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root, root / "home")
        shutil.copy(ROOT / "params.yaml", root)
        loaded = parameters.load(self.paths.params)
        limits = {"rehearse": False, "slice_documents": 12, "max_calibration_error": 1.0}
        ingest = loaded.ingest.model_copy(update={"labels": list(tiny.LABELS)})
        gate = loaded.gate.model_copy(update=limits)
        self.params = loaded.model_copy(update={"gate": gate, "ingest": ingest})
        self.candidate = tiny.make_bundle(self.paths.bundle, self.paths.keys)
        Ledger(f"sqlite:///{self.paths.ledger}").close()  # none is made beside bundles
        shutil.copytree(self.paths.bundle, self.paths.bundles / self.candidate)
        code = self.paths.bento / "src"
        shutil.copytree(self.paths.bundle, code / "bundle")
        bundle.sign(code, self.paths.keys)
        bundle.sign(self.paths.bento, self.paths.keys)
        self._evaluate()

    @cached_property
    def equal(self) -> str:
        return self._store(1, None)

    @cached_property
    def blind(self) -> str:
        return self._store(2, {**tiny.WORDS, "tech": ("none",)})

    def _store(self, seed: int, words: Mapping[str, Sequence[str]] | None) -> str:
        draft = self.paths.bundles / "draft"
        name = tiny.make_bundle(draft, self.paths.keys, seed=seed, words=words)
        draft.rename(self.paths.bundles / name)
        return name

    def _evaluate(self) -> None:
        test = documents()
        found = bundle.load(self.paths.bundle, self.paths.keys).predict(test["text"].to_list())
        tables.write_table(test, self.paths.split / "test.parquet")
        answers = test.select("id", actual="label").with_columns(
            predicted=pl.Series(found.labels), confidence=pl.Series(found.confidence).round(6),
            majority=pl.lit(tiny.LABELS[0]), baseline=pl.col("actual"),
        )  # fmt: skip
        tables.write_table(answers, self.paths.evaluated / "predictions.parquet")
        measured: dict[str, Any] = {
            "architecture": "textcnn",
            "documents": len(test),
            "accuracy": {"value": 1.0, "low": 0.94, "high": 1.0},
            "macro_f1": {"value": 1.0, "low": 1.0, "high": 1.0},
            "calibration_error": 0.02,
            "classes": {label: {"recall": 1.0, "f1": 1.0} for label in tiny.LABELS},
            "baseline": {"name": "TF-IDF + LinearSVC", "problem": None},
        }
        tables.write_json(measured, self.paths.evaluated / "metrics.json")
        tables.write_json({"leaks": 0}, self.paths.validated / "validation.json")

    def deploy(self, name: str) -> Champion:
        return tiny.deploy(self.paths, name)

    def label(self, ledger: Ledger, ids: list[str], origin: str | None = None) -> None:
        """People say that these predictions are tech; `origin`: asked by whom, if by anybody."""
        row = {
            "time": tiny.NOW, "bundle": self.blind, "label": "business", "confidence": 0.9,
            "probabilities": {}, "words": 5, "unknown_share": 0.0, "features": [],
        }  # fmt: skip
        ledger.insert(PREDICTIONS, [{**row, "id": id_} for id_ in ids])
        said = {"label": "tech", "time": tiny.NOW, "origin": origin}
        ledger.insert(LABELS, [{**said, "prediction_id": id_} for id_ in ids])
