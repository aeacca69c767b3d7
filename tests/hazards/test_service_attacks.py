"""Attacks on the real service, and more load than it can take: Rows 15 to 20.

NEWSLOOP_FUZZ sets the number of fuzzed requests, NEWSLOOP_DOCUMENTED that of schemathesis for each
path; the defaults keep the tests short.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from components.core import bundle as bundles
from serving.client import Client
from serving.http import api_keys
from tests import tiny
from tests.served import PROJECT, Project, free_port, settings, wait_for

FUZZED = int(os.environ.get("NEWSLOOP_FUZZ", "2000"))
DOCUMENTED = int(os.environ.get("NEWSLOOP_DOCUMENTED", "20"))
MEGABYTE = 2**20
MAX_REQUESTS = 4
RECEIVE_SECONDS = 3
SECRET = "Zaphod Beeblebrox lives"
BODY = json.dumps({"texts": ["a film", "a match"]}).encode()


DRAIN_SECONDS = 4.0  # after SIGTERM, in which the service still answers


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(
        tmp_path_factory.mktemp("project"),
        ask_keys="always",
        drain_seconds=DRAIN_SECONDS,
        key_requests_per_second=1e6,
        key_burst=1_000_000,
        max_requests=MAX_REQUESTS,
        receive_seconds=RECEIVE_SECONDS,
    )
    yield project
    project.stop()
    project.ledger.close()


def test_the_service_listens_at_its_own_port_only(service: Project) -> None:
    """BentoML's supervisor takes commands, such as to start a program, from who reaches it."""
    supervisor = psutil.Process(service.process.pid)
    processes = [supervisor, *supervisor.children(recursive=True)]
    ports = {
        connection.laddr.port
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert ports == {service.port}
    sockets = {
        Path(connection.laddr)
        for process in processes
        for connection in process.net_connections("unix")
        if connection.laddr
    }
    assert {path.name for path in sockets} >= {"control", "events"}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in sockets} == {0o700}


def connect(service: Project, seconds: float = 30) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), seconds)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def send(service: Project, request: bytes, seconds: float = 30) -> bytes:
    """All that comes back for `request`, on a connection of its own; b"" if it was cut."""
    parts = []
    with connect(service, seconds) as peer:
        with contextlib.suppress(OSError):  # an answer may be there already
            peer.sendall(request)
        with contextlib.suppress(ConnectionResetError):
            while part := peer.recv(65536):
                parts.append(part)
    return b"".join(parts)


def request(
    line: str, headers: dict[str, str] | None = None, body: bytes = b"", host: str = "localhost"
) -> bytes:
    lines = [f"{line} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def authorized(service: Project, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.key}", **headers}


def worker(service: Project) -> psutil.Process:
    """The process that answers."""
    children = psutil.Process(service.process.pid).children()
    return max(children, key=lambda child: child.memory_info().rss)


def metric(service: Project, name: str) -> float:
    lines = service.http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def alive_within_a_second(service: Project, stop: threading.Event, slowest: list[float]) -> None:
    while not stop.is_set():
        started = time.monotonic()
        assert status_of(send(service, request("GET /livez"))) == 200
        slowest.append(time.monotonic() - started)
        time.sleep(0.05)


# 19


LINES = [
    f"{method} {path}"
    for path in (
        "/classify", "/explain", "/feedback", "/model", "/ui", "/metrics", "/", "/docs.json",
        "/schema.json", "/healthz", "/static_content/index.css", "/nowhere", "//livez",
        "/livez/", "/%6civez", "/./livez", "/x/../livez", "/livez/%2e%2e/model", "/%2e%2e/livez",
        "/classify?key=KEY", "http://localhost/model", "http://localhost/livez/../model",
    )
    for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PROPFIND")
]  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nl_000000000000_" + "A" * 43},
        {"X-Api-Key": "KEY"},
        {"Cookie": "Authorization=Bearer KEY"},
        {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "a",
         "Sec-WebSocket-Version": "13"},
    ],
    ids=lambda headers: ", ".join(headers) or "nothing",
)  # fmt: skip
def test_without_a_key_there_is_one_answer(service: Project, headers: dict[str, str]) -> None:
    assert service.key is not None
    sent = {name: value.replace("KEY", service.key) for name, value in headers.items()}
    found = {}
    for line in LINES:
        for host in ("localhost", "evil.example"):
            asked = request(line.replace("KEY", service.key), sent, host=host)
            if "Upgrade" in headers:  # such a connection is closed by the other "Connection"
                asked = asked.replace(b"Connection: close\r\n", b"")
            with connect(service) as peer:
                peer.sendall(asked)
                found[line, host] = status_of(peer.recv(65536))
    assert {key: status for key, status in found.items() if status != 401} == {}


