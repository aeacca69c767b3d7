"""Rules for identifiers on a network: e-mail, machine addresses, private links, handles."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

from components.core.scrub.recognizers.rule import Rule, Span, whole

_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_LABEL = r"[\w-]{1,63}"
_AT = r"[\[({<]\s?(?:at|@)\s?[\])}>]"
_DOT = r"[\[({<]\s?(?:dot|\.)\s?[\])}>]"
_TLD = r"(?:com|org|net|edu|gov|mil|int|info|biz|name|io|co|uk|us|ca|au|nz|ie|de|fr|es|it|nl|be|ch|at|se|no|dk|fi|pl|cz|pt|gr|hu|ro|ru|jp|cn|in|br|mx|za|eu)"

_PRIVATE_KEYS = re.compile(
    r"(?:^|_|-)(?:token|key|apikey|auth|sig|signature|session|sid|password|passwd|pwd|secret|code|"
    r"jwt|user|username|uid|userid|email|mail|name)$",
    re.IGNORECASE,
)
_PRIVATE_PATH = re.compile(
    r"/(?:~[^/]+|(?:users?|u|profiles?|in|people|members?|author|@)/[^/]+|@[^/]+)", re.IGNORECASE
)
# Sites where the first part of a path names a user, and sites where a fixed part stands before it.
_SOCIAL = {
    "facebook.com", "fb.com", "m.facebook.com", "twitter.com", "mobile.twitter.com", "x.com",
    "instagram.com", "github.com", "gitlab.com", "bitbucket.org", "tiktok.com", "t.me", "telegram.me",
    "threads.net", "vk.com", "ok.ru", "pinterest.com", "twitch.tv", "soundcloud.com", "wa.me",
    "paypal.me", "venmo.com", "cash.app", "keybase.io", "behance.net", "dribbble.com", "about.me",
    "linktr.ee", "last.fm", "orcid.org", "weibo.com", "patreon.com", "ko-fi.com", "onlyfans.com",
    "mixcloud.com", "slideshare.net", "kaggle.com", "huggingface.co", "tumblr.com", "myspace.com",
}  # fmt: skip
_PATHS = (
    r"(?:linkedin\.com/(?:in|pub)|[a-z]{2}\.linkedin\.com/in|xing\.com/profile|reddit\.com/(?:u|user)|"
    r"snapchat\.com/add|steamcommunity\.com/(?:id|profiles)|flickr\.com/(?:people|photos)|"
    r"bsky\.app/profile|stackoverflow\.com/users|youtube\.com/(?:user|c)|line\.me/ti/p|"
    r"discord(?:app)?\.com/users|join\.skype\.com/invite|researchgate\.net/profile|"
    r"medium\.com/@|youtube\.com/@|tiktok\.com/@|threads\.net/@|mastodon\.social/@)"
)
_PUBLIC = {  # what else the first part of a path may be
    "help", "about", "login", "signup", "search", "explore", "home", "settings", "privacy", "terms",
    "events", "groups", "pages", "hashtag", "share", "sharer", "sharer.php", "intent", "watch",
    "topics", "features", "pricing", "marketplace", "policies", "policy", "legal", "jobs", "business",
    "ads", "developers", "blog", "news", "store", "apps", "download", "support", "tos", "docs", "api",
    "i", "p", "reel", "reels", "tv", "tags", "discover", "music", "trending", "orgs", "sponsors",
    "models", "datasets", "competitions", "enterprise", "security", "contact", "directory", "places",
}  # fmt: skip
_PROFILE = re.compile(rf"{_PATHS}/?[^/?#]{{2}}", re.IGNORECASE)
_HANDLE_LENGTH = 2
_VERSION = (  # "version 10.0.0.1", "section 10.4.1.2"
    r"(?:\b(?:versions?|ver|v|releases?|builds?|firmware|revisions?|rev|patch(?:es)?|sections?|sec|"
    r"chapters?|clauses?|articles?|items?|paragraphs?|updates?|drivers?|kernel|upgrade[ds]?|rule|"
    r"table|figure|appendix)|§)[.:]?(?:\s(?:is|was|to|from|of|no\.?|number|and|or|the|driver|firmware|"
    r"(?:\d+\.)+\d+))*\s?"
)
_SCOPE_LEAST = 5  # hexadecimal digits of an address with "::"; fewer are a scope in code


def _address(text: str) -> tuple[int, int] | None:
    """`text` if it is an IP address, perhaps with a prefix length."""
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return None
    if "::" in text and not text.startswith("::"):
        digits = [character for character in text if character.isalnum()]
        if len(digits) < _SCOPE_LEAST or not any(map(str.isdigit, digits)):
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
        or bool(_PROFILE.match(f"{host}{parts.path}"))
        or (host in _SOCIAL and _names_user(parts.path))
    )


def _names_user(path: str) -> bool:
    """Tests if the path of a link to a social network begins with a user's name."""
    first = path.strip("/").partition("/")[0].lower()
    return len(first) >= _HANDLE_LENGTH and first not in _PUBLIC


