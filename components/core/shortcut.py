"""The cheaper way to a trained network's outputs, as a part of its SavedModel.

The SavedModel gets functions more. `table` computes once, when the model is loaded, what does not
depend on the text; it is not saved, because it follows from the weights. `read` turns texts into
ids, `finish` turns the sums of the table into answers. Between them stands `sums`, which adds rows
of the table up and keeps the largest sums. XLA compiles it into one loop, anew for each number of
texts; so whoever calls it brings texts in `parts`. It belongs to the process and not to a model:
TensorFlow never frees what XLA compiled, and all models of one layout share it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.core.network import Shortcut

SIZES = (16, 4, 1)  # texts computed together, the largest first; more are hardly quicker


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
    """What a loaded `module` says of texts (B,), by its table.

    One function is made of all, because TensorFlow looks at each argument of a loaded function anew
    at each call, which costs as much as half a text. The thread that calls computes by itself:
    handing operations that take microseconds to other threads takes longer.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context  # the public door has no such switch

    table = module.table()
    if hasattr(module, "layout"):
        filters, members, length, *widths = module.layout().numpy().tolist()
        add = sums(filters, members, tuple(widths), length, tuple(table.shape))

        def whole(texts: Any) -> Any:
            read = module.read(texts)
            return module.finish(*read, add(read[0], table))

    else:  # a bundle of before

        def whole(texts: Any) -> Any:
            return module.shortcut(texts, table)

    signature = [tf.TensorSpec([None], tf.string, name="texts")]
    function = tf.function(whole, input_signature=signature, autograph=False)
    function = function.get_concrete_function()

    def predict(texts: Any) -> dict[str, Any]:
        with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            found: dict[str, Any] = function(texts)
        return found

    return predict


@functools.cache
def sums(
    filters: int, members: int, widths: tuple[int, ...], length: int, shape: tuple[int, int]
) -> Any:
    """A compiled function: ids (B, length) and a table -> (B, members, widths, filters), flat.

    Args:
        filters: of each width.
        members: that read phrases.
        widths: words that a filter sees.
        length: ids of a text.
        shape: of the table, whose columns stand in the order of members, widths, places, filters.
    """
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
    def largest(ids: Any, table: Any) -> Any:
        # Each text ends with a phrase of nothing else.
        ended = tf.pad(ids, ((0, 0), (0, max(widths))))
        found, column = [], 0
        for width in widths * members:
            last, total = length + max(widths) - width + 1, 0.0
            for i in range(width):
                part = table[:, column : column + filters]
                total += tf.gather(part, ended[:, i : i + last])
                column += filters
            found.append(tf.reduce_max(total, axis=1))
        return tf.concat(found, axis=-1)

    return largest.get_concrete_function(
        tf.TensorSpec([None, length], tf.int32), tf.TensorSpec(shape, tf.float32)
    )


def attach(
    module: Any,
    short: Shortcut,
    read: Callable[[Any], tuple[Any, Any, Any]],
    answer: Callable[[tuple[Any, Any, Any], Callable[[Any], dict[str, Any]]], dict[str, Any]],
    length: int,
) -> None:
    """Gives `module`, a tf.Module, the functions `table`, `layout`, `read` and `finish`.

    Args:
        short: of the network, see core/network.py.
        read: texts -> ids, words, unknown share.
        answer: (what `read` gives, ids -> outputs of the network) -> what the SavedModel gives.
        length: ids of a text.
    """
    import tensorflow as tf

    def reads(texts: Any) -> tuple[Any, Any, Any]:
        ids, words, unknown = read(texts)
        return tf.reshape(ids, (-1, length)), words, unknown

    def finish(ids: Any, words: Any, unknown: Any, found: Any) -> dict[str, Any]:
        return answer((ids, words, unknown), lambda ids: short.outputs(ids, found))

    # A function without a name of its own would be named by what the process made before.
    def table() -> Any:
        return short.table()

    def layout() -> Any:
        return tf.constant([short.filters, short.members, length, *short.widths], tf.int32)

    module.table = tf.function(table, input_signature=[], autograph=False)
    module.layout = tf.function(layout, input_signature=[], autograph=False)
    module.read = tf.function(
        reads, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    module.finish = tf.function(
        finish,
        input_signature=[
            tf.TensorSpec([None, length], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([None, short.filters * short.members * len(short.widths)], tf.float32),
        ],
        autograph=False,
    )
