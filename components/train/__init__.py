"""Trains the candidate that is chosen in data/candidate.json.

    03_split/train, validation -> data/04_trained/model/         SavedModel: raw text in
                                  data/04_trained/training.json  what was trained, how it went
                                  data/04_trained/live/          DVCLive: each epoch

Validation data choose the epoch; the test side is never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core import bundle, tables
from components.core import target as targets
from components.core.networks import assembly, presets, word_vectors
from components.core.params import Candidate, Params
from components.core.params.architectures import ReaderSettings
from components.core.params.architectures.pretrained import Pretrained
from components.core.params.fitting import Fitting
from components.core.paths import Paths
from components.core.progress import say
from components.core.runtime import imports
from components.core.tokenizers import wordpiece
from components.core.tokenizers import words as word_tokenizer
from components.core.training import (
    batches,
    checkpoints,
    devices,
    energy,
    loop,
)
from components.core.training.batches import Side
from components.core.training.checkpoints import Checkpoint
from components.train import ensemble, inference, linear_head

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]


def embedding(words: Sequence[str], kind: str, seed: int) -> tuple[Array, float]:
    """First values of the word vectors.

    Args:
        words: the vocabulary, the commonest first.
        kind: "glove" (Pennington, Socher and Manning 2014; 6B tokens, 50 dimensions) or "random".
        seed: of the vectors that GloVe lacks.

    Returns:
        ((len(words) + 2, 50) float32 with row 0 padding and row 1 unknown, share of the words
        that GloVe knows).

    Raises:
        DataError: the package with GloVe is not installed.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    table = generator.normal(0, 0.1, (len(words) + word_tokenizer.FIRST_WORD, word_vectors.SIZE))
    table[word_tokenizer.PAD] = 0
    if kind == "random":
        return table.astype(np.float32), 0.0
    rows, vectors = word_vectors.rows(), word_vectors.vectors()
    found = [
        (i + word_tokenizer.FIRST_WORD, rows[word]) for i, word in enumerate(words) if word in rows
    ]
    if found:
        ours, theirs = (list(column) for column in zip(*found, strict=True))
        table[ours] = vectors[theirs]
    return table.astype(np.float32), len(found) / max(len(words), 1)


def principal_directions(features: Array, count: int) -> tuple[Array, Array]:
    """Mean (F,) and the `count` directions (F, count) along which `features` (N, F) vary most.

    Principal components by singular value decomposition; each direction is divided by its standard
    deviation, and its largest entry is positive, so that the same features give the same signs.
    """
    import numpy as np

    centre = features.mean(axis=0)
    _, scales, rows = np.linalg.svd(features - centre, full_matrices=False)
    count = min(count, len(scales))
    directions = rows[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(count), largest])[:, None]
    spread = scales[:count] / np.sqrt(max(len(features) - 1, 1))
    return centre, (directions / np.maximum(spread, 1e-6)[:, None]).T


def make_encoder(settings: ReaderSettings, words: Sequence[str], unit: word_tokenizer.Unit) -> Any:
    """What turns raw strings into the ids that the architecture of `settings` reads."""
    if isinstance(settings, Pretrained):
        return wordpiece.make_encoder(settings, words, unit)
    return word_tokenizer.make_encoder(words, settings.words, unit)


