"""Migration of an earlier release's params.yaml to this code.

A scheduled run trains with the champion's settings, and the champion's clone is read-only. The
gate and the release run the checkout's code. That code may have new keys, may have dropped keys,
and may have other defaults.
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
    """Reads the settings at `path` and migrates those of another release.

    A missing key takes its value from `newer`, else its default; an unknown key is dropped.
    Entries of lists, such as sources, are not migrated.

    Args:
        path: the champion's params.yaml.
        newer: the checkout's params.yaml; if it is the same file, nothing is migrated.
        resolved: all values of the champion, written by its own stage `settings`, so that its
            defaults count, not those of this code. Releases before 0.3 have no such file: their
            params.yaml holds every key.

    Returns:
        The settings, and a line for each migrated key.

    Raises:
        ParamsError: as `params.load`, for faults that migration does not remove.
    """
    if path == newer:  # in the checkout itself an unknown key is a mistake
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
    """Adds the keys of `others` that `values` lacks, section by section; a line for each."""
    merged, lines = dict(values), []
    for name, field in model.model_fields.items():
        key = field.alias or name
        if not isinstance(others, dict) or key not in others:
            continue
        if key not in values:
            merged[key] = others[key]
            lines.append(f"{prefix}{key} is not in {old}, it is taken from {new}")
        elif isinstance(values[key], dict) and parameters.is_section(field.annotation):
            merged[key], inner = _with_newer(
                values[key], others[key], field.annotation, old, new, f"{prefix}{key}."
            )
            lines += inner
    return merged, lines


def _unknown(values: Any) -> list[tuple[str, ...]]:
    """Returns the unknown keys outside of lists."""
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
