"""Real files, each read into the workspace or refused with a message that says what to do."""

import datetime as dt
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from support import binary_workbooks
from support.binary_workbooks import Cell, Failed, Formula, write_ole
from support.odd_workbooks import WRITERS, write_odd_xlsx
from support.posix import WINDOWS, needs_posix

from monitor.catalogue.broken_cells import CUT_SHORT, MERGED, NOT_CALCULATED
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import Extract, SourceContext
from monitor.sources.read import read_source
from monitor.workspace import fetch, open_workspace

AS_AT = dt.date(2026, 1, 5)

LIST_9 = (
    "Child Unique ID", "Gender", "Ethnicity", "Date of Birth", "Age",
    "Unaccompanied Asylum Seeking Child (UASC), or formerly UASC if 18 or over (Y/N)",
    "Does the Child have a Disability", "Allocated Team", "Allocated Worker", "Allocated Personal Advisor",
    "Eligibility Category", "Latest Pathway Plan Review Date", "LA in Touch", "Latest Date of Contact",
    "Type of Accommodation", "Suitability of Accommodation", "Activity Status",
)  # fmt: skip

ROW = (
    "P001", "a) Male", "a) WBRI", dt.date(2006, 3, 1), 19.8, "b) No", "b) No", "North", "W1", "Adviser 1",
    "b) Former relevant child", dt.date(2025, 9, 1), "a) Yes", dt.date(2025, 12, 1), "U: Independent living",
    "a) Suitable", "F2: Other education",
)  # fmt: skip

LOADED = ("2006-03-01", "b) No", "North", "Adviser 1", "2025-09-01", "U: Independent living")


def row_of(person_id: object) -> tuple[object, ...]:
    return (person_id, *ROW[1:])


def write_workbook(path: Path, sheets: dict[str, Sequence[Sequence[Any]]], **options: Any) -> Path:
    book = xlsxwriter.Workbook(str(path), options)
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for position, cell in enumerate(row):
                if isinstance(cell, dt.date):
                    sheet.write_datetime(number, position, cell, day)
                elif cell is not None:
                    sheet.write(number, position, cell)
    book.close()
    return path


def write_ods(path: Path, rows: Sequence[Sequence[Any]], name: str = "List 9") -> Path:
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    book = OpenDocumentSpreadsheet()
    table = Table(name=name)
    for row in rows:
        line = TableRow()
        for value in row:
            if isinstance(value, dt.date):
                cell = TableCell(valuetype="date", datevalue=value.isoformat())
            elif isinstance(value, int | float):
                cell = TableCell(valuetype="float", value=value)
            elif value is None:
                cell = TableCell()
            else:
                cell = TableCell(valuetype="string")
            cell.addElement(P(text="" if value is None else str(value)))
            line.addElement(cell)
        table.addElement(line)
    book.spreadsheet.addElement(table)
    book.save(str(path))
    return path


def csv_text(rows: Sequence[Sequence[object]], delimiter: str = ",", end: str = "\r\n") -> str:
    def written(cell: object) -> str:
        text = "" if cell is None else cell.strftime("%d/%m/%Y") if isinstance(cell, dt.date) else str(cell)
        return '"' + text.replace('"', '""') + '"' if re.search(r'["\r\n]|' + re.escape(delimiter), text) else text

    return "".join(delimiter.join(written(cell) for cell in row) + end for row in rows)


def read(path: Path, sheet: str | None = None) -> tuple[Extract, list[dict[str, Any]]]:
    workspace = open_workspace()
    extract = read_source(
        Source(name="caseload", kind="annex-a-list-9", path=path, sheet=sheet),
        workspace,
        SourceContext(AS_AT, path.parent),
    )
    return extract, fetch(workspace, f'SELECT * FROM "{extract.table}" ORDER BY "row"')


def refusal(path: Path, sheet: str | None = None) -> str:
    with pytest.raises(SourceError) as caught:
        read(path, sheet)
    message = str(caught.value)
    assert path.name in message
    assert not message.endswith(".")
    return message


