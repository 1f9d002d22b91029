"""Writes the file of a workbook: a zip of XML, each sheet streamed row by row, with what ours have and no more.

A cell holds text, a whole number, a date or nothing. Text stays text, whatever it starts with: no cell is ever a
formula, and ids keep their leading zeros. The same sheets give the same bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from monitor.files import open_privately

Cell: TypeAlias = tuple[str | int | date | None, int]
"""A value and its look; without a value, a cell is written for its look, if it has one."""

LONGEST_CELL, LONGEST_LINK, LINE_HEIGHT, A4 = 32_767, 2_079, 15, 9
"""The characters a cell and a link can hold in Excel; the height of a line; a size of paper."""
PADDING = 0.7109375
"""What Excel adds to the width of a column."""
MOST_TEXTS = 4_096
"""Kept as they are written, for most cells of a list repeat one."""
ROWS_TOGETHER = 200
"""Rows that are compressed at once."""
FAST = 1
"""The compression that takes a third of the usual one's time."""
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
"""Characters, and text that would be taken for the number of one."""
DAY_NOUGHT = date(1899, 12, 30)
"""From which Excel counts days."""
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
CONTENT = "application/vnd.openxmlformats-"
ROOT = f'xmlns="{MAIN}" xmlns:r="{OFFICE}"'


@dataclass(frozen=True)
class SheetColumn:
    """A column: its width in characters, the look of its empty cells, and whether it is hidden."""

    width: int
    look: int = 0
    hidden: bool = False


@dataclass(frozen=True)
class Sheet:
    """A sheet, printed on A4 across. ``rows``: each from ``draw_row``, taken once, when the file is written.

    ``extent``: the place of all cells, which programs that read row by row go by.
    ``frozen``: rows and columns that stay in sight. ``filtered``: the place of its table, or of the filter over it;
    ``table``: the table's name and headings. ``merged``: places, each one cell. ``checks``: of what is filled in, as
    XML. ``unlocked``: what the lock of the sheet leaves free; None without a lock. ``text_numbers``: where numbers are
    text on purpose. ``repeated``: rows and columns on each page; ``printed``: the place that is; ``margin``: at its
    sides, in inches. ``links``: cells, each with the address it opens, taken after the rows.
    """

    name: str
    rows: Iterable[str]
    extent: str
    columns: Sequence[SheetColumn] = ()
    frozen: tuple[int, int] | None = None
    filtered: str = ""
    table: tuple[str, Sequence[str]] | None = None
    merged: Sequence[str] = ()
    checks: Sequence[str] = ()
    unlocked: Sequence[str] | None = None
    text_numbers: str = ""
    header: str = ""
    footer: str = ""
    pages_across: int = 1
    repeated: Sequence[str] = ()
    printed: str = ""
    margin: float = 0.7
    links: Iterable[tuple[str, str]] = ()


@cache
def letter(column: int) -> str:
    """Name a column, counted from 0: A, B ... Z, AA."""
    before, last = divmod(column, 26)
    return (letter(before - 1) if before else "") + chr(ord("A") + last)


def place(row: int, column: int, last_row: int, last_column: int) -> str:
    """Name the cells between two, counted from 0, as Excel does: A1:B2."""
    return f"{letter(column)}{row + 1}:{letter(last_column)}{last_row + 1}"


def count_days(day: date) -> int:
    """Return a date as Excel keeps it."""
    return (day - DAY_NOUGHT).days


def element(name: str, /, *content: str, **attributes: object) -> str:
    """Write an element around XML; attributes that are None or "" are left out."""
    given = {key: str(value) for key, value in attributes.items() if value not in ("", None)}
    written = "".join(f" {key}={quoteattr(_number(value))}" for key, value in given.items())
    return f"<{name}{written}>{''.join(content)}</{name}>"


@lru_cache(maxsize=MOST_TEXTS)
def write_text(text: str) -> str:
    """Write text for XML; a character that XML has not is written by its number, as Excel does."""
    return escape(_number(text))


def _number(text: str) -> str:
    return NOT_IN_XML.sub(lambda found: f"_x{ord(found[0][0]):04X}_{found[0][1:]}", text)


def draw_row(row: int, cells: Iterable[Cell], height: int = LINE_HEIGHT) -> str:
    """Draw a row, counted from 0."""
    number = row + 1
    drawn = [
        f'<c r="{letter(column)}{number}" s="{look}"{_draw_value(value)}'
        for column, (value, look) in enumerate(cells)
        if look or value is not None
    ]
    high = f' ht="{height}"' if height != LINE_HEIGHT else ""  # it grows with what is written into it
    return f'<row r="{number}"{high}>{"".join(drawn)}</row>'


