"""What is inside a workbook: how large each file in it really is, and which of a sheet's cells are broken.

What a zip says of its own sizes is not believed: files are unpacked, piece by piece, and counted up to a limit.
"""

import html
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import SourceError
from monitor.sources import binary_workbook
from monitor.sources.binary_workbook import OLE, Encrypted, NotABinaryWorkbook
from monitor.sources.sheet_contents import Block, BrokenCells, SheetContents, find_uncalculated

MOST_BYTES = 200_000_000
"""The most XML that a sheet may be, unzipped; 80,000 people are about 60 million bytes."""

MOST_CELLS = 4_000_000
"""The most cells in the square that holds a sheet's values: memory is taken for each, empty or not."""

MOST_CELLS_OF_ALL = 3 * MOST_CELLS
"""The most cells in all sheets of a workbook of which every sheet is read."""

MOST_UNPACKED = 3 * MOST_BYTES
"""The most that the sheets looked into may be, taken together."""

MOST_FAILED_REPEATS = 10_000

MOST_DEFLATED = 1032
"""How many times smaller deflating can make anything."""

PIECE = 1 << 20


@dataclass(frozen=True)
class Measured:
    """One sheet: its unzipped size, and what it holds."""

    size: int
    sheet: SheetContents = field(default_factory=SheetContents)

    @property
    def cells(self) -> int:
        return self.sheet.rows * self.sheet.columns

    @property
    def is_too_large(self) -> bool:
        return self.size > MOST_BYTES or self.cells > MOST_CELLS


@dataclass
class WorkbookContents:
    """The sheets of one workbook, each measured when it is first asked about."""

    path: Path
    parts: dict[str, zipfile.ZipInfo]
    counts_from_1904: bool = False
    calculated: bool = True
    """Whether a spreadsheet program says that it calculated the formulas' stored results."""
    measured: dict[str, Measured] = field(default_factory=dict)
    unpacked: int = 0

    def is_too_large(self, sheet: str) -> bool:
        return self._measure(sheet).is_too_large

    def sheet(self, name: str) -> SheetContents:
        """Return what the sheet holds; the merged blocks of an .xlsx or .xls are the reader's to say."""
        return self._measure(name).sheet

    def check(self, sheet: str) -> None:
        """Raise ``SourceError`` for a sheet that would take too much memory."""
        measured = self._measure(sheet)
        place = f'{self.path.name}: sheet "{sheet}"'
        if measured.size > MOST_BYTES:
            raise _too_many_bytes(place)
        if measured.is_too_large:
            found = measured.sheet
            raise SourceError(
                f"{place}: its values reach over {found.rows:,} rows and {found.columns:,} columns, more than "
                f"{MOST_CELLS:,} cells; delete what stands beside and beneath the list, or export it as .csv"
            )

    def _measure(self, sheet: str) -> Measured:
        if sheet not in self.measured:
            part = self.parts.get(sheet)
            if part is None:
                raise _damaged(self.path)
            scan = _measure_xlsb if part.filename.lower().endswith(".bin") else _measure_xlsx
            measured = self.measured[sheet] = scan(self.path, part, self.calculated)
            self.unpacked += measured.size
            if self.unpacked > MOST_UNPACKED:
                raise _too_many_bytes(self.path.name)
        return self.measured[sheet]


def measure(path: Path) -> WorkbookContents:
    """Look inside ``path``; raises ``SourceError`` unless it is a workbook that can be opened safely."""
    try:
        with path.open("rb") as file:
            if file.read(len(OLE)) == OLE:
                return _contents_of_xls(path, OLE + file.read(MOST_BYTES))
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        _check_entries(path, entries)
        names = {entry.filename.lower(): entry for entry in entries}
        if "xl/workbook.xml" in names:
            return _contents_of_xlsx(path, names)
        if "content.xml" in names and "meta-inf/manifest.xml" in names:
            return _contents_of_ods(path, names)
        if "xl/workbook.bin" in names:
            return _contents_of_xlsb(path, names)
    except UNREADABLE:
        raise _damaged(path) from None
    raise SourceError(f"{path.name}: not a workbook but another kind of zip file; export the list as .xlsx or .csv")


UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, RuntimeError, struct.error,
              IndexError, ValueError)  # fmt: skip
"""What unpacking a damaged zip ends in."""