def ids(rows: list[dict[str, Any]], column: str = "c0") -> list[tuple[int, str]]:
    return [(row["row"], row[column]) for row in rows]


# Formats


def test_a_workbook_is_read_with_dates_as_iso_text(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [LIST_9, row_of("0012"), row_of("P2")]})

    extract, rows = read(path)

    assert extract.sheet == "List 9"
    assert extract.file == "list.xlsx"
    assert extract.headings == LIST_9
    assert ids(rows) == [(2, "0012"), (3, "P2")]
    assert [rows[0][f"c{n}"] for n in (3, 5, 7, 9, 11, 14)] == list(LOADED)


def test_columns_that_no_rule_needs_are_never_loaded(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [(*LIST_9, "Address"), (*row_of("P1"), "1 Any Street")]})

    _, rows = read(path)

    assert "1 Any Street" not in rows[0].values()
    assert not {"c1", "c2", "c4", "c17"} & rows[0].keys()


def test_an_ods_sheet_is_read_like_a_workbook(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "list.ods", [LIST_9, row_of("P1"), row_of(12345)])

    extract, rows = read(path)

    assert extract.sheet == "List 9"
    assert ids(rows) == [(2, "P1"), (3, "12345")]
    assert [rows[0][f"c{n}"] for n in (3, 5, 7, 9, 11, 14)] == list(LOADED)


@pytest.mark.parametrize(
    ("encoding", "delimiter", "end"),
    [
        ("utf-8", ",", "\r\n"),
        ("utf-8", ",", "\n"),
        ("utf-8-sig", ",", "\r\n"),
        ("utf-8-sig", ";", "\r\n"),
        ("utf-16", "\t", "\r\n"),
        ("cp1252", ",", "\r\n"),
        ("utf-8", ",", "\r"),
    ],
)
def test_csv_is_read_as_excel_writes_it(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    team = "Zo\u00eb \u2013 North"
    rows = [LIST_9, (*row_of("0012")[:7], team, *ROW[8:]), row_of("P2")]
    path = tmp_path / "list.csv"
    path.write_bytes(csv_text(rows, delimiter, end).encode(encoding))

    extract, found = read(path)

    assert extract.sheet is None
    assert ids(found) == [(2, "0012"), (3, "P2")]
    assert found[0]["c7"] == team


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Zoë André".encode()[:-1], "ends within a letter, so it was cut short; copy or export it again"),
        ("Zoë André".encode("utf-16")[:-1], "not text in UTF-8, UTF-16 or Windows-1252"),
        ("Zoe André".encode("cp1252"), None),
        (b"Zoe Andr\xc3", None),
    ],
    ids=["UTF-8", "UTF-16", "Windows-1252", "Windows-1252 that could begin a letter"],
)
def test_a_csv_cut_within_a_letter_is_refused_in_words(tmp_path: Path, content: bytes, words: str | None) -> None:
    path = tmp_path / "list.csv"
    start = csv_text([LIST_9, row_of("P1"), (*row_of("P2")[:-1], "")]).removesuffix("\r\n")
    mark = b"\xff\xfe"
    path.write_bytes(start.encode("utf-16" if content.startswith(mark) else "ascii") + content.removeprefix(mark))

    if words:
        assert words in refusal(path)
    else:
        assert ids(read(path)[1]) == [(2, "P1"), (3, "P2")]


def test_a_csv_cell_may_hold_delimiters_quotation_marks_and_line_breaks(tmp_path: Path) -> None:
    team = 'North, "East"\r\nand West'
    path = tmp_path / "list.csv"
    path.write_text(csv_text([LIST_9, (*row_of("P1")[:7], team, *ROW[8:]), row_of("P2")]), "utf-8", newline="")

    _, rows = read(path)

    assert rows[0]["c7"] == team
    assert ids(rows) == [(2, "P1"), (3, "P2")]


