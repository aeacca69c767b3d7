"""From files of a public shape to a decision: `newsloop init`, `newsloop run`, nothing edited.

    python benchmarks/operations/first_hour.py NEWSGROUPS [SHAPE ...]

NEWSGROUPS is newsgroups20.jsonl.gz, see first_hour_shapes.py. Each shape gets a clone of this
checkout's last commit, as a new user has it. Prints a line a shape with the exit codes, the seconds
of the run, and the metrics of the test side; the last lines of a command that failed follow it.
Writes first_hour.json, and keeps all outputs and the clones of failures in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.operations.first_hour_shapes import SHAPES, Corpus  # noqa: E402

RESULT = Path(__file__).with_suffix(".json")
LIMIT = 1200  # seconds of a command
REFUSED = ("toxic",)  # shapes that `init` must refuse
TAIL = 12  # lines of a failed command that are shown


def clone(folder: Path) -> None:
    """Clones the last commit into `folder` as a project whose own data come first."""
    git = ["git", "-C", str(folder)]
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    for key, value in (("user.name", "First Hour"), ("user.email", "first@example.org")):
        subprocess.run([*git, "config", key, value], check=True)


def command(folder: Path, *words: str) -> tuple[int, float, str]:
    """Runs `newsloop` in `folder`: exit code, seconds, output."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NEWSLOOP")}
    environment |= {"PYTHONPATH": str(folder)}
    program = Path(sys.executable).with_name("newsloop")
    started = time.perf_counter()
    try:
        done = subprocess.run(
            [str(program), *words], cwd=folder, env=environment, text=True, timeout=LIMIT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = 124, str(error.stdout or b"")
    return code, time.perf_counter() - started, output


def measure(name: str, corpus: Corpus, folder: Path) -> dict[str, Any]:
    """Runs one shape; the clone stays if a command failed."""
    project = folder / name
    clone(project)
    data = project / "mine"
    data.mkdir()
    arguments = [f"mine/{argument}" for argument in SHAPES[name](corpus, data)]
    code, _, output = command(project, "init", "--yes", *arguments)
    row: dict[str, Any] = {"init": code}
    (folder / f"{name}.init.log").write_text(output)
    if code == 0:
        code, seconds, output = command(project, "run")
        (folder / f"{name}.run.log").write_text(output)
        row |= {"run": code, "seconds": round(seconds)}
        summary = project / "data" / "05_evaluated" / "summary.json"
        row |= json.loads(summary.read_text()) if summary.exists() else {}
        command(project, "down")
    if code:
        print("\n".join(f"    {line}" for line in output.splitlines()[-TAIL:]), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("newsgroups", type=Path)
    parser.add_argument(
        "shapes", nargs="*", metavar="SHAPE", help="of first_hour_shapes.py; default: all"
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp(prefix="first_hour_")))
    arguments = parser.parse_args()
    result = json.loads(RESULT.read_text()) if arguments.shapes and RESULT.exists() else {}
    for name in arguments.shapes or SHAPES:
        row = measure(name, Corpus(arguments.newsgroups), arguments.folder)
        result[name] = row
        print(f"{name:<20}{json.dumps(row)}", flush=True)
        expected = name in REFUSED
        if bool(row["init"] or row.get("run")) == expected:
            shutil.rmtree(arguments.folder / name)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
