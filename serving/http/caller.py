"""Caller of the current request: its API key; None without a key.

The gateway sets the variable, because BentoML passes only the body to the service's methods.
"""

from __future__ import annotations

from contextvars import ContextVar

from serving.http.api_keys import ApiKey

CALLER: ContextVar[ApiKey | None] = ContextVar("caller", default=None)