def test_blank_lines_in_a_csv_keep_the_row_numbers_of_the_file(tmp_path: Path) -> None:
    lines = csv_text([LIST_9, row_of("P1"), row_of("P2")]).splitlines(keepends=True)
    path = tmp_path / "list.csv"
    path.write_text("".join([lines[0], lines[1], "\r\n", lines[2], "\r\n", "\r\n"]), "utf-8", newline="")

    _, rows = read(path)

    assert ids(rows) == [(2, "P1"), (4, "P2")]


def test_a_csv_row_with_too_many_cells_is_marked_and_the_rest_are_read(tmp_path: Path) -> None:
    lines = csv_text([LIST_9, row_of("P1"), row_of("P2")]).splitlines(keepends=True)
    path = tmp_path / "list.csv"
    path.write_text(lines[0] + lines[1].replace("North", "North, East") + lines[2], "utf-8", newline="")

    _, rows = read(path)

    assert [row["fault"] for row in rows] == ["18 cells under 17 headings", None]
    assert ids(rows) == [(2, None), (3, "P2")]


def test_a_csv_cut_off_in_its_last_row_marks_that_row(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(csv_text([LIST_9, row_of("P1"), row_of("P2")])[:-40], "utf-8", newline="")

    _, rows = read(path)

    assert [row["fault"] for row in rows] == [None, "the file stops in the middle of this row"]


def test_a_csv_row_cut_short_is_not_blank_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(csv_text([LIST_9, row_of("P1")[:-2], row_of("P2"), ("Printed on Monday",)]), "utf-8", newline="")

    _, rows = read(path)

    assert [row["fault"] for row in rows] == [None, None, None]
    assert [row["c14"] for row in rows] == ["U: Independent living", "U: Independent living", None]
    assert [row["c16"] for row in rows] == [CUT_SHORT, "F2: Other education", None]


def test_columns_that_excel_leaves_out_of_a_block_of_rows_are_blank(tmp_path: Path) -> None:
    people = [row_of(f"P{n}") for n in range(1, 48)]
    people[15:31] = [row[:-2] for row in people[15:31]]  # rows 17 to 32 of the file
    people[40] = people[40][:-2]
    path = tmp_path / "list.csv"
    path.write_text(csv_text([LIST_9, *people]), "utf-8", newline="")

    _, rows = read(path)

    assert [row["row"] for row in rows if row["c16"] is None] == list(range(17, 33))
    assert [row["row"] for row in rows if row["c16"] == CUT_SHORT] == [42]


def test_a_column_that_no_row_of_a_csv_reaches_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(csv_text([LIST_9, row_of("P1")[:-1], row_of("P2")[:-3]]), "utf-8", newline="")

    _, rows = read(path)

    assert [(row["c14"], row["c16"]) for row in rows] == [("U: Independent living", None), (CUT_SHORT, None)]


def test_a_csv_name_with_characters_of_a_pattern_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "list9.csv").write_text("other", "utf-8")
    path = tmp_path / ("list[9].csv" if WINDOWS else "list[9]*.csv")
    path.write_text(csv_text([LIST_9, row_of("P1")]), "utf-8", newline="")

    _, rows = read(path)

    assert ids(rows) == [(2, "P1")]


# Headings and sheets


def test_headings_are_found_beneath_notes_and_blank_rows(tmp_path: Path) -> None:
    rows = [("Annex A",), (), ("List 9: leaving care",), (), LIST_9, row_of("P1")]
    workbook = write_workbook(tmp_path / "list.xlsx", {"List 9": rows})
    text = tmp_path / "list.csv"
    text.write_text(csv_text(rows), "utf-8", newline="")

    assert ids(read(workbook)[1]) == [(6, "P1")]
    assert ids(read(text)[1]) == [(6, "P1")]


def test_a_sheet_that_does_not_start_at_its_first_cell_is_read(tmp_path: Path) -> None:
    shifted = [(), *[(None, None, *row) for row in (LIST_9, row_of("P1"))]]
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": shifted})

    extract, rows = read(path)

    position = extract.headings.index("Child Unique ID")
    assert ids(rows, f"c{position}") == [(3, "P1")]


