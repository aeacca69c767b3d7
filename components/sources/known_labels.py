"""The labels that params.yaml names: where a document has several candidates, one of them wins."""

from __future__ import annotations

from components.core.params import Source
from components.core.params import migration as params_migration
from components.core.paths import Paths


def known_labels(source: Source, paths: Paths) -> frozenset[str]:
    """Returns ingest.labels and the source's label_names; the latter only without params.yaml.

    Raises:
        ParamsError: params.yaml cannot be read.
    """
    place = paths.params
    if not place.exists():
        return frozenset(source.label_names)
    settings, _ = params_migration.load(place, paths.sources / place.name)
    return frozenset(settings.ingest.labels) | source.label_names.keys()
