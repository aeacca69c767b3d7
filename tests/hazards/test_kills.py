"""Rows 1, 3, 8 and 14: killed anywhere, the next run needs no hand and gives the same bundle.

`benchmarks/operations/kills.py` does the same to whole real runs, 20 times.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core import bundle
from components.core.ledger import Ledger
from components.core.paths import Paths
from components.release import journal
from components.release.journal import ReleaseStep
from tests import killing

RANDOM_KILLS = 4
AT_ONCE = 6
SEED = 8
MOST_SECONDS = 120  # for one run


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a first version."""
    root = tmp_path_factory.mktemp("kills") / "project"
    killing.make_project(root)
    for name in killing.NAMES:
        killing.by_hand(root, name)
    killing.commit(root)
    assert finish(root) == 0, log(root)
    return root


@pytest.fixture(scope="module")
def packaged(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same project with another bundle, so that only the release is left to do."""
    root = tmp_path_factory.mktemp("packaged") / "project"
    shutil.copytree(learned, root, symlinks=True)
    paths = Paths(root, root / ".newsloop")
    shutil.rmtree(paths.bundle)
    killing.bundle_of(paths.bundle, paths.keys, "anew")
    killing.commit(root, "package")
    return root


@pytest.fixture
def paths(request: pytest.FixtureRequest, tmp_path: Path) -> Paths:
    """A copy of the project that the test names."""
    root = tmp_path / "project"
    shutil.copytree(request.getfixturevalue(request.param), root, symlinks=True)
    return Paths(root, root / ".newsloop")


@pytest.fixture
def ledger(paths: Paths) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{paths.ledger}")
    yield opened
    opened.close()


def finish(root: Path) -> int:
    return killing.start(root).wait(MOST_SECONDS)


def log(root: Path) -> str:
    return (root / ".newsloop" / "run.log").read_text()


def new_data(root: Path, news: str) -> str:
    """Changes what the sources hold; the name of the bundle that comes of it."""
    file = root / "data" / "sources.json"
    file.write_text(file.read_text().replace("one", news))
    made = root.parent / f"expected-{news}"
    (made / "data").mkdir(parents=True)
    shutil.copy(file, made / "data")
    shutil.copytree(root / ".newsloop" / "keys", made / ".newsloop" / "keys")
    for name in killing.NAMES:
        killing.by_hand(made, name)
    return bundle.verify(made / killing.folder("package") / "bundle", root / ".newsloop" / "keys")


@pytest.mark.parametrize("paths", ["packaged"], indirect=True)
@pytest.mark.parametrize("step", list(ReleaseStep))
def test_killed_at_each_step_of_a_release(paths: Paths, ledger: Ledger, step: str) -> None:
    champion = ledger.champion()
    assert champion is not None
    old, new = champion.bundle, bundle.verify(paths.bundle, paths.keys)
    # Nobody passes the last step, the ledger row, while we hold the ledger.
    with ledger.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        process = killing.start(paths.root)
        deadline = time.monotonic() + MOST_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            entry = journal.read(paths)
            if entry and [*ReleaseStep].index(entry.step) >= [*ReleaseStep].index(step):
                break
            time.sleep(0.0005)
        process.kill()
        assert process.wait() == -9, log(paths.root)
    killing.check_after_kill(paths, ledger, old, new)
    assert finish(paths.root) == 0, log(paths.root)
    killing.check_in_the_end(paths, ledger, old, new)


@pytest.mark.parametrize("paths", ["learned"], indirect=True)
def test_killed_at_random_times_of_a_run(paths: Paths, ledger: Ledger) -> None:
    champion = ledger.champion()
    assert champion is not None
    old, new = champion.bundle, new_data(paths.root, "two")
    moments = random.Random(SEED)
    killed = 0
    while killed < RANDOM_KILLS:
        process = killing.start(paths.root)
        try:
            process.wait(moments.uniform(1, 6))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
            killing.check_after_kill(paths, ledger, old, new)
    assert killed
    assert finish(paths.root) == 0, log(paths.root)
    killing.check_in_the_end(paths, ledger, old, new)
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        cwd=paths.root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert status.stdout.strip() == "{}"


@pytest.mark.parametrize("paths", ["packaged"], indirect=True)
def test_runs_at_once_are_one(paths: Paths, ledger: Ledger) -> None:
    """The others say that somebody is at work; nothing is done twice, nothing is lost."""
    champion = ledger.champion()
    assert champion is not None
    old, new = champion.bundle, bundle.verify(paths.bundle, paths.keys)
    runs = [killing.start(paths.root) for _ in range(AT_ONCE)]
    ended = [one.wait(MOST_SECONDS) for one in runs]
    assert 0 in ended
    assert log(paths.root).count("errors.Busy: ") == AT_ONCE - ended.count(0), log(paths.root)
    killing.check_in_the_end(paths, ledger, old, new)
