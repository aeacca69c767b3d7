"""Settings of the architectures: NAME.py defines section `train.NAME`.

A new architecture is a file in this package, and a file of the same name in
components/core/networks. The package imports all of its files, and each registers itself.
"""

from importlib import import_module
from pkgutil import iter_modules

from components.core.params.architectures.base import (
    ARCHITECTURES,
    ENSEMBLE,
    Candidate,
    Network,
    ReaderSettings,
    Single,
    architecture,
    candidates,
)

__all__ = [
    "ARCHITECTURES", "ENSEMBLE", "Candidate", "Network", "ReaderSettings", "Single",
    "architecture", "candidates",
]  # fmt: skip

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
