"""The long-running processes: Prefect server, runner of the deployments, service.

What was started is written to .newsloop/processes/<name>.json with its process id and start time:
`newsloop down` ends what we started and nothing else, also after the id was given to another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil

from components.core import keys, tables
from components.core.errors import DataError, StackError
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime import interrupts
from flows import control_plane
from flows.environment import local_url, server_url
from serving import server as service_command
from serving.client import Client

SERVER, RUNNER, SERVICE = "server", "runner", "service"
_START_SECONDS = 120  # a cold start on two busy cores
_STOP_SECONDS = 30
_LOOK_EVERY = 0.2
_LAST_LINES = 3  # of a log, in an error message
# What this process started itself. Python warns of a child that nobody knows of any more.
_CHILDREN: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Process:
    """One process that we started."""

    name: str
    pid: int
    created: float
    url: str

    def alive(self) -> bool:
        try:
            found = psutil.Process(self.pid)
            return found.create_time() == self.created and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def find(paths: Paths, name: str) -> Process | None:
    """The process of that name, if we started it and it lives."""
    try:
        process = Process(**tables.read_json(paths.processes / f"{name}.json"))
    except (DataError, TypeError):
        return None
    return process if process.alive() else None


def service_url(params: Params) -> str:
    return service_command.url(params)


def ensure_server(params: Params, paths: Paths) -> str:
    """The URL of a Prefect API that may have our runs; starts a local server if there is none.

    A local server must prove that it knows this installation's password. For the one that
    PREFECT_API_URL names, the person vouches who named it.

    Raises:
        StackError: the port is taken by something else, the server does not come up, or it does
            not take the password.
    """
    url = server_url(params)
    if url != local_url(params):
        _need_named_server(url)
        return url
    password = keys.prefect_password(paths.keys)
    if control_plane.proves(url, password):
        return url
    replaced = _end_open_server(paths, url, password)
    if find(paths, SERVER) is None:
        _need_port("127.0.0.1", params.flow.server_port, "flow.server_port")
        command = [sys.executable, "-m", "flows.prefect_server",
                   "--port", str(params.flow.server_port)]  # fmt: skip
        _start(paths, SERVER, command, {**os.environ, control_plane.SERVER: password}, url)
    _wait(paths, SERVER, lambda: control_plane.proves(url, password))
    if replaced and find(paths, RUNNER) is not None:
        start_runner(params, paths)
    return url


def _end_open_server(paths: Paths, url: str, password: str) -> bool:
    """Ends our own server if it has no password (that of an earlier newsloop), another password or
    another port.

    Returns:
        True if it ended one.
    """
    server = find(paths, SERVER)
    if server is None:
        return False
    _wait(paths, SERVER, lambda: server_answers(server.url))
    if server.url == url and control_plane.proves(url, password):
        return False  # another command started it just now
    return stop(paths, SERVER)


def _need_named_server(url: str) -> None:
    if not server_answers(url):
        raise StackError(
            f"Expected a Prefect server at PREFECT_API_URL={url}, none answers. Start it, or unset "
            "PREFECT_API_URL to use a local one."
        )
    if not control_plane.lets_in(url, os.environ.get(control_plane.CLIENT)):
        raise StackError(
            f"Expected the Prefect server at PREFECT_API_URL={url} to take the password in "
            f"{control_plane.CLIENT}, it refused. Set that variable to the server's USER:PASSWORD."
        )


def server_is_ours(params: Params, paths: Paths) -> bool:
    """True if the server that our runs would go to answers, and knows the password."""
    url = server_url(params)
    if url == local_url(params):
        known = keys.has_prefect_password(paths.keys)
        return known and control_plane.proves(url, keys.prefect_password(paths.keys))
    return server_answers(url)


def start_runner(params: Params, paths: Paths) -> Process:
    """The process that runs the deployments by schedule and event."""
    password = os.environ.get(control_plane.CLIENT)
    running = find(paths, RUNNER)
    if running is not None:
        if psutil.Process(running.pid).environ().get(control_plane.CLIENT) == password:
            return running
        stop(paths, RUNNER)  # that of an earlier newsloop: the server refuses it
    command = [sys.executable, "-m", "flows.deployments"]
    env = {**os.environ, "PREFECT_API_URL": server_url(params)}
    ready = paths.processes / "runner.ready"
    ready.unlink(missing_ok=True)
    process = _start(paths, RUNNER, command, env, server_url(params))
    _wait(paths, RUNNER, ready.exists)
    return process


def start_service(params: Params, paths: Paths) -> Process:
    """The service, following this project's ledger.

    Raises:
        StackError: the port is taken, the host is not loopback, or it does not come up.
    """
    running = find(paths, SERVICE)
    if running is not None:
        return running
    process = launch_service(params, paths)
    with Client(process.url) as client:
        _wait(paths, SERVICE, client.ready)
    return process


def launch_service(
    params: Params, paths: Paths, environment: Mapping[str, str] | None = None
) -> Process:
    """As `start_service`, but does not wait until it answers.

    Args:
        environment: stands over what the service would inherit.
    """
    command, env = service_command.command(params, paths)
    _need_port(params.serve.host, params.serve.port, "serve.port")
    return _start(paths, SERVICE, command, {**env, **(environment or {})}, service_url(params))


def stop(paths: Paths, name: str) -> bool:
    """Ends the process of that name and its children. True if there was one."""
    process = find(paths, name)
    if process is not None:
        _end(process)
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
    (paths.processes / f"{name}.json").unlink(missing_ok=True)
    return process is not None


def _end(process: Process) -> None:
    # Each of them ends its own children in order; the group is killed only if that takes too long.
    children = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    _, left = psutil.wait_procs([psutil.Process(process.pid), *children], timeout=_STOP_SECONDS)
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()


def server_answers(url: str) -> bool:
    """Whether a Prefect API says that it is well."""
    try:
        answer = httpx.get(f"{url}/health", timeout=2, trust_env=False)
        return answer.status_code == httpx.codes.OK and answer.json() is True
    except (httpx.HTTPError, ValueError):
        return False


def _need_port(host: str, port: int, key: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(
                f"Expected the port {port} of {host} to be free, got: {error.strerror}. End what "
                f"uses it, or choose another port by {key} in params.yaml."
            ) from error


def _start(paths: Paths, name: str, command: list[str], env: dict[str, str], url: str) -> Process:
    paths.logs.mkdir(parents=True, exist_ok=True)
    with (paths.logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            command, cwd=paths.root, env=env, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    _CHILDREN.append(child)
    process = Process(name, child.pid, psutil.Process(child.pid).create_time(), url)
    tables.write_json(asdict(process), paths.processes / f"{name}.json")
    return process


def _wait(paths: Paths, name: str, ready: Callable[[], bool]) -> None:
    """Until `ready`, or a StackError that shows the end of the log."""
    log = paths.logs / f"{name}.log"
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if find(paths, name) is None:
            raise StackError(f"Expected the {name} to start, it ended: {_tail(log)} See {log}.")
        if time.monotonic() > deadline:
            stop(paths, name)
            raise StackError(
                f"Expected the {name} to answer within {_START_SECONDS} s, it did not: "
                f"{_tail(log)} See {log}."
            )
        time.sleep(_LOOK_EVERY)
    if process := find(paths, name):
        interrupts.spare(process.pid)


def _tail(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " ".join(" ".join(lines[-_LAST_LINES:]).split())


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
