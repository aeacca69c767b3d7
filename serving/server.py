"""How the service is started as a child process."""

from __future__ import annotations

import ipaddress
import os
import sys

from components.core.errors import StackError
from components.core.offline import SWITCHES
from components.core.params import Params
from components.core.paths import Paths
from serving.setting import CODE, FOLLOW, ROOT

KEEP_ALIVE = 30  # seconds that an idle connection stays open


def command(params: Params, paths: Paths) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of the service that follows this project's ledger.

    Send SIGTERM to that process, not to its group: it ends its children in order.

    Raises:
        StackError: `serve.host` is not a loopback address.
    """
    argv = [
        sys.executable, "-m", "bentoml", "serve", "serving.service:Newsloop",
        "--host", loopback(params.serve.host),
        "--port", str(params.serve.port),
        "--working-dir", str(CODE),
        "--timeout-keep-alive", str(KEEP_ALIVE),
    ]  # fmt: skip
    environment = SWITCHES | os.environ
    environment |= {
        FOLLOW: "1",
        ROOT: str(paths.root),
        "NEWSLOOP_HOME": str(paths.home),
        "BENTOML_HOME": str(paths.home / "bentoml"),
    }
    return argv, environment


def loopback(host: str) -> str:
    """`host` as an address of this machine's own.

    Raises:
        StackError: it is another one.

    >>> loopback("localhost")
    '127.0.0.1'
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise StackError(
            f"Expected serve.host to be a loopback address such as 127.0.0.1, got {host}: whoever "
            "reaches another one could use the service, and API keys are not built yet."
        )
    return str(address)
