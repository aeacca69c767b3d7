"""The rehearsal: the real service loads the candidate, in a process of its own, and is asked.

It has a free port of the loopback, a ledger and a bundle store that are thrown away afterwards, and
the code and settings that the real service runs with. What was found is written for the gate.
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

from components import release
from components.core import keys, tables
from components.core import params as parameters
from components.core.errors import BundleError, DataError, StackError
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths
from flows import stack
from serving import status

_TOLERANCE = 1e-4  # between two confidences: texts computed together round otherwise than one alone
_LOOK_EVERY = 0.2
_NAME = "rehearsal"  # stands for a version's tag
_CANNOT_SERVE = (status.Code.REFUSED, status.Code.FAILED)
_FEWEST = 2  # golden texts: of one there is no percentile
_SHOWN = 500  # characters of a log in an error
_MIB = 2**20
_REFUSALS = range(400, 500)


@dataclass(frozen=True)
class Found:
    """What a rehearsal found. Without a problem, every number is there.

    Attributes:
        bundle: name of the candidate.
        problem: why it cannot be served; None if it can.
        seconds: from the start of the process to its first answer.
        texts: that were asked one by one.
        equal: share of them whose answer was the evaluation's.
        p50_ms, p95_ms: milliseconds for one text.
        refused: share of the hostile requests that were refused with a 4xx, after which the first
            text still got the same answer.
        memory_mib: resident memory of the process that answers, at the end.
    """

    bundle: str
    problem: str | None = None
    seconds: float | None = None
    texts: int = 0
    equal: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    refused: float | None = None
    memory_mib: float | None = None


def hostile(params: Params) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Requests that must be refused: method, route, headers, body."""
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


def run(params: Params, paths: Paths, name: str) -> Found:
    """Rehearses the candidate `name` of data/06_packaged, and writes what was found.

    Args:
        params: its `gate` and `serve`; port, host and keys are the rehearsal's own.
        paths: of the workspace in which the candidate was made.

    Raises:
        StackError: no service can be started at all, whatever the candidate.
    """
    golden = _golden(params, paths)
    with _stage(params, paths) as (settings, scene):
        try:
            release.store(paths.bundle, scene.bundles / name, scene.keys)
        except BundleError as error:
            found = Found(name, str(error))
        else:
            found = _play(settings, scene, name, golden)
    tables.write_json(asdict(found), paths.rehearsals / f"{name}.json")
    return found


def sweep(paths: Paths) -> None:
    """Ends and removes what a killed rehearsal left; the learning lock lets only one run."""
    for folder in paths.home.glob(f"{_NAME}-*"):
        stack.stop(Paths(folder, folder / "home"), stack.SERVICE)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _stage(params: Params, paths: Paths) -> Iterator[tuple[Params, Paths]]:
    """A project with nothing in it but settings and the public key; it is gone at the end."""
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
        problem = _wait(scene, http, params.gate.rehearsal_seconds)
        if problem:
            return Found(name, problem)
        seconds = time.monotonic() - started
        try:
            found = ask(params, http, golden, Found(name, seconds=round(seconds, 1)))
            return replace(found, memory_mib=_memory(process))
        except (httpx.HTTPError, psutil.NoSuchProcess) as error:
            return Found(name, f"it stopped answering in the rehearsal: {type(error).__name__}")


def _enter(ledger: Ledger, name: str) -> None:
    now = datetime.now(UTC)
    nothing = {"tag": _NAME, "commit": "", "dvc_lock": "", "snapshot": ""}
    row = {"version": 1, "bundle": name, "time": now, **nothing, "metrics": {}, "decision": {}}
    ledger.add_version(row, _NAME)


def _status_file(scene: Paths) -> Path:
    return scene.home / "status.json"


def _wait(scene: Paths, http: httpx.Client, patience: float) -> str | None:
    """Until it has loaded the candidate; or why it does not."""
    log = scene.logs / f"{stack.SERVICE}.log"
    deadline = time.monotonic() + patience
    while True:
        state = status.read(_status_file(scene))
        if state is not None and state.code in _CANNOT_SERVE:
            return state.reason
        if stack.find(scene, stack.SERVICE) is None:
            shown = " ".join(log.read_text(errors="replace").split())[-_SHOWN:]
            raise StackError(
                f"Expected the service to start for the rehearsal, it ended: {shown} Fix that, and "
                "run again."
            )
        try:
            if http.get("/readyz", timeout=2).is_success:
                return None
        except httpx.HTTPError:
            pass  # it is starting
        if time.monotonic() > deadline:
            return f"the service had not loaded it after {patience:g} s (gate.rehearsal_seconds)"
        time.sleep(_LOOK_EVERY)


def ask(params: Params, http: httpx.Client, golden: list[dict[str, Any]], found: Found) -> Found:
    """`found`, with all that the service answers; its memory is for others to measure.

    Args:
        http: a client of the service.
        golden: texts with the evaluation's answers: text, predicted, confidence; two at least.

    Raises:
        httpx.HTTPError: it does not answer.
    """

    def classify(one: dict[str, Any]) -> bool:
        """Whether the answer is the evaluation's."""
        answer = http.post("/classify", json={"texts": [one["text"]]})
        if not answer.is_success:
            return False
        (said,) = answer.json()["predictions"]
        near = abs(said["confidence"] - one["confidence"]) <= _TOLERANCE
        return bool(said["label"] == one["predicted"] and near)

    def refused(request: tuple[str, str, dict[str, str], bytes]) -> bool:
        method, route, headers, body = request
        answer = http.request(method, route, headers=headers, content=body)
        return answer.status_code in _REFUSALS

    timed = [_timed(classify, one) for one in golden]
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


def _memory(process: stack.Process) -> float:
    """MiB of the largest child: the process that answers."""
    children = psutil.Process(process.pid).children(recursive=True)
    return round(max(one.memory_info().rss for one in children) / _MIB, 1)


def _timed(work: Callable[[dict[str, Any]], bool], one: dict[str, Any]) -> tuple[bool, float]:
    started = time.perf_counter()
    return work(one), time.perf_counter() - started


def _golden(params: Params, paths: Paths) -> list[dict[str, Any]]:
    """Test texts with the evaluation's answers: text, predicted, confidence; evenly chosen."""
    test = tables.read_table(paths.split / "test.parquet").select("id", "text")
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    short = pl.col("text").str.len_chars() <= params.serve.max_characters
    rows = test.join(answers, on="id", maintain_order="left").filter(short)
    if len(rows) < _FEWEST:
        raise DataError(
            f"Expected {_FEWEST} test texts of at most {params.serve.max_characters} characters to "
            f"rehearse with, got {len(rows)}. Raise serve.max_characters, or bring more documents."
        )
    wanted = min(params.gate.rehearsal_texts, len(rows))
    places = [i * len(rows) // wanted for i in range(wanted)]
    return rows[places].select("text", "predicted", "confidence").to_dicts()