def test_health_needs_no_key(service: Project) -> None:
    assert status_of(send(service, request("GET /livez"))) == 200
    assert status_of(send(service, request("GET /readyz", host="evil.example"))) == 200


def test_a_revoked_key_is_nothing_without_a_restart(service: Project) -> None:
    file = service.paths.keys / api_keys.FILE
    key = api_keys.add(file, "guest", ["predict"], tiny.NOW)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    assert status_of(send(service, request("POST /classify", headers, BODY))) == 200
    assert status_of(send(service, request("GET /metrics", headers))) == 403
    api_keys.revoke(file, "guest", tiny.NOW)
    assert status_of(send(service, request("POST /classify", headers, BODY))) == 401


def test_the_documentation_is_behind_the_door_and_loads_nothing_foreign(service: Project) -> None:
    page = service.http.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert service.http.get("/static_content/swagger-ui.css").status_code == 200
    assert service.http.get("/docs.json").status_code == 200
    assert service.http.get("/schema.json").status_code == 200


def test_an_address_that_does_not_exist_leaves_no_trace(service: Project) -> None:
    for path in (
        "/ann.lee@example.org",
        "/classify/ann.lee",
        "/static_content/ann.lee",
        "/x//ann.lee",
    ):
        assert service.http.get(path).status_code == 404
    assert "ann.lee" not in service.http.get("/metrics").text
    for file in service.paths.home.rglob("*"):
        assert not file.is_file() or b"ann.lee" not in file.read_bytes(), file


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_bento_does_not_open_to_others_without_keys(tmp_path: Path, host: str) -> None:
    code = tmp_path / "src"
    for package in ("serving", "components/core"):
        shutil.copytree(PROJECT / package, code / package)
    shutil.copy(PROJECT / "components" / "__init__.py", code / "components")
    port = free_port()
    (code / "params.yaml").write_text(settings(port), encoding="utf-8")
    tiny.make_bundle(code / "bundle", tmp_path / "keys")
    (code / "keys").mkdir()
    shutil.copy(tmp_path / "keys" / "signing.pub.pem", code / "keys")
    bundles.sign(code, tmp_path / "keys")
    argv = [
        sys.executable, "-m", "bentoml", "serve", "serving.service:Newsloop",
        "--working-dir", str(code), "--port", str(port), "--host", host,
    ]  # fmt: skip
    environment = {key: v for key, v in os.environ.items() if not key.startswith("NEWSLOOP_")}
    environment |= {"BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "can be reached from elsewhere, and there is none" in done.stderr + done.stdout


# 20


def test_a_pickle_is_refused_everywhere(service: Project) -> None:
    headers = authorized(service, **{"Content-Type": "application/vnd.bentoml+pickle"})
    for route in ("/classify", "/explain", "/feedback", "/model", "/metrics", "/", "/nowhere"):
        for method in ("GET", "POST"):
            asked = request(f"{method} {route}", headers, b"\x80\x04N.")
            assert status_of(send(service, asked)) == 415, (method, route)
    assert status_of(send(service, request("GET /livez", headers))) == 415
    tree = psutil.Process(service.process.pid)
    ports = {
        connection.laddr.port
        for process in (tree, *tree.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert service.port in ports
    # The others are those of BentoML's supervisor, which speak no HTTP at all.
    for port in ports - {service.port}:
        with socket.create_connection(("127.0.0.1", port), 2) as peer:
            peer.sendall(request("POST /classify", headers, b"\x80\x04N."))
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                assert not peer.recv(65536).startswith(b"HTTP")


# 17


@pytest.mark.parametrize("size", [1, 100, 10_000, MEGABYTE, MEGABYTE + 1, 100 * MEGABYTE])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_every_size(service: Project, size: int, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, size, MEGABYTE):
            yield b"x" * min(MEGABYTE, size - start)

    before = worker(service).memory_info().rss
    content = pieces() if chunked else b"x" * size
    headers = {"Content-Type": "application/json"}
    answer = service.http.post("/classify", content=content, headers=headers)
    assert answer.status_code == (400 if size <= MEGABYTE else 413)
    assert answer.json()["error"].endswith(".")
    assert worker(service).memory_info().rss - before < 50 * MEGABYTE


def fuzzed(chance: random.Random, key: str) -> bytes:
    """A request that is wrong in some way, or in none."""
    good = [
        ("POST /classify", json.dumps({"texts": [SECRET]}).encode()),
        ("POST /explain", json.dumps({"text": SECRET}).encode()),
        ("POST /feedback", b'{"labels": [{"prediction_id": "%s", "label": "tech"}]}' % (b"a" * 32)),
    ]
    line, body = chance.choice(good)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    what = chance.randrange(9)
    if what == 0:  # bytes changed
        body = bytearray(body)
        for _ in range(chance.randrange(1, 9)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        body = bytes(body)
    elif what == 1:  # cut short
        body = body[: chance.randrange(len(body))]
    elif what == 2:  # other values
        strange = [None, True, 1e308, -1, "\ud800", "\0", [], {}, [[]], {"texts": {}}, "x" * 5000]
        name = chance.choice(["texts", "text", "labels", "\udfff", SECRET])
        value = chance.choice([chance.choice(strange), [chance.choice(strange)] * 3])
        body = json.dumps({name: value}).encode()
    elif what == 3:  # deep
        depth = chance.choice([10, 1000, 100_000])
        body = chance.choice([b"[", b'{"texts":', b'{"a":[']) * depth
    elif what == 4:  # another path
        letters = "".join(chance.choices("abc/%.?#;=&~é\u202e", k=chance.randrange(1, 60)))
        line = f"{chance.choice(['GET', 'POST', 'DELETE', 'PATCH', 'LOCK'])} /{letters}"
    elif what == 5:  # another header
        name = chance.choice(["Content-Type", "Authorization", "X-Deadline-Ms", "Accept", "Range"])
        headers[name] = "".join(chance.choices("0123456789abc/;=,*\t\x80", k=chance.randrange(40)))
    elif what == 6:  # random bytes
        body = chance.randbytes(chance.randrange(1, 3000))
    elif what == 7:  # no HTTP
        return chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n"
    return request(line, headers, body)


def test_fuzzed_requests_never_make_it_fail(service: Project) -> None:
    assert service.key is not None
    chance = random.Random(17)
    found: Counter[int] = Counter()
    before = 0
    warm_up = 300
    process = worker(service)
    for i in range(warm_up + FUZZED):
        if i == warm_up:
            before = process.memory_info().rss
        asked = fuzzed(chance, service.key)
        answer = send(service, asked)
        if status_of(answer) == 504 and b"X-Deadline-Ms: " in asked:
            continue  # it asked for an answer within a few milliseconds
        found[status_of(answer)] += 1
        _, _, body = answer.partition(b"\r\n\r\n")
        if status_of(answer) >= 400:
            assert SECRET.encode() not in body
            assert b"Traceback" not in body
    grown = (process.memory_info().rss - before) / MEGABYTE
    print(f"{FUZZED} fuzzed requests: {dict(sorted(found.items()))}, memory +{grown:.1f} MiB")
    assert [status for status in found if status >= 500] == []
    assert {200, 400, 401, 404, 415} <= set(found)
    assert grown < 50
    assert SECRET not in service.log.read_text(errors="replace")


# 18


def test_the_document_is_true(service: Project, tmp_path: Path) -> None:
    """schemathesis asks what the OpenAPI document allows, and what it does not."""
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/docs.json",
            "--header", f"Authorization: Bearer {service.key}", "--checks", "all",
            "--phases", "coverage,fuzzing", "--max-examples", str(DOCUMENTED), "--seed", "1",
            "--generation-database", "none", "--warnings", "off", "--no-color",
        ],
        check=False, capture_output=True, text=True, cwd=tmp_path, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "8 selected / 8 total" in done.stdout
    assert "No issues found" in done.stdout


def test_a_thousand_slow_clients_stop_nobody_and_are_cut(service: Project) -> None:
    head = request("POST /classify", authorized(service, **{"Content-Type": "application/json"}))
    beginnings = [
        b"",
        b"POST /cla",
        head[:-2],
        b"\r\n",
        head[:-2] + b"Content-Length: 1000\r\n\r\n{",
        head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ]
    started = time.monotonic()
    slow = [connect(service) for _ in range(1000)]
    for i, peer in enumerate(slow):
        peer.sendall(beginnings[i % len(beginnings)])
    try:
        for _ in range(20):
            asked = time.monotonic()
            assert len(service.client.classify(["a film"]).predictions) == 1
            assert time.monotonic() - asked < 5
        assert metric(service, "newsloop_requests_in_flight_peak") <= MAX_REQUESTS
        for peer in slow:
            peer.settimeout(30)
            try:
                while answer := peer.recv(65536):
                    assert status_of(answer) in (400, 408)
            except ConnectionResetError:
                pass
    finally:
        for peer in slow:
            peer.close()
    # Those that trickle are no better off: the time counts from the first byte.
    print(f"1,000 slow connections were cut within {time.monotonic() - started:.1f} s")
    with connect(service) as peer:
        cut = False
        deadline = time.monotonic() + 30
        peer.sendall(b"POST /classify HTTP/1.1\r\n")
        while not cut and time.monotonic() < deadline:
            try:
                peer.sendall(b"a: b\r\n")
                time.sleep(0.2)
            except OSError:
                cut = True
        assert cut
    assert service.client.ready()


# 16


def test_more_load_than_it_can_take(service: Project) -> None:
    statuses: Counter[int] = Counter()
    without_time: list[str] = []
    stop, slowest = threading.Event(), list[float]()
    body = json.dumps({"texts": ["a film " * 250] * 8}).encode()

    def press() -> None:
        with httpx.Client(headers=dict(service.http.headers), trust_env=False) as http:
            while not stop.is_set():
                answer = http.post(f"{service.url}/classify", content=body, timeout=30)
                statuses[answer.status_code] += 1
                if answer.status_code == 429 and answer.headers.get("Retry-After") != "1":
                    without_time.append(answer.text)

    watch = threading.Thread(target=alive_within_a_second, args=(service, stop, slowest))
    threads = [watch, *(threading.Thread(target=press) for _ in range(32))]
    for thread in threads:
        thread.start()
    try:
        wait_for("refusals", lambda: statuses[429] > 200 and statuses[200] > 50, 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert set(statuses) == {200, 429}
    assert without_time == []
    assert metric(service, "newsloop_requests_in_flight_peak") <= MAX_REQUESTS
    assert metric(service, "newsloop_requests_in_flight") == 0
    print(f"{dict(statuses)}; health answered within {max(slowest):.2f} s")
    assert max(slowest) < 1
    # Who waits as it is told gets an answer.
    assert service.client.classify(["a film"]).predictions[0].label == "entertainment"


def test_a_deadline_that_passes_is_said_and_leaves_nothing_behind(service: Project) -> None:
    headers = {"X-Deadline-Ms": "1"}
    body = {"texts": ["a film " * 280] * 8}
    found = {service.http.post("/classify", json=body, headers=headers).status_code for _ in "1234"}
    assert found <= {200, 504}
    assert metric(service, "newsloop_requests_in_flight") == 0


# 15, the last: it ends the service


def test_sigterm_under_load_loses_nothing(service: Project) -> None:
    not_ready = threading.Event()
    failures: list[tuple[float, str]] = []  # when the request began, what became of it
    answered = [0]

    def ask() -> None:
        with Client(service.url, key=service.key) as client:
            while not not_ready.is_set():
                began = time.monotonic()
                try:
                    client.classify(["a film", "a match"])
                    answered[0] += 1
                except Exception as error:  # noqa: BLE001 - it is what this test is about
                    failures.append((began, str(error)))

    # A load balancer: sends no more once the service says that it is not ready.
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for("answers", lambda: answered[0] > 50)
    started = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    statuses = []
    while not not_ready.is_set():
        statuses.append(status_of(send(service, request("GET /readyz"))))
        if statuses[-1] == 503:
            not_ready.set()
    for thread in threads:
        thread.join(30)
    assert service.process.wait(30) == 0
    seconds = time.monotonic() - started
    print(f"{answered[0]} answered; ended after {seconds:.1f} s")
    assert set(statuses) <= {200, 503}
    # After the drain the door is shut: on a busy machine some may knock before they have seen 503.
    drained = started + DRAIN_SECONDS - 0.5
    assert [error for began, error in failures if began < drained] == []
    assert seconds < 30
    log = service.log.read_text(errors="replace")
    assert log.count("Traceback") == 0
    assert "without returning a response" not in log
