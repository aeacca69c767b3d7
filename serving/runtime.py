"""Where the service runs: in a project, following its ledger, or in a bento with one bundle."""

from __future__ import annotations

import functools
import gc
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core import bundle as bundles
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.bundle import Bundle
from components.core.bundle.runtimes import Format
from components.core.errors import LedgerError, NewsloopError, StackError
from components.core.ledger import Ledger
from components.core.params import Params
from components.core.paths import SPOOL, Paths
from components.core.runtime.private import close_state
from serving.http import api_keys
from serving.http.api_keys import Keys
from serving.http.auth import is_loopback
from serving.models import load_guard
from serving.models.champion_watcher import ChampionWatcher, Served, warm
from serving.models.model_cache import ModelCache
from serving.status import FILE, writer

LOG = logging.getLogger("newsloop.serving")
FOLLOW, ROOT, DATABASE = "NEWSLOOP_FOLLOW", "NEWSLOOP_ROOT", "NEWSLOOP_DATABASE_URL"
API_KEYS = "NEWSLOOP_API_KEYS"  # the file of API keys, where it lies elsewhere
CODE = Path(__file__).resolve().parents[1]


class Pinned:
    """Always the same bundle; it stands where a ChampionWatcher stands."""

    def __init__(self, served: Served) -> None:
        self.current: Served | None = served
        self.ledger_away = False  # it is read once, at the start

    def start(self) -> None:
        """Nothing to follow."""

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True)
class ServiceRuntime:
    """What the service needs to run.

    Attributes:
        params: the settings, and the file they came from.
        models: whose `current` is the model that answers; None while there is none.
        ledger: where predictions are recorded; None in a bento without a database.
        spool: the folder where they wait while the ledger is away; None in a bento without a home.
        model_cache: of bundles; None in a bento, which has the one.
    """

    params: Params
    params_file: Path
    models: ChampionWatcher | Pinned
    ledger: Ledger | None
    spool: Path | None = None
    model_cache: ModelCache | None = None


def find(environ: Mapping[str, str] = os.environ, code: Path = CODE) -> ServiceRuntime:
    """The runtime that the environment and the folders beside the code call for.

    Raises:
        NewsloopError: neither a project to follow nor a bundle beside the code; or as the loading
            of params.yaml or of that bundle.
    """
    place = _place(environ, code)
    if isinstance(place, Paths):
        file = environ.get(FILE)
        return _project(place, Path(file) if file else None)
    home = environ.get("NEWSLOOP_HOME")
    return _bento(place, environ.get(DATABASE), Path(home) / SPOOL if home else None)


def check(
    environ: Mapping[str, str] = os.environ, code: Path = CODE, host: str | None = None
) -> None:
    """Raises what `find` would, without loading anything slow, or that API keys are missing.

    BentoML starts a worker that cannot start again and again; this is for before the first time.

    Args:
        host: the address that the service is to listen at; None for that of BentoML's settings,
            which is loopback unless somebody changed it.
    """
    place = _place(environ, code)
    if isinstance(place, Paths):
        close_state(place.root, place.home)
    params, keys = entrance(environ, code)
    if not isinstance(place, Paths):
        bundles.verify(place / "bundle", place / "keys")
        bundles.verify(place, place / "keys")  # its code and settings
    need_keys(keys, params.serve.ask_keys == "always", host or "127.0.0.1")


def entrance(environ: Mapping[str, str] = os.environ, code: Path = CODE) -> tuple[Params, Keys]:
    """The settings, and who may come in.

    The API keys lie in the project's state beside its other keys, or where NEWSLOOP_API_KEYS says.
    A bento holds none: it has them from NEWSLOOP_API_KEYS, or from NEWSLOOP_HOME.
    """
    place = _place(environ, code)
    if isinstance(place, Paths):
        params, folder = parameters.load(place.params), place.keys
    else:
        params = parameters.load(place / "params.yaml")
        home = environ.get("NEWSLOOP_HOME")
        folder = Path(home) / "keys" if home else place / "keys"
    path = environ.get(API_KEYS)
    return params, Keys(Path(path) if path else folder / api_keys.FILE)


