"""The stages of the learning pipeline, each a module or a package; no stage imports Prefect."""
