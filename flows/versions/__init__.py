"""What is known of a version, gathered from where each fact lies.

Commit and tag: git. Data and measurements: DVC's stores, by the hashes in the commit's dvc.lock.
Numbers, decision, deployments: the ledger. The model: the bundle store. Nothing is copied between
them, so `disagreements` can say where they contradict each other.
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
    """What git and DVC hold of one version; what they do not hold (any more) is None.

    Args:
        paths: of the checkout.
        row: the version's, of the ledger.
    """

    def __init__(self, paths: Paths, row: dict[str, Any]) -> None:
        self._root, self.row = paths.root, row

    @functools.cached_property
    def outs(self) -> dict[str, str]:
        """Path -> DVC's hash, of everything that the pipeline wrote."""
        steps = lockfile.of_commit(self._root, self.row["commit"]) or []
        return {path: id_ for one in steps for path, id_ in one.outs.items()}

    @functools.cached_property
    def _library(self) -> stores.Library:
        return stores.Library(stores.open_stores(self._root))

    def pinned(self, name: str) -> str | None:
        """A file of the version's commit."""
        return git.query(self._root, "show", f"{self.row['commit']}:{name}")

    def data(self, path: str) -> bytes | None:
        """A file that the pipeline wrote, such as data/05_evaluated/metrics.json."""
        folder, _, name = path.rpartition("/")
        files = self._library.files(self.outs[folder]) if folder in self.outs else None
        return self._library.read(files[name]) if files and name in files else None

    def settings(self) -> Any:
        """All settings with the defaults of then; before 0.3 params.yaml held all of them."""
        resolved = self.data("data/00_settings/params.json")
        return (
            json.loads(resolved) if resolved else yaml.safe_load(self.pinned("params.yaml") or "{}")
        )

    def table(self, path: str) -> pl.DataFrame | None:
        content = self.data(path)
        return None if content is None else pl.read_parquet(io.BytesIO(content))


