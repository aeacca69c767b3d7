"""Whole learning runs on a disk that fills up: each ends with a sentence, and the next one goes on.

A small real project (five classes of BBC News) lies with its state and temporary files in a file
system of its own. `newsloop run` gets a random number of free bytes, and after a failure more:

1. once with all the room that there is: how many bytes a run takes, and the bundle's name;
2. in fresh projects: rising numbers of free bytes, drawn at random, and in the end all the room.

A run must end well, or with exit status 1 and one paragraph without a traceback. Then `newsloop
status` works, no temporary file is left, and the champion's bundle is whole. The last run of a
round must give the same bundle.

    unshare --mount python benchmarks/operations/no_room.py            # 20 sizes in 4 rounds
    unshare --mount python benchmarks/operations/no_room.py --sizes 2 --rounds 1
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import bundle
from components.core.paths import Paths
from tests import tiny
from tests.project import QUICKEST, Answer, Project

SMALL = {
    **QUICKEST,
    "validate.min_class_documents": 3,
    "ingest.scrub.workers": 1,
    "train.epochs": 2,
    "gate.baselines": False,
    "gate.min_accuracy": 0.0,
    "gate.min_macro_f1": 0.0,
    "gate.min_behaviour": 0.0,
    "gate.max_calibration_error": 1.0,
}
WHOLE = 2 * 2**30  # bytes
PAGE = 4096


class Disk:
    """A project in a file system whose size can be set."""

    def __init__(self, place: Path, per_class: int) -> None:
        self.place = place
        self._mount("mount", WHOLE)
        self.project = Project(place / "project", per_class)
        self.project.settle(SMALL)
        self.project.git("commit", "--quiet", "--all", "-m", "small")
        (place / "tmp").mkdir()

    def _mount(self, word: str, size: int) -> None:
        again = "remount," if word == "remount" else ""
        command = ["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "tmpfs", self.place]
        subprocess.run(command, check=True)

    @property
    def used(self) -> int:
        state = os.statvfs(self.place)
        return (state.f_blocks - state.f_bfree) * state.f_frsize

    def leave(self, room: int | None) -> None:
        """Leaves `room` bytes free; None: all."""
        size = WHOLE if room is None else (self.used + room) // PAGE * PAGE + PAGE
        self._mount("remount", size)

    def newsloop(self, *arguments: str) -> Answer:
        return self.project.newsloop(*arguments, TMPDIR=str(self.place / "tmp"))


@contextmanager
def fresh(per_class: int) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "disk"
        place.mkdir()
        disk = Disk(place, per_class)
        try:
            yield disk
        finally:
            disk.leave(None)
            disk.newsloop("down")
            subprocess.run(["umount", "--lazy", place], check=True)


def faults(answer: Answer) -> list[str]:
    """Lists what a run did that it must not do when there is no room."""
    found = []
    if answer.status not in (0, 1):
        found.append(f"exit status {answer.status}")
    if "Traceback" in answer.err + answer.out:
        found.append("a traceback")
    said = [line for line in answer.err.splitlines() if line.startswith("newsloop: ")]
    if answer.status == 1 and len(said) != 1:
        found.append(f"{len(said)} paragraphs: {answer.err[-4000:]!r}")
    return found


def left_behind(disk: Disk) -> list[str]:
    """Lists what must not be there after a run: unfinished files, a broken champion."""
    project = disk.project
    paths = Paths(project.root, project.home)
    found = [
        str(path.relative_to(disk.place))
        for path in (*paths.home.rglob("*.partial"), *paths.home.rglob("*.tmp"))
    ]
    status = disk.newsloop("status", "--json")
    if status.status:
        return [*found, f"status fails: {status.err[-800:]}"]
    champion = status.json["champion"]
    if champion:
        bundle.verify(paths.bundles / champion["bundle"], paths.keys)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--per-class", type=int, default=24, help="documents of each class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--taken", type=int, help="bytes that a run takes, where it is known")
    arguments = parser.parse_args()
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    with tempfile.TemporaryDirectory() as shared:
        tiny.shared = Path(shared)
        return measure(arguments)


def measure(arguments: argparse.Namespace) -> int:
    chance = random.Random(arguments.seed)
    taken = arguments.taken
    if not taken:
        with fresh(arguments.per_class) as disk:
            before, started = disk.used, time.monotonic()
            answer = disk.newsloop("run")
            if answer.status:
                raise SystemExit(f"a run with room failed:\n{answer.err[-3000:]}")
            taken = disk.used - before
            print(f"a run takes {taken} bytes, {time.monotonic() - started:.0f} s", flush=True)
    wrong = 0
    for number in range(arguments.rounds):
        sizes = sorted(chance.randrange(taken) for _ in range(arguments.sizes // arguments.rounds))
        with fresh(arguments.per_class) as disk:
            start = disk.used
            for size in [*sizes, None]:
                # Free bytes from the beginning of the round: what a run left there stays.
                disk.leave(None if size is None else max(start + size - disk.used, 0))
                answer = disk.newsloop("run")
                found = faults(answer)
                disk.leave(None)
                found += left_behind(disk)
                if size is None and answer.status:
                    found.append("with all the room it does not go on")
                wrong += bool(found)
                said = answer.err.strip().rpartition("\n")[2] if answer.status else "good end"
                print(f"round {number + 1}, {size} bytes: exit {answer.status}; {said}")
                for fault in found:
                    print(f"  WRONG: {fault}")
                sys.stdout.flush()
    print(f"{arguments.sizes} sizes in {arguments.rounds} rounds; runs that were wrong: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
