"""Changes keys of params.yaml and leaves the rest, comments and order included, as it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml as pyyaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from components.core import tables
from components.core.errors import ParamsError

_NEVER = 1 << 20  # columns: no line is broken


def set_values(path: Path, values: Mapping[str, Any]) -> None:
    """Writes values into the file at `path`.

    Args:
        values: key with dots, such as train.candidates, -> value. A key that is not in the file is
            added at the end of its section; a section that is not there, at the end of the file.

    Raises:
        ParamsError: the file is no YAML, or a section is no mapping.
    """
    text = path.read_text(encoding="utf-8")
    tables.write_text(with_values(text, values, str(path)), path)


def with_values(text: str, values: Mapping[str, Any], where: str) -> str:
    """The text of params.yaml with `values`; `where` names the file in messages."""
    yaml = _round_trip()
    try:
        document = yaml.load(text)
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise ParamsError(f"Expected YAML in {where}, got: {problem}. Mend that line.") from error
    document = CommentedMap() if document is None else document
    for key, value in values.items():
        _set(document, key.split("."), value, f"{where} to hold sections down to {key}")
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _NEVER
    yaml.indent(mapping=2, sequence=4, offset=2)
    # As YAML 1.1 reads them, which DVC and params.load do: an exponent needs a point before it.
    yaml.representer.add_representer(
        type(None), lambda shown, _: shown.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    yaml.representer.add_representer(
        float,
        lambda shown, number: shown.represent_scalar("tag:yaml.org,2002:float", _number(number)),
    )
    return yaml


def _number(value: float) -> str:
    """
    >>> _number(1e-09), _number(0.5)
    ('1.0e-09', '0.5')
    """
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa}{'.0' if exponent and '.' not in mantissa else ''}{exponent}{power}"


def _quoted(value: str) -> str:
    """`value`, in quotes where YAML 1.1 would read something else: no, 12:30."""
    try:
        plain = pyyaml.safe_load(value) == value
    except pyyaml.YAMLError:
        plain = False
    return value if plain else DoubleQuotedScalarString(value)


def _set(document: Any, keys: list[str], value: Any, expected: str) -> None:
    place = document
    for i, name in enumerate(keys):
        if not isinstance(place, CommentedMap):
            raise ParamsError(f"Expected {expected}, got another layout. Write that key by hand.")
        if place.get(name) is None:  # all at once: an empty section has no place for comments
            for inner in reversed(keys[i + 1 :]):
                value = {inner: value}
            break
        if i + 1 < len(keys):
            place = place[name]
    _put(place, name, value)


def _put(place: CommentedMap, key: str, value: Any) -> None:
    """Sets one key. Lines of comments that follow the old value stay where they are.

    ruamel.yaml hangs what follows a value, up to the next key, on the last leaf of that value: it
    would go with a list that is replaced, and stand before a key that is added at the end.
    """
    before = (place, key) if key in place else (place, list(place)[-1]) if place else None
    follows = _cut_lines(*before) if before else ""
    place[key] = _styled(value)
    if follows:
        _append_lines(place, key, follows)


def _styled(value: Any) -> Any:
    """A list of plain values in one line; a list of mappings one a line; sections as blocks."""
    if isinstance(value, CommentedMap):
        return value
    if isinstance(value, Mapping):
        return CommentedMap({key: _styled(one) for key, one in value.items()})
    if isinstance(value, list):
        listed = CommentedSeq([_styled(one) for one in value])
        for one in listed:
            if isinstance(one, CommentedMap):
                one.fa.set_flow_style()
        if not any(isinstance(one, CommentedMap) for one in listed):
            listed.fa.set_flow_style()
        return listed
    return _quoted(value) if isinstance(value, str) else value


def _last_leaf(place: Any, key: Any) -> tuple[Any, Any]:
    """The collection and key on which ruamel.yaml hangs the comment after a value."""
    value = place[key]
    while isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        place, key = value, (list(value)[-1] if isinstance(value, CommentedMap) else len(value) - 1)
        value = place[key]
    return place, key


def _slot(place: Any) -> int:
    return 2 if isinstance(place, CommentedMap) else 0


def _cut_lines(place: Any, key: Any) -> str:
    """Takes the lines that follow a value away; the comment in its own line stays."""
    place, key = _last_leaf(place, key)
    comments = place.ca.items.get(key)
    token = comments[_slot(place)] if comments else None
    if token is None:
        return ""
    own, _, lines = token.value.partition("\n")
    token.value = own + "\n"
    return str(lines)


def _append_lines(place: Any, key: Any, lines: str) -> None:
    place, key = _last_leaf(place, key)
    comments = place.ca.items.setdefault(key, [None, None, None, None])
    slot = _slot(place)
    if comments[slot] is None:
        comments[slot] = CommentToken("\n", CommentMark(0), None)
    comments[slot].value += lines
