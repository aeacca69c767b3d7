"""stack.py: the service in the foreground is known and ended like one in the background."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from components.core.paths import Paths
from flows import stack
from tests.served import wait_for

FOREGROUND = """
import os, sys
from pathlib import Path
from components.core import params
from components.core.paths import Paths
from flows import stack

waiting = [sys.executable, "-c", "import time; time.sleep(600)"]
stack.service_command.command = lambda params, paths: (waiting, dict(os.environ))
stack.become_service(params.load(Path("params.yaml")), Paths(Path(sys.argv[1]), Path(sys.argv[1])))
"""


def test_a_service_in_the_foreground_is_known_and_ended(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    with subprocess.Popen([sys.executable, "-c", FOREGROUND, str(tmp_path)]) as first:
        wait_for("the record", lambda: stack.find(paths, stack.SERVICE) is not None)
        recorded = stack.find(paths, stack.SERVICE)
        assert recorded is not None and recorded.pid == first.pid
        assert recorded.url == "http://127.0.0.1:3000"
        wait_for("the service", lambda: "time.sleep" in psutil.Process(first.pid).cmdline()[-1])
        assert stack.find(paths, stack.SERVICE) == recorded  # the same process, another program
        assert stack.stop(paths, stack.SERVICE)
        first.wait(10)
    assert stack.find(paths, stack.SERVICE) is None
