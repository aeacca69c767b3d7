"""Model runtimes: each module or package here writes one format of models, loads and runs it.

To add a runtime, add a module with the functions of `Format` to this package; there is no list of
runtimes. Code outside this package does not depend on the runtime of a bundle.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from components.core.bundle.runtimes.base import Format, Runtime, Trained
from components.core.errors import BundleError

__all__ = ["FORMATS", "Format", "Runtime", "Trained", "find", "load"]


def _formats() -> tuple[Format, ...]:
    """Imports the modules of this package that read models, in descending preference."""
    modules: list[Any] = [
        import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)
    ]
    formats = [module for module in modules if hasattr(module, "PREFERENCE")]
    return tuple(sorted(formats, key=lambda module: -module.PREFERENCE))


FORMATS = _formats()


def find(folder: Path) -> Format | None:
    """Finds the format that reads the model in `folder`; None if no format does."""
    return next((model_format for model_format in FORMATS if model_format.accepts(folder)), None)


def load(folder: Path) -> Runtime:
    """Loads the model in `folder` with the first of FORMATS that accepts it.

    Raises:
        BundleError: no format accepts the model.
        OSError, ValueError, KeyError: the model cannot be read.
    """
    model_format = find(folder)
    if model_format is None:
        raise BundleError(
            f"Expected a model in {folder} in a format that this version of newsloop reads, found "
            "none. Release another version, or install the newsloop that made this bundle."
        )
    return model_format.load(folder)
