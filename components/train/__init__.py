"""Trains the candidate that data/candidate.json names.

    03_split/train, validation -> data/04_trained/model/         model that takes raw text
                                  data/04_trained/training.json  facts about the training
                                  data/04_trained/live/          DVCLive: metrics of each epoch
    03_split/folds             -> data/04_trained/out_of_fold.parquet  with cross-validation only

The validation side selects the epoch; the test side is never read. Where the test side would be too
small, folds take the place of the sides; see cross_validation.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import folds
from components.core import bundle, tables
from components.core import target as targets
from components.core.bundle import novelty
from components.core.networks import assembly, presets, word_vectors
from components.core.params import Candidate, Params
from components.core.params.architectures import ReaderSettings
from components.core.params.architectures.pretrained import Pretrained
from components.core.params.fitting import Fitting
from components.core.paths import Paths
from components.core.progress import say
from components.core.runtime import imports
from components.core.target import calibration
from components.core.tokenizers import wordpiece
from components.core.tokenizers import words as word_tokenizer
from components.core.training import (
    batches,
    checkpoints,
    devices,
    energy,
    loop,
)
from components.core.training.batches import EncodedSplit
from components.core.training.checkpoints import Checkpoint
from components.core.training.loop import NullLogger
from components.train import cross_validation, ensemble, inference, linear_head

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

Chosen = Mapping[str, Mapping[str, float]]  # architecture -> epochs; or strength and scale


def embedding(words: Sequence[str], kind: str, seed: int) -> tuple[Array, float]:
    """Returns initial word vectors.

    Args:
        words: the vocabulary, most frequent first.
        kind: "glove" (Pennington, Socher and Manning 2014; 6B tokens, 50 dimensions) or "random".
        seed: of the vectors for words that GloVe lacks.

    Returns:
        The vectors (len(words) + 2, 50) float32, row 0 padding and row 1 unknown; and the share of
        the words that GloVe has, in [0, 1].

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
    known = [
        (i + word_tokenizer.FIRST_WORD, rows[word]) for i, word in enumerate(words) if word in rows
    ]
    if known:
        table_rows, glove_rows = (list(column) for column in zip(*known, strict=True))
        table[table_rows] = vectors[glove_rows]
    return table.astype(np.float32), len(known) / max(len(words), 1)


def principal_directions(features: Array, count: int) -> tuple[Array, Array]:
    """Computes the mean (F,) and the first `count` principal components of `features` (N, F).

    By singular value decomposition. Each direction is divided by its standard deviation. Its
    largest entry is positive, since the sign of a singular vector is arbitrary.

    Returns:
        Mean (F,), and directions (F, at most `count`).
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
    """Makes the encoder of raw strings to ids for the architecture of `settings`."""
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
    cache_folder: Path | None = None,
    chosen: Chosen | None = None,
) -> tuple[Any, Any, dict[str, Any]]:
    """Trains one candidate and selects the epoch, or C, with the lowest validation loss.

    Args:
        name: of the architecture, or "ensemble".
        params: all settings; `text`, `train`, `ingest.labels` and the target are read.
        train, validation: documents with text and label: a table, or a Parquet file, which is
            read block by block.
        live: a dvclive.Live, or another object with `log_metric` and `next_step`.
        checkpoint: see core/training/loop.py.
        cache_folder: folder of frozen models' features, see core/training/feature_cache.py; None
            caches nothing.
        chosen: for each architecture what the validation side would choose: epochs; or strength
            and scale. None: it chooses.

    Returns:
        The trained network, the encoder of its texts, and facts: chosen (as the argument), words,
        epochs (or values of C; `tried` names which), best_epoch, validation accuracy and loss,
        weights, device, share of the vocabulary in GloVe.
    """
    devices.keep_memory()
    where = devices.strategy(params.train.hardware)
    if name == "ensemble":
        trained = {
            member: fit(member, params, train, validation, live, checkpoint, cache_folder, chosen)
            for member in params.train.trained(name)
        }
        return ensemble.combine(trained, params, validation, cache_folder)
    settings, fitting_ = params.train.architecture(name), params.train.fitting
    target, classes = targets.of(params), len(params.ingest.labels)
    texts = (text for block in batches.blocks(train, fitting_.read_rows) for text in block["text"])
    unit = params.text.unit
    words = word_tokenizer.vocabulary(texts, params.text.vocabulary, params.text.min_count, unit)
    encoder = make_encoder(settings, words, unit)
    side, validation_side = (
        batches.encode(documents, encoder, target, fitting_.read_rows)
        for documents in (train, validation)
    )
    table, covered = embedding(words, params.train.embedding, params.train.seed)
    model = build(settings, table, classes, params, where)
    say(
        f"train: {name} on {devices.describe(where)}, {len(side)} documents, {len(words)} words "
        f"({covered:.0%} of them in GloVe), {model.count_params():,} weights"
    )
    if settings.has_closed_form:
        state = linear_head.fit(
            model, settings, side, validation_side, params, live, cache_folder,
            chosen[name] if chosen else None,
        )  # fmt: skip
    else:
        own = checkpoint.for_network(name) if checkpoint else None
        if chosen:
            epochs = round(chosen[name]["epochs"])
            fixed = params.train.model_copy(update={"epochs": epochs, "patience": epochs})
            params = params.model_copy(update={"train": fixed})
        neighbours = (
            None if isinstance(settings, Pretrained) else word_neighbours(words, table, fitting_)
        )
        state = train_network(
            model, settings, side, validation_side, neighbours, params, where, live, own
        )
    best = state.history[state.best - 1]
    facts = {
        "architecture": name,
        "chosen": {
            name: {key: best[key] for key in ("strength", "scale")}
            if settings.has_closed_form
            else {"epochs": state.best}
        },
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
        "validation_documents": len(validation_side),
    }
    if isinstance(settings, Pretrained):
        facts["pretrained"] = presets.fingerprint(settings)
    return serving_network(model, settings, table, classes, params), encoder, facts


def build(settings: Any, table: Array, classes: int, params: Params, where: Any) -> Any:
    """Builds the network in the scope of the strategy `where`, with the configured precision."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(devices.policy(params.train.fitting.precision))
    try:
        with where.scope():
            return assembly.build(settings, table, classes, params.train.seed)
    finally:
        keras.config.set_dtype_policy(before)


