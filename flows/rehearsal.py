"""Rehearsal: the real service loads the candidate in a separate process and answers requests.

The process has a free loopback port, a temporary ledger and bundle store, and the code and settings
of the real service. The gate reads the results. A rehearsal that the machine prevents (a time-out,
a taken port, no memory) has no result: it says nothing about the candidate, and is repeated.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil
import yaml

from components import folds, release
from components.core import keys, tables
from components.core import params as parameters
from components.core.errors import BundleError, DataError, StackError, cause_and_remedy
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.long_running import Process
from flows import stack
from serving import status

_TOLERANCE = 1e-4  # of a confidence: a batch of texts rounds differently than one text
_LOOK_EVERY = 0.2  # seconds between two polls
_NAME = "rehearsal"  # replaces a version's tag
_CANNOT_SERVE = (status.Code.REFUSED, status.Code.FAILED)
_FEWEST = 2  # golden texts that a percentile needs
_SHOWN = 500  # characters of a log in an error
_MIB = 2**20
_REFUSALS = range(400, 500)


@dataclass(frozen=True)
class Found:
    """Results of a rehearsal. Without a problem, and if it is decided, no number is None.

    Attributes:
        bundle: name of the candidate's bundle.
        problem: fault of the candidate, which cannot be served; None without one.
        undecided: why the rehearsal has no result; None if it has one.
        seconds: seconds from the start of the process until it is ready.
        texts: golden texts, one per request.
        equal: share of them with the evaluation's answer, in [0, 1].
        p50_ms, p95_ms: milliseconds of a request with one text, percentiles.
        refused: share of the hostile requests that got a 4xx, in [0, 1]; 0 if the first text gets
            another result afterwards.
        memory_mib: MiB of resident memory of the serving process, at the end.
    """

    bundle: str
    problem: str | None = None
    undecided: str | None = None
    seconds: float | None = None
    texts: int = 0
    equal: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    refused: float | None = None
    memory_mib: float | None = None


def hostile(params: Params) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Returns requests that must be refused: method, route, headers, body."""
    form = {"Content-Type": "application/json"}
    bodies = [
        b"", b"{", b"[]", b"null", b'{"texts": []}', b'{"texts": "a"}', b'{"texts": [1]}',
        b'{"texts": [null]}', b'{"texts": [["a"]]}', b'{"texts": ["a"], "texts": NaN}',
        b'{"texts": ["\xff\xfe"]}', b"[" * 20_000, b'{"texts": [' + b"[" * 20_000,
        json.dumps({"texts": ["a" * (params.serve.max_characters + 1)]}).encode(),
        json.dumps({"texts": ["a"] * (params.serve.max_texts + 1)}).encode(),
    ]  # fmt: skip
    label = {"prediction_id": "a" * 32, "label": "no class of ours"}
    return [
        *(("POST", "/classify", form, body) for body in bodies),
        ("POST", "/classify", {"Content-Type": "application/vnd.bentoml+pickle"}, b"\x80\x04N."),
        ("POST", "/explain", form, b'{"text": 7}'),
        ("POST", "/feedback", form, json.dumps({"labels": [label]}).encode()),
        ("GET", "/../../etc/passwd", {}, b""),
        ("DELETE", "/model", {}, b""),
    ]


def run(
    params: Params, paths: Paths, name: str, rehearse: Callable[..., Found] | None = None
) -> Found:
    """Rehearses the candidate `name` of data/06_packaged, and writes the results.

    Args:
        params: settings; the rehearsal replaces host, port, keys and drain of `serve`.
        paths: paths of the workspace that made the candidate.
        rehearse: replaces the real service, in tests.
    """
    golden = _golden(params, paths)
    try:
        result = (rehearse or _rehearse)(params, paths, name, golden)
    except MemoryError:
        result = Found(name, undecided="this machine has no memory left for the rehearsal")
    except OSError as error:
        result = Found(name, undecided=cause_and_remedy(error))
    except StackError as error:
        result = Found(name, undecided=str(error))
    tables.write_json(asdict(result), paths.rehearsals / f"{name}.json")
    return result


