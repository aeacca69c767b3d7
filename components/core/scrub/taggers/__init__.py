"""Taggers mark persons and addresses: one weights file a language."""
