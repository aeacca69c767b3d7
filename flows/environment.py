"""The environment that all our processes run in. Called before Prefect or BentoML is imported."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from components.core import keys
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.runtime.private import close_state, keep_private
from flows import control_plane


def server_url(params: Params) -> str:
    """Where Prefect's API is: PREFECT_API_URL, or the local server of params.yaml."""
    return os.environ.get("PREFECT_API_URL") or local_url(params)


def local_url(params: Params) -> str:
    """The API of the server that newsloop starts itself."""
    return f"http://127.0.0.1:{params.flow.server_port}/api"


def settle(params: Params, paths: Paths, make: bool = True) -> None:
    """Points Prefect, BentoML and DVC at this installation; a value that a person set is kept.

    Args:
        params, paths: of the project.
        make: make the folders and the password that are missing; False for what only reads.
    """
    keep_private()
    close_state(paths.root, paths.home)
    stay_home(paths.home)
    settings = {
        "NEWSLOOP_HOME": str(paths.home),
        "PREFECT_HOME": str(paths.home / "prefect"),
        "PREFECT_API_URL": server_url(params),
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",  # the default is pickle
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",  # the default is every address
        # Seconds between two signs of life of a run; the least that Prefect allows. See
        # prefect_client.py for what happens without them.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        # The server that we start forgets old runs with their logs, and old events.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": _seconds(params.privacy.log_days),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{params.privacy.log_days}D",
        "BENTOML_HOME": str(paths.home / "bentoml"),
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    for name in ("PREFECT_HOME", "BENTOML_HOME") if make else ():
        Path(os.environ[name]).mkdir(parents=True, exist_ok=True)
    known = make or keys.has_prefect_password(paths.keys)
    if known and server_url(params) == local_url(params):
        # Ours, and no other: whatever a shell has is the password of another server.
        os.environ[control_plane.CLIENT] = keys.prefect_password(paths.keys)


def _seconds(days: int) -> str:
    return str(int(timedelta(days=days).total_seconds()))


def quiet_console() -> None:
    """Keeps Prefect's own log lines off a person's terminal; the server still gets them all."""
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
