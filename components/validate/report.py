"""Great Expectations' Data Docs on one page that needs no other host.

Its own site loads styles and scripts from seven foreign hosts, and reads badly without them. So its
renderer makes the content, and the shell around it is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any


def render(problems: Sequence[str], summary: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """The page.

    Args:
        problems: why the table was refused; empty if it was not.
        summary: as validation.json; empty where no row was looked at.
        results: title -> result of Great Expectations.
    """
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaSectionView
    from jinja2 import Environment, select_autoescape
    from markupsafe import Markup

    page, section_view = ValidationResultsPageRenderer(), DefaultJinjaSectionView()
    parts = []
    for title, result in results.items():
        # The first section tells of run times and of files that this page does not have.
        sections = page.render(result).to_json_dict()["sections"][1:]
        # Its view escapes what it is given.
        content = Markup("").join(
            Markup(section_view.render({"section": section, "section_loop": {"index": 1}}))  # noqa: S704
            for section in sections
        )
        counts = result.statistics
        parts.append((title, content, counts["successful_expectations"], len(result.results)))
    source = files("components.validate").joinpath("report.html.j2").read_text("utf-8")
    template = Environment(autoescape=select_autoescape(default=True)).from_string(source)
    return template.render(problems=problems, summary=summary, parts=parts)
