"""Decides which addresses a source may reach, and connects to none but those.

The host that params.yaml names may lie anywhere: on this machine, in the own network. Where a
redirect or a link leads is the server's choice, so that must be on the internet: not loopback,
link-local, private or reserved. A name is looked up once for each connection, and the connection is
made to an address of that answer, so that a second answer (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from components.sources.budget import NotAllowed

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an address of IPv4
_LAST_32 = 0xFFFFFFFF
_PORTS = {"http": 80, "https": 443}


class LeadsInside(NotAllowed):
    """A redirect or link leads to an address that is not of the internet."""

    expected = "redirects and links to addresses of the internet only"
    todo = (
        "Name that server itself by `url`, or set allow_private_addresses for this source in "
        "params.yaml."
    )

    def __init__(self) -> None:
        super().__init__("one to an address of this machine or a private network")


def is_inside(address: str) -> bool:
    """Tests whether an IP address is not of the internet.

    >>> is_inside("127.0.0.1"), is_inside("::ffff:169.254.169.254"), is_inside("8.8.8.8")
    (True, True, False)
    """
    ip: Any = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:  # noqa: PLR2004
        # Forms of IPv6 that carry an address of IPv4.
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.ip_address(int(ip) & _LAST_32)
        if embedded is not None:
            return is_inside(str(embedded))
    return ip.is_multicast or not ip.is_global


class Guard(httpcore.NetworkBackend):
    """Connects to hosts, each to an address that is allowed.

    Args:
        home: the URL in params.yaml.
        anywhere: whether inside addresses are allowed everywhere.
        look_up: as socket.getaddrinfo.
    """

    def __init__(
        self, home: httpx.URL, anywhere: bool, look_up: Callable[..., Any] = socket.getaddrinfo
    ) -> None:
        self._home, self._anywhere, self._look_up = _place(home), anywhere, look_up
        self._inner = httpcore.SyncBackend()
        self._home_inside: bool | None = None

    def allowed(self, host: str, port: int) -> list[str]:
        """Returns the addresses of `host` to which a connection may go.

        Raises:
            LeadsInside: none of its addresses is allowed.
            OSError: the name is unknown.
        """
        answers = self._look_up(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        if self._anywhere:
            return addresses
        outside = [address for address in addresses if not is_inside(address)]
        if (host, port) in self._home:
            # A name that was of the internet stays there, whatever it says later.
            if self._home_inside is None:
                self._home_inside = not outside
            if self._home_inside:
                return addresses
        if not outside:
            raise LeadsInside
        return outside

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self.allowed(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception | None = None
        for address in addresses:
            try:
                return self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")


class GuardedTransport(httpx.HTTPTransport):
    """Sends requests through a Guard, or through the proxy of the environment.

    A proxy connects by itself. Then a target is checked as far as this machine knows its address.

    Args:
        guard: decides.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=guard
        )
        self._proxied: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        proxies = getproxies()
        proxy = proxies.get(url.scheme) or proxies.get("all")
        if not proxy or proxy_bypass(url.host):
            return super().handle_request(request)
        with suppress(OSError, UnicodeError):  # a name that only the proxy can look up
            self._guard.allowed(*_address(url))
        if proxy not in self._proxied:
            self._proxied[proxy] = httpx.HTTPTransport(proxy=proxy)
        return self._proxied[proxy].handle_request(request)

    def close(self) -> None:
        for transport in self._proxied.values():
            transport.close()
        super().close()


def _address(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]


def _place(url: httpx.URL) -> set[tuple[str, int]]:
    """The host and port of the URL in params.yaml; with http, that of https too."""
    host, port = _address(url)
    return {(host, port)} | ({(host, _PORTS["https"])} if port == _PORTS["http"] else set())
