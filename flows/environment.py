"""Environment variables of all newsloop processes, set before Prefect or BentoML is imported."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from components.core import keys
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.offline import stay_home
from components.core.runtime.private import close_state, keep_private
from flows import prefect_auth


def server_url(params: Params) -> str:
    """Returns the URL of Prefect's API: PREFECT_API_URL, else the local server's."""
    return os.environ.get("PREFECT_API_URL") or local_url(params)


def local_url(params: Params) -> str:
    """Returns the URL of the API of the server that newsloop starts."""
    return f"http://127.0.0.1:{params.flow.server_port}/api"


def settle(params: Params, paths: Paths, make: bool = True) -> None:
    """Points Prefect, BentoML and DVC at this installation; existing variables keep their value.

    Args:
        params, paths: settings and paths of the project.
        make: True: make missing folders and the password; False: for commands that only read.
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
        # Seconds between two heartbeats of a run; the minimum that Prefect allows.
        # prefect_client.py marks a run without heartbeats as crashed.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        # The local server deletes old runs with their logs, and old events.
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
        prefect_auth.reserve(local_url(params))
        # Ours, and no other: whatever a shell has is the password of another server.
        os.environ[prefect_auth.CLIENT] = keys.prefect_password(paths.keys)


def _seconds(days: int) -> str:
    return str(int(timedelta(days=days).total_seconds()))


def quiet_console() -> None:
    """Hides Prefect's log lines on the terminal; the server still gets them."""
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
