"""Training time of a BiLSTM to the same accuracy: our training against Keras' model.fit.

    python benchmarks/learning/bilstm_speed.py --accuracy 0.93

Run after `make run`, with nothing else on the machine. Both use the same network, the same word
vectors, Adam and batches of 32, and stop as soon as they reach the validation accuracy.

stock   a word index as Keras' Tokenizer made it, pad_sequences to the longest text, model.fit
ours    components/train with the settings of params.yaml

Stock stops after --give-up times the time of ours; the ratio is then a lower bound.
Prints both times and writes benchmarks/learning/bilstm_speed.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from components import train
from components.core import params as parameters
from components.core import tables
from components.core.networks import assembly
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.tokenizers import words as word_tokenizer

AIM = 5.0  # times as fast


class Reached(Exception):
    """Signal that training has reached the accuracy."""


class Watch:
    """Replacement of DVCLive that ends our training at the accuracy."""

    def __init__(self, accuracy: float) -> None:
        self.accuracy, self.epochs, self.best = accuracy, 0, 0.0

    def log_metric(self, name: str, value: float) -> None:
        if name == "validation/accuracy":
            self.best = max(self.best, value)

    def next_step(self) -> None:
        self.epochs += 1
        if self.best >= self.accuracy:
            raise Reached


def ours(
    params: parameters.Params, sides: dict[str, pl.DataFrame], accuracy: float
) -> dict[str, Any]:
    watch, started = Watch(accuracy), time.perf_counter()
    with contextlib.suppress(Reached):
        train.fit("bilstm", params, sides["train"], sides["validation"], watch)
    return {
        "seconds": time.perf_counter() - started, "epochs": watch.epochs,
        "accuracy": watch.best, "words": params.train.bilstm.words,
    }  # fmt: skip


def stock(
    params: parameters.Params, sides: dict[str, pl.DataFrame], accuracy: float, most: float
) -> dict[str, Any]:
    """Trains as Keras' tutorials do, for `most` seconds at most."""
    import keras
    import numpy as np

    started = time.perf_counter()
    texts = {side: table["text"].to_list() for side, table in sides.items()}
    words = word_tokenizer.vocabulary(texts["train"], params.text.vocabulary, 1)
    index = {word: row for row, word in enumerate(words, word_tokenizer.FIRST_WORD)}
    rows = {
        side: [
            [index.get(word, word_tokenizer.UNKNOWN) for word in word_tokenizer.split(text)]
            for text in documents
        ]
        for side, documents in texts.items()
    }
    longest = max(len(document) for numbers in rows.values() for document in numbers)
    ids = {
        side: keras.utils.pad_sequences(documents, maxlen=longest, padding="post")
        for side, documents in rows.items()
    }
    classes = {label: i for i, label in enumerate(params.ingest.labels)}
    actual = {
        side: np.array([classes[label] for label in table["label"]])
        for side, table in sides.items()
    }
    table, _ = train.embedding(words, params.train.embedding, params.train.seed)
    settings = params.train.bilstm
    net = assembly.build(settings, table, len(classes), params.train.seed)
    model = keras.Model(net.input, net.output[assembly.PROBABILITIES])
    model.compile(
        keras.optimizers.Adam(settings.learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        epochs, best, gave_up = 0, 0.0, False

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del batch, logs
            if time.perf_counter() - started > most:
                self.gave_up = self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs, self.best = epoch + 1, max(self.best, logs["val_accuracy"])
            if self.best >= accuracy:
                self.model.stop_training = True

    stop = Stop()
    model.fit(
        ids["train"], actual["train"], batch_size=32, epochs=params.train.epochs,
        validation_data=(ids["validation"], actual["validation"]), callbacks=[stop], verbose=0,
    )  # fmt: skip
    return {
        "seconds": time.perf_counter() - started, "epochs": stop.epochs, "accuracy": stop.best,
        "words": longest, "gave_up": stop.gave_up,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accuracy", type=float, default=0.93, help="on the validation side")
    parser.add_argument("--give-up", type=float, default=10.0, help="times our seconds")
    parser.add_argument("--documents", type=int, help="fewer of each side, for a quick try")
    options = parser.parse_args()
    stay_home()
    paths = Paths.find(Path(__file__).parent)
    params = parameters.load(paths.params)
    sides = {
        side: tables.read_table(paths.split / f"{side}.parquet").head(options.documents or 10**9)
        for side in ("train", "validation")
    }
    fast = ours(params, sides, options.accuracy)
    slow = stock(params, sides, options.accuracy, options.give_up * fast["seconds"])
    for name, row in (("ours", fast), ("stock", slow)):
        print(
            f"{name:<6} {row['seconds']:>7.0f} s  {row['epochs']:>2} epochs of {row['words']} "
            f"words, validation accuracy {row['accuracy']:.4f}"
        )
    if fast["accuracy"] < options.accuracy:
        sys.exit(f"Ours did not reach {options.accuracy}: no ratio.")
    ratio = slow["seconds"] / fast["seconds"]
    bound = "at least " if slow["accuracy"] < options.accuracy else ""
    print(f"ours is {bound}{ratio:.1f} times as fast; aim {AIM:.0f}")
    result = {
        "accuracy": options.accuracy, "documents": len(sides["train"]), "ours": fast,
        "stock": slow, "ratio": round(ratio, 2), "lower_bound": bool(bound),
        "cores": os.cpu_count(),
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
