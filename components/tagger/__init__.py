"""Trains the name tagger, a small token classifier that marks persons and addresses.

The tagger is no stage of the pipeline: its weights are in git, and core/scrub/taggers/cnn.py reads
them. dvc.yaml beside this file shows the commands that train it again.
"""
