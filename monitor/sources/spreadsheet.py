"""Workbooks: the sheet of an .xlsx, .xls, .xlsb or .ods file that holds the list, its cells as text.

A zipped sheet can be a thousand times larger than its file, so what is inside is measured before it is read.
"""

import datetime as dt
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.catalogue.broken_cells import explain_broken
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.headings import (
    LIST_9,
    ROWS_SEARCHED,
    Form,
    check_headings,
    find_heading_row,
    list_headings,
    match_headings,
)
from monitor.errors import SourceError
from monitor.sources.extract import load_cells
from monitor.sources.sheet_contents import Block, MergedBlocks
from monitor.sources.workbook_limits import WorkbookContents, measure
from monitor.workspace import Workspace

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

DAYS_1900_TO_1904 = 1462
PANIC = re.compile(rb"\n?thread '[^\n]*panicked at .*?\nnote: [^\n]*\n", re.DOTALL)
"""What compiled Rust prints of a defect of its own."""


def load(
    workspace: Workspace, table: str, path: Path, *, wanted: str | None, form: Form = LIST_9
) -> tuple[str, tuple[str, ...]]:
    """Make view ``table`` of the sheet's rows; the sheet's name and its headings."""
    contents = measure(path)
    with _opened(path) as workbook:
        sheet = _choose_sheet(_OpenWorkbook(path, workbook, contents), wanted, form)
        place = f'{path.name}: sheet "{sheet.name}"'
        start = _first_rows(sheet)
        found = find_heading_row(start, form.names)
        broken = contents.sheet(sheet.name).broken
        if found is None:
            raise SourceError(
                f"{place}: no row of {form.called} headings within the first {ROWS_SEARCHED} rows; the first row "
                f"with text says {list_headings(next((row for row in start if any(row)), ())) or 'nothing'}"
            )
        _check_whole(broken.get(found, {}), f"{place}: row {found + 1}")
        headings = tuple(start[found])
        positions = check_headings(headings, place, form).positions
        names = {position: name for name, position in positions.items()}
        load_cells(workspace, table, names, _rows(sheet, found, names, contents))
    return sheet.name, headings


def read_sheet(path: Path, name: str) -> list[list[Any]]:
    """Return every row of one sheet from its first cell; a formula that failed is its text, not an empty cell."""
    contents = measure(path)
    with _opened(path) as workbook:
        sheet = _choose_sheet(_OpenWorkbook(path, workbook, contents), name, LIST_9)
        rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    for row, broken in contents.sheet(sheet.name).broken.items():
        for column, text in broken.items():
            if row < len(rows) and column < len(rows[row]):
                rows[row][column] = text
    return rows


@contextmanager
def _opened(path: Path) -> Iterator["CalamineWorkbook"]:
    import python_calamine

    damaged = SourceError(f"{path.name}: damaged or cut short; copy or export it again")
    try:
        with (
            _without_panics(),
            path.open("rb") as file,
            python_calamine.CalamineWorkbook.from_filelike(file) as workbook,
        ):
            yield workbook
    except python_calamine.PasswordError:
        raise SourceError(
            f"{path.name}: protected by a password; save a copy without one where only the monitor reads"
        ) from None
    except python_calamine.CalamineError:
        raise damaged from None
    except BaseException as fault:
        # The reader is compiled code, whose own defects arrive as this one class outside of Exception.
        if type(fault).__name__ == "PanicException":
            raise damaged from None
        raise


@contextmanager
def _without_panics() -> Iterator[None]:
    """Hold the error output back meanwhile, and print it without the report of a defect of the reader's compiled code.

    What reads the workbook says in words that the file is damaged.
    """
    try:
        printed = os.dup(2)
    except OSError:  # a program without a console has no error output
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(printed, 2)
            os.close(printed)
            held.seek(0)
            if said := PANIC.sub(b"", held.read()):
                os.write(2, said)


@dataclass(frozen=True)
class _OpenWorkbook:
    path: Path
    workbook: "CalamineWorkbook"
    contents: WorkbookContents

    @property
    def names(self) -> list[str]:
        return list(self.workbook.sheet_names)

    @property
    def listed(self) -> str:
        return ", ".join(f'"{name}"' for name in self.names) or "none"

    def open_sheet(self, name: str) -> "CalamineSheet":
        self.contents.check(name)
        return self.workbook.get_sheet_by_name(name)


def _check_whole(broken: Mapping[int, str], place: str) -> None:
    """Raise ``SourceError`` for a heading whose text is not there: its column would be taken for nobody's."""
    for column, text in broken.items():
        raise SourceError(f"{place}: the heading in column {column + 1} is {explain_broken(text)}")