def need_keys(keys: Keys, always: bool, host: str) -> None:
    """Refuses an address that others reach, or `serve.ask_keys: always`, while no key is valid.

    Raises:
        StackError: nobody could use the service, or everybody.
    """
    if len(keys) == 0 and (always or not is_loopback(host)):
        why = "serve.ask_keys is always" if always else f"{host} can be reached from elsewhere"
        raise StackError(
            f"Expected an API key, because {why}, and there is none. Make one by `newsloop api-key "
            f"add NAME --scope predict`, or name a file of keys by {API_KEYS}; or serve at "
            "127.0.0.1."
        )


def _place(environ: Mapping[str, str], code: Path) -> Paths | Path:
    """The project to follow, or the folder of the bento."""
    if environ.get(FOLLOW) == "1":
        return Paths.find(Path(environ[ROOT]) if ROOT in environ else None)
    if (code / "params.yaml").is_file() and (code / "bundle").is_dir():
        return code
    raise NewsloopError(
        f"Expected either {FOLLOW}=1 and a newsloop project, or a folder bundle beside params.yaml "
        f"in {code}; found neither. Start the service with `newsloop serve`, or serve the bento "
        "that `newsloop run` built."
    )


def freeze_libraries(bundle: Path) -> None:
    """Imports the libraries that `bundle` needs, and takes them from the garbage collector's sight.

    TensorFlow's half a million objects made each full collection stop all answers for 0.3 s.
    Bundles are loaded after it, so that one that has served its time is still collected.
    """
    _freeze(bundles.model_format(bundle))  # type: ignore[arg-type]  # a module is hashable


@functools.cache
def _freeze(model_format: Format | None) -> None:
    if model_format is not None:
        model_format.import_libraries()
    gc.collect()
    gc.freeze()


def _project(paths: Paths, status_file: Path | None) -> ServiceRuntime:
    params = parameters.load(paths.params)
    ledger = _open(ledgers.url(paths.ledger))

    def load(name: str) -> Bundle:
        freeze_libraries(paths.bundles / name)
        loaded = bundles.load(paths.bundles / name, paths.keys)
        if loaded.name != name:
            raise NewsloopError(
                f"Expected bundle {name[:12]} in {paths.bundles / name}, found {loaded.name[:12]}. "
                "Release it again."
            )
        return warm(loaded, params.serve.max_batch)

    model_cache = ModelCache(
        lambda name: load_guard.attempt(paths.loading, name, load), params.serve.keep_seconds
    )
    watcher = ChampionWatcher(ledger, model_cache, params.serve.follow_seconds, writer(status_file))
    return ServiceRuntime(params, paths.params, watcher, ledger, paths.spool, model_cache)


def _bento(code: Path, database: str | None, spool: Path | None) -> ServiceRuntime:
    params = parameters.load(code / "params.yaml")
    freeze_libraries(code / "bundle")
    loaded = warm(bundles.load(code / "bundle", code / "keys"), params.serve.max_batch)
    ledger = _open(database) if database else None
    served = Served(loaded, _version(ledger, loaded.name))
    LOG.info("%s serves, pinned in this bento.", served.title)
    return ServiceRuntime(params, code / "params.yaml", Pinned(served), ledger, spool)


def _open(database: str) -> Ledger:
    """The ledger, even if it cannot be reached now: it may come back."""
    try:
        return Ledger(database)
    except LedgerError as error:
        LOG.error("%s", error)
        return Ledger(database, create=False)


def _version(ledger: Ledger | None, name: str) -> dict[str, Any] | None:
    """What the ledger knows of the bundle `name`, if anything."""
    if ledger is None:
        return None
    try:
        return next((row for row in ledger.versions() if row["bundle"] == name), None)
    except LedgerError as error:
        LOG.error("%s", error)
        return None
