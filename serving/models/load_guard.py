"""Load guard: refuses bundles that kill the process while they load, which raises no exception."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from components.core.errors import BundleError

T = TypeVar("T")
MOST = 2  # deaths; a single one may be a person's kill


def attempt(folder: Path, name: str, load: Callable[[str], T]) -> T:
    """Loads the bundle `name` by `load`.

    A file in `folder` counts the loads on this host that began and did not end. The file's name has
    the host, because services on other hosts may share the folder and load the same bundle.

    Raises:
        BundleError: the process died MOST times in a row while it loaded this bundle. The bundle
            then serves nothing, and the rollout controller rolls back to the version before it.
    """
    mark = folder / f"{name}-{socket.gethostname()}"
    begun = mark.stat().st_size if mark.exists() else 0
    if begun >= MOST:
        raise BundleError(
            f"Expected to load bundle {name[:12]}; the service ended {begun} times while it tried. "
            f"It is not tried again. Release another one, or remove {mark} to try it once more."
        )
    with contextlib.suppress(OSError):  # a full disk must not keep a model from serving
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_bytes(b"." * (begun + 1))
    try:
        return load(name)
    finally:
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)
