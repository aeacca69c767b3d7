"""Ingest on a Dask cluster of real processes: the same bytes as here, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from components import ingest, snapshot
from components.core import params as parameters
from components.core.errors import ScrubError
from components.core.paths import Paths
from components.core.scrub import Scrubbed
from components.core.workers.base import SCHEDULER
from tests.project import articles, canary, free_ports

ROOT = Path(__file__).parents[2]
PROJECT = parameters.load(ROOT / "params.yaml")
DOCUMENTS = 240
CANARY = canary("dask")
PATTERNS = {"EMAIL_ADDRESS": "mask", "IP_ADDRESS": "mask"}


class Cluster:
    """A scheduler and workers on loopback, each a process of its own with a log."""

    def __init__(self, folder: Path, tls: dict[str, str] | None = None) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{free_ports(1)[0]}"
        # The cluster's processes import the work's module by its name, and ours from this tree.
        self._env = {name: value for name, value in os.environ.items() if name != SCHEDULER} | {
            **_PATH,
            "NEWSLOOP_HOME": str(folder / "home"),
            **(tls or {}),
        }
        host, port = self.address.partition("://")[2].split(":")
        self._start(
            "scheduler", "distributed.cli.dask_scheduler",
            "--host", host, "--port", port, "--no-dashboard",
        )  # fmt: skip

    def add_worker(
        self, module: str = "components.core.workers.dask_node"
    ) -> subprocess.Popen[bytes]:
        name = f"worker{len(self.processes)}"
        # Without a nanny the process that is killed is the one that works.
        return self._start(name, module, self.address, "--no-nanny", "--host", "127.0.0.1")

    def _start(self, name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT, env=self._env, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait(10)

    def files(self) -> list[bytes]:
        """All that the cluster left on the disk: logs, and what workers wrote in their folders."""
        return [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    started = Cluster(folder)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    texts = tmp_path / "texts" / "tech"
    texts.mkdir(parents=True)
    for i, text in enumerate(articles("tech", 0, DOCUMENTS)):
        (texts / f"{i:03}.txt").write_text(f"{text} Write to {CANARY}.")
    return Paths(tmp_path, tmp_path / "home")


def settings(entities: dict[str, str], seconds: float = 60) -> parameters.Params:
    ours = PROJECT.ingest
    source = parameters.Source(name="texts", kind="folder", path="texts")
    changes = {
        "sources": [source],
        "scrub": ours.scrub.model_copy(update={"entities": entities, "batch": 10, "workers": 2}),
        # Nothing is remembered: what was done here is done there again.
        "stream": ours.stream.model_copy(
            update={"rows": 50, "cluster_seconds": seconds, "remember": "never"}
        ),
    }
    return PROJECT.model_copy(update={"ingest": ours.model_copy(update=changes)})


# Ingest by itself; the work's module must have a name that the cluster knows too.
_PATH = {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}", "PATIENCE": "60"}
_RUN = """
import os, sys
from pathlib import Path
from components import ingest
from components.core.errors import NewsloopError
from components.core.paths import Paths
import test_dask
root = Path(sys.argv[1])
params = test_dask.settings(test_dask.PATTERNS, seconds=float(os.environ["PATIENCE"]))
work = test_dask.Slow(sys.argv[2]) if len(sys.argv) > 2 else test_dask.mask
try:
    ingest.run(params, Paths(root, root / "home"), work)
except NewsloopError as error:
    sys.exit(f"error: {error}")
