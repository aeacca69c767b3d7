"""Progress shows how far a stream is, where nobody knows its length too."""

from __future__ import annotations

import pytest

from components.core.progress import track


@pytest.mark.parametrize("watched", ["", "1"])
def test_items_pass_and_their_sizes_are_counted(
    watched: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEWSLOOP_WATCHED", watched)
    batches = [[1, 2], [3], [4, 5, 6]]
    assert list(track(batches, "reading", size=len)) == batches
    said = capsys.readouterr().err
    assert ("reading" in said) is bool(watched)
    assert (" documents" in said) is bool(watched)
