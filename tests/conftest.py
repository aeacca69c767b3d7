"""What all tests share with pytest itself, and the databases that a ledger may lie in."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.core.ledger import Ledger
from tests import object_store, postgres, tiny

_READABLE = 20  # bytes that still say something as a test's name
# The files that take longest, the longest first. Each is one worker's, so none may begin late.
_LONG = (
    "test_lost_processes.py", "test_upgrade.py", "test_drills.py", "test_loop.py",
    "test_erase.py", "test_privacy.py", "test_bad_input.py", "test_bad_data.py",
    "test_service.py", "test_killed_training.py", "test_dask.py", "test_architectures.py",
    "test_kills.py", "test_rollback.py", "test_swaps.py", "test_service_attacks.py",
    "test_two_services.py", "test_verdicts.py", "test_remote_s3.py", "test_hardware.py",
    "test_feedback_attacks.py", "test_state.py", "test_stalled_servers.py",
)  # fmt: skip

# Modules, tests and fixtures are no garbage; by default all of them are looked through each time
# their number has grown by a quarter.
gc.disable()
_YOUNG = 20_000  # new objects that are looked through together; by default 700
_UMASK = 0o022  # newsloop closes it for its process, and tests call its commands in theirs

# Under nohup a process ignores this signal, and so would every process that a test starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    gc.set_threshold(_YOUNG)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests come first, then what takes long, then the rest in the order of the folders."""

    def place(item: pytest.Item) -> int:
        if "unit" in item.path.parts:
            return -1
        return _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG)

    items.sort(key=place)


def pytest_make_parametrize_id(val: Any, argname: str) -> str | None:
    """Packed files hold the time of packing: names made of them differ between two processes."""
    if isinstance(val, bytes) and len(val) > _READABLE:
        return argname
    return None


@pytest.fixture(autouse=True)
def usual_umask() -> None:
    os.umask(_UMASK)


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this session have."""
    own = tmp_path_factory.getbasetemp()
    # With workers each has a folder of its own in one that is shared.
    tiny.shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    # What Numba compiles of this tree's code is the same in every installation of a test.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(tiny.shared / "numba"))
    return tiny.shared


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server with the right to make databases."""
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgres.server(programs) as address:
        yield address


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The address of an S3-compatible server."""
    with object_store.server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind that a ledger may lie in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return postgres.new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """An empty ledger in each kind of database."""
    opened = Ledger(database)
    yield opened
    opened.close()
