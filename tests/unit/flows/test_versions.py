"""The small parts of the commands about versions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.core.errors import UsageError
from components.core.ledger import version_names
from flows import versions
from flows.cli.release import at


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-11-01T12:00Z", 12), ("2026-11-01T12:00+02:00", 10), ("2026-11-01 12:00:00Z", 12)],
)
def test_a_time_has_its_zone(text: str, hour: int) -> None:
    assert at.moment(text) == datetime(2026, 11, 1, hour, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-01T12:00", "2026-11-01", ""])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"2026-11-01T12:00Z|for UTC"):
        at.moment(text)


@pytest.mark.parametrize("text", ["v3", "3", "newsloop@v3.0.0"])
def test_a_version_by_any_of_its_names(text: str) -> None:
    assert version_names.number(text) == 3


@pytest.mark.parametrize("text", ["three", "", "v", "-1", "v3.1", "newsloop@3"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(UsageError, match="such as v3"):
        version_names.number(text)


def test_settings_are_compared_by_dotted_keys() -> None:
    before = {"train": {"epochs": 3, "cnn": {"widths": [2, 3]}}, "gone": 1}
    after = {"train": {"epochs": 4, "cnn": {"widths": [2, 3]}}, "new": None}
    assert versions.changed(versions.flat(before), versions.flat(after)) == {
        "gone": [1, None],
        "train.epochs": [3, 4],
    }
