"""List of every key with default and unit or reason: docs/params.md, and `newsloop params`.

python -m components.core.params.documentation > docs/params.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from components.core.params import ENTITIES, Params, Settings, Source, effective, is_section
from components.core.params.sources import Pages

_REASONS = {"ingest.scrub.entities": ENTITIES}  # reasons for the keys inside a mapping
_ENTRIES: dict[str, type[Settings]] = {
    "An entry of `ingest.sources`": Source,
    "`pages` of such an entry": Pages,
}
_ONE_LINE = 1 << 20
_HEAD = """# Settings

`params.yaml` contains the settings that users change most. A key that is not in the file has its
default. `newsloop params` prints the values in effect in a project; `newsloop params --changed`
prints only those that differ from the defaults.

`python -m components.core.params.documentation > docs/params.md` writes this page from the classes
in `components/core/params/`; a test compares both.
"""


@dataclass(frozen=True)
class Row:
    """One key of params.yaml.

    Attributes:
        key: dotted path from the top of params.yaml.
        required: True for a key without a default.
        default: default value; None also for a required key.
        value: value in effect; the default if no project was given.
        reason: unit or reason.
        about: description of the mapping that contains the key; "" for a key outside a mapping.
    """

    key: str
    required: bool
    default: Any
    value: Any
    reason: str
    about: str = ""

    @property
    def changed(self) -> bool:
        """True for a value other than the default, and for a key without a default."""
        return self.required or self.value != self.default


def in_effect(params: Params) -> list[Row]:
    """Returns all keys of a project, in the order of the classes."""
    return list(rows(Params, effective.plain(params)))


def rows(model: type[Settings], values: Mapping[str, Any], prefix: str = "") -> Iterator[Row]:
    """Yields all keys below `model`; each key of a mapping, such as entities, is a row."""
    for attribute, field in model.model_fields.items():
        part = field.alias or attribute
        key, reason = f"{prefix}{part}", field.description or ""
        if is_section(field.annotation):
            yield from rows(field.annotation, values.get(part, {}), f"{key}.")
            continue
        default = _default(field)
        value = values.get(part, default)
        if isinstance(default, dict) and default:
            reasons = _REASONS.get(key, {})
            for name in {**default, **value}:
                yield Row(
                    f"{key}.{name}", False, default.get(name), value.get(name),
                    reasons.get(name, ""), reason,
                )  # fmt: skip
        else:
            yield Row(key, field.is_required(), default, value, reason)


def shown(value: Any) -> str:
    """Formats a value as one line of YAML.

    >>> shown([2, 3]), shown(None), shown(True), shown({"low": 0.1}), shown("0 3 * * 1")
    ('[2, 3]', 'null', 'true', '{low: 0.1}', '0 3 * * 1')
    """
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=_ONE_LINE, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def markdown() -> str:
    """Formats docs/params.md: a table for each section."""
    parts = [_HEAD]
    for title, section in groupby(rows(Params, {}), lambda row: row.key.rpartition(".")[0]):
        level = "###" if "." in title else "##"
        parts.append(_table(f"{level} `{title}`", section))
    parts += [_table(f"## {title}", rows(model, {})) for title, model in _ENTRIES.items()]
    return "\n".join(parts)


def _table(heading: str, section: Iterable[Row]) -> str:
    section = list(section)
    about = section[0].about
    lines = [heading, "", *([_cell(about), ""] if about else [])]
    lines += ["| key | default | unit or reason |", "| --- | --- | --- |"]
    for row in section:
        default = "required" if row.required else f"`{shown(row.default)}`"
        lines.append(f"| `{row.key.rpartition('.')[2]}` | {default} | {_cell(row.reason)} |")
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return None
    return _plain(field.get_default(call_default_factory=True))


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


if __name__ == "__main__":
    sys.stdout.write(markdown())
