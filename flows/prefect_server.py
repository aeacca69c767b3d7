"""Starts the Prefect server with a password, CSRF protection, and checks of origin and host name.

`newsloop run` and `newsloop up` start it on loopback, deploy/ in containers.

    PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD python -m flows.prefect_server --port 4200

`prefect server start` has no setting for host names, so this adapter starts Prefect's app in a
wrapper. Only this module uses internals of Prefect's server; tests/hazards/test_control_plane.py
fails if an upgrade changes them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.core.runtime.private import keep_private
from flows import prefect_auth

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = "NEWSLOOP_PREFECT_HOSTS"  # accepted host names, separated by commas
_LOOPBACK = "127.0.0.1,localhost"
_NONCE = re.compile(rb"nonce=[0-9a-f]{64}")
# These override the shell and a Prefect profile, whose values could weaken the protection.
CLOSED = {
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "",  # Prefect's own page is same-origin
    "PREFECT_SERVER_CORS_ALLOWED_METHODS": "",
    "PREFECT_SERVER_CORS_ALLOWED_HEADERS": "",
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    # The page calls the API at the address from which it was loaded, under any host name.
    "PREFECT_UI_API_URL": "/api",
}
# No other page may frame Prefect's page (clickjacking).
_UNFRAMED = [
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
]


class Proof:
    """ASGI app: answers the challenge of prefect_auth.proves; forwards all other requests.

    Every HTTP response gets headers that forbid framing.
    """

    def __init__(self, app: ASGIApp, password: str) -> None:
        self._app, self._password = app, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_UNFRAMED]}
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == prefect_auth.PROOF:
            await self._prove(scope, unframed)
        else:
            await self._app(scope, receive, unframed)

    async def _prove(self, scope: Scope, send: Send) -> None:
        status, body = 400, b"Expected nonce=, 64 hexadecimal digits."
        if _NONCE.fullmatch(scope["query_string"]):
            host, port = scope["server"]
            nonce = scope["query_string"].decode().removeprefix("nonce=")
            status, body = 200, prefect_auth.proof(
                self._password, f"{host}:{port}", nonce
            ).encode()  # fmt: skip
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def closed(app: ASGIApp, password: str, hosts: Sequence[str]) -> ASGIApp:
    """Wraps `app` in a check of the host name (DNS rebinding), for HTTP and WebSockets."""
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    return TrustedHostMiddleware(Proof(app, password), list(hosts), www_redirect=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The Prefect server of newsloop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4200)
    options = parser.parse_args(arguments)
    password = os.environ.get(prefect_auth.SERVER)
    if not password:
        sys.stderr.write(
            f"newsloop: Expected the password of the Prefect server in {prefect_auth.SERVER}, it "
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
    config = uvicorn.Config(
        closed(create_app(final=True), password, hosts), timeout_keep_alive=api.keepalive_timeout,
        ws_ping_interval=api.websocket_ping_interval, ws_ping_timeout=api.websocket_ping_timeout,
        log_level=get_current_settings().server.logging_level.lower(),
    )  # fmt: skip
    try:
        listener = prefect_auth.bound(options.host, options.port, listens=True)
    except OSError as error:
        sys.stderr.write(
            f"newsloop: Expected the port {options.port} of {options.host} to be free, got: "
            f"{error.strerror}. End what uses it, or choose another port.\n"
        )
        return 1
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
