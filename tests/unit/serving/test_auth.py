"""auth.py: who needs a key, which paths exist, and who counts as this machine itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from serving.errors import Refused
from serving.http import api_keys
from serving.http.api_keys import ApiKey, Keys
from serving.http.auth import ROUTES, Access, Headers, is_local, is_loopback, route

NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
LOCAL = [(b"host", b"localhost:3000")]
PREDICT = ApiKey("0" * 12, "press", ("predict",), "", NOW.isoformat())


def asked(
    *headers: tuple[bytes, bytes], server: tuple[str, int] | None = ("127.0.0.1", 3000)
) -> tuple[dict[str, Any], Headers]:
    scope = {"server": server, "headers": list(headers)}
    return scope, Headers(scope)


def test_headers_are_read_by_name() -> None:
    headers = Headers({"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"\xfc")]})
    assert (headers.all(b"a"), headers.all(b"c")) == (["1", "ü"], [])
    assert (headers.single(b"b"), headers.single(b"c")) == ("2", None)
    assert (headers.any([b"x", b"b"]), headers.any([b"x"])) == (True, False)
    with pytest.raises(Refused, match="the header a at most once") as refused:
        headers.single(b"a")
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.8.7", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False), ("10.0.0.1", False), ("0.0.0.0", False), ("localhost", False),
        ("", False),
    ],
)  # fmt: skip
def test_loopback_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("headers", "server", "local"),
    [
        (LOCAL, ("127.0.0.1", 3000), True),
        (LOCAL, ("::1", 3000), True),
        ([(b"host", b"127.0.0.1")], ("127.0.0.1", 3000), True),
        ([(b"host", b"[::1]:3000")], ("::1", 3000), True),
        # It came to another address of this machine, or nobody knows where to.
        (LOCAL, ("192.0.2.1", 3000), False),
        (LOCAL, None, False),
        # It asks for another name, for two, or for none.
        ([(b"host", b"evil.example")], ("127.0.0.1", 3000), False),
        ([(b"host", b"x@localhost")], ("127.0.0.1", 3000), False),
        ([(b"host", b"localhost.evil.example")], ("127.0.0.1", 3000), False),
        ([(b"host", b"[::1")], ("127.0.0.1", 3000), False),
        ([(b"host", b"")], ("127.0.0.1", 3000), False),
        ([*LOCAL, *LOCAL], ("127.0.0.1", 3000), False),
        ([], ("127.0.0.1", 3000), False),
        # A proxy sent it for somebody.
        *(([*LOCAL, (name, b"127.0.0.1")], ("127.0.0.1", 3000), False) for name in (
            b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")),
        # A page sent it: our own, or another one.
        ([*LOCAL, (b"sec-fetch-site", b"same-origin")], ("127.0.0.1", 3000), True),
        ([*LOCAL, (b"sec-fetch-site", b"none")], ("127.0.0.1", 3000), True),
        ([*LOCAL, (b"sec-fetch-site", b"same-site")], ("127.0.0.1", 3000), False),
        ([*LOCAL, (b"sec-fetch-site", b"none"), (b"sec-fetch-site", b"cross-site")],
         ("127.0.0.1", 3000), False),
        ([*LOCAL, (b"origin", b"http://localhost:3000")], ("127.0.0.1", 3000), True),
        ([*LOCAL, (b"origin", b"https://localhost:3000")], ("127.0.0.1", 3000), True),
        ([*LOCAL, (b"origin", b"http://localhost:4000")], ("127.0.0.1", 3000), False),
        ([*LOCAL, (b"origin", b"null")], ("127.0.0.1", 3000), False),
        ([*LOCAL, (b"origin", b"http://localhost:3000"), (b"origin", b"http://evil.example")],
         ("127.0.0.1", 3000), False),
    ],
)  # fmt: skip
def test_who_is_this_machine_itself(
    headers: list[tuple[bytes, bytes]], server: tuple[str, int] | None, local: bool
) -> None:
    assert is_local(*asked(*headers, server=server)) is local


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("keys") / api_keys.FILE
    return path, api_keys.add(path, "press", ["predict"], NOW)


@pytest.mark.parametrize("need", ["remote", "always"])
def test_who_is_let_in(made: tuple[Path, str], need: Literal["remote", "always"]) -> None:
    path, key = made
    access = Access(Keys(path), need)

    def found(*values: str, host: bytes = b"localhost") -> str | None:
        sent = [(b"authorization", value.encode()) for value in values]
        entry = access.identify(*asked((b"host", host), *sent))
        return entry and entry.name

    for value in (f"Bearer {key}", f"bearer {key}", f"BEARER  {key} "):
        assert found(value) == found(value, host=b"evil.example") == "press"
    wrong = [
        (f"Basic {key}",), (key,), ("Bearer",), ("Bearer x",), (f"Bearer {key}x",),
        (f"Bearer {key}", f"Bearer {key}"), (f"Bearer {key}", "Bearer x"), ("",),
    ]  # fmt: skip
    for values in wrong:
        with pytest.raises(Refused, match="unknown or revoked") as refused:
            found(*values)
        assert refused.value.status == 401
    with pytest.raises(Refused, match="Expected an API key: send it") as refused:
        found(host=b"evil.example")
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    if need == "remote":
        assert found() is None
    else:
        with pytest.raises(Refused, match="Expected an API key: send it"):
            found()


@pytest.mark.parametrize("path", ROUTES)
def test_each_path_needs_its_scope(path: str) -> None:
    scope = ROUTES[path].scope
    for held in api_keys.SCOPES:
        key = ApiKey("0" * 12, "x", (held,), "", NOW.isoformat())
        may = held in (scope, "admin") or (held, scope) == ("label", "feedback")
        assert key.may(scope) is may
        if may:
            assert route(path, path.encode(), key, frozenset()) is ROUTES[path]
        else:
            with pytest.raises(Refused, match=f"the scope {scope} for this") as refused:
                route(path, path.encode(), key, frozenset())
            assert refused.value.status == 403
    assert route(path, path.encode(), None, frozenset()) is ROUTES[path]


def test_what_each_path_costs_and_takes() -> None:
    table = {path: (one.scope, one.work, one.methods) for path, one in ROUTES.items()}
    read, sent = ("GET", "HEAD"), ("POST",)
    admin = dict.fromkeys(
        ("/metrics", "/", "/docs.json", "/schema.json", "/healthz"), ("admin", False, read)
    )
    predict = dict.fromkeys(("/model", "/ui", "/livez", "/readyz"), ("predict", False, read))
    assert table == admin | predict | {
        "/classify": ("predict", True, sent), "/explain": ("predict", True, sent),
        "/feedback": ("feedback", True, sent),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/nowhere", b"/nowhere"), ("/model", b"/%6dodel"), ("/model/", b"/model/"),
        ("/static/other.css", b"/static/other.css"), ("", b""),
    ],
)  # fmt: skip
def test_other_paths_do_not_exist(path: str, raw: bytes) -> None:
    with pytest.raises(Refused, match="a path that this service has") as refused:
        route(path, raw, None, frozenset({"/static/page.css"}))
    assert refused.value.status == 404


def test_files_of_the_documentation_need_its_scope() -> None:
    more = frozenset({"/static/page.css"})
    assert route("/static/page.css", b"/static/page.css", None, more) is ROUTES["/"]
    with pytest.raises(Refused, match="the scope admin"):
        route("/static/page.css", b"/static/page.css", PREDICT, more)
