"""HAZARDS 11 and 12: a candidate that cannot be served, and one that is better by luck alone.

A rehearsal starts the real service; only those candidates are rehearsed that no cheaper look finds.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import gate_simulation
from components import gate
from components.core import bundle, params, tables
from components.core import ledger as ledgers
from components.core.errors import BundleError
from components.core.ledger import Ledger
from flows import rehearsal
from tests import judged

SETTINGS = params.load(Path(__file__).parents[2] / "params.yaml").gate
QUICK = SETTINGS.model_copy(update={"resamples": 300})
TRIES = 150


# 12


def test_an_equal_or_worse_candidate_is_released_in_at_most_5_percent() -> None:
    found = gate_simulation.tries(QUICK, TRIES, gate_simulation.SIZES, (-0.03, 0.0), seed=1)
    assert found.total() == TRIES
    assert found["release"] <= 0.05 * TRIES, found


def test_an_equal_candidate_is_released_in_at_most_5_percent() -> None:
    found = gate_simulation.tries(QUICK, TRIES, (1000,), (0.0, 0.0), seed=2)
    assert found["release"] <= 0.05 * TRIES, found


def test_a_candidate_three_points_better_on_1000_is_released_in_80_percent() -> None:
    found = gate_simulation.tries(QUICK, TRIES, (1000,), (0.03, 0.03), seed=3)
    assert found["release"] >= 0.8 * TRIES, found


# 11


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> judged.Case:
    made = judged.Case(tmp_path_factory.mktemp("candidates"))
    changes = {"rehearse": True, "rehearsal_texts": 20, "max_latency_ms": 5000.0}
    asked = made.params.gate.model_copy(update=changes)
    made.params = made.params.model_copy(update={"gate": asked})
    return made


@pytest.fixture(scope="module")
def good(case: judged.Case) -> rehearsal.Found:
    return rehearsal.run(case.params, case.paths, case.candidate)


@pytest.fixture
def spoiled(case: judged.Case, tmp_path: Path) -> Iterator[judged.Case]:
    """The case; its candidate is as it was afterwards."""
    shutil.copytree(case.paths.packaged, tmp_path / "packaged")
    shutil.copytree(case.paths.evaluated, tmp_path / "evaluated")
    yield case
    for name, place in (("packaged", case.paths.packaged), ("evaluated", case.paths.evaluated)):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / name, place)


def verdict(case: judged.Case, **changes: Any) -> str:
    asked = case.params.gate.model_copy(update=changes)
    book = Ledger(ledgers.url(case.paths.ledger))
    try:
        return gate.judge(case.params.model_copy(update={"gate": asked}), case.paths, book).verdict
    finally:
        book.close()


def test_a_sound_candidate_stands_its_rehearsal(case: judged.Case, good: rehearsal.Found) -> None:
    assert (good.problem, good.texts, good.equal, good.refused) == (None, 20, 1.0, 1.0)
    assert good.p95_ms is not None
    assert good.memory_mib is not None
    assert 0 < good.p95_ms < 5000
    assert 50 < good.memory_mib < 3000
    assert verdict(case) == "release"


def test_nothing_of_a_rehearsal_is_left(case: judged.Case, good: rehearsal.Found) -> None:
    assert not list(case.paths.home.glob("rehearsal-*"))
    left = [
        one.info["cmdline"]
        for one in psutil.process_iter(["cmdline", "environ"])
        if str(case.paths.home) in (one.info["environ"] or {}).get("NEWSLOOP_HOME", "")
    ]
    assert left == []
    assert not case.paths.ledger.exists() or not Ledger(ledgers.url(case.paths.ledger)).versions()


@pytest.mark.parametrize(
    "limit", [{"max_latency_ms": 0.01}, {"max_memory_mib": 10.0}, {"max_bundle_mib": 0.001}]
)
def test_too_slow_or_too_large_is_refused(
    case: judged.Case, good: rehearsal.Found, limit: dict[str, float]
) -> None:
    assert verdict(case, **limit) == "refuse"


def resigned(case: judged.Case) -> str:
    return bundle.sign(case.paths.bundle, case.paths.keys)


def test_nan_is_refused(spoiled: judged.Case) -> None:
    model = spoiled.paths.bundle / bundle.MODEL
    shutil.rmtree(model)
    save_nan(model, len(spoiled.params.ingest.labels))
    found = rehearsal.run(spoiled.params, spoiled.paths, resigned(spoiled))
    assert found.problem is not None
    assert "got NaN or infinity" in found.problem
    assert verdict(spoiled) == "refuse"


def save_nan(folder: Path, classes: int) -> None:
    import tensorflow as tf

    class Nan(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
        def predict(self, texts):  # type: ignore[no-untyped-def]
            count = tf.shape(texts)[0]
            nothing = tf.fill([count, classes], float("nan"))
            return {
                "probabilities": nothing,
                "features": nothing,
                "words": tf.ones([count], tf.int32),
                "unknown_share": tf.zeros([count]),
            }

    module = Nan()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.predict})


def test_wrong_labels_are_refused(spoiled: judged.Case) -> None:
    """The classes stand in another order than the model learned them."""
    facts = tables.read_json(spoiled.paths.bundle / bundle.FACTS)
    labels = facts["labels"][1:] + facts["labels"][:1]
    tables.write_json({**facts, "labels": labels}, spoiled.paths.bundle / bundle.FACTS)
    found = rehearsal.run(spoiled.params, spoiled.paths, resigned(spoiled))
    assert (found.problem, found.equal) == (None, 0.0)
    assert verdict(spoiled) == "refuse"


def test_a_corrupt_candidate_is_refused_before_anything_starts(spoiled: judged.Case) -> None:
    name = bundle.verify(spoiled.paths.bundle, spoiled.paths.keys)
    file = spoiled.paths.bundle / bundle.MODEL / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-1])
    found = rehearsal.run(spoiled.params, spoiled.paths, name)
    assert found.problem is not None
    assert "altered: model/saved_model.pb" in found.problem
    with pytest.raises(BundleError, match="altered"):
        verdict(spoiled)
    (spoiled.paths.rehearsals / f"{name}.json").unlink()
