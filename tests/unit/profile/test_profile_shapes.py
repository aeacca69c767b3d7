"""Files of the shapes that people have: entry of ingest.sources, classes and split, by content."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.core import params as parameters
from components.core.errors import DataError, NewsloopError, SourceError, UsageError
from components.core.paths import Paths
from components.profile import Profile, count, databases
from components.profile.examine import Wishes, examine
from components.profile.locate import locate, unique
from components.profile.names import Role
from components.profile.oddities import OddityKind, oddities
from components.profile.proposal import propose
from tests.project import ROOT
from tests.unit.profile.test_profile_roles import PERSONS, persons, text

PARAMS = parameters.load(ROOT / "params.yaml")
ROWS = 48
WORDS = ("river", "tax", "song", "goal", "storm", "price", "actor", "vote", "match", "phone")
Make = Callable[[Path], Path]


def profile_of(path: object, root: Path, wishes: Wishes | None = None, table: str = "") -> Profile:
    paths, wishes = Paths(root, root / "home"), wishes or Wishes()
    entries = [
        entry
        for located in locate(str(path), paths)
        for entry in databases.with_tables(located, table, PARAMS, paths)
    ]
    examined = [examine(e, wishes, PARAMS, paths, persons) for e in unique(entries)]
    return count(examined, wishes, PARAMS, paths)


def rows(*values: Callable[[int], Any], header: list[str] | None = None) -> Iterator[list[Any]]:
    if header:
        yield header
    for number in range(ROWS):
        yield [value(number) for value in values]


def delimited(lines: Iterator[list[Any]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(lines)
    return buffer.getvalue().encode(encoding)


def file(name: str, content: Callable[[], bytes]) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def json_lines(row: Callable[[int], dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row(number)) + "\n" for number in range(ROWS)).encode()


def label(*names: str) -> Callable[[int], str]:
    return lambda number: names[number % len(names)]


def tickets(folder: Path) -> Path:
    header = ["Ticket ID", "Created", "Customer", "Subject", "Body", "Queue"]
    lines = rows(
        lambda n: f"T-{n}", lambda n: f"2026-03-{n % 28 + 1:02} 10:00", label(*PERSONS),
        lambda n: f"problem {n} with it", lambda n: text(n, 9) * 2, label("billing", "fault"),
        header=header,
    )  # fmt: skip
    return file("tickets.csv", lambda: delimited(lines))(folder)


def ag_news(folder: Path) -> Path:
    for part in ("train", "test"):
        lines = rows(lambda n: n % 4 + 1, lambda n: f"big news {n} today", lambda n: text(n) * 3)
        (folder / f"{part}.csv").write_bytes(delimited(lines))
    (folder / "classes.txt").write_text("World\nSports\nBusiness\nSci/Tech\n")
    return folder


def folder_of_texts(folder: Path) -> Path:
    for number in range(ROWS):
        path = folder / "texts" / ("pos", "neg")[number % 2] / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(number))
    return folder / "texts"


def zip_of_tables(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        for part in ("train", "dev", "test"):
            lines = rows(text, label("a", "b"), header=["sentence", "label"])
            archive.writestr(f"set/{part}.tsv", delimited(lines, "\t"))
        archive.writestr("set/readme.md", "# about")
    return folder / "set.zip"


def xlsx(lines: list[list[Any]]) -> dict[str, str]:
    """Members of a workbook with one sheet of numbers and texts."""
    office = "http://schemas.openxmlformats.org"
    main, packages = f"{office}/spreadsheetml/2006/main", f"{office}/package/2006"
    relations = f"{office}/officeDocument/2006/relationships"

    def cell(value: object) -> str:
        if isinstance(value, int):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    def related(kind: str, target: str) -> str:
        return (
            f'<Relationships xmlns="{packages}/relationships"><Relationship Id="r1" '
            f'Type="{relations}/{kind}" Target="{target}"/></Relationships>'
        )

    cells = "".join(f"<row>{''.join(map(cell, line))}</row>" for line in lines)
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/><Override '
        f'PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": related("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet '
        'name="Export" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": related("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }


def workbook(folder: Path) -> Path:
    header = ["Nr", "Datum", "Bearbeiter", "Text", "Klasse"]
    lines = rows(
        lambda n: n + 100, lambda n: f"2026-03-{n % 28 + 1:02}", label(*PERSONS), text,
        label("a", "b"),
    )  # fmt: skip
    with zipfile.ZipFile(folder / "sheet.xlsx", "w") as archive:
        for name, content in xlsx([header, *lines]).items():
            archive.writestr(name, content)
    return folder / "sheet.xlsx"


def nested(folder: Path) -> Path:
    items = [{"id": n, "attributes": {"body": text(n), "tag": "ab"[n % 2]}} for n in range(ROWS)]
    content = {"meta": {"n": 1}, "data": {"items": items}}
    (folder / "export.json").write_text(json.dumps(content))
    return folder / "export.json"


def packed(folder: Path) -> Path:
    lines = json_lines(lambda n: {"text": text(n), "label": "ab"[n % 2]})
    return file("export.jsonl.gz", lambda: gzip.compress(lines))(folder)


def hugging_face(folder: Path) -> Path:
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    for part in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        numbers = range(ROWS)
        table = pa.table(
            {"text": [f"{part} {text(n)}" for n in numbers], "label": [n % 2 for n in numbers]}
        )
        (folder / "data").mkdir(exist_ok=True)
        pq.write_table(table.replace_schema_metadata(metadata), folder / "data" / f"{part}.parquet")
    return folder / "data"


def database(folder: Path) -> Path:
    with sqlite3.connect(folder / "helpdesk.db") as connection:
        connection.execute("create table tickets (number integer primary key, body, queue)")
        values = [(n, text(n), "ab"[n % 2]) for n in range(ROWS)]
        connection.executemany("insert into tickets values (?, ?, ?)", values)
    connection.close()
    return folder / "helpdesk.db"


def json_of_sides(folder: Path) -> Path:
    sides = {
        side: [[f"{side} {text(n)}", "ab"[n % 2]] for n in range(ROWS)]
        for side in ("train", "val", "oos_test")
    }
    (folder / "data_full.json").write_text(json.dumps(sides))
    return folder / "data_full.json"


def files_of_sides(folder: Path) -> Path:
    for name in ("r8-train-all-terms.txt", "r8-test-all-terms.txt"):
        lines = rows(label("a", "b"), lambda n, name=name: f"{name[3:5]} {text(n)}")
        (folder / name).write_bytes(delimited(lines, "\t"))
    return folder


def numbered_files(folder: Path) -> Path:
    for part in ("train", "dev", "test"):
        lines = rows(lambda n, part=part: f"{part} {text(n)}", lambda n: n % 2)
        (folder / f"{part}.txt").write_bytes(delimited(lines, "\t"))
    (folder / "class.txt").write_text("sport\nnews\n")
    return folder


def lines_of_a_class(*names: str) -> Make:
    def make(folder: Path) -> Path:
        for name in names:
            (folder / name).write_text("".join(f"{name}, {text(n)}: good\n" for n in range(ROWS)))
        return folder

    return make


def tables_of_a_class(folder: Path) -> Path:
    for name in ("ham", "spam"):
        lines = rows(lambda n, name=name: f"{name} {text(n)}", header=["message"])
        (folder / f"{name}.csv").write_bytes(delimited(lines))
    return folder


SHAPES: dict[str, tuple[Make, dict[str, Any], list[str]]] = {
    "support tickets": (
        tickets,
        {"kind": "csv", "text": ["Subject", "Body"], "label": "Queue", "id": "Ticket ID",
         "time": "Created", "author": "Customer"},
        ["billing", "fault"],
    ),
    "sms spam, tabs, no header": (
        file("SMSSpamCollection", lambda: delimited(rows(label("ham", "spam"), text), "\t")),
        {"kind": "csv", "header": False, "text": "column_2", "label": "column_1"},
        ["ham", "spam"],
    ),
    "tweets, latin-1, no header": (
        file("tweets.csv", lambda: delimited(rows(
            label("0", "4"), lambda n: 1467810369 + n * 37,
            lambda n: "Mon Apr 06 22:19:45 PDT 2009", lambda n: "NO_QUERY",
            lambda n: f"@user{n % 9}", lambda n: f"caf\xe9 {text(n)}"), encoding="latin-1")),
        {"kind": "csv", "header": False, "text": "column_6", "label": "column_1",
         "id": "column_2", "author": "column_5"},
        ["0", "4"],
    ),
    "German, semicolons, cp1252": (
        file("export.csv", lambda: delimited(rows(
            lambda n: n + 1, lambda n: f"Die Größe {n} passt nicht, {text(n)}", label("Ja", "Nein"),
            header=["Nr", "Nachricht", "Erledigt"]), ";", "cp1252")),
        {"kind": "csv", "text": "Nachricht", "label": "Erledigt", "id": "Nr"},
        ["Ja", "Nein"],
    ),
    "Japanese headlines": (
        file("見出し.csv", lambda: delimited(rows(
            label("経済", "天気"), lambda n: f"明日の東京は晴れのち曇り第{n}号",
            header=["カテゴリ", "見出し"]))),
        {"kind": "csv", "text": "見出し", "label": "カテゴリ"},
        ["天気", "経済"],
    ),
    "Chinese headlines without a header": (
        file("news.tsv", lambda: delimited(rows(
            label("财经", "体育"), lambda n: f"今天股市大涨第{n}次"), "\t")),
        {"kind": "csv", "header": False, "text": "column_2", "label": "column_1"},
        ["体育", "财经"],
    ),
    "doccano": (
        file("doccano.jsonl", lambda: json_lines(
            lambda n: {"id": n, "text": text(n), "label": ["ab"[n % 2]], "Comments": []})),
        {"kind": "jsonl", "id": "id"},
        ["a", "b"],
    ),
    "dotted paths": (
        file("nested.jsonl", lambda: json_lines(
            lambda n: {"data": {"text": text(n)}, "meta": {"topic": "ab"[n % 2]}})),
        {"kind": "jsonl", "text": "data.text", "label": "meta.topic"},
        ["a", "b"],
    ),
    "floats": (
        file("stars.jsonl", lambda: json_lines(
            lambda n: {"review": text(n), "stars": float(n % 5 + 1)})),
        {"kind": "jsonl", "text": "review", "label": "stars"},
        ["1", "2", "3", "4", "5"],
    ),
    "words that YAML reads as booleans": (
        file("yes.csv", lambda: delimited(
            rows(text, label("yes", "no", "on", "off"), header=["text", "label"]))),
        {"kind": "csv"},
        ["no", "off", "on", "yes"],
    ),
    "columns named id, time and author": (
        file("odd.csv", lambda: delimited(rows(
            lambda n: n % 5, label("12:30", "later"), lambda n: f"Kettle {n % 5} Pro", text,
            label("a", "b"), header=["id", "time", "author", "text", "label"]))),
        {"kind": "csv", "id": None, "time": None, "author": None},
        ["a", "b"],
    ),
    "a German date, a split": (
        file("split.csv", lambda: delimited(rows(
            lambda n: f"{n % 28 + 1}.03.2026", text, label("a", "b"),
            label("train", "train", "Test"), header=["Datum", "Text", "Klasse", "Split"]))),
        {"kind": "csv", "text": "Text", "label": "Klasse", "time": "Datum",
         "time_format": "%d.%m.%Y", "part": "Split"},
        ["a", "b"],
    ),
    "workbook": (
        workbook,
        {"kind": "excel", "text": "Text", "label": "Klasse", "id": "Nr", "time": "Datum",
         "author": "Bearbeiter"},
        ["a", "b"],
    ),
    "lines of fastText": (
        file("train.txt", lambda: "".join(
            f"__label__{'ab'[n % 2]} {text(n)}\n" for n in range(ROWS)).encode()),
        {"kind": "lines"},
        ["a", "b"],
    ),
    "Label Studio": (
        file("project.json", lambda: json.dumps([
            {"id": n, "data": {"body": text(n)}, "annotations": [
                {"result": [{"from_name": "q", "value": {"choices": ["ab"[n % 2]]}}]}]}
            for n in range(ROWS)]).encode()),
        {"kind": "annotations", "text": "body"},
        ["a", "b"],
    ),
    "Prodigy": (
        file("prodigy.jsonl", lambda: json_lines(
            lambda n: {"text": text(n), "_input_hash": n, "accept": ["ab"[n % 2]],
                       "answer": "accept"})),
        {"kind": "annotations"},
        ["a", "b"],
    ),
    "nested JSON": (
        nested,
        {"kind": "json", "text": "attributes.body", "label": "attributes.tag", "id": "id"},
        ["a", "b"],
    ),
    "product reviews": (
        file("reviews.json", lambda: json_lines(
            lambda n: {"asin": f"B000{n % 9}", "reviewText": text(n), "overall": float(n % 3)})),
        {"kind": "json", "text": "reviewText", "label": "overall"},
        ["0", "1", "2"],
    ),
    "columns without names at the end": (
        file("spam.csv", lambda: delimited(rows(
            label("ham", "spam"), text, lambda n: "", lambda n: "",
            header=["v1", "v2", "", ""]))),
        {"kind": "csv", "text": "v2", "label": "v1"},
        ["ham", "spam"],
    ),
    "labels as first words": (
        file("train_5500.label", lambda: "".join(
            f"{('NUM:date', 'HUM:ind')[n % 2]} {text(n)}\n" for n in range(ROWS)).encode()),
        {"kind": "lines"},
        ["HUM:ind", "NUM:date"],
    ),
    "several columns of 0 and 1": (
        file("toxic.csv", lambda: delimited(rows(
            text, lambda n: n % 2, lambda n: n // 2 % 2, lambda n: n // 4 % 2,
            header=["comment", "toxic", "threat", "insult"]))),
        {"kind": "csv", "text": "comment", "label": "toxic"},
        ["0", "1"],
    ),
    "SQLite": (
        database,
        {"kind": "sql", "table": "tickets", "watermark": "number", "id": "number",
         "text": "body", "label": "queue"},
        ["a", "b"],
    ),
    "folder of texts": (folder_of_texts, {"kind": "folder"}, ["neg", "pos"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_entry_and_classes_of_a_shape(tmp_path: Path, name: str) -> None:
    make, expected, classes = SHAPES[name]
    profile = profile_of(make(tmp_path), tmp_path)
    (source,) = profile.sources
    assert {k: v for k, v in source.entry.items() if k not in ("name", "path")} == expected
    assert list(profile.classes.counts) == classes
    assert (profile.summary.documents, profile.faults) == (ROWS, {})


@pytest.mark.parametrize(
    ("make", "parts", "classes"),
    [
        (ag_news, {"test": ROWS, "train": ROWS}, ["Business", "Sci/Tech", "Sports", "World"]),
        (zip_of_tables, {"validation": ROWS, "test": ROWS, "train": ROWS}, ["a", "b"]),
        (hugging_face, {"test": ROWS, "train": 2 * ROWS}, ["neg", "pos"]),
        (json_of_sides, {"train": ROWS, "validation": ROWS, "test": ROWS}, ["a", "b"]),
        (files_of_sides, {"train": ROWS, "test": ROWS}, ["a", "b"]),
        (numbered_files, {"train": ROWS, "validation": ROWS, "test": ROWS}, ["news", "sport"]),
        (
            lines_of_a_class("train_pos.txt", "train_neg.txt", "test_pos.txt", "test_neg.txt"),
            {"train": 2 * ROWS, "test": 2 * ROWS},
            ["neg", "pos"],
        ),
    ],
)
def test_an_official_split_by_files(
    tmp_path: Path, make: Make, parts: dict[str, int], classes: list[str]
) -> None:
    profile = profile_of(make(tmp_path), tmp_path)
    assert profile.summary.parts == parts
    assert list(profile.classes.counts) == classes
    assert not profile.left_out


@pytest.mark.parametrize(
    ("make", "classes", "kind"),
    [
        (lines_of_a_class("rt-polarity.pos", "rt-polarity.neg"), ["neg", "pos"], "lines"),
        (lines_of_a_class("pos.txt", "neg.txt"), ["neg", "pos"], "lines"),
        (tables_of_a_class, ["ham", "spam"], "csv"),
    ],
)
def test_files_without_labels_are_classes(
    tmp_path: Path, make: Make, classes: list[str], kind: str
) -> None:
    profile = profile_of(make(tmp_path), tmp_path)
    assert list(profile.classes.counts) == classes
    assert (profile.summary.documents, profile.faults) == (2 * ROWS, {})
    assert {source.entry["kind"] for source in profile.sources} == {kind}
    assert OddityKind.FILES in {odd.kind for odd in oddities(profile, str)}


@pytest.mark.parametrize("names", [["train.csv"], ["test.csv", "dev.csv"]])
def test_a_side_alone_is_no_official_split(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        lines = rows(text, label("a", "b"), header=["text", "label"])
        (tmp_path / name).write_bytes(delimited(lines))
    profile = profile_of(tmp_path if len(names) > 1 else tmp_path / names[0], tmp_path)
    assert profile.summary.parts == {}


def test_a_label_of_several_columns_is_odd(tmp_path: Path) -> None:
    profile = profile_of(SHAPES["several columns of 0 and 1"][0](tmp_path), tmp_path)
    (odd,) = [o for o in oddities(profile, str) if o.kind is OddityKind.SEVERAL]
    assert "toxic, threat, insult" in odd.text and "--label" in odd.text


def test_classes_that_are_hard_to_tell_apart_are_odd_and_raise_the_limit(tmp_path: Path) -> None:
    draw = random.Random(3)
    content = [(" ".join(draw.choices(WORDS, k=8)), draw.choice("ab")) for _ in range(400)]
    (tmp_path / "a.csv").write_bytes(delimited(iter([["text", "label"], *map(list, content)])))
    profile = profile_of(tmp_path / "a.csv", tmp_path)
    assert profile.noise is not None and profile.noise.share > 0.25
    assert OddityKind.HARD in {odd.kind for odd in oddities(profile, str)}
    limit = propose(profile, PARAMS, [])["validate.max_label_noise"]
    assert profile.noise.share < limit <= 0.95


def test_a_table_of_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("create table tickets (number integer primary key, body, queue)")
        connection.execute("create table agents (name)")
        connection.execute("insert into agents values ('x')")
        values = [(n, text(n), "ab"[n % 2]) for n in range(ROWS)]
        connection.executemany("insert into tickets values (?, ?, ?)", values)
    connection.close()
    monkeypatch.setenv("DATA_URL", "sqlite:///a.db")
    profile = profile_of("DATA_URL", tmp_path)
    (source,) = profile.sources
    assert source.entry == {
        "name": "tickets", "kind": "sql", "url_env": "DATA_URL", "table": "tickets",
        "watermark": "number", "text": "body", "label": "queue", "id": "number",
    }  # fmt: skip
    assert list(profile.left_out) == ["agents"]
    with pytest.raises(SourceError, match="no such table"):
        profile_of("DATA_URL", tmp_path, table="absent")


def test_wishes_stand_above_the_data(tmp_path: Path) -> None:
    path = tickets(tmp_path)
    wishes = Wishes.of(["Body"], {"id": "", "label": "Customer"}, "Jane Roe,Tom Fox")
    profile = profile_of(path, tmp_path, wishes)
    entry = profile.sources[0].entry
    assert (entry["text"], entry["label"], "id" in entry) == ("Body", "Customer", False)
    assert list(profile.classes.counts) == ["Jane Roe", "Tom Fox"]
    named = Wishes.of((), {}, "billing=Rechnung,fault=Fehler")
    assert list(profile_of(path, tmp_path, named).classes.counts) == ["Fehler", "Rechnung"]
    assert Wishes.of((), {"label": None}).columns == {}


@pytest.mark.parametrize(
    ("content", "wishes", "error", "words"),
    [
        (rows(text, text, header=["text", "note"]), {}, UsageError, r"column of labels.*--label"),
        (rows(text, label("a"), header=["text", "label"]), {}, UsageError, "two classes, got one"),
        (rows(label("a", "b"), header=["label"]), {}, UsageError, "column of texts.*--text"),
        (rows(text, text, header=["text", "n"]), {"label": "x"}, UsageError, "a column 'x', got"),
        (iter([["text", "label"]]), {}, DataError, "got none"),
        (rows(text, lambda n: f"c{n // 2}", header=["text", "label"]), {}, DataError, "got 0 in"),
    ],
)
def test_data_that_cannot_be_learned_from(
    tmp_path: Path,
    content: Iterator[list[Any]],
    wishes: dict[str, str],
    error: type[NewsloopError],
    words: str,
) -> None:
    (tmp_path / "a.csv").write_bytes(delimited(content))
    with pytest.raises(error, match=words) as raised:
        profile_of(tmp_path / "a.csv", tmp_path, Wishes.of((), wishes))
    assert "\n" not in str(raised.value)


def test_lists_of_several_labels_are_refused(tmp_path: Path) -> None:
    tags = [["a"], ["a", "b"], ["b", "c"], ["b"], ["a", "c"]]
    path = file("tags.jsonl", lambda: json_lines(lambda n: {"text": text(n), "tags": tags[n % 5]}))
    with pytest.raises(DataError, match=r"of 48 rows that cannot be read: .*several labels"):
        profile_of(path(tmp_path), tmp_path)


def test_a_sorted_file_shows_all_its_classes(tmp_path: Path) -> None:
    """The sample comes from the whole file, not from its beginning."""
    lines = ([f"{text(n)} {n}", f"class {n // 2000}"] for n in range(8000))
    path = file("sorted.csv", lambda: delimited(iter([["text", "label"], *lines])))(tmp_path)
    profile = profile_of(path, tmp_path)
    assert profile.classes.counts == {f"class {n}": 2000 for n in range(4)}
    assert profile.sources[0].roles.of("label") is Role.LABEL


def spoiled(content: bytes) -> Iterator[bytes]:
    """Copies of a file that are cut, zeroed in the middle, or changed in some bytes."""
    half = len(content) // 2
    yield content[:half]
    yield content[:half] + bytes(64) + content[half + 64 :]
    yield content[half:]
    numbers = random.Random(1)
    changed = bytearray(content)
    for _ in range(20):
        changed[numbers.randrange(len(changed))] = numbers.randrange(256)
    yield bytes(changed)


@pytest.mark.parametrize("make", [tickets, workbook, zip_of_tables, hugging_face, packed, nested])
def test_a_spoiled_file_is_read_or_refused(tmp_path: Path, make: Make) -> None:
    path = make(tmp_path)
    path = path if path.is_file() else next(path.iterdir())
    for content in spoiled(path.read_bytes()):
        path.write_bytes(content)
        with suppress(NewsloopError):
            profile_of(path, tmp_path)
