"""Delimited text: csv as Excel and database tools write it, in the encodings they use.

DuckDB reads a regular file fast; a file with anything unusual in it is read record by record, which is what
defines the result.
"""

import codecs
import csv
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from monitor.catalogue.broken_cells import CUT_SHORT
from monitor.catalogue.headings import LIST_9, ROWS_SEARCHED, Form, check_headings, find_heading_row, match_headings
from monitor.errors import SourceError
from monitor.sources.extract import load_cells, show_rows
from monitor.workspace import Workspace, number_of

DELIMITERS = (",", ";", "\t", "|")

PIECE = 1 << 20
"""Bytes read at a time."""

ROWS_IN_A_BLOCK = 16
"""How many rows Excel writes together, all of the same columns."""

FEWEST_IN_A_BLOCK = 4
"""Of a shorter block at a file's end, that all its rows are equally long may be chance."""

LONGEST_LINE = 10_000_000
"""Characters; a line is read whole, and one that does not end would take all the memory there is."""


@dataclass(frozen=True)
class Layout:
    """How a file is written, and where its headings are.

    ``records`` and ``lines`` count up to and including the headings; they differ where a cell has line breaks.
    """

    encoding: str
    delimiter: str
    headings: tuple[str, ...]
    records: int
    lines: int


def load(workspace: Workspace, table: str, path: Path, form: Form = LIST_9) -> tuple[str, ...]:
    """Make view ``table`` of the file's rows; the headings."""
    try:
        layout = _find_layout(path, _guess_encoding(path), form)
    except UnicodeError:  # the guess was wrong: the file ends within a letter, or a long line goes on beyond the guess
        layout = _find_layout(path, _find_encoding(path), form)
    positions = check_headings(layout.headings, path.name, form).positions
    if not _load_regular(workspace, table, path, layout, positions):
        layout = _find_layout(path, _find_encoding(path), form)
        positions = check_headings(layout.headings, path.name, form).positions
        wanted = sorted(positions.values())
        rows = _Rows(path, layout, wanted)
        load_cells(workspace, table, wanted, rows.read())
        if empty := [position for position in wanted if position >= rows.longest]:
            columns = ", ".join(f"c{position} = NULL" for position in empty)
            workspace.execute(f'UPDATE "{table}_rows" SET {columns}')
    return layout.headings


def _find_layout(path: Path, encoding: str, form: Form) -> Layout:
    layouts = []
    for delimiter in DELIMITERS:
        records: list[list[str]] = []
        lines: list[int] = []
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(_read_lines(file, path), delimiter=delimiter)
            try:
                for record in itertools.islice(reader, ROWS_SEARCHED):
                    records.append(record)
                    lines.append(reader.line_num)
            except csv.Error:
                pass  # another delimiter, or the reading itself, says what is wrong
        found = find_heading_row(records, form.names)
        if found is not None:
            layouts.append(Layout(encoding, delimiter, tuple(records[found]), found + 1, lines[found]))
    if not layouts:
        raise SourceError(
            f"{path.name}: no row of {form.called} headings within the first {ROWS_SEARCHED} rows; "
            "export the list with its headings, as .xlsx or .csv"
        )
    return max(layouts, key=lambda layout: match_headings(layout.headings, form.names).recognised)


def _read_lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
            raise SourceError(f"{path.name}: a line longer than any list has; export the list again")
        yield line


def _guess_encoding(path: Path) -> str:
    """From the first megabyte only; a wrong guess is found when the rest does not fit."""
    with path.open("rb") as file:
        start = file.read(PIECE)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in start:
        raise SourceError(f"{path.name}: neither text nor a workbook; export the list as .xlsx or .csv")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return _find_encoding(path)
    return "utf-8-sig"


def _find_encoding(path: Path) -> str:
    with path.open("rb") as file:
        marked = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    if not marked and _ends_within_a_letter(path):
        raise SourceError(f"{path.name}: ends within a letter, so it was cut short; copy or export it again")
    encodings = ["utf-16"] if marked else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(PIECE):
                    pass
        except UnicodeError:
            continue
        return encoding
    raise SourceError(
        f"{path.name}: not text in UTF-8, UTF-16 or Windows-1252; save it from Excel as CSV UTF-8 or as .xlsx"
    )


def _ends_within_a_letter(path: Path) -> bool:
    """Whether a file is UTF-8 but for its end; one without another such letter is in Windows-1252."""
    content = path.read_bytes()
    for length in (1, 2, 3):
        try:
            content[-length:].decode("utf-8")
        except UnicodeDecodeError as fault:
            if fault.reason != "unexpected end of data":
                continue
            try:
                return not content[:-length].decode("utf-8").isascii()
            except UnicodeDecodeError:
                return False
    return False


