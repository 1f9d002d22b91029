"""What is inside a zipped workbook: how large each file in it really is, and which of a sheet's formulas failed.

What a zip says of its own sizes is not believed: files are unpacked, piece by piece, and counted up to a limit.

The reader hands over a failed formula (#N/A) as an empty cell, which would be taken for a blank: an adviser
whom a lookup did not find is not a young person without one.
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

FailedCells = dict[int, dict[int, str]]
"""By row and column, both counted from 0, the text of formulas that failed."""


@dataclass(frozen=True)
class Measured:
    """One sheet: its unzipped size, the square of cells that holds its values, and its failed formulas."""

    size: int
    rows: int = 0
    columns: int = 0
    failed: FailedCells = field(default_factory=dict)

    @property
    def is_too_large(self) -> bool:
        return self.size > MOST_BYTES or self.rows * self.columns > MOST_CELLS


@dataclass
class WorkbookContents:
    """The sheets of one workbook, each measured when it is first asked about."""

    path: Path
    parts: dict[str, zipfile.ZipInfo]
    counts_from_1904: bool = False
    measured: dict[str, Measured] = field(default_factory=dict)
    unpacked: int = 0

    def is_too_large(self, sheet: str) -> bool:
        return self._measure(sheet).is_too_large

    def failed_cells(self, sheet: str) -> FailedCells:
        return self._measure(sheet).failed

    def check(self, sheet: str) -> None:
        """Raise ``SourceError`` for a sheet that would take too much memory."""
        measured = self._measure(sheet)
        place = f'{self.path.name}: sheet "{sheet}"'
        if measured.size > MOST_BYTES:
            raise _too_many_bytes(place)
        if measured.is_too_large:
            raise SourceError(
                f"{place}: its values reach over {measured.rows:,} rows and {measured.columns:,} columns, more than "
                f"{MOST_CELLS:,} cells; delete what stands beside and beneath the list, or export it as .csv"
            )

    def _measure(self, sheet: str) -> Measured:
        if sheet not in self.measured:
            part = self.parts.get(sheet)
            if part is None:
                raise _damaged(self.path)
            measured = self.measured[sheet] = _measure_xlsx(self.path, part)
            self.unpacked += measured.size
            if self.unpacked > MOST_UNPACKED:
                raise _too_many_bytes(self.path.name)
        return self.measured[sheet]


def measure(path: Path) -> WorkbookContents:
    """Look inside ``path``; raises ``SourceError`` unless it is a workbook that can be opened safely."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        _check_entries(path, entries)
        names = {entry.filename.lower(): entry for entry in entries}
        if "xl/workbook.xml" in names:
            return _contents_of_xlsx(path, names)
        if "content.xml" in names and "meta-inf/manifest.xml" in names:
            return _contents_of_ods(path, names)
        if "xl/workbook.bin" in names:
            raise SourceError(f"{path.name}: a binary .xlsb workbook; save it as .xlsx")
    except UNREADABLE:
        raise _damaged(path) from None
    raise SourceError(f"{path.name}: not a workbook but another kind of zip file; export the list as .xlsx or .csv")


UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, RuntimeError, struct.error,
              ValueError)  # fmt: skip
"""What unpacking a damaged zip ends in."""


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
    links = entries.get("xl/_rels/workbook.xml.rels")
    related = _read(path, links) if links else ""
    targets: dict[str, str] = {}
    for tag in re.findall(r"<(?:\w+:)?Relationship\s[^<>]*>", related):
        target = html.unescape(_attribute(tag, "Target"))
        # As the reader finds them.
        place = target.removeprefix("/") if target.startswith("/") else target
        targets[_attribute(tag, "Id")] = place if place.startswith("xl/") or target != place else f"xl/{place}"
    tags = re.findall(r"<(?:\w+:)?sheet\s[^<>]*>", workbook)
    named = [(html.unescape(_attribute(tag, "name")), targets.get(_attribute(tag, r"\w+:id"), "")) for tag in tags]
    counts_from_1904 = bool(re.search(r"<(?:\w+:)?workbookPr\s[^<>]*\bdate1904=\"(1|true)\"", workbook))
    parts = {name: entries[part.lower()] for name, part in named if part.lower() in entries}
    sheets = {entry.filename for entry in parts.values()}
    # The reader opens texts and styles as soon as the workbook is, and whatever else in time; a sheet only if chosen.
    _check_sizes(path, [entry for entry in entries.values() if entry.filename not in sheets])
    return WorkbookContents(path, parts, counts_from_1904)


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


