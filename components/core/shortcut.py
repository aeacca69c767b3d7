"""The cheaper way to a trained network's outputs, as a part of its SavedModel.

The SavedModel gets two functions more. `table` computes once, when the model is loaded, what does
not depend on the text; `shortcut` answers texts with it. The table is not saved: it follows from
the weights. XLA compiles the inner loop, which adds rows of the table up and keeps the largest
sums, anew for each number of texts; so whoever calls it brings one text or `TOGETHER`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.core.network import Shortcut

TOGETHER = 8  # more are hardly quicker

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

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def compiled(ids: Any, table: Any) -> Any:
        found = short.outputs(ids, table)
        return {name: found[name] for name in (PROBABILITIES, FEATURES)}

    def shortcut(texts: Any, table: Any) -> dict[str, Any]:
        return answer(texts, lambda ids: compiled(tf.reshape(ids, (-1, length)), table))

    def table() -> Any:
        return short.table()

    made = table()
    module.table = tf.function(table, input_signature=[], autograph=False)
    module.shortcut = tf.function(
        shortcut,
        input_signature=[
            tf.TensorSpec([None], tf.string, name="texts"),
            tf.TensorSpec(made.shape, made.dtype, name="table"),
        ],
        autograph=False,
    )
