"""Several devices and several machines learn what one device learns.

Devices are logical CPUs, machines are processes that talk over the loopback.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import Any

import polars as pl
import pytest

from components import train
from components.core import params as parameters
from components.core.runtime.offline import SWITCHES
from components.core.training.loop import NullLogger
from flows.stack import free_ports
from tests.project import ROOT

PROJECT = parameters.load(ROOT / "params.yaml")


def texts(count: int, seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    own = {"business": "bank", "sports": "goal", "tech": "software"}
    rows = []
    for i in range(count):
        label = list(own)[i % 3]
        words = [*draw.choices(["the", "of", "and", "to"], k=6), own[label]]
        rows.append({"text": " ".join(words), "label": label})
    return pl.DataFrame(rows)


def learn(hardware: Any) -> dict[str, Any]:
    """Two epochs without dropout; 50 documents leave a last batch that cannot be halved."""
    small = PROJECT.train.textcnn.model_copy(
        update={"words": 12, "members": 1, "filters": 4, "dropout": 0.0, "word_dropout": 0.0}
    )
    fitted = PROJECT.train.fitting.model_copy(update={"accumulate": 2})
    recipe = PROJECT.train.model_copy(
        update={
            "textcnn": small.model_copy(update={"batch_size": 7}),
            "fitting": fitted,
            "epochs": 2,
            "embedding": "random",
            "hardware": hardware,
        }
    )
    settings = PROJECT.model_copy(
        update={"train": recipe, "text": parameters.Text(vocabulary=50, min_count=1)}
    )
    model, _, facts = train.fit("textcnn", settings, texts(50, 1), texts(30, 2), NullLogger())
    sums = [float(abs(one).sum()) for one in model.get_weights() if one.dtype == "float32"]
    return {"device": facts["device"], "loss": facts["validation_loss"], "sums": sums}


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    return learn("auto")


def start(hardware: str, **env: str) -> subprocess.Popen[str]:
    """This file as a process, see its end."""
    known = {**os.environ, **SWITCHES, "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, __file__, hardware]
    return subprocess.Popen(
        command, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        out, err = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def test_two_devices_learn_what_one_learns(one: dict[str, Any]) -> None:
    found = result(start("mirrored"))
    assert (one["device"], found["device"]) == ("CPU", "2 CPUs")
    assert found["loss"] == pytest.approx(one["loss"], abs=1e-5)
    assert found["sums"] == pytest.approx(one["sums"], rel=1e-5)


def test_two_machines_learn_what_one_learns(one: dict[str, Any]) -> None:
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = [
        start(
            "auto",
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index in (0, 1)
    ]
    try:
        found = [result(process) for process in started]
    finally:
        for process in started:
            process.kill()
    assert found[0] == found[1]
    assert found[0]["device"] == "2 CPUs"
    assert found[0]["loss"] == pytest.approx(one["loss"], abs=1e-5)
    assert found[0]["sums"] == pytest.approx(one["sums"], rel=1e-5)


def main() -> None:
    import tensorflow as tf

    if sys.argv[1] == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        logical = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, logical)
    print(json.dumps(learn(sys.argv[1])), flush=True)
    # Leaving TensorFlow's cluster in good order takes its workers some seconds.
    os._exit(0)


if __name__ == "__main__":
    main()