@pytest.mark.parametrize("name", ["LIST 9", "list9", "List 9 - Leaving care", "Care leavers"])
def test_the_sheet_is_known_by_its_name_or_its_headings(tmp_path: Path, name: str) -> None:
    looked_after = ("Child Unique ID", "Date of Birth", "Gender", "Allocated Team")
    sheets = {"List 6": [looked_after, ("P9", dt.date(2012, 1, 1), "M", "A")], name: [LIST_9, row_of("P1")]}
    path = write_workbook(tmp_path / "annex.xlsx", sheets)

    extract, rows = read(path)

    assert extract.sheet == name
    assert ids(rows) == [(2, "P1")]


def test_ssd_spellings_and_a_layout_of_thirteen_columns_are_known(tmp_path: Path) -> None:
    headings = (
        "TypeOfAccommodation", "ChildUniqueID", "Sex", "Ethnicity", "DateOfBirth", "AgeofChild(Years)",
        "Does the child have\na disability?", "AllocatedTeam", "AllocatedWorker", "EligibilityCategory",
        "LAInTouch", "SuitabilityOfAccommodation", "activity status",
    )  # fmt: skip
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [headings, tuple(f"v{n}" for n in range(13))]})

    extract, rows = read(path)

    assert extract.headings == headings
    assert {n for n in range(13) if f"c{n}" in rows[0]} == set(range(13)) - {2, 3, 5}


def test_a_column_may_be_headed_by_its_catalogue_name(tmp_path: Path) -> None:
    headings = (
        "person_id",
        "date_of_birth",
        "latest_contact_date",
        "closure date",
        "Agreed contact interval days",
    )
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [headings, ("P1", "2006-03-01", "", "2025-01-01", 28)]})

    _, rows = read(path)

    assert (rows[0]["c3"], rows[0]["c4"]) == ("2025-01-01", "28")


@given(
    order=st.permutations(range(17)),
    case=st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    space=st.sampled_from([" ", "  ", "\n", "\u00a0", "_", "-", ""]),
    tail=st.sampled_from(["", " ", "\n", ":", "*", "."]),
    lead=st.integers(0, 3),
)
@settings(max_examples=30, deadline=None)
def test_messy_headings_in_any_order_give_the_same_columns(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], case: Any, space: str, tail: str, lead: int
) -> None:
    headings = [case(LIST_9[n]).replace(" ", space) + tail for n in order]
    path = tmp_path_factory.mktemp("messy") / "list.xlsx"
    write_workbook(path, {"Sheet1": [*[()] * lead, headings, [row_of("0012")[n] for n in order]]})

    extract, rows = read(path)

    where = {n: f"c{position}" for position, n in enumerate(order)}
    assert [rows[0].get(where[n]) for n in (0, 3, 5, 7, 9, 11, 14)] == ["0012", *LOADED]
    assert not {where[n] for n in (1, 2, 4)} & rows[0].keys()
    assert extract.sheet == "Sheet1"


# Cells


def test_numbers_are_written_out_whole(tmp_path: Path) -> None:
    path = write_workbook(
        tmp_path / "list.xlsx",
        {
            "List 9": [
                LIST_9,
                row_of(12345.0),
                row_of(123456789012345),
                row_of("00123"),
                row_of(True),
                row_of(1.5),
            ]
        },
    )

    _, rows = read(path)

    assert [row["c0"] for row in rows] == ["12345", "123456789012345", "00123", "true", "1.5"]


