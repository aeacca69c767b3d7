"""Finds the sources at an address: files of rows, folders of texts, archives, databases, stores."""

from __future__ import annotations

import fnmatch
import gzip
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

from components.core.errors import NewsloopError, SourceError, UsageError, cause_and_remedy
from components.core.params.sources import Limits
from components.core.paths import Paths
from components.profile.names import part_of
from components.sources.budget import Budget, NotAllowed
from components.sources.packed import DAMAGED, TARS, Zip, ending
from components.sources.reader import printable
from components.sources.stores import PACKAGES, open_store
from components.sources.tabular.file_types import FileType, file_type, other_type
from components.sources.tabular.json_stream import BadJson, JsonStream

Entry = dict[str, Any]  # of ingest.sources, not complete yet

TABLES = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".json": "json", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow",
    ".feather": "arrow", ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".xlsb": "excel",
    ".ods": "excel",
}  # fmt: skip
_PACKED = (".gz", ".zst", ".bz2", ".xz")
_OTHERS = {".mbox": "mbox"}  # kinds of single files without columns
_TEXTS = frozenset(
    {"", ".txt", ".text", ".md", ".html", ".htm", ".eml", ".pdf", ".docx", ".odt", ".rtf"}
)
_LISTED = 200_000  # files of a folder that are looked at
_HEAD = 64 * 1024  # bytes of a file that tell its kind
_LABELLED_LINES = 10  # from which, and lines a label from which first words are labels
_JSON_CHARACTERS = 1 << 24  # of one value of a JSON file
_SOURCES = 20  # of one project; more files are one data set in parts
_DOCUMENTS = ("readme", "license", "licence", "notes", "changelog")
_FASTTEXT = b"__label__"
_ZIP = "a zip archive"
_VARIABLE = re.compile(r"(?:env:|\$)?([A-Z][A-Z0-9_]*)")
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16


def locate(address: str, paths: Paths, kind: str = "") -> list[Entry]:
    """Returns the sources at `address`, without columns.

    Args:
        address: path of a file or folder, from the working directory; s3://, gs:// or az://; or
            the name of an environment variable with the URL of a database.
        paths: of the project; paths in the entries are relative to it where they lie in it.
        kind: of the sources, where a person named it.

    Raises:
        UsageError: there is nothing, or it is no data.
        SourceError: it cannot be read.
    """
    scheme, found, _ = address.partition("://")
    variable = _VARIABLE.fullmatch(address)
    if variable and variable[1] in os.environ and not Path(address).exists():
        return [{"name": slug(variable[1]), "kind": "sql", "url_env": variable[1]}]
    try:
        if found and scheme in PACKAGES:
            return _named(_remote(address, paths, kind))
        if found:
            raise _no_address(scheme)
        path = Path(address).expanduser()
        if not path.exists():
            raise UsageError(
                f"Expected a file, folder or archive at {printable(address, 200)}, got none. "
                "Check the path, or name an environment variable that holds a database's URL."
            )
        shown = _written(path.resolve(), paths)
        return _named(_folder(path, shown, kind) if path.is_dir() else _file(path, shown, kind))
    except OSError as error:
        raise SourceError(f"Expected to read {address}, got: {cause_and_remedy(error)}") from error
    except (*DAMAGED, NotAllowed) as error:
        raise SourceError(
            f"Expected a readable file or archive at {address}, got: {error}. Repair it, or save "
            "it again."
        ) from error


def _written(path: Path, paths: Paths) -> str:
    """Formats a path for params.yaml: relative to the project inside of it, or else absolute."""
    root = paths.sources.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _no_address(scheme: str) -> NewsloopError:
    if scheme in ("http", "https"):
        return UsageError(
            "Expected a file, folder, archive, object store or database, got a web address. Save "
            "the file on this machine; for a feed or an HTTP API write a source of kind feed or "
            "http_json into params.yaml (docs/your-data.md)."
        )
    return UsageError(
        f"Expected a database's URL in an environment variable, as it may hold a password, got a "
        f"{printable(scheme)} address itself. Put it into a variable (`export "
        "DATA_URL=...`) and run `newsloop init DATA_URL`."
    )


