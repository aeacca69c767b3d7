"""Renders an evaluation as one HTML page without external resources, byte-identical each time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from components.core import pages
from components.core.pages import figures
from components.core.target import SingleLabel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_CLASSES = 20  # of a figure, with room for their names
_SHOWN_MISTAKES = 12  # the most confident mistakes, about one screen
_EXCERPT = 260  # characters of a scrubbed text, enough for a person to judge a mistake
_BINS = 10  # of the reliability diagram, equally many documents each
_CELL = "#2563a8"  # of the confusion matrix; its opacity is the share, on a light or dark page


@dataclass(frozen=True)
class Insight:
    """Explanations, suspected labels and behaviour tests.

    Attributes:
        words: result of `insight.class_words`.
        suspects: result of `insight.suspected_labels`, with a column text (scrubbed).
        behaviour: the cases of `behaviour.check`.
    """

    words: dict[str, list[dict[str, Any]]]
    suspects: pl.DataFrame
    behaviour: list[dict[str, Any]]


def epochs(folder: Path) -> pl.DataFrame:
    """Reads DVCLive's curves: columns step, train_loss, train_accuracy, validation_loss, ..."""
    table: pl.DataFrame | None = None
    for side in ("train", "validation"):
        for name in ("loss", "accuracy"):
            curve = pl.read_csv(folder / side / f"{name}.tsv", separator="\t")
            curve = curve.select("step", pl.col(name).alias(f"{side}_{name}"))
            table = curve if table is None else table.join(curve, on="step")
    assert table is not None
    return table


def render(
    measured: dict[str, Any],
    answers: pl.DataFrame,
    training: dict[str, Any],
    curves: pl.DataFrame,
    documents: pl.DataFrame,
    insight: Insight,
) -> str:
    """Renders the page.

    Args:
        measured: content of metrics.json.
        answers: result of `evaluate.answers` for the test side.
        training: content of training.json.
        curves: result of `epochs`.
        documents: the test side, for excerpts (scrubbed) of the most confident mistakes.
        insight: words, suspected labels, behaviour.
    """
    mistakes = (
        answers.filter(~pl.col("right"))
        .sort("confidence", "id", descending=[True, False])
        .head(_SHOWN_MISTAKES)
        .join(documents.select("id", "text"), on="id", maintain_order="left")
        .with_columns(pl.col("text").str.slice(0, _EXCERPT))
    )
    suspects = insight.suspects.head(_SHOWN_MISTAKES).with_columns(
        pl.col("text").str.slice(0, _EXCERPT)
    )
    return pages.render(
        __package__,
        "report.html.j2",
        pages.Heading(version=f"candidate {measured['architecture']}"),
        measured=measured,
        training=training,
        mistakes=mistakes.to_dicts(),
        insight=insight,
        suspects=suspects.to_dicts(),
        confusion=figures.draw(
            lambda axes: _confusion(axes, measured, answers), "confusion", (5.2, 4.6)
        ),
        classes=figures.draw(lambda axes: _classes(axes, measured, answers), "classes", (5.2, 4.6)),
        loss=figures.draw(lambda axes: _curve(axes, curves, training, "loss"), "loss", (5.2, 3.2)),
        accuracy=figures.draw(
            lambda axes: _curve(axes, curves, training, "accuracy"), "accuracy", (5.2, 3.2)
        ),
        reliability=figures.draw(
            lambda axes: _reliability(axes, answers), "reliability", (5.2, 3.6)
        ),
        confidence=figures.draw(lambda axes: _confidence(axes, answers), "confidence", (5.2, 3.6)),
    )


def most_confused(labels: list[str], answers: pl.DataFrame) -> list[str]:
    """Selects the classes that a figure shows: all, or the _SHOWN_CLASSES with the most errors.

    Args:
        labels: the classes.
        answers: actual and predicted of each document.

    Returns:
        The classes in the order of `labels`.
    """
    if len(labels) <= _SHOWN_CLASSES:
        return labels
    wrong = answers.filter(pl.col("actual") != pl.col("predicted"))
    errors = Counter([*wrong["actual"], *wrong["predicted"]])
    chosen = sorted(range(len(labels)), key=lambda i: (-errors[labels[i]], i))[:_SHOWN_CLASSES]
    return [labels[i] for i in sorted(chosen)]


