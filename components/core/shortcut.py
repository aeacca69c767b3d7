"""The cheaper way to a trained network's outputs, as a part of its SavedModel.

The SavedModel gets two functions more. `table` computes once, when the model is loaded, what does
not depend on the text; `shortcut` answers texts with it. The table is not saved: it follows from
the weights. XLA compiles the inner loop, which adds rows of the table up and keeps the largest
sums, anew for each number of texts, which takes half a second; so whoever calls it brings texts in
`parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.core.network import Shortcut

SIZES = (16, 4, 1)  # texts computed together, the largest first; more are hardly quicker

Answer = Callable[[Any, Callable[[Any], dict[str, Any]]], dict[str, Any]]


def parts(texts: Sequence[bytes]) -> list[list[bytes]]:
    """`texts`, in lists of as many as `SIZES` has; the last is filled up with empty texts.

    >>> [[len(part) for part in parts([b"a"] * count)] for count in (1, 2, 3, 21)]
    [[1], [1, 1], [4], [16, 4, 1]]
    """
    found, start = [], 0
    while left := len(texts) - start:
        # More than half empty would cost more than the next smaller size twice.
        size = next(size for size in SIZES if left > size // 2)
        part = list(texts[start : start + size])
        found.append(part + [b""] * (size - len(part)))
        start += len(part)
    return found


def bound(module: Any) -> Callable[..., dict[str, Any]]:
    """The function `shortcut` of a loaded `module`, which knows its table: texts (B,) -> outputs.

    TensorFlow looks at each argument of a loaded function anew at each call, which costs as much
    as half a text; of this one it knows that there is nothing to look at. The thread that calls
    computes by itself: handing operations that take microseconds to other threads takes longer.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context  # the public door has no such switch

    table = module.table()
    function = tf.function(
        lambda texts: module.shortcut(texts, table),
        input_signature=[tf.TensorSpec([None], tf.string, name="texts")],
        autograph=False,
    ).get_concrete_function()

    def predict(texts: Any) -> dict[str, Any]:
        with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            found: dict[str, Any] = function(texts)
        return found

    return predict


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
