"""SavedModels: raw strings in, predictions out; equal models have byte-identical files."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.bundle.explanation import weigh
from components.core.bundle.runtimes.base import Trained
from components.core.runtime import imports

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PREFERENCE = 0  # any network
_GRAPH = "saved_model.pb"
# Part of the names of TensorFlow Text's WordPiece operations; see tokenizers/wordpiece.py.
_WORDPIECE_OPERATION = b"Wordpiece"
_MAX_CHARACTERS = 200_000  # of a batch, with all texts padded to the longest
_EXPLAINED = ("probabilities", "baseline", "words", "weights")  # outputs of `explain`
# TensorFlow numbers traced functions by a counter of its process.
_NAME = re.compile(r"(__inference_\w*?)_(\d+)")
_CAPTURED = "_user_specified_name"  # of a captured tensor: a number of the same counter


class SavedModel:
    """A loaded SavedModel that `save` wrote; see `Runtime` in core/bundle/runtimes/base.py.

    Args:
        module: object that TensorFlow loaded. This class keeps it, since its signatures need it.
        memory: bytes of the variables.
    """

    def __init__(self, module: Any, memory: int) -> None:
        self._module, self.memory = module, memory

    @property
    def explains(self) -> bool:
        return "explain" in self._module.signatures

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Predicts B texts; arrays (B, ...).

        Texts of similar length are computed together, since each text costs as much time as the
        longest text of its batch.
        """
        import numpy as np

        parts = list(_groups(texts))
        signature = self._module.signatures["serving_default"]
        outputs = [signature(texts=_raw([texts[i] for i in part])) for part in parts]
        inverse = np.argsort(np.concatenate(parts))
        return {
            key: np.concatenate([part[key].numpy() for part in outputs])[inverse]
            for key in outputs[0]
        }

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Yields for each text its probabilities (C,), baseline (C,), words and their weights.

        The baseline is known for the text's label only; it is NaN for other classes.
        """
        import numpy as np

        outputs = self._module.signatures["explain"](texts=_raw(texts))
        rows = zip(*(outputs[name].numpy() for name in _EXPLAINED), strict=True)
        for probabilities, baseline, words, weights in rows:
            baseline_probabilities = np.full_like(probabilities, np.nan)
            baseline_probabilities[probabilities.argmax()] = baseline
            yield (
                probabilities,
                baseline_probabilities,
                [word.decode("utf-8", "replace") for word in words],
                weights,
            )

    def close(self) -> None:
        self._module = None
        give_back_memory()


def save(folder: Path, trained: Trained) -> None:
    """Writes the SavedModel that takes raw strings."""
    import tensorflow as tf

    from components.core.networks.assembly import FEATURES, PROBABILITIES, textcnn_weights

    network, encoder, calibration = trained.network, trained.encoder, trained.calibration

    def tempered(probabilities: Any) -> Any:
        powers = tf.pow(probabilities, 1 / calibration.temperature)
        return powers / tf.reduce_sum(powers, axis=1, keepdims=True)

    def answer(
        read: tuple[Any, Any, Any], outputs: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        ids, words, unknown_share = read
        network_outputs = outputs(ids)
        probabilities = tempered(network_outputs[PROBABILITIES])
        return {
            "probabilities": probabilities,
            "abstained": tf.reduce_max(probabilities, axis=1) < calibration.abstain_below,
            "features": tf.matmul(network_outputs[FEATURES] - module.centre, module.directions),
            "words": words,
            "unknown_share": unknown_share,
        }

    texts = tf.TensorSpec([None], tf.string, name="texts")

    # No Python control flow depends on a tensor's value, so AutoGraph is off.
    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.network = network
            self.centre = tf.constant(trained.centre, tf.float32)
            self.directions = tf.constant(trained.directions, tf.float32)

        @tf.function(input_signature=[texts], autograph=False)
        def predict(self, texts):  # type: ignore[no-untyped-def]  # annotations break BentoML
            return answer(encoder(texts), lambda ids: self.network(ids, training=False))

        @tf.function(input_signature=[texts], autograph=False)
        def explain(self, texts):  # type: ignore[no-untyped-def]
            def probabilities(ids: Any) -> Any:
                return tempered(self.network(ids, training=False)[PROBABILITIES])

            ids = self.encoder(texts)[0]
            if cropped:  # padding has no effect on the result
                ids = ids[:, : tf.maximum(tf.reduce_max(tf.math.count_nonzero(ids, axis=1)), 1)]
            weighed = weigh(self.network, probabilities, ids, self.encoder.lengths)
            return {**weighed, "words": self.encoder.read(texts)}

    cropped = textcnn_weights(network) is not None
    module = Module()
    signatures = {"serving_default": module.predict, "explain": module.explain}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    make_canonical(folder)


def accepts(folder: Path) -> bool:
    """Tests that `folder` holds a SavedModel."""
    return (folder / _GRAPH).exists()


def import_libraries() -> None:
    imports.tensorflow()


def reads_word_pieces(folder: Path) -> bool:
    """Tests that the SavedModel at `folder` has operations of TensorFlow Text."""
    graph = folder / _GRAPH
    return graph.exists() and _WORDPIECE_OPERATION in graph.read_bytes()


def load(folder: Path) -> SavedModel:
    """Loads the SavedModel at `folder`."""
    import_libraries()
    import tensorflow as tf

    if reads_word_pieces(folder):
        imports.require_vectors("tensorflow_text", "a model with sentence vectors")
        # This import takes long, since it imports Keras; only models with WordPiece need it.
        import tensorflow_text  # noqa: F401 - registers its operations
    memory = sum(file.stat().st_size for file in folder.glob("variables/*.data-*"))
    return SavedModel(tf.saved_model.load(str(folder)), memory)


def give_back_memory() -> None:
    """Collects loaded models, which have reference cycles, and returns free pages to the kernel.

    The collection stops all threads for a while.
    """
    gc.collect()
    if sys.platform == "linux":
        # glibc keeps the pages of freed memory until malloc_trim.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
        if trim is not None:
            trim(0)


def _groups(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yields the indices of all texts in groups of similar length."""
    group: list[int] = []
    for i in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if group and (len(group) + 1) * len(texts[i]) > _MAX_CHARACTERS:
            yield group
            group = []
        group.append(i)
    yield group