def _title(title: str, labels: list[str], measured: dict[str, Any]) -> str:
    total = len(measured["classes"])
    few = f", the {len(labels)} most confused of {total} classes"
    return title + few * (len(labels) < total)


def _confusion(axes: Axes, measured: dict[str, Any], answers: pl.DataFrame) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    labels = most_confused(list(measured["classes"]), answers)
    shown = answers.filter(pl.col("actual").is_in(labels) & pl.col("predicted").is_in(labels))
    table = SingleLabel(labels).confusion(shown["actual"].to_list(), shown["predicted"].to_list())
    shares = table / table.sum(axis=1, keepdims=True).clip(1)
    colours = LinearSegmentedColormap.from_list("share", [f"{_CELL}00", _CELL])
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for row in range(len(labels)):
        for column in range(len(labels)):
            if table[row, column]:
                dark = shares[row, column] > 0.5  # noqa: PLR2004 - half of the colour scale
                axes.text(
                    column, row, str(table[row, column]),
                    ha="center", va="center", color="white" if dark else figures.INK,
                )  # fmt: skip
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="actual", title=_title("Documents", labels, measured))


def _classes(axes: Axes, measured: dict[str, Any], answers: pl.DataFrame) -> None:
    labels = most_confused(list(measured["classes"]), answers)
    for offset, (name, colour) in enumerate(
        [("precision", figures.FAINT), ("recall", figures.ORANGE), ("f1", figures.BLUE)]
    ):
        values = [measured["classes"][label][name] for label in labels]
        positions = [i + (offset - 1) * 0.22 for i in range(len(labels))]
        axes.scatter(
            values, positions, color=colour, label=name.replace("f1", "F1"), s=36, zorder=3
        )
    for row in range(len(labels)):
        axes.axhline(row, color=figures.LINE, zorder=0)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(right=1.005)
    axes.set(title=_title("By class", labels, measured), xlabel="share")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)


def _curve(axes: Axes, curves: pl.DataFrame, training: dict[str, Any], name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    steps = (curves["step"] + 1).to_list()
    axes.plot(steps, curves[f"train_{name}"].to_list(), color=figures.FAINT, label="train")
    axes.plot(steps, curves[f"validation_{name}"].to_list(), color=figures.BLUE, label="validation")
    axes.axvline(training["best_epoch"], color=figures.ORANGE, linestyle=":", label="epoch kept")
    axes.set(title=name.capitalize(), xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def _reliability(axes: Axes, answers: pl.DataFrame) -> None:
    bins = (
        answers.with_columns(
            bin=pl.col("confidence").rank("ordinal") * _BINS // (len(answers) + 1),
            right=pl.col("right").cast(pl.Float64),
        )
        .group_by("bin")
        .agg(pl.col("confidence").mean(), pl.col("right").mean(), pl.len())
        .sort("bin")
    )
    axes.plot([0, 1], [0, 1], color=figures.FAINT, linestyle=":", label="as confident as right")
    sizes = [12 + 120 * n / len(answers) for n in bins["len"]]
    axes.scatter(bins["confidence"].to_list(), bins["right"].to_list(), s=sizes, color=figures.BLUE)
    axes.set(title="Reliability (size: documents)", xlabel="confidence", ylabel="share right")
    axes.legend(frameon=False)


def _confidence(axes: Axes, answers: pl.DataFrame) -> None:
    right = pl.col("right")
    groups = [answers.filter(right)["confidence"], answers.filter(~right)["confidence"]]
    axes.hist(
        [group.to_list() for group in groups],
        bins=20, range=(0, 1), stacked=True, color=[figures.BLUE, figures.ORANGE],
        label=["right", "wrong"],
    )  # fmt: skip
    axes.set_yscale("symlog", linthresh=10)
    axes.set(title="Confidence", xlabel="confidence", ylabel="documents")
    axes.legend(frameon=False, loc="upper left")
