"""Detects the language of a text, to choose the tagger that searches it.

A tagger that searches a language it does not know masks ordinary words: the English one masked 43 %
of the characters of German sentences without a name. Foreign names in an English text mislead a
detector, so the words that do not begin with a capital letter must confirm its answer. Where they
are too few, a language with a tagger is accepted: that tagger finds the names in English, too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection

from components.core import text_quality

# Commonest language of a script, by the first word of its letters' names in Unicode.
_SCRIPTS = {
    "ARABIC": "ar", "CJK": "zh", "CYRILLIC": "ru", "DEVANAGARI": "hi", "GREEK": "el",
    "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KATAKANA": "ja", "THAI": "th",
}  # fmt: skip
UNKNOWN = ""  # of texts that are too short, or that no language fits
_CHARACTERS = 20  # of a text, from which its language is detected
_SMALL_CHARACTERS = 15  # of the words that do not begin with a capital letter
_READ = 400  # characters that show the script of a text
_SCORE = 0.5  # confidence of the detector, 0 to 1, from which its answer counts


def detector(default: str, searched: Collection[str] = ()) -> Callable[[str], str]:
    """Makes a function that detects the language of a text: its ISO 639 code, or UNKNOWN.

    Args:
        default: language of the text unless both detections name another one.
        searched: languages with a tagger.
    """
    of_text = text_quality.language_of(_CHARACTERS, _SCORE)
    of_script = text_quality.language_of(1, 0.0)
    of_words = text_quality.language_of(_SMALL_CHARACTERS, _SCORE)

    known = {default, *searched}

    def language(text: str) -> str:
        code = of_text(text)
        if code == default:
            return code
        if code == text_quality.SHORT:
            return _of_script(text, of_script, known) if _is_foreign(text) else UNKNOWN
        confirmed = of_words(_small(text))
        if confirmed == text_quality.SHORT and code in searched:
            return code
        return code if confirmed not in (default, text_quality.SHORT) else UNKNOWN

    return language


def is_terse(text: str) -> bool:
    """Tests if a text has too few words in small letters to tell its language, as an address.

    >>> is_terse("Calle Mayor 12\\n28013 Madrid"), is_terse("Die Lieferung kam gestern nicht an.")
    (True, False)
    """
    return len(_small(text)) < _SMALL_CHARACTERS


def _of_script(text: str, detect: Callable[[str], str], known: Collection[str]) -> str:
    """Detects the language of a short text whose letters are not Latin.

    Args:
        text: with one letter at least.
        detect: detector of any text.
        known: languages with a tagger, all of them written in Latin letters.
    """
    code = detect(text)
    if code not in known:
        return code
    letter = next(c for c in text if c.isalpha() and _is_not_latin(c))
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0], UNKNOWN)


def _is_foreign(text: str) -> bool:
    """Tests if most letters are not Latin: a headline of a few signs has a language, too.

    >>> _is_foreign("株価が上がる"), _is_foreign("Цены 10%"), _is_foreign("Bahn"), _is_foreign("12")
    (True, True, False, False)
    """
    if text.isascii():
        return False
    letters = [character for character in text[:_READ] if character.isalpha()]
    return 2 * sum(map(_is_not_latin, letters)) > len(letters)


def _is_not_latin(character: str) -> bool:
    return "\u0250" <= character < "\u1e00" or character >= "\u1f00"


def _small(text: str) -> str:
    """Keeps the words that begin with neither a capital letter nor a digit.

    >>> _small("I met Angela Merkel in 2005.")
    'met in'
    """
    return " ".join(word for word in text.split() if not (word[0].isupper() or word[0].isdigit()))
