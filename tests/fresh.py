"""A Python process of its own, which has imported nothing yet."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.project import ROOT


def run(code: str, environment: Mapping[str, str] | None = None) -> Any:
    """What `code` leaves in `answer`, by way of JSON; `environment` stands for this process's."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json; print(); print(json.dumps(answer))"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
