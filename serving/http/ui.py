"""Page at /ui: one file, without a build step and without external resources.

The page contains no secret, and a browser cannot send a key with an address. So a request without a
key gets 401 as on every route, but the body is the page, which asks for a key.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.responses import HTMLResponse

from components.core import pages
from serving.errors import Refused

PATH = "/ui"
_FILE = Path(__file__).with_suffix(".html")


@cache
def _read() -> tuple[str, dict[str, str]]:
    html = _FILE.read_text(encoding="utf-8").replace("<style>\n", f"<style>\n{pages.style()}", 1)
    return html, {"Content-Security-Policy": policy(html)}


def page() -> HTMLResponse:
    """Returns the page, with a policy that allows only its own script and style."""
    html, headers = _read()
    return HTMLResponse(html, headers=headers)


def door(refusal: Refused) -> HTMLResponse:
    """Returns the page as the body of a refusal for a missing key."""
    html, headers = _read()
    return HTMLResponse(html, refusal.status, {**refusal.headers, **headers})


def policy(html: str) -> str:
    """Makes the Content-Security-Policy (level 2) with hashes of the page's script and style."""
    script, style = (_hash(html, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(html: str, tag: str) -> str:
    inside = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digest = hashlib.sha256("".join(inside).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
