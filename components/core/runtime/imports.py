"""Imports large libraries faster: TensorFlow, Great Expectations, Evidently, Prefect."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Iterator

from components.core.errors import MissingPackage
from components.core.runtime import noise

# While this variable is set, `import tensorflow` does not import Keras. TensorFlow reads it as a
# request for its legacy Keras, which only an access to tf.keras would import; by then it is unset.
_WITHOUT_KERAS = "TF_USE_LEGACY_KERAS"
_YOUNG = 50_000  # new objects before a garbage collection, some 5 MB; Python's default is 700
# The code of collect_seldom(), for processes that cannot import newsloop.
_SELDOM = f"import atexit, gc; gc.set_threshold({_YOUNG}); atexit.register(gc.freeze)"


def collect_seldom() -> None:
    """Runs the cyclic garbage collector less often, for short processes that import much.

    Reference counting still frees objects at once; only cycles wait longer. At exit, the remaining
    objects are frozen, so that no collection visits them.
    """
    gc.set_threshold(_YOUNG)
    atexit.register(gc.freeze)


def dvc() -> list[str]:
    """Returns the command for `python -m dvc` with less garbage collection.

    The command imports no module of newsloop, since it runs in clones whose code may be older.
    """
    code = f"{_SELDOM}; import sys; from dvc.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code]


def dvc_server() -> list[str]:
    """Returns the command of a DVC server: add the number of the descriptor to read requests from.

    A request is a line, the arguments of `dvc` as a JSON list. Its output ends with NUL on stdout
    and stderr; on stdout, the exit status and a line end follow.
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
    """Imports TensorFlow without its log lines about missing GPUs, and without Keras.

    A saved model needs no Keras; training imports `keras` itself.
    TF_CPP_MIN_LOG_LEVEL does not suppress those lines (tensorflow/tensorflow#100442).
    """
    if "tensorflow" not in sys.modules:
        with noise.left_out(), switched_on(_WITHOUT_KERAS), absent("pandas"):
            import tensorflow  # noqa: F401 - for its effect


def keras() -> None:
    """Imports Keras without its optional imports of scikit-learn, Matplotlib and pandas.

    With TensorFlow imported already, these take nine times as long as the rest of Keras.
    """
    if "keras" not in sys.modules:
        tensorflow()
        with absent("matplotlib", "pandas", "sklearn"):
            import keras  # noqa: F401 - for its effect


def require_vectors(module: str, user: str) -> None:
    """Tests that `module`, which only sentence vectors need, is installed for `user`.

    Raises:
        MissingPackage: it is not.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise MissingPackage(
            f"Expected the package {module}, which is needed for {user}; it is not installed. Run "
            "`make vectors`, or install requirements/vectors.txt."
        )


def tensorflow_package() -> str:
    """Returns the package that TensorFlow was installed from; `tensorflow-cpu` knows no GPU.

    For an older release `tensorflow` has metadata, too: see `missing_aliases` in flows/dvc.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        version("tensorflow-cpu")
    except PackageNotFoundError:
        return "tensorflow"
    return "tensorflow-cpu"


def library_versions() -> dict[str, str]:
    """Returns the versions of the libraries that a trained model depends on."""
    from importlib.metadata import version

    packages = {"keras": "keras", "numpy": "numpy", "tensorflow": tensorflow_package()}
    return {library: version(package) for library, package in packages.items()}


@contextlib.contextmanager
def absent(*names: str) -> Iterator[None]:
    """Makes imports of these packages fail inside `with`, unless they were imported before.

    None in sys.modules makes an import fail ("The import system", 5.3.1).
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
    """Sets the environment variable `switch` to 1 inside `with`; a value of the user stays."""
    if switch in os.environ:
        yield
        return
    os.environ[switch] = "1"
    try:
        yield
    finally:
        del os.environ[switch]
