"""Detects the character encoding of text by a sample of its bytes, and decodes text."""

from __future__ import annotations

import codecs
import string
from collections.abc import Iterable, Sequence
from itertools import pairwise

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_SAMPLE = 65_536  # bytes of a text by which `decode` detects the encoding
_ASCII = 127  # the last byte of it
_FEW = 4  # bytes beyond ASCII; fewer say nothing about a language
_NUL_SHARE = 0.01  # of the bytes of UTF-16: line ends and delimiters have one
_JUDGED = 64 * 1024  # bytes of lines beyond ASCII that are judged
_DENSE = 0.3  # share of bytes beyond ASCII in the letters; Latin scripts have fewer
_RARER = 0.001  # less for each less common encoding of a language
_PUNCTUATION = "“”„‘’‚–—…€£§°«»¿¡ ©™·•"
# Letters beyond ASCII of languages in Latin script, and the encodings that they are written in, the
# most common one first.
_LATIN = (
    ("äöüßÄÖÜ", ("cp1252", "iso8859_15", "mac_roman", "cp850")),
    ("àâçéèêëîïôùûœÀÉÈÊÇ", ("cp1252", "iso8859_15", "mac_roman", "cp850")),
    ("áéíóúñüÁÉÍÓÚÑ", ("cp1252", "mac_roman", "cp850")),
    ("ãõâêôáéíóúàçÃÁÉÍÇ", ("cp1252", "mac_roman", "cp850")),
    ("àèéìòùÀÈÉ", ("cp1252", "mac_roman", "cp850")),
    ("åäöæøéÅÄÖÆØ", ("cp1252", "mac_roman", "cp850")),
    ("áðéíóúýþæöÐÞÆÖÁ", ("cp1252",)),
    ("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ", ("cp1250", "iso8859_2")),
    ("áčďéěíňóřšťúůýžôäľŕĺÁČĎÉÍŇÓŘŠŤÚÝŽ",
     ("cp1250", "iso8859_2")),
    ("áéíóöőúüűÁÉÍÓÖŐÚÜŰ", ("cp1250", "iso8859_2")),
    ("ăâîşţșțĂÂÎŞŢ", ("cp1250", "iso8859_2")),
    ("čćžšđČĆŽŠĐ", ("cp1250", "iso8859_2")),
    ("çğıöşüâîÇĞİÖŞÜ", ("cp1254",)),
    ("āčēģīķļņšūžąęėįųõäöüĀČĒĪŠŽ", ("cp1257", "iso8859_13")),
)  # fmt: skip
# The commonest characters of languages in other scripts, their share of a text, and encodings.
_OTHERS = (
    ("оеаинтсрвл", 0.6, ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5")),
    ("αοιετσνηυρ", 0.6, ("cp1253", "iso8859_7")),
    ("יוהלאתרבמש", 0.7, ("cp1255", "iso8859_8")),
    ("اليمونرتبة", 0.7, ("cp1256", "iso8859_6")),
    ("านรอกเงมยล่้", 0.5, ("cp874",)),
    ("のにはをたがでてとしれさいるなうもすんまりから。、", 0.5, ("cp932", "euc_jp")),
    ("的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你，。", 0.3, ("gb18030",)),
    ("的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你，。", 0.3, ("big5",)),
    ("이다는을의에가하고지한로도은기서를니어사", 0.4, ("cp949",)),
)
_LEAST = 0.3  # of that share; below it the language is none of these
_MOST = 0.9  # share of letters of a language in Latin script


def decode(content: bytes, stated: str | None = None) -> str | None:
    """Decodes `content`; None if no encoding fits.

    A byte order mark decides, then UTF-8, then `stated`, then what `detect` finds.

    >>> decode(b"caf\\xc3\\xa9"), decode(b"caf\\xe9"), decode("Wort".encode("utf-16"))
    ('café', 'café', 'Wort')
    """
    mark = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    for encoding in (mark,) if mark else ("utf-8", stated):
        text = _decoded(content, encoding)
        if text is not None:
            return text
    if mark:
        return None
    encoding = detect(content[:_SAMPLE], len(content) <= _SAMPLE)
    few = sum(byte > _ASCII for byte in content[:_SAMPLE]) < _FEW
    # A text whose lines are UTF-8 but for a few has two encodings.
    return _decoded(content, "cp1252" if few or encoding == "utf-8" else encoding)


def _decoded(content: bytes, encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        text = content.decode(encoding)
    except (UnicodeError, LookupError, ValueError):
        return None
    return text if isinstance(text, str) else None  # rot13 and the like are codecs, too


def detect(sample: bytes, complete: bool = True) -> str:
    """Detects the encoding of `sample`: a byte order mark, UTF-8, UTF-16, or an older encoding.

    Bytes that are UTF-8 but for a few places are UTF-8: these places are damaged. An older
    encoding is chosen by the characters of the languages that use it; where none fits, by
    charset-normalizer, which needs longer texts.

    Args:
        sample: beginning of a file.
        complete: True if the sample is all of it.

    Returns:
        Name of a codec of Python.

    >>> detect("Größe".encode("cp1252")), detect("Größe".encode())
    ('cp1252', 'utf-8')
    >>> detect("a b".encode("utf-16-le"))
    'utf-16-le'
    """
    if wide := detect_wide(sample):
        return wide
    if not complete:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    if sample.isascii():
        return "utf-8"
    lines = [line for line in sample.splitlines() if not line.isascii()]
    good = sum(map(_is_utf8, lines))
    if 2 * good >= len(lines):
        return "utf-8"
    return _legacy(lines)


def detect_wide(sample: bytes) -> str | None:
    """Detects an encoding by its byte order mark, or UTF-16 without one; None for others."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    return _wide(sample)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: line ends and delimiters have a NUL, always at the same side."""
    if sample.count(0) < _NUL_SHARE * len(sample) or b"\0" not in sample:
        return None
    sample = sample[: len(sample) // 2 * 2]
    name = "utf-16-be" if sample[0::2].count(0) > sample[1::2].count(0) else "utf-16-le"
    text = sample.decode(name, "replace")
    if "\n" not in text and "\r" not in text and "\0" in text:
        return None
    zeros = (sample[0::2].count(0), sample[1::2].count(0))
    return name if min(zeros) * 8 <= max(zeros) and set("\r\n,;\t|: ") & set(text) else None


def _legacy(lines: Sequence[bytes]) -> str:
    content = b"\n".join(lines)[:_JUDGED]
    beyond = sum(byte > _ASCII for byte in content)
    letters = beyond + sum(content.count(byte) for byte in map(ord, string.ascii_letters))
    latin, latin_score = _best(
        content, ((known + _PUNCTUATION, 1, names) for known, names in _LATIN)
    )
    if beyond < _DENSE * letters:
        return latin
    best, score = _best(content, _OTHERS)
    if score >= _LEAST:
        return best
    if latin_score >= _MOST:  # a short text of few words with many accents
        return latin
    import charset_normalizer

    names = {name for _, _, names in _OTHERS for name in names}
    match = charset_normalizer.from_bytes(content, cp_isolation=sorted(names)).best()
    return latin if match is None else match.encoding


def _best(
    content: bytes, languages: Iterable[tuple[str, float, tuple[str, ...]]]
) -> tuple[str, float]:
    """Returns the encoding under which the characters are those of a language, and the score.

    The score is 1 for a text whose characters beyond ASCII have the share of these characters that
    the language has. Capital letters inside of words are a sign of a wrong encoding.
    """
    best, highest = "cp1252", 0.0
    for characters, expected, names in languages:
        for place, name in enumerate(names):
            text = content.decode(name, "replace")
            beyond = [character for character in text if not character.isascii()]
            common = sum(character in characters for character in beyond)
            inside = sum(before.islower() and after.isupper() for before, after in pairwise(text))
            # The first encoding of a language wins a draw.
            score = (common - inside) / max(1, len(beyond)) / expected - place * _RARER
            if score > highest:
                best, highest = name, score
    return best, highest
