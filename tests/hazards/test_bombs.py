"""Hazards 46 and 47: what unpacks to more than allowed, and what leads out of its source.

Each bomb is read with the default limits by a process of its own, which is measured. A hostile
document in a file costs that file only: the next one is read.
"""

from __future__ import annotations

import gzip
import html
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.core.errors import SourceError
from components.core.params import Limits, Source
from components.core.paths import Paths
from components.formats import FileText
from components.formats.converter import Converter
from components.sources import RawDocument, open_source
from components.sources.addresses import Guard, LeadsInside, is_inside
from tests.unit.sources.made_files import docx, odt, paragraph, pdf
from tests.web import Web, serving

MIB = 1024 * 1024
MOST_MIB, MOST_SECONDS = 256, 15
SENT = "SECRET-OF-THE-SENDER"
Make = Callable[[], bytes]


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd", **options)
    return buffer.getvalue()


def repeated(value: str, rows: int) -> Any:
    """A column that Parquet writes as one value and a count."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [value])


def long_value() -> bytes:
    """1,024 times one value of 2.4 MiB: 2.4 GiB as a batch."""
    text = SENT + "a" * int(2.4 * MIB)
    return parquet({"text": repeated(text, 1024), "label": repeated("a", 1024)})


def many_rows() -> bytes:
    count = 2_000_000
    return parquet({"text": repeated(SENT, count), "label": repeated("a", count)})


def only_nulls() -> bytes:
    count = 2_000_000
    empty = pa.nulls(count, pa.string())
    return parquet({"text": empty, "label": empty})


def shared_beginnings() -> bytes:
    """Each value has all of the one before, which DELTA_BYTE_ARRAY writes as a length."""
    texts = [SENT + "a" * MIB] * 100
    return parquet(
        {"text": texts, "label": ["a"] * 100}, use_dictionary=False, data_page_size=4 * MIB,
        column_encoding={"text": "DELTA_BYTE_ARRAY", "label": "PLAIN"},
    )  # fmt: skip


def long_page() -> bytes:
    return parquet({"text": ["a" * 100 * MIB], "label": ["a"]}, use_dictionary=False)


def long_list() -> bytes:
    count = 2_000_000
    values = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [SENT])
    lists = pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), values)
    return parquet({"text": lists, "label": ["a"]})


def fixed_length() -> bytes:
    """Nulls of a column of fixed length take its length each."""
    return parquet({"text": pa.nulls(1000, pa.binary(100_000)), "label": ["a"] * 1000})


def sparse_tar() -> bytes:
    """4,000 texts of 16 MiB, of which the tar holds no byte."""
    entries = b""
    for number in range(4000):
        info = tarfile.TarInfo(f"a/{number}.txt")
        header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        header[156:157] = tarfile.GNUTYPE_SPARSE
        header[483:495] = b"%011o\0" % (16 * MIB)  # the size with its holes
        header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
        entries += bytes(header)
    return gzip.compress(entries + bytes(1024), mtime=0)


def zipped(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def many_entries() -> bytes:
    """A directory of 2.1 million entries of 46 bytes, all of one content."""
    packed = zipped("a", b"")
    end, start = packed.rindex(b"PK\5\6"), packed.index(b"PK\1\2")
    entry = packed[start:end][:46].replace(b"\1\0\0\0", b"\0\0\0\0", 0)
    count = 2_100_000
    directory = (entry[:28] + b"\0\0" + entry[30:]) * count
    tail = bytearray(packed[end:])
    tail[8:16] = (65535).to_bytes(2, "little") * 2 + len(directory).to_bytes(4, "little")
    return packed[:start] + directory + bytes(tail)


def rss(description: bytes) -> bytes:
    item = b"<item><title>t</title><description>" + description + b"</description></item>"
    return b'<rss version="2.0"><channel>' + item + b"</channel></rss>"


def entities() -> bytes:
    levels = [b'<!ENTITY a0 "' + SENT.encode() + b'">']
    levels += [b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)]
    return b"<!DOCTYPE x [" + b"".join(levels) + b"]>" + rss(b"&a9;")


# file, kind -> what it holds, and words of the refusal; "" where it may be read, in bounds.
FILES: dict[tuple[str, str], tuple[Make, str]] = {
    ("value.parquet", "parquet"): (long_value, "unpacked_ratio"),
    ("rows.parquet", "parquet"): (many_rows, "unpacked_ratio"),
    ("nulls.parquet", "parquet"): (only_nulls, "unpacked_ratio"),
    ("delta.parquet", "parquet"): (shared_beginnings, "unpacked_ratio"),
    ("page.parquet", "parquet"): (long_page, "unpacked_ratio"),
    ("list.parquet", "parquet"): (long_list, "unpacked_ratio"),
    ("fixed.parquet", "parquet"): (fixed_length, "more than 4096 bytes"),
    # With a limit that lets it in, it still comes in batches that memory has room for.
    ("raised.parquet", "parquet"): (long_value, "268,435,456 bytes"),
    ("inside.parquet.gz", "parquet"): (lambda: gzip.compress(long_value()), "unpacked_ratio"),
    ("sparse.tgz", "folder"): (sparse_tar, "unpacked_ratio"),
    ("members.tgz", "folder"): (
        lambda: gzip.compress(tarfile.TarInfo("a/" + SENT).tobuf() * 50_000), "unpacked_ratio"),
    ("bzip2.zip", "jsonl"): (
        lambda: zipped("a.jsonl", bytes(64 * MIB), zipfile.ZIP_BZIP2), "bzip2"),
    ("entries.zip", "jsonl"): (many_entries, "more than 2,000,000 files"),
    ("zeros.jsonl.gz", "jsonl"): (lambda: gzip.compress(bytes(128 * MIB)), "unpacked_ratio"),
    ("objects.jsonl", "jsonl"): (lambda: b'{"a": [' + b"{}," * 5 * MIB + b"{}]}\n", "values"),
    ("fields.csv", "csv"): (lambda: b"text,label\n" + b"ab," * 5 * MIB, "values"),
    ("row.csv", "csv"): (lambda: b"text,label\n" + b'"' + (b"a" * 9999 + b'\n","') * 8000,
                         "a row of more than"),
    ("entities.xml", "feed"): (entities, ""),
    ("attributes.xml", "feed"): (
        lambda: rss(b"<a " + b" ".join(b'a%d="x"' % i for i in range(200_000)) + b"/>"),
        "more than 256 attributes"),
    ("elements.xml", "feed"): (lambda: rss(b"<a/>" * 2 * MIB), "values"),
    **{(f"markup{number}.xml", "feed"): (
        lambda piece=piece: rss(html.escape(piece * (MIB // 2 // len(piece))).encode()), "")
       for number, piece in enumerate(("<!--", "<a ", '<a href="', "<svg></iframe>", "<?"))},
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Reads all bombs, those of a server too; (file or route) -> measurement."""
    root = tmp_path_factory.mktemp("bombs")
    cases: dict[str, Any] = {}
    for (name, kind), (make, _) in FILES.items():
        (root / name).write_bytes(make())
        cases[name] = {"name": "s", "kind": kind, "path": name}
    (root / "params.yaml").write_bytes(Path("params.yaml").read_bytes())
    with serving() as web:
        web.answer = lambda asked: SERVED[asked.path]
        for route in SERVED:
            cases[route] = {"name": "s", "kind": "http_json", "url": f"{web.url}{route}"}
        raised = {"raised.parquet": {"unpacked_ratio": 10**6, "unpacked_mib": 256}}
        listed = [
            (
                str(root),
                source | {"limits": Limits(attempts=1, **raised.get(name, {})).model_dump()},
            )
            for name, source in cases.items()
        ]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bomb_reader"], input=json.dumps(listed), text=True,
            stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    yield dict(zip(cases, json.loads(done.stdout), strict=True))


