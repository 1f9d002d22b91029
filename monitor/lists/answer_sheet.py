"""The part of an exception list's workbook that its reader fills in: its columns, what may be written, the way back.

Everything but the answers is locked, without a password: the lock is against slips, and the sealed key of each row
against the rest. Excel sorts no protected sheet with locked cells in it, so the sheet "How to answer" says what to do.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.errors import Problems, SourceError
from monitor.flags import row_keys
from monitor.flags.answer_file import Given
from monitor.flags.answers import WORDS
from monitor.flags.waiver_request import LONGEST_NOTE
from monitor.lists.workbook import DATE, LINE_HEIGHT, TEXT, TITLE, as_moment
from monitor.sources.spreadsheet import as_text, read_sheet

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

    from monitor.config.settings import Config
    from monitor.config.waiver_settings import Reason

SHEET, HELP = "Flags", "How to answer"
ANSWER_KINDS = {"answer": "ANSWER", "answer_until": "ANSWER_DATE", "answer_reason": "ANSWER", "answer_note": "ANSWER"}
KINDS = {"answered": "VARCHAR", **ANSWER_KINDS, "key": "VARCHAR"}
"""The columns behind those of the list, and how each is written."""
LONGEST = {"answered": 40, "answer": 20, "answer_until": 12, "answer_reason": 24, "answer_note": 48, "key": 24}
YELLOW = "#FFF7D6"
NEEDED = ("person_id", "rule", *ANSWER_KINDS, "key")


@dataclass(frozen=True)
class Answering:
    """What a workbook needs to be answered: the database's secret, the reasons for waiving, for how long it counts."""

    secret: bytes
    reasons: Mapping[str, "Reason"]
    list_working_days: int


def allow_answers(config: "Config", store: "Connection") -> Answering:
    return Answering(row_keys.read_secret(store), config.waivers.reasons, config.answers.list_working_days)


# Writing


def fill_row(row: Mapping[str, Any], answering: Answering, as_at: date) -> tuple[Any, ...]:
    """Return the cells of ``KINDS`` for one flag: what was answered before, blanks to fill in, and the key."""
    mark = row_keys.mark_flag(row["severity"], row["in_breach_since"], row["because"])
    key = row_keys.Key(row["flag_id"], as_at, mark)
    sealed = row_keys.make_key(answering.secret, key, person_id=row["person_id"], rule=row["rule"])
    return (row["answered"], *(None for _ in ANSWER_KINDS), sealed)


def styles(book: "Workbook") -> dict[str, Any]:
    """Return the look of cells to be filled in, by kind."""
    look = {"locked": False, "valign": "top", "bg_color": YELLOW, "border": 1, "border_color": "#BFBFBF"}
    return {
        "ANSWER": book.add_format({**look, "num_format": TEXT, "text_wrap": True}),
        "ANSWER_DATE": book.add_format({**look, "num_format": DATE, "align": "left"}),
    }


def protect(sheet: "Worksheet", columns: Sequence[str], rows: int, answering: Answering, as_at: date) -> None:
    """Lock everything but the answers, and say at each of them what may be written."""
    places = {name: columns.index(name) for name in KINDS}
    latest = as_at + timedelta(days=3660)
    reasons = f"='{HELP}'!$A${_first_reason(answering)}:$A${_first_reason(answering) + len(answering.reasons) - 1}"
    checks: dict[str, dict[str, Any]] = {
        "answer": {
            "validate": "list", "source": list(WORDS),
            "error_message": f"Choose one of: {', '.join(WORDS)}.",
        },
        "answer_until": {
            "validate": "date", "criteria": "between", "minimum": as_moment(as_at + timedelta(1)),
            "maximum": as_moment(latest), "input_title": "Only for: waive until",
            "input_message": "The last day on which the flag is left alone, like 31/03/2026.",
            "error_message": "Write a date to come, like 31/03/2026.",
        },
        "answer_reason": {
            "validate": "list", "source": reasons, "input_title": "Only for: waive until",
            "input_message": f"What each means is on the sheet {HELP}.",
            "error_message": f"Choose one of the reasons on the sheet {HELP}.",
        },
        "answer_note": {
            "validate": "length", "criteria": "<=", "value": LONGEST_NOTE, "input_title": "In a few words",
            "input_message": "Needed for: waive until, the record is wrong. No names, no health.",
            "error_message": f"At most {LONGEST_NOTE} characters.",
        },
    }  # fmt: skip
    for name, check in checks.items():
        place = places[name]
        sheet.data_validation(1, place, rows, place, {"ignore_blank": True, "error_title": name, **check})
    sheet.set_column(places["key"], places["key"], LONGEST["key"], None, {"hidden": True})
    sheet.print_area(0, 0, rows, places["answered"] - 1)  # what is to be filled in would only make the rest smaller
    sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})


