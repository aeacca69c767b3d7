"""Command line, environment and addresses of the service process."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path

from components.core.errors import StackError
from components.core.params import Params
from components.core.paths import Paths
from components.core.runtime.offline import SWITCHES
from serving.http.api_keys import FILE, Keys
from serving.runtime import (
    API_KEYS,
    CODE,
    FOLLOW,
    ROOT,
    need_keys,
)

KEEP_ALIVE = 30  # seconds that an idle connection stays open


def command(params: Params, paths: Paths) -> tuple[list[str], dict[str, str]]:
    """Returns command line and environment of the service that follows this project's ledger.

    Send SIGTERM to the process, not to its group: the process ends its children in order.

    Raises:
        StackError: `serve.host` is no address, or a non-loopback one while no API key is valid.
    """
    host = address(params.serve.host)
    argv = [
        sys.executable, "-m", "bentoml", "serve", "serving.service:Newsloop",
        "--host", host,
        "--port", str(params.serve.port),
        "--working-dir", str(CODE),
        "--timeout-keep-alive", str(KEEP_ALIVE),
    ]  # fmt: skip
    need_keys(Keys(api_keys_file(paths)), params.serve.ask_keys == "always", host)
    environment = SWITCHES | os.environ
    environment.pop("PREFECT_API_AUTH_STRING", None)  # the service does not use Prefect
    environment |= {
        FOLLOW: "1",
        ROOT: str(paths.root),
        "NEWSLOOP_HOME": str(paths.home),
        # Services that share a home need separate folders: BentoML deletes metrics at its start.
        "BENTOML_HOME": os.environ.get("BENTOML_HOME") or str(paths.home / "bentoml"),
    }
    return argv, environment


def api_keys_file(paths: Paths) -> Path:
    """Returns the path of a project's API keys."""
    return Path(os.environ.get(API_KEYS) or paths.keys / FILE)


def address(host: str) -> str:
    """Converts `host` to an IP address, as BentoML needs it.

    Raises:
        StackError: `host` is neither localhost nor an IP address.

    >>> address("localhost")
    '127.0.0.1'
    """
    try:
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        raise StackError(
            "Expected serve.host to be an IP address such as 127.0.0.1 or 0.0.0.0, got "
            f"{host!r}. Fix it in params.yaml."
        ) from None


def url(params: Params) -> str:
    """Returns the URL of the service on this machine."""
    host = ipaddress.ip_address(address(params.serve.host))
    if host.is_unspecified:
        host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")  # noqa: PLR2004
    name = f"[{host}]" if host.version == 6 else str(host)  # noqa: PLR2004
    return f"http://{name}:{params.serve.port}"
