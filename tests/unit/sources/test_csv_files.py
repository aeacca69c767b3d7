"""CSV files as people have them: the dialect is detected, and what is no CSV is refused."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components.formats import charsets
from components.sources.tabular import dialect
from tests.unit.sources.table_files import SECRET, TWO, labelled, opened, read, refusal

COMMA = "text,label\none,a\ntwo,b\n"
QUOTED = 'text;label\r\n"one; ""1""";a\r\n"two\nlines";b\r\n'


def long(delimiter: str, row: str, count: int = 40) -> bytes:
    rows = "".join(
        f"{row.format(number)}{delimiter}{'ab'[number % 2]}\n" for number in range(count)
    )
    return f"text{delimiter}label\n{rows}".encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_delimiters_line_ends_and_encodings(
    tmp_path: Path, delimiter: str, ending: str, encoding: str
) -> None:
    content = COMMA.replace(",", delimiter).replace("\n", ending).encode(encoding)
    assert labelled(read(opened(tmp_path, "d.csv", content, "csv"))) == TWO


@pytest.mark.parametrize(
    ("content", "settings", "expected"),
    [
        (QUOTED, {}, [('one; "1"', "a"), ("two\nlines", "b")]),
        ('text,label\n"one, \\"1\\", x",a\ntwo,b\n', {}, [('one, "1", x', "a"), ("two", "b")]),
        ("text,label\n'one, 1',a\n'it''s two',b\n", {}, [("one, 1", "a"), ("it's two", "b")]),
        ("sep=|\ntext|label\none, x|a\ntwo|b\n", {}, [("one, x", "a"), ("two", "b")]),
        ("sep=;\r\none;a\r\ntwo;b\r\n",
         {"header": False, "text": "column_1", "label": "column_2"}, TWO),
        # Quotes that are never closed, in a file without quotes.
        ('text\tlabel\n"one\ta\ntwo "2\tb\n', {}, [('"one', "a"), ('two "2', "b")]),
        ("label\ttext\na\tone, a; b, c; d: e\nb\ttwo\n", {},
         [("one, a; b, c; d: e", "a"), ("two", "b")]),
        ("time;text;label\n12:30;one, x;a\n13:30;two, y;b\n", {"time": None},
         [("one, x", "a"), ("two, y", "b")]),
        (",text,label\n0,one,a\n1,two,b\n", {}, TWO),  # as pandas writes an index
        ('text, label\n"one, 1", a\n"two", "b, 2"\n', {}, [("one, 1", "a"), ("two", "b, 2")]),
        ("text;label\none;a;\ntwo;b;;\n", {}, TWO),
        ("\n\ntext,label\n\none,a\n,\n\ntwo,b\n\n", {}, TWO),
        ("title,body,label\none,,a\ntwo,three,b\n", {"text": ["title", "body"]},
         [("one", "a"), ("two\n\nthree", "b")]),
        ("a^b\none^a\ntwo^b\n", {"delimiter": "^", "text": "a", "label": "b"}, TWO),
        ('text,label\n"one,"a"\ntwo,b\n', {"quote": "none"}, [('"one', '"a"'), ("two", "b")]),
    ],
)  # fmt: skip
def test_shapes_of_csv(
    tmp_path: Path, content: str, settings: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert (
        labelled(read(opened(tmp_path, "d.csv", content.encode(), "csv", **settings))) == expected
    )


@pytest.mark.parametrize(
    "text", ["Grüße, „Größe“ – 5 €", "Größe", "café, déjà vu", "costs £5, naïve"]
)
@pytest.mark.parametrize("delimiter", [";", ","])
def test_what_excel_saves_in_western_europe(tmp_path: Path, text: str, delimiter: str) -> None:
    content = f'Text{delimiter}Label\r\n"{text}"{delimiter}a\r\n'.encode("cp1252")
    reader = opened(tmp_path, "d.csv", content, "csv", text="Text", label="Label")
    assert labelled(read(reader)) == [(text, "a")]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (
            "cp1250",
            "Proszę o zwrot pieniędzy za zamówienie, które nie dotarło. Dziękuję bardzo, książka",
        ),
        (
            "iso8859_2",
            "Žádám o vrácení peněz za objednávku, která nedorazila. Příliš žluťoučký kůň",
        ),
        ("cp1251", "Прошу вернуть деньги за заказ, который не пришёл. Отличный товар"),
        ("koi8_r", "Прошу вернуть деньги за заказ, который не пришёл. Отличный товар"),
        ("cp1253", "Το προϊόν δεν έφτασε ποτέ, παρακαλώ επιστρέψτε τα χρήματα"),
        (
            "cp1254",
            "Ürün hâlâ gelmedi, lütfen paramı iade edin. Çok güzel, ışığı açık, şarjı iyi değil",
        ),
        ("cp1255", "המוצר לא הגיע, אנא החזירו את הכסף. שירות מצוין, תודה רבה"),
        ("cp1256", "لم يصل المنتج، يرجى رد المبلغ. خدمة ممتازة، شكرا جزيلا"),
        ("shift_jis", "注文した商品が届いていません。返金をお願いします。とても良い製品でした。"),
        ("euc_jp", "注文した商品が届いていません。返金をお願いします。とても良い製品でした。"),
        ("gb18030", "我订购的商品没有收到，请退款。这个产品非常好，谢谢。更新后应用程序无法使用。"),
        ("big5", "我訂購的商品沒有收到，請退款。這個產品非常好，謝謝。更新後應用程式無法使用。"),
        ("euc_kr", "주문한 상품이 도착하지 않았습니다. 환불을 요청합니다. 아주 좋은 제품입니다."),
        ("mac_roman", "Größere Störung in München, die Straße ist für Fußgänger gesperrt"),
    ],
)
def test_older_encodings_by_their_languages(encoding: str, text: str) -> None:
    content = f'text;label\n"{text}";a\n'.encode(encoding)
    assert content.decode(charsets.detect(content)) == content.decode(encoding)


