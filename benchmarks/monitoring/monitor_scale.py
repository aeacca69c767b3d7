"""Time and memory of one monitoring run over many predictions.

    python benchmarks/monitoring/monitor_scale.py                    # 100,000 predictions
    python benchmarks/monitoring/monitor_scale.py --predictions 2000

A ledger of its own, filled with BBC test articles (one in ten also gets a label), and the model of
`make run`. What is measured is a process of its own: read the window, answer its texts, judge,
draw, write. Where other work runs beside, its processor seconds say more than the clock.
Writes benchmarks/monitoring/monitor_scale.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.monitoring import news_worlds
from components.core import bundle, keys, tables
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.bundle import reference as references
from components.core.ledger import LABELS, PREDICTIONS, TEXTS, Ledger
from components.core.paths import Paths
from components.core.runtime.offline import stay_home

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
TOGETHER, SEED = 5000, 3
MOST_SECONDS, MOST_GIB = 60, 2


def fill(project: Paths, home: Path, predictions: int) -> None:
    """Fills a project with a signed champion and its predictions."""
    params = parameters.load(project.params)
    world = news_worlds.load(project, params)
    paths = Paths(project.root, home)
    keys.ensure(paths.keys)
    draft = paths.bundles / ".draft"
    shutil.copytree(project.trained / "model", draft / bundle.MODEL)
    known = world.still[: news_worlds.REFERENCE_ROWS]
    tables.write_table(references.common_words(known["text"]), draft / bundle.WORDS)
    name = bundle.write(draft, {"labels": world.labels}, known.drop("text"), paths.keys)
    ledger = Ledger(ledgers.url(paths.ledger))  # none is made beside bundles
    draft.rename(paths.bundles / name)
    ledger.add_version(
        {
            "version": 1, "bundle": name, "time": NOW, "tag": "newsloop@v1.0.0", "commit": "0" * 40,
            "dvc_lock": "0" * 64, "snapshot": "0" * 64, "metrics": {}, "decision": {},
        },
        "a benchmark",
    )  # fmt: skip
    rows = world.still[news_worlds.REFERENCE_ROWS :].to_dicts()
    picks = np.random.default_rng(SEED).integers(0, len(rows), predictions)
    for start in range(0, predictions, TOGETHER):
        numbers = range(start, min(start + TOGETHER, predictions))
        chosen = [
            (f"{i:032x}", rows[picks[i]], NOW - timedelta(seconds=i % 86400)) for i in numbers
        ]
        ledger.insert(
            PREDICTIONS,
            [
                {
                    "id": prediction_id, "time": time_of, "bundle": name, "label": row["label"],
                    "confidence": row["confidence"], "words": row["words"],
                    "probabilities": dict(zip(world.labels, row["probabilities"], strict=True)),
                    "unknown_share": row["unknown_share"], "features": [row["feature_0"]],
                }
                for prediction_id, row, time_of in chosen
            ],
        )  # fmt: skip
        ledger.insert(
            TEXTS,
            [
                {"prediction_id": prediction_id, "text": row["text"]}
                for prediction_id, row, _ in chosen
            ],
        )
        ledger.insert(
            LABELS,
            [
                {"prediction_id": prediction_id, "label": row["actual"], "time": NOW}
                for prediction_id, row, _ in chosen[::10]
            ],
        )
    ledger.close()


def measure(project: Paths, home: Path) -> dict[str, Any]:
    """Measures one monitoring run in this process."""
    from monitoring import monitor

    paths = Paths(project.root, home)
    start = time.perf_counter()
    ledger = Ledger(ledgers.url(paths.ledger))
    outcome = monitor.run(parameters.load(project.params), paths, NOW, ledger)
    ledger.close()
    assert outcome.page is not None
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "gib": round(used.ru_maxrss / 2**20, 2),
        "page_mb": round(outcome.page.stat().st_size / 1e6, 2),
        "judged": outcome.window.rows,
        "skipped": outcome.window.skipped,
        "finding": outcome.drift.verdict.finding,
        "labelled": sum(measured.labelled for measured in outcome.accuracy),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)  # the process that is measured
    arguments = parser.parse_args()
    stay_home()
    project = Paths.find(Path(__file__).parent)
    if arguments.home:
        print(json.dumps(measure(project, arguments.home)))
        return
    project.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.home, prefix="scale-") as folder:
        fill(project, Path(folder), arguments.predictions)
        command = [sys.executable, __file__, "--home", folder]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = {"predictions": arguments.predictions, **json.loads(output.splitlines()[-1])}
    within_goal = result["seconds"] <= MOST_SECONDS and result["gib"] <= MOST_GIB
    goal = "kept" if within_goal else "MISSED"
    print(f"{result}\nat most {MOST_SECONDS} s and {MOST_GIB} GiB: {goal}")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
