"""Unpacks the body of an answer while it comes, never more than is allowed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from components.sources.budget import Layer
from components.sources.streams import BLOCK

ACCEPTED = "gzip, deflate"  # for the header Accept-Encoding
_WBITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class UnknownEncoding(ValueError):
    """An encoding that was not asked for, or several, one in the other."""


def decoded(parts: Iterator[bytes], encoding: str, budget: Layer) -> Iterator[bytes]:
    """Yields the unpacked body in pieces of at most 1 MiB.

    Args:
        parts: as they come.
        encoding: the header Content-Encoding; empty without.
        budget: takes each piece before the next one is unpacked.

    Raises:
        UnknownEncoding: not one encoding of ACCEPTED.
        zlib.error: the body is damaged, or cut short.
        TooLarge: there is more than `budget` allows.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        for part in parts:
            budget.take(len(part))
            yield part
        return
    if name not in _WBITS:
        raise UnknownEncoding
    unpacker, begun = zlib.decompressobj(_WBITS[name]), False
    for part in parts:
        rest = part
        if name == "deflate" and not begun and rest:
            unpacker = zlib.decompressobj(_deflate_bits(rest))
        begun = begun or bool(rest)
        while rest and not unpacker.eof:
            piece = unpacker.decompress(rest, BLOCK)
            budget.take(len(piece))
            yield piece
            rest = unpacker.unconsumed_tail
    if begun and not unpacker.eof:
        raise zlib.error("a body that is cut short")


def _deflate_bits(head: bytes) -> int:
    """Chooses the format: some servers send deflate without zlib's header (RFC 1950)."""
    return zlib.MAX_WBITS if head[0] & 15 == zlib.DEFLATED else -zlib.MAX_WBITS
