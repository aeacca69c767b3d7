"""`newsloop audit` searches names of persons unless told otherwise, and says if it did not."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from components.core import params as parameters
from components.core.errors import LeakFound
from components.core.paths import Paths
from flows.cli.privacy import audit

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("options", "guessed", "note"),
    [
        ([], "PERSON 1", False),
        (["--entities", "structured"], "not searched", True),
        (["--entities", "EMAIL_ADDRESS"], "not searched", True),
    ],
)
def test_names_are_searched_by_default(
    tmp_path: Path, options: list[str], guessed: str, note: bool
) -> None:
    app = typer.Typer()
    params = parameters.load(PROJECT / "params.yaml")
    audit.add(app, lambda: (params, Paths(tmp_path, tmp_path)))
    (tmp_path / "note.txt").write_text("Please call Angela Thompson about the broken lamp.")
    result = CliRunner().invoke(app, [str(tmp_path / "note.txt"), *options])
    assert f"guessed by the name tagger: {guessed}" in result.output
    assert ("Names of persons were not searched" in result.output) is note
    assert isinstance(result.exception, LeakFound) is not note
