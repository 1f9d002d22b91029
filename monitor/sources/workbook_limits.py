"""What is inside a zipped workbook: how large each sheet really is, and which of its formulas failed.

The reader hands over a failed formula (#N/A) as an empty cell, which would be taken for a blank: an adviser
whom a lookup did not find is not a young person without one.
"""

import html
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import SourceError

MOST_BYTES = 200_000_000
"""The most XML that a sheet may be, unzipped; 80,000 people are about 60 million bytes."""

MOST_CELLS = 4_000_000
"""The most cells in the square that holds a sheet's values: memory is taken for each, empty or not."""

MOST_FAILED_REPEATS = 10_000

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
    parts: dict[str, str]
    counts_from_1904: bool = False
    measured: dict[str, Measured] = field(default_factory=dict)

    def is_too_large(self, sheet: str) -> bool:
        return self._measure(sheet).is_too_large

    def failed_cells(self, sheet: str) -> FailedCells:
        return self._measure(sheet).failed

    def check(self, sheet: str) -> None:
        """Raise ``SourceError`` for a sheet that would take too much memory."""
        measured = self._measure(sheet)
        place = f'{self.path.name}: sheet "{sheet}"'
        if measured.size > MOST_BYTES:
            raise _too_many_bytes(place, measured.size)
        if measured.is_too_large:
            raise SourceError(
                f"{place}: its values reach over {measured.rows:,} rows and {measured.columns:,} columns, more than "
                f"{MOST_CELLS:,} cells; delete what stands beside and beneath the list, or export it as .csv"
            )

    def _measure(self, sheet: str) -> Measured:
        if sheet not in self.measured:
            self.measured[sheet] = _measure_xlsx(self.path, self.parts[sheet]) if sheet in self.parts else Measured(0)
        return self.measured[sheet]


