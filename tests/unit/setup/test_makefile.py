"""`make setup` with stand-ins for Python: which one it takes, refuses, and when it starts anew."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# A Python that knows its version, makes an environment of its own copy, and logs what it ran.
STAND_IN = """#!/bin/sh
echo "$0 $*" >> {log}
case "$*" in
    *sys.exit*) exit {unsuitable};;
    *version_info*) echo {version};;
    *_base_executable*) echo {path};;
    *"-m venv"*)
        rm -rf .venv; mkdir -p .venv/bin
        cp {path} .venv/bin/python; cp /bin/true .venv/bin/uv;;
esac
"""


class Checkout:
    """A checkout with the Makefile and Pythons that are stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.path = folder, folder / "log", folder / "path"
        self.path.mkdir()
        (folder / "requirements").mkdir()
        for name in ("requirements.txt", "requirements/vectors.txt", "pyproject.toml"):
            (folder / name).write_text("uv==1\n")
        shutil.copy(ROOT / "Makefile", folder)
        for tool in ("sh", "git", "grep", "sed", "touch", "rm", "mkdir", "cp", "echo"):
            (self.path / tool).symlink_to(shutil.which(tool) or "")

    def python(self, name: str, version: str, suitable: bool = True) -> Path:
        """Makes a stand-in of `version` on the PATH."""
        path = self.path / name
        path.write_text(
            STAND_IN.format(log=self.log, unsuitable=int(not suitable), version=version, path=path)
        )
        path.chmod(0o755)
        return path

    def setup(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Runs `make setup`: exit status, stderr, the Pythons that made an environment."""
        self.log.write_text("")
        done = subprocess.run(
            [shutil.which("make") or "make", "setup", *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": str(self.path), "HOME": os.environ["HOME"]},
        )  # fmt: skip
        lines = self.log.read_text().splitlines()
        made = [Path(line.split()[0]).name for line in lines if " -m venv " in line]
        installed = any("-m pip" in line for line in lines)
        assert installed == bool(made)  # nothing is installed before Python is accepted
        return done.returncode, done.stderr, made


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_python_that_suits_is_taken_and_the_environment_stays(checkout: Checkout) -> None:
    checkout.python("python3.12", "3.12", suitable=False)
    checkout.python("python3.13", "3.13")
    checkout.python("python3", "3.14", suitable=False)
    assert checkout.setup() == (0, "", ["python3.13"])
    assert checkout.setup() == (0, "", [])
    checkout.python("python3.12", "3.12")
    assert checkout.setup() == (0, "", [])  # the environment has a Python that suits


def test_an_environment_of_another_version_is_made_anew(checkout: Checkout) -> None:
    checkout.python("python3.11", "3.11")
    checkout.python("python3.12", "3.12")
    assert checkout.setup("PYTHON=python3.11")[2] == ["python3.11"]
    assert checkout.setup("PYTHON=python3.12")[2] == ["python3.12"]
    assert checkout.setup("PYTHON=python3.12")[2] == []
    assert checkout.setup()[2] == []


def test_a_python_that_does_not_suit_is_refused_and_the_environment_stays(
    checkout: Checkout,
) -> None:
    checkout.python("python3.11", "3.11")
    checkout.setup()
    checkout.python("python3.10", "3.10", suitable=False)
    status, message, made = checkout.setup("PYTHON=python3.10")
    assert (status, made) == (2, [])
    assert "needs CPython 3.11, 3.12 or 3.13, and PYTHON=python3.10 is none" in message
    assert (checkout.folder / ".venv" / "bin" / "python").exists()
    assert checkout.setup()[0] == 0


def test_no_python_that_suits_is_said(checkout: Checkout) -> None:
    checkout.python("python3", "3.10", suitable=False)
    status, message, made = checkout.setup()
    assert (status, made) == (2, [])
    assert "found none of them: install one, or name it by PYTHON=" in message


@pytest.mark.parametrize(
    ("version", "name", "flags", "suits"),
    [
        ((3, 10), "cpython", "", False),
        ((3, 11), "cpython", "", True),
        ((3, 13), "cpython", "", True),
        ((3, 13), "cpython", "t", False),
        ((3, 12), "pypy", "", False),
        ((3, 14), "cpython", "", False),
    ],
)
def test_which_python_suits(
    version: tuple[int, int], name: str, flags: str, suits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    code = next(line for line in lines if line.startswith("SUITABLE")).split("'")[1]
    expression = code.removeprefix("import sys; sys.exit(").removesuffix(")")
    implementation = type("Implementation", (), {"name": name})
    known = type(
        "Sys", (), {"version_info": version, "implementation": implementation, "abiflags": flags}
    )
    assert eval(expression, {"sys": known}) is not suits