def _protected(path: Path) -> SourceError:
    return SourceError(f"{path.name}: protected by a password; save a copy without one where only the monitor reads")


def _damaged(path: Path) -> SourceError:
    return SourceError(f"{path.name}: damaged or cut short; copy or export it again")


def _too_many_bytes(place: str) -> SourceError:
    return SourceError(
        f"{place}: over {MOST_BYTES // 1_000_000:,} MB when unzipped, more than is read; "
        "delete what stands beside and beneath the list, or export it as .csv"
    )


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip that two readers could read as two different things."""
    end = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        if entry.header_offset < end:
            raise _damaged(path)
        end = entry.header_offset + entry.compress_size
    if len({entry.filename.lower() for entry in entries}) < len(entries):
        raise _damaged(path)


def _unpack(path: Path, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a file in the zip really holds, in pieces, and not what its size is said to be."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
        raise zipfile.BadZipFile("packed or locked in a way that no spreadsheet program uses")
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(30)
        name, extra = struct.unpack("<4xHH", header[22:])
        file.seek(name + extra, 1)
        unpacker = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
        left = entry.compress_size
        while left and not (unpacker and unpacker.eof):
            packed = file.read(min(left, PIECE))
            if not packed:
                raise EOFError
            left -= len(packed)
            while packed:
                yield unpacker.decompress(packed, PIECE) if unpacker else packed
                packed = unpacker.unconsumed_tail if unpacker else b""
        if unpacker and not unpacker.eof:
            # What is left of a stream that has been given all its bytes is short.
            yield unpacker.flush()
            if not unpacker.eof:
                raise EOFError


def _count(path: Path, entry: zipfile.ZipInfo) -> int:
    """How many bytes a file in the zip really holds, or the first number above ``MOST_BYTES`` that is come to."""
    if entry.compress_size * MOST_DEFLATED <= MOST_BYTES:
        return entry.compress_size  # it cannot be too many
    size = 0
    for piece in _unpack(path, entry):
        size += len(piece)
        if size > MOST_BYTES:
            break
    return size


def _read(path: Path, entry: zipfile.ZipInfo) -> str:
    """A short file in the zip as text."""
    pieces: list[bytes] = []
    for piece in _unpack(path, entry):
        pieces.append(piece)
        if len(pieces) > MOST_OF_A_LIST_OF_PARTS:
            raise _too_many_bytes(path.name)
    text = b"".join(pieces).decode("utf-8")
    if "<!" in text:
        # Comments and declarations of types could hide from us what the reader sees; nothing writes them here.
        raise _damaged(path)
    return text


MOST_OF_A_LIST_OF_PARTS = 4
"""Pieces; a workbook's list of its sheets is a few thousand bytes."""


# Excel


def _contents_of_xlsx(path: Path, entries: Mapping[str, zipfile.ZipInfo]) -> WorkbookContents:
    workbook = _read(path, entries["xl/workbook.xml"])
    targets = _parts_by_id(path, entries.get("xl/_rels/workbook.xml.rels"))
    tags = re.findall(r"<(?:\w+:)?sheet\s[^<>]*>", workbook)
    named = [(html.unescape(_attribute(tag, "name")), targets.get(_attribute(tag, r"\w+:id"), "")) for tag in tags]
    counts_from_1904 = bool(re.search(r"<(?:\w+:)?workbookPr\s[^<>]*\bdate1904=\"(1|true)\"", workbook))
    calculation = re.search(r"<(?:\w+:)?calcPr[\s/>][^<>]*", workbook)
    ordered = calculation and re.search(r"\b(?:fullCalcOnLoad=[\"'](?:1|true)|calcId=[\"']0[\"'])", calculation[0])
    return WorkbookContents(path, _sheets(path, entries, named), counts_from_1904, bool(calculation and not ordered))


def _parts_by_id(path: Path, links: zipfile.ZipInfo | None) -> dict[str, str]:
    related = _read(path, links) if links else ""
    targets: dict[str, str] = {}
    for tag in re.findall(r"<(?:\w+:)?Relationship\s[^<>]*>", related):
        target = html.unescape(_attribute(tag, "Target"))
        # As the reader finds them.
        place = target.removeprefix("/") if target.startswith("/") else target
        targets[_attribute(tag, "Id")] = place if place.startswith("xl/") or target != place else f"xl/{place}"
    return targets


