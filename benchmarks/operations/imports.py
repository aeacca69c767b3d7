"""Processor time of importing a large library, plainly and as newsloop imports it.

    python benchmarks/operations/imports.py --times 5

Each import runs in a separate process, in turns; the result is the median of processor seconds.
Prints a table and writes benchmarks/operations/imports.json. See components/core/runtime.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "from components.core.runtime import imports\nimports.collect_seldom()\nimport {}"
WAYS = {
    # A model that cuts words into pieces needs the first; others need TensorFlow alone.
    "TensorFlow, to load a model": (
        "import tensorflow, tensorflow_text",
        "from components.core.runtime import imports\nimports.tensorflow()",
    ),
    "TensorFlow and Keras, to train": (
        "import tensorflow, keras",
        "from components.core.runtime import imports\nimports.keras()",
    ),
    **{
        name: (f"import {module}", OURS.format(module))
        for name, module in {
            "Great Expectations": "great_expectations",
            "Evidently": "evidently",
            "Prefect and the learning flow": "flows.learning",
        }.items()
    },
}
_COST = """
import resource
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime)
"""


def seconds(code: str) -> float:
    """Measures processor seconds of a process that only runs `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code + _COST], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    times_by_library: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in WAYS}
    for _ in range(times):
        for name, (plain, ours) in WAYS.items():
            times_by_library[name][0].append(seconds(plain))
            times_by_library[name][1].append(seconds(ours))
    rows = []
    for name, both in times_by_library.items():
        plain, ours = (statistics.median(series) for series in both)
        rows.append({"library": name, "plain": round(plain, 2), "ours": round(ours, 2)})
        print(f"{name:32} {plain:6.2f} s {ours:6.2f} s  {ours / plain:.0%}")
    result = {"machine": platform.processor() or platform.machine(), "times": times, "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
