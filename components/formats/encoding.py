"""Decodes the bytes of a text whose encoding is not stated, or is stated wrongly."""

from __future__ import annotations

import codecs
import re

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Letters of an older encoding; not quotes, dashes and spaces, which the Windows encodings share.
_HIGH = re.compile(rb"[\x80-\x84\x86-\x90\x98-\x9f\xa1-\xff]+")
_FEW = 4  # such bytes; fewer say nothing about a language
_WESTERN = 0.03  # share of such bytes, below which Windows-1252 is assumed
_OTHER_SCRIPT = 0.3  # share, from which the text is in another script than the Latin one
_ENOUGH = 12  # such bytes of a text that also has many letters of ASCII
_LATIN = ["cp1252", "cp1250", "iso8859_2", "cp1254"]
_PREFERENCE = 0.05  # of coherence, 0 to 1, for Windows-1252
_CENTRAL = ("cp1250", "iso8859_2")  # of Central Europe
# Within a word, what other encodings have letters for: "zwi¹zek" is Polish, "z³ota" as well.
_SYMBOL_IN_WORD = re.compile(r"[^\W\d_][¡¢£¥¦§©«¬®±²³¶·¹»¼½¾¿][^\W\d_]")
_SAMPLE = 65_536  # bytes from which the encoding is detected


def decode(content: bytes, stated: str | None = None) -> str | None:
    """Decodes `content`; None if no encoding fits.

    A byte order mark decides, then UTF-8, then `stated`, then Windows-1252 or, where many bytes are
    above 127, the encoding that charset-normalizer detects.

    >>> decode(b"caf\\xc3\\xa9"), decode(b"caf\\xe9"), decode("Wort".encode("utf-16"))
    ('café', 'café', 'Wort')
    """
    mark = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    for encoding in (mark,) if mark else ("utf-8", stated):
        text = _decoded(content, encoding)
        if text is not None:
            return text
    return _decoded(content, None if mark else _detected(content))


def _decoded(content: bytes, encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        text = content.decode(encoding)
    except (UnicodeError, LookupError, ValueError):
        return None
    return text if isinstance(text, str) else None  # rot13 and the like are codecs, too


def _detected(content: bytes) -> str:
    """Returns the likely encoding of bytes that are not UTF-8."""
    sample = content[:_SAMPLE]
    if len(content) > _SAMPLE and b"\n" in sample:
        sample = sample[: sample.rindex(b"\n") + 1]  # a cut may divide a character
    high = sum(map(len, _HIGH.findall(sample)))
    if high < _FEW or (high < _WESTERN * len(sample) and _decoded(content, "cp1252") is not None):
        return "cp1252"
    from charset_normalizer import from_bytes

    if high >= _OTHER_SCRIPT * len(sample) and (high >= _ENOUGH or high > len(sample) / 2):
        best = from_bytes(sample, cp_exclusion=["utf_16", "utf_32", "utf_7"]).best()
        if best is not None:
            return best.encoding
    matches = {
        encoding: match.coherence - match.chaos + (_PREFERENCE if encoding == "cp1252" else 0)
        for match in from_bytes(sample, cp_isolation=_LATIN, enable_fallback=False, threshold=1.0)
        for encoding in match.could_be_from_charset
    }
    if _SYMBOL_IN_WORD.search(sample.decode("cp1252", "ignore")):
        matches = {name: match for name, match in matches.items() if name in _CENTRAL}
    return max(matches, key=lambda encoding: matches[encoding], default="cp1252")