def _rehearse(params: Params, paths: Paths, name: str, golden: list[dict[str, Any]]) -> Found:
    with _stage(params, paths) as (settings, scene):
        try:
            release.store(paths.bundle, scene.bundles / name, scene.keys)
        except BundleError as error:
            return Found(name, str(error))
        return _play(settings, scene, name, golden)


def sweep(paths: Paths) -> None:
    """Stops processes and removes folders of killed rehearsals.

    The caller holds the learning lock, so no rehearsal is running.
    """
    for folder in paths.home.glob(f"{_NAME}-*"):
        stack.stop(Paths(folder, folder / "home"), stack.SERVICE)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _stage(params: Params, paths: Paths) -> Iterator[tuple[Params, Paths]]:
    """Makes a temporary project that holds only settings and the public key."""
    sweep(paths)
    (port,) = stack.free_ports(1)
    serve = {"host": "127.0.0.1", "port": port, "ask_keys": "remote", "drain_seconds": 0.0}
    values = params.model_dump(mode="json", by_alias=True)
    values["serve"] |= serve
    settings = parameters.parse(values, str(paths.params))
    paths.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.home, prefix=f"{_NAME}-") as folder:
        scene = Paths(Path(folder), Path(folder) / "home")
        tables.write_text(yaml.safe_dump(values), scene.params)
        tables.write_text("stages: {}\n", scene.root / "dvc.yaml")
        public = (paths.keys / keys.PUBLIC).read_bytes()
        tables.write_atomic(scene.keys / keys.PUBLIC, lambda path: path.write_bytes(public))
        Ledger(f"sqlite:///{scene.ledger}").close()  # none is made beside bundles
        try:
            yield settings, scene
        finally:
            stack.stop(scene, stack.SERVICE)


def _play(params: Params, scene: Paths, name: str, golden: list[dict[str, Any]]) -> Found:
    ledger = Ledger(f"sqlite:///{scene.ledger}")
    try:
        _enter(ledger, name)
    finally:
        ledger.close()
    own = {
        "NEWSLOOP_DATABASE_URL": f"sqlite:///{scene.ledger}",
        "NEWSLOOP_API_KEYS": str(scene.keys / "none.json"),
        status.FILE: str(_status_file(scene)),
    }
    started = time.monotonic()
    process = stack.launch_service(params, scene, own)
    url = process.url
    with httpx.Client(base_url=url, timeout=params.serve.deadline_seconds, trust_env=False) as http:
        problem = wait(scene, http, params.gate.rehearsal_seconds)
        if problem:
            return Found(name, problem)
        seconds = time.monotonic() - started
        try:
            result = ask(params, http, golden, Found(name, seconds=round(seconds, 1)))
            return replace(result, memory_mib=_memory(process))
        except (httpx.HTTPError, psutil.NoSuchProcess) as error:
            seconds = params.serve.deadline_seconds
            raise StackError(
                f"Expected answers from the service of the rehearsal, got {type(error).__name__}: "
                f"it was ended, had no memory, or took longer than {seconds:g} s "
                "(serve.deadline_seconds)."
            ) from error


def _enter(ledger: Ledger, name: str) -> None:
    now = datetime.now(UTC)
    nothing = {"tag": _NAME, "commit": "", "dvc_lock": "", "snapshot": ""}
    row = {"version": 1, "bundle": name, "time": now, **nothing, "metrics": {}, "decision": {}}
    ledger.add_version(row, _NAME)


def _status_file(scene: Paths) -> Path:
    return scene.home / "status.json"


