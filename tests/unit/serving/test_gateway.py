"""The gateway before the service: who gets in, how many, how long, and what they are told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.core import params as parameters
from serving.errors import Refused
from serving.http import api_keys
from serving.http.api_keys import Keys
from serving.http.auth import Access, Headers, is_local
from serving.http.gateway import Gateway
from serving.http.limits import RateLimiter

TIME = datetime(2026, 1, 5, 3, tzinfo=UTC)
PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"
LOCAL = [(b"host", b"localhost:3000")]
ELSEWHERE = ("10.0.0.7", 3000)
HERE = ("127.0.0.1", 3000)
Handler = Callable[[bytes], Awaitable[None]]


class App:
    """Answers 200 with the body that it got; what `handler` does comes before."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            return
        body = (await receive()).get("body", b"")
        self.bodies.append(body)
        if self.handler is not None:
            await self.handler(body)
        headers = [(b"server", b"secret")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def make(app: App, folder: Path, need: str = "remote", **changes: object) -> Gateway:
    limits = parameters.load(PARAMS).serve.model_copy(update=changes)
    assert need in ("remote", "always")
    access = Access(Keys(folder / api_keys.FILE), need)  # type: ignore[arg-type]
    return Gateway(app, access, limits, frozenset({"/static_content/a.js"}))


async def ask(
    gateway: Gateway,
    path: str = "/classify",
    method: str = "POST",
    headers: list[tuple[bytes, bytes]] = LOCAL,
    parts: tuple[bytes, ...] = (b"{}",),
    server: tuple[str, int] | None = HERE,
    pause: float = 0,
    raw_path: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """The status, headers and body that a client gets."""
    sent: list[Any] = []
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "headers": headers, "server": server,
        "raw_path": path.encode() if raw_path is None else raw_path,
    }  # fmt: skip
    await gateway(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:])


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [*LOCAL, (b"authorization", f"Bearer {key}".encode())]


ROUTES = [
    "/classify", "/explain", "/feedback", "/model", "/metrics", "/", "/docs.json", "/schema.json",
    "/healthz", "/static_content/a.js", "/nowhere", "//livez", "/livez/", "/./livez", "/livez/..",
    "/classify/../livez", "/LIVEZ", "/livez;x", "",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ROUTES)
def test_from_elsewhere_no_path_is_open_without_a_key(
    tmp_path: Path, path: str, method: str
) -> None:
    app = App()
    status, headers, body = asyncio.run(ask(make(app, tmp_path), path, method, server=ELSEWHERE))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert json.loads(body)["error"].startswith("Expected an API key")
    assert app.bodies == []


@pytest.mark.parametrize("raw_path", [b"/%6civez", b"/livez%2e", b"//livez", b"/livez/%2e"])
def test_another_spelling_of_an_open_path_is_not_open(tmp_path: Path, raw_path: bytes) -> None:
    gateway = make(App(), tmp_path)
    asked = ask(gateway, "/livez", "GET", server=ELSEWHERE, raw_path=raw_path)
    assert asyncio.run(asked)[0] == 401


@pytest.mark.parametrize(
    "raw_path", [b"/%63lassify", b"//classify", b"/classify%2f", b"/./classify"]
)
def test_another_spelling_of_a_path_is_no_path(tmp_path: Path, raw_path: bytes) -> None:
    app = App()
    asked = ask(make(app, tmp_path), "/classify", raw_path=raw_path)
    assert (asyncio.run(asked)[0], app.bodies) == (404, [])


def test_health_is_open_to_all(tmp_path: Path) -> None:
    gateway = make(App(), tmp_path, need="always")
    for path in ("/livez", "/readyz"):
        for method, status in (("GET", 200), ("HEAD", 200), ("POST", 401)):
            assert asyncio.run(ask(gateway, path, method, server=ELSEWHERE))[0] == status


