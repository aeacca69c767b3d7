"""Records of annotation tools -> text and labels.

| tool | text | labels | no label |
| --- | --- | --- | --- |
| doccano | text | label or labels: a text, or a list of one; annotations[].label | empty list |
| Label Studio, JSON | data.TEXT | annotations[].result[].value.choices | was_cancelled |
| Label Studio, JSON_MIN | TEXT | the key of the question | - |
| Argilla | fields.TEXT | responses, or else suggestions, of the question | discarded |
| Argilla, flat | TEXT | LABEL.responses, or else LABEL.suggestion | - |
| Argilla 1 | text or inputs.TEXT | annotation | status Discarded |
| Prodigy | text | accept: a list of one; label | answer reject or ignore |

TEXT is the source's `text`; `label` names the question where there are several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from components.core.params import Source
from components.core.params.sources import label_text
from components.core.tables import text_hash
from components.sources.rows import RowError, read_name

_MIN_KEYS = frozenset({"annotation_id", "annotator", "lead_time"})  # of Label Studio's JSON_MIN
_RESPONSES = ".responses"  # ends the key of a question in a flat record of Argilla
_MIN_OTHERS = _MIN_KEYS | {"id", "created_at", "updated_at", "agreement"}


class Annotation(NamedTuple):
    """A record.

    Attributes:
        key: id, and a hash of the text, equal for records of one text; None without an id.
        text: raw.
        labels: one of each annotator who gave one.
    """

    key: tuple[str, str] | None
    text: str
    labels: tuple[str, ...]


class BadRecord(ValueError):
    """A record that cannot be read; the message repeats no value.

    Attributes:
        fields: where the text was looked for in vain: the names of the fields there.
        questions: names of several questions, of which `label` names none.
    """

    def __init__(
        self, message: str, fields: Iterable[str] = (), questions: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.fields, self.questions = tuple(fields), tuple(questions)


def annotation(row: Mapping[str, Any] | str, source: Source) -> Annotation:
    """Reads a record of any of the tools.

    Args:
        row: the record, or the reason why there is none.
        source: names the text and the question.

    Raises:
        BadRecord: no text, several labels of one annotator, or another form.
    """
    if isinstance(row, str):
        raise BadRecord(row)
    fields, labels = _form(row, source)
    text = _text(fields, source)
    try:
        name = read_name(row.get("id", row.get("_input_hash")), "id")
    except RowError:
        name = None  # of another type, such as the number pairs of some exports
    found = () if source.fixed_label is not None else tuple(labels)
    key = None if name is None else (name, text_hash(text))
    return Annotation(key, text, found)


def _form(row: Mapping[str, Any], source: Source) -> tuple[Mapping[str, Any], Iterable[str]]:
    """Returns the fields among which the text is, and the labels."""
    fields: Mapping[str, Any] = row
    labels: Iterable[str] = ()
    if isinstance(row.get("fields"), dict):
        fields, labels = row["fields"], _argilla(row, source)
    elif isinstance(row.get("data"), dict):
        fields, labels = row["data"], _label_studio(row, source)
    elif "answer" in row or "_input_hash" in row:
        labels = _prodigy(row, source)
    elif "annotation" in row:
        fields = row["inputs"] if isinstance(row.get("inputs"), dict) else row
        labels = _labels(row["annotation"]) if row.get("status") != "Discarded" else labels
    elif not _MIN_KEYS.isdisjoint(row):
        others = [key for key in row if key not in (*_MIN_OTHERS, *source.text_columns)]
        labels = _labels(row.get(_question(others, source)))
    elif any(key.endswith(_RESPONSES) for key in row):
        labels = _flat_argilla(row, source)
    elif isinstance(row.get("annotations"), list):
        labels = _votes(entry.get("label") for entry in _objects(row["annotations"]))
    else:
        labels = _labels(row.get(source.label, row.get("labels")))
    return fields, labels


def _flat_argilla(row: Mapping[str, Any], source: Source) -> Iterator[str]:
    questions = [key.removesuffix(_RESPONSES) for key in row if key.endswith(_RESPONSES)]
    question = _question(questions, source)
    responses = row.get(f"{question}{_RESPONSES}")
    if not responses:
        responses = [row.get(f"{question}.suggestion")]
    yield from _votes(responses if isinstance(responses, list) else [responses])


def _argilla(row: Mapping[str, Any], source: Source) -> Iterator[str]:
    if row.get("status") == "discarded":
        return
    responses, suggestions = row.get("responses"), row.get("suggestions")
    answers: dict[str, list[Any]] = {}
    if isinstance(responses, dict):
        for name, given in responses.items():
            entries = _objects(given)
            answers[name] = [e.get("value") for e in entries if e.get("status") != "discarded"]
    for response in _objects(responses):
        values = response.get("values")
        if isinstance(values, dict) and response.get("status") not in ("discarded", "draft"):
            for name, entry in values.items():
                value = entry.get("value") if isinstance(entry, dict) else entry
                answers.setdefault(name, []).append(value)
    guesses: dict[str, Any] = {}
    if isinstance(suggestions, dict):
        guesses = {
            name: entry.get("value") if isinstance(entry, dict) else entry
            for name, entry in suggestions.items()
        }
    for entry in _objects(suggestions):
        guesses[str(entry.get("question_name"))] = entry.get("value")
    question = _question([*answers, *(name for name in guesses if name not in answers)], source)
    if any(answers.get(question, ())):
        yield from _votes(answers[question])
    elif not _is_discarded(responses):
        yield from _labels(guesses.get(question))


def _is_discarded(responses: Any) -> bool:
    """Tests if annotators discarded the record."""
    if isinstance(responses, dict):
        responses = [entry for given in responses.values() for entry in _objects(given)]
    return any(entry.get("status") == "discarded" for entry in _objects(responses))


def _label_studio(row: Mapping[str, Any], source: Source) -> Iterator[str]:
    annotations = [
        entry
        for entry in _objects(row.get("annotations", row.get("completions")))
        if not entry.get("was_cancelled")
    ]
    chosen = [entry for entry in annotations if entry.get("ground_truth")] or annotations
    results = [
        [item for item in _objects(entry.get("result")) if _choices(item)] for entry in chosen
    ]
    names = dict.fromkeys(str(item.get("from_name")) for items in results for item in items)
    question = _question(list(names), source)
    for items in results:
        of_question = [item for item in items if str(item.get("from_name")) == question]
        yield from _labels([choice for item in of_question for choice in _choices(item)])


def _choices(item: Mapping[str, Any]) -> list[Any]:
    value = item.get("value")
    choices = value.get("choices") if isinstance(value, dict) else None
    return choices if isinstance(choices, list) else []


def _prodigy(row: Mapping[str, Any], source: Source) -> Iterator[str]:
    if row.get("answer", "accept") == "accept":
        yield from _labels(row["accept"] if "accept" in row else row.get(source.label))


def _votes(values: Iterable[Any]) -> Iterator[str]:
    """Yields the label of each annotator."""
    for value in values:
        yield from _labels(value)


def _labels(value: Any) -> Iterator[str]:
    """Yields the one label of an annotator, if there is one."""
    if isinstance(value, dict):
        value = value.get("choices", value.get("value"))
    if isinstance(value, list):
        if any(isinstance(entry, list | dict) for entry in value):
            raise BadRecord("the annotation marks spans of the text; a document needs a class")
        if len(value) > 1:
            raise BadRecord(
                f"the annotation has {len(value)} labels, a document has one: several labels for a "
                "document are not supported"
            )
        value = value[0] if value else None
    if isinstance(value, bool | float):
        value = label_text(value)
    try:
        label = read_name(value, "label")
    except RowError as error:
        raise BadRecord(str(error)) from None
    if label is not None and label.strip():
        yield label.strip()


def _question(names: list[str], source: Source) -> str:
    if source.label in names or not names:
        return source.label
    if len(names) > 1 and source.fixed_label is None:
        raise BadRecord("the record answers several questions", questions=names)
    return names[0]


def _text(fields: Mapping[str, Any], source: Source) -> str:
    texts = [fields.get(name) for name in source.text_columns]
    if not any(isinstance(text, str) for text in texts):
        names = " or ".join(repr(name) for name in source.text_columns)
        raise BadRecord(f"{names} must be a text", fields=fields)
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def _objects(value: Any) -> list[dict[str, Any]]:
    """Returns the objects of a list; of anything else none."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
