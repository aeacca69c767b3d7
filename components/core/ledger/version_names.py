"""The names of a version: v3 for people, newsloop@v3.0.0 in git (GTO's naming).

`gto show` reads these tags; a release is one major version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from components.core.errors import UsageError

TAGS = "newsloop@v*"  # git's pattern of all tags
_TAG = re.compile(r"newsloop@v(\d+)\.0\.0")
_NAME = re.compile(r"v?(\d+)")


def tag(version: int) -> str:
    """
    >>> tag(3)
    'newsloop@v3.0.0'
    """
    return f"newsloop@v{version}.0.0"


def of_tag(name: str) -> int | None:
    """The version that a git tag names; None for another tag.

    >>> of_tag("newsloop@v3.0.0"), of_tag("v3")
    (3, None)
    """
    match = _TAG.fullmatch(name)
    return int(match[1]) if match else None


def number(name: str) -> int:
    """The version that a person names.

    Raises:
        UsageError: `name` is no version.

    >>> number("v3"), number("3"), number("newsloop@v3.0.0")
    (3, 3, 3)
    """
    match = _NAME.fullmatch(name) or _TAG.fullmatch(name)
    if match is None:
        raise UsageError(f"Expected a version such as v3, got {name or 'an empty text'}.")
    return int(match[1])


def listed(versions: Iterable[int]) -> str:
    """Versions for a message.

    >>> listed([1, 2]), listed([])
    ('v1, v2', 'none')
    """
    return ", ".join(f"v{version}" for version in versions) or "none"
