"""Behaviour tests: what a model must do whatever its accuracy is (Ribeiro et al. 2020, CheckList).

    behaviour.yaml, 03_split/test -> `behaviour` in metrics.json, failed cases in the report

Three kinds: minimum (texts that no model may get wrong), direction (a sentence of a class makes
that class more probable), invariance (a change that means nothing leaves the label as it was).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import polars as pl
import yaml
from pydantic import Field, ValidationError, field_validator

from components.core.errors import ParamsError
from components.core.params.base import Settings

_BEGINNING = 300  # characters before the sentence of a direction: it must be able to matter


class Minimum(Settings):
    label: str
    text: Annotated[str, Field(min_length=1)]


class Direction(Settings):
    label: str
    add: Annotated[str, Field(min_length=1)]


class Invariance(Settings):
    name: str
    case: Literal["upper", "lower"] | None = None
    replace: Annotated[dict[str, str], Field(default_factory=dict)]
    before: str = ""
    after: str = ""

    @field_validator("replace")
    @classmethod
    def readable(cls, patterns: dict[str, str]) -> dict[str, str]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return patterns

    def change(self, text: str) -> str:
        """`text` as the model must not mind it.

        >>> Invariance(name="x", case="upper", replace={"A": "b"}, before="1 ").change("cab")
        '1 CbB'
        """
        if self.case is not None:
            text = text.upper() if self.case == "upper" else text.lower()
        for pattern, other in self.replace.items():
            text = re.sub(pattern, other, text)
        return self.before + text + self.after


class Cases(Settings):
    """All of behaviour.yaml."""

    minimum: list[Minimum] = Field(default_factory=list)
    direction: list[Direction] = Field(default_factory=list)
    invariance: list[Invariance] = Field(default_factory=list)


class Predicts(Protocol):
    """What is asked of a model; components.core.bundle.Model answers it."""

    @property
    def labels(self) -> list[str]: ...
    def predict(self, texts: Sequence[str]) -> Any: ...


def load(path: Path) -> Cases:
    """The cases in the file at `path`; none where there is no such file.

    Raises:
        ParamsError: no YAML, an unknown key, a wrong type; the message names each key.
    """
    if not path.exists():
        return Cases()
    try:
        return Cases.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise ParamsError(
            f"Expected YAML in {path}, got: {' '.join(str(error).split())}. Mend that line."
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ParamsError(f"{path}: {faults}. Mend these cases and run again.") from error


def check(model: Predicts, cases: Cases, documents: pl.DataFrame, each: int) -> dict[str, Any]:
    """Asks all cases.

    Args:
        cases: those with a class that the model does not know are left out.
        documents: the test side, with id, text and label.
        each: documents of a class that changes are tried on, the first ones by id.

    Returns:
        passed, of, value (their quotient, in [0, 1]), and cases: for each its kind, name, passed
        and of. Empty where there is no case.
    """
    some = documents.sort("id").group_by("label", maintain_order=True).head(each)
    known = cases.model_copy(
        update={
            "minimum": [case for case in cases.minimum if case.label in model.labels],
            "direction": [case for case in cases.direction if case.label in model.labels],
        }
    )
    rows = [*_minimum(model, known), *_direction(model, known, some)]
    rows += _invariance(model, known, some)
    rows = [row for row in rows if row["of"]]
    if not rows:
        return {}
    passed, asked = sum(row["passed"] for row in rows), sum(row["of"] for row in rows)
    return {"passed": passed, "of": asked, "value": round(passed / asked, 6), "cases": rows}


def _row(kind: str, name: str, hits: Sequence[bool]) -> dict[str, Any]:
    return {"kind": kind, "name": name, "passed": sum(hits), "of": len(hits)}


def _minimum(model: Predicts, cases: Cases) -> Iterator[dict[str, Any]]:
    said = model.predict([case.text for case in cases.minimum]).labels
    for case, label in zip(cases.minimum, said, strict=True):
        yield _row("minimum", case.text, [label == case.label])


def _direction(model: Predicts, cases: Cases, some: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for case in cases.direction:
        others = some.filter(pl.col("label") != case.label)["text"].to_list()
        column = model.labels.index(case.label)
        begun = [text[:_BEGINNING] for text in others]
        before = model.predict(begun).probabilities[:, column]
        after = model.predict([text + case.add for text in begun]).probabilities[:, column]
        yield _row("direction", f"{case.label}:{case.add}", (after > before).tolist())


def _invariance(model: Predicts, cases: Cases, some: pl.DataFrame) -> Iterator[dict[str, Any]]:
    texts = some["text"].to_list()
    before = model.predict(texts).labels
    for case in cases.invariance:
        # A change that finds nothing to change asks nothing.
        changed = [(case.change(text), label) for text, label in zip(texts, before, strict=True)]
        asked = [pair for pair, text in zip(changed, texts, strict=True) if pair[0] != text]
        after = model.predict([text for text, _ in asked]).labels
        hits = [new == old for new, (_, old) in zip(after, asked, strict=True)]
        yield _row("invariance", case.name, hits)