TWICE = gzip.compress(gzip.compress(bytes(80 * MIB)))
SERVED: dict[str, Any] = {
    "/twice": (200, {"Content-Encoding": "gzip, gzip"}, TWICE),
    "/once": (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(80 * MIB))),
    "/deflate": (200, {"Content-Encoding": "deflate"}, zlib.compress(bytes(80 * MIB))),
    "/other": (200, {"Content-Encoding": SENT}, b"x"),
    "/objects": (200, {"Content-Encoding": "gzip"},
                 gzip.compress(b"[" + b"{}," * 20 * MIB + b"{}]")),
}  # fmt: skip
REFUSALS = {"/twice": "several", "/once": "at most", "/deflate": "at most", "/other": "encodings",
            "/objects": "values"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [*((name, words) for (name, _), (_, words) in FILES.items()), *REFUSALS.items()],
)
def test_a_bomb_is_refused_within_the_budget(
    results: dict[str, dict[str, Any]], name: str, words: str
) -> None:
    measured = results[name]
    assert words in measured["error"] and bool(words) == bool(measured["error"]), measured
    assert SENT not in measured["error"] and measured["error"].count("\n") == 0
    assert measured["mib"] <= MOST_MIB and measured["seconds"] <= MOST_SECONDS, measured


INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip


def test_addresses_that_are_not_of_the_internet() -> None:
    assert [address for address in INSIDE if not is_inside(address)] == []
    outside = ("8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::")
    assert not any(is_inside(address) for address in outside)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("NO_PROXY", "*")
    return Paths(tmp_path, tmp_path / "home")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as opened:
        opened.answer = lambda _: (200, {}, [{"text": "t", "label": "a"}])
        yield opened


