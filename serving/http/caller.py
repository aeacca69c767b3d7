"""The caller: the API key of the request that is being answered; None without a key.

The gateway knows it and stands before BentoML, whose methods see no more than a body.
"""

from __future__ import annotations

from contextvars import ContextVar

from serving.http.api_keys import ApiKey

CALLER: ContextVar[ApiKey | None] = ContextVar("caller", default=None)