def _draw_value(value: str | int | date | None) -> str:
    """The rest of a cell."""
    if isinstance(value, str):
        return f' t="inlineStr"><is><t xml:space="preserve">{write_text(value[:LONGEST_CELL])}</t></is></c>'
    if value is None:
        return "/>"
    return f"><v>{count_days(value) if isinstance(value, date) else value}</v></c>"


def write_workbook(path: Path, sheets: Sequence[Sheet], *, styles: str, title: str, made_on: date) -> None:
    """Write the workbook to ``path`` for its owner alone; ``styles``: the looks, as XML."""
    with open_privately(path, "wb") as file, ZipFile(file, "w", ZIP_DEFLATED, compresslevel=FAST) as book:
        for name, text in _list_parts(sheets, styles, _describe(title, made_on)).items():
            with book.open(name, "w") as part:  # dated 1980, for the time would make two equal workbooks differ
                part.write((HEAD + text).encode())
        for number, sheet in enumerate(sheets, start=1):
            with book.open(f"xl/worksheets/sheet{number}.xml", "w") as part:
                part.write((HEAD + _before_rows(sheet)).encode())
                rows = iter(sheet.rows)
                while together := "".join(islice(rows, ROWS_TOGETHER)):
                    part.write(together.encode())
                links, targets = _draw_links(sheet)
                part.write(_after_rows(sheet, links).encode())
            related = [(f"{OFFICE}/table", f"../tables/table{number}.xml")] if sheet.table else []
            if related or targets:
                with book.open(f"xl/worksheets/_rels/sheet{number}.xml.rels", "w") as part:
                    part.write((HEAD + _link(*related, addresses=targets)).encode())


