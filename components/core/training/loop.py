"""The training loop: steps, epochs, early stopping, checkpoints.

The loop replaces Keras' `fit`, which cannot resume a training with byte-identical results, and
fails under MultiWorkerMirroredStrategy. The result of an epoch depends on the weights, the
optimizer, the dropout seeds and the epoch's number, which are all in the checkpoint.

B is the batch, L its words, M the members, C the classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from components.core.networks import assembly
from components.core.params.fitting import Fitting
from components.core.progress import say, track
from components.core.target import Target
from components.core.training.batches import Array, BatchLoader, EncodedSplit
from components.core.training.checkpoints import Checkpoint

_INFERENCE_BATCH = 128  # documents of a batch outside of training


@dataclass
class State:
    """State of the loop after an epoch.

    Attributes:
        epochs: number of completed epochs.
        best: number of the best epoch, from 1; 0 before the first.
        waited: epochs since the last new best loss or reduction of the learning rate.
        history: train/ and validation/ loss and accuracy of each epoch.
    """

    epochs: int = 0
    best: int = 0
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of a training.

    Attributes:
        fitting: the section train.fitting of params.yaml.
        learning_rate: initial or, with the schedule cosine, highest learning rate.
        label_smoothing: share of the probability spread over all classes, in [0, 1).
        epochs: maximum number of epochs.
        patience: epochs without a better validation loss before the loop stops.
        target: computes accuracy and loss of the validation side.
    """

    fitting: Fitting
    learning_rate: float
    label_smoothing: float
    epochs: int
    patience: int
    target: Target


class NullLogger:
    """Takes the place of dvclive.Live where no curves are kept."""

    def log_metric(self, name: str, value: float) -> None: ...

    def next_step(self) -> None: ...


def optimizer(config: TrainingConfig, steps: int, net: Any) -> Any:
    """Builds Adam (Kingma and Ba 2015) with the schedule and weight decay of `config`.

    Args:
        config: configuration of the training.
        steps: number of steps of all epochs.
        net: network to train. Weight decay applies to its kernels, not to biases and word vectors.
    """
    import keras

    fitting, rate = config.fitting, config.learning_rate
    if fitting.schedule == "cosine":
        # Loshchilov and Hutter 2017, "SGDR"; the warm-up as in Goyal et al. 2017.
        warm = max(round(fitting.warmup_share * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - warm, 1), warmup_target=rate, warmup_steps=warm
        )
    # Decoupled from the gradient: Loshchilov and Hutter 2019, "Decoupled Weight Decay".
    adam = keras.optimizers.Adam(rate, weight_decay=fitting.weight_decay or None)
    if fitting.weight_decay:
        kernels = {id(variable) for variable in _kernels(net)}
        adam.exclude_from_weight_decay([v for v in net.trainable_variables if id(v) not in kernels])
    adam.build(net.trainable_variables)
    return adam


def _kernels(net: Any) -> list[Any]:
    return [variable for variable in net.trainable_variables if "kernel" in variable.name]