@pytest.mark.parametrize(
    ("headers", "server", "local"),
    [
        ([(b"host", b"localhost")], HERE, True),
        ([(b"host", b"127.0.0.1:3000")], HERE, True),
        ([(b"host", b"[::1]:3000")], ("::1", 3000), True),
        ([(b"host", b"localhost")], ("::ffff:127.0.0.1", 3000), True),
        ([(b"host", b"localhost")], ELSEWHERE, False),
        ([(b"host", b"localhost")], ("0.0.0.0", 3000), False),
        ([(b"host", b"localhost")], None, False),
        ([], HERE, False),
        ([(b"host", b"evil.example")], HERE, False),
        ([(b"host", b"localhost.evil.example")], HERE, False),
        ([(b"host", b"evil.example@localhost")], HERE, False),
        ([(b"host", b"127.0.0.1.evil.example")], HERE, False),
        ([(b"host", b"[")], HERE, False),
        ([*LOCAL, *LOCAL], HERE, False),
        ([*LOCAL, (b"x-forwarded-for", b"1.2.3.4")], HERE, False),
        ([*LOCAL, (b"forwarded", b"for=1.2.3.4")], HERE, False),
        ([*LOCAL, (b"via", b"1.1 proxy")], HERE, False),
        ([*LOCAL, (b"origin", b"http://localhost:3000")], HERE, True),
        ([*LOCAL, (b"origin", b"http://localhost:4000")], HERE, False),
        ([*LOCAL, (b"origin", b"https://evil.example")], HERE, False),
        ([*LOCAL, (b"origin", b"null")], HERE, False),
        ([*LOCAL, (b"sec-fetch-site", b"cross-site")], HERE, False),
        ([*LOCAL, (b"sec-fetch-site", b"none")], HERE, True),
    ],
)
def test_which_requests_come_from_this_machine(
    headers: list[tuple[bytes, bytes]], server: tuple[str, int] | None, local: bool
) -> None:
    scope = {"headers": headers, "server": server}
    assert is_local(scope, Headers(scope)) is local


