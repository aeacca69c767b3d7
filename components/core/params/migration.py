"""The settings of an earlier release, read by newer code.

A scheduled run learns by the champion's params.yaml, in whose place nobody may write. The code that
judges and releases is that of the checkout, and may ask for settings that are younger than the
champion, or know some no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.core import params as parameters
from components.core.params import Params

_NOTHING = object()


def load(path: Path, newer: Path) -> tuple[Params, list[str]]:
    """The settings at `path`, fitted to this code where they are of another release.

    A key that is missing is taken from `newer`; one that is not known any more is left out. Entries
    of lists, such as sources, are never fitted.

    Args:
        path: the champion's params.yaml.
        newer: the checkout's; where it is the same file, nothing is fitted.

    Returns:
        The settings, and a line for each key that was fitted.

    Raises:
        ParamsError: as `params.load`, for what cannot be fitted.
    """
    if path == newer:  # a checkout itself, in which an unknown key is a mistake
        return parameters.load(path), []
    values = parameters.read(path)
    try:
        return Params.model_validate(values), []
    except ValidationError as error:
        faults = [(fault["type"], fault["loc"]) for fault in error.errors()]
    others = parameters.read(newer)
    said = []
    for kind, place in faults:
        key = ".".join(map(str, place))
        found = _at(others, place)
        if kind == "missing" and found is not _NOTHING:
            values = _with(values, place, found)
            said.append(f"{key} is not in {path}, it is taken from {newer}")
        elif kind == "extra_forbidden" and not _in_list(place):
            values = _with(values, place, _NOTHING)
            said.append(f"{key} in {path} is not used any more")
    return parameters.parse(values, str(path)), said


def _at(values: Any, place: tuple[int | str, ...]) -> Any:
    for key in place:
        if not isinstance(values, dict) or key not in values:
            return _NOTHING
        values = values[key]
    return values


def _in_list(place: tuple[int | str, ...]) -> bool:
    return any(isinstance(key, int) for key in place)


def _with(values: Any, place: tuple[int | str, ...], value: Any) -> Any:
    """`values` with `value` at that place, or without the place."""
    key, *rest = place
    if rest:
        return {**values, key: _with(values[key], tuple(rest), value)}
    others = {name: one for name, one in values.items() if name != key}
    return others if value is _NOTHING else {**others, key: value}