def train_network(
    model: Any, settings: Any, side: EncodedSplit, validation: EncodedSplit, near: Array | None,
    params: Params, where: Any, live: Any, checkpoint: Checkpoint | None,
) -> loop.State:  # fmt: skip
    """Trains `model` by gradient descent; see `loop.fit`, and `batches.BatchLoader` for `near`."""
    train, fitting_ = params.train, params.train.fitting
    feed = batches.BatchLoader(
        side,
        batches.weights(side.labels, len(params.ingest.labels), fitting_.class_weights),
        near,
        fitting_,
        settings.batch_size * fitting_.accumulate,
        where.num_replicas_in_sync * fitting_.accumulate,
        train.seed,
    )
    config = loop.TrainingConfig(
        fitting_, settings.learning_rate, train.label_smoothing, train.epochs, train.patience,
        targets.of(params),
    )  # fmt: skip
    return loop.fit(model, feed, validation, config, where, live, checkpoint)


def serving_network(model: Any, settings: Any, table: Array, classes: int, params: Params) -> Any:
    """Returns the same network in float32 on one device, so that a bundle runs on any hardware."""
    where = devices.strategy(params.train.hardware)
    if (
        where.num_replicas_in_sync == 1
        and devices.policy(params.train.fitting.precision) == "float32"
    ):
        return model
    plain = assembly.build(settings, table, classes, params.train.seed)
    plain.set_weights(model.get_weights())
    return plain