def test_a_key_opens_what_its_scopes_say(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    keys = {scope: api_keys.add(path, scope, [scope], TIME) for scope in api_keys.SCOPES}
    gateway = make(App(), tmp_path, need="always")
    expected = {
        "predict": {"/classify": 200, "/model": 200, "/feedback": 403, "/metrics": 403},
        "feedback": {"/classify": 403, "/model": 403, "/feedback": 200, "/docs.json": 403},
        "admin": {
            "/classify": 200,
            "/static_content/a.js": 200,
            "/": 200,
            "/static_content/b": 404,
        },
    }
    for scope, statuses in expected.items():
        for route, status in statuses.items():
            method = "POST" if route in ("/classify", "/feedback") else "GET"
            asked = ask(gateway, route, method, bearer(keys[scope]), server=ELSEWHERE)
            assert asyncio.run(asked)[0] == status, (scope, route)
    # The same key is nothing after it was revoked.
    api_keys.revoke(path, "admin", TIME)
    assert asyncio.run(ask(gateway, "/metrics", "GET", bearer(keys["admin"])))[0] == 401


def test_a_key_in_another_place_is_no_key(tmp_path: Path) -> None:
    key = api_keys.add(tmp_path / api_keys.FILE, "a", ["admin"], TIME).encode()
    gateway = make(App(), tmp_path)
    for headers in (
        [(b"x-api-key", key)],
        [(b"cookie", b"authorization=Bearer " + key)],
        [(b"authorization", key)],
        [(b"authorization", b"Basic " + key)],
        [(b"authorization", b"Bearer wrong")],
        [(b"authorization", b"Bearer " + key)] * 2,
        [(b"proxy-authorization", b"Bearer " + key)],
    ):
        asked = ask(gateway, headers=[*LOCAL, *headers], server=ELSEWHERE)
        assert asyncio.run(asked)[0] == 401, headers
    # On this machine no key is needed, but a wrong one is still wrong.
    assert asyncio.run(ask(gateway))[0] == 200
    wrong = [*LOCAL, (b"authorization", b"Bearer wrong")]
    assert asyncio.run(ask(gateway, headers=wrong))[0] == 401


@pytest.mark.parametrize(
    ("path", "method", "headers", "parts", "status"),
    [
        ("/classify", "POST", [], (b"12", b"34"), 200),
        ("/classify", "POST", [(b"content-type", b"application/json; charset=utf-8")], (b"",), 200),
        ("/classify", "POST", [(b"content-type", b"text/plain")], (b"",), 415),
        ("/classify", "POST", [(b"content-type", b"")], (b"",), 415),
        ("/classify", "POST", [(b"content-type", b"application/json")] * 2, (b"",), 415),
        ("/metrics", "GET", [(b"content-type", b"application/vnd.bentoml+PICKLE")], (b"",), 415),
        *[
            (
                "/classify",
                "POST",
                [(b"content-type", b"application/json"), (b"content-encoding", coding)],
                (b"x",),
                415,
            )
            for coding in (b"gzip", b"gzip, gzip", b"br", b"identity, gzip", b"")
        ],
        ("/livez", "GET", [(b"content-type", b"application/vnd.bentoml+pickle")], (b"",), 415),
        ("/classify", "POST", [(b"content-length", b"11")], (b"x" * 11,), 413),
        ("/classify", "POST", [(b"content-length", b"9" * 30)], (b"",), 413),
        ("/classify", "POST", [(b"content-length", b"-1")], (b"",), 413),
        ("/classify", "POST", [], (b"12345", b"67890", b"1"), 413),
        ("/classify", "POST", [], (b"12345", b"67890"), 200),
        ("/model", "GET", [], (b"12345", b"67890", b"1"), 413),
        ("/classify", "POST", [(b"x-deadline-ms", b"0")], (b"",), 400),
        ("/classify", "POST", [(b"x-deadline-ms", b"1.5")], (b"",), 400),
        ("/classify", "POST", [(b"x-deadline-ms", "٣".encode())], (b"",), 400),
        ("/nowhere", "POST", [], (b"",), 404),
        ("/classify", "GET", [], (b"",), 405),
        ("/model", "POST", [], (b"",), 405),
        ("/metrics", "PROPFIND", [], (b"",), 405),
    ],
)
def test_what_gets_through(
    tmp_path: Path,
    path: str,
    method: str,
    headers: list[tuple[bytes, bytes]],
    parts: tuple[bytes, ...],
    status: int,
) -> None:
    app = App()
    gateway = make(app, tmp_path, max_body_bytes=10)
    found, sent, body = asyncio.run(ask(gateway, path, method, [*LOCAL, *headers], parts))
    assert found == status
    assert sent["x-content-type-options"] == "nosniff"
    assert "server" not in sent
    if status == 200:
        assert app.bodies == [b"".join(parts)]
    else:
        assert app.bodies == []
        assert json.loads(body)["error"].endswith(".")
        assert f'newsloop_refused_total{{status="{status}"}} 1' in gateway.metrics()
    assert "newsloop_body_bytes_in_flight 0\n" in gateway.metrics()


def test_more_than_there_is_room_for_is_told_to_come_later(tmp_path: Path) -> None:
    async def main() -> None:
        free = asyncio.Event()
        at_once: list[int] = []

        async def wait(body: bytes) -> None:
            at_once.append(gateway.requests.taken)
            await free.wait()

        gateway = make(App(wait), tmp_path, max_requests=2)
        tasks = [asyncio.create_task(ask(gateway)) for _ in range(5)]
        await asyncio.sleep(0.01)
        free.set()
        answers = await asyncio.gather(*tasks)
        assert sorted(status for status, _, _ in answers) == [200, 200, 429, 429, 429]
        assert all(h["retry-after"] == "1" for status, h, _ in answers if status == 429)
        assert max(at_once) == 2 == gateway.requests.peak
        assert gateway.requests.taken == 0
        assert (await ask(gateway))[0] == 200

    asyncio.run(main())


def test_health_and_metrics_need_no_place(tmp_path: Path) -> None:
    gateway = make(App(), tmp_path, max_requests=1)
    with gateway.requests.reserved():
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/model", 200)):
            assert asyncio.run(ask(gateway, path, "GET", parts=(b"",)))[0] == status
        assert asyncio.run(ask(gateway))[0] == 429


def test_bodies_together_are_bounded_too(tmp_path: Path) -> None:
    async def main() -> list[int]:
        gateway = make(App(lambda body: asyncio.sleep(0.02)), tmp_path, max_body_bytes_held=20)
        answers = await asyncio.gather(*(ask(gateway, parts=(b"x" * 9,)) for _ in range(3)))
        assert "newsloop_body_bytes_in_flight 0\n" in gateway.metrics()
        return sorted(status for status, _, _ in answers)

    assert asyncio.run(main()) == [200, 200, 429]


def test_a_deadline_ends_the_work_and_frees_the_place(tmp_path: Path) -> None:
    ended: list[str] = []

    async def slow(body: bytes) -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append("cancelled")

    gateway = make(App(slow), tmp_path, deadline_seconds=0.05)
    for headers in ([], [(b"x-deadline-ms", b"20")], [(b"x-deadline-ms", b"99999999")]):
        status, _, body = asyncio.run(ask(gateway, headers=[*LOCAL, *headers]))
        assert (status, gateway.requests.taken) == (504, 0)
        assert "was not ready within 0.0" in json.loads(body)["error"]
    assert ended == ["cancelled"] * 3


def test_a_slow_body_is_given_up_and_takes_no_place(tmp_path: Path) -> None:
    app = App()
    gateway = make(app, tmp_path, receive_seconds=0.03)
    status, headers, _ = asyncio.run(ask(gateway, parts=(b"1",) * 9, pause=0.01))
    assert (status, headers["connection"]) == (408, "close")
    assert (app.bodies, gateway.requests.peak) == ([], 0)
    assert "newsloop_body_bytes_in_flight 0\n" in gateway.metrics()


def test_each_key_has_its_rate(tmp_path: Path) -> None:
    path = tmp_path / api_keys.FILE
    one, two = (api_keys.add(path, name, ["predict"], TIME) for name in ("one", "two"))
    gateway = make(App(), tmp_path, key_requests_per_second=0.1, key_burst=2)

    async def main() -> list[Any]:
        return [await ask(gateway, headers=bearer(key)) for key in (one, one, one, two)]

    answers = asyncio.run(main())
    assert [status for status, _, _ in answers] == [200, 200, 429, 200]
    assert answers[2][1]["retry-after"] == "10"


def test_tokens_come_back_with_time() -> None:
    now = [0.0]
    rates = RateLimiter(2, 3, clock=lambda: now[0])
    for _ in range(3):
        rates.take("a")
    for at, free in ((0.0, 0), (0.4, 0), (0.5, 1), (100.0, 3)):
        now[0] = at
        for _ in range(free):
            rates.take("a")
        with pytest.raises(Refused) as refusal:
            rates.take("a")
        assert refusal.value.headers == {"Retry-After": "1"}


def test_at_the_end_readiness_goes_first_and_what_was_accepted_is_answered(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    interrupt = signal.getsignal(signal.SIGINT)

    async def main() -> None:
        gateway = make(App(lambda body: asyncio.sleep(0.1)), tmp_path, drain_seconds=0.05)

        async def nothing(*_: Any) -> None: ...

        await gateway({"type": "lifespan"}, nothing, nothing)  # the server has started
        accepted = asyncio.create_task(ask(gateway))
        await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.01)
        assert (await ask(gateway, "/readyz", "GET"))[0] == 503
        assert (await ask(gateway, "/livez", "GET"))[0] == 200
        status, headers, _ = await ask(gateway)  # still answered, and sent away
        assert (status, headers["connection"]) == (200, "close")
        assert (await accepted)[0] == 200
        assert heard == [signal.SIGTERM]  # the server heard of it later

    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)


def test_no_websocket_is_opened(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    asyncio.run(make(App(), tmp_path)({"type": "websocket", "path": "/"}, receive, send))
    assert sent == [{"type": "websocket.close"}]
