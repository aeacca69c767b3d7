"""Rules for identifiers on a network: e-mail, machine addresses, private links, handles."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

from components.core.scrub.recognizers.rule import Rule, whole

_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_LABEL = r"[\w-]{1,63}"
_AT = r"[\[({<]\s?(?:at|@)\s?[\])}>]"
_DOT = r"[\[({<]\s?(?:dot|\.)\s?[\])}>]"
_TLD = r"(?:com|org|net|edu|gov|mil|int|info|biz|name|io|co|uk|us|ca|au|nz|ie|de|fr|es|it|nl|be|ch|at|se|no|dk|fi|pl|cz|pt|gr|hu|ro|ru|jp|cn|in|br|mx|za|eu)"  # noqa: E501

_PRIVATE_KEYS = re.compile(
    r"(?:^|_|-)(?:token|key|apikey|auth|sig|signature|session|sid|password|passwd|pwd|secret|code|"
    r"jwt|user|username|uid|userid|email|mail|name)$",
    re.IGNORECASE,
)
_PRIVATE_PATH = re.compile(
    r"/(?:~[^/]+|(?:users?|u|profiles?|in|people|members?|author|@)/[^/]+|@[^/]+)", re.IGNORECASE
)
_SOCIAL = {
    "facebook.com", "twitter.com", "x.com", "instagram.com", "github.com", "tiktok.com", "t.me",
}  # fmt: skip
_HANDLE_LENGTH = 2


def _address(text: str) -> tuple[int, int] | None:
    """`text` if it is an IP address, perhaps with a prefix length."""
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return None
    return (0, len(text))


def private_link(link: str) -> bool:
    """True if a URL names a user or carries a token.

    >>> private_link("https://ann:pw@host.example/"), private_link("https://host.example/news")
    (True, False)
    """
    try:
        parts = urlsplit(link)
        asked = [key for key, _ in parse_qsl(f"{parts.query}&{parts.fragment}")]
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:  # a malformed address proves nothing
        return "@" in link
    return (
        "@" in parts.netloc
        or any(_PRIVATE_KEYS.search(key) for key in asked)
        or bool(_PRIVATE_PATH.search(parts.path))
        or (host in _SOCIAL and len(parts.path.strip("/")) >= _HANDLE_LENGTH)
    )


RULES = (
    Rule(
        "EMAIL_ADDRESS", rf"(?<![\w.+-]){_LOCAL}\s?@\s?(?:{_LABEL}\.){{1,8}}[^\W\d_]{{2,24}}(?!\w)",
        ("@",), 1.0,
    ),
    # "ann (at) example (dot) com", "ann [at] example.com", "ann at example dot com"
    Rule(
        "EMAIL_ADDRESS",
        rf"(?<![\w.+-])[\w.+-]{{1,64}}\s{{0,2}}(?:{_AT}|@)\s{{0,2}}"
        rf"(?:{_LABEL}(?:\s?{_DOT}\s?|\.|\s\.\s|\sdot\s)){{1,6}}[^\W\d_]{{2,24}}(?!\w)",
        (r"(?i)[\[({<]\s?(?:at|@|dot|\.)\s?[\])}>]", "@"), 0.9,
    ),
    Rule(
        "EMAIL_ADDRESS",
        rf"(?<![\w.+-])[\w+-]{{1,64}}(?:(?:\sdot\s|\.)[\w+-]{{1,64}}){{0,3}}\sat\s{_LABEL}"
        rf"(?:(?:\sdot\s|\.){_LABEL}){{0,3}}\sdot\s{_TLD}(?!\w)",
        (r"(?i)\sat\s.{1,200}\sdot\s",), 0.9,
    ),
    Rule(
        "IP_ADDRESS", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?![\w]|\.\d)",
        (r"\d\.\d{1,3}\.\d{1,3}\.\d",), 0.8, refine=_address,
    ),
    Rule(
        "IP_ADDRESS", r"(?<![\w:.])(?=[0-9a-f:]{0,5}:[0-9a-f:]*[0-9a-f])"
        r"(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?:/\d{1,3})?(?![\w:])",
        (r"(?i)[0-9a-f]{0,4}:[0-9a-f]{0,4}:[0-9a-f]{1,4}", "::"), 0.8, refine=_address,
    ),
    Rule(
        "MAC_ADDRESS",
        r"(?<![\w:-])(?:(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})(?![\w:-])",
        (r"(?i)(?:[0-9a-f]{2}[:-]){5}", r"(?i)(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}"), 0.95,
    ),
    Rule(
        "PRIVATE_URL", r"(?<![\w])[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'`]{3,2000}",
        ("://",), 0.9,
        refine=lambda text: whole(text.rstrip(".,;:!?)]}"), private_link(text)),
    ),
    Rule(
        "USER_HANDLE", r"(?<![\w@./])@[a-z_][\w.]{0,28}\w(?![\w@])", ("@",), 0.7,
    ),
    Rule(
        "USER_HANDLE",
        r"(?<![a-z])(?:user ?(?:name|id)|login|handle|screen ?name|nickname|gamertag|skype|icq)"
        r"(?:\s(?:is|was|name|id))?\s?[:=]?\s(?P<pii>(?=\w*[\d_.-])[\w.-]{3,40}\w)",
        (r"(?i)user ?(?:name|id)|login|handle|screen ?name|nickname|gamertag|skype|icq",), 0.6,
    ),
    Rule("USER_HANDLE", r"(?<![\w/])/?u/(?P<pii>[\w-]{3,20})(?![\w/])", ("[uU]/",), 0.7),
)  # fmt: skip
