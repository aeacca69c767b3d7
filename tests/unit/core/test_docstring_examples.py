"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def modules() -> list[str]:
    """Names of the modules whose docstrings hold examples."""
    found = subprocess.run(
        ["git", "grep", "--untracked", "--files-with-matches", "^ *>>> ", "--", "*.py"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    rooms = ("components/", "flows/", "serving/", "monitoring/")
    files = [Path(name) for name in found if name.startswith(rooms)]
    return [".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files]


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
