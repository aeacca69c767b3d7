"""Facts about versions, read from git, DVC, the ledger and the bundle store.

Git holds commit and tag. DVC's stores hold data and measurements, by the hashes in the commit's
dvc.lock. The ledger holds metrics, decision and deployments. The bundle store holds the model.
Nothing is copied between them, so `disagreements` can compare them.
"""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from components.core import bundle, git
from components.core.errors import GitError, NewsloopError
from components.core.ledger import Ledger, version_names
from components.core.ledger import deployments as ledger_deployments
from components.core.paths import Paths
from components.release import journal, repository
from flows.dvc import lockfile, stores

SIDES = ("train", "validation", "test")
_BUNDLE_NAME = 64  # characters


class Recorded:
    """Reads a version's files from git and DVC; a missing file is None.

    Args:
        paths: paths of the checkout.
        row: row of the version in the ledger.
    """

    def __init__(self, paths: Paths, row: dict[str, Any]) -> None:
        self._root, self.row = paths.root, row

    @functools.cached_property
    def outs(self) -> dict[str, str]:
        """Path -> DVC's hash of each output of the pipeline."""
        steps = lockfile.of_commit(self._root, self.row["commit"]) or []
        return {path: object_id for step in steps for path, object_id in step.outs.items()}

    @functools.cached_property
    def _library(self) -> stores.Library:
        return stores.Library(stores.open_stores(self._root))

    def pinned(self, name: str) -> str | None:
        """Returns the text of a file in the version's commit."""
        return git.query(self._root, "show", f"{self.row['commit']}:{name}")

    def data(self, path: str) -> bytes | None:
        """Returns the bytes of a file of the pipeline, such as data/05_evaluated/metrics.json."""
        folder, _, name = path.rpartition("/")
        files = self._library.files(self.outs[folder]) if folder in self.outs else None
        return self._library.read(files[name]) if files and name in files else None

    def settings(self) -> Any:
        """Returns all settings with the defaults of that version.

        A release before 0.3 has no resolved settings: its params.yaml holds every key.
        """
        resolved = self.data("data/00_settings/params.json")
        return (
            json.loads(resolved) if resolved else yaml.safe_load(self.pinned("params.yaml") or "{}")
        )

    def table(self, path: str) -> pl.DataFrame | None:
        content = self.data(path)
        return None if content is None else pl.read_parquet(io.BytesIO(content))


def why(paths: Paths, ledger: Ledger, answer: dict[str, Any]) -> dict[str, Any]:
    """Traces a prediction of the service back to its data.

    Args:
        answer: row of the prediction, from `ledger.deployments.prediction`.

    Returns:
        prediction, bundle, version, commit, data, validation, gate, energy; None for facts that
        ledger, git and DVC do not hold (any more).
    """
    name = answer["bundle"]
    row = ledger_deployments.version_of(ledger, name)
    trace: dict[str, Any] = {
        "prediction": {key: answer[key] for key in ("id", "time", "label", "confidence")},
        "bundle": {"name": name, **_stored(paths, name)},
        **dict.fromkeys(("version", "commit", "data", "validation", "gate", "energy")),
    }
    if row is None:
        return trace
    recorded = Recorded(paths, row)
    sources, validation = (
        recorded.pinned("data/sources.json"), recorded.data("data/02_validated/validation.json"),
    )  # fmt: skip
    served = ledger_deployments.at(ledger, answer["time"])
    return trace | {
        "version": {
            "version": row["version"],
            "tag": row["tag"],
            "released": row["time"],
            "served_because": served["reason"] if served and served["bundle"] == name else None,
            "metrics": row["metrics"],
        },
        "commit": _commit(paths.root, row),
        "data": {
            "snapshot": row["snapshot"],
            "dvc_lock": row["dvc_lock"],
            "sources": json.loads(sources)["sources"] if sources else None,
            "outs": recorded.outs,
        },
        "validation": json.loads(validation) if validation else None,
        "gate": row["decision"],
        "energy": row["metrics"].get("energy"),
    }