def _guidance(answering: Answering) -> list[str]:
    return [
        "How to answer this list",
        "Fill in the yellow columns of the sheet Flags, save the workbook as it is (.xlsx) and send it back. "
        "Leave a row empty if there is nothing to say of it.",
        f"The list is taken within {answering.list_working_days} working days of its date; then use a newer one.",
        "done: the work is done. The flag closes when the record shows it, not before.",
        "waive until: leave it alone up to and with a day. Needs answer_until, a reason from below, and a note of "
        "what was agreed. You are reminded before the end.",
        "not ours: another team or authority has this young person. Say in the note which.",
        "the record is wrong: say in the note what is wrong and what would be right. The analyst sees to it.",
        "All other cells are locked, so that each answer stays with its flag. The buttons in the headings filter. "
        "To sort, take the protection off first (Review, Unprotect Sheet; there is no password) and sort whole rows.",
    ]  # fmt: skip


def _first_reason(answering: Answering) -> int:
    """The row, counted from 1, of the first reason on the sheet of guidance."""
    return len(_guidance(answering)) + 3


def write_guidance(book: "Workbook", answering: Answering) -> "Worksheet":
    """Write the sheet that says how, with the reasons from which the list is chosen."""
    sheet = book.add_worksheet(HELP)
    title, strong = book.add_format(TITLE), book.add_format({"bold": True, "valign": "top"})
    plain = book.add_format({"valign": "top", "text_wrap": True})
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 70, plain)
    sheet.set_column(2, 2, 16)
    heading, *lines = _guidance(answering)
    sheet.write_string(0, 0, heading, title)
    for number, line in enumerate(lines, start=1):
        word, colon, meaning = line.partition(": ")
        if colon and word in WORDS:
            sheet.write_string(number, 0, word, strong)
            sheet.merge_range(number, 1, number, 2, meaning, plain)
        else:
            sheet.merge_range(number, 0, number, 2, line, plain)
        sheet.set_row(number, LINE_HEIGHT * (1 + len(line) // 115))
    first = _first_reason(answering) - 1
    for column, name in enumerate(("answer_reason", "meaning", "for at most")):
        sheet.write_string(first - 1, column, name, strong)
    for number, (code, reason) in enumerate(answering.reasons.items(), start=first):
        for column, text in enumerate((code, reason.meaning, reason.longest)):
            sheet.write_string(number, column, text, plain)
    sheet.protect("")
    return sheet


# Reading back


def read(path: Path) -> tuple[str, list[Given]]:
    """Return the file's hash and its answered rows, as they were written; ``Problems`` if it is no such list."""
    sha256, cells = _read_cells(path)
    headings = [as_text(cell) or "" for cell in cells[0]] if cells else []
    _check_headings(path, headings)
    places = {name: headings.index(name) for name in NEEDED}
    givens = []
    for number, row in enumerate(cells[1:], start=2):
        written = {name: (as_text(row[place]) or "").strip() for name, place in places.items()}
        if any(written[name] for name in ANSWER_KINDS):
            person_id, rule, answer, until, reason, note, key = (written[name] for name in NEEDED)
            givens.append(Given(number, person_id, rule, key, answer, until, reason, note))
    return sha256, givens


def _read_cells(path: Path) -> tuple[str, Sequence[Sequence[Any]]]:
    """The file's hash, and the cells of the sheet."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest(), read_sheet(path, SHEET)
    except OSError as fault:
        remedy = "name the workbook that was filled in"
        raise Problems([f"{path.name}: cannot be read ({fault.strerror}); {remedy}"]) from None
    except SourceError as fault:
        raise Problems([f"{fault}; name the .xlsx of an exception list, filled in"]) from None


def _check_headings(path: Path, headings: Sequence[str]) -> None:
    place = f'{path.name}: sheet "{SHEET}", row 1'
    if missing := [name for name in NEEDED if name not in headings]:
        remedy = "answer in the workbook as it was written (a .csv cannot be answered)"
        raise Problems([f"{place}: no column {', '.join(missing)}; {remedy}"])
    if twice := [name for name in NEEDED if headings.count(name) > 1]:
        raise Problems([f"{place}: two columns {', '.join(twice)}; keep the first of each"])