def word_neighbours(words: Sequence[str], table: Array, settings: Fitting) -> Array | None:
    """Returns the neighbours of each word, see `batches.neighbours`; None if none is exchanged.

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
    """Computes the checkpoint key over settings, data, code, libraries and devices."""
    folder = Path(__file__).parent
    code = sorted([*folder.rglob("*.py"), *(folder.parent / "core").rglob("*.py")])
    sides = [paths.split / f"{side}.parquet" for side in ("train", "validation")]
    parts = {
        "candidate": name,
        "text": params.text.model_dump(),
        "train": params.train.read_by(name),
        "labels": params.ingest.labels,
        "versions": imports.library_versions(),
        "device": devices.describe(where),
    }
    for settings in map(params.train.architecture, params.train.trained(name)):
        if isinstance(settings, Pretrained):
            parts["pretrained"] = presets.fingerprint(settings)
    return checkpoints.key(parts, [*sides, *code])


def training_outputs(
    name: Candidate, model: Any, encoder: Any, params: Params, train: Path, validation: Path,
    cache_folder: Path | None,
) -> tuple[inference.Outputs, inference.Outputs, Array]:  # fmt: skip
    """Computes what principal components, calibration and novelty of a trained network need.

    Returns:
        Outputs for the first `feature_documents` documents of the training side; for the
        validation side, with `words` and `unknown_share`; encoded labels of the validation side.
    """
    limit = params.train.fitting.feature_documents
    train_outputs, _ = inference.outputs(name, model, encoder, params, train, cache_folder, limit)
    validation_outputs, actual = inference.outputs(
        name, model, encoder, params, validation, cache_folder
    )
    counts = inference.counts(encoder, validation, params.train.fitting.read_rows)
    return train_outputs, validation_outputs | counts, actual


def fit_novelty(
    train: inference.Outputs, held_out: inference.Outputs, centre: Array, directions: Array,
    encoder: Any, temperature: float, params: Params,
) -> novelty.Novelty:  # fmt: skip
    """Fits the out-of-distribution score of a trained network; see core/bundle/novelty.py.

    Args:
        train, held_out: results of `training_outputs`.
        centre, directions: results of `principal_directions`.
        temperature: of the calibration.
    """
    probabilities = calibration.tempered(held_out[assembly.PROBABILITIES], temperature)
    train, held_out = (
        {**side, "features": (side[assembly.FEATURES] - centre) @ directions}
        for side in (train, held_out)
    )
    return novelty.fit(
        (train["features"], train[assembly.PROBABILITIES]),
        {**held_out, "probabilities": probabilities}, encoder.lengths[0],
        params.train.familiar_share,
    )  # fmt: skip


def run(params: Params, paths: Paths) -> None:
    """Runs the stage: trains the chosen candidate and writes its model."""
    imports.keras()  # the networks import Keras
    import tensorflow as tf
    from dvclive import Live

    # The same snapshot, params and machine give a byte-identical model.
    tf.config.experimental.enable_op_determinism()
    where = devices.strategy(params.train.hardware)
    name: Candidate = tables.read_json(paths.candidate)["architecture"]
    sides = paths.split / "train.parquet", paths.split / "validation.parquet"
    documents = folds.read(paths)
    if documents is not None:
        run_folds(name, params, paths, documents, devices.is_chief(where))
        return
    if not devices.is_chief(where):
        fit(name, params, *sides, NullLogger(), cache_folder=paths.vectors)
        say("train: done; the first worker writes the model")
        return
    checkpoint = None
    if devices.is_single_worker(where):
        key = checkpoint_key(name, params, paths, where)
        keep = params.train.fitting.keep_checkpoints
        checkpoint = Checkpoint(paths.checkpoints, key, keep)
    live = Live(str(paths.trained / "live"), save_dvc_exp=False, dvcyaml=None, report=None)
    with energy.measured(params.train.country_iso_code) as spent, live:
        model, encoder, facts = fit(name, params, *sides, live, checkpoint, paths.vectors)
    trained, held_out, actual = training_outputs(
        name, model, encoder, params, *sides, paths.vectors
    )
    projection = principal_directions(trained[assembly.FEATURES], params.train.feature_directions)
    calibrated, answered = targets.of(params).calibrate(
        held_out[assembly.PROBABILITIES], actual, params.train.answered_accuracy
    )
    facts |= {
        "temperature": calibrated.temperature,
        "abstain_below": calibrated.abstain_below,
        "validation_answered": round(answered, 6),
    }
    bundle.save_model(paths.trained / "model", model, encoder, *projection, calibrated)
    fitted = fit_novelty(trained, held_out, *projection, encoder, calibrated.temperature, params)
    novelty.save(fitted, paths.trained / "model")
    tables.write_json(facts, paths.trained / "training.json")
    energy.write(spent[0], paths.trained / "model", paths.home)
    if checkpoint:
        checkpoint.remove()
    say(
        f"train: best of {facts['epochs']} {facts['tried']}: number {facts['best_epoch']}, "
        f"validation accuracy {facts['validation_accuracy']:.4f}; temperature "
        f"{calibrated.temperature:.2f}, unsure below {calibrated.abstain_below:.2f} "
        f"({1 - answered:.1%} of the validation side); {spent[0]}"
    )


def run_folds(
    name: Candidate, params: Params, paths: Paths, documents: pl.DataFrame, is_chief: bool
) -> None:
    """Runs the stage with cross-validation; only the chief of several workers writes.

    Args:
        documents: content of folds.parquet.
    """
    from dvclive import Live

    if not is_chief:
        cross_validation.run(fit, name, params, documents, NullLogger(), paths.vectors)
        return
    live = Live(str(paths.trained / "live"), save_dvc_exp=False, dvcyaml=None, report=None)
    with energy.measured(params.train.country_iso_code) as spent, live:
        model, encoder, facts, outputs = cross_validation.run(
            fit, name, params, documents, live, paths.vectors
        )
    limit = params.train.fitting.feature_documents
    trained = inference.outputs(name, model, encoder, params, documents, paths.vectors, limit)[0]
    centre, directions = principal_directions(
        trained[assembly.FEATURES], params.train.feature_directions
    )
    directions = cross_validation.comparable(directions, name, params)
    calibrated, answered = cross_validation.calibrate(outputs, params)
    facts |= {
        "temperature": calibrated.temperature,
        "abstain_below": calibrated.abstain_below,
        "validation_answered": round(answered, 6),
    }
    bundle.save_model(paths.trained / "model", model, encoder, centre, directions, calibrated)
    fitted = fit_novelty(
        trained, outputs.as_outputs(), centre, directions, encoder, calibrated.temperature, params
    )
    novelty.save(fitted, paths.trained / "model")
    table = cross_validation.table(documents, outputs, centre, directions, fitted, params)
    tables.write_table(table, paths.trained / cross_validation.FILE)
    tables.write_json(facts, paths.trained / "training.json")
    energy.write(spent[0], paths.trained / "model", paths.home)
    say(
        f"train: {facts['folds']} folds, validation accuracy {facts['validation_accuracy']:.4f} on "
        f"average; then all {documents.height} documents; temperature "
        f"{calibrated.temperature:.2f}, unsure below {calibrated.abstain_below:.2f} "
        f"({1 - answered:.1%}); {spent[0]}"
    )