def test_a_formula_that_failed_is_not_taken_for_a_blank(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "List 9"
    sheet.append(LIST_9)
    sheet.append(row_of("P1"))
    sheet.append(row_of("P2"))
    sheet["J3"] = "#N/A"
    sheet["J3"].data_type = "e"
    book.save(path)

    _, rows = read(path)

    assert [row["c9"] for row in rows] == ["Adviser 1", "#N/A"]


ODD: list[list[Cell]] = [[*LIST_9], *([*row_of(f"P{number}")] for number in range(1, 6))]
"""People with odd cells: 9 is the personal adviser, 13 the latest contact, 7 the team."""
ODD[1][13], ODD[2][13], ODD[2][9] = Formula(), Formula(0), Failed()
ODD[1][9] = Formula("Someone")
ODD[2][7] = ODD[3][7] = ODD[4][8] = ODD[4][9] = None
MERGED_BLOCKS = [(1, 7, 3, 7), (4, 7, 4, 9)]


@pytest.mark.parametrize("kind", WRITERS)
def test_an_empty_cell_of_a_workbook_is_not_always_blank(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / f"list{kind}", ODD, merged=MERGED_BLOCKS, calculated=False)

    _, rows = read(path)

    assert [row["c7"] for row in rows] == ["North"] * 5  # one column wide: the block's value
    assert [row["c9"] for row in rows] == ["Someone", "#N/A", "Adviser 1", MERGED, "Adviser 1"]
    assert [row["c13"] == NOT_CALCULATED for row in rows] == [True, True, False, False, False]


def test_an_empty_cell_of_an_ods_takes_up_its_place(tmp_path: Path) -> None:
    rows = [[*LIST_9], [*row_of("P1")[:7], None, None, Failed(), *ROW[10:]]]

    _, read_rows = read(WRITERS[".ods"](tmp_path / "list.ods", rows))

    assert [read_rows[0][column] for column in ("c7", "c9", "c10")] == [None, "#N/A", "b) Former relevant child"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_result_of_nought_counts_where_a_spreadsheet_program_calculated_it(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path / f"list{kind}", ODD, calculated=True)

    _, rows = read(path)

    assert rows[1]["c13"] == "0"


def test_an_array_that_was_never_calculated_is_in_all_its_cells(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("List 9")
    for number, row in enumerate([LIST_9, row_of("P1"), row_of("P2")]):
        sheet.write_row(number, 0, map(str, row))
    sheet.write_array_formula("J2:J3", "{=Staff!A1:A2}")
    book.close()

    _, rows = read(path)

    assert [row["c9"] for row in rows] == [NOT_CALCULATED] * 2


def test_a_title_in_a_merged_block_is_a_title(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [LIST_9, row_of("P1"), ("North team",), row_of("P2")]})
    book = openpyxl.load_workbook(path)
    book["List 9"].merge_cells("A3:Q3")
    book.save(path)

    _, rows = read(path)

    assert [(row["c0"], row["c9"]) for row in rows] == [("P1", "Adviser 1"), ("North team", None), ("P2", "Adviser 1")]


def test_text_hidden_beneath_a_merged_block_is_not_read(tmp_path: Path) -> None:
    rows = [LIST_9, row_of("P1"), row_of("P2"), (*row_of("P3")[:7], "South", *ROW[8:])]
    path = binary_workbooks.write_xls(tmp_path / "list.xls", rows, merged=[(1, 7, 3, 7)])

    _, read_rows = read(path)

    assert [row["c7"] for row in read_rows] == ["North", "North", MERGED]


def test_a_heading_that_was_never_calculated_is_refused(tmp_path: Path) -> None:
    headings: list[Any] = [*LIST_9]
    headings[9] = Formula()
    path = write_odd_xlsx(tmp_path / "list.xlsx", [headings, row_of("P1")])

    assert "row 1: the heading in column 10 is a formula that was never calculated" in refusal(path)


def test_dates_counted_from_1904_are_not_four_years_early(tmp_path: Path) -> None:
    serial = (dt.date(2025, 12, 1) - dt.date(1904, 1, 1)).days
    rows = [LIST_9, (*row_of("P1")[:13], serial, *ROW[14:])]
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": rows}, date_1904=True)

    _, found = read(path)

    assert found[0]["c3"] == "2006-03-01"
    assert found[0]["c13"] == str((dt.date(2025, 12, 1) - dt.date(1899, 12, 30)).days)


# Fingerprint


def test_saving_again_leaves_the_fingerprint_and_a_changed_cell_does_not(tmp_path: Path) -> None:
    rows = [LIST_9, row_of("P1"), row_of("P2")]
    first = write_workbook(tmp_path / "one.xlsx", {"List 9": rows})
    again = tmp_path / "two.xlsx"
    book = openpyxl.load_workbook(first)
    book.save(again)
    older = [LIST_9, (*row_of("P1")[:4], 99, *ROW[5:]), row_of("P2")]

    prints = {
        "first": read(first)[0].fingerprint,
        "again": read(again)[0].fingerprint,
        "older": read(write_workbook(tmp_path / "3.xlsx", {"List 9": older}))[0].fingerprint,
        "changed": read(write_workbook(tmp_path / "4.xlsx", {"List 9": [LIST_9, row_of("P1"), row_of("P3")]}))[
            0
        ].fingerprint,
        "order": read(write_workbook(tmp_path / "5.xlsx", {"List 9": [LIST_9, row_of("P2"), row_of("P1")]}))[
            0
        ].fingerprint,
        "twice": read(write_workbook(tmp_path / "6.xlsx", {"List 9": [*rows, row_of("P2"), row_of("P2")]}))[
            0
        ].fingerprint,
    }

    assert prints["first"] == prints["again"] == prints["older"]
    assert len(set(prints.values())) == 4


def test_a_value_in_the_next_column_is_another_fingerprint(tmp_path: Path) -> None:
    left = write_workbook(tmp_path / "a.xlsx", {"List 9": [LIST_9, (*row_of("P1")[:7], "North", None, *ROW[9:])]})
    right = write_workbook(tmp_path / "b.xlsx", {"List 9": [LIST_9, (*row_of("P1")[:7], None, "North", *ROW[9:])]})

    assert read(left)[0].fingerprint != read(right)[0].fingerprint


# Refusals


def test_a_missing_file_is_named_with_its_folder(tmp_path: Path) -> None:
    message = refusal(tmp_path / "none.xlsx")

    assert "no such file" in message
    assert str(tmp_path) in message


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()

    assert "a folder" in refusal(tmp_path / "lists")


@pytest.mark.parametrize("name", ["list.csv", "list.xlsx"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    assert "empty" in refusal(tmp_path / name)


@contextmanager
def as_nobody() -> Iterator[None]:
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@needs_posix("file modes")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [LIST_9, row_of("P1")]})
    path.chmod(0)

    with as_nobody():
        message = refusal(path)

    assert "cannot be opened" in message
    assert "read it" in message


@pytest.mark.parametrize("name", ["list.xlsx", "list.ods", "list.xls"])
def test_a_file_that_is_no_workbook_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<html><table></table></html>", "utf-8")

    assert "not a workbook" in refusal(tmp_path / name)


def test_another_kind_of_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "list.xlsx", "w") as archive:
        archive.writestr("readme.txt", "hello")

    assert "another kind of zip file" in refusal(tmp_path / "list.xlsx")


def test_a_password_and_another_office_file_are_told_apart(tmp_path: Path) -> None:
    locked = write_ole(tmp_path / "list.xlsx", {"EncryptionInfo": b"", "EncryptedPackage": b""})
    old_and_locked = binary_workbooks.write_xls(tmp_path / "list.xls", [LIST_9, row_of("P1")], encrypted=True)
    letter = write_ole(tmp_path / "letter.xls", {"WordDocument": b""})

    assert "protected by a password" in refusal(locked)
    assert "protected by a password" in refusal(old_and_locked)
    assert "open it in Excel and save it as .xlsx" in refusal(letter)


def test_an_encrypted_ods_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
        archive.writestr("content.xml", os.urandom(500))

    assert "password" in refusal(path)


def test_a_binary_workbook_that_names_a_sheet_which_is_not_there_is_refused_in_words_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = binary_workbooks.write_xlsb(tmp_path / "whole.xlsb", [LIST_9])
    path = tmp_path / "list.xlsb"
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(path, "w") as archive:
        for name in before.namelist():
            archive.writestr(name, before.read(name).replace(b'Id="rId1"', b'Id="rId7"'))

    said = refusal(path)

    assert "list.xlsb: damaged or cut short" in said
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_workbook_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [LIST_9, *(row_of(f"P{n}") for n in range(200))]})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    assert "damaged or cut short" in refusal(path)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_a_workbook_with_a_spoilt_part_is_refused(tmp_path: Path, part: str) -> None:
    whole = write_workbook(tmp_path / "whole.xlsx", {"List 9": [LIST_9, row_of("P1")]})
    path = tmp_path / "list.xlsx"
    with zipfile.ZipFile(whole) as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, b"<spoilt" if name == part else good.read(name))

    refusal(path)


