"""AUROC of out-of-distribution scores: newsloop's novelty and its peers.

Run after `make run`:

    python benchmarks/learning/novelty.py
    python benchmarks/learning/novelty.py --newsgroups newsgroups20.jsonl.gz --sentences FILE

In distribution is the test side of BBC News. Out of distribution are noise, texts in other
languages, the messages of 20 Newsgroups (JSON Lines with the key text), and each class of BBC News
for a model that did not learn it. FILE is JSON: language -> a list of {"words": [...]}; without it
a few sentences of this file are used.

Peers: maximum softmax probability (Hendrycks and Gimpel 2017), energy (Liu et al. 2020; `linear`
only, since the others average probabilities), Mahalanobis distance of all features (Lee et al.
2018), distance to the tenth neighbour (Sun et al. 2022), share of unknown words. Each threshold is
the 99 % quantile of the validation side. Prints a table and writes a file of this name, .json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import string
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.learning import project
from components import train
from components.core import params as parameters
from components.core import tables
from components.core.bundle import novelty
from components.core.networks import assembly
from components.core.paths import Paths
from components.core.training.loop import NullLogger
from components.train import inference

COUNT = 300  # texts of each set of noise
NEIGHBOUR = 10
QUANTILE = 0.99
Outputs = dict[str, Any]
Score = Callable[[Outputs], Any]
SENTENCES = {
    "German": "Der Stadtrat hat gestern Abend über den neuen Haushalt beraten. Die Bahn will im "
    "Sommer mehr Züge einsetzen. Nach der Niederlage entließ der Verein seinen Trainer. Im Museum "
    "öffnet morgen eine Ausstellung über den Impressionismus. Die Preise für Strom sind im "
    "vergangenen Jahr deutlich gestiegen. Forscher haben ein günstigeres Verfahren entwickelt.",
    "French": "Le conseil municipal a voté hier soir le nouveau budget. La compagnie prévoit des "
    "trains supplémentaires cet été. Après la défaite, le club a renvoyé son entraîneur. Le musée "
    "ouvre demain une exposition sur les impressionnistes. Les prix de l'électricité ont fortement "
    "augmenté l'année dernière. Des chercheurs ont mis au point un procédé moins coûteux.",
    "Spanish": "El ayuntamiento aprobó anoche el nuevo presupuesto. La compañía pondrá más trenes "
    "este verano. Tras la derrota, el club despidió a su entrenador. El museo inaugura mañana una "
    "exposición sobre los impresionistas. Los precios de la electricidad subieron mucho el año "
    "pasado. Los investigadores han desarrollado un procedimiento más barato.",
}


def noise(texts: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Makes sets of noise of 3 to 150 words a text, partly from `texts`."""
    draw = random.Random(seed)
    known = [word for text in texts for word in text.lower().split()]

    def size() -> int:
        return draw.choice((3, 8, 20, 60, 150))

    def word() -> str:
        return "".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9)))

    def tag() -> str:
        name = draw.choice(("div", "span", "p", "a", "li", "td"))
        return f'<{name} class="c{draw.randint(1, 99)}" href="/x/{draw.randint(1, 999)}">&nbsp;'

    makers: dict[str, Callable[[], str]] = {
        "random letters": lambda: " ".join(word() for _ in range(size())),
        "shuffled characters": lambda: "".join(
            draw.sample(text := draw.choice(texts)[: 6 * size()], len(text))
        ),
        "repeated words": lambda: " ".join(draw.choices(known, k=draw.randint(1, 3)) * size()),
        "HTML": lambda: "".join(tag() for _ in range(size() // 3)),
        "numbers": lambda: " ".join(
            str(draw.randint(0, 10 ** draw.randint(1, 7))) for _ in range(size())
        ),
    }
    return {name: [make() for _ in range(COUNT)] for name, make in makers.items()}


def languages(file: Path | None, seed: int) -> dict[str, list[str]]:
    """Reads sentences of German, French and Spanish, or mixes those of this file."""
    if file is None:
        draw = random.Random(seed)
        parts = {name: text.split(". ") for name, text in SENTENCES.items()}
        return {
            name: [". ".join(draw.sample(all_, draw.randint(1, 4))) for _ in range(COUNT)]
            for name, all_ in parts.items()
        }
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
        known = json.load(opened)
    codes = {"German": "de", "French": "fr", "Spanish": "es"}
    return {name: [" ".join(row["words"]) for row in known[code]] for name, code in codes.items()}


def newsgroups(file: Path, seed: int) -> dict[str, list[str]]:
    """Reads messages of 20 Newsgroups, with their headers and without."""
    with gzip.open(file) as opened:
        texts = [json.loads(line)["text"] for line in opened]
    texts = random.Random(seed).sample([text for text in texts if len(text) > COUNT], 2 * COUNT)
    bodies = [text.partition("\n\n")[2] for text in texts]
    return {"20 Newsgroups": texts, "20 Newsgroups, bodies": bodies}


def auroc(inside: Any, outside: Any) -> float:
    """Computes the probability that a text outside scores higher than one inside."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([inside, outside]))[len(inside) :]
    count = len(outside)
    return float((ranks.sum() - count * (count + 1) / 2) / (count * len(inside)))


def scores(
    model: Any, trained: Outputs, ours: novelty.Novelty, projection: Any
) -> dict[str, Score]:
    """Returns each score by its name; higher is further out."""
    centre, directions = projection
    scorer = novelty.Scorer(ours)
    decided = trained[assembly.PROBABILITIES].argmax(axis=1)
    features = trained[assembly.FEATURES]
    means = np.stack([features[decided == label].mean(axis=0) for label in np.unique(decided)])
    residuals = features - means[np.searchsorted(np.unique(decided), decided)]
    covariance = residuals.T @ residuals / len(residuals)
    ridge = 1e-3 * np.trace(covariance) / len(covariance)
    white = np.linalg.cholesky(np.linalg.inv(covariance + ridge * np.eye(len(covariance))))

    def unit(rows: Any) -> Any:
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def mahalanobis(outputs: Outputs) -> Any:
        moved = (outputs[assembly.FEATURES] @ white)[:, None] - (means @ white)[None]
        return (moved**2).sum(axis=2).min(axis=1)

    def neighbour(outputs: Outputs) -> Any:
        similar = unit(outputs[assembly.FEATURES]) @ unit(features).T
        return -np.sort(similar, axis=1)[:, -NEIGHBOUR]

    def energy(outputs: Outputs) -> Any:
        kernel, bias = (array.numpy() for array in model.get_layer("dense_1").weights)
        return -np.log(np.exp(outputs[assembly.FEATURES] @ kernel + bias).sum(axis=1))

    projected = lambda o: {**o, "features": (o[assembly.FEATURES] - centre) @ directions}  # noqa: E731
    known = {
        "novelty": lambda outputs: scorer(projected(outputs)),
        "softmax": lambda outputs: -outputs[assembly.PROBABILITIES].max(axis=1),
        "Mahalanobis": mahalanobis,
        "neighbour": neighbour,
        "unknown words": lambda outputs: outputs["unknown_share"],
    }
    return known | ({"energy": energy} if model.name == "linear" else {})


def measure(
    name: Any, params: parameters.Params, sides: dict[str, pl.DataFrame],
    outside: dict[str, list[str]],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Trains one candidate; returns set -> score -> AUROC and share of novel texts."""
    model, encoder, _ = train.fit(name, params, sides["train"], sides["validation"], NullLogger())
    arguments = (name, model, encoder, params)
    known, held_out, _ = train.training_outputs(
        *arguments, sides["train"], sides["validation"], None  # type: ignore[arg-type]
    )  # fmt: skip
    projection = train.principal_directions(
        known[assembly.FEATURES], params.train.feature_directions
    )
    ours = train.fit_novelty(known, held_out, *projection, encoder, 1.0, params)

    def outputs(texts: Sequence[str]) -> Outputs:
        table = pl.DataFrame({"text": texts}).with_columns(label=pl.lit(params.ingest.labels[0]))
        rows = params.train.fitting.read_rows
        found, _ = inference.outputs(*arguments, table, None)
        return found | inference.counts(encoder, table, rows)

    inside = outputs(sides["test"]["text"].to_list())
    sets = {"test side": inside} | {key: outputs(texts) for key, texts in outside.items()}
    table: dict[str, dict[str, Any]] = {key: {} for key in sets}
    for kind, score in scores(model, known, ours, projection).items():
        limit = float(np.quantile(score(held_out), QUANTILE)) if kind != "novelty" else 1.0
        for key, found in sets.items():
            values = score(found)
            table[key][kind] = {
                "auroc": round(auroc(score(inside), values), 4),
                "novel": round(float((values > limit).mean()), 4),
            }
    projected = {**inside, "features": (inside[assembly.FEATURES] - projection[0]) @ projection[1]}
    scorer = novelty.Scorer(ours)
    started = time.process_time()
    for _ in range(20):
        scorer(projected)
    spent = (time.process_time() - started) / 20 / len(inside["words"])
    print(f"{name}: threshold {ours.threshold:.2f}, {1e6 * spent:.2f} microseconds a text")
    return table


def shown(name: str, table: dict[str, dict[str, Any]]) -> None:
    kinds = list(next(iter(table.values())))
    print(f"\n{name:24}" + "".join(f"{kind:>16}" for kind in kinds))
    for key, row in table.items():
        cells = (f"{row[kind]['auroc']:.3f} {100 * row[kind]['novel']:4.0f} %" for kind in kinds)
        print(f"{key:24}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--candidates", nargs="+", default=["linear", "textcnn"])
    parser.add_argument("--left-out", nargs="*", help="classes; default: each")
    parser.add_argument("--newsgroups", type=Path)
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--data", type=Path, help="folder with train, validation, test.parquet")
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    paths, params = project.load(given.epochs)
    folder = given.data or Paths(paths.root, paths.home).split
    sides = {
        side: tables.read_table(folder / f"{side}.parquet")
        for side in ("train", "validation", "test")
    }
    seed = params.train.seed
    outside = noise(sides["test"]["text"].to_list(), seed) | languages(given.sentences, seed)
    if given.newsgroups:
        outside |= newsgroups(given.newsgroups, seed)
    results = {}
    for name in given.candidates:
        results[name] = measure(name, params, sides, outside)
        shown(name, results[name])
        for label in params.ingest.labels if given.left_out is None else given.left_out:
            rest = [other for other in params.ingest.labels if other != label]
            ingest = params.ingest.model_copy(update={"labels": rest})
            fewer = {key: side.filter(pl.col("label") != label) for key, side in sides.items()}
            left = [
                text
                for side in sides.values()
                for text in side.filter(pl.col("label") == label)["text"]
            ]
            found = measure(
                name, params.model_copy(update={"ingest": ingest}), fewer, {label: left}
            )
            results[name][f"left out: {label}"] = found[label]
            shown(f"{name} without {label}", found)
    tables.write_json(results, Path(__file__).with_suffix(".json"))


if __name__ == "__main__":
    main()