def make_step(net: Any, learner: Any, config: TrainingConfig, where: Any) -> Callable[[Any], Any]:
    """Makes the function of a training step, as a tf.function.

    Args:
        net: network from core/networks/assembly.py, built in the scope of `where`.
        learner: optimizer from `optimizer`.
        config: configuration of the training.
        where: the tf.distribute.Strategy.

    Returns:
        A function that takes an iterator over parts (see `BatchLoader.dataset`), trains on one
        batch and returns its loss and its number of correct predictions, (2,) float32.
    """
    import keras
    import tensorflow as tf

    fitting, variables = config.fitting, net.trainable_variables
    # Each part adds its share of the L1 penalty.
    shares = fitting.accumulate * where.num_replicas_in_sync

    def part(ids: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            predictions = net(ids, training=True)
            members = predictions[assembly.MEMBERS]  # (B, M, C); each member has its own loss
            target = tf.one_hot(labels, members.shape[-1])[:, None]  # (B, 1, C)
            losses = keras.losses.categorical_crossentropy(
                tf.broadcast_to(target, tf.shape(members)),
                members,
                label_smoothing=config.label_smoothing,
            )  # (B, M)
            loss = tf.reduce_sum(weights * tf.reduce_mean(losses, axis=1))
            objective = loss
            if fitting.l1:
                objective += fitting.l1 / shares * tf.add_n([tf.norm(v, 1) for v in _kernels(net)])
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(objective, variables)]
        best = tf.argmax(predictions[assembly.PROBABILITIES], axis=1, output_type=tf.int32)
        hits = tf.reduce_sum(tf.cast((best == labels) & (weights > 0), tf.float32))
        return gradients, tf.stack([loss, hits])

    if fitting.xla:
        part = tf.function(part, jit_compile=True, autograph=False)

    def replica(batches: Sequence[Any]) -> Any:
        gradients_sum, statistics = part(*batches[0])
        for batch in batches[1:]:
            # One part after the other, so that only one part's activations are in memory.
            with tf.control_dependencies(gradients_sum):
                part_gradients, part_statistics = part(*[tf.identity(tensor) for tensor in batch])
            gradients_sum = [a + b for a, b in zip(gradients_sum, part_gradients, strict=True)]
            statistics += part_statistics
        learner.apply(gradients_sum, variables)  # sums the gradients over the replicas
        return statistics

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(iterator: Any) -> Any:
        batches = [next(iterator) for _ in range(fitting.accumulate)]
        statistics = where.run(replica, args=(batches,))
        return where.reduce(tf.distribute.ReduceOp.SUM, statistics, axis=None)

    return step  # type: ignore[no-any-return]


def make_look(net: Any, names: Sequence[str]) -> Callable[[Any], Any]:
    """Makes a tf.function that returns the outputs `names` for ids (B, L), without training."""
    import tensorflow as tf

    words = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[words], autograph=False)  # type: ignore[untyped-decorator]
    def look(ids: Any) -> Any:
        predictions = net(ids, training=False)
        return {name: predictions[name] for name in names}

    return look  # type: ignore[no-any-return]


def outputs(
    net: Any,
    look: Callable[[Any], Any],
    side: EncodedSplit,
    step: int,
    progress_label: str | None = None,
) -> dict[str, Array]:
    """Computes the outputs of `look` for all documents of `side`, in order: name -> (N, ...).

    Args:
        net: network; if its number of words is fixed, each batch is padded to that number.
        look: function from `make_look`.
        side: documents.
        step: otherwise, a batch is padded to a multiple of this number.
        progress_label: label of the progress bar; None shows no progress.
    """
    import numpy as np

    fixed_length = net.input_shape[1]
    order = np.argsort(side.lengths, kind="stable")
    values_by_name: dict[str, list[Array]] = {}
    batches = [order[i : i + _INFERENCE_BATCH] for i in range(0, len(order), _INFERENCE_BATCH)]
    for rows in track(batches, progress_label, len(order), size=len) if progress_label else batches:
        words = fixed_length or side.width(rows, step)
        for name, values in look(side.padded(rows, words)).items():
            values_by_name.setdefault(name, []).append(values.numpy())
    inverse = np.argsort(order, kind="stable")
    return {name: np.concatenate(values)[inverse] for name, values in values_by_name.items()}


