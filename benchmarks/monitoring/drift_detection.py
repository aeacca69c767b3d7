"""Detection delay of drift in windows, at the same rate of false alarms.

    python benchmarks/monitoring/drift_detection.py [--peer PYTHON]
    python benchmarks/monitoring/drift_detection.py --sequences 2 --longest 4 --shares 0.2 --null 10
    python benchmarks/monitoring/drift_detection.py --sequences 6 --ours  # keeps the peers' numbers
    python benchmarks/monitoring/drift_detection.py --sequences 60 --no-evidently --peer PYTHON
    python benchmarks/monitoring/drift_detection.py --reference 650 --early 650 --null 300 \\
        --sequences 10 --peer PYTHON

Windows of 100 BBC articles, one after the other, of which a share is moved: a topic that the
reference lacks, made-up words, or more of one class. Ours is monitoring's own test, which looks at
each window and back at those before it. Evidently's default for texts (a domain classifier) gets
the threshold that gives the same share of false alarms on `--null` windows without drift.
alibi-detect's MMD tests the bundle's features, by its own permutations; it runs in a Python of its
own that has alibi-detect and torch. The column told is somebody who is told of each text, in the
reference and the windows, whether it is of the kind that grows, and compares the two counts by
Fisher's exact test, with the whole level for the window and again for all since the beginning: with
so small a reference nobody can be much sooner, whatever is computed of the texts. With --early
there are so many texts of first traffic that had not moved: ours gets them as such, the others as a
larger reference. Numbers are means of windows to the first alarm; a sequence without one counts as
--longest. The sequences are the same in each call, so that after a change of our test --ours alone
needs to be run. Results are kept as they come, so that --kinds can be run one after the other. MMD
takes most of the time, hours with large references. Needs `make run`; writes
benchmarks/monitoring/drift_detection.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.monitoring import news_worlds
from benchmarks.monitoring.drift_alarms import evidently_area
from benchmarks.monitoring.news_worlds import KINDS, MORE, REFERENCE_ROWS, World
from components.core import params as parameters
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from monitoring import drift

ROWS, SEED = 100, 23
TOLD = 1000  # sequences of the one who is told
# Of MMD. 1,000 take hours, as each copies all distances. Of 300 at most 3 may be as different for a
# p-value of 1 %, which 4 of 301 windows without drift reach: 1.3 %, in MMD's favour.
PERMUTATIONS = 300
# Reads {"references": (S, R, D), "windows": (S, T, n, D)} from a file, writes p-values (S, T), nan
# after the first alarm.
MMD = """
import sys, warnings
warnings.filterwarnings("ignore")
import numpy as np
from alibi_detect.cd import MMDDrift
given = np.load(sys.argv[1])
rows = []
for reference, windows in zip(given["references"], given["windows"]):
    detector = MMDDrift(reference, backend="pytorch", n_permutations=int(sys.argv[3]))
    p_values = np.full(len(windows), np.nan)
    for i, window in enumerate(windows):
        p_values[i] = detector.predict(window)["data"]["p_val"]
        if p_values[i] <= float(sys.argv[4]):
            break
    rows.append(p_values)
np.save(sys.argv[2], np.array(rows))
"""
Sequence = tuple[pl.DataFrame, list[pl.DataFrame]]


def sequences(
    world: World, kind: str, share: float, count: int, longest: int, known: int
) -> list[Sequence]:
    """Draws `count` sequences of `known` texts without drift and `longest` windows."""
    rng = np.random.default_rng([SEED, KINDS.index(kind), round(1000 * share)])
    return [
        (
            world.reference(kind, rng, known),
            [world.window(kind, share, ROWS, rng) for _ in range(longest)],
        )
        for _ in range(count)
    ]


def ours(sequence: Sequence, params: Params, level: float, early: int) -> list[bool]:
    """Tests each window with lookbacks, up to the first alarm."""
    signals, windows = news_worlds.signals(sequence[0]), sequence[1]
    first_traffic, known = (signals[:early] if early else None), signals[early:]
    tables, alarms = list[pl.DataFrame](), list[bool]()
    for window in windows:
        older = pl.concat(tables) if tables else None
        tables.append(news_worlds.signals(window))
        judged = drift.judge(
            known, tables[-1], params.monitor, older, level, early=first_traffic, draw=False
        )
        alarms.append(judged.verdict.finding == "drift")
        if alarms[-1]:
            break
    return alarms


def mmd(peer: str, given: list[Sequence], folder: Path, level: float) -> np.ndarray[Any, Any]:
    """Computes (S, T) p-values of alibi-detect's MMD on the features; nan after an alarm."""

    def features(table: pl.DataFrame) -> Any:
        return table.select(pl.col("^feature_.*$")).to_numpy().astype(np.float32)

    there, back = folder / f"mmd-in-{os.getpid()}.npz", folder / f"mmd-out-{os.getpid()}.npy"
    np.savez(
        there,
        references=[features(reference) for reference, _ in given],
        windows=[[features(window) for window in windows] for _, windows in given],
    )
    asked_for = map(str, (there, back, PERMUTATIONS, level))
    subprocess.run([peer, "-c", MMD, *asked_for], check=True)
    p_values: np.ndarray[Any, Any] = np.load(back)
    there.unlink()
    back.unlink()
    return p_values


