"""Access to the Prefect server: password, and challenge-response proof of the server.

The server and its clients share one password (Prefect's basic authentication). A client of the
local server sends it only after the server has proven that it knows it: whoever else listens on
the port gets neither the password nor our runs. Each client reserves the port first, so that nobody
else can listen there when the server dies.

The module imports neither newsloop nor Prefect: prefect_server.py runs with only flows/ mounted.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

CLIENT, SERVER = "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
HOW = "log in with what `newsloop prefect-password` shows"
PROOF = "/newsloop/proof"  # the route of prefect_server.py
_TIMEOUT = 5  # seconds; a server that starts may be slow to answer
_NONCE_BYTES = 32
_LOOPBACK = "127.0.0.1"
_RESERVED: dict[int, socket.socket] = {}  # port -> what keeps it, until this process ends
_PAUSES = (0.5, 1, 2, 4, 8)  # seconds after each answer of a server whose database is locked


def bound(host: str, port: int, *, listens: bool) -> socket.socket:
    """A socket on the server's port, beside others of the same user, and of nobody else.

    The kernel lets sockets share a port (SO_REUSEPORT) only if all of them asked for it, and belong
    to one user. One that listens may also follow a server that has just ended (SO_REUSEADDR); on
    the others that option would let a stranger in.

    Raises:
        OSError: another user, or a process that does not share, has the port.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, listens)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def reserve(url: str | None) -> None:
    """Keeps other users off the port of a local server as long as this process lives.

    The socket does not listen: while the server is dead, a request is refused by the kernel. Does
    nothing for a server elsewhere, or if somebody has the port already: then the proof is missing.
    """
    parts = urlsplit(url or "")
    if parts.hostname == _LOOPBACK and parts.port and parts.port not in _RESERVED:
        with contextlib.suppress(OSError):
            _RESERVED[parts.port] = bound(_LOOPBACK, parts.port, listens=False)


def proof(password: str, address: str, nonce: str) -> str:
    """Computes the HMAC-SHA256 of a nonce with the password as key.

    Args:
        address: address of the server, such as "127.0.0.1:4200". It is part of the message, so that
            a proof for one port is not valid for another (relay attack).
    """
    message = f"newsloop control plane\0{address}\0{nonce}"
    return hmac.new(password.encode(), message.encode(), hashlib.sha256).hexdigest()


def proves(url: str, password: str) -> bool:
    """Returns True if the server at `url` knows the password, without sending the password."""
    import httpx  # here and below: all commands import this module, and httpx takes long

    parts = urlsplit(url)
    nonce = secrets.token_hex(_NONCE_BYTES)
    try:
        answer = httpx.get(
            f"{parts.scheme}://{parts.netloc}{PROOF}",
            params={"nonce": nonce}, timeout=_TIMEOUT, trust_env=False,
        )  # fmt: skip
    except httpx.HTTPError:
        return False
    return hmac.compare_digest(answer.content, proof(password, parts.netloc, nonce).encode())


def lets_in(url: str, password: str | None) -> bool:
    """Returns True if the Prefect API at `url` accepts this password (None: no password).

    Sends the password, so call it only for a server that a person named, or after `proves`.
    """
    import httpx

    headers = authorization(password) if password else {}
    try:
        answer = httpx.get(
            f"{url}/admin/version", headers=headers, timeout=_TIMEOUT, trust_env=False
        )
    except httpx.HTTPError:
        return False
    return answer.status_code not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def authorization(password: str) -> dict[str, str]:
    """Makes the header of HTTP basic authentication."""
    return {"Authorization": f"Basic {base64.b64encode(password.encode()).decode()}"}


def ask(url: str, password: str, method: str, route: str, body: Any = None) -> Any:
    """Calls a route of Prefect's API for which Prefect's client has no method.

    The request carries the password and a CSRF token. A server with a locked database answers 503
    without any change; then the request is repeated, as Prefect's client does.

    Raises:
        httpx.HTTPError: the server cannot be reached, or refuses.
    """
    import httpx

    name = secrets.token_hex(_NONCE_BYTES)
    headers = authorization(password)
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        token = _repeated(lambda: client.get("/csrf-token", params={"client": name}))
        client.headers["Prefect-Csrf-Client"] = name
        client.headers["Prefect-Csrf-Token"] = token.json()["token"]
        answer = _repeated(lambda: client.request(method, route, json=body))
    return answer.json() if answer.content else None


def _repeated(send: Callable[[], httpx.Response]) -> httpx.Response:
    import httpx

    for pause in _PAUSES:
        answer = send()
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(pause)
    return answer.raise_for_status()
