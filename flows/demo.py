"""The closed loop, shown in a sandbox: a newsroom that hardly covered one desk begins to cover it.

The world moves honestly: the sandbox's own first champion learns from the ingested articles with
nearly all of one class held back. Held-out articles of the old world give no drift; then held-back
articles arrive over HTTP, people label half of them, and newsloop is left alone. The other half is
never labelled nor trained on: accuracy before and after is counted on it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import sqlalchemy as sa
import yaml

from components import ingest
from components.core import ledger as ledgers
from components.core import tables
from components.core.errors import DataError, StackError
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import Paths
from flows.monitoring import DRIFT
from flows.show import say
from flows.stack import free_ports
from serving.client import Client

MOVED = "tech"  # the class that training sees little of; the last label where there is no such
SEEN = 15  # articles of it that the first champion learns from
STILL = 200  # held-out articles of the old world
LABELLED = 160  # held-back articles that people label
UNLABELLED = 120  # held-back articles on which before and after is counted
REQUEST = 8  # texts in one request
SEED = 5
_WAIT_SECONDS = 300
_LOOK_EVERY = 0.5


class Timeline:
    """Prints what happened and when, in seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def add(self, what: str) -> None:
        seconds = time.monotonic() - self._start
        sys.stdout.write(f"{seconds:6.0f} s  {what}\n")
        sys.stdout.flush()


class Traffic(threading.Thread):
    """Somebody who asks all the time, and counts what went wrong and who answered."""

    def __init__(self, url: str, texts: list[str]) -> None:
        super().__init__(daemon=True)
        self._client, self._texts = Client(url), texts
        self._ended = threading.Event()
        self.answered, self.failed = 0, 0
        self.models: list[str] = []

    def run(self) -> None:
        while not self._ended.is_set():
            text = self._texts[(self.answered + self.failed) % len(self._texts)]
            try:
                model = self._client.classify([text]).model
            except StackError:
                self.failed += 1
            else:
                self.answered += 1
                if not self.models or self.models[-1] != model:
                    self.models.append(model)
            self._ended.wait(0.1)  # ten requests a second leave the cores to the training

    def end(self) -> None:
        self._ended.set()
        self.join()


def worlds(documents: pl.DataFrame, moved: str) -> dict[str, pl.DataFrame]:
    """Divides ingested documents into the demo's parts; no text is in two of them.

    Returns:
        `learned` (the first champion's data, with SEEN documents of `moved`), `still` (held out of
        the same world), `labelled` and `unlabelled` (both of the moved world).

    Raises:
        DataError: too few documents of the moved class.
    """
    # Equal first words mark the same article under two names: one of them is enough here.
    unique = documents.unique(pl.col("text").str.slice(0, 200), keep="first", maintain_order=True)
    shuffled = unique.sample(fraction=1.0, shuffle=True, seed=SEED)
    new = shuffled.filter(pl.col("label") == moved)
    old = shuffled.filter(pl.col("label") != moved)
    needed = SEEN + LABELLED + UNLABELLED
    if len(new) < needed or len(old) < 3 * STILL:
        raise DataError(
            f"Expected at least {needed} articles of {moved} and {3 * STILL} others for the demo, "
            f"found {len(new)} and {len(old)}. It is made for the BBC News of the default params."
        )
    return {
        "learned": pl.concat([old[STILL:], new[:SEEN]]),
        "still": old[:STILL],
        "labelled": new[SEEN : SEEN + LABELLED],
        "unlabelled": new[SEEN + LABELLED : needed],
    }


def run(params: Params, paths: Paths, keep: bool) -> None:
    """Runs the demo and prints its timeline.

    Args:
        params, paths: of the project whose ingested articles are used.
        keep: leave the sandbox's servers running.

    Raises:
        NewsloopError: anything on the way failed; the sandbox's servers are ended all the same.
    """
    labels = params.ingest.labels
    moved = MOVED if MOVED in labels else labels[-1]
    parts = worlds(tables.read_table(paths.ingested / "documents.parquet"), moved)
    raw = _raw_texts(params, paths)
    for name in ("still", "labelled", "unlabelled"):
        parts[name] = parts[name].with_columns(text=pl.col("id").replace_strict(raw))
    sandbox = Sandbox(paths)
    timeline = Timeline()
    sandbox.prepare(parts["learned"])
    timeline.add(
        f"a sandbox at {sandbox.root}: its newsroom has {len(parts['learned'])} articles, "
        f"{SEEN} of them {moved}"
    )
    try:
        _show(sandbox, parts, moved, timeline)
    finally:
        if keep:
            say(f"its servers run on; end them with: NEWSLOOP_HOME={sandbox.home} newsloop down")
        else:
            sandbox.newsloop("down")