def _sheets(
    path: Path, entries: Mapping[str, zipfile.ZipInfo], named: Iterable[tuple[str, str]]
) -> dict[str, zipfile.ZipInfo]:
    """The sheets' parts by name, everything beside them being of a size that can be opened."""
    parts = {name: entries[part.lower()] for name, part in named if part.lower() in entries}
    sheets = {entry.filename for entry in parts.values()}
    # The reader opens texts and styles as soon as the workbook is, and whatever else in time; a sheet only if chosen.
    _check_sizes(path, [entry for entry in entries.values() if entry.filename not in sheets])
    return parts


def _check_sizes(path: Path, entries: Iterable[zipfile.ZipInfo]) -> None:
    """Raise ``SourceError`` where one of these files holds too much."""
    if any(_count(path, entry) > MOST_BYTES for entry in entries):
        raise _too_many_bytes(path.name)


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"\s{name}\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", tag)
    return (found[1] or found[2] or "") if found else ""


@dataclass(frozen=True)
class _Patterns:
    """How cells and rows are written in one sheet; a fixed start is found far faster than an optional one."""

    cell: re.Pattern[bytes]
    placed: re.Pattern[bytes]
    row: re.Pattern[bytes]
    row_number: re.Pattern[bytes]
    failed: re.Pattern[bytes]
    formula: re.Pattern[bytes]


def _patterns(prefix: bytes) -> _Patterns:
    """Only cells with something in them: one that is merely coloured ends in "/>" and takes no memory.

    None looks past the next "<" for the end of a tag, nor past the next cell for a value: a sheet without either end
    would be gone through once for each of its cells.
    """
    start = rb"<" + prefix + rb"c\s"
    place = rb"(?:[^<>]*?\s)??r=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^<>]*"
    value = rb"(?:(?!</?" + prefix + rb"c[\s>]).)*?<" + prefix + rb"v>([^<]*)<"
    # What stands before the result of a formula is said in a fixed order; a stored 0 or nothing is looked at further.
    formula = rb"<" + prefix + rb"f((?:\s[^<>]*)?)(?:/>|(?<!/)>[^<]*</" + prefix + rb"f>)\s*"
    a_value = rb"<" + prefix + rb"v(?:\s[^<>]*)?"
    result = rb"(?!" + a_value + rb">(?!-?0*\.?0*<)[^<])(" + a_value + rb"(?:/>|(?<!/)>[^<]?))?"
    return _Patterns(
        cell=re.compile(rb"<" + prefix + rb"c(?:\s[^<>]*)?(?<!/)>"),
        placed=re.compile(start + place + rb"(?<!/)>"),
        row=re.compile(rb"<" + prefix + rb"row[\s>]"),
        row_number=re.compile(rb"<" + prefix + rb"row\s(?:[^<>]*?\s)?r=[\"'](\d{1,7})[\"']"),
        failed=re.compile(start + rb"(?=[^<>]*\bt=[\"']e[\"'])" + place + rb">" + value, re.DOTALL),
        formula=re.compile(rb"<" + prefix + rb"c(\s[^<>]*)>\s*" + formula + result),
    )


def _measure_xlsx(path: Path, part: zipfile.ZipInfo, calculated: bool) -> Measured:
    try:
        if part.file_size > MOST_BYTES:
            return Measured(MOST_BYTES + 1)
        start = next(_unpack(path, part), b"")
        root = re.search(rb"<(\w+:)?worksheet[\s>]", start)
        prefix = root[1] or b"" if root else b""
        patterns = _patterns(prefix)
        size = rows = columns = unplaced_rows = 0
        broken: BrokenCells = {}
        for piece in _pieces(_unpack(path, part), b"<" + prefix + b"row"):
            size += len(piece)
            if size > MOST_BYTES:
                return Measured(size)
            places = patterns.placed.findall(piece)
            rows = max(rows, *map(int, {number for _, number in places}), 0)
            columns = max(columns, *(_column(letters) + 1 for letters in {letters for letters, _ in places}), 0)
            if len(places) < len(patterns.cell.findall(piece)):
                # Cells need not say where they are; then each follows the one before.
                unplaced_rows += len(patterns.row.findall(piece))
                rows = max(rows, unplaced_rows, *map(int, patterns.row_number.findall(piece)))
                columns = max(columns, *(len(patterns.cell.findall(row)) for row in patterns.row.split(piece)))
            if b"<" + prefix + b"f" in piece:
                _note_uncalculated(broken, patterns, piece, calculated)
            _note_failed(broken, patterns, piece)
        return Measured(size, SheetContents(rows, columns, broken))
    except UNREADABLE:
        raise _damaged(path) from None