def _raw(texts: Sequence[str]) -> Any:
    """Converts texts to a string tensor (B,); a lone surrogate becomes "?"."""
    import tensorflow as tf

    return tf.constant([text.encode("utf-8", "replace") for text in texts], tf.string)


def make_canonical(folder: Path) -> None:
    """Rewrites a SavedModel so that its functions are numbered from 0 and sorted by name.

    A training that resumed from a checkpoint created fewer tensors than an uninterrupted one, so
    the names and the order of its functions would differ.

    Args:
        folder: of a SavedModel.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    # The file holds a random identifier.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    path = folder / _GRAPH
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in model.meta_graphs:
        _renumber(graph)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _renumber(graph: Any) -> None:
    """Renames the functions of a MetaGraphDef at every mention."""
    functions = graph.graph_def.library.function
    numbers = {int(match[2]) for f in functions if (match := _NAME.fullmatch(f.signature.name))}
    new_numbers = {number: i for i, number in enumerate(sorted(numbers))}

    def renamed(name: str) -> str:
        match = _NAME.fullmatch(name)
        return f"{match[1]}_{new_numbers[int(match[2])]}" if match else name

    for message, field in _mentions(graph):
        before = getattr(message, field)
        text = before.decode(errors="ignore") if isinstance(before, bytes) else before
        if (after := renamed(text)) != text:
            setattr(message, field, after.encode() if isinstance(before, bytes) else after)
    for node in graph.object_graph_def.nodes:
        if names := node.function.concrete_functions:  # an assignment makes any node a function
            names[:] = [renamed(name) for name in names]
    concrete = graph.object_graph_def.concrete_functions
    functions_by_name = {renamed(name): concrete.pop(name) for name in list(concrete)}
    for name, function in functions_by_name.items():
        concrete[name].CopyFrom(function)
    functions.sort(key=lambda function: str(function.signature.name))


def _mentions(graph: Any) -> Iterator[tuple[Any, str]]:
    """Yields each (message, field) that may hold a function's name; erases names of captures."""
    for node in graph.object_graph_def.nodes:
        yield node.bare_concrete_function, "concrete_function_name"
    library = graph.graph_def.library
    for gradient in library.gradient:
        yield gradient, "function_name"
        yield gradient, "gradient_func"
    attributes = [function.attr for function in library.function]
    for function in library.function:
        yield function.signature, "name"
        attributes += [argument.attr for argument in function.arg_attr.values()]
    for node in chain(graph.graph_def.node, *(function.node_def for function in library.function)):
        yield node, "op"
        attributes.append(node.attr)
    for attribute in attributes:
        if attribute.get(_CAPTURED) and attribute[_CAPTURED].s.isdigit():
            attribute[_CAPTURED].s = b"captured"
        for value in attribute.values():
            yield value, "s"
            for function in (value.func, *value.list.func):
                yield function, "name"
