"""The common look of the pages: contrast of its colours, the header, escaping."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from components.core import pages
from components.core.pages import Heading
from components.core.paths import Paths

TEXT = ("ink", "faint", "blue", "orange", "alarm", "good", "warn")
GROUND = ("back", "card")
LEAST = 4.5  # contrast of text, WCAG 2.2, success criterion 1.4.3


def themes() -> dict[str, dict[str, str]]:
    """Theme -> name of a colour -> six hexadecimal digits."""
    blocks = re.findall(r":root \{([^}]*--ink[^}]*)\}", pages.style())
    colours = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks]
    assert len(colours) == 3
    return dict(zip(("light", "dark", "print"), colours, strict=True))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_can_be_read_on_every_ground(theme: str) -> None:
    colours = themes()[theme]
    for text, ground in product(TEXT, GROUND):
        dark, light = sorted((luminance(colours[text]), luminance(colours[ground])))
        assert (light + 0.05) / (dark + 0.05) >= LEAST, f"{text} on {ground}"


def test_a_header_names_project_version_and_time_and_links_home(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "<desk>", tmp_path / "home")
    page = paths.home / "reports" / "cards" / "v1.html"
    html = Heading.of(paths, page, "v1", datetime(2026, 1, 5, 3, tzinfo=UTC)).html()
    for part in ("project &lt;desk&gt;", "v1", "2026-01-05 03:00 UTC", 'href="../../home.html"'):
        assert part in html


def test_without_a_version_the_header_names_the_snapshot(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "home")
    paths.data.mkdir()
    paths.snapshot.write_text("{}")
    html = Heading.of(paths, paths.home_page, "", datetime.now(UTC)).html()
    assert "snapshot 44136fa355b3" in html


def test_a_copy_gets_the_header_that_its_original_lacks() -> None:
    plain = pages.render("components.package", "model_card.html.j2", Heading(), body="<b>")
    assert plain.count("</header>") == 1 and "&lt;b&gt;" in plain
    copy = pages.with_heading(plain, Heading("desk", home="../home.html"))
    assert copy.count("</header>") == 1
    assert "project desk" in copy and 'href="../home.html"' in copy
