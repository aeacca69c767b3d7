"""Compiles the kernels on first use, and keeps what is compiled for the processes that follow.

Compiling takes some 2 seconds. The compiled code lies in the project's state, of a bento beside its
code, and never in the user's home; NUMBA_CACHE_DIR moves it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from pathlib import Path
from types import ModuleType

from numba import config
from numba.core.caching import InTreeCacheLocator

from components.core.bundle.runtimes.fast_textcnn import kernels as loops
from components.core.paths import state_of

_CODE = Path(__file__).resolve().parents[5]
_lock = threading.Lock()


class ByContent(InTreeCacheLocator):
    """Finds compiled code by the content of the source file, not by its place.

    So a checkout, its workspace clone and the bentos that were built from them compile once.
    """

    def get_cache_path(self) -> str:
        return str(folder() / content_hash(Path(self._py_file)))


def content_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def folder() -> Path:
    """The folder of all compiled code; it need not be there yet."""
    if config.CACHE_DIR:  # type: ignore[attr-defined]
        return Path(config.CACHE_DIR)  # type: ignore[attr-defined]
    if "NEWSLOOP_HOME" in os.environ or (_CODE / "dvc.yaml").is_file():
        return state_of(_CODE) / "numba"
    return Path(loops.__file__).parent / "__pycache__"


def kernels() -> ModuleType:
    """The module `kernels`, compiled: from the folder, or anew where the code is not yet there."""
    with _lock:
        return _compiled()


@functools.cache
def _compiled() -> ModuleType:
    functions = {name: getattr(loops, name) for name in loops.SIGNATURES}
    if _is_writable(folder()):
        # Numba takes locators from its own settings only, and asks for them here and not later.
        before = config.CACHE_LOCATOR_CLASSES  # type: ignore[attr-defined]
        config.CACHE_LOCATOR_CLASSES = f"{__name__}.{ByContent.__name__}"  # type: ignore[attr-defined]
        try:
            for function in functions.values():
                function.enable_caching()
        finally:
            config.CACHE_LOCATOR_CLASSES = before  # type: ignore[attr-defined]
    for name, function in functions.items():
        if signature := loops.SIGNATURES[name]:
            function.compile(signature)
            function.disable_compile()
    return loops


def _is_writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK)
