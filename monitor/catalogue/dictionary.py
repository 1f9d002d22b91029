"""The data dictionary, told from the catalogue: to read, as rows of a table, and as a workbook to fill in."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.catalogue.columns import (
    BY_NAME,
    COLUMNS,
    DERIVED,
    LIST_9_COLUMNS,
    PERSON_ID_HEADINGS,
    SYSTEM_ID_HEADINGS,
    Column,
)
from monitor.errors import Problems
from monitor.files import make_private_folder, written_whole

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

SUPPLEMENT_COLUMNS = tuple(column.name for column in COLUMNS if column.name not in LIST_9_COLUMNS)
"""What a local supplement may add to a List 9, besides person_id."""

KINDS = {"text": "text", "date": "date", "yes_no": "yes or no", "code": "one of the codes", "number": "whole number"}

TEXT_STAYS_TEXT = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
"""The options with which a workbook keeps text as it is, whatever it starts with."""
EARLIEST, LATEST = date(1902, 1, 1), date(2100, 12, 31)
MOST_TITLE = 32
"""Characters that Excel takes in the title of a refusal."""
LAST_ROW = 50_000
"""How far down the workbook's cells are checked as they are filled in."""


def describe_columns() -> list[dict[str, Any]]:
    """Return every column as plain values: what it means, what it may hold, and where each source has it."""
    identity = Column(
        "person_id", "text", "The young person's id in the case system; text, leading zeros kept.",
        headings=PERSON_ID_HEADINGS, other_headings=SYSTEM_ID_HEADINGS, ssd="pers_person_id",
    )  # fmt: skip
    derived = (Column(name, "text", meaning) for name, (_, meaning) in DERIVED.items())
    worked_out = ({**_describe(column), "kind": "worked out", "found_in": {}} for column in derived)
    return [*map(_describe, (identity, *COLUMNS)), *worked_out]


def _describe(column: Column) -> dict[str, Any]:
    found = {"annex-a-list-9": [*column.headings, *column.other_headings], "ssd": [column.ssd] if column.ssd else []}
    return {
        "name": column.name,
        "kind": column.kind,
        "meaning": column.meaning,
        "codes": dict(column.codes),
        "range": [column.lowest, column.highest] if column.kind == "number" else None,
        "records_past": column.records_past,
        "found_in": {source: names for source, names in found.items() if names} | {"supplement": [column.name]},
    }


def column_rows() -> list[tuple[str, str, str, str]]:
    """Return the dictionary as rows: name, what it holds, meaning, headings it is known by."""
    rows = []
    for one in describe_columns():
        holds = _holds(one["kind"], one["codes"], one["range"])
        found = one["found_in"]
        known = [*found.get("annex-a-list-9", ())[:1], *found.get("ssd", ())] or [*found.get("supplement", ())]
        past = " Never later than the run." if one["records_past"] else ""
        rows.append((one["name"], holds, one["meaning"] + past, ", ".join(known)))
    return rows


def _holds(kind: str, codes: Mapping[str, str], limits: Sequence[int] | None) -> str:
    if codes:
        return ", ".join(codes)
    if limits:
        return f"{limits[0]} to {limits[1]}"
    return KINDS.get(kind, kind)


# The workbook


def write_template(path: Path, *, as_at: date) -> Path:
    """Write an empty supplement to fill in; returns ``path``."""
    if path.suffix.lower() != ".xlsx":
        raise Problems([f"{path.name}: a template is an .xlsx; name one"])
    make_private_folder(path.absolute().parent)
    write_supplement(path, SUPPLEMENT_COLUMNS, (), as_at=as_at)
    return path


def write_supplement(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_at: date) -> None:
    """Write a supplement of ``columns`` behind person_id: each with its meaning as a note and its cells checked.

    ``rows``: an id and a value for each column. The same arguments always give the same bytes.
    """
    import xlsxwriter

    with written_whole(path) as unfinished, xlsxwriter.Workbook(unfinished, TEXT_STAYS_TEXT) as book:
        # The time of writing would make two equal workbooks differ.
        book.set_properties({"title": "Supplement", "created": datetime.combine(as_at, time())})
        sheet = book.add_worksheet("Supplement")
        _write_headings(book, sheet, [BY_NAME[name] for name in columns])
        for number, row in enumerate(rows, start=1):
            sheet.write_row(number, 0, row)


def _write_headings(book: "Workbook", sheet: "Worksheet", columns: Sequence[Column]) -> None:
    heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#D9E2F3", "border": 1})
    text, day = book.add_format({"num_format": "@"}), book.add_format({"num_format": "dd/mm/yyyy"})
    sheet.set_column(0, 0, 16, text)
    sheet.write_string(0, 0, "person_id", heading)
    sheet.write_comment(0, 0, "The id in the case system, once for each young person. Kept as text.", {"x_scale": 2})
    for position, column in enumerate(columns, start=1):
        style = {"date": day, "text": text}.get(column.kind)
        sheet.set_column(position, position, 18, style)
        sheet.write_string(0, position, column.name, heading)
        sheet.write_comment(0, position, _note(column), {"x_scale": 2})
        if check := _validation(column):
            sheet.data_validation(1, position, LAST_ROW, position, check)
    sheet.set_row(0, 45)
    sheet.freeze_panes(1, 1)


def _note(column: Column) -> str:
    lines = [column.meaning]
    if column.codes:
        lines += [f"{code}: {meaning}" for code, meaning in column.codes.items()]
    elif column.kind == "number":
        lines.append(f"A whole number from {column.lowest} to {column.highest}.")
    elif column.kind == "yes_no":
        lines.append("Y or N; leave it empty where it is not known.")
    elif column.kind == "date":
        lines.append("A date, today or earlier." if column.records_past else "A date.")
    return "\n".join(lines)


def _validation(column: Column) -> dict[str, Any] | None:
    refusal = {"ignore_blank": True, "error_title": column.name[:MOST_TITLE], "error_message": _note(column)[:255]}
    if column.kind == "yes_no":
        return {"validate": "list", "source": ["Y", "N"], **refusal}
    if column.kind == "code":
        return {"validate": "list", "source": list(column.codes), **refusal}
    if column.kind == "number":
        limits = {"minimum": column.lowest, "maximum": column.highest}
        return {"validate": "integer", "criteria": "between", **limits, **refusal}
    if column.kind == "date":
        latest = "=TODAY()" if column.records_past else LATEST
        return {"validate": "date", "criteria": "between", "minimum": EARLIEST, "maximum": latest, **refusal}
    return None
