"""The long-running processes: Prefect server, runner of the deployments, service.

What was started is written to .newsloop/processes/<name>.json, and marked in its environment:
`newsloop down` ends what we started and nothing else, also what outlived the process that started
it, and whatever the clock was set to (core/runtime/long_running.py).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import psutil

from components.core import keys
from components.core.errors import StackError
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime import interrupts, limited, long_running
from components.core.runtime.long_running import Process
from flows import prefect_auth
from flows.environment import local_url, server_url
from serving import server as service_command
from serving.client import Client

SERVER, RUNNER, SERVICE = "server", "runner", "service"
NAMES = (SERVER, RUNNER, SERVICE)
_START_SECONDS = 120  # a cold start on two busy cores
# Of another command that starts the same: server, runner and service, one after the other.
_TURN_SECONDS = 3 * _START_SECONDS
_UNHEARD_SECONDS = 5  # for a runner that tries to say goodbye to a dead server
_LOOK_EVERY = 0.2
_LAST_LINES = 3  # of a log, in an error message
# What this process started itself. Python warns of a child that nobody knows of any more.
_CHILDREN: list[subprocess.Popen[bytes]] = []


def find(paths: Paths, name: str) -> Process | None:
    """The process of that name, if we started it and it lives."""
    return long_running.find(paths.processes, name)


def left_over(paths: Paths, name: str) -> list[int]:
    """Ids of processes of that name that live on although the one that started them is dead."""
    if find(paths, name) is not None:
        return []
    return [process.pid for process in long_running.members(paths.processes, name)]


def held_up(paths: Paths, name: str) -> bool:
    """True if a process of that name was stopped by a signal, and waits for SIGCONT."""
    return bool(long_running.stopped(long_running.members(paths.processes, name)))


@contextlib.contextmanager
def _turn(paths: Paths) -> Iterator[None]:
    """Keeps two commands from starting the same process twice.

    Raises:
        StackError: another command is at it for too long.
    """
    paths.processes.mkdir(parents=True, exist_ok=True)
    with (paths.processes / "start.lock").open("a") as file:
        try:
            limited.lock(file, _TURN_SECONDS)
        except TimeoutError:
            raise StackError(
                "Expected the other command that starts server, runner or service to be done "
                f"within {_TURN_SECONDS} s, it is not. End it, and run again."
            ) from None
        yield


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
    with _turn(paths):
        _wake(paths, SERVER)
        if prefect_auth.proves(url, password):
            return url
        replaced = _end_open_server(paths, url, password)
        if find(paths, SERVER) is None:
            stop(paths, SERVER)
            _need_server_port(params)
            command = [sys.executable, "-m", "flows.prefect_server",
                       "--port", str(params.flow.server_port)]  # fmt: skip
            _start(paths, SERVER, command, {**os.environ, prefect_auth.SERVER: password}, url)
        prefect_auth.reserve(url)  # an open server had the port
        _wait(paths, SERVER, lambda: prefect_auth.proves(url, password))
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
    if server.url == url and prefect_auth.proves(url, password):
        return False  # another command started it just now
    return stop(paths, SERVER)


def _need_named_server(url: str) -> None:
    if not server_answers(url):
        raise StackError(
            f"Expected a Prefect server at PREFECT_API_URL={url}, none answers. Start it, or unset "
            "PREFECT_API_URL to use a local one."
        )
    if not prefect_auth.lets_in(url, os.environ.get(prefect_auth.CLIENT)):
        raise StackError(
            f"Expected the Prefect server at PREFECT_API_URL={url} to take the password in "
            f"{prefect_auth.CLIENT}, it refused. Set that variable to the server's USER:PASSWORD."
        )


def server_is_ours(params: Params, paths: Paths) -> bool:
    """True if the server that our runs would go to answers, and knows the password."""
    url = server_url(params)
    if url == local_url(params):
        known = keys.has_prefect_password(paths.keys)
        return known and prefect_auth.proves(url, keys.prefect_password(paths.keys))
    return server_answers(url)


def start_runner(params: Params, paths: Paths) -> Process:
    """The process that runs the deployments by schedule and event.

    Runs that outlived an earlier one are ended: nobody could cancel them any more. The next run
    goes on with the stages that they finished.
    """
    password = os.environ.get(prefect_auth.CLIENT)
    with _turn(paths):
        running = find(paths, RUNNER)
        if running is not None:
            _wake(paths, RUNNER)
            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(running.pid).environ().get(prefect_auth.CLIENT) == password:
                    return running
        stop(paths, RUNNER)  # that of an earlier newsloop: the server refuses it
        command = [sys.executable, "-m", "flows.deployments"]
        env = {**os.environ, "PREFECT_API_URL": server_url(params)}
        ready = paths.processes / "runner.ready"
        ready.unlink(missing_ok=True)
        process = _start(paths, RUNNER, command, env, server_url(params))
        _wait(paths, RUNNER, ready.exists)
        return process


def begin_service(params: Params, paths: Paths) -> None:
    """Starts the service if it does not run, so that it loads while server and runner start."""
    with _turn(paths):
        if find(paths, SERVICE) is None:
            launch_service(params, paths)


def start_service(params: Params, paths: Paths) -> Process:
    """The service, following this project's ledger.

    Raises:
        StackError: the port is taken, the host is not loopback, or it does not come up.
    """
    with _turn(paths):
        process = find(paths, SERVICE)
        if process is None:
            process = launch_service(params, paths)
        else:
            _wake(paths, SERVICE)
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
    stop(paths, SERVICE)  # a worker that outlived its supervisor has the port
    _need_port(params.serve.host, params.serve.port, "serve.port")
    return _start(paths, SERVICE, command, {**env, **(environment or {})}, service_url(params))


def become_service(params: Params, paths: Paths) -> NoReturn:
    """Replaces this process by the service, which so gets the signals of the terminal itself.

    It is recorded as one in the background is, unless another one is: services may share a home.
    """
    command, env = service_command.command(params, paths)
    env |= long_running.environment(paths.processes, SERVICE)
    if find(paths, SERVICE) is None:
        paths.processes.mkdir(parents=True, exist_ok=True)
        long_running.record(paths.processes, SERVICE, os.getpid(), service_url(params))
    os.execve(command[0], command, env)  # noqa: S606 - no shell


def stop(paths: Paths, name: str) -> bool:
    """Ends the processes of that name. True if there was one."""
    process, seconds = find(paths, name), long_running.STOP_SECONDS
    if process and name == RUNNER and not server_answers(process.url):
        seconds = _UNHEARD_SECONDS
    ended = long_running.end(paths.processes, name, seconds)
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
    return ended


def _wake(paths: Paths, name: str) -> None:
    """Lets a process go on that was stopped by a signal."""
    long_running.wake(long_running.members(paths.processes, name))


def server_answers(url: str) -> bool:
    """Tests that a Prefect API reports health."""
    import httpx

    try:
        answer = httpx.get(f"{url}/health", timeout=2, trust_env=False)
        return answer.status_code == httpx.codes.OK and answer.json() is True
    except (httpx.HTTPError, ValueError):
        return False


def _need_server_port(params: Params) -> None:
    """Needs a port that nobody listens on; processes of ours may have reserved it."""
    host, port = "127.0.0.1", params.flow.server_port
    try:
        prefect_auth.bound(host, port, listens=True).close()
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    except OSError as error:
        raise _taken(host, port, "flow.server_port", error) from error


def _need_port(host: str, port: int, key: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _taken(host, port, key, error) from error


def _taken(host: str, port: int, key: str, error: OSError) -> StackError:
    return StackError(
        f"Expected the port {port} of {host} to be free, got: {error.strerror}. End what uses it, "
        f"or choose another port by {key} in params.yaml."
    )


def _start(paths: Paths, name: str, command: list[str], env: dict[str, str], url: str) -> Process:
    paths.logs.mkdir(parents=True, exist_ok=True)
    with (paths.logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            command, cwd=paths.root, env=env | long_running.environment(paths.processes, name),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    _CHILDREN.append(child)
    return long_running.record(paths.processes, name, child.pid, url)


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
