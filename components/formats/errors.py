"""Errors of a file that cannot be converted; none repeats its content."""

from __future__ import annotations


class Unreadable(ValueError):
    """A file is damaged, protected, or not of its format; the text says which."""


class TooLarge(Unreadable):
    """A file holds more text than allowed; empty, or what else is too large."""
