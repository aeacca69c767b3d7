"""Cross-validation: how good a recipe is, not how lucky one split was.

    data/03_split (all sides) -> folds -> accuracy and macro F1 of candidates on the same folds

No stage of the pipeline: nothing is released by it. Near duplicates share a fold; inside each
fold's learning documents a validation part stops the training, as in `newsloop run`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from components import near_duplicates, svm_baseline, train
from components.core import tables
from components.core import target as targets
from components.core.errors import DataError
from components.core.networks import assembly
from components.core.params import Params, Split
from components.core.paths import Paths
from components.core.runtime import imports
from components.train import inference

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BASELINE = "svm"  # TF-IDF + LinearSVC; `linear` is one of our architectures


@dataclass(frozen=True)
class Fold:
    """One fold's result of one candidate; accuracy and macro F1 in [0, 1]."""

    candidate: str
    repeat: int
    fold: int
    accuracy: float
    macro_f1: float
    errors: int
    documents: int


@dataclass(frozen=True)
class FoldComparison:
    """Whether two candidates differ by more than their folds do.

    Attributes:
        difference: mean of the first's accuracy less the second's.
        p: two-sided, in [0, 1].
    """

    difference: float
    p: float


def documents(paths: Paths) -> pl.DataFrame:
    """All documents that the split kept, without exact repeats.

    Raises:
        DataError: there is no split yet.
    """
    return pl.concat(sides(paths, "train", "validation", "test")).sort("id")


def sides(paths: Paths, *names: str) -> list[pl.DataFrame]:
    """These sides of the split.

    Raises:
        DataError: there is no split yet.
    """
    files = [paths.split / f"{name}.parquet" for name in names]
    if not all(file.exists() for file in files):
        raise DataError(
            f"Expected the documents of a learning run in {paths.split}, found none. Run "
            "`newsloop run` first."
        )
    return [tables.read_table(file) for file in files]


