"""DVC's remote on a real S3-compatible server: release, restore, and what is said when it fails."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import botocore.session
import httpx
import pytest
from moto.server import ThreadedMotoServer

from components import release
from components.core import bundle, tables
from components.core.errors import ReleaseError, UsageError
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows import versions
from flows.versions import restore
from tests import killing
from tests.tiny import make_bundle

# The server, which runs in this process, leaves files of its answers open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
SECRET = "hunter2-hunter2"
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'  # noqa: E501


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that asks for keys, with the bucket `store`; keys in os.environ."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
        }.items():
            patch.setenv(name, value)
        session = botocore.session.get_session()
        s3, iam = session.create_client("s3"), session.create_client("iam")
        s3.create_bucket(Bucket="store")
        iam.create_user(UserName="tester")
        iam.put_user_policy(UserName="tester", PolicyName="all", PolicyDocument=POLICY)
        key = iam.create_access_key(UserName="tester")["AccessKey"]
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        httpx.post(f"{address}/moto-api/reset-auth", content=b"0", trust_env=False)
        yield address
        # Whether keys are asked for is one setting for all servers of a process.
        httpx.post(f"{address}/moto-api/reset-auth", content=b"inf", trust_env=False)
        s3.close()
        iam.close()
    server.stop()


def dvc(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments, "--quiet"]
    subprocess.run(command, cwd=root, check=True)


def configure(root: Path, url: str, address: str) -> None:
    (root / ".dvc" / "config").write_text(
        "[core]\n    remote = store\n    analytics = false\n    check_update = false\n"
        f"['remote \"store\"']\n    url = {url}\n    endpointurl = {address}\n"
    )


def learn(paths: Paths, seed: int) -> str:
    """What the stages would have made, with a bundle that can be loaded; its name."""
    here = Path.cwd()
    os.chdir(paths.root)
    try:
        for name in killing.NAMES[:-1]:
            killing.stage(name)
    finally:
        os.chdir(here)
    shutil.rmtree(paths.packaged, ignore_errors=True)
    made = make_bundle(paths.bundle, paths.keys, seed=seed)
    killing.commit(paths.root)
    return made


@pytest.fixture(scope="module")
def paths(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project with two releases whose data lie in the bucket."""
    root = tmp_path_factory.mktemp("s3") / "project"
    killing.make_project(root)
    configure(root, "s3://store/newsloop", s3)
    killing.git(root, "commit", "--quiet", "--all", "-m", "S3")
    made = Paths(root, root / ".newsloop")
    ledger = Ledger(f"sqlite:///{made.ledger}")
    for seed in (0, 1):
        learn(made, seed)
        release.publish(made, ledger, {}, 0, NOW, "a test")
    assert versions.disagreements(made, ledger) == []
    ledger.close()
    return made


@pytest.fixture
def ledger(paths: Paths) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{paths.ledger}")
    yield opened
    opened.close()


def test_every_tag_comes_back_from_an_empty_clone(
    paths: Paths, ledger: Ledger, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    killing.git(paths.root, "clone", "--quiet", str(paths.root), str(clone))
    for row in ledger.versions():
        killing.git(clone, "checkout", "--quiet", row["tag"])
        dvc(clone, "pull")
        model = bundle.load(clone / "data" / "06_packaged" / "bundle", paths.keys)
        assert model.name == row["bundle"]
        assert model.predict(["a film and a singer", "goal"]).labels == ["entertainment", "sport"]


def test_restore_proves_every_hash(paths: Paths, ledger: Ledger, tmp_path: Path) -> None:
    row = ledger.versions()[-1]
    found = restore.restore(paths, row, tmp_path / "old", print)
    assert (found["tag"], found["commit"], found["gone"]) == ("newsloop@v1.0.0", row["commit"], [])
    files = [path for path in (tmp_path / "old" / "data").rglob("*") if path.is_file()]
    pins = [path for path in files if path.parent.name == "data"]
    assert found["files"] == len(files) - len(pins) > 10
    assert tables.file_hash(tmp_path / "old" / "dvc.lock") == row["dvc_lock"]
    with pytest.raises(UsageError, match="is not empty"):
        restore.restore(paths, row, tmp_path / "old", print)
    # DVC would not notice: an object of the remote that was altered, and one that is missing.
    place = Paths(tmp_path / "old", paths.home, checkout=paths.root)
    (place.split / "split.json").write_text("altered")
    (place.evaluated / "metrics.json").unlink()
    with pytest.raises(ReleaseError, match=r"05_evaluated/metrics\.json, .*03_split/split\.json"):
        restore.prove(place, row)


class Cutter:
    """A proxy that forgets a connection after some bytes of the answer."""

    def __init__(self, target: str, after: int) -> None:
        self._target, self._after = target.removeprefix("http://").split(":"), after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection((self._target[0], int(self._target[1]))) as far:
                far.sendall(client.recv(65536))
                client.sendall(far.recv(self._after))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.thread.join()


@pytest.fixture(scope="module")
def unpublished(paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """The same project with a third bundle, which no remote has."""
    root = tmp_path_factory.mktemp("unpublished") / "project"
    shutil.copytree(paths.root, root, symlinks=True)
    copy = Paths(root, root / ".newsloop")
    killing.bundle_of(copy.packaged / "new", copy.keys, "new")
    shutil.rmtree(copy.bundle)
    (copy.packaged / "new").rename(copy.bundle)
    killing.commit(root, "package")
    return copy


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong key", r"403.*denies access"),
        ("no bucket", r"NoSuchBucket.*Create the bucket"),
        ("cut", r"Connection was closed.*cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_and_the_champion_stays(
    unpublished: Paths, s3: str, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    cutter = Cutter(s3, after=20)
    url = "s3://no-such-store/x" if fault == "no bucket" else "s3://store/x"
    configure(unpublished.root, url, cutter.url if fault == "cut" else s3)
    if fault == "wrong key":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG0")
    ledger = Ledger(f"sqlite:///{unpublished.ledger}")
    before = ledger.deployments()
    try:
        with pytest.raises(ReleaseError, match=words) as caught:
            release.publish(unpublished, ledger, {}, 0, NOW, "a test")
        assert re.match(r"Expected `dvc push` to work", str(caught.value))
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)
        assert ledger.deployments() == before
    finally:
        cutter.close()
        ledger.close()
