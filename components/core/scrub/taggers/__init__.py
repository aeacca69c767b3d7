"""Taggers mark persons and addresses by language; names beside titles in all other languages.

`components/tagger/report_multilingual.json` has recall and precision by language.
"""

from __future__ import annotations

from pathlib import Path

from components.core.scrub.taggers import cnn

ENGLISH = "en"
# Languages of the multilingual tagger: those whose sentences it was trained with.
MULTILINGUAL = ("de", "es", "fr", "it", "nl", "pl", "pt")
FILES: tuple[Path, ...] = (cnn.WEIGHTS, cnn.MULTILINGUAL, cnn.LEXICON)


def load() -> dict[str, cnn.Tagger]:
    """Loads the tagger of each language that has one."""
    multilingual = cnn.Tagger(cnn.MULTILINGUAL, cnn.Lexicon.load())
    return {ENGLISH: cnn.Tagger(), **dict.fromkeys(MULTILINGUAL, multilingual)}
