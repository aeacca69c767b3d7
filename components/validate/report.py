"""Renders the Data Docs of Great Expectations as one page that loads nothing from other hosts.

The site that Great Expectations builds loads styles and scripts from seven hosts, and is hard to
read without them. So its renderer makes the content, and a template of newsloop the page around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.core import pages


def render(
    problems: Sequence[str],
    summary: Mapping[str, Any],
    results: Mapping[str, Any],
    heading: pages.Heading,
) -> str:
    """Renders the page as HTML.

    Args:
        problems: reasons to refuse the table; empty if it is accepted.
        summary: the content of validation.json; empty where no row was measured.
        results: title -> result of Great Expectations.
        heading: of the page.
    """
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaSectionView
    from markupsafe import Markup

    page, section_view = ValidationResultsPageRenderer(), DefaultJinjaSectionView()
    parts = []
    for title, result in results.items():
        # The first section holds run times and links to files that do not exist here.
        sections = page.render(result).to_json_dict()["sections"][1:]
        # The view escapes its input.
        content = Markup("").join(
            Markup(section_view.render({"section": section, "section_loop": {"index": 1}}))  # noqa: S704
            for section in sections
        )
        counts = result.statistics
        parts.append((title, content, counts["successful_expectations"], len(result.results)))
    template = "report.html.j2"
    return pages.render(
        __package__, template, heading, problems=problems, summary=summary, parts=parts
    )