def _show(sandbox: Sandbox, parts: dict[str, pl.DataFrame], moved: str, timeline: Timeline) -> None:
    learned = sandbox.newsloop("run", "--reason", "demo")
    metrics = learned["metrics"]
    timeline.add(
        f"first champion {learned['version']} ({metrics['architecture']}), accuracy "
        f"{metrics['accuracy']['value']:.3f} on its own test side"
    )
    sandbox.newsloop("up")
    timeline.add(f"Prefect, deployments and service are up at {sandbox.service}")

    ledger = Ledger(ledgers.url(sandbox.home / "ledger.sqlite"))
    with Client(sandbox.service) as client:
        right, _ = _send(client, parts["still"])
        timeline.add(f"{len(parts['still'])} held-out articles: accuracy {right:.3f}")
        _wait("the texts to be scrubbed", lambda: _waiting(ledger) == 0)
        outcome = sandbox.newsloop("monitor")
        timeline.add(f"monitoring: {outcome['verdict']}. {' '.join(outcome['reasons'])}")

        before_labelled, ids = _send(client, parts["labelled"])
        before, _ = _send(client, parts["unlabelled"])
        moved_count = len(parts["labelled"]) + len(parts["unlabelled"])
        timeline.add(
            f"the world moves: {moved_count} {moved} articles arrive; accuracy "
            f"{before_labelled:.3f} and {before:.3f}"
        )
        counts = client.feedback(zip(ids, parts["labelled"]["label"], strict=True))
        timeline.add(f"people label {len(ids)} of them: {counts}")
        _wait("the texts to be scrubbed", lambda: _waiting(ledger) == 0)
        timeline.add("what arrived is scrubbed and in the ledger")

        traffic = Traffic(sandbox.service, parts["still"]["text"].to_list())
        traffic.start()
        try:
            _retrain(sandbox, ledger, client, timeline)
        finally:
            traffic.end()
        after, _ = _send(client, parts["unlabelled"])
    timeline.add(
        f"meanwhile {traffic.answered} requests were answered, {traffic.failed} failed; answered "
        f"by {' then '.join(traffic.models)}"
    )
    timeline.add(
        f"accuracy on the {len(parts['unlabelled'])} moved articles that nobody labelled: "
        f"{before:.3f} before, {after:.3f} after"
    )
    ledger.close()
    if traffic.failed:
        raise StackError(f"Expected no request to fail in the demo, {traffic.failed} did.")


def _retrain(sandbox: Sandbox, ledger: Ledger, client: Client, timeline: Timeline) -> None:
    """Monitoring finds the drift; from then on nobody does anything but look."""
    first = ledger.champion()
    outcome = sandbox.newsloop("monitor")
    timeline.add(f"monitoring: {outcome['verdict']}. {' '.join(outcome['reasons'])}")
    timeline.add(f"Evidently's report: {outcome['report']}")
    if outcome["verdict"] != "retrain":
        raise StackError("Expected monitoring to ask for a retraining in the demo, it did not.")
    _wait("Prefect to have the event", lambda: sandbox.events(DRIFT) > 0)
    timeline.add(f"event {DRIFT} is in Prefect")
    _wait("the automation to start a run", lambda: sandbox.automated_run() is not None)
    timeline.add(f"the automation started the run '{sandbox.automated_run()}'")
    _wait("the gate and the release", lambda: ledger.champion() != first)
    champion = ledger.champion()
    assert champion is not None
    checks = champion.decision["checks"]
    timeline.add(f"gate: {sum(check['passed'] for check in checks)} of {len(checks)} checks passed")
    for side in champion.decision["comparison"]["sides"]:
        timeline.add(
            f"against the champion, {side['name']}: {side['gained']} texts won and {side['lost']} "
            f"lost of {side['documents']}; by luck with a chance of {side['better']:.1g}"
        )
    timeline.add(f"released {champion.tag}: {champion.reason}")
    _wait("the service to follow", lambda: client.model()["bundle"] == champion.bundle)
    timeline.add(f"the same service answers with {champion.tag}")


def _raw_texts(params: Params, paths: Paths) -> dict[str, str]:
    """The articles as they were before scrubbing, by id: what people send is not scrubbed."""
    return {
        document.id: document.text
        for _, documents in ingest.read(params, paths)
        for document in documents
    }


