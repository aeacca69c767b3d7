"""What all tests share with pytest itself."""

from __future__ import annotations

from typing import Any

_READABLE = 20  # bytes that still say something as a test's name


def pytest_make_parametrize_id(val: Any, argname: str) -> str | None:
    """Packed files hold the time of packing: names made of them differ between two processes."""
    if isinstance(val, bytes) and len(val) > _READABLE:
        return argname
    return None