def test_a_workbook_without_the_list_names_its_sheets(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "annex.xlsx", {"List 1": [("Child Unique ID", "Gender")], "Notes": [("x",)]})

    message = refusal(path)

    assert 'no sheet named List 9, and none with its headings; its sheets are "List 1", "Notes"' in message


def test_two_sheets_that_match_are_named_and_one_can_be_set(tmp_path: Path) -> None:
    sheets = {"This year": [LIST_9, row_of("P1")], "Last year": [LIST_9, row_of("P2")]}
    path = write_workbook(tmp_path / "annex.xlsx", sheets)

    message = refusal(path)
    extract, rows = read(path, sheet="last year")

    assert '"This year" and "Last year"' in message
    assert 'set sheet = "..."' in message
    assert (extract.sheet, ids(rows)) == ("Last year", [(2, "P2")])


def test_a_hidden_copy_does_not_compete_with_the_sheet_that_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "annex.xlsx"
    write_workbook(path, {"Now": [LIST_9, row_of("P1")], "Old": [LIST_9, row_of("P2")]})
    book = openpyxl.load_workbook(path)
    book["Old"].sheet_state = "hidden"
    book.save(path)

    assert read(path)[0].sheet == "Now"


def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "annex.xlsx", {"List 9": [LIST_9, row_of("P1")]})

    assert 'no sheet "Lst 9"; its sheets are "List 9"' in refusal(path, sheet="Lst 9")


