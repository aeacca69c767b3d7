"""Hazards 44 and 45: the ledger is replaced under the service; who may read the state."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from components.core import bundle, keys
from components.core import ledger as ledgers
from components.core.errors import BundleError, LedgerError, NewsloopError
from components.core.ledger import PREDICTIONS
from components.core.params import edit
from components.core.runtime.private import close_state
from tests import tiny
from tests.modes import readable_by_others
from tests.served import PROJECT, Project, wait_for

NOTICED_SECONDS = 5
TEXT = {"texts": ["the film and the singer"]}


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """A service that was started with a umask that takes nothing from anybody.

    pytest's own folders are closed; this one may be entered by all users.
    """
    root = Path(tempfile.mkdtemp(prefix="newsloop-state-"))
    root.chmod(0o755)
    try:
        running = Project(root, ["sh", "-c", 'umask 000; exec "$@"', "sh"], follow_seconds=0.5)
        try:
            yield running
        finally:
            running.stop()
            running.ledger.close()
    finally:
        shutil.rmtree(root)


def classify(project: Project, count: int = 5) -> set[str]:
    """Ids of predictions that were answered."""
    ids = set()
    for _ in range(count):
        answer = project.http.post("/classify", json=TEXT)
        assert answer.status_code == 200
        ids.add(answer.json()["predictions"][0]["prediction_id"])
    return ids


def in_ledger(project: Project) -> list[str]:
    """Ids of the rows; none while another file comes into the ledger's place.

    SQLite then finds the write-ahead log of the former file, until the service opens the new one.
    """
    with (
        closing(sqlite3.connect(f"file:{project.paths.ledger}?mode=ro", uri=True)) as database,
        suppress(sqlite3.OperationalError),
    ):
        return [row[0] for row in database.execute("SELECT id FROM predictions")]
    return []


def metric(project: Project, name: str) -> int:
    lines = project.http.get("/metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"{name} "))


def backup(project: Project) -> Path:
    """A copy of the ledger, as `sqlite3 .backup` makes one."""
    copy = project.paths.root / "backup.sqlite"
    with (
        closing(sqlite3.connect(project.paths.ledger)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def test_a_ledger_that_is_deleted_is_noticed_and_loses_no_prediction(project: Project) -> None:
    before = classify(project)
    wait_for("rows", lambda: before <= set(in_ledger(project)))
    copy = backup(project)
    project.paths.ledger.unlink()
    during = classify(project)
    wait_for("notice", lambda: metric(project, "newsloop_ledger_away") == 1, NOTICED_SECONDS)
    during |= classify(project)
    assert "The ledger is away" in project.http.get("/readyz").text
    assert project.http.get("/readyz").status_code == 200
    wait_for("spool", lambda: metric(project, "newsloop_rows_spooled_total") >= len(during), 10)
    label = {"labels": [{"prediction_id": next(iter(before)), "label": "tech"}]}
    assert project.http.post("/feedback", json=label).status_code == 503
    assert "restore it from a backup" in project.log.read_text()
    # Nobody makes an empty one in its place.
    with pytest.raises(LedgerError, match="released bundles lie beside it"):
        ledgers.opened(f"sqlite:///{project.paths.ledger}")
    assert not project.paths.ledger.exists()
    copy.rename(project.paths.ledger)
    wait_for("reopening", lambda: metric(project, "newsloop_ledger_away") == 0, NOTICED_SECONDS)
    assert project.http.get("/readyz").text == "Ready.\n"
    wait_for("delivery", lambda: during <= set(in_ledger(project)), 30)
    after = classify(project)
    wait_for("rows", lambda: after <= set(in_ledger(project)))
    ids = in_ledger(project)
    assert len(ids) == len(set(ids)) and before <= set(ids)


def test_a_ledger_that_is_replaced_in_one_step_gets_what_comes_afterwards(
    project: Project,
) -> None:
    former = classify(project)
    wait_for("rows", lambda: former <= set(in_ledger(project)))
    backup(project).rename(project.paths.ledger)
    ids = classify(project, 20)
    wait_for("rows", lambda: ids <= set(in_ledger(project)), 20)
    assert len(project.rows(PREDICTIONS)) == len(in_ledger(project))  # this process follows, too
    with closing(sqlite3.connect(project.paths.ledger)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_ledger_that_is_moved_away_and_back_loses_nothing(project: Project) -> None:
    aside = project.paths.root / "aside.sqlite"
    project.paths.ledger.rename(aside)
    ids = classify(project)
    wait_for("notice", lambda: metric(project, "newsloop_ledger_away") == 1, NOTICED_SECONDS)
    aside.rename(project.paths.ledger)
    wait_for("delivery", lambda: ids <= set(in_ledger(project)), 30)


def test_an_empty_file_in_its_place_is_no_ledger(project: Project) -> None:
    copy = shutil.copy(backup(project), project.paths.root / "kept.sqlite")
    project.paths.ledger.unlink()
    project.paths.ledger.touch()
    ids = classify(project)
    wait_for("notice", lambda: metric(project, "newsloop_ledger_away") == 1, NOTICED_SECONDS)
    assert "an empty file is in its place" in project.log.read_text()
    Path(copy).rename(project.paths.ledger)
    wait_for("delivery", lambda: ids <= set(in_ledger(project)), 30)


# Who may read.


def run(project: Project, *module: str) -> None:
    """Runs a module in the project as a process of its own, with umask 000."""
    root, home = str(project.paths.root), str(project.paths.home)
    environment = os.environ | {"NEWSLOOP_HOME": home, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=root, env=environment, umask=0, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_another_user_of_the_machine_reads_nothing_of_the_state(project: Project) -> None:
    root, paths = project.paths.root, project.paths
    text = root / "texts" / "tech" / "1.txt"
    text.parent.mkdir(parents=True)
    text.write_text("A computer and the internet, and software for both of them.")
    sources = [{"name": "texts", "kind": "folder", "path": "texts"}]
    edit.set_values(paths.params, {"ingest.sources": sources, "ingest.scrub.workers": 1})
    # What an earlier version left open.
    left = [paths.logs / "service.log", root / ".dvc" / "cache" / "files" / "md5" / "aa" / "b",
            root / "data" / "05_evaluated" / "report.html"]  # fmt: skip
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("text of a person")
        file.chmod(0o644)
    (root / "data").chmod(0o755)
    paths.home.chmod(0o755)
    run(project, "components.snapshot")
    run(project, "components.ingest")
    run(project, "flows.cli", "decisions")
    assert (paths.ingested / "documents.parquet").is_file() and paths.scrub_cache.is_file()
    assert (paths.spool.parent / "ledger.sqlite-wal").is_file()
    assert readable_by_others(root, paths.home) == []
    if os.geteuid() == 0:
        search = ["find", *map(str, (root, paths.home, root / "data")), "-type", "f", "-readable"]
        done = subprocess.run([*NOBODY, *search], capture_output=True, text=True, check=False)
        readable = {Path(line).relative_to(root).parts[0] for line in done.stdout.splitlines()}
        assert "params.yaml" in readable  # the search itself works
        assert readable.isdisjoint({"home", "data", ".dvc"})


def test_a_folder_that_is_not_ours_alone_keeps_its_rights(tmp_path: Path) -> None:
    home = tmp_path / "shared"
    (home / "keys").mkdir(parents=True)
    (home / "of-others").mkdir()
    for folder in (home, home / "keys", home / "of-others"):
        folder.chmod(0o755)
    close_state(tmp_path, home)
    modes = [folder.stat().st_mode & 0o777 for folder in (home, home / "keys", home / "of-others")]
    assert modes == [0o755, 0o700, 0o755]


READING = [
    ["status"], ["models"], ["decisions"], ["alerts"], ["gate"], ["challenger", "status"],
    ["params"], ["ledger", "status"], ["api-key", "list"], ["why", "0" * 32], ["diff", "v1", "v2"],
    ["at", "2026-01-01Z"], ["predict", "a.csv", "b.csv"], ["restore", "v1", "elsewhere"],
    # These change something, and there is nothing yet.
    ["retain", "--dry-run"], ["rollback"], ["serve"], ["monitor"],
]  # fmt: skip


def test_commands_that_read_make_nothing(tmp_path: Path) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(PROJECT / name, tmp_path)
    environment = {name: value for name, value in os.environ.items() if "NEWSLOOP" not in name}
    # Processes that are forked after the imports, which take a second.
    forks = (
        "import os, sys, flows.cli, flows.cli.app\n"
        f"for words in {READING!r}:\n"
        "    if os.fork() == 0:\n"
        "        sys.argv[1:] = words\n"
        "        status = flows.cli.main()\n"
        "        sys.stderr.flush()\n"
        "        os._exit(status)\n"
        "    status = os.waitstatus_to_exitcode(os.wait()[1])\n"
        "    print('EXIT', words[0], status, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", forks], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=environment | {"PYTHONPATH": str(PROJECT), "HOME": str(tmp_path / "nowhere")},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    ends = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("EXIT")]
    assert [words[0] for words in READING] == [name for name, _ in ends]
    assert {status for _, status in ends} <= {"0", "1", "2"}
    assert ["status", "0"] in ends and ["models", "0"] in ends
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dvc.yaml", "params.yaml"]


# What is lost, empty or smuggled in.


@pytest.fixture
def bundled(tmp_path: Path) -> tuple[Path, Path]:
    """A signed bundle and the folder of its keys."""
    folder, key_folder = tmp_path / "bundle", tmp_path / "keys"
    tiny.make_bundle(folder, key_folder)
    bundle.verify(folder, key_folder)
    return folder, key_folder


def test_a_private_key_that_is_lost_is_not_replaced(bundled: tuple[Path, Path]) -> None:
    _, key_folder = bundled
    (key_folder / keys.SIGNING).unlink()
    with pytest.raises(BundleError, match=r"it is gone. Restore it from a backup"):
        keys.ensure(key_folder)
    assert not (key_folder / keys.SIGNING).exists()
    assert len(keys.pseudonym_key(key_folder)) == 32  # the other keys are used on


@pytest.mark.parametrize("name", [keys.SIGNING, keys.PUBLIC, keys.PSEUDONYM, keys.SUPPRESSION])
@pytest.mark.parametrize("content", [b"", b"half a k"])
def test_an_empty_or_damaged_key_is_not_used(
    bundled: tuple[Path, Path], name: str, content: bytes
) -> None:
    folder, key_folder = bundled
    (key_folder / name).write_bytes(content)
    uses = {
        keys.SIGNING: lambda: bundle.sign(folder, key_folder),
        keys.PUBLIC: lambda: bundle.verify(folder, key_folder),
        keys.PSEUDONYM: lambda: keys.pseudonym_key(key_folder),
        keys.SUPPRESSION: lambda: keys.suppression_key(key_folder),
    }
    with pytest.raises(NewsloopError, match=name.replace(".", r"\.")) as refused:
        uses[name]()
    assert "half a k" not in str(refused.value)
    assert (key_folder / name).read_bytes() == content


def test_halves_of_two_pairs_sign_nothing(bundled: tuple[Path, Path], tmp_path: Path) -> None:
    folder, key_folder = bundled
    other = keys.ensure(tmp_path / "other")
    shutil.copy(other / keys.SIGNING, key_folder)
    with pytest.raises(BundleError, match="halves of one pair"):
        bundle.sign(folder, key_folder)


def test_folders_that_no_manifest_names_are_refused(
    bundled: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, key_folder = bundled
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("x")
    for make in (lambda path: path.mkdir(), lambda path: path.symlink_to(outside)):
        for path in (folder / "more", folder / bundle.MODEL / "more"):
            make(path)
            with pytest.raises(BundleError, match=r"one that is (a link|empty): .*more"):
                bundle.verify(folder, key_folder)
            path.unlink() if path.is_symlink() else path.rmdir()
    # The files of a bundle behind a link, though they are the signed ones.
    model = folder / bundle.MODEL
    model.rename(outside / "model")
    model.symlink_to(outside / "model")
    with pytest.raises(BundleError, match="a link"):
        bundle.verify(folder, key_folder)


def test_a_cache_of_other_code_beside_signed_code_is_refused(tmp_path: Path) -> None:
    code, key_folder = tmp_path / "src", keys.ensure(tmp_path / "keys")
    code.mkdir()
    source = code / "service.py"
    source.write_text("answer = 1\n")
    bundle.sign(code, key_folder)
    for optimize in (0, 1, 2):
        py_compile.compile(str(source), optimize=optimize)
    bundle.verify(code, key_folder)  # what Python itself wrote there
    cache = Path(importlib.util.cache_from_source(str(source)))
    honest, other = cache.read_bytes(), tmp_path / "other.py"
    other.write_text("answer = 2\n")
    py_compile.compile(str(other), str(tmp_path / "other.pyc"))
    forged = honest[:16] + (tmp_path / "other.pyc").read_bytes()[16:]
    for content in (forged, honest[:-3], b"", honest[:16] + b"\xff" * 9):
        cache.write_bytes(content)
        with pytest.raises(BundleError, match=r"Remove the folder .*__pycache__"):
            bundle.verify(code, key_folder)
    cache.write_bytes(honest)
    (code / "__pycache__" / "more.so").write_bytes(b"x")
    with pytest.raises(BundleError, match="__pycache__"):
        bundle.verify(code, key_folder)
