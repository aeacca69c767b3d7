"""Seconds from raw text to a saved model that reaches 0.97 on BBC News, beside fastText.

    python benchmarks/learning/time_to_model.py [--fasttext PYTHON]

Run after `make run`, with nothing else on the machine. The texts are those of data/03_split. Each
architecture runs in a process of its own, from its start (TensorFlow's import included) to the
saved model that takes raw strings; settings that differ from params.yaml are in FAST below. They
are a first guess, not yet tuned. fastText is run by a Python that has it (`pip install
fasttext-wheel` into an environment of its own); its command line does what its tutorial says.
Prints a table and writes benchmarks/learning/time_to_model.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import params as parameters
from components.core import tables
from components.core.networks import assembly
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.tokenizers import words as word_tokenizer
from components.core.training.loop import NullLogger

ACCURACY, AIM, TIMES = 0.97, 60.0, 10.0
# Few epochs, with a cosine schedule of the learning rate.
FAST: dict[str, Any] = {
    "epochs": 8,
    "fitting": {"schedule": "cosine", "warmup_share": 0.1},
    "textcnn": {"members": 1, "learning_rate": 0.003, "words": 256},
}
# The tutorial on fasttext.cc: 25 epochs, learning rate 1.0, pairs of words.
FASTTEXT = """
import sys, time, json
import fasttext
started = time.perf_counter()
model = fasttext.train_supervised(sys.argv[1], epoch=25, lr=1.0, wordNgrams=2, thread=2, verbose=0)
model.save_model(sys.argv[2])
seconds = time.perf_counter() - started
shares = [model.test(path)[1] for path in sys.argv[3:]]
print(json.dumps({"seconds": seconds, "validation": shares[0], "test": shares[1]}))
"""


def recipe(params: parameters.Params, name: str) -> parameters.Params:
    """Merges the settings of params.yaml with those of FAST."""
    known = params.model_dump(by_alias=True)
    for key, value in FAST.items():
        if key in ("fitting", name):
            known["train"][key] |= value
        elif not isinstance(value, dict):
            known["train"][key] = value
    return parameters.parse(known, "benchmarks/learning/time_to_model.py")


def ours(name: str, folder: Path) -> None:
    """Trains from texts to a saved model in this process; then predicts validation and test."""
    from components import train
    from components.core import bundle

    paths = Paths.find(Path(__file__).parent)
    params = recipe(parameters.load(paths.params), name)
    sides = [paths.split / f"{side}.parquet" for side in ("train", "validation")]
    model, encoder, facts = train.fit(name, params, *sides, NullLogger())  # type: ignore[arg-type]
    outputs, _, _ = train.training_outputs(name, model, encoder, params, *sides, None)  # type: ignore[arg-type]
    features = outputs[assembly.FEATURES]
    centre, directions = train.principal_directions(features, params.train.feature_directions)
    bundle.save_model(folder, model, encoder, centre, directions)
    saved = time.time()
    known = bundle.Model(folder, params.ingest.labels)
    shares = {}
    for side in ("validation", "test"):
        table = tables.read_table(paths.split / f"{side}.parquet")
        predicted = known.predict(table["text"].to_list()).labels
        shares[side] = sum(a == b for a, b in zip(predicted, table["label"], strict=True)) / len(
            predicted
        )
    print(json.dumps({"saved": saved, "epochs": facts["epochs"], **shares}))


def timed(name: str) -> dict[str, Any]:
    """Runs `ours` in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--inside", folder, "--architectures", name]
        started = time.time()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return {"name": name, "seconds": result.pop("saved") - started, **result}


def fasttext(python: str) -> dict[str, Any]:
    """Trains fastText from lines of words, its file format, to its saved model."""
    paths = Paths.find(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as folder:
        files, started = [], time.perf_counter()
        for side in ("train", "validation", "test"):
            table = tables.read_table(paths.split / f"{side}.parquet")
            lines = [
                f"__label__{label} {' '.join(word_tokenizer.split(text))}\n"
                for text, label in table.select("text", "label").iter_rows()
            ]
            files.append(Path(folder) / f"{side}.txt")
            files[-1].write_text("".join(lines), "utf-8")
        written = time.perf_counter() - started
        model = str(Path(folder) / "model.bin")
        command = [python, "-c", FASTTEXT, str(files[0]), model, *map(str, files[1:])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return {"name": "fastText", "epochs": 25, **result, "seconds": result["seconds"] + written}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architectures", nargs="+", default=["textcnn"])
    parser.add_argument("--fasttext", help="a Python that can import fasttext")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    stay_home()
    if options.inside:
        ours(options.architectures[0], Path(options.inside))
        return
    rows = [timed(name) for name in options.architectures]
    if options.fasttext:
        rows.append(fasttext(options.fasttext))
    print(f"{'':<14}{'seconds':>8}{'epochs':>8}{'validation':>12}{'test':>8}")
    for row in rows:
        print(
            f"{row['name']:<14}{row['seconds']:>8.1f}{row['epochs']:>8}{row['validation']:>12.4f}"
            f"{row['test']:>8.4f}"
        )
    good = [row for row in rows if row["name"] != "fastText" and row["validation"] >= ACCURACY]
    if not good:
        print(f"none of ours reached {ACCURACY} on the validation side")
    else:
        best = min(good, key=lambda row: float(row["seconds"]))
        print(
            f"{best['name']} took {best['seconds']:.0f} s to {ACCURACY} or more on the validation "
            f"side; aim {AIM:.0f}"
        )
        if options.fasttext:
            ratio = best["seconds"] / rows[-1]["seconds"]
            print(f"{ratio:.1f} times as long as fastText; aim at most {TIMES:.0f}")
    result = {"rows": rows, "cores": os.cpu_count()}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