def groups(texts: Sequence[str], settings: Split) -> Array:
    """(N,) int: texts that almost repeat each other, even by way of others, share a number."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    found = [near_duplicates.shingles(text, settings.shingle_words) for text in texts]
    pairs = near_duplicates.similar_pairs(found, settings)
    edges = np.array([(a, b) for a, near in pairs.items() for b in near], int).reshape(-1, 2)
    shape = (len(texts), len(texts))
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=shape)
    return connected_components(graph, directed=False)[1]  # type: ignore[no-any-return]


def assign(group: Array, folds: int, seed: int) -> Array:
    """(N,) int: the fold of each document, 0 to folds - 1; a group stays together.

    Groups are shuffled; then, the largest first, each goes to the fold with the fewest documents.
    """
    import numpy as np

    names, sizes = np.unique(group, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    filled = np.zeros(folds, int)
    place = np.zeros(len(names), int)
    for i in order:
        place[i] = filled.argmin()
        filled[place[i]] += sizes[i]
    return place[np.searchsorted(names, group)]


def corrected_t(differences: Sequence[float], tested: float) -> FoldComparison:
    """The corrected resampled t-test (Nadeau and Bengio 2003, "Inference for the Generalization
    Error"): folds share their learning documents, so a plain t-test would be too sure.

    Args:
        differences: one accuracy less the other's, fold by fold; at least two.
        tested: documents of a fold over documents learned from, for example 0.25 with five folds.
    """
    from scipy.stats import t

    mean = statistics.mean(differences)
    variance = statistics.variance(differences)
    if not variance:
        return FoldComparison(mean, 1.0 if mean == 0 else 0.0)
    statistic = mean / ((1 / len(differences) + tested) * variance) ** 0.5
    return FoldComparison(mean, float(2 * t.sf(abs(statistic), len(differences) - 1)))


class Silent:
    """Stands where DVCLive stands in a run of the pipeline: nothing is kept."""

    def log_metric(self, name: str, value: float) -> None: ...

    def next_step(self) -> None: ...


def learn_and_stop(table: pl.DataFrame, params: Params) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`table` in two: documents to learn from, and a validation part to stop by.

    The part is as large as `split` makes it; near duplicates stay together.
    """
    share = params.split.validation_share / (1 - params.split.test_share)
    held = assign(groups(table["text"].to_list(), params.split), round(1 / share), 1) == 0
    return table.filter(~pl.Series(held)), table.filter(pl.Series(held))


def answer(
    name: str,
    params: Params,
    learned: pl.DataFrame,
    asked: Sequence[str],
    kept: Path | None = None,
) -> list[str]:
    """The labels that candidate `name`, having learned from `learned`, gives to `asked`.

    `kept`: see `train.fit`.
    """
    if name == BASELINE:
        return svm_baseline.predict(learned["text"].to_list(), learned["label"].to_list(), asked)
    imports.keras()  # the networks import it
    sides = learn_and_stop(learned, params)
    model, encoder, _ = train.fit(name, params, *sides, Silent(), cache_folder=kept)
    # Of these documents nobody knows the class.
    table = pl.DataFrame({"text": list(asked), "label": params.ingest.labels[0]})
    found, _ = inference.outputs(name, model, encoder, params, table, kept)
    target = targets.of(params)
    return target.decode(target.decide(found[assembly.PROBABILITIES])[0])


def run(
    params: Params,
    table: pl.DataFrame,
    candidates: Sequence[str],
    folds: int,
    repeats: int,
    answer_: Callable[[str, Params, pl.DataFrame, Sequence[str]], list[str]] = answer,
) -> Iterator[Fold]:
    """Each candidate on each fold, as they come.

    Args:
        params: the recipe.
        table: documents with text and label.
        candidates: architectures, or BASELINE.
        folds: at least 2.
        repeats: of the whole, each with other folds.
        answer_: see `answer`.
    """
    group, target = groups(table["text"].to_list(), params.split), targets.of(params)
    for repeat in range(repeats):
        fold = assign(group, folds, params.split.seed + repeat)
        for number in range(folds):
            held = pl.Series(fold == number)
            asked = table.filter(held)
            for name in candidates:
                said = answer_(name, params, table.filter(~held), asked["text"].to_list())
                scored = target.score(asked["label"].to_list(), said, params.evaluate)
                yield Fold(
                    name,
                    repeat,
                    number,
                    scored["accuracy"]["value"],
                    scored["macro_f1"]["value"],
                    scored["errors"],
                    scored["documents"],
                )


def summary(results: Sequence[Fold], folds: int) -> dict[str, Any]:
    """Mean and deviation by candidate, and each candidate against the first.

    Returns:
        candidates: name -> accuracy, accuracy_deviation, macro_f1, macro_f1_deviation, errors,
        documents, and against the first: difference, p.
    """
    names = list(dict.fromkeys(result.candidate for result in results))
    by_name = {name: [r for r in results if r.candidate == name] for name in names}
    found: dict[str, Any] = {}
    for name, rows in by_name.items():
        accuracy, f1 = [r.accuracy for r in rows], [r.macro_f1 for r in rows]
        found[name] = {
            "accuracy": statistics.mean(accuracy),
            "accuracy_deviation": statistics.stdev(accuracy),
            "macro_f1": statistics.mean(f1),
            "macro_f1_deviation": statistics.stdev(f1),
            "errors": sum(r.errors for r in rows),
            "documents": sum(r.documents for r in rows),
        }
        if name != names[0]:
            first = [r.accuracy for r in by_name[names[0]]]
            gaps = [a - b for a, b in zip(first, accuracy, strict=True)]
            compared = corrected_t(gaps, 1 / (folds - 1))
            found[name] |= {"first_is_better_by": compared.difference, "p": compared.p}
    return {"candidates": found, "folds": folds, "results": [vars(r) for r in results]}
