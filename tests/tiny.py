"""A real bundle, signed and loadable, made in two seconds: for tests of what stands around it.

Each label has a few words of its own; a text gets the label whose words it holds. What the bundle
says is therefore known before it is asked. Of equal arguments a session of tests makes one, and
copies it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from components.core import bundle as bundles
from components.core import keys, tables, text_quality
from components.core import ledger as ledgers
from components.core import params as parameters
from components.core.bundle import reference as references
from components.core.ledger import Champion, Ledger
from components.core.networks import assembly as networks
from components.core.paths import Paths
from components.core.runtime import imports
from components.core.target.calibration import Calibration
from components.core.tokenizers import words as texts

LABELS = ("business", "entertainment", "politics", "sport", "tech")
WORDS = {
    "business": ("bank", "market", "shares"),
    "entertainment": ("film", "music", "singer"),
    "politics": ("election", "minister", "parliament"),
    "sport": ("goal", "match", "team"),
    "tech": ("computer", "internet", "software"),
}
LENGTH = 32  # words read of a text
NOW = datetime(2026, 1, 5, 3, tzinfo=UTC)
# A folder that all processes of a session of tests have; None: bundles are made each time.
shared: Path | None = None


def words_for(labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The words of each label: WORDS where it is known, else the label itself and two like it."""
    return {
        label: WORDS.get(label, tuple(f"{label.lower()}{end}" for end in ("", "one", "two")))
        for label in labels
    }


def make_bundle(
    folder: Path,
    key_folder: Path,
    labels: Sequence[str] = LABELS,
    seed: int = 0,
    words: Mapping[str, Sequence[str]] | None = None,
    calibration: Calibration = Calibration(),  # noqa: B008 - frozen
) -> str:
    """Writes a bundle to `folder`, signed by the key in `key_folder`, which is made if missing.

    Args:
        labels: the classes.
        seed: another one gives a bundle with another name and slightly other confidences.
        words: of each label; see `words_for`.

    Returns:
        The bundle's name.
    """
    words = dict(words or words_for(labels))
    given = (labels, seed, words, calibration)
    if shared is None:
        _make(folder, *given)
    else:
        made = shared / "tiny" / hashlib.sha256(repr(given).encode()).hexdigest()
        made.parent.mkdir(exist_ok=True)
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                _make(made.with_suffix(".partial"), *given)
                made.with_suffix(".partial").rename(made)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    keys.ensure(key_folder)
    return bundles.sign(folder, key_folder)


def _make(
    folder: Path,
    labels: Sequence[str],
    seed: int,
    words: Mapping[str, Sequence[str]],
    calibration: Calibration,
) -> None:
    """All of a bundle but its signature; see `make_bundle`."""
    imports.keras()
    import keras

    vocabulary = [word for label in labels for word in words[label]]
    settings = parameters.TextCnn(
        words=LENGTH, members=1, filters=len(labels), widths=[1], bag=1, dropout=0.0,
        word_dropout=0.0, batch_size=1, learning_rate=0.1,
    )  # fmt: skip
    # A word's vector says whose word it is, and the network does no more than read that.
    vectors = np.zeros((texts.FIRST_WORD + len(vocabulary), len(labels)), np.float32)
    owners = [i for i, label in enumerate(labels) for _ in words[label]]
    vectors[np.arange(texts.FIRST_WORD, len(vectors)), owners] = 1
    keras.backend.clear_session()  # its counters get into the names of layers
    network = networks.build(settings, vectors, len(labels), seed)
    identity = np.eye(len(labels), dtype=np.float32)
    strength = np.random.default_rng(seed).uniform(3, 4)
    nothing = np.zeros(len(labels), np.float32)
    network.get_layer("filters_0_1").set_weights([identity[None], nothing])
    network.get_layer("dense_1").set_weights([strength * identity, nothing])
    # The second member, the bag, says the same of every text.
    network.get_layer("dense_2").set_weights([0 * identity[:1], nothing])
    bundles.save_model(
        folder / bundles.MODEL,
        network,
        texts.make_encoder(vocabulary, LENGTH),
        np.zeros(len(labels) + 1, np.float32),
        np.vstack([identity, 0 * identity[:1]])[:, :2],
        calibration,
    )
    facts: dict[str, Any] = {
        "labels": list(labels),
        "architecture": "textcnn",
        "text": {"words": LENGTH, "vocabulary": len(vocabulary), "min_count": 1},
        "metrics": {"accuracy": 1.0},
        "origin": {"made_by": "tests/tiny.py", "seed": seed},
    }
    tables.write_json(facts, folder / bundles.FACTS)
    samples = [f"the {word} of today" for word in vocabulary for _ in range(3)]
    found = bundles.Bundle(folder, "unsigned").predict(samples)
    known = references.table(found, samples, lambda _: text_quality.SHORT)
    reference = references.with_truth(known, found.labels)
    tables.write_table(references.common_words(samples), folder / bundles.WORDS)
    tables.write_table(reference, folder / bundles.REFERENCE)


def make_champion(
    paths: Paths,
    labels: Sequence[str] = LABELS,
    seed: int = 0,
    words: Mapping[str, Sequence[str]] | None = None,
    *,
    time: datetime = NOW,
    reason: str = "a test",
) -> Champion:
    """Makes a bundle, puts it into the bundle store, and makes it the ledger's champion."""
    Ledger(ledgers.url(paths.ledger)).close()  # none is made anew beside released bundles
    draft = paths.bundles / f".draft-{seed}"
    shutil.rmtree(draft, ignore_errors=True)
    name = make_bundle(draft, paths.keys, labels, seed, words)
    if (paths.bundles / name).exists():
        shutil.rmtree(draft)
    else:
        draft.rename(paths.bundles / name)
    return deploy(paths, name, time, reason)


def deploy(paths: Paths, name: str, time: datetime = NOW, reason: str = "a test") -> Champion:
    """Makes a bundle of the store the champion, as a new version or, if it has one, as that."""
    ledger = Ledger(ledgers.url(paths.ledger))
    try:
        versions = ledger.versions()
        known = next((row["version"] for row in versions if row["bundle"] == name), None)
        if known is not None:
            ledger.deploy(known, time, reason)
        else:
            version = len(versions) + 1
            row = {
                "version": version,
                "bundle": name,
                "time": time,
                "tag": f"newsloop@v{version}.0.0",
                "commit": f"{version:040x}",
                "dvc_lock": f"{version:064x}",
                "snapshot": f"{version:064x}",
                "metrics": {"accuracy": 1.0},
                "decision": {"verdict": "release", "reasons": []},
            }
            ledger.add_version(row, reason)
        champion = ledger.champion()
    finally:
        ledger.close()
    assert champion is not None
    return champion