def test_a_file_of_utf8_with_a_damaged_row_stays_utf8(tmp_path: Path) -> None:
    content = "text,label\ncafé,a\n".encode() + b"caf\xe9,b\n" + "é,a\n".encode()
    documents = read(opened(tmp_path, "d.csv", content, "csv"))
    assert [document.text for document in documents] == ["café", "", "é"]
    assert documents[1].fault == "the text is not valid UTF-8"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (long(";", "one, two, {}: 12:30 | x"), (";", "double")),
        (long("\t", 'he said "hi" {}, ok'), ("\t", "double")),
        (long("\t", '"unclosed {}'), ("\t", "none")),
        (long(",", '"quoted, {}; and; more"'), (",", "double")),
        (b"one column\nof words\n", (",", "double")),
        (b"", (",", "double")),
    ],
)
def test_the_dialect_depends_on_the_sample_alone(content: bytes, found: tuple[str, str]) -> None:
    result = dialect.detect(content)
    assert (result.delimiter, result.quote) == found
    # A sample may be cut anywhere in a row.
    assert dialect.detect(content[:-3], complete=False)._replace(columns=0) == result._replace(
        columns=0
    )


def test_a_quote_that_is_never_closed_far_behind_in_a_file_without_quotes(tmp_path: Path) -> None:
    content = long("\t", "a text {} " + 300 * "x", 1200) + b'"SECRET\ta\nlast\tb\n'
    documents = read(opened(tmp_path, "d.tsv", content, "csv"))
    assert labelled(documents)[-2:] == [('"SECRET', "a"), ("last", "b")]


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ("text,label\none,a\n", True),
        ("Product Title;Überschrift\na;b\n", True),
        ("0,1\none two,a\n", True),
        ("ham,Jane Roe owes me 20 pounds\nspam,Call now\n", False),
        ("a,one\nb,two\na,three\n", False),
        ("jane@example.org,a\nx,b\n", False),
        ("3,one\n4,two\n", False),
    ],
)
def test_header_or_none(rows: str, header: bool) -> None:
    assert dialect.detect(rows.encode()).header is header


def test_a_file_without_a_header(tmp_path: Path) -> None:
    content = f'a,"Jane {SECRET} owes me 20 pounds"\nb,"Win a prize, call now"\n'.encode()
    message = refusal(opened(tmp_path, "d.csv", content, "csv"))
    assert "seems to have no header, with 2 columns" in message
    assert "`header: false`" in message and "column_1 to column_2" in message
    named = {"text": "column_2", "label": "column_1"}
    for settings in ({"header": False, **named}, named):
        documents = read(opened(tmp_path, "d.csv", content, "csv", **settings))
        assert [document.label for document in documents] == ["a", "b"]
    reader = opened(tmp_path, "d.csv", content, "csv")
    assert [sorted(row) for row in reader.records(1)] == [["column_1", "column_2"]]
    assert SECRET not in refusal(opened(tmp_path, "d.csv", content, "csv", header=True))


def test_a_name_that_stands_twice_is_refused_only_if_it_is_used(tmp_path: Path) -> None:
    content = b"text,label,note,note,text\none,a,,,x\ntwo,b,,,y\n"
    message = refusal(opened(tmp_path, "d.csv", content, "csv"))
    assert "got 2 columns of that name" in message and "`text: column_5`" in message
    assert labelled(read(opened(tmp_path, "d.csv", content, "csv", text="column_1"))) == TWO
    once = content.replace(b",text\n", b",other\n")
    assert labelled(read(opened(tmp_path, "d.csv", once, "csv"))) == TWO


