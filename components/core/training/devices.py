"""Where training runs: a CPU, one GPU, several, or several machines (tf.distribute)."""

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
_BFLOAT16 = (8, 0)  # compute capability from which NVIDIA's GPUs compute in it


def keep_memory() -> None:
    """Lets this process keep the memory that it frees, where its C library is glibc.

    Each step asks for the same large blocks as the one before. By default glibc gives them back to
    the kernel and gets them anew, page by page, which costs as much as a third of the step.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        change = ctypes.CDLL(None).mallopt
        change(_TRIM_THRESHOLD, 2**31 - 1)
        change(_MMAP_MAX, 0)


@cache
def strategy(kind: Hardware) -> Any:
    """The tf.distribute.Strategy of this process; the same one each time it is asked for.

    To be called before anything else uses TensorFlow: workers meet at its start.

    Raises:
        ParamsError: this machine has not what `kind` asks for.
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
            "libraries (README), or set train.hardware: auto."
        )
    if kind == "cpu" and gpus:
        tf.config.set_visible_devices([], "GPU")
    if kind == "mirrored" or (kind == "auto" and len(gpus) > 1):
        # Without a GPU the logical CPUs: one, unless somebody has asked TensorFlow for more.
        names = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in names])
    return tf.distribute.get_strategy()


def _workers() -> list[str]:
    """Addresses that TF_CONFIG names."""
    found = json.loads(os.environ.get("TF_CONFIG", "{}"))
    return list(found.get("cluster", {}).get("worker", []))


def alone(where: Any) -> bool:
    """Whether no other machine takes part: then a checkpoint holds all there is to know."""
    return where.cluster_resolver is None or len(_workers()) <= 1


def is_chief(where: Any) -> bool:
    """Whether this process writes what was learned: the first worker, or the only process."""
    resolver = where.cluster_resolver
    return resolver is None or not resolver.task_id


def describe(where: Any) -> str:
    """The devices of a strategy, for example "CPU" or "2 GPUs (NVIDIA L4)"."""
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
    """Keras' dtype policy: bfloat16 needs no scaling of the loss, as float16 would."""
    import tensorflow as tf

    if precision == "auto":
        gpus = tf.config.get_visible_devices("GPU")
        able = gpus and all(
            tf.config.experimental.get_device_details(one).get("compute_capability", (0, 0))
            >= _BFLOAT16
            for one in gpus
        )
        precision = "bfloat16" if able else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
