"""Adapter to internals of BentoML and uvicorn, which an upgrade may change.

BentoML's worker calls `to_asgi` and starts uvicorn itself, so limits on connections need an entry
in uvicorn's registry of protocols. tests/unit/serving/test_bentoml_adapter.py tests each assumption
and fails after an upgrade that breaks one.
"""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from starlette.applications import Starlette
from uvicorn.config import HTTP_PROTOCOLS, WS_PROTOCOLS
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = [
    "H11Protocol",
    "close_supervisor",
    "default_protocol",
    "drop_timeouts",
    "install",
    "tracer_provider",
]


def default_protocol() -> type:
    """Returns uvicorn's HTTP protocol class: that of httptools if installed, else that of h11."""
    return AutoHTTPProtocol


def install(protocol: type) -> None:
    """Makes the next uvicorn server of this process use `protocol`, without WebSockets."""
    HTTP_PROTOCOLS["auto"] = protocol  # type: ignore[assignment]
    WS_PROTOCOLS["auto"] = None  # a request to upgrade is handled as plain HTTP


def close_supervisor() -> None:
    """Moves the sockets of BentoML's next supervisor (Circus) to files of this user only.

    The supervisor executes commands, such as starting a program. BentoML opens two loopback TCP
    ports for it, whose protocol (ZeroMQ) has no password: any user of the machine could send
    commands. BentoML has no setting for this.
    """
    from bentoml._internal.utils import circus  # not imported in the worker, which does not need it

    class PrivateArbiter(circus.Arbiter):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            # mkdtemp's folder has the mode 0700. A socket's path may have 107 bytes at most, which
            # the path of NEWSLOOP_HOME might exceed.
            folder = tempfile.mkdtemp(prefix="newsloop-")
            options["endpoint"] = f"ipc://{folder}/control"
            options["pubsub_endpoint"] = f"ipc://{folder}/events"
            super().__init__(*arguments, **options)
            self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)

    circus.Arbiter = PrivateArbiter


def drop_timeouts(app: Starlette) -> None:
    """Removes BentoML's timeout middleware from `app`.

    The middleware does not cancel the work of a request that timed out, and keeps a timer for each
    request until its timeout.
    """
    app.user_middleware = [
        each for each in app.user_middleware if each.cls is not TimeoutMiddleware
    ]


def tracer_provider() -> Any:
    """Returns OpenTelemetry's provider as BentoML configured it; None without an endpoint."""
    if not BentoMLContainer.tracing.sample_rate.get():
        return None
    return BentoMLContainer.tracer_provider.get()