def why(paths: Paths, ledger: Ledger, answer: dict[str, Any]) -> dict[str, Any]:
    """Where one answer of the service came from.

    Args:
        answer: its row of the ledger, as `ledger_lineage.prediction` gives it.

    Returns:
        prediction, bundle, version, commit, data, validation, gate, energy; None for what the
        ledger, git or DVC do not hold (any more).
    """
    name = answer["bundle"]
    row = ledger_deployments.version_of(ledger, name)
    found: dict[str, Any] = {
        "prediction": {key: answer[key] for key in ("id", "time", "label", "confidence")},
        "bundle": {"name": name, **_stored(paths, name)},
        **dict.fromkeys(("version", "commit", "data", "validation", "gate", "energy")),
    }
    if row is None:
        return found
    recorded = Recorded(paths, row)
    sources, validation = (
        recorded.pinned("data/sources.json"), recorded.data("data/02_validated/validation.json"),
    )  # fmt: skip
    served = ledger_deployments.at(ledger, answer["time"])
    return found | {
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


def diff(paths: Paths, one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """What differs between two versions.

    Args:
        one, two: their rows of the ledger.

    Returns:
        versions; sources: name -> [pin, pin]; data: side -> documents, added, removed; params and
        metrics: dotted key -> [first, second]; answers: see `_answers`. None for what is not there
        any more.
    """
    a, b = Recorded(paths, one), Recorded(paths, two)
    return {
        "versions": [one["tag"], two["tag"]],
        "sources": changed(*(_pins(version.pinned("data/sources.json")) for version in (a, b))),
        "data": {side: _side(a, b, side) for side in SIDES},
        "params": changed(*(flat(version.settings()) for version in (a, b))),
        "metrics": changed(flat(one["metrics"]), flat(two["metrics"])),
        "answers": _answers(a, b),
    }


def disagreements(paths: Paths, ledger: Ledger) -> list[str]:
    """Where git, ledger and bundle store contradict each other; a sentence each."""
    rows, retired = {row["version"]: row for row in ledger.versions()}, ledger.retired()
    try:
        tags = repository.versions(paths.root)
    except GitError as error:
        return [str(error)]
    found = []
    for version in sorted(set(tags) - set(rows)):
        found.append(
            f"{version_names.tag(version)} is a tag without a row in the ledger: another "
            "installation released it, or the ledger was lost"
        )
    for version, row in sorted(rows.items()):
        if version not in tags:
            found.append(
                f"{row['tag']} is in the ledger but no tag here: fetch the tags, or another "
                "installation released it"
            )
        elif git.run(paths.root, "rev-parse", f"{row['tag']}^{{commit}}") != row["commit"]:
            found.append(f"{row['tag']} is not the commit {row['commit'][:12]} of the ledger")
        if version not in retired and not (paths.bundles / row["bundle"]).is_dir():
            found.append(
                f"{row['tag']} has no bundle in {paths.bundles}: `newsloop restore "
                f"v{version} FOLDER` brings it"
            )
    stored = {path.name for path in paths.bundles.glob("*") if len(path.name) == _BUNDLE_NAME}
    for name in sorted(stored - {row["bundle"] for row in rows.values()}):
        found.append(f"bundle {name[:12]} is in the store, and no version is made of it")
    if entry := journal.read(paths):
        found.append(
            f"the release of bundle {entry.bundle[:12]} is under way or was cut off after the step "
            f"{entry.step}: `newsloop repair` finishes it"
        )
    return found


def _stored(paths: Paths, name: str) -> dict[str, Any]:
    """Whether the bundle store holds that bundle, with every byte as it was signed."""
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
    """Nested dictionaries as one with dotted keys.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(value, dict):
        return {key: value}
    parts = (flat(inner, f"{key}.{name}" if key else str(name)) for name, inner in value.items())
    return {name: inner for part in parts for name, inner in part.items()}


def changed(one: dict[str, Any], two: dict[str, Any]) -> dict[str, list[Any]]:
    """
    >>> changed({"a": 1, "b": 2}, {"a": 1, "c": 3})
    {'b': [2, None], 'c': [None, 3]}
    """
    return {
        key: [one.get(key), two.get(key)]
        for key in sorted({*one, *two})
        if one.get(key) != two.get(key)
    }


def _pins(text: str | None) -> dict[str, Any]:
    return {pin["name"]: pin for pin in json.loads(text)["sources"]} if text else {}


def _side(one: Recorded, two: Recorded, side: str) -> dict[str, Any] | None:
    """Documents of one side of the split in both, and how many came and went."""
    read = [version.table(f"data/03_split/{side}.parquet") for version in (one, two)]
    ids = [set(table["id"].to_list()) for table in read if table is not None]
    if len(ids) < len(read):
        return None
    before, after = ids
    return {
        "documents": [len(before), len(after)],
        "added": len(after - before),
        "removed": len(before - after),
    }


def _answers(one: Recorded, two: Recorded) -> dict[str, Any] | None:
    """How the two sort the documents that both were tested on.

    Returns:
        documents: how many both were tested on; first_right, second_right: of those on which they
        disagree; disagree: id, actual, first, second of each, in the order of the ids.
    """
    read = [version.table("data/05_evaluated/predictions.parquet") for version in (one, two)]
    if read[0] is None or read[1] is None:
        return None
    both = read[0].join(read[1], on="id", suffix="_second")
    apart = both.filter(pl.col("predicted") != pl.col("predicted_second")).sort("id")
    return {
        "documents": both.height,
        "first_right": int((apart["predicted"] == apart["actual"]).sum()),
        "second_right": int((apart["predicted_second"] == apart["actual_second"]).sum()),
        "disagree": apart.select(
            "id", actual="actual_second", first="predicted", second="predicted_second"
        ).to_dicts(),
    }
