"""The settings of an earlier release, read by newer code.

A scheduled run learns by the champion's settings, in whose place nobody may write. The code that
judges and releases is that of the checkout: it may know settings that are younger than the
champion, may know some no more, and may have other defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.core import params as parameters
from components.core import tables
from components.core.params import Params, Settings


def load(path: Path, newer: Path, resolved: Path | None = None) -> tuple[Params, list[str]]:
    """The settings at `path`, fitted to this code where they are of another release.

    A key that is missing is taken from `newer` if it stands there, else it has its default; one
    that is not known any more is left out. Entries of lists, such as sources, are never fitted.

    Args:
        path: the champion's params.yaml.
        newer: the checkout's; where it is the same file, nothing is fitted.
        resolved: all values of the champion, as its own stage `settings` wrote them: its defaults
            count, not those of this code. Releases before 0.3 have none: their params.yaml holds
            every key.

    Returns:
        The settings, and a line for each key that was fitted.

    Raises:
        ParamsError: as `params.load`, for what cannot be fitted.
    """
    if path == newer:  # a checkout itself, in which an unknown key is a mistake
        return parameters.load(path), []
    if resolved and resolved.is_file():
        values = tables.read_json(resolved)
    else:
        values = parameters.read(path)
    lines: list[str] = []
    if isinstance(values, dict):
        values, lines = _with_newer(values, parameters.read(newer), Params, path, newer)
    for key in _unknown(values):
        values = _without(values, key)
        lines.append(f"{'.'.join(key)} in {path} is not used any more")
    return parameters.parse(values, str(path)), lines


def _with_newer(
    values: Mapping[str, Any], others: Any, model: type[Settings], old: Path, new: Path,
    prefix: str = "",
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """`values`, and what `others` holds beside them, section by section."""
    found, lines = dict(values), []
    for name, field in model.model_fields.items():
        key = field.alias or name
        if not isinstance(others, dict) or key not in others:
            continue
        if key not in values:
            found[key] = others[key]
            lines.append(f"{prefix}{key} is not in {old}, it is taken from {new}")
        elif isinstance(values[key], dict) and parameters.is_section(field.annotation):
            found[key], inner = _with_newer(
                values[key], others[key], field.annotation, old, new, f"{prefix}{key}."
            )
            lines += inner
    return found, lines


def _unknown(values: Any) -> list[tuple[str, ...]]:
    """The keys that are not known any more, outside of lists."""
    try:
        Params.model_validate(values)
    except ValidationError as error:
        return [
            tuple(map(str, fault["loc"]))
            for fault in error.errors()
            if fault["type"] == "extra_forbidden"
            and not any(isinstance(part, int) for part in fault["loc"])
        ]
    return []


def _without(values: Any, key: tuple[str, ...]) -> Any:
    first, *rest = key
    if rest:
        return {**values, first: _without(values[first], tuple(rest))}
    return {name: value for name, value in values.items() if name != first}