def _file(path: Path, shown: str, kind: str) -> list[Entry]:
    name = path.name.lower()
    if kind:
        return [{"name": path.name, "kind": kind, "path": shown}]
    if name.endswith(TARS):
        return [{"name": path.name, "kind": "folder", "path": shown}]
    side = _side(path.name)
    with path.open("rb") as file:
        head = file.read(_HEAD)
        packed = file_type(head)
        if head.startswith(b"PK\3\4") and (packed is None or packed.description == _ZIP):
            return _zip(file, path.name, shown)
    if not head:
        raise SourceError(f"Expected data in {shown}, got an empty file. Save it again.")
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(path) as content:
            head = content.read(_HEAD)
    found = _kind_of(path.name) or _OTHERS.get(path.suffix.lower())
    if found is None or other_type(head, found):
        found = _kind_by_content(head, shown)
    if found == "sql":
        return [{"name": path.name, "kind": found, "path": shown}]
    if found == "json" and (parts := _json_parts(path)):
        return [
            {"name": part, "kind": found, "path": shown, "items": part, **_side(part)}
            for part in parts
        ]
    return [{"name": path.name, "kind": found, "path": shown, **side}]


def _json_parts(path: Path) -> list[str]:
    """Returns the keys of a JSON object whose values are lists, one for each side of a split.

    An empty list is returned for any other content, which the reader judges.
    """
    parts = []
    with path.open("rb") as opened:
        content: Any = gzip.GzipFile(fileobj=opened) if _is_gzip(path.name) else opened
        stream = JsonStream(content, _JSON_CHARACTERS, Budget(Limits()))
        try:
            if stream.next() != "{":
                return []
            for key in stream.members():
                if stream.next() != "[" or part_of(key) is None:
                    return []
                parts.append(key)
                stream.skip()
        except (BadJson, UnicodeError):
            return []
    return parts if len(parts) > 1 else []


def _is_gzip(name: str) -> bool:
    return name.lower().endswith(".gz")


def _kind_of(name: str) -> str | None:
    """Returns the kind of a file of rows by its suffix; None for other files.

    >>> _kind_of("a/Train.CSV.gz"), _kind_of("notes.txt")
    ('csv', None)
    """
    return TABLES.get(_suffix(name))


def _suffix(name: str) -> str:
    name = name.lower()
    for end in _PACKED:
        name = name.removesuffix(end)
    return PurePosixPath(name).suffix


def _kind_by_content(head: bytes, shown: str) -> str:
    """Returns the kind of a file by its first bytes."""
    if head.startswith(b"From ") and b"\nSubject:" in head:
        return "mbox"
    if head.lstrip().startswith(_FASTTEXT) or _begin_with_labels(head):
        return "lines"
    found = file_type(head)
    if found is None and b"\0" in head and not head.startswith(_BYTE_ORDER_MARKS):
        found = FileType("a binary file", None)
    if found is None:
        return "csv"
    if found.kind is None:
        raise SourceError(
            f"Expected rows or texts in {shown}, got {found.description}. Export the data as CSV, "
            "JSON Lines, Parquet or Excel, or put texts into one folder a class."
        )
    return found.kind


def _begin_with_labels(head: bytes) -> bool:
    r"""Tests if lines begin with one of a few labels and a space, as "NUM:date When did".

    >>> _begin_with_labels(b"NUM:date When did it end ?\nHUM:ind Who was it ?\n" * 20)
    True
    >>> _begin_with_labels(b"When did it end?\nWho was it?\n" * 20)
    False
    """
    lines = [line.split(None, 1) for line in head.splitlines()[:-1] if line.strip()]
    if len(lines) < _LABELLED_LINES or b"\t" in head:
        return False
    first = Counter(line[0] for line in lines)
    return (
        1 < len(first) <= len(lines) / _LABELLED_LINES
        and all(len(line) > 1 and b" " in line[1] for line in lines)
        and all(re.fullmatch(rb"\d|[-+]1|\w+:\w+", word) for word in first)
    )


