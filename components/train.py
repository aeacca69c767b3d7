"""Trains the candidate that is chosen in data/candidate.json.

    03_split/train, validation -> data/04_trained/model/         SavedModel: raw text in
                                  data/04_trained/training.json  what was trained, how it went
                                  data/04_trained/live/          DVCLive: each epoch

Validation data choose the epoch; the test side is never read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from components import train_ensemble
from components.core import (
    bundle,
    calibration,
    energy,
    glove,
    network,
    presets,
    stage,
    tables,
    text,
    wordpiece,
)
from components.core.architecture_settings import Network, Pretrained
from components.core.calibration import Calibration
from components.core.params import Candidate, Params
from components.core.paths import Paths
from components.core.progress import say

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
    table = generator.normal(0, 0.1, (len(words) + text.FIRST_WORD, glove.SIZE))
    table[text.PAD] = 0
    if kind == "random":
        return table.astype(np.float32), 0.0
    rows, vectors = glove.rows(), glove.vectors()
    found = [(i + text.FIRST_WORD, rows[word]) for i, word in enumerate(words) if word in rows]
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


def one_hot(labels: Sequence[str], classes: Sequence[str]) -> Array:
    """(N, C) float32."""
    import numpy as np

    position = {name: i for i, name in enumerate(classes)}
    return np.eye(len(classes), dtype=np.float32)[[position[label] for label in labels]]


def device() -> str:
    """The device that training will use, as TensorFlow names it."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"GPU ({details.get('device_name', gpus[0].name)})"


def make_encoder(settings: Network, words: Sequence[str], unit: text.Unit) -> Any:
    """What turns raw strings into the ids that the architecture of `settings` reads."""
    if isinstance(settings, Pretrained):
        return wordpiece.make_encoder(settings, words, unit)
    return text.make_encoder(words, settings.words, unit)


def fit(
    name: Candidate, params: Params, train: pl.DataFrame, validation: pl.DataFrame, live: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Trains one candidate with early stopping on the validation loss; the best epoch is kept.

    Args:
        name: of the architecture.
        params: all settings; `text` and `train` are read.
        train, validation: documents with text and label.
        live: a dvclive.Live, or anything with `log_metric` and `next_step`.

    Returns:
        The trained network, the encoder of its texts, and facts: words, epochs, best_epoch,
        validation accuracy and loss, weights, device, share of the vocabulary in GloVe.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    if name == "ensemble":
        found = {
            one: fit(one, params, train, validation, live) for one in params.train.trained(name)
        }
        return train_ensemble.combine(found, params, validation)
    settings = params.train.architecture(name)
    classes = params.ingest.labels
    unit = params.text.unit
    words = text.vocabulary(train["text"], params.text.vocabulary, params.text.min_count, unit)
    encoder = make_encoder(settings, words, unit)
    table, covered = embedding(words, params.train.embedding, params.train.seed)
    model = network.build(settings, table, len(classes), params.train.seed)
    learner = _learner(model, settings.learning_rate, params.train.label_smoothing)
    where = device()
    say(
        f"train: {name} on {where}, {len(train)} documents, {len(words)} words "
        f"({covered:.0%} of them in GloVe), {model.count_params():,} weights"
    )
    stop = keras.callbacks.EarlyStopping(
        f"val_{network.PROBABILITIES}_loss",
        mode="min",
        patience=params.train.patience,
        restore_best_weights=True,
    )
    members = model.output[network.MEMBERS].shape[1]

    def pairs(documents: pl.DataFrame) -> tuple[Array, dict[str, Array]]:
        """Ids, and what each output should say about them."""
        answers = one_hot(documents["label"].to_list(), classes)
        ids = encoder(tf.constant(documents["text"].to_list()))[0].numpy()
        return ids, {
            network.PROBABILITIES: answers,
            network.MEMBERS: np.repeat(answers[:, None], members, axis=1),
        }

    history = learner.fit(
        *pairs(train),
        validation_data=pairs(validation),
        epochs=params.train.epochs,
        batch_size=settings.batch_size,
        callbacks=[stop, _report_epochs(live, params.train.epochs)],
        verbose=0,
    ).history
    best = stop.best_epoch
    kept = {
        name: round(float(history[f"val_{network.PROBABILITIES}_{name}"][best]), 6)
        for name in ("accuracy", "loss")
    }
    facts = {
        "architecture": name,
        "device": where.split(" ", maxsplit=1)[0],
        "words": len(words),
        "words_in_glove": round(covered, 4),
        "weights": int(model.count_params()),
        "epochs": len(history["val_loss"]),
        "best_epoch": best + 1,
        "validation_accuracy": round(
            float(history[f"val_{network.PROBABILITIES}_accuracy"][best]), 6
        ),
        "validation_loss": kept["loss"],
        "train_documents": len(train),
        "validation_documents": len(validation),
    }
    if isinstance(settings, Pretrained):
        facts["pretrained"] = presets.fingerprint(settings)
    return model, encoder, facts


def calibrate(
    probabilities: Array, labels: Sequence[str], classes: Sequence[str], answered_accuracy: float
) -> tuple[Calibration, float]:
    """Temperature, and the confidence below which to abstain, from documents not learned from.

    Args:
        probabilities: (N, C) of the network, in the order of `classes`.
        labels: the N documents' own.
        answered_accuracy: that the answers which are given shall have; 0 abstains from none.

    Returns:
        The calibration, and the share of the documents that it lets answer.
    """
    import numpy as np

    position = {name: i for i, name in enumerate(classes)}
    actual = np.array([position[label] for label in labels])
    heat = calibration.temperature(probabilities, actual)
    mended = calibration.tempered(probabilities, heat)
    confidence, right = mended.max(axis=1), mended.argmax(axis=1) == actual
    least = calibration.abstain_below(confidence, right, answered_accuracy)
    return Calibration(heat, least), float((confidence >= least).mean())


def _learner(model: Any, learning_rate: float, label_smoothing: float) -> Any:
    """What is trained: each member by its own loss; their mean is only looked at."""
    import keras

    learner = keras.Model(
        model.input, {name: model.output[name] for name in (network.PROBABILITIES, network.MEMBERS)}
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)
    learner.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss={network.PROBABILITIES: loss, network.MEMBERS: loss},
        loss_weights={network.PROBABILITIES: 0.0, network.MEMBERS: 1.0},
        metrics={network.PROBABILITIES: [keras.metrics.CategoricalAccuracy(name="accuracy")]},
    )
    return learner


