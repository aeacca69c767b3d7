"""Experiments outside of the pipeline: cross-validation, tuning, DVC experiments."""
