"""flows/dvc/process.py: one DVC, asked one command after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from components.core.paths import Paths
from flows.dvc import process
from flows.dvc.process import Dvc, StageFailed

PIPELINE = """
stages:
  good:
    cmd: echo said; echo progress >&2; echo x > good
    outs: [good]
  bad:
    cmd: "echo 'error: Expected this, got that.' >&2; exit 3"
    outs: [bad]
  killer:
    cmd: kill -9 $PPID
    outs: [killer]
  hangs:
    cmd: sleep 613
    outs: [hangs]
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    command = [sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return Paths(tmp_path, tmp_path / ".newsloop")


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "dvc.cli" in "".join(one.cmdline())]


def test_one_process_answers_everything_and_ends(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with process.shared(paths):
        assert "good" in process.ask(paths, "status", "--json")
        first = children()
        said = process.ask(paths, "repro", "good")
        assert "Running stage 'good'" in said
        assert "said" in said
        assert children() == first != []
        with pytest.raises(StageFailed, match=r"\AExpected this, got that\.\Z"):
            process.ask(paths, "repro", "bad")
        # An error is not told again of what comes after it.
        with pytest.raises(StageFailed, match="nowhere"):
            process.ask(paths, "repro", "nowhere")
        assert "is cached" not in process.ask(paths, "status")
        assert children() == first
    assert children() == []
    assert "progress" in capsys.readouterr().err


def test_by_itself_a_command_has_its_own_process(paths: Paths) -> None:
    assert "Running stage 'good'" in process.ask(paths, "repro", "good")
    assert "didn't change" in process.ask(paths, "repro", "good")
    assert children() == []


def test_another_project_is_asked_by_itself(paths: Paths, tmp_path: Path) -> None:
    other = Paths(tmp_path / "other", paths.home)
    other.root.mkdir()
    with process.shared(paths), pytest.raises(StageFailed, match="yaml"):
        process.ask(other, "repro", "good")


def test_a_killed_or_late_one_is_said_and_another_one_started(paths: Paths) -> None:
    with Dvc(paths) as dvc:
        with pytest.raises(StageFailed, match="exited with -9"):
            dvc.ask(["repro", "killer"])
        assert "good" in dvc.ask(["status", "--json"])
        with pytest.raises(StageFailed, match=r"`dvc repro hangs` to end within 0\.05 minutes"):
            dvc.ask(["repro", "hangs"], seconds=3)
        asleep = [p for p in psutil.process_iter(["cmdline"]) if "613" in (p.info["cmdline"] or [])]
        assert asleep == []
        assert "good" in dvc.ask(["status", "--json"])
    assert children() == []
