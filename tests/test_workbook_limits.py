"""A workbook is measured by what it unpacks to, whatever it says of itself, and refused before it is read."""

import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support import binary_workbooks
from support.binary_workbooks import Block
from test_sources import LIST_9, read, refusal, row_of, write_ods, write_workbook

from monitor.errors import Problems
from monitor.lists import answer_sheet
from monitor.sources import delimited, workbook_limits

MOST = 2_000_000
TOO_LARGE = "MB when unzipped, more than is read"
NOTHING = bytes(1_000_000)


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is too much can be made in a moment."""
    monkeypatch.setattr(workbook_limits, "MOST_BYTES", MOST)
    monkeypatch.setattr(workbook_limits, "MOST_UNPACKED", 3 * MOST)


def packed_again(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def workbook(path: Path) -> Path:
    rows = [LIST_9, row_of("P1")]
    return write_ods(path, rows) if path.suffix == ".ods" else write_workbook(path, {"List 9": rows})


def lie_about_sizes(path: Path, name: str) -> None:
    """Say of a file in the zip, in both of its headings, that it is the first ten bytes of what it is."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry, start = archive.getinfo(name), archive.read(name)[:10]
    told = struct.pack("<I", zlib.crc32(start)), struct.pack("<I", len(start))
    at = entry.header_offset
    data[at + 14 : at + 18], data[at + 22 : at + 26] = told
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    data[at + 16 : at + 20], data[at + 24 : at + 28] = told
    path.write_bytes(data)


INSIDE = [
    ("list.xlsx", "xl/worksheets/sheet1.xml"),
    ("list.xlsx", "xl/sharedStrings.xml"),
    ("list.xlsx", "xl/styles.xml"),
    ("list.xlsx", "xl/workbook.xml"),
    ("list.xlsx", "xl/_rels/workbook.xml.rels"),
    ("list.xlsx", "[Content_Types].xml"),
    ("list.xlsx", "XL/SHAREDSTRINGS2.XML"),
    ("list.xlsx", "docProps/../custom/deep/down/thing.bin"),
    ("list.ods", "content.xml"),
    ("list.ods", "styles.xml"),
    ("list.ods", "META-INF/manifest.xml"),
]


@pytest.mark.parametrize("lies", [False, True], ids=["says so", "says it is small"])
@pytest.mark.parametrize(("file", "inside"), INSIDE)
def test_whichever_file_inside_unpacks_to_too_much_is_refused(
    tmp_path: Path, file: str, inside: str, lies: bool
) -> None:
    path = packed_again(
        workbook(tmp_path / file), lambda parts: parts.update({inside: parts.get(inside, b"") + b" " * 5_000_000})
    )
    if lies:
        lie_about_sizes(path, inside)

    assert path.stat().st_size < 50_000
    assert TOO_LARGE in refusal(path)


def test_a_list_of_answers_goes_through_the_same_door(tmp_path: Path) -> None:
    path = packed_again(workbook(tmp_path / "answers.xlsx"), lambda parts: parts.update({"xl/styles.xml": NOTHING * 5}))

    with pytest.raises(Problems, match=TOO_LARGE):
        answer_sheet.read(path)


def test_many_sheets_that_are_each_small_enough_are_too_much_together(tmp_path: Path) -> None:
    def fill(parts: dict[str, bytes]) -> None:
        for name in parts:
            if "worksheets" in name:
                parts[name] += b" " * (MOST - len(parts[name]))

    sheets = {f"Sheet {n}": [LIST_9[:3], ("P1",)] for n in range(5)}

    assert TOO_LARGE in refusal(packed_again(write_workbook(tmp_path / "list.xlsx", sheets), fill))


def test_files_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    path = packed_again(workbook(tmp_path / "list.xlsx"), lambda parts: parts.update({"one": b"1", "two": b"2"}))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("one").header_offset
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"two"))
    data[place + 42 : place + 46] = struct.pack("<I", at)
    path.write_bytes(data)

    assert "damaged" in refusal(path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "list.xlsx")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("XL/worksheets/SHEET1.xml", b"<worksheet/>")

    assert "damaged" in refusal(path)


