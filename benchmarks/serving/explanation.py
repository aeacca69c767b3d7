"""Time of an explanation against a prediction of the same text, and error of the weights' sum.

    python benchmarks/serving/explanation.py BUNDLE... [--texts 20]

A BUNDLE is a folder with model/ and bundle.json, such as data/06_packaged/bundle. The texts are
BBC articles of all classes. Medians of single texts, warm, prediction and explanation in turn.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core.bundle import FACTS, MODEL, Model
from components.core.runtime.offline import stay_home
from tests.project import LABELS, articles


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(folder: Path, texts: list[str]) -> dict[str, object]:
    """Measures milliseconds, their ratio, and the relative error of the weights' sum."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    model = Model(folder / MODEL, facts["labels"])
    for _ in range(3):
        model.predict(texts[:1])
        model.explain(texts[:1])
    predicted, explained, off = [], [], []
    for text in texts:
        predicted.append(min(seconds(lambda text=text: model.predict([text])) for _ in range(3)))
        explained.append(min(seconds(lambda text=text: model.explain([text])) for _ in range(3)))
        why = model.explain([text])[0]
        moved = math.log(why.confidence / why.baseline)
        off.append(abs(sum(why.weights.values()) - moved) / max(abs(moved), 0.1))
    predict_seconds, explain_seconds = statistics.median(predicted), statistics.median(explained)
    return {
        "architecture": facts["architecture"],
        "prediction_ms": round(1000 * predict_seconds, 2),
        "explanation_ms": round(1000 * explain_seconds, 2),
        "ratio": round(explain_seconds / predict_seconds, 1),
        "sum_off_by_share": {"mean": round(statistics.mean(off), 4), "most": round(max(off), 4)},
        "texts": len(texts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=20)
    asked = parser.parse_args()
    stay_home()
    each = -(-asked.texts // len(LABELS))
    texts = [text for label in LABELS for text in articles(label, 0, each)][: asked.texts]
    for folder in asked.bundles:
        print(json.dumps(measure(folder, texts)), flush=True)


if __name__ == "__main__":
    main()
