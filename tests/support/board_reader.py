"""Reads back what a board's edition publishes, from its own files, as a scrutiny of it would: tables and workbook."""

from html.parser import HTMLParser
from pathlib import Path

import openpyxl


class Tables(HTMLParser):
    """Every table of a page by its id: rows of cells as text, as they are seen."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.text: list[str] = []
        self._rows: list[list[str]] | None = None
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self._rows = self.tables.setdefault(str(given.get("id")), [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append("")
        elif tag == "span" and (self._unseen or "visually-hidden" in str(given.get("class"))):
            self._unseen += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._rows = None
        elif tag == "span" and self._unseen:
            self._unseen -= 1

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._rows and self._rows[-1] and not self._unseen:
            self._rows[-1][-1] += data


def read_page(path: Path) -> dict[str, list[list[str]]]:
    reader = Tables()
    reader.feed(path.read_text(encoding="utf-8"))
    return {name: [[cell.strip() for cell in row] for row in rows] for name, rows in reader.tables.items()}


def read_workbook(path: Path) -> dict[str, list[list[str]]]:
    """Each sheet's table under its headings, numbers as they are shown."""
    book = openpyxl.load_workbook(path)
    return {
        sheet.title: [[_shown(cell) for cell in row] for row in sheet.iter_rows(min_row=4)] for sheet in book.worksheets
    }


def _shown(cell: object) -> str:
    value, look = cell.value, cell.number_format  # type: ignore[attr-defined]
    if value is None:
        return ""
    return f"about {value}" if isinstance(value, int) and "about" in look else str(value)


def by_heading(table: list[list[str]]) -> list[dict[str, str]]:
    """The rows of a table, each cell under its heading; the headings are the first row of more than one cell."""
    top = next((place for place, row in enumerate(table) if len(list(filter(None, row))) > 1), len(table))
    return [dict(zip(table[top], row, strict=False)) for row in table[top + 1 :]]


def bounds(text: str) -> tuple[int, int | None] | None:
    """What a published number says: between so much and so much; None where it says nothing."""
    words = text.replace(",", "").replace("\N{MINUS SIGN}", "-")
    if words.startswith("about "):
        nearest = int(words.removeprefix("about "))
        return max(6, nearest - 5), nearest + 4
    if words == "[c]":
        return 0, None
    number = int(words) if words.lstrip("-").isdigit() else None
    return None if number is None else (number, number)
