"""Whole learning runs, killed at random times: the next run must need no hand.

A small real project (five classes of BBC News) learns by `newsloop run`, with Prefect, DVC, Great
Expectations, TensorFlow and BentoML:

1. once without a kill: the bundle's name, and how long a run takes;
2. in fresh projects with the same texts, killed with -9 at random times, again and again. When a
   run ends before its kill came, a new round begins with a new project.

After each round an ordinary run must give the same bundle, with no process left over and nothing
that `newsloop status` would call a disagreement.

    python benchmarks/operations/kills.py               # 20 kills, about half an hour on two cores
    python benchmarks/operations/kills.py --kills 2 --per-class 12
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core.runtime import stale_processes
from tests.project import Project

SMALL = {
    "validate.min_class_documents": 3,
    "train.epochs": 2,
    "train.textcnn.members": 1,
    "gate.baselines": False,
    "gate.min_accuracy": 0.0,
    "gate.min_macro_f1": 0.0,
    "gate.min_behaviour": 0.0,
}
SOONEST = 1.0  # seconds; before that nothing has begun


@contextmanager
def fresh(per_class: int) -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "project", per_class)
        project.settle(SMALL)
        project.git("commit", "--quiet", "--all", "-m", "small")
        try:
            yield project
        finally:
            project.newsloop("down")


def learn(project: Project) -> str:
    """Runs learning to its end; returns the name of the champion's bundle."""
    answer = project.newsloop("run", "--json")
    if answer.status:
        raise SystemExit(f"a run failed:\n{answer.err[-3000:]}")
    return str(project.newsloop("status", "--json").json["champion"]["bundle"])


def killed(project: Project, after: float) -> bool:
    """Starts a run and kills it; False if it ended before."""
    with (project.root / ".newsloop" / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run"], cwd=project.root,
            env=project.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=24, help="documents of each class")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with fresh(arguments.per_class) as project:
        started = time.monotonic()
        expected = learn(project)
        takes = time.monotonic() - started
    print(f"a run that nobody kills: {takes:.0f} s, bundle {expected[:12]}", flush=True)
    kills = rounds = wrong = 0
    while kills < arguments.kills:
        rounds += 1
        with fresh(arguments.per_class) as project:
            project.home.mkdir(exist_ok=True)
            while kills < arguments.kills and killed(
                project, after := moments.uniform(SOONEST, takes)
            ):
                kills += 1
                print(f"kill {kills}: after {after:.1f} s", flush=True)
            bundle = learn(project)
            left = stale_processes.find([project.root, project.home / "workspace"])
            disagreements = project.newsloop("status", "--json").json["disagreements"]
            wrong += bundle != expected or bool(left or disagreements)
            print(
                f"round {rounds}: same bundle: {bundle == expected}, processes left: {len(left)}, "
                f"disagreements: {disagreements or 'none'}",
                flush=True,
            )
    print(f"{kills} kills in {rounds} rounds; rounds that did not end well: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