def read(paths: Paths, **settings: Any) -> list[RawDocument]:
    limits = Limits(attempts=1)
    opened = open_source(Source.model_validate({"name": "s", "limits": limits, **settings}), paths)
    return list(opened.read(opened.pin()))


def other_names(port: int) -> list[str]:
    """Ways to write an address of this machine, and of others inside."""
    return [
        f"http://127.0.0.2:{port}/{SENT}", f"http://2130706433:{port}/", f"http://0x7f.1:{port}/",
        f"http://localhost:{port}/", f"http://[::1]:{port}/", f"http://[::ffff:127.0.0.1]:{port}/",
        f"http://0:{port}/", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/",
        "https://192.168.1.1/", "http://[fe80::1]/",
    ]  # fmt: skip


def test_a_redirect_or_link_to_an_inside_address_is_not_followed(paths: Paths, web: Web) -> None:
    with serving() as inside:
        inside.answer = web.answer
        port = int(inside.url.rpartition(":")[2])
        pages = {"by": "link", "path": "next"}
        for target in other_names(port):
            for answer, more in (
                ((302, {"Location": target}, b""), {}),
                ((200, {}, {"i": [], "next": target}), {"items": "i", "pages": pages}),
            ):
                web.answer = lambda _, answer=answer: answer
                with pytest.raises(SourceError, match="allow_private_addresses") as refused:
                    read(paths, kind="http_json", url=f"{web.url}/x", **more)
                assert SENT not in str(refused.value) and "169.254" not in str(refused.value)
        assert inside.asked == []
        # The settings may allow it.
        web.answer = lambda _: (302, {"Location": inside.url}, b"")
        url = f"{web.url}/x"
        assert len(read(paths, kind="http_json", url=url, allow_private_addresses=True)) == 1


def test_the_host_that_the_settings_name_may_be_inside(paths: Paths, web: Web) -> None:
    answers = {"/a": (302, {"Location": "/b"}, b""), "/b": web.answer(None)}  # type: ignore[arg-type]
    web.answer = lambda asked: answers[asked.path]
    assert len(read(paths, kind="http_json", url=f"{web.url}/a")) == 1
    assert len(read(paths, kind="http_json", url=f"{web.url}/a".replace("127.0.0.1", "localhost")))


class Names:
    """Answers of a name server, one after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in self._answers.pop(0)]


def test_a_name_that_changes_its_address_stays_outside() -> None:
    home = httpx.URL("http://news.example/rss")
    public, here = "8.8.8.8", "127.0.0.1"
    guard = Guard(home, False, Names([public], [here], [here, public]))
    assert guard.allowed("news.example", 80) == [public]
    with pytest.raises(LeadsInside):
        guard.allowed("news.example", 80)
    assert guard.allowed("news.example", 80) == [public]
    with pytest.raises(LeadsInside):
        Guard(home, False, Names([here])).allowed("other.example", 80)
    # An address of the own network that the settings name; another port is another server.
    guard = Guard(home, False, Names([here], [here]))
    assert guard.allowed("news.example", 80) == [here]
    with pytest.raises(LeadsInside):
        guard.allowed("news.example", 9200)


def test_the_connection_goes_to_the_address_that_was_checked(web: Web) -> None:
    """The name is looked up once: the second answer would be another machine."""
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    port = int(web.url.rpartition(":")[2])
    guard = Guard(httpx.URL(f"http://news.example:{port}/"), False, names)
    stream = guard.connect_tcp("news.example", port, timeout=5)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
    stream.close()


def test_a_link_or_mount_out_of_the_folder_is_not_read(paths: Paths) -> None:
    folder, outside = paths.root / "texts", paths.root / "outside"
    for place in (folder / "a", folder / "b", outside):
        place.mkdir(parents=True)
    (folder / "a" / "1.txt").write_text("one")
    (outside / "1.txt").write_text(SENT)
    settings = {"kind": "folder", "path": "texts"}
    (folder / "b" / "2.txt").symlink_to("../a/1.txt")
    (paths.root / "link").symlink_to("texts")
    assert len(read(paths, **settings)) == len(read(paths, kind="folder", path="link")) == 2
    opened = open_source(Source.model_validate({"name": "s", **settings}), paths)
    pin = opened.pin()
    documents = opened.read(pin)
    next(documents)
    # Between listing and reading.
    (folder / "b" / "2.txt").unlink()
    (folder / "b" / "2.txt").symlink_to(outside / "1.txt")
    with pytest.raises(SourceError, match="a link out of it"):
        next(documents)
    with pytest.raises(SourceError, match="allow_outside_files") as refused:
        read(paths, **settings)
    assert SENT not in str(refused.value)
    assert SENT in [d.text for d in read(paths, **settings, allow_outside_files=True)]
    feed = {"kind": "feed", "path": "feeds"}
    (paths.root / "feeds").mkdir()
    (paths.root / "feeds" / "1.xml").symlink_to(outside / "1.txt")
    with pytest.raises(SourceError, match="allow_outside_files"):
        read(paths, **feed)
    if os.path.ismount("/dev/shm"):
        with pytest.raises(SourceError, match="only files of its own folder"):
            read(paths, kind="folder", path="/dev")


# Documents in files: e-mails, PDF, office files

SECONDS = 0.3  # of processor time for each file
GOOD = docx(paragraph("a good text"))


def nested(depth: int) -> bytes:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(depth)
    )
    return b"Subject: x\n" + head


def cyclic() -> bytes:
    """A page tree that holds itself."""
    return pdf("text").replace(b"/Kids[5 0 R]", b"/Kids[2 0 R]")


def forms() -> bytes:
    """A page that draws the same text 500,000 times."""
    return pdf("", stream=b"BT /F1 12 Tf " + b"(aaaaaaaa) Tj " * (MIB // 2) + b"ET")


def renamed(content: bytes, size: int) -> bytes:
    """A zip whose directory says that its parts have `size` bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = [info.file_size for info in archive.infolist()]
    for old in sizes:
        content = content.replace(old.to_bytes(4, "little"), size.to_bytes(4, "little"))
    return content


