"""SavedModels: raw strings in, answers out; equal ones get equal bytes, whoever saved them."""

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
# In the name of each operation of TensorFlow Text that cuts words into pieces; see wordpiece.py.
_CUTS = b"Wordpiece"
_TOGETHER = 200_000  # characters that are computed together, were all texts as long as the longest
_EXPLAINED = ("probabilities", "baseline", "words", "weights")  # what `explain` gives
# TensorFlow names a traced function by a counter of all that its process has made.
_NAME = re.compile(r"(__inference_\w*?)_(\d+)")
_CAPTURED = "_user_specified_name"  # of what a function captured: the same counter, for debugging


class SavedModel:
    """A SavedModel in memory, as `save` makes it; see core/bundle/runtimes/__init__.py.

    Args:
        module: what TensorFlow loaded. It is kept: its signatures need it.
        memory: bytes of its variables.
    """

    def __init__(self, module: Any, memory: int) -> None:
        self._module, self.memory = module, memory

    @property
    def explains(self) -> bool:
        return "explain" in self._module.signatures

    def predict(self, texts: Sequence[str]) -> dict[str, Array]:
        """Answers for B texts, each (B, ...).

        A text costs what the longest of those computed with it costs, so like is put with like.
        """
        import numpy as np

        parts = list(_alike(texts))
        answer = self._module.signatures["serving_default"]
        found = [answer(texts=_raw([texts[i] for i in part])) for part in parts]
        back = np.argsort(np.concatenate(parts))
        return {key: np.concatenate([one[key].numpy() for one in found])[back] for key in found[0]}

    def explain(self, texts: Sequence[str]) -> Iterator[tuple[Array, Array, list[str], Array]]:
        """Of each text: probabilities (C,) of it, and of nothing to read; words and their weights.

        The probability of nothing to read is known of the text's label; of others it is NaN.
        """
        import numpy as np

        found = self._module.signatures["explain"](texts=_raw(texts))
        rows = zip(*(found[name].numpy() for name in _EXPLAINED), strict=True)
        for said, baseline, words, weights in rows:
            before = np.full_like(said, np.nan)
            before[said.argmax()] = baseline
            yield said, before, [word.decode("utf-8", "replace") for word in words], weights

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
        found = outputs(ids)
        probabilities = tempered(found[PROBABILITIES])
        return {
            "probabilities": probabilities,
            "abstained": tf.reduce_max(probabilities, axis=1) < calibration.abstain_below,
            "features": tf.matmul(found[FEATURES] - module.centre, module.directions),
            "words": words,
            "unknown_share": unknown_share,
        }

    texts = tf.TensorSpec([None], tf.string, name="texts")

    # Nothing here depends on a tensor's value in Python's own words, so nothing is to be rewritten.
    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.network = network
            self.centre = tf.constant(trained.centre, tf.float32)
            self.directions = tf.constant(trained.directions, tf.float32)

        @tf.function(input_signature=[texts], autograph=False)
        def predict(self, texts):  # type: ignore[no-untyped-def]  # annotations break BentoML's use
            return answer(encoder(texts), lambda ids: self.network(ids, training=False))

        @tf.function(input_signature=[texts], autograph=False)
        def explain(self, texts):  # type: ignore[no-untyped-def]
            def probabilities(ids: Any) -> Any:
                return tempered(self.network(ids, training=False)[PROBABILITIES])

            ids = self.encoder(texts)[0]
            if cropped:  # it does not matter how far a text is padded
                ids = ids[:, : tf.maximum(tf.reduce_max(tf.math.count_nonzero(ids, axis=1)), 1)]
            weighed = weigh(self.network, probabilities, ids, self.encoder.lengths)
            return {**weighed, "words": self.encoder.read(texts)}

    cropped = textcnn_weights(network) is not None
    module = Module()
    signatures = {"serving_default": module.predict, "explain": module.explain}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    make_canonical(folder)


def accepts(folder: Path) -> bool:
    """A SavedModel lies in `folder`."""
    return (folder / _GRAPH).exists()


def import_libraries() -> None:
    imports.tensorflow()


def load(folder: Path) -> SavedModel:
    """The SavedModel at `folder`."""
    import_libraries()
    import tensorflow as tf

    graph = folder / _GRAPH
    if graph.exists() and _CUTS in graph.read_bytes():
        # It brings Keras with it, so it is imported for the models that need it only.
        import tensorflow_text  # noqa: F401 - for its effect
    memory = sum(file.stat().st_size for file in folder.glob("variables/*.data-*"))
    return SavedModel(tf.saved_model.load(str(folder)), memory)


def give_back_memory() -> None:
    """Collects loaded models, which hold each other in circles, and returns free pages.

    It stops all threads for a while.
    """
    gc.collect()
    if sys.platform == "linux":
        # glibc keeps the pages of a freed model for itself unless it is asked.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # another libc may not have it
        if trim is not None:
            trim(0)


def _alike(texts: Sequence[str]) -> Iterator[list[int]]:
    """The numbers of all texts, in groups of like length."""
    group: list[int] = []
    for i in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if group and (len(group) + 1) * len(texts[i]) > _TOGETHER:
            yield group
            group = []
        group.append(i)
    yield group


def _raw(texts: Sequence[str]) -> Any:
    """(B,) strings of TensorFlow. A lone surrogate is no character; it reads as an unknown one."""
    import tensorflow as tf

    return tf.constant([text.encode("utf-8", "replace") for text in texts], tf.string)


def make_canonical(folder: Path) -> None:
    """Rewrites a SavedModel: its functions are numbered from 0 and stand in that order.

    A training that went on from a checkpoint has made fewer tensors than one that was never
    killed, so the names of its functions, and with them their order, would differ.

    Args:
        folder: of a SavedModel.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    # It holds a random identifier.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    path = folder / _GRAPH
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in model.meta_graphs:
        _renumber(graph)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _renumber(graph: Any) -> None:
    """Renames the functions of a MetaGraphDef wherever they are named."""
    functions = graph.graph_def.library.function
    numbers = {int(match[2]) for one in functions if (match := _NAME.fullmatch(one.signature.name))}
    place = {number: i for i, number in enumerate(sorted(numbers))}

    def renamed(name: str) -> str:
        match = _NAME.fullmatch(name)
        return f"{match[1]}_{place[int(match[2])]}" if match else name

    for message, field in _mentions(graph):
        before = getattr(message, field)
        text = before.decode(errors="ignore") if isinstance(before, bytes) else before
        if (after := renamed(text)) != text:
            setattr(message, field, after.encode() if isinstance(before, bytes) else after)
    for node in graph.object_graph_def.nodes:
        if names := node.function.concrete_functions:  # else writing would make it a function
            names[:] = [renamed(name) for name in names]
    concrete = graph.object_graph_def.concrete_functions
    found = {renamed(name): concrete.pop(name) for name in list(concrete)}
    for name, function in found.items():
        concrete[name].CopyFrom(function)
    functions.sort(key=lambda one: str(one.signature.name))


def _mentions(graph: Any) -> Iterator[tuple[Any, str]]:
    """Each (message, field) that may hold a function's name; names of captures are put out."""
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
    for node in chain(graph.graph_def.node, *(one.node_def for one in library.function)):
        yield node, "op"
        attributes.append(node.attr)
    for attribute in attributes:
        if attribute.get(_CAPTURED) and attribute[_CAPTURED].s.isdigit():
            attribute[_CAPTURED].s = b"captured"
        for value in attribute.values():
            yield value, "s"
            for function in (value.func, *value.list.func):
                yield function, "name"