def _send(client: Client, documents: pl.DataFrame) -> tuple[float, list[str]]:
    """Share of right answers, and the predictions' ids."""
    found = [
        prediction
        for batch in documents.iter_slices(REQUEST)
        for prediction in client.classify(batch["text"].to_list()).predictions
    ]
    right = sum(p.label == label for p, label in zip(found, documents["label"], strict=True))
    return right / len(found), [p.prediction_id for p in found]


def _waiting(ledger: Ledger) -> int:
    """How many predictions the scrubber has not come to yet."""
    tables_ = (ledgers.PREDICTIONS, ledgers.TEXTS)
    counts = [ledger.query(sa.select(sa.func.count().label("n")).select_from(t)) for t in tables_]
    return int(counts[0][0]["n"]) - int(counts[1][0]["n"])


def _wait(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise StackError(f"Expected {what} within {_WAIT_SECONDS} s, it did not come.")
        time.sleep(_LOOK_EVERY)


class Sandbox:
    """A project of its own: the code of this checkout, other data, other ports, other state."""

    def __init__(self, paths: Paths) -> None:
        self._origin = paths
        self.root = paths.home / "demo"
        self.home = self.root / ".newsloop"
        self._ports = free_ports(2)
        self.service = f"http://127.0.0.1:{self._ports[0]}"
        self._server = f"http://127.0.0.1:{self._ports[1]}/api"
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NEWSLOOP_", "PREFECT_", "BENTOML_"))
        } | {"NEWSLOOP_HOME": str(self.home)}

    def prepare(self, learned: pl.DataFrame) -> None:
        """Makes the project anew; an earlier sandbox is ended and removed."""
        if self.root.exists():
            if (self.root / "dvc.yaml").exists():
                self.newsloop("down")
            shutil.rmtree(self.root)
        self.root.mkdir(parents=True)
        for name in _output(["git", "ls-files"], self._origin.root).splitlines():
            if (self._origin.root / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self._origin.root / name, self.root / name)
        tables.write_table(learned, self.root / "newsroom.parquet")
        self._settle()
        # The articles were scrubbed already under the same policy and key: the cache knows them.
        self.home.mkdir()
        shutil.copytree(self._origin.keys, self.home / self._origin.keys.name)
        if self._origin.scrub_cache.exists():
            shutil.copy(self._origin.scrub_cache, self.home)
        git = ["git", "-c", "user.name=newsloop", "-c", "user.email=newsloop@localhost"]
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "demo"]):
            _output([*git, *command], self.root)

    def _settle(self) -> None:
        path = self.root / "params.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings["ingest"]["sources"] = [
            {"name": "newsroom", "kind": "parquet", "path": "newsroom.parquet"},
            {"name": "feedback", "kind": "feedback"},
        ]
        # One small network: the demo is about the loop, and trains twice within minutes.
        settings["train"]["candidates"] = ["textcnn"]
        settings["train"]["textcnn"]["members"] = 1
        settings["train"]["epochs"] = 10
        # Three test articles of a class say nothing about its recall.
        settings["gate"]["min_class_recall"] = 0.0
        settings["gate"]["min_macro_f1"] = 0.0
        settings["gate"]["max_calibration_error"] = 1.0
        settings["serve"] |= {
            "host": "127.0.0.1",
            "ask_keys": "remote",
        }  # it is its own only client
        settings["serve"]["port"], settings["flow"]["server_port"] = self._ports
        path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        (self.root / "data" / "sources.json").unlink(missing_ok=True)
        (self.root / "dvc.lock").unlink(missing_ok=True)
        with (self.root / ".gitignore").open("a") as file:
            file.write("/newsroom.parquet\n")

    def newsloop(self, *arguments: str) -> Any:
        """Runs a command of newsloop in the sandbox; its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments, "--json"],
            cwd=self.root, env=self._env, stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StackError(
                f"Expected `newsloop {' '.join(arguments)}` to work in the sandbox {self.root}, it "
                "did not; the reason stands above."
            )
        return json.loads(done.stdout)

    def events(self, name: str) -> int:
        """How many events of that name Prefect knows."""
        answer = self._ask("/events/filter", {"filter": {"event": {"name": [name]}}})
        return int(answer["total"])

    def automated_run(self) -> str | None:
        """The name of the newest learning run that an automation started."""
        runs = self._ask("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})
        for found in runs:
            creator = (found.get("created_by") or {}).get("type")
            if creator == "AUTOMATION" and found["name"].startswith("learning"):
                return str(found["name"])
        return None

    def _ask(self, route: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{self._server}{route}", json=body, timeout=30, trust_env=False)
        answer.raise_for_status()
        return answer.json()


def _output(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"Expected `{' '.join(command)}` to work, got: {done.stderr.strip()}")
    return done.stdout
