"""Recall and precision of persons by language, on sentences with marked persons.

    python benchmarks/privacy/persons.py SENTENCES.json.gz [--examples LANGUAGE]

SENTENCES.json.gz: {language: [{"words": [...], "tags": ["O", "B-PER", ...]}]}, as of the validation
side of WikiNEuRal. Its licence is not commercial: newsloop was not trained with it, and it is
no part of this repository.
The scrubber masks whole texts with default settings. Words: letters and digits between spaces and
marks. A span counts as found if all its words are masked. Precision is the share of masked words
that belong to a person; a title that is masked with its name counts as wrong. Writes
benchmarks/privacy/persons.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from components.core import params as parameters
from components.core.runtime.offline import stay_home
from components.core.scrub import PERSON, Scrubber

_BEFORE, _AFTER = "([{«„“", ".,;:!?)]}»”'’"  # marks without a space behind or before them


def joined(words: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of a sentence, and the characters of each word."""
    text, spans = "", []
    for word in words:
        if text and text[-1] not in _BEFORE and word not in _AFTER:
            text += " "
        spans.append((len(text), len(text) + len(word)))
        text += word
    return text, spans


def persons(tags: list[str]) -> list[list[int]]:
    """The words of each person."""
    spans: list[list[int]] = []
    for number, tag in enumerate(tags):
        if tag == "B-PER" or (tag == "I-PER" and not (number and tags[number - 1].endswith("PER"))):
            spans.append([number])
        elif tag == "I-PER":
            spans[-1].append(number)
    return spans


def measure(
    scrubber: Scrubber, sentences: list[dict[str, Any]], examples: bool
) -> dict[str, float]:
    """Recall of spans and words, precision of words, share of nobody's words that are masked."""
    texts = [joined(sentence["words"]) for sentence in sentences]
    found = hit = masked_words = person_words = other_words = spans = 0
    for sentence, (text, places), findings in zip(
        sentences, texts, scrubber.find_many([text for text, _ in texts]), strict=True
    ):
        marks = [(f.start, f.end) for f in findings if f.entity == PERSON]
        masked = [any(a < end and start < b for a, b in marks) for start, end in places]
        counted = [any(c.isalnum() for c in word) for word in sentence["words"]]
        gold = [tag.endswith("PER") for tag in sentence["tags"]]
        for is_word, is_masked, is_person in zip(counted, masked, gold, strict=True):
            person_words += is_word and is_person
            other_words += is_word and not is_person
            masked_words += is_word and is_masked
            hit += is_word and is_masked and is_person
        for span in persons(sentence["tags"]):
            spans += 1
            found += all(masked[i] for i in span if counted[i])
        if examples and masked != gold:
            print([text[a:b] for a, b in marks], "|", text)
    return {
        "spans": spans,
        "span_recall": round(found / spans, 3),
        "word_recall": round(hit / person_words, 3),
        "word_precision": round(hit / max(masked_words, 1), 3),
        "nobodys_words_masked": round((masked_words - hit) / other_words, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--examples", help="language whose errors are printed")
    chosen = parser.parse_args()
    stay_home()
    by_language = json.loads(gzip.decompress(chosen.sentences.read_bytes()))
    scrubber = Scrubber(parameters.Scrub())
    result = {
        language: measure(scrubber, sentences, language == chosen.examples)
        for language, sentences in sorted(by_language.items())
    }
    names = list(next(iter(result.values())))
    print(f"{'':<4}" + "".join(f"{name:>22}" for name in names))
    for language, scores in result.items():
        print(f"{language:<4}" + "".join(f"{scores[name]:>22}" for name in names))
    if not chosen.examples:
        Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
