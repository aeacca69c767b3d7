"""The way back with the real service: seconds, once however often it is killed, never a circle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from components.core.ledger import deployments as ledger_deployments
from tests import tiny
from tests.served import PROJECT, Project, wait_for

MOST_SECONDS = 10  # from the command to the first answer by the old model
KILLED_AFTER = (0.5, 1.2)  # seconds; the command takes longer


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Three versions; the third serves. It looks at the ledger as often as params.yaml says."""
    project = Project(tmp_path_factory.mktemp("rollback"), follow_seconds=1)
    try:
        for seed in (1, 2):
            tiny.make_champion(project.paths, seed=seed)
        wait_for("the third version", lambda: answers_by(project) == "newsloop@v3.0.0")
        yield project
    finally:
        project.stop()
        project.ledger.close()


def answers_by(service: Project) -> str:
    return service.client.classify(["a film"]).model.split()[0]


def start(service: Project, *arguments: str) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "NEWSLOOP_HOME": str(service.paths.home),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments, "--json"],
        cwd=service.paths.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ask(service: Project, *arguments: str) -> tuple[int, str, str]:
    process = start(service, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_the_service_follows_a_way_back(service: Project) -> None:
    started = time.monotonic()
    status, out, err = ask(service, "rollback", "--because", "a test")
    assert (status, json.loads(out)["version"]) == (0, 2), err
    wait_for("the second version", lambda: answers_by(service) == "newsloop@v2.0.0")
    took = time.monotonic() - started
    print(f"rollback: {took:.1f} s to the first answer by the old model")
    assert took <= MOST_SECONDS
    rows = ledger_deployments.history(service.ledger)
    assert rows[-1]["reason"] == "rolled back from newsloop@v3.0.0: a test"


def test_killed_in_the_middle_there_is_one_champion(service: Project) -> None:
    """Row 14: at random moments, and when its row is about to be written."""
    before = ledger_deployments.history(service.ledger)
    for seconds in KILLED_AFTER:
        process = start(service, "rollback")
        time.sleep(seconds)
        process.kill()
        process.communicate()
    after = ledger_deployments.history(service.ledger)
    # Nothing, or one whole step: to the first version, from where there is no further way back.
    assert [row["version"] for row in after[len(before) :]] in ([], [1])
    service.ledger.deploy(3, datetime.now(UTC), "a test")
    before = ledger_deployments.history(service.ledger)
    with service.ledger.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        process = start(service, "rollback")
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert ledger_deployments.history(service.ledger) == before
    champion = service.ledger.champion()
    assert champion is not None
    wait_for("the champion", lambda: answers_by(service) == champion.tag)


def test_the_way_back_ends_at_the_first_version(service: Project) -> None:
    ask(service, "rollback", "v1")
    status, _, err = ask(service, "rollback")
    assert (status, "none" in err) == (1, True), err
    assert "Traceback" not in err
    history = json.loads(ask(service, "models")[1])
    assert [row["version"] for row in history] == [3, 2, 1]
    assert history[2]["served"][-1]["until"] is None
    moment = history[2]["served"][-1]["from"].replace(" ", "T")
    assert json.loads(ask(service, "at", moment)[1])["version"] == 1
