"""Workbooks of Excel and LibreOffice, made by hand, and those that would fill the memory."""

from __future__ import annotations

import base64
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.unit.sources.table_files import SECRET, TWO, labelled, opened, refusal

Rows = list[list[str | int | float | bool | None]]
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# Rows text,label / one,a / two,b, as xlwt writes them.
XLS = (
    "c-rk)O=uHA6#izDG(WUyQd6N7N+?*h?M1wJsjGtaWT|>kM9{?UK^hVX0e>!5YmS28N%2zX#Y@$TKj=Ykf<i?Pf*>S%^d"
    "u;FXtRCu?JlO8Lj$&`%(u*&w{O1LdAsxG?asbgOxNZf^w;qV_8^3Y8%IZzO-YFdCn-p~>uNQqV^Um$e+u!KOk_s{PrF`"
    "6^&IN?uEWCp@C%W^Cn+a!4ilxKlifh<rw=)$eHas|a7Qdj^wFyx$}^OkDDRQ^jB+n6*D1$@TT>^nXip69_M`Z?HORIk^"
    "mQMx&j(s|q8Bf96koofJZ=R0%4c(hzq4T=+=+R}yp20Wr<^O)kdX<T$9Fdid<$0U^Q^INtX)CuKUUkLE$la~Ffar6Gy}"
    "XU$@Nvpo8Y5M7~xvfMMxFrLL~wea(Sm96j_WC2|3X!=S!mH6FN0>DW_H~<t~PJr^qREQ%^I{Q<AKg?tXoHC_ibRqGg8Z"
    "+e`9WwO?>?MfZ@-Nw&~6a)&8LD6jIWTd4O_W+XhN9-8d+m4mb7Tx08yjI)b)XK!oLw~Jo=a`^E;^|QT0^o8;IrOd*6dk"
    "%y0T&ASIK4vkhM%C?G8c*z?R(?YGNZI#Wa)?<e-*?x4lXYVm394yI?@T`(<?~ewz9Qf9`HK9I&$n9eE%L)Y-+THI{c^Q"
    ">@K85Os``lp3=9km3=9km3=Gy8%KxMfdHW20p6ZQ5)c>!uETv(7ll-?hf|48+*_a+cQR*@-wiQ2{5mCXl)EfH){|hya$"
    ">?QFBTql3+m2t^_^IamS#!tKpIbuhj^Aj<&vhPu1#|$!<N"
)


def zipped(files: dict[str, str]) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def xlsx(**sheets: Rows | str) -> bytes:
    """A workbook with the least that readers need; a text is the XML of a sheet's data."""
    names, links, files = "", "", {}
    for number, (name, rows) in enumerate(sheets.items(), start=1):
        names += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
        links += relation(f"r{number}", "worksheet", f"worksheets/s{number}.xml")
        numbers = range(1, len(rows) + 1)
        data = rows if isinstance(rows, str) else "".join(map(sheet_row, numbers, rows))
        files[f"xl/worksheets/s{number}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
        )
    office = relation("r", "officeDocument", "xl/workbook.xml")
    head = f'<workbook xmlns="{MAIN}" xmlns:r="{RELATION}">'
    return zipped({
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{office}</Relationships>',
        "xl/workbook.xml": f"{head}<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels":
            f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>',
        **files,
    })  # fmt: skip


def relation(name: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{name}" Type="{RELATION}/{kind}" Target="{target}"/>'


def sheet_row(number: int, cells: list[str | int | float | bool | None]) -> str:
    content = ""
    for column, cell in zip("ABCDEFGH", cells, strict=False):
        place = f'r="{column}{number}"'
        if isinstance(cell, str):
            content += f'<c {place} t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
        elif isinstance(cell, bool):
            content += f'<c {place} t="b"><v>{cell:d}</v></c>'
        elif cell is not None:
            content += f"<c {place}><v>{cell}</v></c>"
    return f'<row r="{number}">{content}</row>'


def ods(rows: Rows) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    body = "".join(
        f"<table:table-row>{''.join(cell.format(value) for value in row)}</table:table-row>"
        for row in rows
    )
    return zipped({
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<m:manifest xmlns:m="{office}:manifest:1.0"></m:manifest>',
        "content.xml": f'<office:document-content xmlns:office="{office}:office:1.0" '
        f'xmlns:table="{office}:table:1.0" xmlns:text="{office}:text:1.0"><office:body>'
        f'<office:spreadsheet><table:table table:name="S">{body}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>",
    })  # fmt: skip


def xls() -> bytes:
    return zlib.decompress(base64.b85decode(XLS))


PLAIN: Rows = [["text", "label"], ["one", "a"], ["two", "b"]]


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (xlsx(S=PLAIN), {}),
        (ods(PLAIN), {}),
        (xls(), {}),
        (xlsx(Cover=[], Data=[[None, "A report"], [], [None, "label", "text"], [None, "a", "one"],
                              [], [None, "b", "two"]]), {}),
        (xlsx(First=[["x", "y"], ["1", "2"]], Second=PLAIN), {"sheet": "Second"}),
        (xlsx(S=[["text", "label", "time"], ["one", 1.0, None], ["two", True, None]]),
         {"label_names": {1: "a", "true": "b"}}),
        (xlsx(S=[["a", "one"], ["b", "two"]]),
         {"header": False, "text": "column_2", "label": "column_1"}),
    ],
)  # fmt: skip
def test_shapes_of_workbooks(tmp_path: Path, content: bytes, settings: dict[str, Any]) -> None:
    reader = opened(tmp_path, "d", content, "excel", **settings)
    assert labelled(list(reader.read(reader.pin()))) == TWO


def test_records_and_what_is_no_header(tmp_path: Path) -> None:
    rows: Rows = [["b", f"{SECRET} owes me 20 pounds today"], ["a", 2.5], ["b", 3]]
    reader = opened(tmp_path, "d.xlsx", xlsx(S=rows), "excel")
    assert [list(row.values()) for row in reader.records()] == rows
    assert "seems to have no header, with 2 columns" in refusal(reader)
    reader = opened(tmp_path, "d.xlsx", xlsx(S=[["Text", "label"], [SECRET, "a"]]), "excel")
    assert "write `text: Text`" in refusal(reader)


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (xlsx(S=PLAIN, T=[]), {"sheet": "U"}, "a sheet 'U' in .*only 'S', 'T'"),
        (xlsx(S=PLAIN)[:-400], {}, "zip"),
        (xls()[:2000], {}, "a damaged workbook"),
        (b"\xd0\xcf\x11\xe0" + bytes(5000), {}, "a damaged workbook"),
        (zipped({"xl/a": "x", "[Content_Types].xml": ""}), {}, "a damaged workbook"),
        # Two cells in the corners of the sheet: 17 thousand million cells in memory.
        (xlsx(S='<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v>'
              "</c></row>"), {}, "more than 1024 MiB of memory"),
        (xlsx(S="<row>" + " " * 3_000_000 + "</row>"), {}, "unpacked_ratio"),
    ],
)  # fmt: skip
def test_what_is_no_workbook_is_refused(
    tmp_path: Path, content: bytes, settings: dict[str, Any], message: str
) -> None:
    reader = opened(tmp_path, "d.xlsx", content, "excel", limits={}, **settings)
    assert re.search(message, came := refusal(reader)), came
