"""Writes .xls and .xlsb workbooks, record by record: nothing that is installed writes one with cells as odd as these.

A cell is a text, a number, a date, None, a ``Formula`` with the result that is stored, or a ``Failed``.
"""

import datetime as dt
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Block = tuple[int, int, int, int]
"""Top, left, bottom, right, counted from 0."""


@dataclass(frozen=True)
class Formula:
    """What a program stored as the result: a text, a number, or nothing at all."""

    result: str | float | None = None


@dataclass(frozen=True)
class Failed:
    """A formula that failed with an error's number (42 is #N/A)."""

    error: int = 42


Cell = str | int | float | dt.date | Formula | Failed | None


def days(value: dt.date) -> float:
    return float((value - dt.date(1899, 12, 30)).days)


# A file of sectors


def write_ole(path: Path, streams: Mapping[str, bytes]) -> Path:
    """Write an OLE file of these streams, each made as long as the shortest that stands in sectors of its own."""
    size = 512
    sectors: list[bytes] = []
    following: list[int] = []

    def add(content: bytes) -> int:
        first = len(sectors)
        pieces = [content[at : at + size].ljust(size, b"\0") for at in range(0, len(content), size)]
        sectors.extend(pieces)
        following.extend([*range(first + 1, first + len(pieces)), 0xFFFFFFFE])
        return first

    entries = [_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1)]
    for number, (name, content) in enumerate(streams.items(), start=1):
        whole = content.ljust(4096, b"\0")
        right = number + 1 if number < len(streams) else 0xFFFFFFFF
        entries.append(_entry(name, 2, add(whole), len(whole), right=right))
    directory = add(b"".join(entries))
    table = len(sectors)
    count = 1
    while (table + count) * 4 > count * size:
        count += 1
    following += [0xFFFFFFFD] * count
    packed = struct.pack(f"<{len(following)}I", *following).ljust(count * size, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<9I", 0, count, directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", *range(table, table + count), *[0xFFFFFFFF] * (109 - count))
    path.write_bytes(header + b"".join(sectors) + packed)
    return path


def _entry(name: str, kind: int, start: int, length: int, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF) -> bytes:
    spelt = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<3I", 0xFFFFFFFF, right, child)
    return (
        spelt.ljust(64, b"\0") + struct.pack("<HBB", len(spelt), kind, 1) + links + bytes(36)
        + struct.pack("<IQ", start, length)
    )  # fmt: skip


# .xls


def write_xls(
    path: Path,
    rows: Sequence[Sequence[Cell]],
    *,
    sheet: str = "List 9",
    merged: Iterable[Block] = (),
    calculated: bool = True,
    encrypted: bool = False,
    claims: Block = (0, 0, 0, 0),
) -> Path:
    """Write a workbook of one sheet; ``calculated``: it says that Excel calculated it; ``claims``: the cells it has."""
    spelt = sheet.encode("utf-16-le")
    name = struct.pack("<BB", len(sheet), 1) + spelt
    start = [_record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0x0DBB, 1997, 0, 6))]
    if encrypted:
        start.append(_record(0x2F, bytes(54)))
    start.append(_record(0x42, struct.pack("<H", 1200)))
    # Two formats: as written, and as a date.
    start += [_record(0xE0, struct.pack("<HHH", 0, number, 0) + bytes(14)) for number in (0, 14)]
    if calculated:
        start.append(_record(0x01C1, struct.pack("<HHI", 0x01C1, 0, 191_029)))
    length = sum(map(len, start)) + 4 + 6 + len(name) + 4
    start += [_record(0x85, struct.pack("<IBB", length, 0, 0) + name), _record(0x0A, b"")]
    cells = [_record(0x0809, struct.pack("<HHHHII", 0x0600, 0x10, 0x0DBB, 1997, 0, 6))]
    top, left, bottom, right = claims
    cells.append(_record(0x0200, struct.pack("<IIHHH", top, bottom, left, right, 0)))
    cells += [_xls_cell(row, column, cell) for row, line in enumerate(rows) for column, cell in enumerate(line)]
    blocks = [struct.pack("<4H", top, bottom, left, right) for top, left, bottom, right in merged]
    cells.append(_record(0xE5, struct.pack("<H", len(blocks)) + b"".join(blocks)))
    cells.append(_record(0x0A, b""))
    return write_ole(path, {"Workbook": b"".join([*start, *cells])})


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _xls_cell(row: int, column: int, cell: Cell) -> bytes:
    if cell is None:
        return b""
    place = struct.pack("<HHH", row, column, 1 if isinstance(cell, dt.date) else 0)
    if isinstance(cell, str):
        return _record(0x0204, place + _xls_text(cell))
    if isinstance(cell, Failed):
        return _record(0x0205, place + bytes([cell.error, 1]))
    if not isinstance(cell, Formula):
        return _record(0x0203, place + struct.pack("<d", days(cell) if isinstance(cell, dt.date) else cell))
    code = bytes(6) + struct.pack("<HBH", 3, 0x1E, 1)
    if isinstance(cell.result, int | float):
        return _record(0x06, place + struct.pack("<d", cell.result) + code)
    if not cell.result:
        # What a library stores that does not calculate: an empty text.
        return _record(0x06, place + b"\3\0\0\0\0\0\xff\xff" + code)
    return _record(0x06, place + b"\0\0\0\0\0\0\xff\xff" + code) + _record(0x0207, _xls_text(cell.result))


