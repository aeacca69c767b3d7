"""The candidate `ensemble`: architectures that were trained one by one become one network."""

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
    found: Mapping[Single, tuple[Any, Any, dict[str, Any]]],
    params: Params,
    validation: pl.DataFrame | Path,
    kept: Path | None = None,
) -> tuple[Any, Any, dict[str, Any]]:
    """One network, encoder and facts out of those of each architecture.

    Args:
        found: architecture -> trained network, encoder, facts, as `train.fit` returns them.
        params: all settings; `train` and `ingest.labels` are read.
        validation: documents with text and label.
        kept: see `train.fit`.

    Returns:
        As `train.fit`. The facts count the epochs of all, one architecture after the other as
        they were trained, and hold each one's own facts under `of`.
    """
    networks, encoders, facts = zip(*found.values(), strict=True)
    joined = assembly.join(networks, [params.train.architecture(name).words for name in found])
    encoder = word_tokenizer.join_encoders(encoders)
    found_, actual = inference.outputs("ensemble", joined, encoder, params, validation, kept)
    accuracy, loss = targets.of(params).judge(found_[assembly.PROBABILITIES], actual, 0.0)
    return (
        joined,
        encoder,
        {
            **facts[0],
            "architecture": "ensemble",
            "words_in_glove": max(one["words_in_glove"] for one in facts),
            "weights": int(joined.count_params()),
            "tried": "epochs and strengths",
            "epochs": sum(one["epochs"] for one in facts),
            # Where the last one's best epoch stands among all.
            "best_epoch": sum(one["epochs"] for one in facts[:-1]) + facts[-1]["best_epoch"],
            "validation_accuracy": round(accuracy, 6),
            "validation_loss": round(loss, 6),
            "of": dict(zip(found, facts, strict=True)),
        },
    )