LEVELS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
HOSTILE: dict[str, tuple[str, Make, str]] = {
    # name: format, content, words of the fault; "" where text may come
    "xml of zeros": ("docx", lambda: docx(" " * 16 * MIB), "unpacks to more than"),
    "long text": ("docx", lambda: docx(paragraph("a" * 4 * MIB)), "longer than 1,048,576 bytes"),
    "entities": (
        "docx", lambda: docx(paragraph("&a9;"), f'<!DOCTYPE x [<!ENTITY a0 "a">{LEVELS}]>'),
        "document type declaration"),
    "deep xml": ("docx", lambda: docx("<w:p>" * 200_000), "the file"),
    "a small size in the directory": (
        "docx", lambda: renamed(docx(" " * 16 * MIB), 10), "the file is"),
    "spaces": ("odt", lambda: odt('<t:p><t:s t:c="999999999"/>x</t:p>'), ""),
    "many spaces": (
        "odt", lambda: odt('<t:p><t:s t:c="999"/></t:p>' * 9999), "longer than"),
    "nested parts": ("mail", lambda: nested(3000), "the file"),
    "many parts": (
        "mail", lambda: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n\n" * MIB,
        "the file"),
    "addresses": ("mail", lambda: b"From: " + b"(<" * MIB + b"\n\nx", ""),
    "encoded words": ("mail", lambda: b"Subject: " + b"=?utf-8?q?" * MIB + b"\n\nx", ""),
    "continued header": ("mail", lambda: b"Subject: x\n" + b" y\n" * MIB + b"\nx", ""),
    "page stream": ("pdf", lambda: pdf("", stream=b" " * 16 * MIB), "the file"),
    "page of text": ("pdf", forms, "the file"),
    "pages in a circle": ("pdf", cyclic, "the file"),
    "nested arrays": (
        "pdf", lambda: pdf("x").replace(b"/MediaBox[", b"/A" + b"[" * MIB), "the file"),
    "nested groups": ("rtf", lambda: b"{\\rtf1 " + b"{" * MIB, ""),
    "fields": ("rtf", lambda: b"{\\rtf1 " + b"{\\field{\\*\\fldinst{HYPERLINK " * 50_000, ""),
    "words": ("rtf", lambda: b"{\\rtf1 " + b"\\u-1" * MIB, ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def converter() -> Iterator[Converter]:
    with Converter(SECONDS, MIB) as made:
        yield made


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_a_bad_row_and_the_next_one_is_read(
    converter: Converter, name: str
) -> None:
    format_, make, words = HOSTILE[name]
    content = make()
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = converter.convert(content, format_, 4 * MIB)
    after = resource.getrusage(resource.RUSAGE_SELF)
    if words:
        assert words in str(found.fault) and found.text == ""
    assert len(found.text) <= MIB
    assert after.ru_utime - before.ru_utime < 2 * SECONDS
    assert converter.convert(GOOD, "docx", MIB) == FileText("a good text")


def test_a_converter_that_ends_leaves_no_process() -> None:
    with Converter(SECONDS, MIB) as made:
        made.convert(GOOD, "docx", MIB)
        child = made._child
        assert child is not None and child.poll() is None
    assert child.returncode is not None
