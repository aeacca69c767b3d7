"""Equal models get equal bytes, whatever their process did before it saved them."""

from __future__ import annotations

import re
from pathlib import Path

# TensorFlow names a traced function by a counter of all that its process has made.
_NAME = re.compile(r'"(__inference_\w*?)_(\d+)"')
# What a function captured is called by the same counter, for people who debug.
_CAPTURED = re.compile(r'(key: "_user_specified_name"\s+value \{\s+s: )"\d+"')


def make_canonical(folder: Path) -> None:
    """Rewrites a SavedModel: its functions are numbered from 0 and stand in that order.

    A training that went on from a checkpoint has made fewer tensors than one that was never
    killed, so the names of its functions, and with them their order, would differ.

    Args:
        folder: of a SavedModel.
    """
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    # It holds a random identifier.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    path = folder / "saved_model.pb"
    found = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    shown = text_format.MessageToString(found)
    numbers = sorted({int(match[2]) for match in _NAME.finditer(shown)})
    place = {str(number): str(i) for i, number in enumerate(numbers)}
    renamed = _NAME.sub(lambda match: f'"{match[1]}_{place[match[2]]}"', shown)
    renamed = _CAPTURED.sub(r'\1"captured"', renamed)
    made = text_format.Parse(renamed, saved_model_pb2.SavedModel())
    for graph in made.meta_graphs:
        graph.graph_def.library.function.sort(key=lambda one: str(one.signature.name))
    path.write_bytes(made.SerializeToString(deterministic=True))
