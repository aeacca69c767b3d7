"""Hazard 1, training: killed by -9 after any epoch, it goes on and ends with the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from components.core import tables
from components.core.params import edit
from components.core.runtime.offline import SWITCHES
from tests.project import LABELS, ROOT, articles

EPOCHS = 3
SMALL = {"words": 48, "members": 1, "filters": 8, "bag": 4, "batch_size": 8}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split of 60 real articles, and a small recipe with all that could go on wrongly."""
    root = tmp_path_factory.mktemp("killed")
    shutil.copy(ROOT / "params.yaml", root)
    settings = {
        "train.epochs": EPOCHS,
        "train.patience": EPOCHS,
        "train.embedding": "random",
        "train.fitting.schedule": "cosine",
        "train.fitting.crop": 0.5,
        "train.fitting.weight_decay": 0.01,
    }
    small = {f"train.textcnn.{key}": value for key, value in SMALL.items()}
    edit.set_values(root / "params.yaml", settings | small)
    (root / "dvc.yaml").write_text("stages: {}\n")
    tables.write_json({"architecture": "textcnn"}, root / "data" / "candidate.json")
    for side, start, stop in (("train", 0, 9), ("validation", 9, 12)):
        rows = [
            {"text": text, "label": label}
            for label in LABELS
            for text in articles(label, start, stop)
        ]
        tables.write_table(pl.DataFrame(rows), root / "data" / "03_split" / f"{side}.parquet")
    return root


def train(project: Path, home: Path, until: str | None = None, sent: int = 0) -> tuple[int, str]:
    """The stage in a process of its own, which gets the signal `sent` when it has said `until`."""
    env = {**os.environ, **SWITCHES, "PYTHONPATH": str(ROOT), "NEWSLOOP_HOME": str(home)}
    command = [sys.executable, "-m", "components.train"]
    shutil.rmtree(project / "data" / "04_trained", ignore_errors=True)  # as DVC does
    said = ""
    with subprocess.Popen(
        command, cwd=project, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said += line
            if until and until in line:
                process.send_signal(sent)
    return process.returncode, said


def digest(project: Path) -> dict[str, str]:
    """SHA-256 of each file that the stage wrote."""
    folder = project / "data" / "04_trained"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a training leaves that nobody killed."""
    status, said = train(project, tmp_path_factory.mktemp("home"))
    assert (status, f"epoch {EPOCHS}/{EPOCHS}" in said) == (0, True), said
    found = digest(project)
    assert "model/saved_model.pb" in found
    assert "live/plots/metrics/validation/loss.tsv" in found
    return found


def test_killed_and_interrupted_it_ends_with_the_same_bytes(
    project: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    """Killed in the second epoch and after the last: each time the next run goes on."""
    status, said = train(project, tmp_path, "epoch 1/", signal.SIGKILL)
    assert (status, f"epoch {EPOCHS}/" in said) == (-signal.SIGKILL, False)
    status, said = train(project, tmp_path, f"epoch {EPOCHS}/", signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert "resumes after epoch" in said
    assert "epoch 1/" not in said
    status, said = train(project, tmp_path)
    assert status == 0, said
    assert (f"resumes after epoch {EPOCHS}" in said, f"{EPOCHS}/{EPOCHS}" in said) == (True, False)
    assert digest(project) == whole
    assert list((tmp_path / "checkpoints").iterdir()) == []