def _report_epochs(live: Any, epochs: int) -> Any:
    """A Keras callback: each epoch to DVCLive and to the person who watches."""
    import keras

    class ReportEpochs(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            del epoch, logs
            self.started = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found = {
                f"{side}/{name}": float(logs[f"{prefix}{network.PROBABILITIES}_{name}"])
                for side, prefix in (("train", ""), ("validation", "val_"))
                for name in ("loss", "accuracy")
            }
            for name, value in found.items():
                live.log_metric(name, round(value, 6))
            live.next_step()
            say(
                f"train: epoch {epoch + 1}/{epochs}  loss {found['train/loss']:.4f}  "
                f"validation accuracy {found['validation/accuracy']:.4f}  "
                f"loss {found['validation/loss']:.4f}  "
                f"{time.monotonic() - self.started:.1f} s"
            )

    return ReportEpochs()


def run(params: Params, paths: Paths) -> None:
    """The stage: trains the chosen candidate and writes its model."""
    import tensorflow as tf
    from dvclive import Live

    # The same snapshot, params and machine give the same bytes.
    tf.config.experimental.enable_op_determinism()
    name: Candidate = tables.read_json(paths.candidate)["architecture"]
    train = tables.read_table(paths.split / "train.parquet")
    validation = tables.read_table(paths.split / "validation.parquet")
    live = Live(str(paths.trained / "live"), save_dvc_exp=False, dvcyaml=None, report=None)
    with energy.measured(params.train.country_iso_code) as spent, live:
        model, encoder, facts = fit(name, params, train, validation, live)
    ids = encoder(tf.constant(train["text"].to_list()))[0]
    features = model.predict(ids, batch_size=128, verbose=0)[network.FEATURES]
    centre, directions = principal_directions(features, params.train.feature_directions)
    held = encoder(tf.constant(validation["text"].to_list()))[0]
    said = model.predict(held, batch_size=128, verbose=0)[network.PROBABILITIES]
    settled, answered = calibrate(
        said, validation["label"].to_list(), params.ingest.labels, params.train.answered_accuracy
    )
    facts |= {
        "temperature": settled.temperature,
        "abstain_below": settled.abstain_below,
        "validation_answered": round(answered, 6),
    }
    bundle.save_model(paths.trained / "model", model, encoder, centre, directions, settled)
    tables.write_json(facts, paths.trained / "training.json")
    energy.keep(spent[0], paths.trained / "model", paths.home)
    say(
        f"train: best epoch {facts['best_epoch']} of {facts['epochs']}, validation accuracy "
        f"{facts['validation_accuracy']:.4f}; temperature {settled.temperature:.2f}, unsure below "
        f"{settled.abstain_below:.2f} ({1 - answered:.1%} of the validation side); {spent[0]}"
    )


if __name__ == "__main__":
    sys.exit(stage.main(run))
