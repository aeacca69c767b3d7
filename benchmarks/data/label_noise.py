"""Estimated share of wrong labels where the share is known, with clear classes and hard ones.

    python benchmarks/data/label_noise.py NEWSGROUPS

NEWSGROUPS is newsgroups20.jsonl.gz, see operations/first_hour_shapes.py. Labels are exchanged at
random for another class. "joint" is confident learning alone, "estimate" what validation compares
with validate.max_label_noise. Prints a table and writes label_noise.json.
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.operations.first_hour_shapes import Corpus
from components import label_noise
from tests.project import LABELS, articles

SEED = 1
FLIPPED = (0.0, 0.05, 0.1, 0.2, 0.4)  # shares of the labels
Documents = list[tuple[str, str]]  # label, text


def data_sets(corpus: Corpus) -> Iterator[tuple[str, Documents]]:
    """Yields name and documents of each data set, clear classes first."""
    news = [(label, text) for label in LABELS for text in articles(label, 0, 400)]
    yield "BBC News", news
    yield "BBC News, 200", random.Random(SEED).sample(news, 200)
    yield "2 groups x 100 texts", corpus.rows(["sci.space", "rec.autos"], 100)
    yield "20 groups x 300 texts", corpus.rows(corpus.labels, 300)
    yield "6 groups x 90 texts", corpus.rows(corpus.labels[:6], 90)
    yield "2 groups x 300 sentences", corpus.rows(["sci.med", "rec.autos"], 300, short=True)
    yield "4 like groups x 250 sentences", corpus.rows(corpus.labels[-4:], 250, short=True)
    yield "20 groups x 150 sentences", corpus.rows(corpus.labels, 150, short=True)


def flipped(labels: list[str], share: float) -> list[str]:
    """Exchanges a share of the labels for another class."""
    draw, classes = random.Random(SEED), sorted(set(labels))
    return [
        draw.choice([c for c in classes if c != label]) if draw.random() < share else label
        for label in labels
    ]


def main() -> None:
    result = []
    print(f"{'data':<32}{'wrong':>7}{'accuracy':>10}{'joint':>8}{'estimate':>10}")
    for name, documents in data_sets(Corpus(Path(sys.argv[1]))):
        texts = [text for _, text in documents]
        folds = [zlib.crc32(text.encode()) for text in texts]
        for share in FLIPPED:
            classes, actual = np.unique(
                flipped([label for label, _ in documents], share), return_inverse=True
            )
            probabilities = label_noise.out_of_fold(texts, actual, folds, len(classes))
            joint = label_noise.confident_joint(probabilities, actual)
            row = {
                "data": name,
                "wrong": share,
                "accuracy": float((probabilities.argmax(axis=1) == actual).mean()),
                "joint": float(1 - np.trace(joint) / joint.sum()),
                "surest": label_noise.among_surest(probabilities, actual),
            }
            estimate = min(row["joint"], row["surest"])
            print(
                f"{name:<32}{share:>7.0%}{row['accuracy']:>10.3f}{row['joint']:>8.3f}"
                f"{estimate:>10.3f}"
            )
            result.append({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