"""


def written(paths: Paths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(paths.ingested.iterdir())}


@dataclass(frozen=True)
class Slow:
    """Masks the canary, slowly, and leaves the number of its process for each batch."""

    folder: str

    def __call__(self, texts: Sequence[str]) -> list[Scrubbed]:
        (Path(self.folder) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(0.4)
        return mask(texts)


def mask(texts: Sequence[str]) -> list[Scrubbed]:
    return [Scrubbed(t.replace(CANARY, "<EMAIL_ADDRESS>"), {"EMAIL_ADDRESS": 1}) for t in texts]


def leaks(texts: Sequence[str]) -> list[Scrubbed]:
    raise ValueError(f"cannot read {texts[0]}")


def test_a_worker_is_killed_in_the_middle_and_the_bytes_are_the_same(
    paths: Paths, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = settings(PATTERNS)
    marks = tmp_path / "marks"
    marks.mkdir()
    snapshot.run(params, paths)
    ingest.run(params, paths, Slow(str(marks)))
    here = written(paths)
    for mark in marks.iterdir():
        mark.unlink()

    workers = [cluster.add_worker(), cluster.add_worker()]
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(tmp_path), str(marks)], cwd=ROOT,
        env={**os.environ, **_PATH, SCHEDULER: cluster.address}, stderr=subprocess.PIPE,
    )  # fmt: skip
    victim = workers[0]
    deadline = time.monotonic() + 180
    while sum(mark.name.startswith(f"{victim.pid}-") for mark in marks.iterdir()) < 3:
        assert time.monotonic() < deadline and runner.poll() is None, "no work came to the worker"
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    _, said = runner.communicate(timeout=120)
    assert runner.returncode == 0, said.decode()[-3000:]
    assert written(paths) == here
    both = {int(mark.name.split("-")[0]) for mark in marks.iterdir()}
    assert both == {worker.pid for worker in workers}
    assert len(list(marks.iterdir())) > DOCUMENTS // 10  # what it held was done again
    assert not any(CANARY.encode() in content for content in cluster.files())


def test_the_real_scrubber_gives_the_same_bytes_there_as_here(
    paths: Paths, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = settings(PATTERNS)
    snapshot.run(params, paths)
    ingest.run(params, paths)
    here = written(paths)
    cluster.add_worker()
    cluster.add_worker()
    monkeypatch.setenv(SCHEDULER, cluster.address)
    ingest.run(params, paths)
    assert written(paths) == here
    assert CANARY.encode() not in here["documents.parquet"]


def test_with_certificates_nobody_works_without_one(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are those of docs/scale.md."""
    params = settings(PATTERNS)
    snapshot.run(params, paths)
    folder = tmp_path / "cluster"
    folder.mkdir()
    tls = certificates(tmp_path / "tls")
    cluster = Cluster(folder, tls)
    try:
        cluster.add_worker()
        done = run_elsewhere(tmp_path, {SCHEDULER: cluster.address, **tls})
        assert done.returncode == 0, done.stderr[-3000:]
        assert (paths.ingested / "documents.parquet").exists()
        plain = cluster.address.replace("tls://", "tcp://")
        for address in (cluster.address, plain):
            refused = run_elsewhere(tmp_path, {SCHEDULER: address, "PATIENCE": "5"})
            assert refused.returncode == 1
            assert f"Expected a Dask scheduler at {address}" in refused.stderr
    finally:
        cluster.end()


def certificates(folder: Path) -> dict[str, str]:
    """A key and a certificate that signs itself, as Dask's settings for everybody."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "newsloop-cluster")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cluster.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "cluster.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    tls = {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "cluster.crt"),
    }
    for who in ("SCHEDULER", "WORKER", "CLIENT"):
        tls[f"DASK_DISTRIBUTED__COMM__TLS__{who}__CERT"] = str(folder / "cluster.crt")
        tls[f"DASK_DISTRIBUTED__COMM__TLS__{who}__KEY"] = str(folder / "cluster.key")
    return tls


def run_elsewhere(root: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Ingest in a process of its own, whose Dask reads `env` when it is imported."""
    return subprocess.run(
        [sys.executable, "-c", _RUN, str(root)], cwd=ROOT, env={**os.environ, **_PATH, **env},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_failing_batch_shows_its_text_nowhere(
    paths: Paths, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = settings(PATTERNS)
    snapshot.run(params, paths)
    cluster.add_worker()
    monkeypatch.setenv(SCHEDULER, cluster.address)
    with pytest.raises(ScrubError, match="got ValueError") as caught:
        ingest.run(params, paths, leaks)
    assert CANARY not in str(caught.value) and caught.value.__cause__ is None
    assert not paths.ingested.exists()
    assert not any(CANARY.encode() in content for content in cluster.files())


def test_a_worker_that_may_write_to_its_disk_is_refused(
    paths: Paths, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = settings(PATTERNS)
    snapshot.run(params, paths)
    cluster.add_worker("distributed.cli.dask_worker")
    monkeypatch.setenv(SCHEDULER, cluster.address)
    with pytest.raises(ScrubError, match=r"writes to its disk.*workers\.dask_node"):
        ingest.run(params, paths)
    assert not paths.ingested.exists()


def test_a_cluster_without_workers_and_one_that_is_not_there_are_said(
    paths: Paths, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = settings(PATTERNS, seconds=15)
    snapshot.run(params, paths)
    monkeypatch.setenv(SCHEDULER, cluster.address)
    with pytest.raises(ScrubError, match="none came within 15 s"):
        ingest.run(params, paths)
    cluster.end()
    monkeypatch.setenv(SCHEDULER, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(ScrubError, match="Expected a Dask scheduler at"):
        ingest.run(settings(PATTERNS, seconds=2), paths)
    assert not paths.ingested.exists()
