"""A person's word against the gate: recorded, and only with a reason. Real git and DVC."""

from __future__ import annotations

import pytest

from components.core import bundle
from components.core.errors import UsageError
from components.core.ledger import Ledger
from components.core.paths import Paths
from flows import cli_gate, show
from tests.unit.test_release import NOW, ledger, paths, template  # noqa: F401 - fixtures


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
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = refused(paths, ledger)
    champion = cli_gate.release_anyway(paths, ledger, name[:12], "the old one fails on tech")
    assert (champion.version, champion.bundle) == (1, name)
    assert champion.decision["promoted"] == "the old one fails on tech"
    assert champion.decision["verdict"] == "keep"
    assert "against the gate" in champion.reason
    metrics = {"architecture": "textcnn", "accuracy": {"value": 0.9}, "macro_f1": {"value": 0.9}}
    show.models([{**row, "metrics": metrics} for row in ledger.versions()], 1, json_wanted=False)
    assert "the old one fails on tech" in capsys.readouterr().out


def test_what_cannot_be_promoted(paths: Paths, ledger: Ledger) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="newsloop gate"):
        cli_gate.release_anyway(paths, ledger, "0" * 12, "why not")
    name = refused(paths, ledger)
    other = "f" * 64
    details = {"candidate": other}
    ledger.add_decision(
        {"id": "e" * 32, "kind": "gate", "time": NOW, "verdict": "keep", "reasons": [],
         "details": details}
    )  # fmt: skip
    with pytest.raises(UsageError, match="another one lies there now"):
        cli_gate.release_anyway(paths, ledger, other, "why not")
    cli_gate.release_anyway(paths, ledger, name, "why not")
    with pytest.raises(UsageError, match="is v1"):
        cli_gate.release_anyway(paths, ledger, name, "why not")


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
    assert cli_gate.is_bundle(name) is expected