def _note_failed(broken: BrokenCells, patterns: _Patterns, piece: bytes) -> None:
    if b't="e"' in piece or b"t='e'" in piece:
        for letters, number, text in patterns.failed.findall(piece):
            found = text.decode("utf-8", "replace").strip() or binary_workbook.ANY_ERROR
            broken.setdefault(int(number) - 1, {})[_column(letters)] = found


def _note_uncalculated(broken: BrokenCells, patterns: _Patterns, piece: bytes, calculated: bool) -> None:
    for cell, formula, stored in patterns.formula.findall(piece):
        placed = _PLACED.search(cell)
        is_text = b't="str"' in cell or b"t='str'" in cell
        value: str | float | None = None if not stored else "" if is_text else None
        if stored and stored[-1:] != b">":
            value = 0
        text = find_uncalculated(value, calculated=calculated)
        if not text or not placed:
            continue
        column, row = _column(placed[1]), int(placed[2]) - 1
        # An array's result is stored in all its cells.
        spread = None if b"shared" in formula else _SPREAD.search(formula)
        right, bottom = (_column(spread[1]), int(spread[2]) - 1) if spread else (column, row)
        if (right - column + 1) * (bottom - row + 1) > MOST_CELLS:
            raise ValueError
        for below in range(row, bottom + 1):
            broken.setdefault(below, {}).update(dict.fromkeys(range(column, right + 1), text))


