"""params.yaml is changed key by key; its comments and its order stay."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params
from components.core.errors import ParamsError
from components.core.params import edit
from tests.unit.core.test_params_migration import OF_0_2_0

PROJECT = Path(__file__).parents[3] / "params.yaml"
FULL = Path(__file__).parents[2] / "fixtures" / "params_0_2_0.yaml"
SHORT = """\
# above

one:
  # of a
  a: 1                             # behind a
  list:
    - x: 1                         # behind x
    - x: 2

  # of b
  b: {c: 2}

# above two
two:
  d: "no"  # behind d
# the end
"""


def changed(text: str, values: dict[str, Any]) -> list[str]:
    """The lines that are taken away and put in."""
    after = edit.with_values(text, values, "here")
    lines = difflib.unified_diff(text.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:2] not in ("--", "++", "@@")]


@pytest.mark.parametrize("text", [SHORT, PROJECT.read_text(), FULL.read_text()])
def test_without_values_nothing_changes(text: str) -> None:
    assert edit.with_values(text, {}, "here") == text


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        (
            {"one.a": 20},
            ["-  a: 1                             # behind a",
             "+  a: 20                            # behind a"],
        ),
        # A list goes with its own comments; the blank line and the comment of b stay.
        (
            {"one.list": [{"x": 3}]},
            ["-    - x: 1                         # behind x", "-    - x: 2", "+    - {x: 3}"],
        ),
        # Keys and sections that are not there come last in their section, before what follows it.
        ({"one.new": [1, 2]}, ["+  new: [1, 2]"]),
        ({"one.in.deep": None}, ["+  in:", "+    deep: null"]),
        ({"one.b.e": 5}, ["-  b: {c: 2}", "+  b: {c: 2, e: 5}"]),
        ({"three.f": "on"}, ["+three:", '+  f: "on"']),
        # As YAML 1.1 reads them, which params.load does.
        ({"one.a": 1e-9}, ["-  a: 1                             # behind a",
                           "+  a: 1.0e-09                       # behind a"]),
        ({"two.d": "12:30"}, ['-  d: "no"  # behind d', '+  d: "12:30" # behind d']),
    ],
)  # fmt: skip
def test_only_the_lines_of_a_key_change(values: dict[str, Any], lines: list[str]) -> None:
    assert changed(SHORT, values) == lines
    (key, value), *_ = values.items()
    found = yaml.safe_load(edit.with_values(SHORT, values, "here"))
    for part in key.split("."):
        found = found[part]
    assert found == value


def test_settings_of_both_forms_of_the_file_can_be_set(tmp_path: Path) -> None:
    values = OF_0_2_0 | {
        "train.candidates": ["bilstm", "linear"],
        "train.bilstm.units": 64,
        "ingest.sources": [{"name": "mine", "kind": "folder", "path": "texts"}],
        "ingest.limits.pages": 3,
        "tune.space.bilstm": {"units": {"choices": [16, 32]}},
        "validate.languages": ["en", "no"],
        "gate.min_accuracy": 0.4,
        "split.seed": 4,
    }
    found = []
    for text in (PROJECT.read_text(), FULL.read_text()):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        edit.set_values(path, values)
        assert text.splitlines()[0] == path.read_text().splitlines()[0]
        found.append(params.load(path))
    assert found[0] == found[1]
    assert found[0].train.bilstm.units == 64
    assert found[0].validate_.languages == ["en", "no"]


@pytest.mark.parametrize(
    ("text", "words"), [("one: [", "Expected YAML in here"), ("- 1\n", "another layout"),
                        ("one: 1\n", r"sections down to one\.a")],
)  # fmt: skip
def test_what_cannot_be_changed_is_said(text: str, words: str) -> None:
    with pytest.raises(ParamsError, match=words):
        edit.with_values(text, {"one.a": 1}, "here")


def test_an_empty_file_gets_its_first_section() -> None:
    assert edit.with_values("", {"a.b": 1}, "here") == "a:\n  b: 1\n"


def test_keys_are_quoted_and_a_long_list_has_a_line_for_each_item() -> None:
    labels = [f"a class with the number {number}" for number in range(9)]
    values = {"ingest.labels": labels, "ingest.sources": [{"names": {"no": "a", "1": "b"}}]}
    text = edit.with_values(SHORT, values, "here")
    assert "    - a class with the number 8\n" in text
    written = yaml.safe_load(text)["ingest"]
    assert written["labels"] == labels
    assert written["sources"] == [{"names": {"no": "a", "1": "b"}}]
