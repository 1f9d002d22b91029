"""What is inside a binary workbook: the sheets of an .xls or .xlsb file, record by record.

Each record says its kind and length. Only those of cells, formulas' results and merged blocks are looked at.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from monitor.catalogue.broken_cells import NOT_CALCULATED
from monitor.sources.sheet_contents import Block, BrokenCells, SheetContents, find_uncalculated

ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
ANY_ERROR = "#VALUE!"


class NotABinaryWorkbook(ValueError):
    """The bytes are no workbook of this kind, or damaged."""


class Encrypted(ValueError):
    """The workbook is protected by a password."""


@dataclass
class _Sheet:
    """A sheet as its records are gone through."""

    calculated: bool
    rows: int = 0
    columns: int = 0
    broken: BrokenCells = field(default_factory=dict)
    merged: list[Block] = field(default_factory=list)

    def reach(self, row: int, column: int) -> None:
        if row >= self.rows:
            self.rows = row + 1
        if column >= self.columns:
            self.columns = column + 1

    def note(self, row: int, column: int, text: str | None) -> None:
        if text:
            self.broken.setdefault(row, {})[column] = text

    def note_result(self, row: int, column: int, value: str | float | None) -> None:
        self.note(row, column, find_uncalculated(value, calculated=self.calculated))

    def finished(self) -> SheetContents:
        return SheetContents(self.rows, self.columns, self.broken, tuple(self.merged))


# .xls: records within streams within a file of sectors

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a file begins that is an .xls workbook, or any Office file with a password."""

_END_OF_CHAIN = 0xFFFFFFFA
"""Sector numbers from here on mean something else."""
_SHORTEST_STREAM = 4096
"""A shorter stream is kept elsewhere; no workbook is so short."""

_BOF, _EOF, _FILEPASS, _DATE_1904, _BOUNDSHEET, _RECALC_ID = 0x0809, 0x0A, 0x2F, 0x22, 0x85, 0x01C1
_FORMULAS = frozenset({0x06, 0x0206, 0x0406})
_DIMENSIONS, _SHORT_DIMENSIONS, _MOST_ROWS, _MOST_COLUMNS = 0x0200, 10, 65_536, 256
_STRING, _BOOL_OR_ERROR, _MULTIPLE_NUMBERS, _MERGED_CELLS = 0x0207, 0x0205, 0xBD, 0xE5
_CELLS = frozenset({0xD6, 0xFD, 0x0203, 0x0204, 0x027E})
_AFTER_FORMULA = frozenset({0x04BC, 0x0221, 0x21, 0x0236, 0x36, 0x3C})
"""What may stand between a formula and the text that is its result: shared formulas, arrays, tables, continuations."""


@dataclass(frozen=True)
class OldWorkbook:
    """The sheets of an .xls by name."""

    sheets: dict[str, SheetContents]
    counts_from_1904: bool


def read_xls(content: bytes) -> OldWorkbook:
    """Return what is inside an .xls; raises ``Encrypted`` or ``NotABinaryWorkbook``."""
    try:
        stream = _workbook_stream(content)
        return _read_globals(stream)
    except (struct.error, IndexError, UnicodeError):
        raise NotABinaryWorkbook from None


def _workbook_stream(content: bytes) -> bytes:
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    if size not in (512, 4096):
        raise NotABinaryWorkbook
    (first_directory,) = struct.unpack_from("<I", content, 48)
    sectors = _table_of_sectors(content, size)
    directory = _chain(content, size, sectors, first_directory)
    names: dict[str, tuple[int, int]] = {}
    for at in range(0, len(directory) - 127, 128):
        length, kind = struct.unpack_from("<HB", directory, at + 64)
        name = directory[at : at + max(length - 2, 0)].decode("utf-16-le", "replace")
        if kind == 2:
            names.setdefault(name.casefold(), struct.unpack_from("<II", directory, at + 116))
    if "encryptedpackage" in names:
        raise Encrypted
    start, length = names.get("workbook") or names.get("book") or (0, 0)
    if length < _SHORTEST_STREAM:
        raise NotABinaryWorkbook
    return _chain(content, size, sectors, start)[:length]


