"""Messages about files name the cause, and what a person does about it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from components.core import errors, keys


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device (data). The disk is full or damaged: make room"),
        (errno.EACCES, "Permission denied (data). Give this user the right"),
        (errno.EROFS, "Read-only file system (data). Give this user the right"),
        (errno.EISDIR, "Is a directory (data). See that it can be read and written."),
    ],
)
def test_an_error_of_the_disk_comes_with_its_remedy(number: int, words: str) -> None:
    error = OSError(number, os.strerror(number), "data")
    assert errors.cause_and_remedy(error).startswith(words)


def test_an_error_without_a_number_is_shown_as_it_is() -> None:
    assert errors.cause_and_remedy(OSError("torn")).startswith("torn. See that")


def test_keys_that_cannot_be_kept_are_one_sentence_each(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file, where a folder should be", encoding="utf-8")
    with pytest.raises(errors.NewsloopError, match=r"keep the keys in .*keys, got: File exists \("):
        keys.ensure(tmp_path / "keys")
