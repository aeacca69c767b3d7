"""The cheaper way to a trained network's outputs, as a part of its SavedModel.

The SavedModel gets two functions more. `table` computes once, when the model is loaded, what does
not depend on the text; `shortcut` answers texts with it. The table is not saved: it follows from
the weights. XLA compiles the inner loop, which adds rows of the table up and keeps the largest
sums, for two shapes: one text, and `_TOGETHER` texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.core.network import Shortcut

_TOGETHER = 8  # texts that one call of the compiled function takes
_AT_ONCE = 2  # calls, on as many threads

Answer = Callable[[Any, Callable[[Any], dict[str, Any]]], dict[str, Any]]


def attach(module: Any, short: Shortcut, answer: Answer, length: int) -> None:
    """Gives `module`, a tf.Module, the functions `table` and `shortcut`.

    Args:
        short: of the network, see core/network.py.
        answer: (texts, ids -> outputs of the network) -> what the SavedModel gives.
        length: ids of a text.
    """
    import tensorflow as tf

    from components.core.network import FEATURES, PROBABILITIES

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def compiled(ids: Any, table: Any) -> Any:
        found = short.outputs(ids, table)
        return found[PROBABILITIES], found[FEATURES]

    def outputs(ids: Any, table: Any) -> dict[str, Any]:
        rows = tf.shape(ids)[0]

        def alone() -> Any:
            return compiled(tf.reshape(ids, (1, length)), table)

        def together() -> Any:
            full = tf.pad(ids, ((0, -rows % _TOGETHER), (0, 0)))
            found = tf.map_fn(
                lambda part: compiled(part, table),
                tf.reshape(full, (-1, _TOGETHER, length)),
                parallel_iterations=_AT_ONCE,
                fn_output_signature=(tf.float32, tf.float32),
            )
            return tuple(tf.reshape(one, (-1, one.shape[-1]))[:rows] for one in found)

        said, seen = tf.cond(rows == 1, alone, together)
        return {PROBABILITIES: said, FEATURES: seen}

    made = short.table()
    module.table = tf.function(short.table, input_signature=[])
    module.shortcut = tf.function(
        lambda texts, table: answer(texts, lambda ids: outputs(ids, table)),
        input_signature=[
            tf.TensorSpec([None], tf.string, name="texts"),
            tf.TensorSpec(made.shape, made.dtype, name="table"),
        ],
    )
