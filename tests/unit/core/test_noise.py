"""TensorFlow's noise is left out, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from components.core.runtime import noise


def test_only_noise_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with noise.left_out():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are ...\n")
        os.write(2, b"I0000 00:00:1795470915.663906   15625 cudart_stub.cc:31] no cuda drivers\n")
        os.write(2, b"a stage says this\n")
        subprocess.run([sys.executable, "-Sc", "import os; os.write(2, b'a child\\n')"], check=True)
    os.write(2, b"after it\n")
    assert capfd.readouterr().err == "a stage says this\na child\nafter it\n"


def test_what_was_said_before_an_error_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), noise.left_out():
        os.write(2, b"this is why\n")
        raise ImportError
    assert capfd.readouterr().err == "this is why\n"
