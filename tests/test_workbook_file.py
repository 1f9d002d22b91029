"""The file of a workbook, opened by two programs that others wrote: openpyxl, and calamine."""

import datetime as dt
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from python_calamine import CalamineWorkbook

from monitor.lists.workbook import LOOK, write
from monitor.lists.workbook_file import Sheet, SheetColumn, draw_row, place

DAY = dt.date(2026, 1, 12)


def a_book(path: Path, *sheets: Sheet) -> Path:
    write(path, sheets, title="Lists & more", made_on=DAY)
    return path


def a_sheet(*rows: list[tuple[Any, int]], name: str = "Flags", **given: Any) -> Sheet:
    drawn = (draw_row(number, row) for number, row in enumerate(rows))
    return Sheet(name, drawn, place(0, 0, len(rows) - 1, max(map(len, rows)) - 1), **given)


def open_book(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(path.read_bytes()))


def test_two_programs_read_the_same_values_and_kinds(tmp_path: Path) -> None:
    cells = [
        ("0004512", LOOK["text"]),
        (12, LOOK["number"]),
        (-3, LOOK["count"]),
        (DAY, LOOK["date"]),
        (None, 0),
        ("", 0),
    ]

    path = a_book(tmp_path / "a.xlsx", a_sheet(cells))

    row = open_book(path)["Flags"][1]
    read = dt.datetime(2026, 1, 12)  # noqa: DTZ001 - as openpyxl reads a day
    assert [cell.value for cell in row][:4] == ["0004512", 12, -3, read]
    assert [cell.data_type for cell in row][:4] == ["s", "n", "n", "d"]
    assert [cell.number_format for cell in row][:4] == ["@", "0", "#,##0", "dd/mm/yyyy"]
    assert CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python() == [["0004512", 12, -3, DAY, "", ""]]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "@x", "-2", " kept ", "<b>&amp;</b>", 'said "no"', "two\nlines\tand a tab", "é ☂ 🏠", "]]>", "12/3"],
)
def test_text_is_text_and_comes_back_as_it_is(tmp_path: Path, text: str) -> None:
    path = a_book(tmp_path / "a.xlsx", a_sheet([(text, LOOK["text"])]))

    cell = open_book(path)["Flags"]["A1"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False) == [[text]]


@pytest.mark.parametrize("text", ["\x00\x07", "a\r\nb", "\ufffe\uffff", "_x0041_", "\x1b_x000D_"])
def test_what_xml_has_no_character_for_is_written_by_its_number(tmp_path: Path, text: str) -> None:
    path = a_book(tmp_path / "a.xlsx", a_sheet([(text, LOOK["text"])]))

    (written,) = [
        found.text or ""
        for found in ElementTree.fromstring(zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")).iter()
        if found.tag.endswith("}t")
    ]
    assert openpyxl.utils.escape.unescape(written) == text


def test_rows_read_one_by_one_are_as_wide_as_the_sheet(tmp_path: Path) -> None:
    path = a_book(tmp_path / "a.xlsx", a_sheet([("title", 0)], [("a", 0), ("b", 0), ("c", 0)]))

    rows = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True)["Flags"].values
    assert list(rows) == [("title", None, None), ("a", "b", "c")]


def test_text_longer_than_a_cell_is_cut(tmp_path: Path) -> None:
    path = a_book(tmp_path / "a.xlsx", a_sheet([("x" * 40_000, 0)]))

    assert open_book(path)["Flags"]["A1"].value == "x" * 32_767


def test_names_and_headings_may_hold_what_xml_may_not(tmp_path: Path) -> None:
    headings = ['"a" & <b>', "it's\ufffe"]
    rows = [[(name, LOOK["heading"]) for name in headings], [("1", 0), ("2", 0)]]

    sheet = a_sheet(*rows, name="It's <R&D>", filtered=place(0, 0, 1, 1), table=("flags", headings), printed="A1:B2")
    path = a_book(tmp_path / "a.xlsx", sheet)

    opened = open_book(path)["It's <R&D>"]
    assert next(column.name for column in opened.tables["flags"].tableColumns) == headings[0]
    assert opened.print_area == "'It''s <R&D>'!$A$1:$B$2"


def test_every_part_is_xml_and_is_declared(tmp_path: Path) -> None:
    table = ("summary", ["a"])
    path = a_book(
        tmp_path / "a.xlsx",
        a_sheet([("a", 0)], [("b", 0)], name="One", filtered="A1:A2", table=table, columns=[SheetColumn(9)]),
        a_sheet(
            [("c", 0)],
            name="Two",
            frozen=(1, 1),
            links=[("A1", "https://a.uk/?b&c"), ("A2", "x" * 2_080)],
            merged=["A1:B1"],
            unlocked=["sort"],
            header="&Cx",
            footer="&R&P",
        ),
    )

    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        parts = {name: ElementTree.fromstring(book.read(name)) for name in book.namelist()}
    declared = {each.get("PartName") for each in parts["[Content_Types].xml"]} - {None}
    assert {f"/{name}" for name in parts if not name.endswith((".rels", "[Content_Types].xml"))} == declared
    assert next(iter(parts)) == "[Content_Types].xml"
    assert [link.get("Target") for link in parts["xl/worksheets/_rels/sheet2.xml.rels"]] == ["https://a.uk/?b&c"]


def test_the_same_sheets_give_the_same_bytes_and_no_other_file(tmp_path: Path) -> None:
    first, again = (a_book(tmp_path / name, a_sheet([("a", 0)])).read_bytes() for name in ("a.xlsx", "b.xlsx"))

    assert first == again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xlsx", "b.xlsx"]


def test_lists_and_report_bring_in_no_library_for_workbooks_or_pictures() -> None:
    modules = "monitor.night.publish, monitor.lists.lists, monitor.report.write"
    code = f"import sys, {modules}; print(sorted({{'xlsxwriter', 'pygal'}} & sys.modules.keys()))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"
