"""Reads the values of a JSON document one after another, so that it need not fit into memory.

The standard library's decoder parses each value: unlike a streaming parser in C, it takes NaN,
large numbers and halves of characters, which programs write.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any

from components.sources.budget import JSON_MARKS, Budget, TooLarge

_FIRST = 256 * 1024  # bytes of the first read; each further one for the same value is as long as
# what has come
_AFTER_NUMBER = tuple(" \t\r\n,]}")
_NEAR_END = 16  # characters: an error there may come from a value that is cut
_DECODER = json.JSONDecoder(strict=False)  # line breaks in texts are let through


class BadJson(ValueError):
    """The text is no JSON; the message repeats nothing of it."""


class JsonStream:
    """A JSON document that is read from front to end.

    Args:
        file: UTF-8; bytes that are not become lone surrogates.
        longest: characters of one value.
        budget: counts the values of each piece before it is parsed.

    Attributes:
        length: characters that were taken.
    """

    def __init__(self, file: IO[bytes], longest: int, budget: Budget) -> None:
        self._file, self._longest, self._budget = file, longest, budget
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text, self._place, self._ended = "", 0, False
        self.length = 0

    def next(self) -> str:
        """Returns the next character that is no white space, without taking it; "" at the end."""
        while True:
            while self._place < len(self._text):
                character = self._text[self._place]
                if character not in " \t\r\n\ufeff":
                    return character
                self._place += 1
            if not self._fill():
                return ""

    def value(self) -> Any:
        """Reads the next value.

        Raises:
            BadJson: there is none, or it is damaged or nested too deeply.
            TooLarge: it is longer than allowed, or has too many values.
        """
        self.next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
            except RecursionError:
                raise BadJson("values nested too deeply") from None
            except json.JSONDecodeError as error:
                is_cut = error.pos >= len(self._text) - _NEAR_END
                if self._ended or not (is_cut or error.msg.startswith("Unterminated string")):
                    raise BadJson("damaged JSON") from None
                self._fill()
                continue
            except ValueError:  # a number of more digits than Python converts
                raise BadJson("a number that is too long") from None
            # A number at the end of what was read may go on.
            if isinstance(value, int | float) and self._text[end : end + 1] not in _AFTER_NUMBER:
                length = len(self._text) - self._place
                if self._fill() and length < self._longest:
                    continue
            self.length += end - self._place
            self._place = end
            return value

    def items(self) -> Iterator[None]:
        """Stands before each item of an array; the caller takes the item."""
        yield from self._parts("[", "]")

    def members(self) -> Iterator[str]:
        """Yields the key of each member of an object; the caller takes the value."""
        for _ in self._parts("{", "}"):
            key = self.value()
            self._take(":")
            if not isinstance(key, str):
                raise BadJson("damaged JSON")
            yield key

    def skip(self) -> None:
        """Passes over the next value; of an array or object each part may be as long as a value."""
        first = self.next()
        if first == "[":
            for _ in self.items():
                self.value()
        elif first == "{":
            for _ in self.members():
                self.value()
        else:
            self.value()

    def _parts(self, first: str, last: str) -> Iterator[None]:
        self._take(first)
        if self.next() == last:
            self._place += 1
            return
        while True:
            yield
            if self.next() == last:
                self._place += 1
                return
            self._take(",")

    def _take(self, expected: str) -> None:
        if self.next() != expected:
            raise BadJson("damaged JSON")
        self._place += 1

    def _fill(self) -> bool:
        """Reads more of the file; False at its end."""
        if self._ended:
            return False
        rest = self._text[self._place :]
        if len(rest) >= self._longest:
            raise TooLarge(f"more than {self._longest:,} characters in one piece", "document_mib")
        content = self._file.read(min(max(_FIRST, len(rest)), self._longest + 1 - len(rest)))
        self._ended = not content
        self._text = rest + self._decoder.decode(content, final=self._ended)
        self._place = 0
        if rest:
            self._budget.values(self._text.encode("utf-8", "surrogateescape"), JSON_MARKS)
        return bool(content)
