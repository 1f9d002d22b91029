"""Writes one sheet as a csv, .xlsx, .xls, .xlsb or .ods file, its formulas, errors and merged blocks too."""

import datetime as dt
import zipfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import xlsxwriter
from support.binary_workbooks import Block, Cell, Failed, Formula, write_xls, write_xlsb
from xlsxwriter.utility import xl_rowcol_to_cell


def write_odd_xlsx(
    path: Path, rows: Sequence[Sequence[Cell]], *, merged: Iterable[Block] = (), calculated: bool = True
) -> Path:
    """Write formulas with the results that are given; ``calculated``: the workbook says that Excel calculated it."""
    book = xlsxwriter.Workbook(str(path))
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    sheet = book.add_worksheet("List 9")
    for number, row in enumerate(rows):
        for position, cell in enumerate(row):
            if isinstance(cell, dt.date):
                sheet.write_datetime(number, position, cell, day)
            elif isinstance(cell, Failed):
                sheet.write_formula(number, position, "=NA()", None, "#N/A")
            elif isinstance(cell, Formula):
                sheet.write_formula(number, position, "=A1", None, "" if cell.result is None else cell.result)
            elif isinstance(cell, str):
                sheet.write_string(number, position, cell)
            elif cell is not None:
                sheet.write(number, position, cell)
    book.close()
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    places = ((xl_rowcol_to_cell(top, left), xl_rowcol_to_cell(low, right)) for top, left, low, right in merged)
    if blocks := "".join(f'<mergeCell ref="{first}:{last}"/>' for first, last in places):
        name = "xl/worksheets/sheet1.xml"
        parts[name] = parts[name].replace(b"</sheetData>", f"</sheetData><mergeCells>{blocks}</mergeCells>".encode())
    if calculated:
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b' fullCalcOnLoad="1"', b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def write_odd_ods(
    path: Path, rows: Sequence[Sequence[Cell]], *, merged: Iterable[Block] = (), calculated: bool = True
) -> Path:
    """Write what LibreOffice would; a formula's result of 0 or nothing is left out unless it was ``calculated``."""
    spans = {
        (top, left): f' table:number-rows-spanned="{low - top + 1}" table:number-columns-spanned="{right - left + 1}"'
        for top, left, low, right in merged
    }
    lines = [
        "<table:table-row>"
        + "".join(
            _ods_cell(cell, spans.get((number, column), ""), calculated=calculated) for column, cell in enumerate(row)
        )
        + "</table:table-row>"
        for number, row in enumerate(rows)
    ]
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} '
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"><office:body>'
        f'<office:spreadsheet><table:table table:name="List 9">{"".join(lines)}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest:manifest/>")
        archive.writestr("content.xml", content)
    return path


def _ods_cell(cell: Cell, attributes: str, *, calculated: bool) -> str:
    formula, value = "", cell
    if isinstance(cell, Formula):
        formula, value = ' table:formula="of:=[.A1]"', cell.result
        if not calculated and value in (None, 0):
            return f"<table:table-cell{attributes}{formula}/>"
        value = "" if value is None else value
    if isinstance(cell, Failed):
        kind, text = 'office:value-type="string" office:string-value="" calcext:value-type="error"', "#N/A"
    elif value is None:
        return f"<table:table-cell{attributes}/>"
    elif isinstance(value, dt.date):
        kind, text = f'office:value-type="date" office:date-value="{value}"', f"{value:%d/%m/%Y}"
    elif isinstance(value, str):
        kind, text = 'office:value-type="string"', value
    else:
        kind, text = f'office:value-type="float" office:value="{value}"', str(value)
    return f"<table:table-cell{attributes}{formula} {kind}><text:p>{escape(text)}</text:p></table:table-cell>"


def write_csv(path: Path, rows: Sequence[Sequence[Cell]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """Write what Excel would: dates in the English order, an error as its name."""

    def said(cell: Cell) -> str:
        if isinstance(cell, Formula):
            return "" if cell.result is None else str(cell.result)
        text = "#N/A" if isinstance(cell, Failed) else f"{cell:%d/%m/%Y}" if isinstance(cell, dt.date) else str(cell)
        quoted = any(mark in text for mark in (delimiter, '"', "\n"))
        return '"' + text.replace('"', '""') + '"' if quoted else text

    lines = (delimiter.join("" if cell is None else said(cell) for cell in row) + "\r\n" for row in rows)
    path.write_text("".join(lines), encoding, newline="")
    return path


WRITERS = {".xlsx": write_odd_xlsx, ".xls": write_xls, ".xlsb": write_xlsb, ".ods": write_odd_ods}
