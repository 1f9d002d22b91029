"""Writes one exception list as a workbook: a summary sheet, and the list as a real Excel table.

Text is written as text, whatever it starts with: no cell is ever a formula, and ids keep their leading zeros.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from monitor.files import open_privately
from monitor.flags.state import LISTED
from monitor.lists import answer_sheet

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

NARROWEST, WIDEST, LINE_HEIGHT, MOST_LINES = 8, 60, 15, 20
LONGEST_HEADING = 100
LONGEST_CELL = 32_767
"""Characters a cell can hold in Excel."""
HEADING = {"bold": True, "valign": "top", "font_color": "white", "bg_color": "#1F3864"}
"""Said outright, for not every program knows the styles of Excel's tables."""
FILTER_BUTTON = 3
"""Characters hidden by the button beside a heading."""


@dataclass(frozen=True)
class RuleTally:
    """How many flags of one rule a list holds, by state and by team."""

    rule: str
    title: str
    severity: str
    states: dict[str, int]
    teams: dict[str, int]


@dataclass(frozen=True)
class ListSheet:
    """The list's own sheet: each column with its DuckDB type (DATE, INTEGER or VARCHAR), the length of its
    longest value, and how many rows there are. ``answering``: if its reader may answer it."""

    kinds: Mapping[str, str]
    longest: Mapping[str, int]
    rows: int
    answering: "answer_sheet.Answering | None" = None

    @property
    def last_letter(self) -> str:
        return ascii_uppercase[len(self.kinds) - 1]


