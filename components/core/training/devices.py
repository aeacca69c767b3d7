"""Selects the devices of training: a CPU, one GPU, several, or several machines (tf.distribute)."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from functools import cache
from typing import Any

from components.core.errors import ParamsError
from components.core.params.fitting import Hardware

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of mallopt, see its manual page
_BFLOAT16 = (8, 0)  # compute capability of NVIDIA GPUs with bfloat16


def keep_memory() -> None:
    """Configures glibc to keep freed memory in this process; no effect with other C libraries.

    Each training step allocates the same large blocks. By default glibc returns them to the kernel
    and the next step gets them page by page, which takes up to a third of the step's time.
    """
    with contextlib.suppress(AttributeError, OSError):  # C library without mallopt
        change = ctypes.CDLL(None).mallopt
        change(_TRIM_THRESHOLD, 2**31 - 1)
        change(_MMAP_MAX, 0)


@cache
def strategy(kind: Hardware) -> Any:
    """Returns the tf.distribute.Strategy of this process, the same object for each call.

    Call it before any other use of TensorFlow, since MultiWorkerMirroredStrategy connects the
    workers at TensorFlow's start.

    Raises:
        ParamsError: the hardware that `kind` names is missing.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if kind == "workers" or (kind == "auto" and len(_workers()) > 1):
        if not _workers():
            raise ParamsError(
                "Expected the workers' addresses in the environment variable TF_CONFIG, found "
                "none. Set it on each machine (docs/scale.md), or train.hardware: auto."
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if kind == "gpu" and not gpus:
        raise ParamsError(
            "Expected a GPU for train.hardware: gpu, TensorFlow found none. Install its CUDA "
            "libraries by `make gpu`, or set train.hardware: auto."
        )
    if kind == "cpu" and gpus:
        tf.config.set_visible_devices([], "GPU")
    if kind == "mirrored" or (kind == "auto" and len(gpus) > 1):
        # Without a GPU the logical CPUs: one, unless TensorFlow is configured for more.
        names = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in names])
    return tf.distribute.get_strategy()


def _workers() -> list[str]:
    """Returns the workers' addresses from TF_CONFIG."""
    config = json.loads(os.environ.get("TF_CONFIG", "{}"))
    return list(config.get("cluster", {}).get("worker", []))


def is_single_worker(where: Any) -> bool:
    """Tests that no other machine takes part, so that a checkpoint holds the complete state."""
    return where.cluster_resolver is None or len(_workers()) <= 1


def is_chief(where: Any) -> bool:
    """Tests that this process writes the model: the first worker, or the only process."""
    resolver = where.cluster_resolver
    return resolver is None or not resolver.task_id


def describe(where: Any) -> str:
    """Names the devices of a strategy, for example "CPU" or "2 GPUs (NVIDIA L4)"."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    kind = "GPU" if gpus else "CPU"
    count = where.num_replicas_in_sync
    shown = kind if count == 1 else f"{count} {kind}s"
    if not gpus:
        return shown
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"{shown} ({details.get('device_name', gpus[0].name)})"


def policy(precision: str) -> str:
    """Returns the Keras dtype policy for `precision`: "auto", "bfloat16" or "float32".

    The policy is mixed_bfloat16, not mixed_float16, since bfloat16 needs no loss scaling. "auto"
    selects it if every GPU supports bfloat16.
    """
    import tensorflow as tf

    if precision == "auto":
        gpus = tf.config.get_visible_devices("GPU")
        supported = gpus and all(
            tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
            >= _BFLOAT16
            for gpu in gpus
        )
        precision = "bfloat16" if supported else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
