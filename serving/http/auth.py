"""Authorization: the routes, the scope that each needs, and the requests that need no key."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from serving.errors import Refused
from serving.http.api_keys import ApiKey, Keys

OPEN = frozenset({"/livez", "/readyz"})  # for load balancers, which have no key
_PROXIED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
_REMEMBERED = 64  # hosts; they are the same again and again


@dataclass(frozen=True)
class Route:
    """A path that the service has.

    Attributes:
        scope: that a key needs for it; see api_keys.SCOPES.
        work: it costs the model or the ledger something, so it counts against the limits.
        methods: that it takes.
    """

    scope: str
    work: bool = False
    methods: tuple[str, ...] = ("GET", "HEAD")


# A path that is not here does not exist: a new route is closed until somebody writes its scope.
ROUTES = {
    "/classify": Route("predict", work=True, methods=("POST",)),
    "/explain": Route("predict", work=True, methods=("POST",)),
    "/model": Route("predict"),
    "/ui": Route("predict"),
    "/feedback": Route("feedback", work=True, methods=("POST",)),
    "/metrics": Route("admin"),
    "/": Route("admin"),
    "/docs.json": Route("admin"),
    "/schema.json": Route("admin"),
    "/healthz": Route("admin"),  # BentoML's second name of /livez
    # Open to all when they are read; for other methods paths like any.
    **{path: Route("predict") for path in sorted(OPEN)},
}


class Headers:
    """The headers of an ASGI scope, by name."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self._values: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            self._values.setdefault(name, []).append(value.decode("latin-1"))

    def all(self, name: bytes) -> list[str]:
        return self._values.get(name, [])

    def single(self, name: bytes) -> str | None:
        """Returns the value of `name`; None if there is none.

        Raises:
            Refused: there are several (400): two readers could take two different ones.
        """
        values = self.all(name)
        if len(values) > 1:
            raise Refused(400, f"Expected the header {name.decode()} at most once.")
        return values[0] if values else None

    def any(self, names: Iterable[bytes]) -> bool:
        return not self._values.keys().isdisjoint(names)


class Access:
    """Authenticates requests, or refuses them with a reason.

    Args:
        keys: the valid API keys.
        need: "remote": requests from this machine itself need no key; "always": all need one.
    """

    def __init__(self, keys: Keys, need: Literal["remote", "always"]) -> None:
        self._keys, self._need = keys, need

    def identify(self, scope: dict[str, Any], headers: Headers) -> ApiKey | None:
        """Returns the key of a request; None for one that needs none.

        Raises:
            Refused: it needs a key and has none, or has one that is not valid (401).
        """
        sent = headers.all(b"authorization")
        if not sent:
            if self._need == "remote" and is_local(scope, headers):
                return None
            raise _unauthorized("Expected an API key: send it as Authorization: Bearer KEY.")
        kind, _, value = sent[0].partition(" ")
        key = self._keys.find(value.strip()) if kind.lower() == "bearer" else None
        if len(sent) > 1 or key is None:
            raise _unauthorized(
                "Expected a valid API key as Authorization: Bearer KEY; this one is unknown or "
                "revoked."
            )
        return key


def route(path: str, raw_path: bytes, key: ApiKey | None, more: frozenset[str]) -> Route:
    """Returns the route at `path` that `key` may use.

    Args:
        more: paths of static files, which belong to the documentation.

    Raises:
        Refused: there is none (404), or the key lacks its scope (403).
    """
    allowed = ROUTES.get(path) or (ROUTES["/"] if path in more else None)
    # Only the plain spelling is a path: no encoded letters that two readers read differently.
    if allowed is None or raw_path != path.encode():
        raise Refused(404, "Expected a path that this service has; docs/serving.md lists them.")
    if key is not None and not key.may(allowed.scope):
        raise Refused(403, f"Expected a key with the scope {allowed.scope} for this path.")
    return allowed


def is_local(scope: dict[str, Any], headers: Headers) -> bool:
    """True if a request came from this machine itself, and not on behalf of another.

    It came to a loopback address, through no proxy, asks for a name of this machine (a page of a
    hostile name that resolves to 127.0.0.1 has another one), and no other page sent it.
    """
    server = scope.get("server")
    if server is None or not is_loopback(server[0]) or headers.any(_PROXIED):
        return False
    hosts = headers.all(b"host")
    if len(hosts) != 1 or not _is_local_name(f"//{hosts[0]}"):
        return False
    if any(site not in ("same-origin", "none") for site in headers.all(b"sec-fetch-site")):
        return False
    return all(_is_same(origin, hosts[0]) for origin in headers.all(b"origin"))


@functools.lru_cache(_REMEMBERED)
def is_loopback(host: str) -> bool:
    """True if `host` is a loopback address.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("a.b")
    (True, True, False, False)
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


@functools.lru_cache(_REMEMBERED)
def _is_local_name(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return "@" not in url and (name == "localhost" or is_loopback(name))


def _is_same(origin: str, host: str) -> bool:
    return origin in (f"http://{host}", f"https://{host}")


def _unauthorized(message: str) -> Refused:
    return Refused(401, message, {"WWW-Authenticate": "Bearer"})