def oracle(world: World, kind: str, share: float, level: float, longest: int, texts: int) -> float:
    """Simulates a test that knows each text's kind; returns its mean windows to the first alarm."""
    from scipy.stats import hypergeom

    rng = np.random.default_rng([SEED, KINDS.index(kind), round(1000 * share)])
    base = float((world.still["actual"] == MORE).mean() or 0) if kind == "classes" else 0.0
    known = rng.binomial(texts, base, (TOLD, 1))
    new = rng.binomial(ROWS, base + share * (1 - base), (TOLD, longest))
    rows = ROWS * np.arange(1, longest + 1)
    least = np.ones((TOLD, longest))
    for count, size in ((new, np.full(longest, ROWS)), (new.cumsum(axis=1), rows)):
        # The chance of as many among the window's rows, dealt from both samples together.
        p_value = hypergeom.sf(count - 1, texts + size, known + count, size)
        least = np.minimum(least, p_value)
    return float(np.mean([first(alarms, longest) for alarms in least <= level]))


def first(alarms: Any, longest: int) -> int:
    """Counts the windows up to the first alarm."""
    return next((i for i, alarm in enumerate(alarms, 1) if alarm), longest)


def about(row: dict[str, Any]) -> tuple[int, int, int, float, int]:
    """Returns the key of a row, by which the table is sorted."""
    texts = row["reference"], row["early"]
    return *texts, KINDS.index(row["moved"]), row["share"], row["sequences"]


def before(path: Path, head: dict[str, Any], row: dict[str, Any]) -> dict[str, Any] | None:
    """Finds the file's row of the same sequences."""
    stored = json.loads(path.read_text()) if path.exists() else {"table": []}
    if any(stored.get(name) != value for name, value in head.items()):
        return None
    return next(
        (stored_row for stored_row in stored["table"] if about(stored_row) == about(row)), None
    )


def keep(row: dict[str, Any], path: Path, head: dict[str, Any]) -> None:
    """Writes a row at once: the kinds can be run one after the other.

    What was left out in this run stays as it was measured before, on the same sequences.
    """
    rows = json.loads(path.read_text())["table"] if path.exists() else []
    table = {about(stored_row): stored_row for stored_row in rows}
    measured = {name: value for name, value in row.items() if value is not None}
    table[about(row)] = {**row, **table.get(about(row), {}), **measured}
    ordered = [table[key] for key in sorted(table)]
    path.write_text(json.dumps({**head, "table": ordered}, indent=2) + "\n")


def line(row: dict[str, Any]) -> str:
    """Formats a row of the table."""
    mmd, evidently = (
        "-" if row[name] is None else f"{row[name]:.1f}" for name in ("mmd", "evidently")
    )
    return (
        f"{row['moved']:<12}{row['share']:>7.0%}{row['ours']:>8.1f}{evidently:>11}"
        f"{mmd:>8}{row['told']:>8.1f}"
    )


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=20, help="of each kind and share")
    parser.add_argument("--longest", type=int, default=40, help="windows of a sequence")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--null", type=int, default=1000, help="windows for Evidently's threshold")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--reference", type=int, default=REFERENCE_ROWS, help="its texts")
    parser.add_argument("--early", type=int, default=0, help="texts of first traffic")
    parser.add_argument("--peer", help="a Python with alibi-detect and torch")
    parser.add_argument("--ours", action="store_true", help="the peers' numbers are in the file")
    parser.add_argument("--no-evidently", action="store_true")
    return parser.parse_args()


def main() -> None:
    arguments = asked()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    level = params.monitor.false_alarm_rate
    world = news_worlds.load(paths, params)
    early, texts = arguments.early, arguments.reference + arguments.early
    longest, target = arguments.longest, Path(__file__).with_suffix(".json")
    work = paths.home / "benchmarks"
    work.mkdir(parents=True, exist_ok=True)
    print(
        f"Windows of {ROWS} until the first alarm, of {longest} at most; {arguments.sequences} "
        f"sequences each; false alarms {level:.1%} of the windows\n\n"
        f"{'moved':<12}{'share':>7}{'ours':>8}{'Evidently':>11}{'MMD':>8}{'told':>8}"
    )
    head = {"rows": ROWS, "level": level, "longest": longest}
    for kind in arguments.kinds:
        bar = None
        if not (arguments.ours or arguments.no_evidently):
            still = sequences(world, kind, 0.0, arguments.null, 1, texts)
            areas = [evidently_area(sequence[0], sequence[1][0]) for sequence in still]
            bar = float(np.quantile(areas, 1 - level))
        for share in arguments.shares:
            given = sequences(world, kind, share, arguments.sequences, longest, texts)
            row: dict[str, Any] = {"moved": kind, "share": share}
            row |= {"reference": arguments.reference, "early": early}
            row |= {"sequences": arguments.sequences, "evidently_threshold": bar}
            waits = [first(ours(sequence, params, level, early), longest) for sequence in given]
            row["ours"] = float(np.mean(waits))
            if arguments.ours:
                known = before(target, head, row)
                if known is None:
                    raise SystemExit(f"Expected a row of {kind}, {share} of these sequences, none.")
                row = {**known, "ours": row["ours"]}
                keep(row, target, head)
                print(line(row), flush=True)
                continue
            row["evidently"] = None
            if bar is not None:
                peers = [
                    first((evidently_area(reference, w) > bar for w in windows), longest)
                    for reference, windows in given
                ]
                row["evidently"] = float(np.mean(peers))
            row["told"] = oracle(world, kind, share, level, longest, texts)
            row["mmd"] = None
            if arguments.peer:
                p_values = mmd(arguments.peer, given, work, level)
                row["mmd"] = float(np.mean([first(p <= level, longest) for p in p_values]))
            keep(row, target, head)
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