def _patterns(prefix: bytes) -> _Patterns:
    """Only cells with something in them: one that is merely coloured ends in "/>" and takes no memory.

    None looks past the next "<" for the end of a tag, nor past the next cell for a value: a sheet without either end
    would be gone through once for each of its cells.
    """
    start = rb"<" + prefix + rb"c\s"
    place = rb"(?:[^<>]*?\s)?r=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^<>]*"
    value = rb"(?:(?!</?" + prefix + rb"c[\s>]).)*?<" + prefix + rb"v>([^<]*)<"
    return _Patterns(
        cell=re.compile(rb"<" + prefix + rb"c(?:\s[^<>]*)?(?<!/)>"),
        placed=re.compile(start + place + rb"(?<!/)>"),
        row=re.compile(rb"<" + prefix + rb"row[\s>]"),
        row_number=re.compile(rb"<" + prefix + rb"row\s(?:[^<>]*?\s)?r=[\"'](\d{1,7})[\"']"),
        failed=re.compile(start + rb"(?=[^<>]*\bt=[\"']e[\"'])" + place + rb">" + value, re.DOTALL),
    )


def _measure_xlsx(path: Path, part: zipfile.ZipInfo) -> Measured:
    try:
        if part.file_size > MOST_BYTES:
            return Measured(MOST_BYTES + 1)
        start = next(_unpack(path, part), b"")
        root = re.search(rb"<(\w+:)?worksheet[\s>]", start)
        prefix = root[1] or b"" if root else b""
        patterns = _patterns(prefix)
        size = rows = columns = unplaced_rows = 0
        failed: FailedCells = {}
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
            _note_failed(failed, patterns, piece)
        return Measured(size, rows, columns, failed)
    except UNREADABLE:
        raise _damaged(path) from None


def _note_failed(failed: FailedCells, patterns: _Patterns, piece: bytes) -> None:
    if b't="e"' in piece or b"t='e'" in piece:
        for letters, number, text in patterns.failed.findall(piece):
            failed.setdefault(int(number) - 1, {})[_column(letters)] = text.decode("utf-8", "replace")


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
    rb"|<table:table-row(?:\s[^<>]*)?>"
    rb"|<table:(?:covered-)?table-cell(?:\s[^<>]*)?>"
    rb"|<text:p[^<>]*>(?:#[A-Z0-9_/]+[!?]?|Err:\d+)</text:p>"
)
_REPEATED = re.compile(rb"number-(?:rows|columns)-repeated=\"0*(\d{1,12})")
_NAME = re.compile(rb"table:name=\"([^\"]*)\"")


def _contents_of_ods(path: Path, entries: Mapping[str, zipfile.ZipInfo]) -> WorkbookContents:
    if any(b"encryption-data" in piece for piece in _unpack(path, entries["meta-inf/manifest.xml"])):
        raise SourceError(f"{path.name}: protected by a password; save a copy without one where only the monitor reads")
    # Every sheet is read as soon as the workbook is opened.
    _check_sizes(path, entries.values())
    measured: dict[str, Measured] = {}
    name = ""
    rows = columns = row = column = at = 0
    row_repeats = 1
    failed: FailedCells = {}
    contents = WorkbookContents(path, {}, measured=measured)
    cells = 0
    for piece in _pieces(_unpack(path, entries["content.xml"]), b"<table:table-row", b"<table:table "):
        for token in _ODS_TOKEN.findall(piece):
            if token.startswith(b"<table:table-row"):
                row += row_repeats
                row_repeats, column = _repeats(token), 0
            elif token.startswith(b"<text:p"):
                text = token[token.index(b">") + 1 : token.rindex(b"<")].decode()
                for repeated in range(min(row_repeats, MOST_FAILED_REPEATS)):
                    failed.setdefault(row + repeated, {})[at] = text
            elif token.startswith(b"<table:table "):
                measured[name] = Measured(0, rows, columns, failed)
                contents.check(name)
                cells += rows * columns
                if cells > MOST_CELLS_OF_ALL:
                    raise _too_many_bytes(path.name)
                named = _NAME.search(token)
                name = html.unescape(named[1].decode("utf-8")) if named else ""
                # The first row adds the repeats of the one before it, which there is not.
                rows = columns = row = column = row_repeats = 0
                failed = {}
            else:
                at = column
                column += _repeats(token)
                if b"value-type=" in token:
                    rows, columns = max(rows, row + row_repeats), max(columns, column)
        # Every sheet is held in memory as soon as the file is opened, so none may be too large.
        measured[name] = Measured(0, rows, columns, failed)
        contents.check(name)
    return contents


def _repeats(tag: bytes) -> int:
    found = _REPEATED.search(tag)
    return int(found[1]) if found else 1