def wait(scene: Paths, http: httpx.Client, patience: float) -> str | None:
    """Waits until the service is ready; returns the fault of a candidate that cannot be served.

    Raises:
        StackError: the service ended, or is not ready after `patience` seconds.
    """
    log = scene.logs / f"{stack.SERVICE}.log"
    deadline = time.monotonic() + patience
    while True:
        state = status.read(_status_file(scene))
        if state is not None and state.code in _CANNOT_SERVE:
            return state.reason
        if state is not None and state.code == status.Code.NO_MEMORY:
            raise StackError(state.reason)
        if stack.find(scene, stack.SERVICE) is None:
            end_of_log = " ".join(log.read_text(errors="replace").split())[-_SHOWN:]
            raise StackError(
                f"Expected the service of the rehearsal to run, it ended: {end_of_log}"
            )
        try:
            if http.get("/readyz", timeout=2).is_success:
                return None
        except httpx.HTTPError:
            pass  # the service still starts
        if time.monotonic() > deadline:
            raise StackError(
                f"Expected the service to load the candidate within {patience:g} s "
                "(gate.rehearsal_seconds), it was not ready by then."
            )
        time.sleep(_LOOK_EVERY)


def ask(params: Params, http: httpx.Client, golden: list[dict[str, Any]], found: Found) -> Found:
    """Sends golden texts and hostile requests; returns `found` with all numbers but the memory.

    Args:
        http: client of the service.
        golden: texts with the evaluation's predictions: text, predicted, confidence; two at least.

    Raises:
        httpx.HTTPError: the service does not answer.
    """

    def classify(row: dict[str, Any]) -> bool:
        """Returns True if the service's prediction is the evaluation's."""
        answer = http.post("/classify", json={"texts": [row["text"]]})
        if not answer.is_success:
            return False
        (prediction,) = answer.json()["predictions"]
        near = abs(prediction["confidence"] - row["confidence"]) <= _TOLERANCE
        return bool(prediction["label"] == row["predicted"] and near)

    def refused(request: tuple[str, str, dict[str, str], bytes]) -> bool:
        method, route, headers, body = request
        answer = http.request(method, route, headers=headers, content=body)
        return answer.status_code in _REFUSALS

    timed = [_timed(classify, row) for row in golden]
    share = statistics.mean(map(refused, hostile(params)))
    unharmed = classify(golden[0]) == timed[0][0]
    milliseconds = [seconds * 1000 for _, seconds in timed]
    return replace(
        found,
        texts=len(golden),
        equal=statistics.mean(equal for equal, _ in timed),
        p50_ms=round(statistics.median(milliseconds), 2),
        p95_ms=round(statistics.quantiles(milliseconds, n=20)[-1], 2),
        refused=share if unharmed else 0.0,
    )


def _memory(process: Process) -> float:
    """MiB of the largest child: the process that answers."""
    children = psutil.Process(process.pid).children(recursive=True)
    return round(max(child.memory_info().rss for child in children) / _MIB, 1)


def _timed(work: Callable[[dict[str, Any]], bool], row: dict[str, Any]) -> tuple[bool, float]:
    started = time.perf_counter()
    return work(row), time.perf_counter() - started


def _golden(params: Params, paths: Paths) -> list[dict[str, Any]]:
    """Selects evenly spaced test texts: text, predicted, confidence."""
    test = folds.measured(paths).select("id", "text")
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    if "final" in answers.columns:  # the others are predictions of the folds' models
        answers = answers.select("id", predicted="final", confidence="final_confidence")
    short = pl.col("text").str.len_chars() <= params.serve.max_characters
    rows = test.join(answers, on="id", maintain_order="left").filter(short)
    if len(rows) < _FEWEST:
        raise DataError(
            f"Expected {_FEWEST} test texts of at most {params.serve.max_characters} characters to "
            f"rehearse with, got {len(rows)}. Raise serve.max_characters, or bring more documents."
        )
    count = min(params.gate.rehearsal_texts, len(rows))
    indices = [i * len(rows) // count for i in range(count)]
    return rows[indices].select("text", "predicted", "confidence").to_dicts()
