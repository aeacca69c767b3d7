"""Rows 11 and 12: a candidate that cannot be served, and one that is better by luck alone.

A rehearsal starts the real service, so only one candidate here goes so far. One that stands its
rehearsal is in tests/pipeline/test_loop.py; the limits of time, memory and size in
tests/unit/stages/test_gate.py.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from benchmarks.operations import gate_simulation
from components import gate
from components.core import bundle, params
from components.core import ledger as ledgers
from components.core.errors import BundleError, StackError
from components.core.ledger import Ledger
from components.core.paths import Paths
from components.core.runtime import long_running
from components.gate.checks import rehearsed
from flows import rehearsal, stack
from serving import status
from tests import judged

SETTINGS = params.load(Path(__file__).parents[2] / "params.yaml").gate
QUICK = SETTINGS.model_copy(update={"resamples": 300})
TRIES = int(os.environ.get("NEWSLOOP_TRIES", "150"))  # 1000 in the drill


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
    asked = made.params.gate.model_copy(update={"rehearse": True})
    made.params = made.params.model_copy(update={"gate": asked})
    return made


@pytest.fixture
def spoiled(case: judged.Case, tmp_path: Path) -> Iterator[judged.Case]:
    """The case; its candidate is as it was afterwards."""
    shutil.copytree(case.paths.packaged, tmp_path / "packaged")
    shutil.copytree(case.paths.evaluated, tmp_path / "evaluated")
    yield case
    for name, place in (("packaged", case.paths.packaged), ("evaluated", case.paths.evaluated)):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / name, place)


def decided(case: judged.Case) -> gate.Decision:
    book = Ledger(ledgers.url(case.paths.ledger))
    try:
        return gate.judge(case.params, case.paths, book)
    finally:
        book.close()


def test_what_a_killed_rehearsal_left_is_ended_and_removed(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    left = Paths(tmp_path / "rehearsal-x", tmp_path / "rehearsal-x" / "home")
    with subprocess.Popen(["sleep", "600"]) as orphan:
        long_running.record(left.processes, stack.SERVICE, orphan.pid, "http://127.0.0.1:1")
        rehearsal.sweep(paths)
        assert not psutil.pid_exists(orphan.pid)
    assert list(tmp_path.iterdir()) == []


def resigned(case: judged.Case) -> str:
    return bundle.sign(case.paths.bundle, case.paths.keys)


def test_nan_is_refused(spoiled: judged.Case) -> None:
    model = spoiled.paths.bundle / bundle.MODEL
    shutil.rmtree(model)
    save_nan(model, len(spoiled.params.ingest.labels))
    assert spoiled.params.serve.log == "json"
    found = rehearsal.run(spoiled.params, spoiled.paths, resigned(spoiled))
    # The sentence alone, whatever the service's log looks like.
    assert found.problem == (
        "Expected probabilities from the model, got NaN or infinity. Do not release it; "
        "`newsloop rollback` brings the one before it back."
    )
    decision = decided(spoiled)
    assert decision.verdict == "refuse"
    assert found.problem in decision.reasons
    assert not list(spoiled.paths.home.glob("rehearsal-*"))
    left = [
        one.pid
        for one in psutil.process_iter(["environ"])
        if str(spoiled.paths.home) in (one.info["environ"] or {}).get("NEWSLOOP_HOME", "")
    ]
    assert left == []


def test_a_weight_that_is_no_number_is_refused_with_a_log_of_plain_text(
    spoiled: judged.Case,
) -> None:
    file = spoiled.paths.bundle / bundle.MODEL / "shortcut.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["bag"][3, 0] = np.nan
    np.savez(file, **arrays)
    serve = spoiled.params.serve.model_copy(update={"log": "text"})
    params = spoiled.params.model_copy(update={"serve": serve})
    found = rehearsal.run(params, spoiled.paths, resigned(spoiled))
    assert found.problem is not None
    assert found.problem.startswith("Expected a loadable model in ")
    assert found.problem.endswith(", got: a weight is NaN or infinite.")
    assert found.problem in decided(spoiled).reasons


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


def test_a_service_that_is_not_ready_in_time_says_nothing_about_the_candidate(
    case: judged.Case,
) -> None:
    """Neither does one that the machine ends; the next run rehearses again."""
    asked = case.params.gate.model_copy(update={"rehearsal_seconds": 0.01})
    hurried = case.params.model_copy(update={"gate": asked})
    found = rehearsal.run(hurried, case.paths, case.candidate)
    assert found.problem is None
    assert found.undecided is not None
    assert "within 0.01 s (gate.rehearsal_seconds)" in found.undecided
    decision = decided(case)
    assert (decision.verdict, decision.reasons) == ("cannot say", [found.undecided])
    assert not gate.stood(case.params, case.paths, case.candidate)
    assert not list(case.paths.home.glob("rehearsal-*"))
    (case.paths.rehearsals / f"{case.candidate}.json").unlink()


def test_a_service_that_ends_or_stops_answering_says_nothing_about_the_candidate(
    tmp_path: Path,
) -> None:
    scene = Paths(tmp_path, tmp_path)
    scene.logs.mkdir()
    (scene.logs / f"{stack.SERVICE}.log").write_text("Killed\n")
    with (
        httpx.Client(base_url="http://127.0.0.1:1") as http,
        pytest.raises(StackError, match="to run, it ended: Killed"),
    ):
        rehearsal.wait(scene, http, 9)
    state = status.Status(status.Code.NO_MEMORY, "There was no memory.", "x")
    status.writer(scene.home / "status.json")(state)
    with httpx.Client() as http, pytest.raises(StackError, match="There was no memory"):
        rehearsal.wait(scene, http, 9)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "no memory left"),
        (OSError(errno.ENOSPC, "No space left on device"), "make room on it"),
        (StackError("The port is taken."), "The port is taken"),
    ],
)
def test_a_machine_that_cannot_rehearse_says_nothing_about_the_candidate(
    case: judged.Case, error: Exception, words: str
) -> None:
    def fails(*_: object) -> rehearsal.Found:
        raise error

    found = rehearsal.run(case.params, case.paths, case.candidate, fails)
    assert found.problem is None
    assert words in (found.undecided or "")
    (case.paths.rehearsals / f"{case.candidate}.json").unlink()


GOLDEN = [{"text": word, "predicted": "a", "confidence": 0.9} for word in ("one", "two", "three")]


@pytest.mark.parametrize(
    ("label", "confidence", "hostile", "found"),
    [
        ("a", 0.9, 400, (1.0, 1.0)),
        ("a", 0.90009, 413, (1.0, 1.0)),
        ("b", 0.9, 400, (0.0, 1.0)),  # the classes stand in another order
        ("a", 0.8, 400, (0.0, 1.0)),
        ("a", 0.9, 500, (1.0, 0.0)),
        ("a", 0.9, 200, (1.0, 0.0)),
    ],
)
def test_other_answers_than_the_evaluation_had_are_counted(
    case: judged.Case,
    label: str,
    confidence: float,
    hostile: int,
    found: tuple[float, float],
) -> None:
    """A service that is none: it knows three texts and answers all else with one status."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.content in [f'{{"texts":["{one["text"]}"]}}'.encode() for one in GOLDEN]:
            said = {"label": label, "confidence": confidence}
            return httpx.Response(200, json={"predictions": [said]})
        return httpx.Response(hostile)

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service") as http:
        told = rehearsal.ask(case.params, http, GOLDEN, rehearsal.Found("x"))
    assert (told.equal, told.refused) == found
    checks = rehearsed({**asdict(told), "memory_mib": 1.0}, case.params.gate)
    assert all(check.passed for check in checks) is (found == (1.0, 1.0))


def test_a_corrupt_candidate_is_refused_before_anything_starts(spoiled: judged.Case) -> None:
    name = bundle.verify(spoiled.paths.bundle, spoiled.paths.keys)
    file = spoiled.paths.bundle / bundle.MODEL / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-1])
    found = rehearsal.run(spoiled.params, spoiled.paths, name)
    assert found.problem is not None
    assert "altered: model/saved_model.pb" in found.problem
    with pytest.raises(BundleError, match="altered"):
        decided(spoiled)
    (spoiled.paths.rehearsals / f"{name}.json").unlink()
