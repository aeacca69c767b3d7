"""Retraining effect: compares the model before and the model after on the same texts.

The texts arrived after the release, so neither model was trained on them. On labelled texts the
difference of accuracy has a paired bootstrap interval, as in the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from components.core import bundle, metrics
from components.core import target as targets
from components.core.bundle import Model
from components.core.errors import BundleError
from components.core.ledger import LABELS, OUTCOMES, PREDICTIONS, TEXTS, WINDOWS, Champion, Ledger
from components.core.ledger import decisions as ledger_decisions
from components.core.ledger.tables import last_labels
from components.core.ledger.verdicts import RunOutcome
from components.core.params import Gate, Params
from components.core.paths import Paths
from components.core.target import Target

FEWEST = 20  # least labelled texts of a comparison


class Effect(StrEnum):
    HELPED = "helped"
    WORSE = "made it worse"
    SAME = "no difference seen"
    CANNOT_SAY = "cannot say"


def run(
    params: Params,
    paths: Paths,
    ledger: Ledger,
    load: Callable[[Path, Path], Model] = bundle.load,
) -> dict[str, Any] | None:
    """Compares the champion with the version before it, and adds the answer to the decision's row.

    Args:
        params: `governor.compare_windows`, `gate` (level, resamples, seed), `monitor.max_rows`.
        paths: `bundles` and `keys` are used.
        ledger: open.
        load: gives the model for a bundle's folder and the folder with the public key.

    Returns:
        The result of `compare` with `before`, `after` (tags), `windows` and `of`; None if the
        champion is not from a retraining, or there is no new window or label.
    """
    history = ledger.deployments(limit=2)
    row = _decision(ledger, history[0]) if len(history) > 1 else None
    if row is None:
        return None
    after, before = history
    windows = ledger.query(
        sa.select(WINDOWS.c.after, WINDOWS.c.until)
        .where(WINDOWS.c.bundle == after.bundle, WINDOWS.c.until > WINDOWS.c.after)
        .order_by(WINDOWS.c.seq)
        .limit(params.governor.compare_windows)
    )
    if not windows:
        return None
    answers = _answers(ledger, after.bundle, windows[0]["after"], windows[-1]["until"])
    answers = answers.tail(params.monitor.max_rows)
    old = row["details"].get("effect", {})
    known = answers["actual"].drop_nulls().len()
    if (old.get("windows"), old.get("labelled")) == (len(windows), known) or answers.is_empty():
        return None
    effect: dict[str, Any] = {
        "before": before.tag,
        "after": after.tag,
        "windows": len(windows),
        "of": params.governor.compare_windows,
        "labelled": known,
    }
    try:
        model = load(paths.bundles / before.bundle, paths.keys)
    except BundleError:
        effect |= {
            "answer": Effect.CANNOT_SAY,
            "text": f"{before.tag} is gone from the bundle store.",
        }
    else:
        earlier = model.predict(answers["text"].to_list())
        effect |= compare(
            answers.with_columns(before=pl.Series(earlier.labels)), targets.of(params), params.gate
        )
    ledger_decisions.add_details(ledger, row["id"], {"effect": effect})
    return effect


def compare(answers: pl.DataFrame, target: Target, settings: Gate) -> dict[str, Any]:
    """Compares the answers of both models.

    Args:
        answers: a row a text: `before`, `label` (the answer after), `actual` (null: not labelled).
        target: that decides which answers are right.
        settings: `level`, `resamples`, `seed`.

    Returns:
        texts, same (share of equal answers), labelled, and with labels enough right_before,
        right_after, low, high (of after less before); answer: an `Effect`; text: the same as a
        sentence.
    """
    labelled = answers.filter(pl.col("actual").is_not_null())
    agreement: dict[str, Any] = {
        "texts": len(answers),
        "same": int(target.right(answers["before"], answers["label"]).sum()) / max(len(answers), 1),
        "labelled": len(labelled),
    }
    if len(labelled) < FEWEST:
        text = (
            f"{len(labelled)} of {len(answers)} texts are labelled, {FEWEST} are needed; both "
            f"models say the same of {agreement['same']:.0%}."
        )
        return {**agreement, "answer": Effect.CANNOT_SAY, "text": text}
    right = {
        name: target.right(labelled["actual"], labelled[column]).to_numpy()
        for name, column in (("before", "before"), ("after", "label"))
    }
    gap = metrics.paired_difference(
        right["after"], right["before"], settings.level, settings.resamples, settings.seed
    )
    answer = Effect.SAME
    if gap.low > 0:
        answer = Effect.HELPED
    elif gap.high < 0:
        answer = Effect.WORSE
    counts = {f"right_{name}": int(values.sum()) for name, values in right.items()}
    text = (
        f"Of {len(labelled)} labelled texts the model before has {counts['right_before']} right, "
        f"the one after {counts['right_after']}: {gap.value:+.3f}, between {gap.low:+.3f} and "
        f"{gap.high:+.3f}."
    )
    return {**agreement, **counts, "low": gap.low, "high": gap.high, "answer": answer, "text": text}


def _decision(ledger: Ledger, champion: Champion) -> dict[str, Any] | None:
    """Reads the decision behind the champion's retraining; None for another kind of release."""
    rows = ledger.query(
        sa.select(OUTCOMES.c.decision_id, OUTCOMES.c.details)
        .where(OUTCOMES.c.outcome == RunOutcome.RELEASED)
        .order_by(OUTCOMES.c.seq.desc())
        .limit(1)
    )
    if not rows or rows[0]["details"].get("version") != champion.tag or not rows[0]["decision_id"]:
        return None
    return ledger_decisions.decision(ledger, rows[0]["decision_id"])


def _answers(ledger: Ledger, name: str, after: int, until: int) -> pl.DataFrame:
    """Reads the columns text (scrubbed), label (predicted) and actual (people's label, or null)."""
    last = last_labels()
    labels = LABELS.alias()
    rows = ledger.query(
        sa.select(TEXTS.c.text, PREDICTIONS.c.label, labels.c.label.label("actual"))
        .select_from(PREDICTIONS)
        .join(TEXTS, TEXTS.c.prediction_id == PREDICTIONS.c.id)
        .join(last, last.c.prediction_id == PREDICTIONS.c.id, isouter=True)
        .join(labels, labels.c.seq == last.c.seq, isouter=True)
        .where(PREDICTIONS.c.bundle == name, TEXTS.c.text.is_not(None))
        .where(PREDICTIONS.c.seq > after, PREDICTIONS.c.seq <= until)
        .order_by(PREDICTIONS.c.seq)
    )
    columns = {"text": pl.String, "label": pl.String, "actual": pl.String}
    return pl.DataFrame(rows, schema=columns)
