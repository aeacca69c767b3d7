"""docs/your-data.md: its settings are settings, and its example of a new source works."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core import params
from components.core.errors import ParamsError
from components.core.params import Source
from components.core.paths import Paths
from components.sources import READERS, RawDocument, open_source

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
CLASSES = ["billing", "fault", "praise", "tech"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def settings(block: str) -> dict[str, Any]:
    """params.yaml with the sources of a block: a whole section, or a list of sources."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    found = yaml.safe_load(block)
    more = found["ingest"] if isinstance(found, dict) else {"sources": found, "labels": CLASSES}
    values["ingest"] |= more
    return values


@pytest.mark.parametrize("block", blocks("yaml"))
def test_each_example_of_settings_is_valid_and_its_kind_is_known(block: str) -> None:
    sources = params.parse(settings(block), "docs").ingest.sources
    assert sources and all(source.kind in READERS for source in sources)
    assert all(source.limits is not None for source in sources)


def test_every_kind_stands_in_the_table() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE))
    assert named == set(READERS)


@pytest.mark.parametrize(
    ("more", "ratio"),
    [("limits: {unpacked_ratio: 500}", 500), ("label_names: {Tech & Web: tech}", 200)],
)
def test_short_examples_are_valid(more: str, ratio: int) -> None:
    assert more in PAGE
    block = f"[{{name: s, kind: csv, path: p, {more}}}]"
    (source,) = params.parse(settings(block), "docs").ingest.sources
    assert source.limits is not None
    assert source.limits.unpacked_ratio == ratio and source.limits.pages > 0


def test_the_new_source_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    place: dict[str, Any] = {}
    exec(compile(code, "tabbed.py", "exec"), place)
    monkeypatch.setitem(READERS, "tabbed", place["TabbedReader"])
    lines = b"a\tone\nno tab\nb\ttwo\tparts\na\t\xff\n"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("x.tsv", lines)
    for name, content, prefix in (
        ("x.tsv", lines, ""),
        ("x.tsv.gz", gzip.compress(lines), ""),
        ("x.zip", packed.getvalue(), "x.tsv/"),
    ):
        (tmp_path / name).write_bytes(content)
        source = Source(name="s", kind="tabbed", path=name)
        opened = open_source(source, Paths(tmp_path, tmp_path / "home"))
        pin = opened.pin()
        assert list(opened.read(pin)) == [
            RawDocument(f"s/{prefix}1", "one", "a"),
            RawDocument(f"s/{prefix}2", "", fault="the line has no separator"),
            RawDocument(f"s/{prefix}3", "two\tparts", "b"),
            RawDocument(f"s/{prefix}4", "", fault="the line is not valid UTF-8"),
        ]
        assert pin["files"] == 1 and pin["bytes"] == len(content)
    (tmp_path / "x.tsv").write_bytes(b"a;one\n")
    source = Source(name="s", kind="tabbed", path="x.tsv", options={"separator": ";"})
    opened = open_source(source, Paths(tmp_path, tmp_path / "home"))
    assert list(opened.read(opened.pin())) == [RawDocument("s/1", "one", "a")]
    wrong = Source(name="s", kind="tabbed", path="x.tsv", options={"comma": ";"})
    with pytest.raises(ParamsError, match=r"ingest\.sources: s: options\.comma: Extra inputs"):
        open_source(wrong, Paths(tmp_path, tmp_path / "home"))
