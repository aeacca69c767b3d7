"""Peers of several benchmarks, tuned as fairly as our architectures.

Each peer chooses its settings on the validation side, as ours choose their epoch.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

STRENGTHS, PHRASES = (0.1, 0.3, 1.0, 3.0), ((1, 1), (1, 2))  # C and n-grams that are tried
FASTTEXT = """
import fasttext, json, os, sys, time
rates, phrases, epochs = (0.5, 1.0), (1, 2), (25,)
given = json.load(sys.stdin)
folder = given["folder"]
def learn(texts, labels, rate, phrase, epoch):
    path = os.path.join(folder, "learn.txt")
    with open(path, "w") as file:
        file.writelines(f"__label__{b} {a}\\n" for a, b in zip(texts, labels))
    return fasttext.train_supervised(
        path, lr=rate, wordNgrams=phrase, epoch=epoch, minCount=2, bucket=200000,
        thread=given["threads"], seed=7, verbose=0)
def predict(model, texts):
    # Its own wrapper of several texts at once fails with NumPy 2.
    return [model.f.predict(text + "\\n", 1, 0.0, "strict")[0][1][9:] for text in texts]
best = None
for rate in rates:
    for phrase in phrases:
        for epoch in epochs:
            model = learn(given["learn"], given["learn_labels"], rate, phrase, epoch)
            predicted = predict(model, given["stop"])
            share = sum(a == b for a, b in zip(predicted, given["stop_labels"])) / len(predicted)
            if best is None or share > best[0]:
                best = share, (rate, phrase, epoch)
started = time.perf_counter()
model = learn(given["learn"], given["learn_labels"], *best[1])
path = os.path.join(folder, "model.bin")
model.save_model(path)
seconds = time.perf_counter() - started
waits = []
for text in given["asked"][:50]:
    begun = time.perf_counter()
    predict(model, [text])
    waits.append(1000 * (time.perf_counter() - begun))
print(json.dumps({"settings": best[1], "seconds": seconds, "bytes": os.path.getsize(path),
    "milliseconds": sorted(waits)[len(waits) // 2], "validation": predict(model, given["stop"]),
    "predicted": predict(model, given["asked"])}))
"""


@dataclass(frozen=True)
class Peer:
    """Results of a peer.

    Attributes:
        settings: settings chosen on the validation side.
        seconds: seconds of one training with these settings.
        validation, predicted: predicted labels of the validation side and of the asked texts.
        megabytes: size of the model file; None if not measured.
        milliseconds: time of one prediction; None if not measured.
        grams: grams of CO2 of one training, estimated by CodeCarbon; None if not measured.
    """

    settings: str
    seconds: float
    validation: list[str]
    predicted: list[str]
    megabytes: float | None
    milliseconds: float | None
    grams: float | None = None


def svm(learn: pl.DataFrame, stop: pl.DataFrame, asked: Sequence[str], *, refit: bool) -> Peer:
    """Trains TF-IDF + LinearSVC.

    Args:
        learn, stop: documents with text and label; `stop` chooses the settings.
        asked: texts to label.
        refit: True: trains on `stop` too after the choice of settings, as is usual in practice,
            because an SVM has no early stopping.
    """

    def fit(table: pl.DataFrame, strength: float, phrase: tuple[int, int]) -> Pipeline:
        vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=phrase)
        pipeline = make_pipeline(vectors, LinearSVC(C=strength, random_state=0))
        return pipeline.fit(table["text"].to_list(), table["label"].to_list())

    texts, actual = stop["text"].to_list(), stop["label"].to_numpy()

    def share(chosen: tuple[float, tuple[int, int]]) -> float:
        return float((fit(learn, *chosen).predict(texts) == actual).mean())

    best = max(product(STRENGTHS, PHRASES), key=share)
    chosen_by = fit(learn, *best).predict(texts).tolist()
    started = time.perf_counter()
    model = fit(pl.concat([learn, stop]) if refit else learn, *best)
    seconds = time.perf_counter() - started
    waits = []
    for text in asked[:50]:
        begun = time.perf_counter()
        model.predict([text])
        waits.append(1000 * (time.perf_counter() - begun))
    predicted = model.predict(list(asked)).tolist()
    settings = f"C={best[0]}, n-grams {best[1]}"
    return Peer(settings, seconds, chosen_by, predicted, None, float(np.median(waits)))


def fasttext(
    python: Path, learn: pl.DataFrame, stop: pl.DataFrame, asked: Sequence[str], threads: int = 2
) -> Peer:
    """Trains fastText (Joulin et al. 2016) in the interpreter of another environment.

    Texts are in lower case with spaces between words, as its authors prepare them.

    Args:
        python: interpreter of an environment with `fasttext-wheel`.
        learn, stop, asked: as for `svm`; fastText does not train on `stop`.
        threads: threads of the training; 1 makes it deterministic.
    """
    from components.core.tokenizers import words as word_tokenizer

    def plain(texts: Sequence[str]) -> list[str]:
        return [" ".join(word_tokenizer.split(text)) for text in texts]

    with tempfile.TemporaryDirectory() as folder:
        given = {
            "folder": folder, "threads": threads, "asked": plain(asked),
            "learn": plain(learn["text"].to_list()), "learn_labels": learn["label"].to_list(),
            "stop": plain(stop["text"].to_list()), "stop_labels": stop["label"].to_list(),
        }  # fmt: skip
        done = subprocess.run(
            [python, "-c", FASTTEXT], input=json.dumps(given), text=True, capture_output=True,
            check=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"Expected an environment with fasttext-wheel, got: {done.stderr[-500:]}")
    result = json.loads(done.stdout)
    rate, phrase, epochs = result["settings"]
    settings = f"lr={rate}, n-grams {phrase}, {epochs} epochs"
    return Peer(
        settings, result["seconds"], result["validation"], result["predicted"],
        result["bytes"] / 1e6, result["milliseconds"],
    )  # fmt: skip
