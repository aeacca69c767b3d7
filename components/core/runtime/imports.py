"""Large libraries, imported in less time: TensorFlow, Great Expectations, Evidently, Prefect."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Iterator

from components.core.runtime import noise

# While it is set, TensorFlow does not import Keras with itself. It means TensorFlow's older Keras,
# which is looked for when somebody asks for tf.keras: by then it is not set any more.
_WITHOUT_KERAS = "TF_USE_LEGACY_KERAS"
_YOUNG = 50_000  # new objects that are looked through together, some 5 MB; Python's default is 700
# What collect_seldom() does, for code that can import nothing of ours.
_SELDOM = f"import atexit, gc; gc.set_threshold({_YOUNG}); atexit.register(gc.freeze)"


def collect_seldom() -> None:
    """For processes that import much and end soon: a command, a stage.

    What is no longer used goes at once, as ever. Only what refers to itself waits longer, and what
    is still there in the end is not looked through: the system takes all of it back.
    """
    gc.set_threshold(_YOUNG)
    atexit.register(gc.freeze)


def dvc() -> list[str]:
    """The command that is DVC, collecting seldom, too: `python -m dvc`, but cheaper.

    It names no module of ours: it is run in clones whose code may be older.
    """
    code = f"{_SELDOM}; import sys; from dvc.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code]


def dvc_server() -> list[str]:
    """A DVC that obeys commands: one more argument is the descriptor to read them from.

    A command is a line, its arguments as JSON. What it says ends with NUL on stdout and stderr; on
    stdout its status and a line's end follow.
    """
    code = f"""
import json, os, sys
{_SELDOM}
from dvc.cli import main
with os.fdopen(int(sys.argv[1])) as commands:
    for line in commands:
        sys.argv = ["dvc", *json.loads(line)]
        status = main(sys.argv[1:])
        print(f"\\0{{status or 0}}", flush=True)
        print(end="\\0", file=sys.stderr, flush=True)
"""
    return [sys.executable, "-c", code]


def tensorflow() -> None:
    """Imports TensorFlow without its lines about GPUs that are not there, and without Keras.

    A saved model needs no Keras. Whoever trains imports it by its own name.
    TF_CPP_MIN_LOG_LEVEL does not reach those lines (tensorflow/tensorflow#100442).
    """
    if "tensorflow" not in sys.modules:
        with noise.left_out(), switched_on(_WITHOUT_KERAS), absent("pandas"):
            import tensorflow  # noqa: F401 - for its effect


def keras() -> None:
    """Imports Keras without what it would wrap, draw with or read from if it were there.

    Keras takes scikit-learn, Matplotlib and pandas for optional; importing them takes nine times
    what the rest of it takes, where TensorFlow is there already.
    """
    if "keras" not in sys.modules:
        tensorflow()
        with absent("matplotlib", "pandas", "sklearn"):
            import keras  # noqa: F401 - for its effect


@contextlib.contextmanager
def absent(*names: str) -> Iterator[None]:
    """An import of these packages fails meanwhile, unless they were imported before.

    None in sys.modules is how Python is told so ("The import system", 5.3.1).
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)


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