_PLACED = re.compile(rb"\sr=[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_SPREAD = re.compile(rb"\sref=[\"'][A-Z]{1,3}\d{1,7}:([A-Z]{1,3})(\d{1,7})[\"']")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _pieces(unpacked: Iterable[bytes], *starts: bytes) -> Iterator[bytes]:
    """The XML in pieces that each begin where an element of ``starts`` begins, so that no row is cut in two."""
    left = b""
    for read in unpacked:
        left += read
        cut = max(left.rfind(start) for start in starts)
        if cut > 0:
            yield left[:cut]
            left = left[cut:]
        elif len(left) > LONGEST_ROW:
            # One row of this length is no list: whole or not, its cells are counted.
            yield left
            left = b""
    yield left


LONGEST_ROW = 8 * PIECE
"""A row of every column that a sheet can have, with a long text in each, is half of it."""

# OpenDocument

_ODS_TOKEN = re.compile(
    rb"<table:table\s[^<>]*>"
    rb"|<table:table-row(?:\s[^<>]*)?/?>"
    rb"|<table:(?:covered-)?table-cell(?:\s[^<>]*)?/?>"
    rb"|<text:p[^<>]*>(?:#[A-Z0-9_/]+[!?]?|Err:\d+)</text:p>"
)
_REPEATED = re.compile(rb"number-(?:rows|columns)-repeated=\"0*(\d{1,12})")
_NAME = re.compile(rb"table:name=\"([^\"]*)\"")


def _contents_of_ods(path: Path, entries: Mapping[str, zipfile.ZipInfo]) -> WorkbookContents:
    if any(b"encryption-data" in piece for piece in _unpack(path, entries["meta-inf/manifest.xml"])):
        raise _protected(path)
    # Every sheet is read as soon as the workbook is opened.
    _check_sizes(path, entries.values())
    measured: dict[str, Measured] = {}
    name = ""
    rows = columns = row = column = at = 0
    row_repeats = 1
    broken: BrokenCells = {}
    merged: list[Block] = []
    contents = WorkbookContents(path, {}, measured=measured)
    cells = 0
    for piece in _pieces(_unpack(path, entries["content.xml"]), b"<table:table-row", b"<table:table "):
        for token in _ODS_TOKEN.findall(piece):
            if token.startswith(b"<table:table-row"):
                row += row_repeats
                row_repeats, column = _repeats(token), 0
            elif token.startswith(b"<text:p"):
                text = token[token.index(b">") + 1 : token.rindex(b"<")].decode()
                _note_repeated(broken, row, row_repeats, at, text)
            elif token.startswith(b"<table:table "):
                measured[name] = Measured(0, SheetContents(rows, columns, broken, tuple(merged)))
                contents.check(name)
                cells += rows * columns
                if cells > MOST_CELLS_OF_ALL:
                    raise _too_many_bytes(path.name)
                named = _NAME.search(token)
                name = html.unescape(named[1].decode("utf-8")) if named else ""
                # The first row adds the repeats of the one before it, which there is not.
                rows = columns = row = column = row_repeats = 0
                broken, merged = {}, []
            else:
                at = column
                column += _repeats(token)
                if b"value-type=" in token:
                    rows, columns = max(rows, row + row_repeats), max(columns, column)
                if text := _find_broken_ods(token):
                    _note_repeated(broken, row, row_repeats, at, text)
                if b"-spanned=" in token and (block := _find_block(token, row, at)):
                    merged.append(block)
        # Every sheet is held in memory as soon as the file is opened, so none may be too large.
        measured[name] = Measured(0, SheetContents(rows, columns, broken, tuple(merged)))
        contents.check(name)
    return contents


def _note_repeated(broken: BrokenCells, row: int, repeats: int, column: int, text: str) -> None:
    for repeated in range(min(repeats, MOST_FAILED_REPEATS)):
        broken.setdefault(row + repeated, {})[column] = text


def _find_broken_ods(cell: bytes) -> str | None:
    """What stands for the cell of this tag if it is a formula without a result, or one that failed."""
    if b'value-type="error"' in cell:
        return binary_workbook.ANY_ERROR
    if b"table:formula=" not in cell:
        return None
    kind = _KIND.search(cell)
    is_stored = kind and (b":value=" in cell or b"-value=" in cell or (kind[1] == b"string" and cell[-2:] != b"/>"))
    return find_uncalculated(1 if is_stored else None, calculated=True)


_KIND = re.compile(rb"office:value-type=\"(\w+)\"")
_SPANNED = re.compile(rb"number-(rows|columns)-spanned=\"0*(\d{1,7})\"")


def _find_block(cell: bytes, row: int, column: int) -> Block | None:
    spans = {kind: int(count) for kind, count in _SPANNED.findall(cell)}
    rows, columns = spans.get(b"rows", 1), spans.get(b"columns", 1)
    return Block(row, column, row + rows - 1, column + columns - 1) if rows * columns > 1 else None


def _repeats(tag: bytes) -> int:
    found = _REPEATED.search(tag)
    return int(found[1]) if found else 1


# Binary workbooks


def _contents_of_xls(path: Path, content: bytes) -> WorkbookContents:
    """Every sheet is measured: all are read as soon as the workbook is opened."""
    if len(content) > MOST_BYTES:
        raise _too_many_bytes(path.name)
    try:
        book = binary_workbook.read_xls(content)
    except Encrypted:
        raise _protected(path) from None
    except NotABinaryWorkbook:
        raise SourceError(f"{path.name}: no .xls workbook, or damaged; open it in Excel and save it as .xlsx") from None
    measured = {name: Measured(0, sheet) for name, sheet in book.sheets.items()}
    contents = WorkbookContents(path, {}, book.counts_from_1904, measured=measured)
    for name in measured:
        contents.check(name)
    if sum(sheet.cells for sheet in measured.values()) > MOST_CELLS_OF_ALL:
        raise _too_many_bytes(path.name)
    return contents


def _contents_of_xlsb(path: Path, entries: Mapping[str, zipfile.ZipInfo]) -> WorkbookContents:
    book = binary_workbook.read_list_of_sheets(_unpack(path, entries["xl/workbook.bin"]))
    targets = _parts_by_id(path, entries.get("xl/_rels/workbook.bin.rels"))
    parts = _sheets(path, entries, [(name, targets.get(part, "")) for name, part in book.sheets.items()])
    return WorkbookContents(path, parts, book.counts_from_1904, book.calculated)


def _measure_xlsb(path: Path, part: zipfile.ZipInfo, calculated: bool) -> Measured:
    try:
        size = _count(path, part)
        if size > MOST_BYTES:
            return Measured(size)
        return Measured(size, binary_workbook.read_xlsb_sheet(_unpack(path, part), calculated=calculated))
    except UNREADABLE:
        raise _damaged(path) from None
