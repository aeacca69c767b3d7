"""Checkpoints of an unfinished training, one file for each network, replaced atomically.

    .newsloop/checkpoints/<key>-<network>.npz   arrays by name, and the loop's state as JSON

The key is a hash of everything that the training depends on, so a training never resumes from a
checkpoint of another one. A checkpoint holds no pickle.
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
    """Computes a SHA-256 of `parts` (JSON values) and of the contents of `files`, in order."""
    parts_and_files = {**parts, "files": [tables.file_hash(file) for file in files]}
    return hashlib.sha256(json.dumps(parts_and_files, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint file of one training.

    Attributes:
        folder: of all checkpoints.
        key: result of `key`.
        keep: number of newest files in `folder` that `save` does not delete.
    """

    folder: Path
    key: str
    keep: int

    @property
    def path(self) -> Path:
        return self.folder / f"{self.key}.npz"

    def for_network(self, name: str) -> Checkpoint:
        """Returns the checkpoint of the network `name`, since a training may have several."""
        return replace(self, key=f"{self.key}-{name}")

    def save(self, state: Mapping[str, Any], arrays: Mapping[str, Sequence[Array]]) -> None:
        """Replaces the checkpoint, and deletes the oldest files beyond `keep`.

        Args:
            state: JSON values.
            arrays: lists of arrays by name.
        """
        flat: dict[str, Any] = {_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)}
        for name, array_list in arrays.items():
            flat |= {f"{name}/{i}": values for i, values in enumerate(array_list)}

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, **flat)

        tables.write_atomic(self.path, write)
        others = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in others[: -self.keep]:
            old.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Any], dict[str, list[Array]]] | None:
        """Returns the last saved state and arrays; None if the file is missing or unreadable."""
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays_by_path = {name: file[name] for name in file.files}  # in the order of `save`
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            say(f"train: {self.path} cannot be read ({error}); training starts again")
            return None
        state = json.loads(arrays_by_path.pop(_STATE).tobytes())
        arrays: dict[str, list[Array]] = {}
        for name, values in arrays_by_path.items():
            arrays.setdefault(name.rsplit("/", 1)[0], []).append(values)
        return state, arrays

    def remove(self) -> None:
        """Deletes the files of a complete training, those of its networks too."""
        for path in self.folder.glob(f"{self.key}*"):
            path.unlink(missing_ok=True)