def fit(
    name: Candidate,
    params: Params,
    train: pl.DataFrame | Path,
    validation: pl.DataFrame | Path,
    live: Any,
    checkpoint: Checkpoint | None = None,
    kept: Path | None = None,
) -> tuple[Any, Any, dict[str, Any]]:
    """Trains one candidate; the epoch, or the strength, with the least validation loss is kept.

    Args:
        name: of the architecture.
        params: all settings; `text` and `train` are read.
        train, validation: documents with text and label: a table, or a Parquet file, which is
            read block by block.
        live: a dvclive.Live, or anything with `log_metric` and `next_step`.
        checkpoint: see core/training/loop.py.
        kept: folder of what frozen models saw, see training/feature_cache.py; None keeps nothing.

    Returns:
        The trained network, the encoder of its texts, and facts: words, epochs (or strengths, as
        `tried` says), best_epoch, validation accuracy and loss, weights, device, share of the
        vocabulary in GloVe.
    """
    devices.keep_memory()
    where = devices.strategy(params.train.hardware)
    if name == "ensemble":
        found = {
            one: fit(one, params, train, validation, live, checkpoint, kept)
            for one in params.train.trained(name)
        }
        return ensemble.combine(found, params, validation, kept)
    settings, fitting_ = params.train.architecture(name), params.train.fitting
    target, classes = targets.of(params), len(params.ingest.labels)
    learned = (one for block in batches.blocks(train, fitting_.read_rows) for one in block["text"])
    unit = params.text.unit
    words = word_tokenizer.vocabulary(learned, params.text.vocabulary, params.text.min_count, unit)
    encoder = make_encoder(settings, words, unit)
    side, held = (
        batches.encode(one, encoder, target, fitting_.read_rows) for one in (train, validation)
    )
    table, covered = embedding(words, params.train.embedding, params.train.seed)
    model = build(settings, table, classes, params, where)
    say(
        f"train: {name} on {devices.describe(where)}, {len(side)} documents, {len(words)} words "
        f"({covered:.0%} of them in GloVe), {model.count_params():,} weights"
    )
    if settings.has_closed_form:
        state = linear_head.fit(model, settings, side, held, params, live, kept)
    else:
        own = checkpoint.of(name) if checkpoint else None
        near_ = None if isinstance(settings, Pretrained) else near(words, table, fitting_)
        state = learn(model, settings, side, held, near_, params, where, live, own)
    best = state.history[state.best - 1]
    facts = {
        "architecture": name,
        "device": devices.describe(where).split(" (", maxsplit=1)[0],
        "words": len(words),
        "words_in_glove": round(covered, 4),
        "weights": int(model.count_params()),
        "tried": "strengths" if settings.has_closed_form else "epochs",
        "epochs": state.epochs,
        "best_epoch": state.best,
        "validation_accuracy": round(best["validation/accuracy"], 6),
        "validation_loss": round(best["validation/loss"], 6),
        "train_documents": len(side),
        "validation_documents": len(held),
    }
    if isinstance(settings, Pretrained):
        facts["pretrained"] = presets.fingerprint(settings)
    return served(model, settings, table, classes, params), encoder, facts


