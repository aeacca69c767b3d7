"""Experiments beside the pipeline: cross-validation, tuning, DVC experiments."""