def _choose_sheet(book: _OpenWorkbook, wanted: str | None, form: Form) -> "CalamineSheet":
    """The sheet that is wanted, else the visible one that is named or looks like the list, else such a hidden one."""
    from python_calamine import SheetVisibleEnum

    if wanted is not None:
        chosen = [name for name in book.names if name.strip().casefold() == wanted.strip().casefold()]
        if not chosen:
            raise SourceError(f'{book.path.name}: no sheet "{wanted}"; its sheets are {book.listed}')
        return book.open_sheet(chosen[0])
    hidden = {sheet.name for sheet in book.workbook.sheets_metadata if sheet.visible != SheetVisibleEnum.Visible}
    for is_hidden in (False, True):
        likeliest = _find_likeliest(book, [name for name in book.names if (name in hidden) is is_hidden], form)
        if len(likeliest) > 1:
            raise SourceError(
                f'{book.path.name}: the sheets "{likeliest[0]}" and "{likeliest[1]}" both have {form.called} headings; '
                'set sheet = "..." for this source'
            )
        if likeliest:
            return book.open_sheet(likeliest[0])
    raise SourceError(
        f"{book.path.name}: no sheet named {form.called}, and none with its headings; its sheets are {book.listed}; "
        'set sheet = "..." for this source'
    )


def _find_likeliest(book: _OpenWorkbook, names: Sequence[str], form: Form) -> list[str]:
    """The one sheet that is named like the list, else those that have most of its headings."""
    named = [name for name in names if form.sheet.search(name)]
    if len(named) == 1:
        return named
    # A long list of another kind need not be opened to be passed over.
    opened = named or [name for name in names if not book.contents.is_too_large(name)]
    scores = {name: _likeness(book.open_sheet(name), form) for name in opened}
    best = max(scores.values(), default=0)
    return [name for name, score in scores.items() if score == best] if best >= form.enough else []


def _likeness(sheet: "CalamineSheet", form: Form) -> int:
    start = _first_rows(sheet)
    found = find_heading_row(start, form.names)
    return match_headings(start[found], form.names).likeness(form) if found is not None else 0


def _first_rows(sheet: "CalamineSheet") -> list[list[str]]:
    if sheet.start is None:
        return []
    rows = []
    for row in sheet.iter_rows():
        rows.append([as_text(cell) or "" for cell in row])
        if len(rows) == ROWS_SEARCHED:
            break
    return rows


def _rows(
    sheet: "CalamineSheet", heading_row: int, names: Mapping[int, str], contents: WorkbookContents
) -> Iterator[tuple[str | int | None, ...]]:
    """The rows beneath the headings that say anything, each with its number in the sheet."""
    positions = sorted(names)
    left = sheet.start[1] if sheet.start else 0
    place_of = {left + position: place for place, position in enumerate(positions)}
    found = contents.sheet(sheet.name)
    blocks = found.merged or [Block(*first, *last) for first, last in sheet.merged_cell_ranges or ()]
    merged = MergedBlocks(blocks, place_of, heading_row)
    broken = found.broken
    dates = [place for place, position in enumerate(positions) if _is_date(names[position])]
    shifted = dates if contents.counts_from_1904 else []
    pick = itemgetter(*positions)
    for number, row in enumerate(sheet.iter_rows()):
        if number <= heading_row:
            continue
        cells = _texts(list(pick(row)), shifted)
        for column, text in broken.get(number, {}).items():
            if column in place_of:
                cells[place_of[column]] = text
        if blocks:
            merged.fill(number, cells)
        if any(cells):
            yield (number + 1, None, *cells)


def _texts(cells: list[Any], shifted: Sequence[int]) -> list[str | None]:
    """Cells as text, those ``shifted`` being days counted from 1904."""
    for place in shifted:
        if isinstance(cells[place], float):
            cells[place] += DAYS_1900_TO_1904
    return [(cell or None) if type(cell) is str else as_text(cell) for cell in cells]


def _is_date(name: str) -> bool:
    return name in BY_NAME and BY_NAME[name].kind == "date"


def as_text(cell: Any) -> str | None:
    """Return a cell as text: whole numbers without a point, never in exponent form; dates as ISO; None for empty."""
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if cell.is_integer():
            return str(int(cell))
        text = repr(cell)
        return format(Decimal(text), "f") if "e" in text else text
    if isinstance(cell, dt.datetime):
        whole_day = cell.time() == dt.time()
        return cell.date().isoformat() if whole_day else cell.isoformat(sep=" ")
    return None if cell is None else str(cell)
