"""The candidate `ensemble`: one network of several architectures that were trained separately."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from components.core import target as targets
from components.core.networks import assembly
from components.core.params import Params
from components.core.params.architectures import Single
from components.core.tokenizers import words as word_tokenizer
from components.train import inference


def combine(
    trained: Mapping[Single, tuple[Any, Any, dict[str, Any]]],
    params: Params,
    validation: pl.DataFrame | Path,
    cache_folder: Path | None = None,
) -> tuple[Any, Any, dict[str, Any]]:
    """Joins networks, encoders and facts of several architectures.

    Args:
        trained: architecture -> network, encoder and facts from `train.fit`.
        params: all settings; `train`, `ingest.labels` and the target are read.
        validation: documents with text and label.
        cache_folder: see `train.fit`.

    Returns:
        Network, encoder and facts as `train.fit` returns them. `epochs` is the sum over the
        architectures in the order of training, and `of` holds the facts of each architecture.
    """
    networks, encoders, facts = zip(*trained.values(), strict=True)
    joined = assembly.join(networks, [params.train.architecture(name).words for name in trained])
    encoder = word_tokenizer.join_encoders(encoders)
    predictions, actual = inference.outputs(
        "ensemble", joined, encoder, params, validation, cache_folder
    )
    accuracy, loss = targets.of(params).judge(predictions[assembly.PROBABILITIES], actual, 0.0)
    return (
        joined,
        encoder,
        {
            **facts[0],
            "architecture": "ensemble",
            "words_in_glove": max(member["words_in_glove"] for member in facts),
            "weights": int(joined.count_params()),
            "tried": "epochs and strengths",
            "epochs": sum(member["epochs"] for member in facts),
            # Number of the last architecture's best epoch, counted over all architectures.
            "best_epoch": sum(member["epochs"] for member in facts[:-1]) + facts[-1]["best_epoch"],
            "validation_accuracy": round(accuracy, 6),
            "validation_loss": round(loss, 6),
            "chosen": {
                name: member["chosen"][name] for name, member in zip(trained, facts, strict=True)
            },
            "of": dict(zip(trained, facts, strict=True)),
        },
    )
