"""Remembers bundles that end the process while they are loaded: no exception tells of these."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from components.core.errors import BundleError

T = TypeVar("T")
MOST = 2  # one kill may be somebody's hand


def attempt(folder: Path, name: str, load: Callable[[str], T]) -> T:
    """What `load` gives for the bundle `name`.

    A file in `folder` counts the times that it was begun and not ended on this host: services on
    other hosts, which may share the folder, load the same bundle at the same time.

    Raises:
        BundleError: the process ended MOST times in a row while this bundle was loaded. Then
            nothing counts it any more, and the rollout controller lets the version before it serve.
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