def build(settings: Any, table: Array, classes: int, params: Params, where: Any) -> Any:
    """The network, with its variables where `where` wants them, computing as precisely as asked."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(devices.policy(params.train.fitting.precision))
    try:
        with where.scope():
            return assembly.build(settings, table, classes, params.train.seed)
    finally:
        keras.config.set_dtype_policy(before)


def learn(
    model: Any, settings: Any, side: Side, held: Side, near: Array | None, params: Params,
    where: Any, live: Any, checkpoint: Checkpoint | None,
) -> loop.State:  # fmt: skip
    """Fits `model` step by step; see `fitting.fit`, and `feeding.Feed` for `near`."""
    train, fitting_ = params.train, params.train.fitting
    feed = batches.Feed(
        side,
        batches.weights(side.labels, len(params.ingest.labels), fitting_.class_weights),
        near,
        fitting_,
        settings.batch_size * fitting_.accumulate,
        where.num_replicas_in_sync * fitting_.accumulate,
        train.seed,
    )
    recipe = loop.Recipe(
        fitting_, settings.learning_rate, train.label_smoothing, train.epochs, train.patience,
        targets.of(params),
    )  # fmt: skip
    return loop.fit(model, feed, held, recipe, where, live, checkpoint)


def served(model: Any, settings: Any, table: Array, classes: int, params: Params) -> Any:
    """The same network in float32 and on one device: what is saved knows no training hardware."""
    where = devices.strategy(params.train.hardware)
    if (
        where.num_replicas_in_sync == 1
        and devices.policy(params.train.fitting.precision) == "float32"
    ):
        return model
    plain = assembly.build(settings, table, classes, params.train.seed)
    plain.set_weights(model.get_weights())
    return plain


def near(words: Sequence[str], table: Array, settings: Fitting) -> Array | None:
    """See `feeding.neighbours`; None where no word is exchanged.

    Raises:
        DataError: the package with GloVe is not installed.
    """
    import numpy as np

    if not settings.neighbours:
        return None
    rows = word_vectors.rows()
    known = np.array([False] * word_tokenizer.FIRST_WORD + [word in rows for word in words])
    return batches.neighbours(table, known, settings.neighbour_count)


def checkpoint_key(name: Candidate, params: Params, paths: Paths, where: Any) -> str:
    """Of all that this training depends on: recipe, data, code, libraries, devices."""
    here = Path(__file__).parent
    code = sorted([*here.rglob("*.py"), *(here.parent / "core").rglob("*.py")])
    sides = [paths.split / f"{side}.parquet" for side in ("train", "validation")]
    parts = {
        "candidate": name,
        "text": params.text.model_dump(),
        "train": params.train.read_by(name),
        "labels": params.ingest.labels,
        "versions": {one: version(one) for one in ("keras", "numpy", "tensorflow")},
        "device": devices.describe(where),
    }
    for one in map(params.train.architecture, params.train.trained(name)):
        if isinstance(one, Pretrained):
            parts["pretrained"] = presets.fingerprint(one)
    return checkpoints.key(parts, [*sides, *code])


def look_back(
    name: Candidate, model: Any, encoder: Any, params: Params, train: Path, validation: Path,
    kept: Path | None,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """What a trained network makes of documents.

    Returns:
        Features (N, F) of the first `feature_documents` of the training side; probabilities
        (N, C) of the validation side, and its labels, encoded.
    """
    most = params.train.fitting.feature_documents
    seen, _ = inference.outputs(name, model, encoder, params, train, kept, most)
    held, actual = inference.outputs(name, model, encoder, params, validation, kept)
    return seen[assembly.FEATURES], held[assembly.PROBABILITIES], actual


def run(params: Params, paths: Paths) -> None:
    """The stage: trains the chosen candidate and writes its model."""
    imports.keras()  # the networks import it
    import tensorflow as tf
    from dvclive import Live

    # The same snapshot, params and machine give the same bytes.
    tf.config.experimental.enable_op_determinism()
    where = devices.strategy(params.train.hardware)
    name: Candidate = tables.read_json(paths.candidate)["architecture"]
    sides = paths.split / "train.parquet", paths.split / "validation.parquet"
    if not devices.is_chief(where):
        fit(name, params, *sides, Unheard(), kept=paths.vectors)
        say("train: done; the first worker writes the model")
        return
    checkpoint = None
    if devices.alone(where):
        key = checkpoint_key(name, params, paths, where)
        keep = params.train.fitting.keep_checkpoints
        checkpoint = Checkpoint(paths.checkpoints, key, keep)
    live = Live(str(paths.trained / "live"), save_dvc_exp=False, dvcyaml=None, report=None)
    with energy.measured(params.train.country_iso_code) as spent, live:
        model, encoder, facts = fit(name, params, *sides, live, checkpoint, paths.vectors)
    features, said, actual = look_back(name, model, encoder, params, *sides, paths.vectors)
    centre, directions = principal_directions(features, params.train.feature_directions)
    settled, answered = targets.of(params).calibrate(said, actual, params.train.answered_accuracy)
    facts |= {
        "temperature": settled.temperature,
        "abstain_below": settled.abstain_below,
        "validation_answered": round(answered, 6),
    }
    bundle.save_model(paths.trained / "model", model, encoder, centre, directions, settled)
    tables.write_json(facts, paths.trained / "training.json")
    energy.keep(spent[0], paths.trained / "model", paths.home)
    if checkpoint:
        checkpoint.remove()
    say(
        f"train: best of {facts['epochs']} {facts['tried']}: number {facts['best_epoch']}, "
        f"validation accuracy {facts['validation_accuracy']:.4f}; temperature "
        f"{settled.temperature:.2f}, unsure below {settled.abstain_below:.2f} "
        f"({1 - answered:.1%} of the validation side); {spent[0]}"
    )


class Unheard:
    """Stands where DVCLive stands in a worker that is not the first."""

    def log_metric(self, name: str, value: float) -> None: ...

    def next_step(self) -> None: ...
