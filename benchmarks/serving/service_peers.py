"""Services that service.py measures: three simple implementations, and ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from components.core import ledger as ledgers
from components.core.ledger import Ledger
from components.core.params import edit
from components.core.paths import Paths

Started = tuple[list[str], dict[str, str]]  # a command line and its environment

PLAIN = """
import bentoml
import numpy as np

@bentoml.service(workers=1, traffic={"timeout": 60}, http={"host": "127.0.0.1"},
                 logging={"access": {"enabled": False}})
class Plain:
    def __init__(self):
        import tensorflow as tf
        self.module = tf.saved_model.load(MODEL)
        self.predict = self.module.signatures["serving_default"]

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def classify(self, texts: list[str]) -> list[dict]:
        import tensorflow as tf
        rows = self.predict(texts=tf.constant(texts))["probabilities"].numpy()
        return [{"label": int(row.argmax()), "probabilities": row.tolist()} for row in rows]
"""
SIGNATURE = """
module = tf.saved_model.load(MODEL)
predict = module.signatures["serving_default"]

def probabilities(texts):
    return predict(texts=tf.constant(texts))["probabilities"].numpy()
"""
PREDICT = """
import keras
texts = keras.Input((), dtype="string")
layer = keras.layers.TFSMLayer(MODEL, call_endpoint="serving_default")
model = keras.Model(texts, layer(texts)["probabilities"])

def probabilities(texts):
    return model.predict(tf.constant(texts), verbose=0)
"""
FASTAPI = """
import tensorflow as tf
from fastapi import FastAPI
from pydantic import BaseModel

class Body(BaseModel):
    texts: list[str]

app = FastAPI()
PROBABILITIES
probabilities(["warm"])

@app.get("/readyz")
def readyz() -> str:
    return "ready"

@app.post("/classify")
def classify(body: Body) -> list[dict]:
    rows = probabilities(body.texts)
    return [{"label": int(row.argmax()), "probabilities": row.tolist()} for row in rows]
"""


def plain(folder: Path, model: Path, port: int) -> Started:
    """Writes a `batchable` API of BentoML; returns its command line and environment."""
    folder.mkdir()
    (folder / "plain.py").write_text(PLAIN.replace("MODEL", repr(str(model))), encoding="utf-8")
    argv = [
        sys.executable, "-m", "bentoml", "serve", "plain:Plain", "--port", str(port),
        "--working-dir", str(folder),
    ]  # fmt: skip
    home = str(folder / "bentoml")
    return argv, os.environ | {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}


def fastapi(folder: Path, model: Path, port: int, probabilities: str = SIGNATURE) -> Started:
    """Writes a FastAPI app without batching; `probabilities` is SIGNATURE or PREDICT."""
    folder.mkdir()
    code = FASTAPI.replace("PROBABILITIES", probabilities).replace("MODEL", repr(str(model)))
    (folder / "peer.py").write_text(code, encoding="utf-8")
    argv = [
        sys.executable, "-m", "uvicorn", "peer:app", "--port", str(port), "--app-dir", str(folder),
        "--log-level", "warning",
    ]  # fmt: skip
    return argv, dict(os.environ)


def ours(code: Path, folder: Path, bundle: Path, key_folder: Path, name: str, port: int) -> Started:
    """Makes a project with the champion `bundle` for the service of the checkout at `code`."""
    paths = Paths(folder, folder / "home")
    folder.mkdir()
    shutil.copy(code / "params.yaml", folder)
    edit.set_values(folder / "params.yaml", {"serve.port": port})
    (folder / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    ledger = Ledger(ledgers.url(paths.ledger))  # none is made beside bundles
    shutil.copytree(bundle, paths.bundles / name)
    shutil.copytree(key_folder, paths.keys)
    row = {
        "version": 1, "bundle": name, "time": datetime.now(UTC), "tag": "newsloop@v1.0.0",
        "commit": "0" * 40, "dvc_lock": "0" * 64, "snapshot": "0" * 64,
        "metrics": {}, "decision": {},
    }  # fmt: skip
    ledger.add_version(row, "a benchmark")
    ledger.close()
    script = (
        "import json,sys; from pathlib import Path; from components.core import params; "
        "from components.core.paths import Paths; from serving.server import command; "
        "p = Paths(Path(sys.argv[1]), Path(sys.argv[1]) / 'home'); "
        "print(json.dumps(command(params.load(p.params), p)))"
    )
    env = os.environ | {"PYTHONPATH": str(code)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=code, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    argv, environment = json.loads(done.stdout)
    return argv, environment | {"PYTHONPATH": str(code)}
