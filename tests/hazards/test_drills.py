"""Rows 5, 6, 11, 12 and 28 on the real stack: each drill of `newsloop drill`, in one sandbox.

They run in their order: each begins where the one before has ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from components.core import keys
from components.core.paths import Paths
from flows.sandbox import Sandbox, drills, scenario
from flows.sandbox.scenario import Scene
from tests.project import LABELS, QUICKEST, ROOT, articles, empty_database

# What is tried here is what goes around a model: little is asked of the model itself.
QUICK = {
    "evaluate.resamples": 100,
    "evaluate.explained_documents": 4,
    "evaluate.behaviour_documents": 3,
    "gate.rehearse": False,
    "monitor.resamples": 20,
    "ingest.scrub.workers": 1,
    **QUICKEST,
}


class Quick(Sandbox):
    """A sandbox whose Prefect server need not make its database."""

    def prepare(self, learned: pl.DataFrame) -> None:
        super().prepare(learned)
        empty_database(self.home)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    paths = Paths(ROOT, tmp_path_factory.mktemp("drills"))
    keys.ensure(paths.keys)
    texts = [(label, text) for label in LABELS for text in articles(label, 0, 400)]
    rows = [(f"bbc/{i}", text, label) for i, (label, text) in enumerate(texts)]
    documents = pl.DataFrame(rows, schema=["id", "text", "label"], orient="row")
    raw = dict(zip(documents["id"], documents["text"], strict=True))
    parts = scenario.divide(documents, raw, list(LABELS))
    sandbox = Quick(paths, "drill", {**scenario.SETTINGS, **QUICK})
    with scenario.stage(sandbox, parts) as made:
        yield made


@pytest.mark.parametrize("name", drills.DRILLS)
def test_its_promises_are_kept(scene: Scene, name: str) -> None:
    found = drills.act(scene, name)
    assert found
    assert [what for what, kept in found if not kept] == []