def _zip(file: IO[bytes], name: str, shown: str) -> list[Entry]:
    budget = Budget(Limits())
    names = Zip(file, "", ending(("",)), budget).names()
    tables = [member for member in names if _kind_of(member)]
    if not tables or _are_texts(names):
        return [{"name": name, "kind": "folder", "path": shown}]
    entries = []
    for group in _groups(tables):
        kind = str(_kind_of(group[0]))
        if len(tables) == 1 and len(names) == len(tables):
            entries.append({"name": name, "kind": kind, "path": shown})
            continue
        for member in group:
            entry = {"name": member, "kind": kind, "path": shown, "inside": member}
            entries.append(entry | _side(member))
    return entries


def _folder(path: Path, shown: str, kind: str) -> list[Entry]:
    names = list(islice(_walk(path), _LISTED))
    texts = [name for name in names if _suffix(name) in ("", ".txt") and not _is_document(name)]
    if not kind and texts and not any("/" in name or _kind_of(name) for name in names):
        return _flat(path, texts, shown)
    return _tree(names, shown, path.name, kind)


def _flat(folder: Path, names: list[str], shown: str) -> list[Entry]:
    """Returns the sources of a folder that holds text files only: tables, or lines and labels."""
    labels = [name for name in names if "label" in name.lower()]
    if len(labels) == 1 and len(names) == 2:  # noqa: PLR2004 - a file of lines and one of labels
        lines = next(name for name in names if name not in labels)
        labelled = {"path": f"{shown}/{lines}", "labels_path": f"{shown}/{labels[0]}"}
        return [{"name": lines, "kind": "lines", **labelled}]
    return [
        entry | _side(name)
        for name in names
        for entry in _file(folder / name, f"{shown}/{name}", "")
    ]


def _remote(address: str, paths: Paths, kind: str) -> list[Entry]:
    store = open_store(address, paths.sources)
    name = store.name
    what = store.what()
    if what == "nothing":
        raise UsageError(f"Expected objects at {address}, got none. Check the address.")
    if what == "file":
        found = kind or _kind_of(name)
        if name.lower().endswith((".zip", *TARS)) and not kind:
            found = "folder"
        return [{"name": name, "kind": found or "csv", "path": address}]
    names, _ = store.names(ending(("",)), Budget(Limits()))
    return _tree(names, address, name, kind)


def _tree(names: list[str], shown: str, name: str, kind: str) -> list[Entry]:
    """Returns the sources of a folder with these files."""
    tables = [file for file in names if _kind_of(file)]
    if kind or not tables or _are_texts(names):
        if not kind and (classes := _files_of_classes(names)):
            return [
                {"name": file, "kind": found, "path": f"{shown}/{file}"} for file, found in classes
            ]
        if not kind and not any(_suffix(file) in _TEXTS for file in names):
            ends = Counter(_suffix(file) or "no suffix" for file in names)
            listed = ", ".join(f"{end} {number}" for end, number in ends.most_common(5))
            raise UsageError(
                f"Expected texts or tables in {shown}, got {len(names)} files"
                f"{f' ({listed})' if listed else ''}. Put each text into a folder that is named "
                "after its class, or name a table."
            )
        return [{"name": name, "kind": kind or "folder", "path": shown}]
    entries: list[Entry] = []
    for group in _groups(tables):
        of_group = {"kind": _kind_of(group[0]) or "csv"}
        pattern = _pattern(group, tables)
        for file in [pattern] if pattern else group:
            entry = {"name": file, **of_group, "path": f"{shown.rstrip('/')}/{file}"}
            entries.append(entry | _side(group[0]))
    if len(entries) > _SOURCES:
        raise UsageError(
            f"Expected at most {_SOURCES} tables in {shown}, got {len(entries)}. Name the files "
            "that belong together."
        )
    return entries


