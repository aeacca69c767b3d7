"""Trains the network that marks persons and addresses: `dvc repro components/tagger/dvc.yaml`.

It stands apart from the stages: its weights are in git, and core/scrub/taggers/cnn.py reads them.
"""
