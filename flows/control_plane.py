"""Access to the Prefect server: its password, and the proof that a server knows it.

The server and its clients share one password (Prefect's basic authentication). A client of the
local server sends it only after the server has proven that it knows it: whoever else listens on
the port gets neither the password nor our runs.

Imports nothing of newsloop and no Prefect: prefect_server.py runs where only flows/ is mounted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

CLIENT, SERVER = "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
HOW = "log in with what `newsloop prefect-password` shows"
PROOF = "/newsloop/proof"  # the route of prefect_server.py
_TIMEOUT = 5  # seconds; a server that starts may be slow to answer
_NONCE_BYTES = 32


def proof(password: str, address: str, nonce: str) -> str:
    """HMAC-SHA256 of a nonce, under the password.

    Args:
        address: where the server listens, such as "127.0.0.1:4200". It is part of the message, so
            that the answer of a server at one port is worth nothing at another.
    """
    message = f"newsloop control plane\0{address}\0{nonce}"
    return hmac.new(password.encode(), message.encode(), hashlib.sha256).hexdigest()


def proves(url: str, password: str) -> bool:
    """True if the server at `url` knows the password; the password itself is not sent."""
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
    """True if the Prefect API at `url` takes this password (None: it asks for none).

    Sends the password: only to a server that a person named, or that has proven itself.
    """
    headers = authorization(password) if password else {}
    try:
        answer = httpx.get(
            f"{url}/admin/version", headers=headers, timeout=_TIMEOUT, trust_env=False
        )
    except httpx.HTTPError:
        return False
    return answer.status_code not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def authorization(password: str) -> dict[str, str]:
    """The header of HTTP's basic authentication."""
    return {"Authorization": f"Basic {base64.b64encode(password.encode()).decode()}"}


@contextmanager
def client(url: str, password: str) -> Iterator[httpx.Client]:
    """A client of Prefect's API with the password and a token against forged requests (CSRF).

    For routes that Prefect's own client has no method for. The token is good for an hour.
    """
    name = secrets.token_hex(_NONCE_BYTES)
    headers = authorization(password)
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as opened:
        token = opened.get("/csrf-token", params={"client": name})
        token.raise_for_status()
        opened.headers["Prefect-Csrf-Client"] = name
        opened.headers["Prefect-Csrf-Token"] = token.json()["token"]
        yield opened
