"""The seam for model runtimes: what writes a model, loads it and computes its answers.

Another runtime is another module of this package with the functions of `Format`; nothing lists
them. Nobody outside this package knows which runtime a bundle has.
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
    """The modules of this package that read models, the preferred ones first."""
    modules: list[Any] = [import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__)]
    formats = [module for module in modules if hasattr(module, "PREFERENCE")]
    return tuple(sorted(formats, key=lambda one: -one.PREFERENCE))


FORMATS = _formats()


def find(folder: Path) -> Format | None:
    """The format that reads the model in `folder`; None if no format does."""
    return next((one for one in FORMATS if one.accepts(folder)), None)


def load(folder: Path) -> Runtime:
    """The model in `folder`, by the first of FORMATS that accepts it.

    Raises:
        BundleError: none of them does.
        OSError, ValueError, KeyError: it cannot be read.
    """
    found = find(folder)
    if found is None:
        raise BundleError(
            f"Expected a model in {folder} in a format that this version of newsloop reads, found "
            "none. Release another version, or install the newsloop that made this bundle."
        )
    return found.load(folder)
