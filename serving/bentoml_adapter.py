"""Everything of BentoML and uvicorn that the service uses without a promise of theirs.

BentoML's worker calls `to_asgi` and starts uvicorn by itself, so limits on connections can only be
put into uvicorn's registry of protocols. tests/unit/serving/test_bentoml_adapter.py lists each
assumption: after an upgrade of either package its failures name what has to change here.
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
    """The class that uvicorn speaks HTTP with: httptools' where that is installed, else h11's."""
    return AutoHTTPProtocol


def install(protocol: type) -> None:
    """Makes the next uvicorn server of this process speak `protocol`, and no WebSockets."""
    HTTP_PROTOCOLS["auto"] = protocol  # type: ignore[assignment]
    WS_PROTOCOLS["auto"] = None  # an upgrade is a request like any other


def close_supervisor() -> None:
    """Lets BentoML's next supervisor (Circus) listen at sockets that only its own user reaches.

    It obeys commands, such as to start a program. BentoML lets it listen at two TCP ports of the
    loopback, whose protocol (ZeroMQ) knows no password: any user of the machine could command it.
    BentoML has no setting for this.
    """
    from bentoml._internal.utils import circus  # the worker does without it

    class PrivateArbiter(circus.Arbiter):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            # mkdtemp's folder has the mode 0700. A socket's path may have 107 bytes, so the folder
            # is not in NEWSLOOP_HOME, whose path may be long.
            folder = tempfile.mkdtemp(prefix="newsloop-")
            options["endpoint"] = f"ipc://{folder}/control"
            options["pubsub_endpoint"] = f"ipc://{folder}/events"
            super().__init__(*arguments, **options)
            self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)

    circus.Arbiter = PrivateArbiter


def drop_timeouts(app: Starlette) -> None:
    """Removes BentoML's time limit from `app`.

    It leaves the work running that it gave up, and keeps a timer of each request for its whole
    time.
    """
    app.user_middleware = [one for one in app.user_middleware if one.cls is not TimeoutMiddleware]


def tracer_provider() -> Any:
    """OpenTelemetry's, as BentoML has set it up; None where no endpoint for traces is set."""
    if not BentoMLContainer.tracing.sample_rate.get():
        return None
    return BentoMLContainer.tracer_provider.get()
