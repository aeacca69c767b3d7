"""Edits keys of params.yaml; the rest of the file, with comments and order, stays unchanged."""

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

_NO_WRAP = 1 << 20  # columns of a line
_LINE = 90  # characters of a list on one line


def set_values(path: Path, values: Mapping[str, Any]) -> None:
    """Writes values into the file at `path`.

    Args:
        values: dotted key, such as train.candidates, -> value. A new key goes to the end of its
            section, a new section to the end of the file.

    Raises:
        ParamsError: the file is invalid YAML, or a section is no mapping.
    """
    text = path.read_text(encoding="utf-8")
    tables.write_text(with_values(text, values, str(path)), path)


def with_values(text: str, values: Mapping[str, Any], where: str) -> str:
    """Returns the text of params.yaml with `values`; `where` names the file in messages."""
    yaml = _round_trip()
    try:
        document = yaml.load(text)
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise ParamsError(f"Expected YAML in {where}, got: {problem}. Fix that line.") from error
    document = CommentedMap() if document is None else document
    for key, value in values.items():
        _set(document, key.split("."), value, f"{where} to hold sections down to {key}")
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _NO_WRAP
    yaml.indent(mapping=2, sequence=4, offset=2)
    # DVC and params.load read YAML 1.1, where an exponent needs a point in the mantissa.
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    yaml.representer.add_representer(
        float,
        lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", _number(number)),
    )
    return yaml


def _number(value: float) -> str:
    """Formats a number for YAML 1.1.

    >>> _number(1e-09), _number(0.5)
    ('1.0e-09', '0.5')
    """
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa}{'.0' if exponent and '.' not in mantissa else ''}{exponent}{power}"


def _quoted(value: str) -> str:
    """Quotes `value` if YAML 1.1 would not read it as this string: no, 12:30."""
    try:
        plain = pyyaml.safe_load(value) == value
    except pyyaml.YAMLError:
        plain = False
    return value if plain else DoubleQuotedScalarString(value)


def _set(document: Any, keys: list[str], value: Any, expected: str) -> None:
    section = document
    for i, name in enumerate(keys):
        if not isinstance(section, CommentedMap):
            raise ParamsError(f"Expected {expected}, got another layout. Write that key by hand.")
        if section.get(name) is None:  # nested at once: an empty section cannot carry comments
            for inner in reversed(keys[i + 1 :]):
                value = {inner: value}
            break
        if i + 1 < len(keys):
            section = section[name]
    _put(section, name, value)


def _put(section: CommentedMap, key: str, value: Any) -> None:
    """Sets one key. Comment lines after the old value stay where they are.

    ruamel.yaml attaches the lines between a value and the next key to the last leaf of the value.
    They would vanish with a replaced list, and precede a key that is added at the end.
    """
    before = (section, key) if key in section else (section, list(section)[-1]) if section else None
    lines = _cut_lines(*before) if before else ""
    section[key] = _styled(value)
    if lines:
        _append_lines(section, key, lines)


def _styled(value: Any) -> Any:
    """Styles scalars' lists as one line, lists of mappings as one line each, sections as blocks.

    A list of scalars that is longer than a line gets a line for each.
    """
    if isinstance(value, CommentedMap):
        return value
    if isinstance(value, Mapping):
        return CommentedMap(
            {
                _quoted(key) if isinstance(key, str) else key: _styled(inner)
                for key, inner in value.items()
            }
        )
    if isinstance(value, list):
        items = CommentedSeq([_styled(item) for item in value])
        for item in items:
            if isinstance(item, CommentedMap):
                item.fa.set_flow_style()
        if not any(isinstance(item, CommentedMap) for item in items) and (
            sum(len(str(item)) + len(", ") for item in items) <= _LINE
        ):
            items.fa.set_flow_style()
        return items
    return _quoted(value) if isinstance(value, str) else value


def _last_leaf(parent: Any, key: Any) -> tuple[Any, Any]:
    """Returns the collection and key to which ruamel.yaml attaches the comment after a value."""
    value = parent[key]
    while isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        parent = value
        key = list(value)[-1] if isinstance(value, CommentedMap) else len(value) - 1
        value = parent[key]
    return parent, key


def _slot(parent: Any) -> int:
    return 2 if isinstance(parent, CommentedMap) else 0


def _cut_lines(parent: Any, key: Any) -> str:
    """Removes and returns the lines after a value; the comment on the value's line stays."""
    parent, key = _last_leaf(parent, key)
    comments = parent.ca.items.get(key)
    token = comments[_slot(parent)] if comments else None
    if token is None:
        return ""
    own, _, lines = token.value.partition("\n")
    token.value = own + "\n"
    return str(lines)


def _append_lines(parent: Any, key: Any, lines: str) -> None:
    parent, key = _last_leaf(parent, key)
    comments = parent.ca.items.setdefault(key, [None, None, None, None])
    slot = _slot(parent)
    if comments[slot] is None:
        comments[slot] = CommentToken("\n", CommentMark(0), None)
    comments[slot].value += lines
