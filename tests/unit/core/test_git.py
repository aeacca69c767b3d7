"""The one runner of git: identity, refusals, and the time limit."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psutil
import pytest

from components.core import git
from components.core.errors import GitError, ReleaseError


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "start")
    return tmp_path


def test_answers(repository: Path) -> None:
    head = git.run(repository, "rev-parse", "HEAD")
    assert re.fullmatch(r"[0-9a-f]{40}", head)
    assert git.run(repository, "show", "--no-patch", "--format=%an <%ae>", "HEAD") == (
        "newsloop <newsloop@localhost>"
    )
    assert git.has(repository, head)
    assert not git.has(repository, "0" * 40)
    assert git.query(repository, "rev-parse", "--verify", "--quiet", "nowhere") is None


def test_a_refusal_names_command_folder_and_reason(repository: Path) -> None:
    with pytest.raises(ReleaseError, match=r"Expected `git show nowhere` .*unknown revision") as e:
        git.run(repository, "show", "nowhere")
    assert str(repository) in str(e.value)


def test_a_missing_folder_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="No such file"):
        git.query(tmp_path / "gone", "status")


def test_a_remote_that_never_answers_is_ended_with_its_helper(repository: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(GitError, match="end within 1 seconds"):
        git.run(repository, "fetch", "ext::sleep 631", env={"GIT_ALLOW_PROTOCOL": "ext"}, seconds=1)
    assert time.monotonic() - begin < 30
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "631"]
    ]
