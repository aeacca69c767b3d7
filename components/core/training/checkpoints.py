"""An unfinished training in one file: it is there whole, or not at all.

    .newsloop/checkpoints/<key>-<network>.npz   arrays by name, and the loop's state as JSON

The key is a hash of all that the training depends on, so what it finds is its own. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.core import tables
from components.core.progress import say

Array = np.ndarray[Any, Any]
_STATE = "state"


def key(parts: Mapping[str, Any], files: Sequence[Path]) -> str:
    """SHA-256 of `parts` (JSON values) and of the contents of `files`, in their order."""
    known = {**parts, "files": [tables.file_hash(file) for file in files]}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """One training's file.

    Attributes:
        folder: of all checkpoints.
        key: see `key`.
        keep: newest files of `folder` that stay; a killed run may leave half of one.
    """

    folder: Path
    key: str
    keep: int

    @property
    def path(self) -> Path:
        return self.folder / f"{self.key}.npz"

    def of(self, name: str) -> Checkpoint:
        """The file of one network, where a training has several."""
        return replace(self, key=f"{self.key}-{name}")

    def save(self, state: Mapping[str, Any], arrays: Mapping[str, Sequence[Array]]) -> None:
        """Replaces what was there.

        Args:
            state: JSON values.
            arrays: lists of arrays by name.
        """
        flat: dict[str, Any] = {_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)}
        for name, found in arrays.items():
            flat |= {f"{name}/{i}": values for i, values in enumerate(found)}

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, **flat)

        tables.write_atomic(self.path, write)
        others = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in others[: -self.keep]:
            old.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Any], dict[str, list[Array]]] | None:
        """What `save` was given last; None where there is nothing, or nothing that can be read."""
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}  # in the order of writing
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            say(f"train: {self.path} cannot be read ({error}); it begins anew")
            return None
        state = json.loads(found.pop(_STATE).tobytes())
        arrays: dict[str, list[Array]] = {}
        for name, values in found.items():
            arrays.setdefault(name.rsplit("/", 1)[0], []).append(values)
        return state, arrays

    def remove(self) -> None:
        """The training is complete: its files go."""
        for path in self.folder.glob(f"{self.key}*"):
            path.unlink(missing_ok=True)
