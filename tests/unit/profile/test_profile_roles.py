"""Roles of columns, on small tables of the shapes that people have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from components.profile.columns import flat, measure
from components.profile.names import Role
from components.profile.roles import choose

SUBJECTS = ("the parcel", "my invoice", "this app", "our router", "the new phone", "a refund")
VERBS = ("arrived late", "shows a wrong sum", "crashes at start", "drops calls", "is great")
PERSONS = ("Jane Roe", "Max Muster", "Ann Lee", "Tom Fox")
Row = dict[str, Any]


def text(i: int, words: int = 8) -> str:
    """A distinct sentence of about so many words."""
    start = f"{SUBJECTS[i % 6]} {VERBS[i // 6 % 5]} since day {i}"
    return " ".join([start, "and", "nobody", "answers", "here"][: max(1, words - 5)])


def table(row: Callable[[int], Row], rows: int = 60) -> list[Row]:
    return [flat(row(i)) for i in range(rows)]


def day(i: int) -> date:
    return date(2026, 1, 1) + timedelta(days=i)


def persons(values: Sequence[str]) -> list[bool]:
    return [value in PERSONS for value in values]


# name, row number -> row, expected columns of text, label, id, time, author, part
SHAPES: list[tuple[str, Callable[[int], Row], tuple[Any, ...]]] = [
    (
        "support tickets",
        lambda i: {
            "ticket_id": f"T-{1000 + i}", "created_at": f"{day(i)} 10:00:00",
            "customer": PERSONS[i % 4], "subject": f"problem with {SUBJECTS[i % 6]} {i}",
            "body": text(i, 9) * 3, "queue": ("billing", "fault", "praise")[i % 3],
            "language": ("en", "de")[i % 2],
        },
        (("subject", "body"), "queue", "ticket_id", "created_at", "customer", None),
    ),
    (
        "sms spam without a header",
        lambda i: {"column_1": ("ham", "spam")[i % 3 == 0], "column_2": text(i)},
        (("column_2",), "column_1", None, None, None, None),
    ),
    (
        "tweets of sentiment140 without a header",
        lambda i: {
            "column_1": ("0", "4")[i % 2], "column_2": str(1467810369 + 37 * i),
            "column_3": "Mon Apr 06 22:19:45 PDT 2009", "column_4": "NO_QUERY",
            "column_5": f"@user{i % 40}", "column_6": text(i),
        },
        (("column_6",), "column_1", "column_2", None, "column_5", None),
    ),
    (
        "AG News without a header",
        lambda i: {
            "column_1": str(i % 4 + 1), "column_2": f"news about {SUBJECTS[i % 6]} {i}",
            "column_3": text(i, 9) * 4,
        },
        (("column_2", "column_3"), "column_1", None, None, None, None),
    ),
    (
        "German yes and no",
        lambda i: {"Nr": str(i + 1), "Nachricht": text(i), "Erledigt": ("Ja", "Nein")[i % 2]},
        (("Nachricht",), "Erledigt", "Nr", None, None, None),
    ),
    (
        "Japanese headlines",
        lambda i: {"カテゴリ": ("経済", "スポーツ")[i % 2], "見出し": f"東京の天気は晴れ第{i}号"},
        (("見出し",), "カテゴリ", None, None, None, None),
    ),
    (
        "a title before a long text",
        lambda i: {"label": i % 2, "title": f"about {SUBJECTS[i % 6]} {i}", "text": text(i) * 5},
        (("title", "text"), "label", None, None, None, None),
    ),
    (
        "number and name of the class",
        lambda i: {"text": text(i), "label": i % 3, "label_text": ("joy", "anger", "fear")[i % 3]},
        (("text",), "label_text", None, None, None, None),
    ),
    (
        "doccano: lists of one label",
        lambda i: {"id": i, "text": text(i), "label": [("a", "b")[i % 2]], "Comments": []},
        (("text",), "label", "id", None, None, None),
    ),
    (
        "nested records",
        lambda i: {"data": {"text": text(i)}, "annotations": {"choice": "ab"[i % 2]}, "id": i},
        (("data.text",), "annotations.choice", "id", None, None, None),
    ),
    (
        "labels as floats",
        lambda i: {"review": text(i), "stars": float(i % 5 + 1)},
        (("review",), "stars", None, None, None, None),
    ),
    (
        "booleans",
        lambda i: {"comment": text(i), "toxic": i % 4 == 0, "likes": i * 7 % 31},
        (("comment",), "toxic", None, None, None, None),
    ),
    (
        "two long texts",
        lambda i: {"pros": text(i, 9) * 2, "cons": text(i + 7, 9) * 2, "rating": i % 5 + 1},
        (("pros", "cons"), "rating", None, None, None, None),
    ),
    (
        "a text and its cleaned copy",
        lambda i: {"text": text(i), "text_clean": text(i).lower(), "label": "ab"[i % 2]},
        (("text",), "label", None, None, None, None),
    ),
    (
        "an id that looks like text",
        lambda i: {
            "id": f"the-parcel-{'-'.join(text(i).split())}", "headline": text(i),
            "section": ("home", "world")[i % 2],
        },
        (("headline",), "section", "id", None, None, None),
    ),
    (
        "columns named id, time and author that are none",
        lambda i: {
            "id": i % 7, "time": f"{i % 5} hours ago", "author": f"Kettle {i % 9} Pro",
            "text": text(i), "label": "ab"[i % 2],
        },
        (("text",), "label", None, None, None, None),
    ),
    (
        "senders by address, an official split, a German date",
        lambda i: {
            "from": f"u{i % 20}@example.org", "datum": f"{i % 28 + 1:02}.03.2026",
            "split": ("train", "train", "TEST")[i % 3], "Betreff": f"Anfrage zu Rechnung {i}",
            "Text": text(i) * 3, "Abteilung": ("Technik", "Verkauf")[i % 2],
        },
        (("Betreff", "Text"), "Abteilung", None, "datum", "from", "split"),
    ),
    (
        "epoch seconds",
        lambda i: {"timestamp": 1700000000 + i // 2, "utterance": text(i), "intent": f"i{i % 6}"},
        (("utterance",), "intent", None, "timestamp", None, None),
    ),
    (
        "150 intents",
        lambda i: {"query": text(i), "intent": f"intent {i % 150}"},
        (("query",), "intent", None, None, None, None),
    ),
    (
        "dates in objects",
        lambda i: {
            "Datum": day(i), "Text": text(i), "Klasse": "xy"[i % 2], "Autor": PERSONS[i % 4],
        },
        (("Text",), "Klasse", None, "Datum", "Autor", None),
    ),
    (
        "only texts",
        lambda i: {"text": text(i)},
        (("text",), None, None, None, None, None),
    ),
    (
        "only labels",
        lambda i: {"label": ("ham", "spam")[i % 2]},
        ((), "label", None, None, None, None),
    ),
    (
        "one class",
        lambda i: {"text": text(i), "label": "a"},
        (("text",), None, None, None, None, None),
    ),
    (
        "numbers alone",
        lambda i: {"a": i * 3, "b": i / 7},
        ((), None, "a", None, None, None),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
def test_roles_of_a_shape(row: Callable[[int], Row], expected: tuple[Any, ...]) -> None:
    rows = table(row, 600 if "intent" in row(0) and len(row(0)) == 2 else 60)
    roles = choose(measure(rows, persons), rows)
    chosen = (roles.text, roles.label, roles.id, roles.time, roles.author, roles.part)
    assert chosen == expected
    assert roles.doubts == {}


def test_two_label_columns_are_a_doubt() -> None:
    rows = table(
        lambda i: {"q": text(i), "coarse_label": f"c{i % 3}", "fine_label": f"f{i % 20 // 2}"}
    )
    roles = choose(measure(rows), rows)
    assert roles.doubts == {Role.LABEL: ("coarse_label", "fine_label")}


def test_a_wish_wins_over_content() -> None:
    rows = table(
        lambda i: {"text": text(i), "other": text(i + 1), "label": "ab"[i % 2], "k": "cd"[i % 2]}
    )
    wished = {Role.TEXT: ["other"], Role.LABEL: ["k"], Role.ID: []}
    roles = choose(measure(rows), rows, wished)
    assert (roles.text, roles.label, roles.id) == (("other",), "k", None)
    assert roles.of("other") is Role.TEXT
    assert roles.of("text") is None


def test_lists_of_several_labels_are_counted() -> None:
    rows = table(lambda i: {"text": text(i), "tags": ["a", "b"] if i % 2 else ["a"]})
    column = next(column for column in measure(rows) if column.name == "tags")
    assert column.lists == 0.5