@pytest.mark.parametrize("name", ["list.xlsx", "list.csv"])
def test_headings_too_far_down_are_not_found(tmp_path: Path, name: str) -> None:
    rows = [*[("note",)] * 15, LIST_9, row_of("P1")]
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text(csv_text(rows), "utf-8", newline="")
    else:
        write_workbook(path, {"List 9": rows})

    assert "headings within the first 15 rows" in refusal(path)


@pytest.mark.parametrize(("missing", "column"), [(0, "person_id"), (3, "date_of_birth")])
def test_a_required_heading_that_is_missing_is_named_with_those_found(
    tmp_path: Path, missing: int, column: str
) -> None:
    headings = tuple("Something else" if n == missing else heading for n, heading in enumerate(LIST_9))
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [headings, row_of("P1")]})

    message = refusal(path)

    assert f"no heading for {column}" in message
    assert '"Something else", "Gender"' in message or '"Ethnicity", "Something else"' in message


def test_two_headings_for_one_column_are_both_named(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": [(*LIST_9, "Personal Adviser"), row_of("P1")]})

    message = refusal(path)

    assert '"Allocated Personal Advisor" and "Personal Adviser" both mean personal_adviser' in message


def test_a_quotation_mark_that_is_never_closed_is_refused_with_its_row(tmp_path: Path) -> None:
    lines = csv_text([LIST_9, row_of("P1"), row_of("P2"), row_of("P3")]).splitlines(keepends=True)
    path = tmp_path / "list.csv"
    path.write_text("".join([*lines[:2], '"' + lines[2], lines[3]]), "utf-8", newline="")

    message = refusal(path)

    assert "row 3: quotation marks that do not match" in message


def test_a_csv_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(bytes(range(256)) * 20)

    assert "neither text nor a workbook" in refusal(tmp_path / "list.csv")


def repeated_cell(path: Path, rows: int, columns: int) -> Path:
    """A small file whose sheet is one cell, over and over."""
    whole = write_workbook(path.with_name("whole.xlsx"), {"List 9": [LIST_9, row_of("P1")]})
    thousand = (b"<row>" + b"<c><v>1</v></c>" * columns + b"</row>") * 1000
    with (
        zipfile.ZipFile(whole) as good,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bad,
    ):
        for name in good.namelist():
            if name != "xl/worksheets/sheet1.xml":
                bad.writestr(name, good.read(name))
        with bad.open("xl/worksheets/sheet1.xml", "w") as sheet:
            start, end = good.read("xl/worksheets/sheet1.xml").split(b"</sheetData>")
            sheet.write(start)
            for _ in range(rows // 1000):
                sheet.write(thousand)
            sheet.write(b"</sheetData>" + end)
    return path


@pytest.mark.parametrize(
    ("rows", "why"), [(200_000, r"2\d\d MB when unzipped"), (60_000, r"60,002 rows and 70 columns")]
)
def test_a_sheet_of_one_cell_repeated_is_refused_unread(tmp_path: Path, rows: int, why: str) -> None:
    path = repeated_cell(tmp_path / "list.xlsx", rows=rows, columns=70)

    message = refusal(path)

    assert path.stat().st_size < 5_000_000
    assert re.search(why, message)
    assert "export it as .csv" in message


def test_one_cell_far_from_the_list_is_refused_before_memory_is_taken_for_all_between(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [LIST_9, row_of("P1")]
    path = write_workbook(tmp_path / "list.xlsx", {"List 9": rows})
    book = openpyxl.load_workbook(path)
    book["List 9"].cell(1_048_576, 16_384, "x")
    book.save(path)

    assert "1,048,576 rows and 16,384 columns" in refusal(path)


@pytest.mark.parametrize(("rows", "columns"), [(1_000_000, 1_000), (1_000_000_000, 1), (1, 900_000_000)])
def test_an_ods_cell_repeated_millions_of_times_is_refused(tmp_path: Path, rows: int, columns: int) -> None:
    path = write_ods(tmp_path / "list.ods", [LIST_9, row_of("P1")])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    cell = f'<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="{columns}"/>'
    row = f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row></table:table>'
    parts["content.xml"] = parts["content.xml"].replace(b"</table:table>", row.encode())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)

    message = refusal(path)

    assert "more than 4,000,000 cells" in message
    assert f"{rows + 2:,} rows" in message


def test_rows_formatted_to_the_end_of_the_sheet_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet("List 9")
    grey = book.add_format({"bg_color": "#eeeeee"})
    sheet.write_row(0, 0, LIST_9)
    sheet.write_row(1, 0, [str(cell) for cell in row_of("P1")])
    for number in range(2, 60_000):
        sheet.write_blank(number, 0, None, grey)
    book.close()

    _, rows = read(path)

    assert ids(rows) == [(2, "P1")]


# The sample


def test_the_sample_is_written_for_the_night_and_read_like_any_workbook(tmp_path: Path) -> None:
    workspace = open_workspace()

    extract = read_source(
        Source(name="sample", kind="sample", people=40, seed=7), workspace, SourceContext(AS_AT, tmp_path)
    )

    assert (tmp_path / "sample" / "list-9-2026-01-05.xlsx").is_file()
    assert extract.kind == "sample"
    assert extract.modified_on is not None
    assert len(fetch(workspace, f'SELECT * FROM "{extract.table}"')) >= 35


def test_a_data_folder_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", "utf-8")
    source = Source(name="sample", kind="sample", people=5)

    with pytest.raises(SourceError, match="the sample cannot be written"):
        read_source(source, open_workspace(), SourceContext(AS_AT, tmp_path / "data"))
