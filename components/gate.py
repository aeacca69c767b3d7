"""Decides, in writing, whether a candidate may be released.

Absolute floors first; then, on the same test documents, not worse than the champion by a paired
bootstrap. A champion that cannot be compared (other classes) is said so, and only the floors count.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core import bundle, metrics, params, tables
from components.core.ledger import Champion, Ledger
from components.core.paths import Paths

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Check:
    """One condition: `value` must not lie below `limit`, or above it if it is a `ceiling`."""

    name: str
    value: float
    limit: float
    passed: bool
    ceiling: bool = False


@dataclass(frozen=True)
class Decision:
    """What the gate decided about one candidate.

    Attributes:
        id: the same for the same candidate, champion, test side and settings.
        candidate: name of the candidate's bundle.
        champion: name of the champion's bundle; None before the first release.
        architecture: of the candidate.
        released: whether every check passed.
        checks: each condition with its numbers.
        reasons: why it was refused, or what could not be compared; a sentence each.
    """

    id: str
    candidate: str
    champion: str | None
    architecture: str
    released: bool
    checks: list[Check]
    reasons: list[str]

    @property
    def verdict(self) -> str:
        return "release" if self.released else "refuse"


def floors(measured: dict[str, Any], settings: params.Gate) -> list[Check]:
    """The absolute conditions on metrics.json."""
    values = [
        ("accuracy", measured["accuracy"]["value"], settings.min_accuracy),
        ("macro F1", measured["macro_f1"]["value"], settings.min_macro_f1),
    ]
    values += [
        (f"recall of {label}", row["recall"], settings.min_class_recall)
        for label, row in measured["classes"].items()
    ]
    error, most = measured["calibration_error"], settings.max_calibration_error
    return [
        *(Check(name, value, limit, value >= limit) for name, value, limit in values),
        Check("calibration error", error, most, error <= most, ceiling=True),
    ]


def against_champion(ours: Array, theirs: Array, settings: params.Gate) -> Check:
    """Not worse than the champion: the lower bound of the paired difference is above -margin.

    Args:
        ours, theirs: (N,) 1 where right, 0 where wrong, on the same documents.
    """
    found = metrics.paired_difference(
        ours, theirs, settings.level, settings.resamples, settings.seed
    )
    return Check(
        "accuracy less the champion's, lower bound",
        round(found.low, 6),
        -settings.margin,
        found.low >= -settings.margin,
    )


def judge(params_: params.Params, paths: Paths, champion: Champion | None) -> Decision:
    """Judges the bundle in data/06_packaged; the champion is read from the bundle store.

    Raises:
        BundleError: a bundle is incomplete, altered or not ours.
    """
    candidate = bundle.verify(paths.bundle, paths.keys)
    measured = tables.read_json(paths.evaluated / "metrics.json")
    checks = floors(measured, params_.gate)
    remarks: list[str] = []
    if champion is not None:
        check = _compare(params_, paths, champion)
        if check is None:
            remarks.append(
                f"the champion {champion.tag} sorts into other classes and cannot be compared"
            )
        else:
            checks.append(check)
    failed = [
        f"{check.name} is {check.value:.4f}, {abs(check.limit - check.value):.4f} "
        f"{'above' if check.ceiling else 'below'} {check.limit:.4f}"
        for check in checks
        if not check.passed
    ]
    basis = [
        candidate,
        champion.bundle if champion else "",
        tables.file_hash(paths.split / "test.parquet"),
        params_.gate.model_dump_json(),
    ]
    return Decision(
        id=hashlib.sha256("\n".join(basis).encode()).hexdigest()[:32],
        candidate=candidate,
        champion=champion.bundle if champion else None,
        architecture=measured["architecture"],
        released=not failed,
        checks=checks,
        reasons=failed + remarks,
    )


def _compare(params_: params.Params, paths: Paths, champion: Champion) -> Check | None:
    model = bundle.load(paths.bundles / champion.bundle, paths.keys)
    if set(model.labels) != set(params_.ingest.labels):
        return None
    answers = tables.read_table(paths.evaluated / "predictions.parquet")
    test = tables.read_table(paths.split / "test.parquet")
    found = model.predict(test["text"].to_list())
    ours = (answers["predicted"] == test["label"]).to_numpy()
    theirs = (pl.Series(found.labels) == test["label"]).to_numpy()
    return against_champion(ours, theirs, params_.gate)


def record(decision: Decision, paths: Paths, ledger: Ledger, now: datetime) -> None:
    """Writes the decision to its JSON file and to the ledger, once."""
    details = asdict(decision)
    tables.write_json(details, paths.decisions / f"{decision.id}.json")
    if not ledger.has_decision(decision.id):
        ledger.add_decision(
            {
                "id": decision.id,
                "kind": "gate",
                "time": now,
                "verdict": decision.verdict,
                "reasons": decision.reasons,
                "details": details,
            }
        )
