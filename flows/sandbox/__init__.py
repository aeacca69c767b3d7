"""A project of its own for the demo and the drills: this code, other data, other state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa

from components import ingest
from components.core import git, keys, tables
from components.core import ledger as ledgers
from components.core.errors import StackError
from components.core.ledger import Ledger
from components.core.params import Params, edit
from components.core.paths import Paths
from components.core.runtime import interrupts
from flows import control_plane, stack
from serving.client import Client

REQUEST = 8  # texts in one request
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
        self._client.close()


def raw_texts(params: Params, paths: Paths) -> dict[str, str]:
    """The articles as they were before scrubbing, by id: what people send is not scrubbed."""
    return {
        document.id: document.text
        for _, documents in ingest.read(params, paths)
        for document in documents
    }


def send(client: Client, documents: pl.DataFrame) -> tuple[float, list[str]]:
    """Share of right answers, and the predictions' ids."""
    found = [
        prediction
        for batch in documents.iter_slices(REQUEST)
        for prediction in client.classify(batch["text"].to_list()).predictions
    ]
    right = sum(p.label == label for p, label in zip(found, documents["label"], strict=True))
    return right / len(found), [p.prediction_id for p in found]


def waiting(ledger: Ledger) -> int:
    """How many predictions the scrubber has not come to yet."""
    tables_ = (ledgers.PREDICTIONS, ledgers.TEXTS)
    counts = [ledger.query(sa.select(sa.func.count().label("n")).select_from(t)) for t in tables_]
    return int(counts[0][0]["n"]) - int(counts[1][0]["n"])


def wait(what: str, done: Callable[[], object], seconds: float = _WAIT_SECONDS) -> None:
    """Until `done`, or a StackError."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise StackError(f"Expected {what} within {seconds:g} s, it did not come.")
        time.sleep(_LOOK_EVERY)


class Sandbox:
    """A project of its own: the code of this checkout, other data, other ports, other state.

    Args:
        paths: of the project that it is made from.
        name: of its folder in that project's state.
        changes: dotted key of params.yaml -> value.
    """

    def __init__(self, paths: Paths, name: str, changes: Mapping[str, Any]) -> None:
        self._origin, self._changes = paths, changes
        self.root = paths.home / name
        self.home = self.root / ".newsloop"
        self._ports = stack.free_ports(2)
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
        for name in git.run(self._origin.root, "ls-files").splitlines():
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
        for arguments in (
            ("init", "--quiet"),
            ("add", "--all"),
            ("commit", "--quiet", "-m", "start"),
        ):
            git.run(self.root, *arguments)

    def _settle(self) -> None:
        sources = [
            {"name": "newsroom", "kind": "parquet", "path": "newsroom.parquet"},
            {"name": "feedback", "kind": "feedback"},
        ]
        own = {
            "serve.host": "127.0.0.1",
            "serve.port": self._ports[0],
            "serve.ask_keys": "remote",  # it is its own only client
            "flow.server_port": self._ports[1],
        }
        values = {"ingest.sources": sources, **self._changes, **own}
        edit.set_values(self.root / "params.yaml", values)
        (self.root / "data" / "sources.json").unlink(missing_ok=True)
        (self.root / "dvc.lock").unlink(missing_ok=True)
        with (self.root / ".gitignore").open("a") as file:
            file.write("/newsroom.parquet\n")

    def newsloop(self, *arguments: str) -> Any:
        """Runs a command of newsloop in the sandbox; its answer.

        Raises:
            StackError: it did not work.
        """
        done = self._run(arguments, None)
        if done.returncode:
            raise StackError(
                f"Expected `newsloop {' '.join(arguments)}` to work in the sandbox {self.root}, it "
                "did not; the reason stands above."
            )
        return json.loads(done.stdout)

    def labeller(self) -> str:
        """A new API key whose labels decide alone, as a small installation has one."""
        scopes = ("--scope", "predict", "--scope", "label")
        made = self.command("api-key", "add", "labeller", *scopes)  # it also says to keep the key
        return str(json.loads(made.stdout)["key"])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same, whatever comes of it; what it says on stderr is kept."""
        return self._run(arguments, subprocess.PIPE)

    def _run(
        self, arguments: Sequence[str], stderr: int | None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.cli", *arguments, "--json"]
        # In a process group of its own: Ctrl-C reaches this process only, which ends the other.
        with subprocess.Popen(
            command, cwd=self.root, env=self._env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=stderr, process_group=0,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate()
            except BaseException:
                interrupts.end_tree(process.pid)
                raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def end(self) -> None:
        """Ends its servers: in order, or at once after Ctrl-C."""
        if interrupts.received() is None:
            self.newsloop("down")
            return
        paths = Paths(self.root, self.home)
        for name in (stack.SERVICE, stack.RUNNER, stack.SERVER):
            if process := stack.find(paths, name):
                interrupts.end_tree(process.pid)

    def events(self, name: str) -> int:
        """How many events of that name Prefect knows."""
        answer = self.ask("/events/filter", {"filter": {"event": {"name": [name]}}})
        return int(answer["total"])

    def automated_run(self) -> str | None:
        """The name of the newest learning run that an automation started."""
        runs = self.ask("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})
        for found in runs:
            creator = (found.get("created_by") or {}).get("type")
            if creator == "AUTOMATION" and found["name"].startswith("learning"):
                return str(found["name"])
        return None

    def ask(self, route: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """What Prefect's API answers."""
        password = keys.prefect_password(Paths(self.root, self.home).keys)
        return control_plane.ask(self._server, password, method, route, body)
