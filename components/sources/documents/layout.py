"""Layout of folders: one names the label of a document, one the part of an official split.

<label>/.../1.txt
dataset/<label>/.../1.txt          a single folder above all labels is passed over
train/<label>/1.txt, test/...      the parts of an official split; also news-train/, news-test/
train/unsup/1.txt, unlabeled/1.txt documents without a label
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from components.sources.rows import PARTS

_UNLABELLED = frozenset({"unlabeled", "unlabelled", "unsup"})
_LAST_WORD = re.compile(r"[^-_. ]+$")


class Place(NamedTuple):
    """Place of a document in the layout.

    Attributes:
        name: path below the folders that are passed over.
        label: name of the label's folder; None for a document without a label.
        part: side of an official split; None without one.
    """

    name: str
    label: str | None
    part: str | None


@dataclass(frozen=True)
class Layout:
    """The folders above those of the labels.

    Attributes:
        root: path of the folder above all labels or parts, with a slash at its end; or empty.
        parts: whether the folders in it are parts.
        known: the labels that params.yaml names.
    """

    root: str = ""
    parts: bool = False
    known: frozenset[str] = frozenset()

    def place(self, name: str, labelled: bool = True) -> Place | None:
        """Returns the place of the file `name`; None for a file outside the folders of labels.

        Args:
            name: its path.
            labelled: whether a folder must name its label.
        """
        below = name.removeprefix(self.root)
        folders = below.split("/")[:-1]
        if len(below) == len(name) and self.root:
            folders = []
        part = None
        if self.parts and folders and folders[0].casefold() not in _UNLABELLED:
            part = part_of(folders.pop(0))
        if not folders:
            return None if labelled else Place(below, None, part)
        label: str | None = folders[0]
        if folders[0].casefold() in _UNLABELLED and label not in self.known:
            label = None
        return Place(below, label, part)


def layout_of(folders: Mapping[str, int], known: frozenset[str] = frozenset()) -> Layout:
    """Finds the layout.

    A single folder is passed over unless params.yaml names it as a label, or most of its entries
    are documents.

    Args:
        folders: path of each folder with documents -> how many lie directly in it.
        known: the labels that params.yaml names.

    >>> layout_of({"set/train/pos": 2, "set/train/neg": 2, "set/test/pos": 1}).root
    'set/'
    >>> layout_of({"tech": 3, "tech/2024": 1})
    Layout(root='', parts=False, known=frozenset())
    """
    paths = {tuple(path.split("/")): count for path, count in folders.items() if path}
    root: tuple[str, ...] = ()
    while True:
        depth = len(root)
        tops = {path[depth] for path in paths if len(path) > depth}
        sides = {top for top in tops if part_of(top)}
        rest = {top for top in tops - sides if top.casefold() not in _UNLABELLED}
        parts = bool(sides) and not rest and not tops & known
        if parts or len(tops) != 1 or tops & known:
            break
        inner = (*root, *tops)
        below = {path[depth + 1] for path in paths if len(path) > depth + 1}
        if len(below) <= paths.get(inner, 0):
            break
        root = inner
    return Layout("".join(f"{folder}/" for folder in root), parts, known)


def part_of(folder: str) -> str | None:
    """Returns the side that the name of a folder stands for.

    >>> [part_of(name) for name in ("Train", "20news-bydate-test", "dev", "transport")]
    ['train', 'test', 'validation', None]
    """
    word = _LAST_WORD.search(folder)
    return PARTS.get(word[0].casefold()) if word else None
