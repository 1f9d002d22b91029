"""How every workbook is made: the same looks, headings, widths and page, and text that stays text.

Text is written as text, whatever it starts with: no cell is ever a formula, and ids keep their leading zeros.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.catalogue.dictionary import TEXT_STAYS_TEXT
from monitor.files import open_privately

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

NARROWEST, WIDEST, LINE_HEIGHT, MOST_LINES = 8, 60, 15, 20
LONGEST_HEADING = 100
LONGEST_CELL = 32_767
"""Characters a cell can hold in Excel."""
HEADING = {"bold": True, "valign": "top", "font_color": "white", "bg_color": "#1F3864"}
"""Said outright, for not every program knows the styles of Excel's tables."""
TITLE = {"bold": True, "font_size": 14}
TEXT, DATE, COUNT = "@", "dd/mm/yyyy", "#,##0"
FILTER_BUTTON = 3
"""Characters hidden by the button beside a heading."""
A4 = 9


@contextmanager
def new_workbook(path: Path, *, title: str, made_on: date) -> Iterator["Workbook"]:
    """Give a workbook to fill, and write it to ``path`` for its owner alone; the same cells give the same bytes."""
    import xlsxwriter

    content = io.BytesIO()  # a workbook cut off by a full disk cannot be closed
    with xlsxwriter.Workbook(content, TEXT_STAYS_TEXT) as book:
        # The time of writing would make two equal workbooks differ.
        book.set_properties({"title": title, "created": as_moment(made_on)})
        yield book
    with open_privately(path, "wb") as file:
        file.write(content.getbuffer())


def as_moment(day: date) -> datetime:
    """Return a day as Excel keeps it."""
    return datetime.combine(day, time())


def write_table(sheet: "Worksheet", name: str, headings: Sequence[str], look: Any, rows: range) -> None:
    """Draw an Excel table round ``rows``, of which the first is that of the headings."""
    columns = [{"header": heading, "header_format": look} for heading in headings]
    options = {"name": name, "style": "Table Style Medium 2", "columns": columns}
    sheet.add_table(rows[0], 0, rows[-1], len(headings) - 1, options)


def fit_column(sheet: "Worksheet", column: int, heading: str, longest: int, look: Any = None) -> None:
    """Make a column wide enough for its longest value and for its heading with the button, within limits."""
    longest = max(longest, len(heading) + FILTER_BUTTON)
    sheet.set_column(column, column, min(max(longest + 1, NARROWEST), WIDEST), look)


def set_up_page(sheet: "Worksheet", marking: str | None, *, pages_across: int = 1, seal: str = "") -> None:
    """Print it on A4 across, marked and numbered on each page."""
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(pages_across, 0)
    shown = (marking or "").replace("&", "&&")
    if shown:
        sheet.set_header(f"&C{shown}")
    left, middle = (f"&L{shown}" if shown else ""), (f"&C{seal}" if seal else "")
    sheet.set_footer(f"{left}{middle}&RPage &P of &N")


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names as an Excel table takes them for headings: one line each, none too long, no two alike."""
    taken: set[str] = set()
    given: list[str] = []
    for name in names:
        short = re.sub(r"[\x00-\x1f\s]+", " ", name)[:LONGEST_HEADING]
        candidate, number = short, 2
        while candidate.casefold() in taken:
            candidate, number = f"{short} ({number})", number + 1
        taken.add(candidate.casefold())
        given.append(candidate)
    return given