def _files_of_classes(names: list[str]) -> list[tuple[str, str]]:
    """Returns mailboxes, or files of lines, that may hold a class each, with their kinds.

    >>> _files_of_classes(["spam.mbox", "ham.mbox"]), _files_of_classes(["a.xyz", "b/c.xyz"])
    ([('spam.mbox', 'mbox'), ('ham.mbox', 'mbox')], [])
    >>> _files_of_classes(["rt-polarity.pos", "rt-polarity.neg", "readme"])
    [('rt-polarity.pos', 'csv'), ('rt-polarity.neg', 'csv')]
    """
    files = [name for name in names if not _is_document(name)]
    if not 1 < len(files) <= _SOURCES or any("/" in name for name in files):
        return []
    ends = [_suffix(name) for name in files]
    if set(ends) <= set(_OTHERS):
        return [(name, _OTHERS[end]) for name, end in zip(files, ends, strict=True)]
    stems = {PurePosixPath(name).stem for name in files}
    if len(stems) == 1 and len(set(ends)) == len(files) and _TEXTS.isdisjoint(ends):
        return [(name, "csv") for name in files]
    return []


def _walk(folder: Path, prefix: str = "") -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield f"{prefix}{entry.name}"


def _are_texts(names: list[str]) -> bool:
    """Tests if most files are texts in folders of classes."""
    texts = sum("/" in name and _suffix(name) in _TEXTS for name in names)
    return texts > len(names) / 2


def _groups(tables: list[str]) -> list[list[str]]:
    """Groups files of one folder, kind and side of a split, which may be parts of one table."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in tables:
        path = PurePosixPath(name)
        if _is_document(name):
            continue
        groups.setdefault((str(path.parent), _suffix(name), _side_of(name) or ""), []).append(name)
    return list(groups.values())


def _is_document(name: str) -> bool:
    """Tests if a file describes the data."""
    return PurePosixPath(name).stem.lower().startswith(_DOCUMENTS)


def _pattern(group: list[str], tables: list[str]) -> str | None:
    """Returns a pattern that fits these files alone; None where there is none."""
    if len(group) == 1:
        return None
    stem = os.path.commonprefix(group)  # noqa: RUF071 - of characters
    end = group[0][group[0].lower().rindex(_suffix(group[0])) :]
    pattern = f"{re.sub(r'[0-9]+$', '', stem)}*{end}"
    fitting = [name for name in tables if fnmatch.fnmatchcase(name, pattern)]
    numbered = all(re.search(r"\d", PurePosixPath(name).name) for name in group)
    return pattern if numbered and sorted(fitting) == sorted(group) else None


def _side(name: str) -> dict[str, str]:
    side = _side_of(name)
    return {"fixed_part": side} if side else {}


def _side_of(name: str) -> str | None:
    """Returns the side of an official split that a path names."""
    path = PurePosixPath(name)
    return part_of(path.name) or part_of(path.parent.name)


def _named(entries: Iterable[Entry]) -> list[Entry]:
    """Names the sources after their files."""
    return unique([{**entry, "name": slug(entry["name"])} for entry in entries])


def unique(entries: Iterable[Entry]) -> list[Entry]:
    """Numbers sources of the same name; `feedback` is the name of another source."""
    taken = {"feedback"}
    renamed = []
    for entry in entries:
        name, number = entry["name"], 1
        while name in taken:
            number += 1
            name = f"{entry['name']}_{number}"
        taken.add(name)
        renamed.append({**entry, "name": name})
    return renamed


def slug(name: str) -> str:
    """Makes a source's name of a file's.

    >>> slug("data/Train-00000-of-00001.parquet"), slug("日本.csv"), slug("SUPPORT_DATABASE_URL")
    ('train-00000-of-00001', 'data', 'support')
    """
    stem = PurePosixPath(name).name.lower().partition(".")[0].replace("*", "")
    stem = re.sub(r"_?(?:database)?_(?:url|dsn)$", "", stem)
    return re.sub(r"[^a-z0-9_-]+", "_", stem).strip("_-") or "data"
