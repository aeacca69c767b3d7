"""The real BentoML server with a real, tiny bundle, in a project in a temporary folder."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from components.core import params as parameters
from components.core.ledger import TEXTS, Champion, Ledger
from components.core.params import edit
from components.core.paths import Paths
from serving.client import Client
from serving.http import api_keys
from serving.server import command
from tests import tiny

PROJECT = Path(__file__).resolve().parents[1]
MAX_CHARACTERS = 2_000
MAX_TEXTS = 8


def wait_for(what: str, condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def settings(port: int, **serve: object) -> str:
    """params.yaml for a service at `port`, with other changes to its section `serve`."""
    limits = {"max_texts": MAX_TEXTS, "max_characters": MAX_CHARACTERS, "follow_seconds": 0.05}
    values = {f"serve.{key}": value for key, value in ({"port": port} | limits | serve).items()}
    text = (PROJECT / "params.yaml").read_text(encoding="utf-8")
    return edit.with_values(text, values, "params.yaml")


class Server:
    """One running service, and what a test needs around it."""

    def __init__(
        self,
        argv: list[str],
        environment: dict[str, str],
        port: int,
        log: Path,
        key: str | None = None,
    ) -> None:
        self.log, self.port, self.key = log, port, key
        self.url = f"http://127.0.0.1:{port}"
        self.client = Client(self.url, key=key)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)
        with log.open("w") as file:
            self.process = subprocess.Popen(argv, env=environment, stdout=file, stderr=file)

    def answers(self, route: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            self.http.get(route, timeout=2)
        except httpx.HTTPError:
            return False
        return True

    def stop(self) -> None:
        self.client.close()
        self.http.close()
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Project(Server):
    """A service that follows the ledger of a project in a temporary folder.

    Args:
        prefix: of the command line, such as a shell that limits the process.
    """

    def __init__(self, root: Path, prefix: Sequence[str] = (), **serve: object) -> None:
        port = free_port()
        (root / "params.yaml").write_text(settings(port, **serve), encoding="utf-8")
        (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        self.paths = Paths(root, root / "home")
        self.ledger = Ledger(f"sqlite:///{self.paths.ledger}")
        params = parameters.load(self.paths.params)
        key = None
        if params.serve.ask_keys == "always":
            file = self.paths.keys / api_keys.FILE
            key = api_keys.add(file, "tests", ["admin"], tiny.NOW)
        argv, environment = command(params, self.paths)
        super().__init__([*prefix, *argv], environment, port, root / "log", key)
        wait_for("livez", lambda: self.answers("/livez"))
        self.before_release = {
            route: self.http.request(method, route, json=body)
            for method, route, body in [
                ("GET", "/readyz", None),
                ("GET", "/model", None),
                ("POST", "/classify", {"texts": ["a film"]}),
            ]
        }
        self.champion: Champion = tiny.make_champion(self.paths)
        wait_for("readyz", self.client.ready)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        return self.ledger.query(sa.select(table))

    def text_of(self, prediction_id: str) -> list[str | None]:
        where = TEXTS.c.prediction_id == prediction_id
        return [row["text"] for row in self.ledger.query(sa.select(TEXTS).where(where))]
