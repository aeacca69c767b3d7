"""An installation that monitoring watches: a real ledger and a signed bundle without a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from components.core import bundle, keys, ledger, params
from components.core.bundle import Model, Predictions
from components.core.ledger import PREDICTIONS, TEXTS, Ledger
from components.core.params import Params
from components.core.paths import Paths
from components.core.target import SingleLabel
from monitoring import monitor

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
WATERMARK = 7


def sample(rows: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "label": rng.choice(["a", "b"], rows),
            "confidence": rng.beta(9, 1, rows).astype(np.float32),
            "words": rng.poisson(300, rows).astype(np.int32),
            "unknown_share": rng.beta(1, 30, rows).astype(np.float32),
            "feature_0": rng.normal(shift, size=rows).astype(np.float32),
        }
    )


class Reader(Model):
    """Stands where a loaded model stands: the signals of a text are what the text says they are."""

    def __init__(self, folder: Path, key_folder: Path) -> None:
        bundle.verify(folder, key_folder)
        self.target = SingleLabel(["a", "b"])
        self.labels = self.target.classes

    def predict(self, texts: Sequence[str]) -> Predictions:
        rows = [json.loads(text) for text in texts]
        column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return Predictions(
            labels=column["label"].tolist(),
            confidence=column["confidence"].astype(np.float32),
            probabilities=np.zeros((len(rows), 2), np.float32),
            words=column["words"].astype(np.int32),
            unknown_share=column["unknown_share"].astype(np.float32),
            features=column["feature_0"].astype(np.float32)[:, None],
            abstained=np.zeros(len(rows), bool),
        )


@dataclass
class World:
    """An installation with a champion; predictions and labels are added as a test needs them."""

    paths: Paths
    ledger: Ledger
    params: Params
    bundle: str = ""
    served: int = 0

    @classmethod
    def make(cls, folder: Path) -> World:
        """One under `folder`, with a first champion; close its ledger in the end."""
        paths = Paths(folder, folder / "home")
        keys.ensure(paths.keys)
        settings = params.load(Paths.find().params)
        # The texts are numbers in JSON: no language.
        validate = settings.validate_.model_copy(update={"languages": []})
        settings = settings.model_copy(update={"validate_": validate})
        world = cls(paths, Ledger(ledger.url(paths.ledger)), settings)
        world.govern(drifted_windows=1, last_windows=1)
        world.release()
        return world

    def govern(self, **changes: object) -> None:
        """Changes the governor's policy; at first one drifted window is enough."""
        governor = self.params.governor.model_copy(update=changes)
        self.params = self.params.model_copy(update={"governor": governor})

    def release(self, version: int = 1) -> None:
        folder = self.paths.bundles / "draft"
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "saved_model.pb").write_bytes(b"no model")
        facts = {"labels": ["a", "b"], "version": version}
        self.bundle = bundle.write(folder, facts, sample(300, 0), self.paths.keys)
        folder.rename(self.paths.bundles / self.bundle)
        row = {
            "version": version,
            "bundle": self.bundle,
            "time": NOW,
            "tag": f"newsloop@v{version}.0.0",
            "commit": "0" * 40,
            "dvc_lock": "0" * 64,
            "snapshot": "0" * 64,
            "metrics": {},
            "decision": {"verdict": "release", "feedback_watermark": WATERMARK},
        }
        self.ledger.add_version(row, "a test")

    def serve(self, rows: int, shift: float = 0.0) -> None:
        signals = sample(rows, 1 + self.served, shift).to_dicts()
        texts = [
            {"prediction_id": f"{self.served + i:032x}", "text": json.dumps(row)}
            for i, row in enumerate(signals)
        ]
        self.ledger.insert(
            PREDICTIONS,
            [
                {
                    "id": f"{self.served + i:032x}",
                    "time": NOW,
                    "bundle": self.bundle,
                    "probabilities": {},
                    "features": [row.pop("feature_0")],
                    **row,
                }
                for i, row in enumerate(signals)
            ],
        )
        self.ledger.insert(TEXTS, texts)
        self.served += rows

    def label(self, count: int) -> None:
        """Labels `count` predictions; it may be called once."""
        self.ledger.add_labels(((f"{i:032x}", "a") for i in range(count)), NOW)

    def run(self, hours: float = 0, *, draw: bool = True) -> monitor.Outcome:
        now = NOW + timedelta(hours=hours)
        return monitor.run(self.params, self.paths, now, self.ledger, Reader, draw=draw)