def _bare_profile(text: str) -> tuple[int, int] | None:
    """A profile's link without https://."""
    link = text.rstrip(".,;:!?)]}'\"")
    return whole(link, private_link(f"https://{link}"))


_HOSTS = "|".join(map(re.escape, sorted(_SOCIAL)))

_EMAILS = (
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
)  # fmt: skip


def emails(text: str) -> list[Span]:
    """Finds the e-mail addresses in a normalized text, in every form."""
    if "@" not in text and not _SPELLED.search(text):
        return []
    return [span for rule in _EMAILS for span in rule.search(text)]


_SPELLED = re.compile(r"\bat\b.{1,200}(?:\bdot\b|\.)", re.IGNORECASE | re.DOTALL)
_AT_FORM = re.compile(rf"\s*(?:{_AT}|@)\s*|\sat\s", re.IGNORECASE)
_DOT_FORM = re.compile(rf"\s*{_DOT}\s*|\sdot\s|\s\.\s", re.IGNORECASE)


def compact(address: str) -> str:
    """Writes an address with its marks.

    >>> compact("ann (at) example dot com")
    'ann@example.com'
    """
    return _DOT_FORM.sub(".", _AT_FORM.sub("@", address, count=1))


RULES = (
    *_EMAILS,
    Rule(
        "IP_ADDRESS", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?![\w]|\.\d)",
        (r"\d\.\d{1,3}\.\d{1,3}\.\d",), 0.8, refine=_address, not_after=_VERSION,
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
    # "username ann_97", "login: ann.smith", "my handle is ann-s"
    Rule(
        "USER_HANDLE",
        r"(?<![a-z])(?:(?:user ?(?:name|id)|screen ?name|nickname|gamertag|skype|icq)"
        r"(?:\s(?:is|was|name|id))?\s?[:=]?|(?:login|handle|account name|discord|signal|snap(?:chat)?|"
        r"insta(?:gram)?)(?:(?:\s(?:is|was|name|id))?\s?[:=]|\s(?:is|was)\b)|my (?:login|handle|nick))"
        r"\s?(?P<pii>(?=[\w.-]*[a-z])(?=[\w.-]*(?:[\d_]|\w[.-]\w))\w[\w.-]{2,39}\w)",
        (r"(?i)user ?(?:name|id)|login|handle|screen ?name|nick|gamertag|skype|icq|account name|discord|"
         r"signal|snap|insta",), 0.6,
    ),
    Rule(
        "PRIVATE_URL",
        rf"(?<![\w/@.-])(?:(?:www|m|mobile)\.)?(?:{_PATHS}|(?:{_HOSTS}))/[^\s<>\"'`]{{2,300}}",
        (rf"(?i)(?:{_PATHS}|(?:{_HOSTS})/)[^\s<>\"'`]",), 0.9, refine=_bare_profile,
    ),
    Rule("USER_HANDLE", r"(?<![\w/])/?u/(?P<pii>[\w-]{3,20})(?![\w/])", ("[uU]/",), 0.7),
)  # fmt: skip