def _table_of_sectors(content: bytes, size: int) -> list[int]:
    """For each sector, the one that follows it."""
    (sector, count) = struct.unpack_from("<II", content, 68)
    tables = list(struct.unpack_from("<109I", content, 76))
    for _ in range(min(count, len(content) // size)):
        if sector >= _END_OF_CHAIN:
            break
        *more, sector = struct.unpack_from(f"<{size // 4}I", content, (sector + 1) * size)
        tables += more
    following: list[int] = []
    for table in tables[: len(content) // size + 1]:
        if table < _END_OF_CHAIN:
            following += struct.unpack_from(f"<{size // 4}I", content, (table + 1) * size)
    return following


def _chain(content: bytes, size: int, following: list[int], sector: int) -> bytes:
    pieces = []
    while sector < _END_OF_CHAIN:
        pieces.append(content[(sector + 1) * size : (sector + 2) * size])
        if len(pieces) > len(following):
            raise NotABinaryWorkbook
        sector = following[sector]
    return b"".join(pieces)


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """The kind, place and length of each record from ``at`` to the end of its part."""
    depth = 0
    end = len(stream) - 4
    while at <= end:
        kind = stream[at] | stream[at + 1] << 8
        length = stream[at + 2] | stream[at + 3] << 8
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        # A chart within the sheet has records of its own.
        if depth == 1:
            yield kind, at + 4, length
        at += 4 + length
    raise NotABinaryWorkbook


def _read_globals(stream: bytes) -> OldWorkbook:
    named: list[tuple[str, int]] = []
    counts_from_1904 = calculated = is_unicode = False
    for kind, at, length in _records(stream, 0):
        if kind == _BOF:
            is_unicode = struct.unpack_from("<H", stream, at)[0] >= 0x0600
        elif kind == _FILEPASS:
            raise Encrypted
        elif kind == _DATE_1904:
            counts_from_1904 = stream[at] == 1
        elif kind == _RECALC_ID:
            calculated = struct.unpack_from("<I", stream, at + 4)[0] > 0
        elif kind == _BOUNDSHEET:
            named.append((_sheet_name(stream[at : at + length], is_unicode), struct.unpack_from("<I", stream, at)[0]))
    sheets: dict[str, SheetContents] = {}
    gone_through = 0
    for name, start in named:
        sheets[name], length = _read_sheet(stream, start, calculated)
        gone_through += length
        if gone_through > len(stream):
            raise NotABinaryWorkbook  # sheets that lie over one another
    return OldWorkbook(sheets, counts_from_1904)


def _sheet_name(record: bytes, is_unicode: bool) -> str:
    count = record[6]
    if not is_unicode:
        return record[7 : 7 + count].decode("cp1252", "replace")
    if record[7] & 1:
        return record[8 : 8 + 2 * count].decode("utf-16-le", "replace")
    return record[8 : 8 + count].decode("latin-1")


def _read_sheet(stream: bytes, start: int, calculated: bool) -> tuple[SheetContents, int]:
    """A sheet, and how many bytes it takes."""
    sheet = _Sheet(calculated)
    at = start
    awaited: tuple[int, int] | None = None
    for kind, at, length in _records(stream, start):
        if awaited and kind not in _AFTER_FORMULA:
            if kind != _STRING:
                sheet.note(*awaited, NOT_CALCULATED)
            awaited = None
        if kind in _CELLS or kind in _FORMULAS or kind == _BOOL_OR_ERROR:
            row, column = struct.unpack_from("<HH", stream, at)
            sheet.reach(row, column)
            if kind in _FORMULAS:
                awaited = _note_formula(sheet, row, column, stream[at + 6 : at + 14])
            elif kind == _BOOL_OR_ERROR and stream[at + 7]:
                sheet.note(row, column, ERRORS.get(stream[at + 6], ANY_ERROR))
        elif kind == _MULTIPLE_NUMBERS:
            (row,) = struct.unpack_from("<H", stream, at)
            sheet.reach(row, struct.unpack_from("<H", stream, at + length - 2)[0])
        elif kind == _MERGED_CELLS:
            for place in range(at + 2, at + length - 7, 8):
                top, bottom, left, right = struct.unpack_from("<4H", stream, place)
                sheet.merged.append(Block(top, left, bottom, right))
        elif kind == _DIMENSIONS:
            _, rows, _, columns = struct.unpack_from("<IIHH" if length > _SHORT_DIMENSIONS else "<HHHH", stream, at)
            if rows > _MOST_ROWS or columns > _MOST_COLUMNS:
                raise NotABinaryWorkbook  # the reader takes memory for all that a sheet claims
    return sheet.finished(), at - start


def _note_formula(sheet: _Sheet, row: int, column: int, result: bytes) -> tuple[int, int] | None:
    """Note a formula's stored result; its place where that is a text, which the next record has."""
    if result[6:] != b"\xff\xff":
        sheet.note_result(row, column, struct.unpack("<d", result)[0])
    elif result[0] == 0:
        return row, column
    elif result[0] == 2:
        sheet.note(row, column, ERRORS.get(result[2], ANY_ERROR))
    elif result[0] == 3:
        sheet.note_result(row, column, "")
    return None


# .xlsb: a zip of files of records

_ROW = 0
_CELL_ERROR, _FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_ERROR = 3, 8, 9, 11
_LAST_CELL, _RICH_TEXT = 11, 62
_MERGE, _WORKBOOK_SETTINGS, _SHEET, _CALCULATION = 176, 153, 156, 157


@dataclass(frozen=True)
class BinaryList:
    """The sheets of an .xlsb by name, each with the id of its part."""

    sheets: dict[str, str]
    counts_from_1904: bool
    calculated: bool


def read_list_of_sheets(pieces: Iterable[bytes]) -> BinaryList:
    """Return what an .xlsb's ``workbook.bin`` says."""
    sheets: dict[str, str] = {}
    counts_from_1904 = calculated = False
    for kind, record in _zipped_records(pieces):
        if kind == _WORKBOOK_SETTINGS:
            counts_from_1904 = bool(record[0] & 1)
        elif kind == _SHEET:
            part, after = _wide_text(record, 8)
            name, _ = _wide_text(record, after)
            sheets[name] = part
        elif kind == _CALCULATION:
            (flags,) = struct.unpack_from("<H", record, 24)
            calculated = struct.unpack_from("<I", record)[0] > 0 and not flags & 1
    return BinaryList(sheets, counts_from_1904, calculated)


def read_xlsb_sheet(pieces: Iterable[bytes], *, calculated: bool) -> SheetContents:
    """Return what one sheet of an .xlsb holds; ``calculated`` as ``find_uncalculated`` has it."""
    sheet = _Sheet(calculated)
    row = 0
    for kind, record in _zipped_records(pieces):
        if kind == _ROW:
            row = int.from_bytes(record[:4], "little")
        elif kind <= _LAST_CELL or kind == _RICH_TEXT:
            column = int.from_bytes(record[:4], "little")
            if kind > 1:
                sheet.reach(row, column)
            if kind in (_CELL_ERROR, _FORMULA_ERROR):
                sheet.note(row, column, ERRORS.get(record[8], ANY_ERROR))
            elif kind == _FORMULA_NUMBER:
                sheet.note_result(row, column, struct.unpack_from("<d", record, 8)[0])
            elif kind == _FORMULA_TEXT:
                sheet.note_result(row, column, _wide_text(record, 8)[0])
        elif kind == _MERGE:
            top, bottom, left, right = struct.unpack_from("<4I", record)
            sheet.merged.append(Block(top, left, bottom, right))
    return sheet.finished()


def _wide_text(record: bytes, at: int) -> tuple[str, int]:
    (count,) = struct.unpack_from("<I", record, at)
    end = at + 4 + 2 * count
    return record[at + 4 : end].decode("utf-16-le", "replace"), end


LONGEST_RECORD = 10_000_000
"""Bytes; a cell's text is at most 65,534."""


def _zipped_records(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The kind and content of each record."""
    held, at = b"", 0
    for piece in pieces:
        held, at = held[at:] + piece, 0
        while True:
            found = _header(held, at)
            if found is None or found[1] + found[2] > len(held):
                break
            kind, start, length = found
            yield kind, held[start : start + length]
            at = start + length
        if len(held) - at > LONGEST_RECORD:
            raise NotABinaryWorkbook
    if at < len(held):
        raise NotABinaryWorkbook


def _header(held: bytes, at: int) -> tuple[int, int, int] | None:
    """A record's kind, the place of its content and its length; None where more bytes are needed."""
    try:
        kind = held[at]
        at += 1
        if kind & 0x80:
            kind = kind & 0x7F | held[at] << 7
            at += 1
        length = 0
        for shift in (0, 7, 14, 21):
            byte = held[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
    except IndexError:
        return None
    return kind, at, length
