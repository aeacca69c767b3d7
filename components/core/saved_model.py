"""Equal models get equal bytes, whatever their process did before it saved them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

# TensorFlow names a traced function by a counter of all that its process has made.
_NAME = re.compile(r"(__inference_\w*?)_(\d+)")
_CAPTURED = "_user_specified_name"  # of what a function captured: the same counter, for debugging


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
    path = folder / "saved_model.pb"
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
