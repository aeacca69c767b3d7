"""A person's word against the gate: recorded, and only with a reason. Real git and DVC."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core import bundle, params
from components.core.errors import UsageError
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows.cli.release import promote
from tests.unit.stages.test_release import NOW, ledger, paths, template  # noqa: F401 - fixtures

SETTINGS = params.load(Path(__file__).parents[3] / "params.yaml")


def refused(paths: Paths, ledger: Ledger) -> str:  # noqa: F811
    """The packaged candidate, after the gate said no."""
    name = bundle.verify(paths.bundle, paths.keys)
    details = {"candidate": name, "verdict": "keep", "released": False, "checks": []}
    ledger.add_decision(
        {"id": "d" * 32, "kind": "gate", "time": NOW, "verdict": "keep",
         "reasons": ["not proven"], "details": details}
    )  # fmt: skip
    return name


def test_a_refused_candidate_is_released_and_says_why(
    paths: Paths,  # noqa: F811
    ledger: Ledger,  # noqa: F811
) -> None:
    name = refused(paths, ledger)
    champion = promote.release_anyway(
        SETTINGS, paths, ledger, name[:12], "the old one fails on tech"
    )
    assert (champion.version, champion.bundle) == (1, name)
    assert champion.decision["promoted"] == "the old one fails on tech"
    assert champion.decision["verdict"] == "keep"
    # `newsloop models` shows it with the time from which the version served.
    assert champion.reason == "promoted against the gate: the old one fails on tech"


def test_what_cannot_be_promoted(paths: Paths, ledger: Ledger) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="newsloop gate"):
        promote.release_anyway(SETTINGS, paths, ledger, "0" * 12, "why not")
    name = refused(paths, ledger)
    other = "f" * 64
    details = {"candidate": other}
    ledger.add_decision(
        {"id": "e" * 32, "kind": "gate", "time": NOW, "verdict": "keep", "reasons": [],
         "details": details}
    )  # fmt: skip
    with pytest.raises(UsageError, match="another one is there now"):
        promote.release_anyway(SETTINGS, paths, ledger, other, "why not")
    promote.release_anyway(SETTINGS, paths, ledger, name, "why not")
    with pytest.raises(UsageError, match="is v1"):
        promote.release_anyway(SETTINGS, paths, ledger, name, "why not")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v3", False),
        ("3", False),
        ("newsloop@v3.0.0", False),
        ("a1b2c3d4e5f6", True),
        ("a1b2c3", False),
        ("0" * 64, True),
        ("x" * 12, False),
    ],
)
def test_a_bundle_is_told_from_a_version(name: str, expected: bool) -> None:
    assert promote.is_bundle(name) is expected