def _list_parts(sheets: Sequence[Sheet], styles: str, core: str) -> dict[str, str]:
    """Return every part but the sheets themselves, by its name; a table has its sheet's number."""
    numbered = list(enumerate(sheets, start=1))
    tables = [(number, sheet) for number, sheet in numbered if sheet.table]
    kinds = {"workbook": "sheet.main", "styles": "styles"}
    kinds |= {f"worksheets/sheet{number}": "worksheet" for number, _ in numbered}
    kinds |= {f"tables/table{number}": "table" for number, _ in tables}
    types = [
        element("Override", PartName=f"/xl/{name}.xml",
                ContentType=f"{CONTENT}officedocument.spreadsheetml.{kind}+xml")
        for name, kind in kinds.items()
    ]  # fmt: skip
    links = [(f"{OFFICE}/worksheet", f"worksheets/sheet{number}.xml") for number, _ in numbered]
    return {
        "[Content_Types].xml": element(
            "Types",
            element("Default", Extension="rels", ContentType=f"{CONTENT}package.relationships+xml"),
            element("Default", Extension="xml", ContentType="application/xml"),
            element("Override", PartName="/docProps/core.xml", ContentType=f"{CONTENT}package.core-properties+xml"),
            *types,
            xmlns=f"{PACKAGE}/content-types",
        ),
        "_rels/.rels": _link(
            (f"{OFFICE}/officeDocument", "xl/workbook.xml"),
            (f"{PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
        ),
        "docProps/core.xml": core,
        "xl/workbook.xml": _list_sheets(sheets),
        "xl/_rels/workbook.xml.rels": _link(*links, (f"{OFFICE}/styles", "styles.xml")),
        "xl/styles.xml": styles,
        **{f"xl/tables/table{number}.xml": _draw_table(sheet, number) for number, sheet in tables},
    }


def _link(*targets: tuple[str, str], addresses: Mapping[str, str] = MappingProxyType({})) -> str:
    """Relate a part to others of the workbook, and to the addresses outside it by their ids."""
    links = (element("Relationship", Id=f"rId{n}", Type=kind, Target=at) for n, (kind, at) in enumerate(targets, 1))
    outside = (
        element("Relationship", Id=id_, Type=f"{OFFICE}/hyperlink", Target=address, TargetMode="External")
        for address, id_ in addresses.items()
    )
    return element("Relationships", *links, *outside, xmlns=f"{PACKAGE}/relationships")


def _describe(title: str, made_on: date) -> str:
    return (
        f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<dc:title>{write_text(title)}</dc:title><dcterms:created xsi:type="dcterms:W3CDTF">{made_on}T00:00:00Z'
        "</dcterms:created></cp:coreProperties>"
    )


def _list_sheets(sheets: Sequence[Sheet]) -> str:
    """The sheets, and what is printed of them and on each page."""
    listed = [f'<sheet name={quoteattr(sheet.name)} sheetId="{n}" r:id="rId{n}"/>' for n, sheet in enumerate(sheets, 1)]
    named = []
    for number, sheet in enumerate(sheets):
        whole = write_text("'" + sheet.name.replace("'", "''") + "'!")
        for name, parts in (("Print_Area", [sheet.printed] if sheet.printed else ()), ("Print_Titles", sheet.repeated)):
            fixed = ",".join(whole + re.sub(r"([A-Z]+|\d+)", r"$\1", part) for part in parts)
            named += [element("definedName", fixed, name=f"_xlnm.{name}", localSheetId=number)] if fixed else []
    names = element("definedNames", *named) if named else ""
    return f"<workbook {ROOT}><bookViews><workbookView/></bookViews>{element('sheets', *listed)}{names}</workbook>"


def _draw_table(sheet: Sheet, number: int) -> str:
    name, headings = sheet.table or ("", ())
    columns = (element("tableColumn", id=n, name=heading) for n, heading in enumerate(headings, start=1))
    return element(
        "table",
        element("autoFilter", ref=sheet.filtered),
        element("tableColumns", *columns, count=len(headings)),
        element("tableStyleInfo", name="TableStyleMedium2", showRowStripes=1),
        xmlns=MAIN, id=number, name=name, displayName=name, ref=sheet.filtered,
    )  # fmt: skip


def _before_rows(sheet: Sheet) -> str:
    pane = ""
    if sheet.frozen:
        rows, columns = sheet.frozen
        corner = f"{letter(columns)}{rows + 1}"
        pane = element(
            "pane", xSplit=columns, ySplit=rows, topLeftCell=corner, activePane="bottomRight", state="frozen"
        )
    columns_drawn = [
        element("col", min=n, max=n, width=column.width + PADDING, style=column.look or None, customWidth=1,
                hidden=1 if column.hidden else None)
        for n, column in enumerate(sheet.columns, start=1)
    ]  # fmt: skip
    return "".join([
        f"<worksheet {ROOT}>",
        element("sheetPr", element("pageSetUpPr", fitToPage=1)),
        element("dimension", ref=sheet.extent),
        element("sheetViews", element("sheetView", pane, workbookViewId=0)),
        element("sheetFormatPr", defaultRowHeight=LINE_HEIGHT),
        element("cols", *columns_drawn) if columns_drawn else "",
        "<sheetData>",
    ])  # fmt: skip


def _draw_links(sheet: Sheet) -> tuple[list[str], dict[str, str]]:
    """Return an element for each linked cell, and the id of each address; a table has the first id."""
    first = 2 if sheet.table else 1
    targets: dict[str, str] = {}
    drawn = [
        f'<hyperlink ref="{cell}" r:id="{targets.setdefault(address, f"rId{len(targets) + first}")}"/>'
        for cell, address in sheet.links
        if len(address) <= LONGEST_LINK
    ]
    return drawn, targets


def _after_rows(sheet: Sheet, links: Sequence[str]) -> str:
    """What follows the rows, in the order that Excel insists on."""
    free = dict.fromkeys(sheet.unlocked or (), 0)
    lines = (("oddHeader", sheet.header), ("oddFooter", sheet.footer))
    as_text = element("ignoredError", sqref=sheet.text_numbers, numberStoredAsText=1)
    return "".join([
        "</sheetData>",
        element("sheetProtection", sheet=1, objects=1, scenarios=1, **free) if sheet.unlocked is not None else "",
        element("autoFilter", ref=sheet.filtered) if sheet.filtered and not sheet.table else "",
        element("mergeCells", *(element("mergeCell", ref=at) for at in sheet.merged)) if sheet.merged else "",
        element("dataValidations", *sheet.checks) if sheet.checks else "",
        element("hyperlinks", *links) if links else "",
        element("pageMargins", left=sheet.margin, right=sheet.margin, top=0.75, bottom=0.75, header=0.3, footer=0.3),
        element("pageSetup", paperSize=A4, fitToWidth=sheet.pages_across, fitToHeight=0, orientation="landscape"),
        element("headerFooter", *(element(name, write_text(line)) for name, line in lines if line)),
        element("ignoredErrors", as_text) if sheet.text_numbers else "",
        '<tableParts count="1"><tablePart r:id="rId1"/></tableParts>' if sheet.table else "",
        "</worksheet>",
    ])  # fmt: skip
