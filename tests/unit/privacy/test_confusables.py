"""Hidden characters are seen through, and every place is remembered."""

from __future__ import annotations

import pytest

from components.core.scrub.confusables import normalize


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("café – “naïve” £5", "café - “naïve” £5"),
        ("call ０７", "call 07"),
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("jоhn", "john"),  # a Cyrillic letter
        ("мама мыла раму", "мама мыла раму"),
        ("Ελένη", "Ελένη"),
        ("ﬁne", "fine"),
        ("٣4\u00a0५", "34 5"),
        ("e\u0301", "e\u0301"),
        ("", ""),
    ],
)
def test_what_is_seen(text: str, seen: str) -> None:
    assert normalize(text).text == seen


def test_spans_lie_in_the_original() -> None:
    text = "x ａ\u200bｂﬁ y"
    shown = normalize(text)
    assert shown.text == "x abfi y"
    assert shown.span(2, 4) == (2, 5)  # with the hidden character between them
    assert shown.span(4, 5) == (5, 6)  # half of the ligature is all of it
    assert normalize("ab").span(0, 1) == (0, 1)


def test_vowel_signs_belong_to_the_letter_before_them() -> None:
    """They have no character of their own in the normalized text."""
    normalized = normalize("कु ab")
    assert normalized.text == "क ab"
    assert normalized.span(0, 1) == (0, 2)
    assert normalized.span(2, 4) == (3, 5)