def measure(path: Path) -> WorkbookContents:
    """Look inside ``path``; raises ``SourceError`` unless it is a workbook that can be opened safely."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {one.filename: one for one in archive.infolist()}
            for one in names.values():
                # Texts and, in .ods, every sheet are read as soon as the workbook is opened.
                if one.filename in ("xl/sharedStrings.xml", "content.xml") and one.file_size > MOST_BYTES:
                    raise _too_many_bytes(path.name, one.file_size)
            if "xl/workbook.xml" in names:
                return _contents_of_xlsx(path, archive)
            if "content.xml" in names and "META-INF/manifest.xml" in names:
                return _contents_of_ods(path, archive)
            if "xl/workbook.bin" in names:
                raise SourceError(f"{path.name}: a binary .xlsb workbook; save it as .xlsx")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, RuntimeError):
        raise SourceError(f"{path.name}: damaged or cut short; copy or export it again") from None
    raise SourceError(f"{path.name}: not a workbook but another kind of zip file; export the list as .xlsx or .csv")


def _too_many_bytes(place: str, size: int) -> SourceError:
    return SourceError(
        f"{place}: {size // 1_000_000:,} MB when unzipped, and the most read is {MOST_BYTES // 1_000_000:,}; "
        "delete what stands beside and beneath the list, or export it as .csv"
    )


# Excel


def _contents_of_xlsx(path: Path, archive: zipfile.ZipFile) -> WorkbookContents:
    workbook = archive.read("xl/workbook.xml").decode("utf-8")
    present = set(archive.namelist())
    links = "xl/_rels/workbook.xml.rels"
    related = archive.read(links).decode("utf-8") if links in present else ""
    targets: dict[str, str] = {}
    for tag in re.findall(r"<(?:\w+:)?Relationship\s[^>]*>", related):
        target = _attribute(tag, "Target")
        targets[_attribute(tag, "Id")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    parts = {
        html.unescape(_attribute(tag, "name")): targets.get(_attribute(tag, r"\w+:id"), "")
        for tag in re.findall(r"<(?:\w+:)?sheet\s[^>]*>", workbook)
    }
    counts_from_1904 = bool(re.search(r"<(?:\w+:)?workbookPr\s[^>]*\bdate1904=\"(1|true)\"", workbook))
    return WorkbookContents(path, {name: part for name, part in parts.items() if part in present}, counts_from_1904)


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
    """Only cells with something in them: one that is merely coloured ends in "/>" and takes no memory."""
    start = rb"<" + prefix + rb"c\s"
    place = rb"(?:[^>]*?\s)?r=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^>]*"
    value = rb"(?:(?!</" + prefix + rb"c>).)*?<" + prefix + rb"v>([^<]*)<"
    return _Patterns(
        cell=re.compile(rb"<" + prefix + rb"c(?:\s[^>]*)?(?<!/)>"),
        placed=re.compile(start + place + rb"(?<!/)>"),
        row=re.compile(rb"<" + prefix + rb"row[\s>]"),
        row_number=re.compile(rb"<" + prefix + rb"row\s(?:[^>]*?\s)?r=[\"'](\d{1,7})[\"']"),
        failed=re.compile(start + rb"(?=[^>]*\bt=[\"']e[\"'])" + place + rb">" + value, re.DOTALL),
    )


def _measure_xlsx(path: Path, part: str) -> Measured:
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(part).file_size
            if size > MOST_BYTES:
                return Measured(size)
            with archive.open(part) as file:
                root = re.search(rb"<(\w+:)?worksheet[\s>]", file.read(PIECE))
            prefix = root[1] or b"" if root else b""
            patterns = _patterns(prefix)
            rows = columns = unplaced_rows = 0
            failed: FailedCells = {}
            for piece in _pieces(archive, part, b"<" + prefix + b"row"):
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
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise SourceError(f"{path.name}: damaged or cut short; copy or export it again") from None


def _note_failed(failed: FailedCells, patterns: _Patterns, piece: bytes) -> None:
    if b't="e"' in piece or b"t='e'" in piece:
        for letters, number, text in patterns.failed.findall(piece):
            failed.setdefault(int(number) - 1, {})[_column(letters)] = text.decode("utf-8", "replace")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _pieces(archive: zipfile.ZipFile, part: str, *starts: bytes) -> Iterator[bytes]:
    """The XML in pieces that each begin where an element of ``starts`` begins, so that no row is cut in two."""
    with archive.open(part) as file:
        left = b""
        while read := file.read(PIECE):
            left += read
            cut = max(left.rfind(start) for start in starts)
            if cut > 0:
                yield left[:cut]
                left = left[cut:]
            elif len(left) > MOST_BYTES // 4:
                # One row of this length is no list: whole or not, its cells are counted.
                yield left
                left = b""
        yield left


# OpenDocument

_ODS_TOKEN = re.compile(
    rb"<table:table\s[^>]*>"
    rb"|<table:table-row(?:\s[^>]*)?>"
    rb"|<table:(?:covered-)?table-cell(?:\s[^>]*)?>"
    rb"|<text:p[^>]*>(?:#[A-Z0-9_/]+[!?]?|Err:\d+)</text:p>"
)
_REPEATED = re.compile(rb"number-(?:rows|columns)-repeated=\"0*(\d{1,12})")
_NAME = re.compile(rb"table:name=\"([^\"]*)\"")


def _contents_of_ods(path: Path, archive: zipfile.ZipFile) -> WorkbookContents:
    if b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise SourceError(f"{path.name}: protected by a password; save a copy without one where only the monitor reads")
    size = archive.getinfo("content.xml").file_size
    measured: dict[str, Measured] = {}
    name = ""
    rows = columns = row = column = at = 0
    row_repeats = 1
    failed: FailedCells = {}
    contents = WorkbookContents(path, {}, measured=measured)
    for piece in _pieces(archive, "content.xml", b"<table:table-row", b"<table:table "):
        for token in _ODS_TOKEN.findall(piece):
            if token.startswith(b"<table:table-row"):
                row += row_repeats
                row_repeats, column = _repeats(token), 0
            elif token.startswith(b"<text:p"):
                text = token[token.index(b">") + 1 : token.rindex(b"<")].decode()
                for repeated in range(min(row_repeats, MOST_FAILED_REPEATS)):
                    failed.setdefault(row + repeated, {})[at] = text
            elif token.startswith(b"<table:table "):
                measured[name] = Measured(size, rows, columns, failed)
                contents.check(name)
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
        measured[name] = Measured(size, rows, columns, failed)
        contents.check(name)
    return contents


def _repeats(tag: bytes) -> int:
    found = _REPEATED.search(tag)
    return int(found[1]) if found else 1