@pytest.mark.parametrize("target", ["xl/worksheets/sheet1.xml", "worksheets/SHEET1.xml", "/xl/worksheets/sheet1.xml"])
def test_a_sheet_is_measured_however_the_workbook_spells_where_it_is(tmp_path: Path, target: str) -> None:
    def spell(parts: dict[str, bytes]) -> None:
        links = parts["xl/_rels/workbook.xml.rels"]
        parts["xl/_rels/workbook.xml.rels"] = re.sub(
            rb'Target="[^"]*worksheets/sheet1.xml"', f'Target="{target}"'.encode(), links
        )
        sheet = parts["xl/worksheets/sheet1.xml"]
        far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
        parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", far)

    assert "1,048,576 rows and 16,384 columns" in refusal(packed_again(workbook(tmp_path / "list.xlsx"), spell))


def test_a_sheet_in_a_comment_does_not_stand_for_the_one_that_is_read(tmp_path: Path) -> None:
    def hide(parts: dict[str, bytes]) -> None:
        other = b'<!-- <sheet name="List 9" sheetId="1" r:id="rId99"/> --></sheets>'
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b"</sheets>", other)

    assert "damaged" in refusal(packed_again(workbook(tmp_path / "list.xlsx"), hide))


@pytest.mark.parametrize("cell", [b"<c ", b"<c t='e' r='A1'>", b"<row ", b"<c r='A1' t='e'><f>"])
def test_a_sheet_of_tags_that_do_not_end_is_gone_through_once(
    tmp_path: Path, cell: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_limits, "MOST_BYTES", 20_000_000)
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    path = packed_again(
        workbook(tmp_path / "list.xlsx"),
        lambda parts: parts.update({"xl/worksheets/sheet1.xml": head + cell * (8_000_000 // len(cell))}),
    )
    begun = time.process_time()

    refusal(path)

    assert time.process_time() - begun < 60  # once for each tag would be days


def test_entities_within_entities_are_not_written_out(tmp_path: Path) -> None:
    def bomb(parts: dict[str, bytes]) -> None:
        levels = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 12))
        head = b'<!DOCTYPE sst [<!ENTITY e0 "lol">' + levels + b"]>"
        strings = parts["xl/sharedStrings.xml"]
        at = strings.index(b"<sst")
        parts["xl/sharedStrings.xml"] = strings[:at] + head + strings[at:].replace(b"<t>P1</t>", b"<t>&e11;</t>")

    assert "damaged" in refusal(packed_again(workbook(tmp_path / "list.xlsx"), bomb))


@pytest.mark.parametrize("line", ["P1,", "P1", '"P1'])
def test_a_line_without_end_is_refused_before_it_is_all_in_memory(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "LONGEST_LINE", 100_000)
    headings = ",".join(LIST_9)
    for text in (line * 100_000, f"{headings}\n{line * 100_000}"):
        (tmp_path / "list.csv").write_text(text, encoding="utf-8")

        assert "longer than any list has" in refusal(tmp_path / "list.csv")


def test_a_nought_byte_far_down_a_file_ends_nothing(tmp_path: Path) -> None:
    rows = "\n".join(",".join(map(str, row_of(f"P{n}"))) for n in range(20_000))
    (tmp_path / "list.csv").write_text(f"{','.join(LIST_9)}\n{rows}\nP\x00X\nP2\n", encoding="utf-8")

    _, found = read(tmp_path / "list.csv")

    assert len(found) == 20_002


@pytest.mark.parametrize("kind", [".xls", ".xlsb"])
def test_a_binary_workbook_is_refused_before_memory_is_taken_for_all_between(tmp_path: Path, kind: str) -> None:
    write = {".xls": binary_workbooks.write_xls, ".xlsb": binary_workbooks.write_xlsb}[kind]
    rows: list[list[binary_workbooks.Cell]] = [[*LIST_9], *([] for _ in range(20_000)), [None] * 250 + ["x"]]

    assert "reach over 20,002 rows and 251 columns" in refusal(write(tmp_path / f"list{kind}", rows))


@pytest.mark.parametrize("claim", [(0, 0, 2**31, 17), (0, 0, 3, 60_000)])
def test_an_old_workbook_that_claims_more_than_any_has_is_refused(tmp_path: Path, claim: Block) -> None:
    path = binary_workbooks.write_xls(tmp_path / "list.xls", [LIST_9, row_of("P1")], claims=claim)

    assert "no .xls workbook, or damaged" in refusal(path)