def write_workbook(
    path: Path,
    *,
    title: str,
    lines: Sequence[str],
    tallies: Sequence[RuleTally],
    teams: Sequence[str],
    flags: ListSheet,
    rows: Iterable[Sequence[Any]],
    empty: str,
    as_at: date,
    marking: str | None = None,
) -> None:
    """Write the workbook to ``path``; an empty list says ``empty`` where its ``rows`` would be."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    content = io.BytesIO()  # a workbook cut off by a full disk cannot be closed
    with xlsxwriter.Workbook(content, options) as book:
        # The time of writing would make two equal lists differ.
        book.set_properties({"title": title, "created": datetime.combine(as_at, time())})
        _write_summary(book, [title, *lines], tallies, teams, marking)
        _write_list(book, flags, rows, empty, marking, as_at)
        if flags.answering and flags.rows:
            _lay_out(answer_sheet.write_guidance(book, flags.answering), marking)
    with open_privately(path, "wb") as file:
        file.write(content.getbuffer())


def _write_list(
    book: "Workbook",
    flags: ListSheet,
    rows: Iterable[Sequence[Any]],
    empty: str,
    marking: str | None,
    as_at: date,
) -> None:
    """The list's own sheet: headings, widths that show the text, and a table drawn round the rows."""
    sheet = book.add_worksheet(answer_sheet.SHEET)
    styles = {
        "DATE": book.add_format({"num_format": "dd/mm/yyyy", "valign": "top", "align": "left"}),
        "INTEGER": book.add_format({"num_format": "0", "valign": "top", "align": "center"}),
        "VARCHAR": book.add_format({"num_format": "@", "valign": "top", "text_wrap": True}),
        **(answer_sheet.styles(book) if flags.answering else {}),
    }
    writers = {"DATE": sheet.write_datetime, "INTEGER": sheet.write_number, "VARCHAR": sheet.write_string}
    blank = set(answer_sheet.ANSWER_KINDS.values())
    heading = book.add_format(HEADING)
    for column, (name, kind) in enumerate(flags.kinds.items()):
        longest = max(flags.longest.get(name, 0), len(name) + FILTER_BUTTON)
        # Below the list no cell is unlocked, so a column of answers has its look from its cells alone.
        look = None if kind in blank else styles[kind]
        sheet.set_column(column, column, min(max(longest + 1, NARROWEST), WIDEST), look)
        sheet.write_string(0, column, name, heading)
    cells = [
        (column, writers.get(kind, sheet.write_blank), styles[kind], kind in blank)
        for column, kind in enumerate(flags.kinds.values())
    ]
    for line, row in enumerate(rows, start=1):
        # Not every program makes a row as high as its wrapped text.
        longest = max(len(value) for value in row if isinstance(value, str))
        sheet.set_row(line, LINE_HEIGHT * min(-(-longest // WIDEST), MOST_LINES))
        for (column, write, style, to_fill_in), value in zip(cells, row, strict=True):
            if value is not None or to_fill_in:
                write(line, column, value[:LONGEST_CELL] if isinstance(value, str) else value, style)
    if flags.rows:
        headings = [{"header": name, "header_format": heading} for name in flags.kinds]
        look = {"name": "flags", "style": "Table Style Medium 2", "columns": headings}
        sheet.add_table(0, 0, flags.rows, len(flags.kinds) - 1, look)
        # Ids are text on purpose; Excel need not point at each of them.
        sheet.ignore_errors({"number_stored_as_text": f"A2:{flags.last_letter}{flags.rows + 1}"})
        if flags.answering:
            answer_sheet.protect(sheet, list(flags.kinds), flags.rows, flags.answering, as_at)
    else:
        sheet.write_string(1, 0, empty)
    sheet.freeze_panes(1, 1)
    _lay_out(sheet, marking)


def _write_summary(
    book: "Workbook",
    lines: Sequence[str],
    tallies: Sequence[RuleTally],
    teams: Sequence[str],
    marking: str | None,
) -> None:
    """The first sheet: what this is, and a table of how many flags each rule has, by state and by team."""
    sheet = book.add_worksheet("Summary")
    heading = book.add_format(HEADING)
    first, strong = book.add_format({"bold": True, "font_size": 14}), book.add_format({"bold": True})
    plain = book.add_format({"valign": "top"})
    count = book.add_format({"num_format": "#,##0", "valign": "top"})
    all_told = book.add_format({"num_format": "#,##0", "bold": True})
    top = 0
    for text in (*([marking] if marking else []), *lines):
        sheet.write_string(top, 0, text, first if text == lines[0] else strong if text == marking else None)
        top += 1
    top += 1
    by_team = teams if len(teams) > 1 else ()
    headings = distinct(["rule", "title", "severity", *LISTED, "all", *(team or "no team" for team in by_team)])
    rows = [
        [
            tally.rule, tally.title, tally.severity, *(tally.states.get(state, 0) for state in LISTED),
            sum(tally.states.values()), *(tally.teams.get(team, 0) for team in by_team),
        ]
        for tally in tallies
    ]  # fmt: skip
    if rows:
        columns = [{"header": name, "header_format": heading} for name in headings]
        look = {"name": "summary", "style": "Table Style Medium 2", "columns": columns}
        sheet.add_table(top, 0, top + len(rows), len(headings) - 1, look)
        # Totals are values under the table, not formulas in it: nothing in a list is ever worked out by a reader.
        totals = [
            "All rules",
            "",
            "",
            *(sum(column) for column in zip(*(row[3:] for row in rows), strict=True)),
        ]
        for number, row in enumerate([*rows, totals], start=top + 1):
            text, figure = (strong, all_told) if row is totals else (plain, count)
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell, text)
                else:
                    sheet.write_number(number, column, cell, figure)
        sheet.freeze_panes(top + 1, 1)
    for column, name in enumerate(headings):
        longest = max([len(name) + FILTER_BUTTON, *(len(str(row[column])) for row in rows)])
        sheet.set_column(column, column, min(max(longest + 1, NARROWEST), WIDEST))
    _lay_out(sheet, marking)


def _lay_out(sheet: "Worksheet", marking: str | None) -> None:
    """For whoever prints it: across the page, headings on each, marked and numbered."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    shown = (marking or "").replace("&", "&&")
    if shown:
        sheet.set_header(f"&C{shown}")
    sheet.set_footer(f"&L{shown}&RPage &P of &N" if shown else "&RPage &P of &N")


def distinct(names: Iterable[str]) -> list[str]:
    """The names as an Excel table takes them for headings: one line each, none too long, no two alike."""
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
