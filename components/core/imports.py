"""Large libraries, imported in less time: TensorFlow, Great Expectations, Evidently, Prefect."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

from components.core import noise

# While it is set, TensorFlow does not import Keras with itself. It means TensorFlow's older Keras,
# which is looked for when somebody asks for tf.keras: by then it is not set any more.
_WITHOUT_KERAS = "TF_USE_LEGACY_KERAS"
_YOUNG = 50_000  # new objects that are looked through together, some 5 MB; Python's default is 700


def collect_seldom() -> None:
    """For processes that import much and end soon: a command, a stage.

    What is no longer used goes at once, as ever. Only what refers to itself waits longer.
    """
    gc.set_threshold(_YOUNG)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Python does not look for garbage while a library is imported.

    An import makes hundreds of thousands of objects and hardly any garbage, but each time their
    number has grown by a quarter Python goes through all of them. `benchmarks/imports.py` measures
    what that takes.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def tensorflow() -> None:
    """Imports TensorFlow without its lines about GPUs that are not there, and without Keras.

    A saved model needs no Keras. Whoever trains imports it by its own name.
    TF_CPP_MIN_LOG_LEVEL does not reach those lines (tensorflow/tensorflow#100442).
    """
    if "tensorflow" not in sys.modules:
        with noise.left_out(), uncollected(), switched_on(_WITHOUT_KERAS):
            import tensorflow  # noqa: F401 - for its effect


@contextlib.contextmanager
def switched_on(switch: str) -> Iterator[None]:
    """The environment's `switch` is 1; a value that a person set is kept."""
    if switch in os.environ:
        yield
        return
    os.environ[switch] = "1"
    try:
        yield
    finally:
        del os.environ[switch]