def _xls_text(text: str) -> bytes:
    return struct.pack("<HB", len(text), 1) + text.encode("utf-16-le")


# .xlsb

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_xlsb(
    path: Path,
    rows: Sequence[Sequence[Cell]],
    *,
    sheet: str = "List 9",
    merged: Iterable[Block] = (),
    calculated: bool = True,
) -> Path:
    """Write a workbook of one sheet; ``calculated``: it says that Excel calculated it."""
    sheets = _part(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide(sheet))
    book = _part(131, b"") + _part(143, b"") + sheets + _part(144, b"")
    if calculated:
        book += _part(157, struct.pack("<IIIdIH", 191_029, 1, 100, 0.001, 0, 0))
    width = max(map(len, rows))
    lines = [_part(129, b""), _part(148, struct.pack("<4I", 0, len(rows) - 1, 0, width - 1)), _part(145, b"")]
    for number, row in enumerate(rows):
        lines.append(_part(0, struct.pack("<II", number, 0) + bytes(17)))
        lines += [_xlsb_cell(column, cell) for column, cell in enumerate(row)]
    lines.append(_part(146, b""))
    lines += [_part(176, struct.pack("<4I", top, bottom, left, right)) for top, left, bottom, right in merged]
    relation = f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.bin"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.bin", book + _part(132, b""))
        archive.writestr("xl/_rels/workbook.bin.rels", f"<Relationships>{relation}</Relationships>")
        archive.writestr("xl/worksheets/sheet1.bin", b"".join([*lines, _part(130, b"")]))
    return path


def _part(kind: int, content: bytes) -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length = len(content)
    while length >= 0x80:
        head += bytes([length & 0x7F | 0x80])
        length >>= 7
    return head + bytes([length]) + content


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _xlsb_cell(column: int, cell: Cell) -> bytes:
    if cell is None:
        return b""
    place = struct.pack("<II", column, 0)
    if isinstance(cell, str):
        return _part(6, place + _wide(cell))
    if isinstance(cell, Failed):
        return _part(3, place + bytes([cell.error]))
    if not isinstance(cell, Formula):
        return _part(5, place + struct.pack("<d", days(cell) if isinstance(cell, dt.date) else cell))
    code = struct.pack("<HI", 0, 3) + struct.pack("<BH", 0x1E, 1) + bytes(4)
    if isinstance(cell.result, int | float):
        return _part(9, place + struct.pack("<d", cell.result) + code)
    return _part(8, place + _wide(cell.result or "") + code)
