"""Who asks: the name of the API key of the request that is being answered; None without a key.

The guard knows it and stands before BentoML, whose methods see no more than a body.
"""

from __future__ import annotations

from contextvars import ContextVar

ASKER: ContextVar[str | None] = ContextVar("asker", default=None)
