"""Text of a PDF, by pypdf, which has limits of its own on pages, forms and nesting."""

from __future__ import annotations

import io
from typing import Any

from pypdf import PdfReader, apply_configuration

from components.formats.errors import TooLarge, Unreadable

_LONGEST_STREAM = 75_000_000  # bytes, unpacked; pypdf's own limit
_FILTERS = ("array_based_stream", "jbig2", "lzw", "run_length", "zlib", "brotli")


def pdf_text(content: bytes, characters: int, unpacked: int) -> str:
    """Returns the text of all pages.

    Args:
        content: the file.
        characters: the most that the text may have.
        unpacked: the most bytes that one of its streams may have.

    Raises:
        Unreadable: it is damaged, protected by a password, or has no text.
        TooLarge: it has more text.
    """
    longest = min(unpacked, _LONGEST_STREAM)
    limits: dict[str, Any] = {f"{name}_maximum_output_length": longest for name in _FILTERS}
    pages: list[str] = []
    try:
        # No other program is called for images.
        with apply_configuration(jbig2dec_binary=None, disable_legacy_handling=True, **limits):
            reader = PdfReader(io.BytesIO(content), strict=False)
            if reader.is_encrypted and not reader.decrypt(""):
                raise Unreadable("protected by a password")
            for page in reader.pages:
                pages.append(page.extract_text().strip())
                characters -= len(pages[-1])
                if characters < 0:
                    raise TooLarge("")
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable("damaged, or not a PDF") from error
    text = "\n".join(page for page in pages if page)
    if not text:
        raise Unreadable("without text, perhaps a scan")
    return text