def diff(paths: Paths, earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Compares two versions.

    Args:
        earlier, later: rows of the two versions in the ledger.

    Returns:
        versions; sources: name -> [pin, pin]; data: side -> documents, added, removed; params and
        metrics: dotted key -> [first, second]; answers: see `_answers`. None for data that DVC's
        stores do not hold any more.
    """
    a, b = Recorded(paths, earlier), Recorded(paths, later)
    return {
        "versions": [earlier["tag"], later["tag"]],
        "sources": changed(*(_pins(version.pinned("data/sources.json")) for version in (a, b))),
        "data": {side: _side(a, b, side) for side in SIDES},
        "params": changed(*(flat(version.settings()) for version in (a, b))),
        "metrics": changed(flat(earlier["metrics"]), flat(later["metrics"])),
        "answers": _answers(a, b),
    }


def disagreements(paths: Paths, ledger: Ledger) -> list[str]:
    """Returns a sentence for each contradiction between git, ledger and bundle store."""
    rows, retired = {row["version"]: row for row in ledger.versions()}, ledger.retired()
    try:
        tags = repository.versions(paths.root)
    except GitError as error:
        return [str(error)]
    sentences = []
    for version in sorted(set(tags) - set(rows)):
        sentences.append(
            f"{version_names.tag(version)} is a tag without a row in the ledger: another "
            "installation released it, or the ledger was lost"
        )
    for version, row in sorted(rows.items()):
        if version not in tags:
            sentences.append(
                f"{row['tag']} is in the ledger but no tag here: fetch the tags, or another "
                "installation released it"
            )
        elif git.run(paths.root, "rev-parse", f"{row['tag']}^{{commit}}") != row["commit"]:
            sentences.append(f"{row['tag']} is not the commit {row['commit'][:12]} of the ledger")
        if version not in retired and not (paths.bundles / row["bundle"]).is_dir():
            sentences.append(
                f"{row['tag']} has no bundle in {paths.bundles}: `newsloop restore "
                f"v{version} FOLDER` brings it"
            )
    stored = {path.name for path in paths.bundles.glob("*") if len(path.name) == _BUNDLE_NAME}
    for name in sorted(stored - {row["bundle"] for row in rows.values()}):
        sentences.append(f"bundle {name[:12]} is in the store, and no version is made of it")
    if entry := journal.read(paths):
        sentences.append(
            f"the release of bundle {entry.bundle[:12]} is under way or was cut off after the step "
            f"{entry.step}: `newsloop repair` finishes it"
        )
    return sentences


def _stored(paths: Paths, name: str) -> dict[str, Any]:
    """Verifies a bundle of the store: `verified`, and `fault` if it is missing or altered."""
    try:
        return {"verified": bundle.verify(paths.bundles / name, paths.keys) == name, "fault": None}
    except NewsloopError as error:
        return {"verified": False, "fault": str(error)}


def _commit(root: Path, row: dict[str, Any]) -> dict[str, Any] | None:
    if not git.has(root, row["commit"]):
        return None
    time, subject = git.run(root, "show", "--no-patch", "--format=%cI%n%s", row["commit"]).split(
        "\n", 1
    )
    return {"id": row["commit"], "time": time, "subject": subject}


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Flattens nested dictionaries to one with dotted keys.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(value, dict):
        return {key: value}
    parts = (flat(inner, f"{key}.{name}" if key else str(name)) for name, inner in value.items())
    return {name: inner for part in parts for name, inner in part.items()}


def changed(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, list[Any]]:
    """Returns the pair of values of each key that differs; None for a missing key.

    >>> changed({"a": 1, "b": 2}, {"a": 1, "c": 3})
    {'b': [2, None], 'c': [None, 3]}
    """
    return {
        key: [earlier.get(key), later.get(key)]
        for key in sorted({*earlier, *later})
        if earlier.get(key) != later.get(key)
    }


def _pins(text: str | None) -> dict[str, Any]:
    return {pin["name"]: pin for pin in json.loads(text)["sources"]} if text else {}


def _side(earlier: Recorded, later: Recorded, side: str) -> dict[str, Any] | None:
    """Counts the documents of one side of the split in both versions, and their differences."""
    sides = [version.table(f"data/03_split/{side}.parquet") for version in (earlier, later)]
    ids = [set(table["id"].to_list()) for table in sides if table is not None]
    if len(ids) < len(sides):
        return None
    before, after = ids
    return {
        "documents": [len(before), len(after)],
        "added": len(after - before),
        "removed": len(before - after),
    }


def _answers(earlier: Recorded, later: Recorded) -> dict[str, Any] | None:
    """Compares the predictions on the documents that both versions were tested on.

    Returns:
        documents: number of common documents; first_right, second_right: right predictions of each
        version where the two disagree; disagree: id, actual, first, second of each disagreement,
        ordered by id.
    """
    first, second = (
        version.table("data/05_evaluated/predictions.parquet") for version in (earlier, later)
    )
    if first is None or second is None:
        return None
    common = first.join(second, on="id", suffix="_second")
    different = common.filter(pl.col("predicted") != pl.col("predicted_second")).sort("id")
    return {
        "documents": common.height,
        "first_right": int((different["predicted"] == different["actual"]).sum()),
        "second_right": int((different["predicted_second"] == different["actual_second"]).sum()),
        "disagree": different.select(
            "id", actual="actual_second", first="predicted", second="predicted_second"
        ).to_dicts(),
    }
