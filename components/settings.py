"""Merges params.yaml with the defaults into one file for each stage, a dependency of that stage.

    params.yaml, data/candidate.json -> data/00_settings/<stage>.json  values that the stage reads
                                        data/00_settings/params.json   all values

A stage runs again exactly when an effective value that it reads changes: by an edit of params.yaml,
a changed default, or another candidate.
"""

from __future__ import annotations

import sys

from components.core import stage, tables
from components.core.params import Params, effective
from components.core.paths import Paths
from components.core.runtime import imports


def run(params: Params, paths: Paths) -> None:
    """Runs the stage: merges, writes.

    Raises:
        MissingPackage: a candidate needs a package that is not installed.
    """
    if any("pretrained" in params.train.trained(name) for name in params.train.candidates):
        imports.require_vectors("keras_hub", "train.candidates: pretrained")
    candidate = tables.read_json(paths.candidate)["architecture"]
    for name in effective.READ_BY:
        values = effective.of_stage(name, params, candidate)
        tables.write_json(values, paths.settings / f"{name}.json")
    tables.write_json(effective.plain(params), paths.resolved)


if __name__ == "__main__":
    sys.exit(stage.main(run))
