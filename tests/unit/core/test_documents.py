"""README and docs: links lead somewhere, and what is named as a file is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README_LINES = 120
EXAMPLES = {"components/sources/tabbed.py"}  # that docs/your-data.md shows how to write
GLOSSARY_LINES = 30
FOLDER_ENTRIES = 25
ROOMS = ("benchmarks", "components", "deploy", "docs", "flows", "monitoring", "serving", "tests")


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken_links(document: Path) -> list[str]:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = document if not name else (document.parent / name).resolve()
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def missing_files(document: Path) -> list[str]:
    """Files and folders named in code font, such as `flows/learning.py`, that are not there."""
    text = document.read_text(encoding="utf-8")
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w./-]+)`", text)
    return [
        name
        for name in named
        if not (ROOT / name).exists() and not re.search("NAME|GROUP", name) and name not in EXAMPLES
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    assert missing_files(document) == []


def test_a_broken_link_and_a_missing_file_are_found(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# A title\n[x](b.md) [y](#a-title) [z](#other) `flows/nowhere.py`\n")
    assert broken_links(document) == ["b.md", "#other"]
    assert missing_files(document) == ["flows/nowhere.py"]


def test_readme_and_glossary_are_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES
    assert len((ROOT / "docs" / "glossary.md").read_text().splitlines()) <= GLOSSARY_LINES


def crowded(names: list[str], most: int) -> list[str]:
    """The folders among `names`, paths of files, that hold more than `most` entries."""
    entries: dict[str, set[str]] = {}
    for name in names:
        parts = name.split("/")
        for i, part in enumerate(parts):
            entries.setdefault("/".join(parts[:i]), set()).add(part)
    return sorted(folder for folder, inside in entries.items() if len(inside) > most)


def test_no_folder_is_crowded() -> None:
    assert crowded(["a/b.py", "a/c/d.py", "a/c/e.py"], 1) == ["a", "a/c"]
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    code = [name for name in listed.stdout.splitlines() if name.startswith(ROOMS)]
    if not code:
        pytest.skip("this is no git checkout")
    assert crowded(code, FOLDER_ENTRIES) == []
