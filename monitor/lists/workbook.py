"""How every workbook is made: the same looks, headings, widths and page."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from monitor.lists.workbook_file import MAIN, Sheet, SheetColumn, element, write_workbook

NARROWEST, WIDEST, MOST_LINES = 8, 60, 20
LONGEST_HEADING = 100
FILTER_BUTTON = 3
"""Characters hidden by the button beside a heading."""
COUNT, TEXT, DATE, ABOUT = "#,##0", "@", "dd/mm/yyyy", '"about "#,##0'
NUMBERS = ("General", "0", COUNT, TEXT, DATE, ABOUT)
BLACK, NAVY, YELLOW, GREY, BLUE = "FF000000", "FF1F3864", "FFFFF7D6", "FFBFBFBF", "FF0B5394"


def _draw_look(
    number: str = "General",
    *,
    font: int = 0,
    fill: int = 0,
    border: int = 0,
    unlocked: bool = False,
    **placed: str | int,
) -> str:
    return element(
        "xf",
        element("alignment", **placed) if placed else "",
        element("protection", locked=0) if unlocked else "",
        numFmtId=NUMBERS.index(number) and NUMBERS.index(number) + 163, fontId=font, fillId=fill, borderId=border,
        applyNumberFormat=1, applyFont=1, applyFill=1, applyBorder=1, applyAlignment=1, applyProtection=1,
    )  # fmt: skip


BOLD, LARGE, WHITE, LINK = 1, 2, 3, 4
ON_NAVY, ON_YELLOW = 2, 3
THIN, THIN_GREY = 1, 2
LOOKS = {
    "plain": _draw_look(),
    "strong": _draw_look(font=BOLD),
    "title": _draw_look(font=LARGE),
    "top": _draw_look(vertical="top"),
    "wrapped": _draw_look(vertical="top", wrapText=1),
    "strong top": _draw_look(font=BOLD, vertical="top"),
    "heading": _draw_look(font=WHITE, fill=ON_NAVY, vertical="top"),
    "framed heading": _draw_look(font=WHITE, fill=ON_NAVY, border=THIN, vertical="top", wrapText=1),
    "text": _draw_look(TEXT, vertical="top", wrapText=1),
    "framed text": _draw_look(TEXT, border=THIN_GREY, vertical="top", wrapText=1),
    "framed link": _draw_look(TEXT, font=LINK, border=THIN_GREY, vertical="top", wrapText=1),
    "withheld": _draw_look(TEXT, vertical="top", horizontal="right"),
    "date": _draw_look(DATE, vertical="top", horizontal="left"),
    "number": _draw_look("0", vertical="top", horizontal="center"),
    "count": _draw_look(COUNT, vertical="top"),
    "total": _draw_look(COUNT, font=BOLD),
    "about": _draw_look(ABOUT, vertical="top", horizontal="right"),
    "answer": _draw_look(TEXT, fill=ON_YELLOW, border=THIN_GREY, unlocked=True, vertical="top", wrapText=1),
    "answer date": _draw_look(DATE, fill=ON_YELLOW, border=THIN_GREY, unlocked=True, vertical="top", horizontal="left"),
}
"""Every look a cell can have. Colours of headings are said outright, for not every program knows Excel's tables."""
LOOK = {name: number for number, name in enumerate(LOOKS)}


def _draw_font(size: int, color: str, emphasis: str = "") -> str:
    parts = [element("sz", val=size), element("color", rgb=color), element("name", val="Calibri")]
    return element("font", emphasis, *parts)


def _draw_border(color: str = "") -> str:
    drawn = element("color", rgb=color) if color else ""
    sides = (element(side, drawn, style=color and "thin") for side in ("left", "right", "top", "bottom"))
    return element("border", *sides, "<diagonal/>")


def _draw_fill(color: str) -> str:
    return element("fill", element("patternFill", element("fgColor", rgb=color), patternType="solid"))


def _list(name: str, *parts: str) -> str:
    return element(name, *parts, count=len(parts))


STYLES = element(
    "styleSheet",
    _list("numFmts", *(element("numFmt", numFmtId=n, formatCode=code) for n, code in enumerate(NUMBERS[1:], 164))),
    _list("fonts", _draw_font(11, BLACK), _draw_font(11, BLACK, "<b/>"), _draw_font(14, BLACK, "<b/>"),
          _draw_font(11, "FFFFFFFF", "<b/>"), _draw_font(11, BLUE, "<u/>")),
    _list("fills", *(element("fill", element("patternFill", patternType=kind)) for kind in ("none", "gray125")),
          _draw_fill(NAVY), _draw_fill(YELLOW)),
    _list("borders", _draw_border(), _draw_border(BLACK), _draw_border(GREY)),
    _list("cellStyleXfs", element("xf", numFmtId=0, fontId=0, fillId=0, borderId=0)),
    _list("cellXfs", *LOOKS.values()),
    _list("cellStyles", element("cellStyle", name="Normal", xfId=0, builtinId=0)),
    xmlns=MAIN,
)  # fmt: skip


def write(path: Path, sheets: Sequence[Sheet], *, title: str, made_on: date) -> None:
    """Write the sheets to ``path`` for its owner alone."""
    write_workbook(path, sheets, styles=STYLES, title=title, made_on=made_on)


def fit_column(heading: str, longest: int, look: int = 0) -> SheetColumn:
    """Make a column wide enough for its longest value and for its heading with the button, within limits."""
    longest = max(longest, len(heading) + FILTER_BUTTON)
    return SheetColumn(min(max(longest + 1, NARROWEST), WIDEST), look)


def count_lines(length: int, width: int) -> int:
    """Return how many lines a text takes in a column; more letters than digits fit, and lines end between words."""
    return min(-(-length // (width + 2)) or 1, MOST_LINES)


def set_up_page(sheet: Sheet, marking: str | None, *, seal: str = "") -> Sheet:
    """Mark and number each page that is printed of a sheet."""
    shown = (marking or "").replace("&", "&&")
    left, middle = (f"&L{shown}" if shown else ""), (f"&C{seal}" if seal else "")
    return replace(sheet, header=f"&C{shown}" if shown else "", footer=f"{left}{middle}&RPage &P of &N")


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
