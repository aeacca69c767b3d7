"""Starts the Prefect server, closed: a password, no foreign origin, no forged request, no foreign
host name. `newsloop run` and `newsloop up` start it on loopback, deploy/ in containers.

    PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD python -m flows.prefect_server --port 4200

`prefect server start` has no setting for the host names, so this adapter does what it does, and
wraps its app. All that newsloop takes from inside Prefect's server is here:
tests/hazards/test_control_plane.py names what an upgrade would break.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.core.runtime.private import keep_private
from flows import control_plane

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = "NEWSLOOP_PREFECT_HOSTS"  # names that the server answers to, with commas between them
_LOOPBACK = "127.0.0.1,localhost"
_NONCE = re.compile(rb"nonce=[0-9a-f]{64}")
# They stand over what a shell or a Prefect profile says: a value there may open what is closed.
CLOSED = {
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "",  # Prefect's own page is of this origin
    "PREFECT_SERVER_CORS_ALLOWED_METHODS": "",
    "PREFECT_SERVER_CORS_ALLOWED_HEADERS": "",
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    # Its page asks the address that it was loaded from, whichever name that has.
    "PREFECT_UI_API_URL": "/api",
}
# No other page may frame Prefect's: a person would click there on what they do not see.
_UNFRAMED = [
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
]


class Proof:
    """ASGI: answers the challenge of control_plane.proves, and passes all else on, unframed."""

    def __init__(self, app: ASGIApp, password: str) -> None:
        self._app, self._password = app, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_UNFRAMED]}
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == control_plane.PROOF:
            await self._prove(scope, unframed)
        else:
            await self._app(scope, receive, unframed)

    async def _prove(self, scope: Scope, send: Send) -> None:
        status, body = 400, b"Expected nonce=, 64 hexadecimal digits."
        if _NONCE.fullmatch(scope["query_string"]):
            host, port = scope["server"]
            nonce = scope["query_string"].decode().removeprefix("nonce=")
            status, body = 200, control_plane.proof(
                self._password, f"{host}:{port}", nonce
            ).encode()  # fmt: skip
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def closed(app: ASGIApp, password: str, hosts: Sequence[str]) -> ASGIApp:
    """`app` behind the check of the host name (against DNS rebinding), for HTTP and WebSockets."""
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    return TrustedHostMiddleware(Proof(app, password), list(hosts), www_redirect=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The Prefect server of newsloop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4200)
    asked = parser.parse_args(arguments)
    password = os.environ.get(control_plane.SERVER)
    if not password:
        sys.stderr.write(
            f"newsloop: Expected the password of the Prefect server in {control_plane.SERVER}, it "
            "is not set. Set it to USER:PASSWORD; see docs/deploying.md.\n"
        )
        return 2
    keep_private()  # its database holds the parameters and logs of the runs
    os.environ |= CLOSED
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    api = get_current_settings().server.api
    hosts = os.environ.get(HOSTS, _LOOPBACK).split(",")
    uvicorn.run(
        closed(create_app(final=True), password, hosts), host=asked.host, port=asked.port,
        timeout_keep_alive=api.keepalive_timeout, ws_ping_interval=api.websocket_ping_interval,
        ws_ping_timeout=api.websocket_ping_timeout,
        log_level=get_current_settings().server.logging_level.lower(),
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
