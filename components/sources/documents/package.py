"""Texts inside an installed Python package: <package>/<path>/<label>/*.txt."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from components.sources.documents.folder import FolderReader
from components.sources.stores import LocalStore, Store


class PackageReader(FolderReader):
    """A folder source whose folder is looked up in an installed package.

    The package is never imported: that would run its code.
    """

    def _find_store(self) -> Store:
        name = self.source.package or ""
        # find_spec of a dotted name imports its parents; the first part alone imports nothing.
        top, *inner = name.split(".")
        spec = importlib.util.find_spec(top) if top else None
        if spec is None or not spec.submodule_search_locations:
            raise self._error(
                f"the installed package {name}",
                "no such package" if spec is None else "a module without a folder",
                "Run `make setup`, or install it with pip.",
            )
        folder = Path(next(iter(spec.submodule_search_locations)))
        # Some installers link each file of a package to a folder that all environments share.
        return LocalStore(folder.joinpath(*inner) / (self.source.path or ""), outside=True)
