"""The links of pages: followed from one page to the next, as a reader does."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote


def followed(page: Path) -> tuple[list[Path], list[str]]:
    """The files that `page` and the pages behind it link, and the links that lead nowhere."""
    files, missing = [page.resolve()], []
    for file in files:
        for address in re.findall(r'href="([^"#]+)"', file.read_text("utf-8")):
            target = (file.parent / unquote(address)).resolve()
            if address.startswith(("http", "data:")):
                continue
            if not target.is_file():
                missing.append(f"{file.name}: {address}")
            elif target not in files:
                files.append(target)
    return files, missing
