"""A release on a disk that is full, with ever more room, in a file system of a few megabytes.

    unshare --mount python -m tests.full_disk PROJECT PLACE OLD NEW

copies PROJECT into a tmpfs at PLACE and prints a JSON list: for each size of ROOMS and then for
all the room that there is, how the run ended. OLD and NEW are the bundles that it may serve.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from components.core.ledger import Ledger
from components.core.paths import Paths
from tests import killing

SIZE = "24m"
ROOMS = (0, 8 << 10, 64 << 10, 512 << 10, 1 << 20)  # bytes that are free when a run begins
MOST_SECONDS = 120


def fill(file: Path, room: int) -> None:
    """Leaves `room` bytes on the file system, to a page."""
    free = os.statvfs(file.parent)
    with file.open("wb") as open_file:
        os.posix_fallocate(open_file.fileno(), 0, max(free.f_bavail * free.f_frsize - room, 1))


def attempt(root: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", "run", str(root)], cwd=root,
        env=killing.environment(root), capture_output=True, text=True, timeout=MOST_SECONDS,
        check=False,
    )  # fmt: skip
    return {"status": done.returncode, "said": (done.stdout + done.stderr)[-3000:]}


def main(project: Path, place: Path, old: str, new: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], check=True)
    root, filler = place / "project", place / "filler"
    shutil.copytree(project, root, symlinks=True)
    paths, ended = Paths(root, root / ".newsloop"), []
    for room in ROOMS:
        fill(filler, room)
        ended.append(attempt(root))
        filler.unlink()
        ledger = Ledger(f"sqlite:///{paths.ledger}")
        killing.check_after_kill(paths, ledger, old, new)
        ledger.close()
    ended.append(attempt(root))
    ledger = Ledger(f"sqlite:///{paths.ledger}")
    killing.check_in_the_end(paths, ledger, old, new)
    ledger.close()
    print(json.dumps(ended))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
