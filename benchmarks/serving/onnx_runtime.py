"""Compiled kernels of `textcnn` against ONNX Runtime: milliseconds from word ids to probabilities.

    python -m venv ONNX && ONNX/bin/pip install onnxruntime==1.32.0 onnx
    python benchmarks/serving/onnx_runtime.py --onnx ONNX/bin/python

Both predict the same BBC articles, one at a time, with the same weights: the default textcnn at
full size, untrained. ONNX Runtime gets a graph of the network as its friends would export it
(Gather, Conv, GlobalMaxPool, Gemm, Softmax), with one and with two threads. The times exclude the
tokenizer, which ONNX Runtime does not have, and explanations, which ours computes from the same
table. By turns; each figure is the smallest of the rounds' medians. The probabilities are compared.
Prints a table and writes benchmarks/serving/onnx_runtime.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".newsloop" / "benchmarks" / "onnx"
WEIGHTS, IDS, PROBABILITIES = "weights.npz", "ids.npz", "probabilities.npy"
ARTICLES = 300
ROUNDS = 4
WARM_UP = 30  # articles

# Runs in the environment that has ONNX Runtime, and imports nothing of newsloop.
PEER = """
import json, sys, time
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper

folder, threads, warm_up = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
arrays = np.load(folder + "/weights.npz")
texts = [ids.astype(np.int64)[None] for ids in np.load(folder + "/ids.npz").values()]
nodes, constants = [], []

def constant(name, array):
    constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name

def node(kind, inputs, **attributes):
    nodes.append(helper.make_node(kind, inputs, [f"n{len(nodes)}"], **attributes))
    return nodes[-1].output[0]

def softmax(features, member):
    weights = constant(f"answer_{member}", arrays[f"answer_{member}"])
    bias = constant(f"answer_bias_{member}", arrays[f"answer_bias_{member}"])
    return node("Softmax", [node("Gemm", [features, weights, bias])], axis=-1)

answers, longest = [], int(arrays["widths"].max())
for member in arrays["members"].tolist():
    vectors = constant(f"vectors_{member}", arrays[f"vectors_{member}"])
    embedded = node("Transpose", [node("Gather", [vectors, "ids"])], perm=[0, 2, 1])
    pooled = []
    for width in arrays["widths"].tolist():
        kernel = constant(f"kernel_{member}_{width}",
                          arrays[f"kernel_{member}_{width}"].transpose(2, 1, 0))
        bias = constant(f"bias_{member}_{width}", arrays[f"bias_{member}_{width}"])
        conv = node("Conv", [embedded, kernel, bias], pads=[0, longest])
        pooled.append(node("Flatten", [node("Relu", [node("GlobalMaxPool", [conv])])]))
    answers.append(softmax(node("Concat", pooled, axis=1), member))
words = node("Gather", [constant("bag", arrays["bag"]), "ids"])
axes = constant("axes", np.array([1], np.int64))
total = node("ReduceSum", [words, axes], keepdims=0)
scaled = node("Mul", [total, "factor"])
answers.append(softmax(scaled, len(arrays["members"])))
nodes.append(helper.make_node("Mean", answers, ["probabilities"]))
FLOAT = TensorProto.FLOAT
inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, None]),
          helper.make_tensor_value_info("factor", FLOAT, [1, 1])]
outputs = [helper.make_tensor_value_info("probabilities", FLOAT, ["B", "C"])]
graph = helper.make_graph(nodes, "textcnn", inputs, outputs, constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(
    model.SerializeToString(), options, providers=["CPUExecutionProvider"])
times, results = [], []
for ids in [*texts[:warm_up], *texts]:
    scale = float(arrays["scale"]) / max(np.sqrt(ids.shape[1]), 1)
    inputs = {"ids": ids, "factor": np.full((1, 1), scale, np.float32)}
    started = time.perf_counter()
    probabilities, = session.run(None, inputs)
    times.append(time.perf_counter() - started)
    results.append(probabilities[0].tolist())
print(json.dumps({"ms": 1000 * float(np.median(times[warm_up:])),
                  "probabilities": results[warm_up:]}))
"""


def ours_here() -> None:
    """Measures the kernels in this process; the first call also writes the files of the peer."""
    from benchmarks.serving import service
    from components.core.bundle.runtimes import fast_textcnn

    folder = PLACE / "bundle"
    if not folder.exists():
        service.make_bundle(folder, PLACE / "keys")
    file = folder / "model" / fast_textcnn.FILE
    arrays = dict(np.load(file))
    model = fast_textcnn.FastTextCnn(arrays)
    texts = [model._tokenizer.read([text])[:2] for text in service.articles(ARTICLES)]
    if not (PLACE / WEIGHTS).exists():
        shutil.copy(file, PLACE / WEIGHTS)
        np.savez(PLACE / IDS, *[ids for ids, _ in texts])
    times, results = [], []
    for ids, starts in [*texts[:WARM_UP], *texts]:
        started = time.perf_counter()
        probabilities = model._probabilities(model._hidden(model._sums(ids, starts)))[1]
        times.append(time.perf_counter() - started)
        results.append(probabilities[0])
    np.save(PLACE / PROBABILITIES, np.array(results[WARM_UP:]))
    print(json.dumps({"ms": 1000 * float(np.median(times[WARM_UP:]))}))


def measure(command: list[str]) -> dict[str, Any]:
    """Runs a measurement in a new process; returns what it prints."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--onnx", type=Path, help="Python that has onnxruntime and onnx")
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ours:
        ours_here()
        return
    if chosen.onnx is None:
        parser.error("--onnx names the Python with onnxruntime and onnx; see the docstring")
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    milliseconds: dict[str, float] = {}
    difference = 0.0
    for _ in range(ROUNDS):
        own = measure([sys.executable, __file__, "--ours"])
        milliseconds["newsloop"] = min(own["ms"], milliseconds.get("newsloop", own["ms"]))
        for threads in (1, 2):
            name = f"ONNX Runtime, {threads} thread{'s' * (threads > 1)}"
            command = [str(chosen.onnx), "-c", PEER, str(PLACE), str(threads), str(WARM_UP)]
            peer = measure(command)
            milliseconds[name] = min(peer["ms"], milliseconds.get(name, peer["ms"]))
            own_probabilities = np.load(PLACE / PROBABILITIES)
            gap = np.abs(own_probabilities - np.array(peer["probabilities"])).max()
            difference = max(difference, float(gap))
    for name, value in milliseconds.items():
        ratio = value / milliseconds["newsloop"]
        print(f"{name:<26}{value:8.3f} ms{ratio:8.2f} times newsloop's")
    print(f"largest difference of a probability: {difference:.2g}")
    result = {"ms": milliseconds, "largest_difference": difference, "articles": ARTICLES}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
