"""The look of newsloop's pages: one stylesheet, one layout, one header.

A page is one file without scripts and without external resources, light and dark, for a phone, a
screen and paper. A template of a page begins with `{% extends "layout.html.j2" %}` and fills the
blocks `title` and `body`; `style`, `head` and `after` (behind the body) are optional.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import tables
from components.core.paths import Paths

if TYPE_CHECKING:
    from markupsafe import Markup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HEADER = re.compile(r'<header class="site">.*?</header>', re.DOTALL)


@dataclass(frozen=True)
class Heading:
    """Content of a page's header; an empty part is left out.

    Attributes:
        project: name of the project, its folder's.
        version: the version or candidate that the page is about.
        time: when the page or its content was made. An output of DVC has none: equal inputs make
            equal bytes. `with_heading` completes a copy of it.
        home: address of the page that links all others, relative to this page.
    """

    project: str = ""
    version: str = ""
    time: datetime | None = None
    home: str = ""

    @classmethod
    def of(cls, paths: Paths, page: Path, version: str, time: datetime) -> Heading:
        """Makes the header of a page outside DVC that will be the file `page`.

        Without a `version` it names the snapshot of the documents.
        """
        home = os.path.relpath(paths.home_page, page.parent)
        if not version and paths.snapshot.exists():
            version = f"snapshot {tables.file_hash(paths.snapshot)[:12]}"
        return cls(paths.project, version, time, home)

    def html(self) -> str:
        """Renders the header."""
        time = f"{self.time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if self.time else ""
        project = f"project {self.project}" if self.project else ""
        parts = [f"<span>{escape(part)}</span>" for part in (project, self.version, time) if part]
        link = f'<a href="{escape(self.home)}">All pages</a>' if self.home else ""
        return f'<header class="site"><strong>newsloop</strong>{"".join(parts)}{link}</header>'


@cache
def style() -> str:
    """Reads the stylesheet."""
    return files(__name__).joinpath("style.css").read_text("utf-8")


def render(
    package: str,
    template: str,
    heading: Heading,
    filters: dict[str, Any] | None = None,
    policy: str = POLICY,
    **values: Any,
) -> str:
    """Renders the template of a package as a page in the common layout; escapes all values.

    Args:
        package: name of the package that holds the template.
        template: name of its file.
        heading: for the header.
        filters: of Jinja, by name.
        policy: Content-Security-Policy of the page.
        values: of the template.
    """
    from jinja2 import DictLoader, Environment, select_autoescape
    from markupsafe import Markup

    layout = files(__name__).joinpath("layout.html.j2").read_text("utf-8")
    environment = Environment(
        autoescape=select_autoescape(default=True), loader=DictLoader({"layout.html.j2": layout})
    )
    environment.filters |= {"code": code} | (filters or {})
    source = files(package).joinpath(template).read_text("utf-8")
    return environment.from_string(source).render(
        header=Markup(heading.html()),  # noqa: S704 - its parts are escaped
        style=Markup(style()),  # noqa: S704 - a file of this package
        policy=policy,
        **values,
    )


def code(text: str) -> Markup:
    """Formats what stands between backticks as code; escapes all.

    >>> code("`newsloop gate` shows <all>")
    Markup('<code>newsloop gate</code> shows &lt;all&gt;')
    """
    from markupsafe import Markup

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704


def with_heading(page: str, heading: Heading) -> str:
    """Replaces the header of a finished page."""
    return _HEADER.sub(lambda _: heading.html(), page, count=1)
