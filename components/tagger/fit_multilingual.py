"""Trains the multilingual tagger: `dvc repro components/tagger/dvc.yaml:multilingual`.

    sentences/*.txt, word lists -> core/scrub/taggers/xx.npz        weights, float16, in git
                                   core/scrub/taggers/lexicon.npz   classes of words, in git
                                   tagger/report_multilingual.json  held-out lines

One line of sentences/ in eight is never trained on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from components.core.progress import say, track
from components.core.runtime.offline import stay_home
from components.core.scrub.taggers import cnn as tagger
from components.tagger import corpus, fit, multilingual

SEED = 28
TEXTS = 70_000
EPOCHS = 2
HIDDEN_WORDS = 0.5  # share of tokens that are trained without their word
HIDDEN_NAMES = 0.35  # share of names that the network does not see in its lexicon
SIZES = {
    "word": (tagger.WORDS, 16), "suffix": (tagger.SUFFIXES, 16), "prefix": (tagger.PREFIXES, 16),
    "shape": (tagger.SHAPES, 8), "lexicon": (tagger.CLASSES**2, 12),
}  # fmt: skip
THRESHOLD = 0.5
REPORT = Path(__file__).with_name("report_multilingual.json")


def scores(pieces: list[tuple[str, corpus.Piece]]) -> dict[str, dict[str, float]]:
    """Recall and precision of persons by language: characters of marks, as in fit.recall."""
    loaded = tagger.Tagger(tagger.MULTILINGUAL, tagger.Lexicon.load())
    hit, gold, predicted = Counter[str](), Counter[str](), Counter[str]()
    for language, (text, spans) in pieces:
        marked = {i for a, b, _ in spans for i in range(a, b) if text[i].isalnum()}
        marks = loaded.mark([text], THRESHOLD, language)[0]
        masked = {i for m in marks for i in range(m.start, m.end) if text[i].isalnum()}
        hit[language] += len(marked & masked)
        gold[language] += len(marked)
        predicted[language] += len(masked)
    return {
        language: {
            "recall": round(hit[language] / max(gold[language], 1), 4),
            "precision": round(hit[language] / max(predicted[language], 1), 4),
        }
        for language in multilingual.LANGUAGES
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    chosen = parser.parse_args()
    stay_home()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    say("tagger: making the lexicon")
    shipped = multilingual.lexicon(0)
    np.savez_compressed(
        tagger.LEXICON,
        vocabulary=np.frombuffer(shipped.vocabulary, np.uint8),
        names=np.frombuffer(shipped.names, np.uint8),
    )
    lines = {language: multilingual.lines(language) for language in multilingual.LANGUAGES}
    learned = {
        key: [s for i, s in enumerate(own) if i % fit.HELD_OUT] for key, own in lines.items()
    }
    held_out = {key: own[:: fit.HELD_OUT] for key, own in lines.items()}
    texts = multilingual.pieces(chosen.texts, learned, SEED)
    partial = multilingual.lexicon(HIDDEN_NAMES)
    features = {key: tagger.Features(partial, key) for key in multilingual.LANGUAGES}
    ids, kinds = fit.stream(
        track(texts, "tagger: sentences", chosen.texts), features, 1 + len(SIZES)
    )
    model = fit.train(ids, kinds, SIZES, chosen.epochs, HIDDEN_WORDS)
    fit.export(model, tagger.MULTILINGUAL, SIZES)
    result = scores(list(multilingual.pieces(2100, held_out, SEED + 1, salads=0.0)))
    say(f"tagger: held out: {result}")
    REPORT.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