@pytest.mark.parametrize(
    ("header", "settings", "hint"),
    [
        ("Text,label", {}, "the column 'Text'. Names must match exactly: write `text: Text`"),
        (" text,label", {}, 'write `text: " text"`'),
        ("text,labels", {}, "write `label: labels`"),
        ("title,Body,label", {"text": ["title", "body"]}, "write `text: [title, Body]`"),
        ("body,label", {}, "only 'body', 'label'"),
    ],
)
def test_the_column_that_would_fit_is_named(
    tmp_path: Path, header: str, settings: dict[str, Any], hint: str
) -> None:
    cells = ",".join("x" for _ in header.split(","))
    assert hint in refusal(
        opened(tmp_path, "d.csv", f"{header}\n{cells}\n".encode(), "csv", **settings)
    )


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (f"{SECRET},a,b", "expected 2 fields, got 3"),
        (f"{SECRET}", "expected 2 fields, got 1"),
        (f'"{SECRET}"x,a', "quotes inside a field"),
        (f"{SECRET}\rx,a", "a line break outside of quotes"),
    ],
)
def test_a_bad_row_is_a_fault_and_the_next_row_is_read(
    tmp_path: Path, row: str, fault: str
) -> None:
    content = f"text,label\none,a\n{row}\ntwo,b\n".encode()
    first, bad, last = read(opened(tmp_path, "d.csv", content, "csv"))
    assert (first.text, last.text) == ("one", "two")
    assert bad.fault == fault and bad.id == "s/2" and SECRET not in repr(bad)


@pytest.mark.parametrize(
    ("content", "kind", "came", "todo"),
    [
        (b"PAR1" + bytes(20), "csv", "a Parquet file", "`kind: parquet`"),
        (b"PK\3\4" + bytes(26) + b"xl/workbook.xml", "csv", "a workbook of Excel", "`kind: excel`"),
        (b"PK\3\4" + bytes(26) + b"a.csv", "csv", "a zip archive", "CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(20), "csv", "an old Excel workbook", "`kind: excel`"),
        (b"<!DOCTYPE html><table>SECRET", "csv", "an HTML page", "CSV"),
        (b"<html>SECRET", "excel", "an HTML page", "CSV"),
        (b"%PDF-1.4 SECRET", "csv", "a PDF", "CSV"),
        (b"SQLite format 3\0", "csv", "a SQLite database", "`kind: sql`"),
        (b'{"text": "SECRET"}\n', "csv", "JSON Lines", "`kind: jsonl`"),
        (b'[\n {"text": "SECRET"}]', "jsonl", "a JSON array", "`kind: json`"),
        (b"text,label\nSECRET,a\n", "excel", "a text, perhaps CSV", "`kind: csv`"),
        (b"text,label\nSECRET,a\n", "parquet", "a text, perhaps CSV", "`kind: csv`"),
        (b"\x89PNG\r\n", "arrow", "a picture", "CSV"),
    ],
)
def test_a_file_of_another_kind_is_named(
    tmp_path: Path, content: bytes, kind: str, came: str, todo: str
) -> None:
    message = refusal(opened(tmp_path, "d.csv", content, kind))
    assert f"got {came}" in message and todo in message


@pytest.mark.parametrize("packed", ["gzip", "bz2", "zst"])
def test_packed_with_and_without_the_end_of_its_name(tmp_path: Path, packed: str) -> None:
    content = {
        "gzip": gzip.compress, "bz2": bz2.compress,
        "zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True),
    }[packed](COMMA.encode())  # fmt: skip
    for name in ("d.csv", f"d.csv.{packed[:3]}"):
        assert labelled(read(opened(tmp_path, name, content, "csv"))) == TWO


def test_a_folder_and_a_pattern_of_parts(tmp_path: Path) -> None:
    for name, content in {
        "parts/a.csv": b"text,label\none,a\n",
        "parts/deep/b.tsv": b"label\ttext\nb\ttwo\n",
        "parts/read.me": b"no rows",
        "parts/c.CSV.gz": gzip.compress(b"text;label\nthree;c\n"),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    def texts(path: str) -> list[str]:
        reader = opened(tmp_path, "unused", b"", "csv", path=path)
        pin = reader.pin()
        assert str(tmp_path) not in repr(pin)
        documents = list(reader.read(pin))
        assert len({document.id for document in documents}) == len(documents)
        return [document.text for document in documents]

    assert texts("parts") == ["one", "three", "two"]
    assert texts("parts/*.csv") == ["one"]
    assert texts("parts/**/*.[ct]sv") == ["one", "two"]
    assert "files *.xml in it" in refusal(
        opened(tmp_path, "unused", b"", "csv", path="parts/*.xml")
    )
    reader = opened(tmp_path, "unused", b"", "csv", path="parts")
    pin = reader.pin()
    (tmp_path / "parts/deep/b.tsv").write_bytes(b"label\ttext\nb\tother\n")
    with pytest.raises(Exception, match="pinned"):
        list(reader.read(pin))
    (tmp_path / "parts/a.csv").write_bytes(b"body,label\nSECRET,a\n")
    assert "a.csv, got only 'body', 'label'" in refusal(reader)
