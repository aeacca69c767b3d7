"""The page at /ui: one file, no build step, nothing from elsewhere.

The page holds nothing secret, and a browser cannot send a key with an address. So without a key the
answer is 401 like everywhere, and its body is the page, which then asks for one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.responses import HTMLResponse

from serving.errors import Refused

PATH = "/ui"
_FILE = Path(__file__).with_suffix(".html")


@cache
def _read() -> tuple[str, dict[str, str]]:
    html = _FILE.read_text(encoding="utf-8")
    return html, {"Content-Security-Policy": policy(html)}


def page() -> HTMLResponse:
    """The page, with a policy that lets run what stands in it and nothing else."""
    html, headers = _read()
    return HTMLResponse(html, headers=headers)


def door(refusal: Refused) -> HTMLResponse:
    """A refusal for want of a key, as the page that asks for one."""
    html, headers = _read()
    return HTMLResponse(html, refusal.status, {**refusal.headers, **headers})


def policy(html: str) -> str:
    """The Content-Security-Policy (level 2) that names the page's own script and style by hash."""
    script, style = (_hash(html, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(html: str, tag: str) -> str:
    inside = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digest = hashlib.sha256("".join(inside).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
