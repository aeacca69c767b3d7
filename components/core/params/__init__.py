"""params.yaml -> frozen typed settings. An unknown key or a wrong type is an error.

A key that is not in the file has its default; docs/params.md lists all keys.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeGuard

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from components.core.errors import ParamsError
from components.core.params.architectures import Candidate, Network
from components.core.params.architectures.bilstm import BiLstm
from components.core.params.architectures.textcnn import TextCnn
from components.core.params.base import Positive, Rate, Settings, Share
from components.core.params.data import ENTITIES, Ingest, Scrub, Split, Stream, Validate
from components.core.params.evaluate import Evaluate
from components.core.params.gate import Gate, Release
from components.core.params.monitoring import Alerts, Governor, Monitor
from components.core.params.operation import Flow, Privacy
from components.core.params.serving import Challenger, Serve
from components.core.params.sources import Limits, Source
from components.core.params.text import Text
from components.core.params.train import Train
from components.core.params.tune import Tune

# Names that other packages import from this package, though its modules define them.
__all__ = [
    "ENTITIES", "Alerts", "BiLstm", "Candidate", "Challenger", "Evaluate", "Flow", "Gate",
    "Governor", "Ingest", "Limits", "Monitor", "Network", "Params", "Positive", "Privacy", "Rate",
    "Release", "Scrub", "Serve", "Settings", "Share", "Source", "Split", "Stream", "Text",
    "TextCnn", "Train", "Tune", "Validate", "load", "parse", "read",
]  # fmt: skip


class Params(Settings):
    """All of params.yaml; one attribute a section, one section a stage or part."""

    ingest: Ingest
    validate_: Annotated[Validate, Field(alias="validate")] = Validate()
    split: Split = Split()
    text: Text = Text()
    train: Train = Train()
    tune: Tune = Tune()
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
    release: Release = Release()
    serve: Serve = Serve()
    monitor: Monitor = Monitor()
    governor: Governor = Governor()
    alerts: Alerts = Alerts()
    privacy: Privacy = Privacy()
    flow: Flow = Flow()

    @model_validator(mode="before")
    @classmethod
    def without_empty_sections(cls, values: Any) -> Any:
        """Gives a section without keys, or with keys in comments only, its defaults."""
        if not isinstance(values, dict):
            return values
        return {name: {} if section is None else section for name, section in values.items()}


class _UniqueKeyLoader(yaml.SafeLoader):
    """Raises on a repeated key. Plain YAML takes the last value without a warning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {', '.join(repeated)} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def load(path: Path) -> Params:
    """Reads and checks the settings in the file at `path`.

    Raises:
        ParamsError: missing file, invalid YAML, an unknown key, a wrong type or a value out of
            range; the message names each key.
    """
    return parse(read(path), str(path))


def read(path: Path) -> Any:
    """Reads the file at `path` without checking its values.

    Raises:
        ParamsError: missing file, or invalid YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506 - is safe
    except OSError as error:
        raise ParamsError(f"Expected the settings in {path}, got: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(
            f"Expected YAML in {path}, got: {' '.join(str(error).split())}. Fix that line."
        ) from error


def parse(values: object, where: str) -> Params:
    """Makes settings from plain values; `where` names their origin in messages.

    Raises:
        ParamsError: as `load`.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_describe(fault) for fault in error.errors())
        raise ParamsError(f"{where}: {faults}. Fix these keys and run again.") from error


def _describe(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        near = nearest(key)
        return f"{key} is an unknown key" + (f", the nearest is {near}" if near else "")
    if fault["type"] == "missing":
        return f"{key} is missing"
    shown = _shown(fault["input"])
    return f"{key}: {fault['msg']}, got {shown if len(shown) < 60 else shown[:57] + '...'}"  # noqa: PLR2004


def _shown(value: Any) -> str:
    """Formats a wrong value for a message: a text in quotes, other values as YAML has them."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    try:
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    except yaml.YAMLError:
        return f"a value of type {type(value).__name__}"
    return text.removesuffix("\n").removesuffix("\n...")


def nearest(key: str) -> str | None:
    """Returns the known key most like `key`: in its section, or with its name elsewhere.

    >>> nearest("train.epoch"), nearest("train.crop"), nearest("trains"), nearest("train.xyz")
    ('train.epochs', 'train.fitting.crop', 'train', None)
    """
    section, _, name = key.rpartition(".")
    known = list(keys())
    siblings = {
        last: candidate
        for candidate in known
        for parent, _, last in [candidate.rpartition(".")]
        if parent == section
    }
    if matches := difflib.get_close_matches(name, siblings, n=1):
        return siblings[matches[0]]
    elsewhere = [candidate for candidate in known if candidate.rpartition(".")[2] == name]
    return next(iter(difflib.get_close_matches(key, elsewhere, n=1, cutoff=0)), None)


def keys(model: type[Settings] = Params, prefix: str = "") -> Iterator[str]:
    """Yields all dotted keys, sections included, in the order of the classes."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key
        if is_section(field.annotation):
            yield from keys(field.annotation, f"{key}.")


def is_section(annotation: Any) -> TypeGuard[type[Settings]]:
    """Returns True for a field that is a section with keys."""
    return isinstance(annotation, type) and issubclass(annotation, Settings)
