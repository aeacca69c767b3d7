"""Compiles the kernels on first use, and caches the compiled code for later processes.

Compilation takes about 2 seconds. The cache lies in the project's state folder, or beside the code
of a bento, and never in the user's home; NUMBA_CACHE_DIR moves it.
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

from components.core.bundle.runtimes.fast_textcnn import kernels as kernel_functions
from components.core.paths import state_of

_CODE = Path(__file__).resolve().parents[5]
_lock = threading.Lock()


class ByContent(InTreeCacheLocator):
    """Locates compiled code by the content of the source file, not by its path.

    A checkout, its workspace clone and their bentos thus share the compiled code.
    """

    def get_cache_path(self) -> str:
        return str(folder() / content_hash(Path(self._py_file)))


def content_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def folder() -> Path:
    """Returns the folder of all compiled code, which may not exist yet."""
    if config.CACHE_DIR:  # type: ignore[attr-defined]
        return Path(config.CACHE_DIR)  # type: ignore[attr-defined]
    if "NEWSLOOP_HOME" in os.environ or (_CODE / "dvc.yaml").is_file():
        return state_of(_CODE) / "numba"
    return Path(kernel_functions.__file__).parent / "__pycache__"


def kernels() -> ModuleType:
    """Returns the module `kernels` with compiled functions, from the cache if possible."""
    with _lock:
        return _compiled()


@functools.cache
def _compiled() -> ModuleType:
    functions = {name: getattr(kernel_functions, name) for name in kernel_functions.SIGNATURES}
    if _is_writable(folder()):
        # Numba takes locators from its settings only, and reads them in enable_caching only.
        locators = config.CACHE_LOCATOR_CLASSES  # type: ignore[attr-defined]
        config.CACHE_LOCATOR_CLASSES = f"{__name__}.{ByContent.__name__}"  # type: ignore[attr-defined]
        try:
            for function in functions.values():
                function.enable_caching()
        finally:
            config.CACHE_LOCATOR_CLASSES = locators  # type: ignore[attr-defined]
    for name, function in functions.items():
        if signature := kernel_functions.SIGNATURES[name]:
            function.compile(signature)
            function.disable_compile()
    return kernel_functions


def _is_writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK)
