"""Sandbox project of the demo and the drills: this code with other data and other state."""

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
from components.core.runtime import interrupts, long_running
from flows import prefect_auth, stack
from serving.client import Client

REQUEST = 8  # texts in one request
_WAIT_SECONDS = 300
_COMMAND_SECONDS = 3600  # of one command in the sandbox: a learning run on two slow cores
_LOOK_EVERY = 0.5


class Timeline:
    """Prints events with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def add(self, what: str) -> None:
        seconds = time.monotonic() - self._start
        sys.stdout.write(f"{seconds:6.0f} s  {what}\n")
        sys.stdout.flush()


class Traffic(threading.Thread):
    """Thread that sends requests continuously; counts failures and lists the models that answer."""

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
        self.join(_WAIT_SECONDS)
        self._client.close()


def raw_texts(params: Params, paths: Paths) -> dict[str, str]:
    """Reads the unscrubbed texts by id, because clients send unscrubbed texts."""
    return {
        document.id: document.text
        for _, documents in ingest.read(params, paths)
        for document in documents
    }


def send(client: Client, documents: pl.DataFrame) -> tuple[float, list[str]]:
    """Sends documents; returns the accuracy in [0, 1] and the predictions' ids."""
    predictions = [
        prediction
        for batch in documents.iter_slices(REQUEST)
        for prediction in client.classify(batch["text"].to_list()).predictions
    ]
    right = sum(p.label == label for p, label in zip(predictions, documents["label"], strict=True))
    return right / len(predictions), [p.prediction_id for p in predictions]


def waiting(ledger: Ledger) -> int:
    """Counts the predictions whose text is not scrubbed yet."""
    counted = (ledgers.PREDICTIONS, ledgers.TEXTS)
    counts = [ledger.query(sa.select(sa.func.count().label("n")).select_from(t)) for t in counted]
    return int(counts[0][0]["n"]) - int(counts[1][0]["n"])


def wait(what: str, done: Callable[[], object], seconds: float = _WAIT_SECONDS) -> None:
    """Waits until `done` is true; raises StackError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise StackError(f"Expected {what} within {seconds:g} s, it did not come.")
        time.sleep(_LOOK_EVERY)


class Sandbox:
    """Project with the code of this checkout, and its own data, ports and state.

    Args:
        paths: paths of the original project.
        name: name of the sandbox's folder in that project's state.
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
        """Creates the project; stops and removes an earlier sandbox first."""
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
        # The articles were scrubbed under the same policy and key, so the cache has their texts.
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
            "serve.ask_keys": "remote",  # only this machine sends requests
            "flow.server_port": self._ports[1],
        }
        values = {"ingest.sources": sources, **self._changes, **own}
        edit.set_values(self.root / "params.yaml", values)
        (self.root / "data" / "sources.json").unlink(missing_ok=True)
        (self.root / "dvc.lock").unlink(missing_ok=True)
        with (self.root / ".gitignore").open("a") as file:
            file.write("/newsroom.parquet\n")

    def newsloop(self, *arguments: str) -> Any:
        """Runs a newsloop command in the sandbox and returns its JSON output.

        Raises:
            StackError: the command failed.
        """
        done = self._run(arguments, None)
        if done.returncode:
            raise StackError(
                f"Expected `newsloop {' '.join(arguments)}` to work in the sandbox {self.root}, it "
                "failed; see the reason above."
            )
        return json.loads(done.stdout)

    def labeller(self) -> str:
        """A new API key whose labels decide alone, as a small installation has one."""
        scopes = ("--scope", "predict", "--scope", "label")
        made = self.command("api-key", "add", "labeller", *scopes)  # it also says to keep the key
        return str(json.loads(made.stdout)["key"])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command that may fail; returns status and output, with stderr."""
        return self._run(arguments, subprocess.PIPE)

    def _run(
        self, arguments: Sequence[str], stderr: int | None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.cli", *arguments, "--json"]
        # A separate process group: Ctrl-C reaches only this process, which ends the child.
        with subprocess.Popen(
            command, cwd=self.root, env=self._env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=stderr, process_group=0,
        ) as process:  # fmt: skip
            try:
                out, err = process.communicate(timeout=_COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                interrupts.end_tree(process.pid)
                raise StackError(
                    f"Expected `newsloop {' '.join(arguments)}` to end within "
                    f"{_COMMAND_SECONDS / 60:g} minutes in the sandbox {self.root}, it did not and "
                    "was ended. Look at its log there."
                ) from None
            except BaseException:
                interrupts.end_tree(process.pid)
                raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def end(self) -> None:
        """Stops the sandbox's servers: in order, or at once after Ctrl-C."""
        if interrupts.received() is None:
            self.newsloop("down")
            return
        paths = Paths(self.root, self.home)
        for name in reversed(stack.NAMES):
            interrupts.end(long_running.members(paths.processes, name))

    def events(self, name: str) -> int:
        """Counts Prefect's events of that name."""
        answer = self.ask("/events/filter", {"filter": {"event": {"name": [name]}}})
        return int(answer["total"])

    def automated_run(self) -> str | None:
        """Returns the name of the newest learning run that an automation started."""
        runs = self.ask("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})
        for run in runs:
            creator = (run.get("created_by") or {}).get("type")
            if creator == "AUTOMATION" and run["name"].startswith("learning"):
                return str(run["name"])
        return None

    def ask(self, route: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """Calls Prefect's API and returns its answer."""
        password = keys.prefect_password(Paths(self.root, self.home).keys)
        return prefect_auth.ask(self._server, password, method, route, body)
