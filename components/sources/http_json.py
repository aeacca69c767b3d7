"""Reads the items of a paginated HTTP API in JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson

from components.core.params.sources import Pages
from components.sources.budget import JSON_MARKS
from components.sources.http import Getter, HttpAnswer, getter, shown
from components.sources.reader import Fingerprint, Pin, RawDocument, SourceReader, printable
from components.sources.rows import Columns, at_path, document, faulty, needed


class HttpJsonReader(SourceReader):
    """Makes one document of each item.

    The pin is a fingerprint of all items, so they are fetched twice: for the snapshot and for
    reading. With `watermark`, items above the pinned one wait for the next snapshot; items without
    watermark are not read, and the pin counts them. Without `watermark`, a new item changes the
    fingerprint. A page that fails after all retries fails the read.
    """

    def _state(self) -> Pin:
        print_, highest, skipped = Fingerprint(), None, 0
        for at, item in self._items():
            if self.source.watermark and at is None:
                skipped += 1
                continue
            if at is not None:
                highest = at if highest is None else max(highest, self._same(at, highest))
            print_.add(self._counted(self._document(item, print_.documents + 1)))
        pin: Pin = {"documents": print_.documents, "fingerprint": print_.hexdigest()}
        if self.source.watermark:
            plain = highest.isoformat() if isinstance(highest, datetime) else highest
            pin |= {"watermark": plain, "skipped": skipped}
        return pin

    def _documents(self, pin: Mapping[str, Any]) -> Iterator[RawDocument]:
        highest, print_ = pin.get("watermark"), Fingerprint()
        if isinstance(highest, str):
            highest = _moment(highest) or highest
        for at, item in self._items():
            above = at is None or highest is None or self._same(at, highest) > highest
            if not (self.source.watermark and above):
                yield print_.add(self._document(item, print_.documents + 1))
        if print_.hexdigest() != pin.get("fingerprint"):
            raise self._not_as_pinned(
                f"{print_.documents} other documents", f"{pin.get('documents')} documents"
            )

    def _items(self) -> Iterator[tuple[Any, Any]]:
        """Yields (watermark, item) of all pages; None for an item without watermark."""
        seen = False
        missing = needed(self.source)
        last_page: set[bytes] = set()
        for items in self._pages():
            page = {_digest(item) for item in items}
            if page and page == last_page:
                raise self._stuck("the same page twice")
            for item in items:
                # New items that arrive meanwhile shift old items to the next page.
                if last_page and _digest(item) in last_page:
                    continue
                if isinstance(item, dict):
                    seen = True
                    for name in [name for name in missing if at_path(item, name) is not None]:
                        del missing[name]
                yield self._watermark(item), item
            last_page = page
        for name, key in missing.items() if seen else ():
            raise self._error(
                f"{name!r} in the items of {self._shown}",
                "none of that name",
                f"Name the right path by `{key}:` in this source's entry in params.yaml.",
            )

    def _document(self, item: Any, number: int) -> RawDocument:
        if not isinstance(item, dict):
            return faulty(str(number), "the item is no object", self.source)
        names = Columns.of(self.source).all
        return document({name: at_path(item, name) for name in names}, number, self.source)

    def _watermark(self, item: Any) -> Any:
        if not self.source.watermark:
            return None
        value = at_path(item, self.source.watermark)
        if isinstance(value, str):
            value = _moment(value) or value
        usable = isinstance(value, int | str | datetime) and not isinstance(value, bool)
        return value if usable and value != "" else None

    def _same(self, value: Any, other: Any) -> Any:
        """Returns `value` if its type is that of `other`, so that both are comparable."""
        if type(value) is not type(other):
            raise self._error(
                f"watermarks of one type in {self.source.watermark!r}",
                f"{type(value).__name__} and {type(other).__name__}",
                "Name another key by `watermark:`, or take it away.",
            )
        return value

    def _pages(self) -> Iterator[list[Any]]:
        """Yields the items of each page."""
        source, pages = self.source, self.source.pages
        with getter(source, self._error) as http:
            first = str(source.url)
            if pages and pages.by == "number":
                first = _with(first, pages, pages.first)
            url: str | None = first
            count, asked = 0, set()
            while url is not None:
                if url in asked:
                    raise self._stuck("an address that was asked for before")
                asked.add(url)
                count += 1
                if source.limits and count > source.limits.pages:
                    raise self._stuck(f"more than {source.limits.pages} pages")
                answer, value = self._page(http, url)
                items = self._list(value)
                yield items
                url = self._next(answer, value, items, count)

    def _page(self, http: Getter, url: str) -> tuple[HttpAnswer, Any]:
        answer = http.get(url, {"accept": "application/json"})
        self._budget.values(answer.body, JSON_MARKS)
        try:
            return answer, orjson.loads(answer.body)
        except ValueError:
            raise self._error(
                f"JSON from {shown(url)}", "another text", "Mend `url` in params.yaml."
            ) from None

    def _list(self, value: Any) -> list[Any]:
        items = at_path(value, self.source.items) if self.source.items else value
        if not isinstance(items, list):
            where = f"at {self.source.items!r} in" if self.source.items else "as"
            keys = ", ".join(printable(key) for key in value) if isinstance(value, dict) else "none"
            raise self._error(
                f"a list of items {where} the answer of {self._shown}",
                f"{type(items).__name__}, with the keys {keys}",
                "Name the path of the list by `items:` in params.yaml.",
            )
        return items

    def _next(self, answer: HttpAnswer, value: Any, items: list[Any], count: int) -> str | None:
        """Returns the URL of the next page; None after the last page."""
        pages, url = self.source.pages, str(self.source.url)
        if pages is None:
            return None
        if pages.by == "number":
            return _with(url, pages, pages.first + count) if items else None
        found = at_path(value, pages.path) if pages.path else answer.links.get("next")
        if found is None or found in ("", False):
            return None
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise self._error(
                f"a {pages.by} at {pages.path!r}",
                f"a value of type {type(found).__name__}",
                "Mend `pages` in params.yaml.",
            )
        return urljoin(answer.url, str(found)) if pages.by == "link" else _with(url, pages, found)

    @property
    def _shown(self) -> str:
        return shown(self.source.url or "")

    def _stuck(self, came: str) -> Exception:
        return self._error(
            f"a last page of {self._shown}",
            came,
            "Mend `pages` in params.yaml, or raise pages under `limits`.",
        )


def _digest(item: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(item)).digest()


def _with(url: str, pages: Pages, value: str | int) -> str:
    return str(httpx.URL(url).copy_set_param(str(pages.parameter), str(value)))


def _moment(text: str) -> datetime | None:
    """Parses an ISO 8601 time to UTC, which is the default zone; None for other texts."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
