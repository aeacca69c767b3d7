"""The loop that fits a network: steps, epochs, early stopping, checkpoints.

A loop of our own, because Keras' `fit` cannot go on in the middle with equal bytes, and fails
under MultiWorkerMirroredStrategy. What an epoch does follows from the weights, the optimizer, the
dropout's seeds and the epoch's number; all of them are in the checkpoint.

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
from components.core.training.batches import Array, Feed, Side
from components.core.training.checkpoints import Checkpoint

_LOOKED_AT = 128  # documents computed together where nothing is learned


@dataclass
class State:
    """Where the loop stands after a whole epoch.

    Attributes:
        epochs: done.
        best: number of the best one, from 1; 0 before the first.
        waited: epochs since the learning rate fell or a better loss came.
        history: of each epoch its train/ and validation/ loss and accuracy.
    """

    epochs: int = 0
    best: int = 0
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Recipe:
    """What the loop is told.

    Attributes:
        fitting: the section of params.yaml.
        learning_rate, label_smoothing, epochs, patience: as params.yaml has them.
        target: that judges the validation side.
    """

    fitting: Fitting
    learning_rate: float
    label_smoothing: float
    epochs: int
    patience: int
    target: Target


def optimizer(recipe: Recipe, steps: int, net: Any) -> Any:
    """Adam (Kingma and Ba 2015) with the schedule and the weight decay that are asked for.

    Args:
        steps: of all epochs.
        net: whose kernels decay: neither biases nor word vectors.
    """
    import keras

    fitting, rate = recipe.fitting, recipe.learning_rate
    if fitting.schedule == "cosine":
        # Loshchilov and Hutter 2017, "SGDR"; the warm-up as in Goyal et al. 2017.
        warm = max(round(fitting.warmup_share * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - warm, 1), warmup_target=rate, warmup_steps=warm
        )
    # Decoupled from the gradient: Loshchilov and Hutter 2019, "Decoupled Weight Decay".
    made = keras.optimizers.Adam(rate, weight_decay=fitting.weight_decay or None)
    if fitting.weight_decay:
        kernels = {id(one) for one in _kernels(net)}
        made.exclude_from_weight_decay([v for v in net.trainable_variables if id(v) not in kernels])
    made.build(net.trainable_variables)
    return made


def _kernels(net: Any) -> list[Any]:
    return [one for one in net.trainable_variables if "kernel" in one.name]


def make_step(net: Any, learner: Any, recipe: Recipe, where: Any) -> Callable[[Any], Any]:
    """One step of learning, as a tf.function.

    Args:
        net: as core/networks/assembly.py builds it, in the scope of `where`.
        learner: see `optimizer`.
        where: the tf.distribute.Strategy.

    Returns:
        A function of an iterator over parts (see `feeding.Feed.dataset`) that learns from one
        batch and gives its loss and the number of its documents that were right.
    """
    import keras
    import tensorflow as tf

    fitting, variables = recipe.fitting, net.trainable_variables
    shares = fitting.accumulate * where.num_replicas_in_sync  # of the penalty, one a part

    def part(ids: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            said = net(ids, training=True)
            members = said[assembly.MEMBERS]  # (B, M, C), each by its own loss
            target = tf.one_hot(labels, members.shape[-1])[:, None]  # (B, 1, C)
            losses = keras.losses.categorical_crossentropy(
                tf.broadcast_to(target, tf.shape(members)),
                members,
                label_smoothing=recipe.label_smoothing,
            )  # (B, M)
            loss = tf.reduce_sum(weights * tf.reduce_mean(losses, axis=1))
            aim = loss
            if fitting.l1:
                aim += fitting.l1 / shares * tf.add_n([tf.norm(v, 1) for v in _kernels(net)])
        found = [tf.convert_to_tensor(one) for one in tape.gradient(aim, variables)]
        best = tf.argmax(said[assembly.PROBABILITIES], axis=1, output_type=tf.int32)
        hits = tf.reduce_sum(tf.cast((best == labels) & (weights > 0), tf.float32))
        return found, tf.stack([loss, hits])

    if fitting.xla:
        part = tf.function(part, jit_compile=True, autograph=False)

    def replica(batches: Sequence[Any]) -> Any:
        total, seen = part(*batches[0])
        for one in batches[1:]:
            # In turn, so that only one part's activations are in memory.
            with tf.control_dependencies(total):
                more, also = part(*[tf.identity(tensor) for tensor in one])
            total = [a + b for a, b in zip(total, more, strict=True)]
            seen += also
        learner.apply(total, variables)  # adds the replicas' gradients up
        return seen

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(iterator: Any) -> Any:
        batches = [next(iterator) for _ in range(fitting.accumulate)]
        seen = where.run(replica, args=(batches,))
        return where.reduce(tf.distribute.ReduceOp.SUM, seen, axis=None)

    return step  # type: ignore[no-any-return]


def make_look(net: Any, names: Sequence[str]) -> Callable[[Any], Any]:
    """The outputs `names` of the network for ids (B, L), as a tf.function; nothing is learned."""
    import tensorflow as tf

    words = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[words], autograph=False)  # type: ignore[untyped-decorator]
    def look(ids: Any) -> Any:
        found = net(ids, training=False)
        return {name: found[name] for name in names}

    return look  # type: ignore[no-any-return]


def outputs(
    net: Any, look: Callable[[Any], Any], side: Side, step: int, what: str | None = None
) -> dict[str, Array]:
    """What `look` gives for each document of `side`, in its order: name -> (N, ...).

    Args:
        net: with a fixed number of words, each batch is padded to it.
        step: a batch is padded to a multiple of it.
        what: is shown with how far it is; None shows nothing.
    """
    import numpy as np

    fixed = net.input_shape[1]
    order = np.argsort(side.lengths, kind="stable")
    found: dict[str, list[Array]] = {}
    batches = [order[i : i + _LOOKED_AT] for i in range(0, len(order), _LOOKED_AT)]
    for rows in track(batches, what, len(order), size=len) if what else batches:
        words = fixed or side.width(rows, step)
        for name, values in look(side.padded(rows, words)).items():
            found.setdefault(name, []).append(values.numpy())
    back = np.argsort(order, kind="stable")
    return {name: np.concatenate(values)[back] for name, values in found.items()}


def fit(
    net: Any,
    feed: Feed,
    validation: Side,
    recipe: Recipe,
    where: Any,
    live: Any,
    checkpoint: Checkpoint | None = None,
) -> State:
    """Fits `net` until the validation loss does not fall any more; its best weights are kept.

    Args:
        net: as core/networks/assembly.py builds it, in the scope of `where`. It is changed.
        live: a dvclive.Live, or anything with `log_metric` and `next_step`.
        checkpoint: written after each epoch; where it is there already, the loop goes on from it.
    """
    with where.scope():
        learner = optimizer(recipe, feed.steps * recipe.epochs, net)
    step, look = make_step(net, learner, recipe, where), make_look(net, [assembly.PROBABILITIES])
    state, best = State(), net.get_weights()
    found = checkpoint.load() if checkpoint else None
    if found:
        state, best = State(**found[0]), found[1]["best"]
        _put(net.variables, found[1]["network"])
        _put(learner.variables, found[1]["optimizer"])
        say(f"train: goes on after epoch {state.epochs}, from {checkpoint.path}")  # type: ignore[union-attr]
        for row in state.history:
            log(live, row)
    seconds: list[float] = []
    try:
        while state.epochs < recipe.epochs and state.epochs - state.best < recipe.patience:
            started = time.monotonic()
            row = _learn(step, feed, state.epochs, where)
            said = outputs(net, look, validation, recipe.fitting.padding_step)
            accuracy, loss = recipe.target.judge(
                said[assembly.PROBABILITIES], validation.labels, recipe.label_smoothing
            )
            row |= {"validation/accuracy": accuracy, "validation/loss": loss}
            if _advance(state, row, learner, recipe):
                best = net.get_weights()
            if checkpoint:
                arrays = {"network": net.variables, "optimizer": learner.variables}
                values = {name: [v.numpy() for v in found] for name, found in arrays.items()}
                checkpoint.save(asdict(state), {**values, "best": best})
            log(live, row)
            seconds.append(time.monotonic() - started)
            _tell(state, row, seconds, recipe)
    except KeyboardInterrupt:
        if checkpoint:
            say(f"train: interrupted; the next run goes on after epoch {state.epochs}.")
        raise
    net.set_weights(best)
    return state


def _put(variables: Sequence[Any], values: Sequence[Array]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _learn(step: Callable[[Any], Any], feed: Feed, epoch: int, where: Any) -> dict[str, float]:
    """One epoch; its mean loss and its accuracy while it learned."""
    import numpy as np

    made = where.distribute_datasets_from_function(
        lambda context: feed.dataset(
            epoch,
            context.input_pipeline_id,
            context.num_input_pipelines,
            where.num_replicas_in_sync,
        )
    )
    iterator = iter(made)
    seen = np.array([step(iterator) for _ in range(feed.steps)])
    return {
        "train/loss": float(seen[:, 0].mean()),
        "train/accuracy": float(seen[:, 1].sum() / len(feed.side)),
    }


def _advance(state: State, row: dict[str, float], learner: Any, recipe: Recipe) -> bool:
    """Counts the epoch, and lowers the rate on a plateau; whether it is the best epoch so far."""
    losses = [one["validation/loss"] for one in state.history]
    better = not losses or row["validation/loss"] < min(losses)
    state.history.append(row)
    state.epochs += 1
    state.waited = 0 if better else state.waited + 1
    if better:
        state.best = state.epochs
    fitting = recipe.fitting
    if fitting.schedule == "plateau" and state.waited >= fitting.plateau_patience:
        learner.learning_rate.assign(learner.learning_rate * fitting.plateau_factor)
        state.waited = 0
    return better


def log(live: Any, row: dict[str, float]) -> None:
    for name, value in row.items():
        live.log_metric(name, round(value, 6))
    live.next_step()


def _tell(state: State, row: dict[str, float], seconds: Sequence[float], recipe: Recipe) -> None:
    left = round((recipe.epochs - state.epochs) * sum(seconds) / len(seconds))
    say(
        f"train: epoch {state.epochs}/{recipe.epochs}  loss {row['train/loss']:.4f}  "
        f"validation accuracy {row['validation/accuracy']:.4f}  "
        f"loss {row['validation/loss']:.4f}  {seconds[-1]:.1f} s  "
        f"at most {left // 60}:{left % 60:02} left"
    )