def fit(
    net: Any,
    feed: BatchLoader,
    validation: EncodedSplit,
    config: TrainingConfig,
    where: Any,
    live: Any,
    checkpoint: Checkpoint | None = None,
) -> State:
    """Trains `net` with early stopping on the validation loss, and restores its best weights.

    Args:
        net: network from core/networks/assembly.py, built in the scope of `where`; changed in
            place.
        feed: loader of the training side's batches.
        validation: documents for the validation loss.
        config: configuration of the training.
        where: the tf.distribute.Strategy.
        live: a dvclive.Live, or another object with `log_metric` and `next_step`.
        checkpoint: written after each epoch; if its file exists, the loop resumes from it.
    """
    with where.scope():
        learner = optimizer(config, feed.steps * config.epochs, net)
    step, look = make_step(net, learner, config, where), make_look(net, [assembly.PROBABILITIES])
    state, best = State(), net.get_weights()
    saved = checkpoint.load() if checkpoint else None
    if saved:
        state, best = State(**saved[0]), saved[1]["best"]
        _put(net.variables, saved[1]["network"])
        _put(learner.variables, saved[1]["optimizer"])
        say(f"train: resumes after epoch {state.epochs} from {checkpoint.path}")  # type: ignore[union-attr]
        for row in state.history:
            log(live, row)
    seconds: list[float] = []
    try:
        while state.epochs < config.epochs and state.epochs - state.best < config.patience:
            started = time.monotonic()
            row = _run_epoch(step, feed, state.epochs, where)
            predictions = outputs(net, look, validation, config.fitting.padding_step)
            accuracy, loss = config.target.judge(
                predictions[assembly.PROBABILITIES], validation.labels, config.label_smoothing
            )
            row |= {"validation/accuracy": accuracy, "validation/loss": loss}
            if _advance(state, row, learner, config):
                best = net.get_weights()
            if checkpoint:
                arrays = {"network": net.variables, "optimizer": learner.variables}
                values = {name: [v.numpy() for v in array] for name, array in arrays.items()}
                checkpoint.save(asdict(state), {**values, "best": best})
            log(live, row)
            seconds.append(time.monotonic() - started)
            _print_progress(state, row, seconds, config)
    except KeyboardInterrupt:
        if checkpoint:
            say(f"train: interrupted; the next run resumes after epoch {state.epochs}.")
        raise
    net.set_weights(best)
    return state


def _put(variables: Sequence[Any], values: Sequence[Array]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _run_epoch(
    step: Callable[[Any], Any], feed: BatchLoader, epoch: int, where: Any
) -> dict[str, float]:
    """Trains one epoch; returns the mean loss and the accuracy over its steps."""
    import numpy as np

    dataset = where.distribute_datasets_from_function(
        lambda context: feed.dataset(
            epoch,
            context.input_pipeline_id,
            context.num_input_pipelines,
            where.num_replicas_in_sync,
        )
    )
    iterator = iter(dataset)
    statistics = np.array([step(iterator) for _ in range(feed.steps)])
    return {
        "train/loss": float(statistics[:, 0].mean()),
        "train/accuracy": float(statistics[:, 1].sum() / len(feed.side)),
    }


def _advance(state: State, row: dict[str, float], learner: Any, config: TrainingConfig) -> bool:
    """Records an epoch in `state`, and reduces the learning rate on a plateau.

    Returns:
        True if the epoch has the lowest validation loss so far.
    """
    losses = [epoch["validation/loss"] for epoch in state.history]
    improved = not losses or row["validation/loss"] < min(losses)
    state.history.append(row)
    state.epochs += 1
    state.waited = 0 if improved else state.waited + 1
    if improved:
        state.best = state.epochs
    fitting = config.fitting
    if fitting.schedule == "plateau" and state.waited >= fitting.plateau_patience:
        learner.learning_rate.assign(learner.learning_rate * fitting.plateau_factor)
        state.waited = 0
    return improved


def log(live: Any, row: dict[str, float]) -> None:
    for name, value in row.items():
        live.log_metric(name, round(value, 6))
    live.next_step()


def _print_progress(
    state: State, row: dict[str, float], seconds: Sequence[float], config: TrainingConfig
) -> None:
    left = round((config.epochs - state.epochs) * sum(seconds) / len(seconds))
    say(
        f"train: epoch {state.epochs}/{config.epochs}  loss {row['train/loss']:.4f}  "
        f"validation accuracy {row['validation/accuracy']:.4f}  "
        f"loss {row['validation/loss']:.4f}  {seconds[-1]:.1f} s  "
        f"at most {left // 60}:{left % 60:02} left"
    )
