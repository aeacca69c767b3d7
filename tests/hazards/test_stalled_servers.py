"""Row 50: each other process or server hangs, and the call to it ends all the same.

A remote is an S3-compatible server under SIGSTOP, whose kernel still accepts connections, or a
listener that accepts them and never answers; a database is PostgreSQL with a stopped backend.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from components.core import bundle, git
from components.core.databases import postgresql as connections
from components.core.errors import LedgerError, NewsloopError
from components.core.ledger import Ledger
from components.core.paths import Paths
from components.core.runtime import stale_processes
from components.release import journal
from components.sources.stores import RemoteStore
from flows.dvc import process, stores, workspace
from flows.stack import free_ports
from tests import killing, object_store, postgres
from tests.served import wait_for

PUSH_SECONDS = 6  # more than DVC takes to start and to push to a server that answers
MOTO = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
# Accepts connections, or rather: the kernel does, and nobody ever reads.
SILENT = (
    "import socket, sys, time; made = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
    " kept = []\nwhile True: kept.append(made.accept())"
)


@pytest.fixture(scope="module")
def remote() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An S3-compatible server with the bucket `store`, as a process that can be stopped."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-c", MOTO, str(port)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip

        def answers() -> bool:
            try:
                return httpx.get(address, trust_env=False, timeout=2).is_success
            except httpx.HTTPError:
                return False

        wait_for("moto", answers)
        client = object_store.client(address)
        client.create_bucket(Bucket="store")
        client.close()
        yield server, address
        server.send_signal(signal.SIGCONT)
        server.kill()


@pytest.fixture
def silent() -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen([sys.executable, "-c", SILENT, str(port)]) as server:
        time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
        server.kill()


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, remote: tuple[subprocess.Popen[bytes], str]
) -> Path:
    """A project with a champion, whose data were pushed to the remote."""
    root = tmp_path_factory.mktemp("stalled") / "project"
    killing.make_project(root)
    point(root, remote[1])
    for name in killing.NAMES:
        killing.by_hand(root, name)
    killing.commit(root)
    assert learn(root, 60) == 0, log(root)
    return root


def point(root: Path, address: str) -> None:
    """Makes the server at `address` the project's remote."""
    (root / ".dvc" / "config").write_text(
        "[core]\n    remote = store\n    analytics = false\n    check_update = false\n"
        f"['remote \"store\"']\n    url = s3://store/data\n    endpointurl = {address}\n"
    )


def learn(root: Path, push_seconds: float) -> int:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in object_store.environment("").items():
            if value:
                patch.setenv(name, value)
        patch.setenv(killing.PUSH_SECONDS, str(push_seconds))
        return killing.start(root).wait(push_seconds + 60)


def log(root: Path) -> str:
    return (root / ".newsloop" / "run.log").read_text()


def test_a_push_to_a_stopped_server_ends_and_the_next_run_releases(
    project: Path, remote: tuple[subprocess.Popen[bytes], str]
) -> None:
    paths = Paths(project, project / ".newsloop")
    ledger = Ledger(f"sqlite:///{paths.ledger}")
    champion = ledger.champion()
    assert champion is not None
    sources = project / "data" / "sources.json"
    sources.write_text(sources.read_text().replace("one", "two"))
    news = sources.read_text()
    remote[0].send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    assert learn(project, PUSH_SECONDS) != 0
    assert time.monotonic() - begun < PUSH_SECONDS + 30
    assert f"Expected `dvc push` to end within {PUSH_SECONDS / 60:g} minutes" in log(project)
    with workspace.alone(paths):  # the lock is free
        assert stale_processes.find([project]) == []
    assert ledger.champion() == champion
    assert bundle.verify(paths.bundles / champion.bundle, paths.keys) == champion.bundle
    remote[0].send_signal(signal.SIGCONT)
    sources.write_text(news)  # a snapshot would read it again
    assert learn(project, 60) == 0, log(project)
    new = ledger.champion()
    ledger.close()
    assert new is not None
    assert new.tag == "newsloop@v2.0.0"
    assert journal.read(paths) is None
    assert log(project).count("train ran") == 1  # once for each of the two snapshots


def test_a_remote_that_accepts_and_says_nothing_is_given_up(
    project: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(project, silent)
    for name, value in object_store.environment(silent).items():
        monkeypatch.setenv(name, value)
    paths = Paths(project, project / ".newsloop")
    begun = time.monotonic()
    with pytest.raises(process.StageFailed, match="`dvc pull` to end within"):
        process.ask(paths, "pull", seconds=6)
    monkeypatch.setattr(stores, "_CALL_SECONDS", 1.0)
    (_, store) = stores.open_stores(project)
    for call in (store.ids, lambda: store.read("0" * 32), lambda: store.changed("0" * 32)):
        with pytest.raises(NewsloopError, match="no answer within 1 s"):
            call()
    monkeypatch.setattr("components.sources.stores._CALL_SECONDS", 1.0)
    source = RemoteStore("s3", "s3://store/texts")
    with pytest.raises(OSError, match="no answer in time"):
        source.what()
    assert time.monotonic() - begun < 30
    assert stale_processes.find([project]) == []


def test_git_on_a_remote_that_says_nothing_is_given_up(project: Path, silent: str) -> None:
    with pytest.raises(NewsloopError, match="did not and was ended"):
        git.run(project, "ls-remote", f"{silent}/origin.git", seconds=1)


def test_a_postgresql_that_stops_in_a_statement_is_given_up(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 1.0)
    ledger = Ledger(postgres.new_database(postgresql))
    pid = sa.select(sa.func.pg_backend_pid())
    stopped = []

    def stop(connection: sa.Connection) -> None:
        stopped.append(connection.execute(pid).scalar_one())
        os.kill(stopped[-1], signal.SIGSTOP)

    begun = time.monotonic()
    try:
        with (
            pytest.raises(LedgerError, match="no answer within 1 s"),
            ledger.transaction() as connection,
        ):
            stop(connection)
            connection.execute(pid)
        with (
            pytest.raises(LedgerError, match="no answer within 1 s"),
            ledger.transaction() as other,
        ):
            stop(other)  # and then the commit
        with ledger.transaction() as third:
            stopped.append(third.execute(pid).scalar_one())
        os.kill(stopped[-1], signal.SIGSTOP)
        assert ledger.versions() == []  # by a new connection: a waiting one is asked first
        assert time.monotonic() - begun < 10
    finally:
        for backend in stopped:
            os.kill(backend, signal.SIGCONT)
    ledger.close()


def test_a_postgresql_that_accepts_and_says_nothing_is_given_up(silent: str) -> None:
    address = f"postgresql+psycopg://user@{silent.removeprefix('http://')}/ledger"
    begun = time.monotonic()
    with pytest.raises(LedgerError, match="timeout"):
        Ledger(f"{address}?connect_timeout=2")
    assert time.monotonic() - begun < 10