def _load_regular(workspace: Workspace, table: str, path: Path, layout: Layout, positions: Mapping[str, int]) -> bool:
    """Read with DuckDB; False, leaving nothing, unless every line of the file became one row."""
    import duckdb

    # DuckDB would take these for patterns of file names.
    if layout.encoding != "utf-8-sig" or layout.records != layout.lines or set("*?[]") & set(str(path)):
        return False
    lines = _count_lines(path)
    if lines is None:
        return False
    columns = {f"c{n}": "VARCHAR" for n in range(len(layout.headings))}
    wanted = ", ".join(f"c{n}" for n in sorted(positions.values()))
    # Read in parallel, the parts would be put in order by copying them: more work, and hardly sooner done.
    try:
        workspace.execute(
            f"""
            CREATE OR REPLACE TABLE "{table}_rows" AS SELECT {wanted} FROM read_csv(
                $path, auto_detect = false, header = false, skip = {layout.lines}, columns = {columns},
                delim = $delimiter, quote = '"', escape = '"', compression = 'none', strict_mode = true,
                parallel = false
            )
            """,
            {"path": str(path.absolute()), "delimiter": layout.delimiter},
        )
    except duckdb.Error:
        workspace.execute(f'DROP TABLE IF EXISTS "{table}_rows"')
        return False
    if number_of(workspace, f'SELECT count(*) FROM "{table}_rows"') != lines - layout.lines:
        workspace.execute(f'DROP TABLE "{table}_rows"')
        return False
    show_rows(workspace, table, f'rowid + {layout.records + 1} AS "row", NULL::VARCHAR AS fault, *')
    return True


def _count_lines(path: Path) -> int | None:
    """How many lines the file has, blank ones at its end aside; None where they end in more than one way."""
    feeds = returns = pairs = 0
    end = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            feeds += piece.count(b"\n")
            returns += piece.count(b"\r")
            pairs += piece.count(b"\r\n") + (end[-1:] == b"\r" and piece.startswith(b"\n"))
            end = (end + piece)[-64:]
    if returns != pairs or (pairs and pairs != feeds):
        return None
    blank = end[len(end.rstrip(b"\r\n")) :].count(b"\n")
    return feeds - max(blank - 1, 0) + (blank == 0)


Record = tuple[int, list[str], bool]
"""Its number, its cells, and whether it ends in a line break."""


class _Rows:
    """The records of a file beneath its headings.

    Cells that are missing at a record's end are blank where the writer left them out, and else the record is cut
    short. Excel leaves out columns that are empty in all of a block of sixteen rows. A column that no row of the file
    reaches is empty too: ``longest`` is the most cells that a row has, once all are read.
    """

    def __init__(self, path: Path, layout: Layout, positions: list[int]) -> None:
        self.longest = 0
        self._path = path
        self._layout = layout
        self._positions = positions
        self._reached = positions[-1] + 1

    def read(self) -> Iterator[tuple[str | int | None, ...]]:
        """Return each row's number, its fault, and its cells at the positions."""
        for block in self._blocks():
            left_out = len(block) >= FEWEST_IN_A_BLOCK and len({len(record) for _, record, _ in block}) == 1
            for number, record, complete in block:
                if number > self._layout.records and any(cell.strip() for cell in record):
                    yield self._row(number, record, complete=complete, left_out=left_out)

    def _row(self, number: int, record: list[str], *, complete: bool, left_out: bool) -> tuple[str | int | None, ...]:
        if fault := _find_fault(record, len(self._layout.headings), complete=complete):
            return (number, fault, *(None,) * len(self._positions))
        length = len(record)
        self.longest = max(self.longest, length)
        if length >= self._reached:
            return (number, None, *(record[position] for position in self._positions))
        # A line of one cell is a title or a note.
        missing = None if left_out or sum(map(bool, map(str.strip, record))) == 1 else CUT_SHORT
        return (number, None, *(record[position] if position < length else missing for position in self._positions))

    def _blocks(self) -> Iterator[list[Record]]:
        with self._path.open(encoding=self._layout.encoding, newline="") as file:
            ended = _EndsWithLineBreak(_read_lines(file, self._path))
            reader = csv.reader(ended, delimiter=self._layout.delimiter, strict=True)
            block: list[Record] = []
            number = 0
            try:
                for number, record in enumerate(reader, start=1):
                    block.append((number, record, ended.so_far))
                    if not number % ROWS_IN_A_BLOCK:
                        yield block
                        block = []
            except csv.Error:
                raise SourceError(
                    f"{self._path.name}: row {number + 1}: quotation marks that do not match, or a cell too long to "
                    "be one; save the list from Excel as .xlsx or CSV UTF-8"
                ) from None
            yield block


def _find_fault(record: list[str], width: int, *, complete: bool) -> str | None:
    """Why a record cannot be taken apart under the headings."""
    if len(record) > width and any(cell.strip() for cell in record[width:]):
        return f"{len(record)} cells under {width} headings"
    if len(record) < width and not complete:
        return "the file stops in the middle of this row"
    return None


class _EndsWithLineBreak:
    """The lines of a file, knowing whether the one last given out was complete."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.so_far = True

    def __iter__(self) -> "_EndsWithLineBreak":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.so_far = line.endswith(("\n", "\r"))
        return line
