"""Behaviour tests of a model, independent of its accuracy (Ribeiro et al. 2020, CheckList).

    behaviour.yaml, 03_split/test -> `behaviour` in metrics.json, failed cases in the report

There are three kinds. Minimum functionality: texts that every model must classify correctly.
Direction: a sentence of a class increases the probability of that class. Invariance: a change
without meaning does not change the label.
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

_BEGINNING = (
    300  # characters before the sentence of a direction; in a longer text it would have no effect
)


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
        """Applies the change to `text`.

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


class Predictor(Protocol):
    """The part of components.core.bundle.Model that behaviour tests need."""

    @property
    def labels(self) -> list[str]: ...
    def predict(self, texts: Sequence[str]) -> Any: ...


def load(path: Path) -> Cases:
    """Reads the cases in the file at `path`; no cases if the file does not exist.

    Raises:
        ParamsError: no YAML, an unknown key, or a wrong type; the message names each key.
    """
    if not path.exists():
        return Cases()
    try:
        return Cases.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        raise ParamsError(
            f"Expected YAML in {path}, got: {' '.join(str(error).split())}. Correct that line."
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ParamsError(f"{path}: {faults}. Correct these cases and run again.") from error


def check(model: Predictor, cases: Cases, documents: pl.DataFrame, each: int) -> dict[str, Any]:
    """Tests all cases.

    Args:
        model: model under test.
        cases: test cases; cases with a class that the model does not have are left out.
        documents: the test side, with id, text and label.
        each: number of documents of a class for direction and invariance, the first ones by id.

    Returns:
        passed, of, value (passed / of, in [0, 1]), and cases: kind, name, passed and of for each
        case. Empty without cases.
    """
    sample = documents.sort("id").group_by("label", maintain_order=True).head(each)
    applicable = cases.model_copy(
        update={
            "minimum": [case for case in cases.minimum if case.label in model.labels],
            "direction": [case for case in cases.direction if case.label in model.labels],
        }
    )
    rows = [*_minimum(model, applicable), *_direction(model, applicable, sample)]
    rows += _invariance(model, applicable, sample)
    rows = [row for row in rows if row["of"]]
    if not rows:
        return {}
    passed, total = sum(row["passed"] for row in rows), sum(row["of"] for row in rows)
    return {"passed": passed, "of": total, "value": round(passed / total, 6), "cases": rows}


def _row(kind: str, name: str, hits: Sequence[bool]) -> dict[str, Any]:
    return {"kind": kind, "name": name, "passed": sum(hits), "of": len(hits)}


def _minimum(model: Predictor, cases: Cases) -> Iterator[dict[str, Any]]:
    labels = model.predict([case.text for case in cases.minimum]).labels
    for case, label in zip(cases.minimum, labels, strict=True):
        yield _row("minimum", case.text, [label == case.label])


def _direction(model: Predictor, cases: Cases, sample: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for case in cases.direction:
        others = sample.filter(pl.col("label") != case.label)["text"].to_list()
        column = model.labels.index(case.label)
        beginnings = [text[:_BEGINNING] for text in others]
        before = model.predict(beginnings).probabilities[:, column]
        after = model.predict([text + case.add for text in beginnings]).probabilities[:, column]
        yield _row("direction", f"{case.label}:{case.add}", (after > before).tolist())


def _invariance(model: Predictor, cases: Cases, sample: pl.DataFrame) -> Iterator[dict[str, Any]]:
    texts = sample["text"].to_list()
    before = model.predict(texts).labels
    for case in cases.invariance:
        # Texts that the change leaves as they are test nothing.
        changed = [(case.change(text), label) for text, label in zip(texts, before, strict=True)]
        changed_pairs = [pair for pair, text in zip(changed, texts, strict=True) if pair[0] != text]
        after = model.predict([text for text, _ in changed_pairs]).labels
        hits = [new == old for new, (_, old) in zip(after, changed_pairs, strict=True)]
        yield _row("invariance", case.name, hits)
