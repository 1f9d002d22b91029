"""The part of an exception list's workbook that its reader fills in: its columns, what may be written, the way back.

Everything but the answers is locked, without a password: the lock is against slips, and the sealed key of each row
against the rest. Excel sorts no protected sheet with locked cells in it, so the sheet "How to answer" says what to do.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.errors import Problems, SourceError
from monitor.flags import row_keys
from monitor.flags.answer_file import ANSWER_HEADINGS, Given
from monitor.flags.answers import WORDS
from monitor.flags.waiver_request import LONGEST_NOTE
from monitor.lists.list_columns import read_heading, write_heading
from monitor.lists.workbook import LOOK
from monitor.lists.workbook_file import (
    LINE_HEIGHT,
    Cell,
    Sheet,
    SheetColumn,
    count_days,
    draw_row,
    element,
    place,
    write_text,
)
from monitor.sources.spreadsheet import as_text, read_sheet
from monitor.store.seals import read_secret

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from monitor.config.settings import Config
    from monitor.config.waiver_settings import Reason

SHEET, HELP = "Flags", "How to answer"
ANSWER_KINDS = {"answer": "ANSWER", "answer_until": "ANSWER_DATE", "answer_reason": "ANSWER", "answer_note": "ANSWER"}
"""The columns to fill in, and how each is written."""
NEEDED = ("person_id", "rule", *ANSWER_KINDS, "key")


@dataclass(frozen=True)
class Answering:
    """What a workbook needs to be answered: the database's secret, the reasons for waiving, for how long it counts."""

    secret: bytes
    reasons: Mapping[str, "Reason"]
    list_working_days: int
    sealed: dict[int, str] = field(default_factory=dict, repr=False, compare=False)
    """The keys made so far, by flag: each stands in the list of all, in its team's, and on the team's page."""


class FlagToAnswer(NamedTuple):
    """What a row's key is made of."""

    flag_id: int
    person_id: str
    rule: str
    severity: str
    in_breach_since: date
    because: str


def allow_answers(config: "Config", store: "Connection") -> Answering:
    return Answering(read_secret(store), config.waivers.reasons, config.answers.list_working_days)


# Writing


def seal_row(flag: FlagToAnswer, answering: Answering, as_at: date) -> str:
    """Return the key with which a flag is answered: the same in the workbook, on the page and in a mail."""
    if flag.flag_id not in answering.sealed:
        answering.sealed[flag.flag_id] = _seal(flag, answering, as_at)
    return answering.sealed[flag.flag_id]


def _seal(flag: FlagToAnswer, answering: Answering, as_at: date) -> str:
    mark = row_keys.mark_flag(answering.secret, flag.severity, flag.in_breach_since, flag.because)
    key = row_keys.Key(flag.flag_id, as_at, mark)
    return row_keys.make_key(answering.secret, key, person_id=flag.person_id, rule=flag.rule)


def protect(sheet: Sheet, columns: Sequence[str], rows: int, answering: Answering, as_at: date) -> Sheet:
    """Lock everything but the answers, and say at each of them what may be written."""
    first = _first_reason(answering)
    reasons = f"'{HELP}'!$A${first}:$A${first + len(answering.reasons) - 1}"
    words = ",".join(WORDS)
    checks: dict[str, tuple[Sequence[object], dict[str, str]]] = {
        "answer": ([f'"{words}"'], {"type": "list", "error": f"Choose one of: {', '.join(WORDS)}."}),
        "answer_until": (
            [count_days(as_at + timedelta(1)), count_days(as_at + timedelta(days=3660))],
            {
                "type": "date", "error": "Write a date to come, like 31/03/2026.",
                "promptTitle": "Only for: waive until",
                "prompt": "The last day on which the flag is left alone, like 31/03/2026.",
            },
        ),
        "answer_reason": (
            [reasons],
            {
                "type": "list", "error": f"Choose one of the reasons on the sheet {HELP}.",
                "promptTitle": "Only for: waive until", "prompt": f"What each means is on the sheet {HELP}.",
            },
        ),
        "answer_note": (
            [LONGEST_NOTE],
            {
                "type": "textLength", "operator": "lessThanOrEqual", "error": f"At most {LONGEST_NOTE} characters.",
                "promptTitle": "In a few words",
                "prompt": "Needed for: waive until, the record is wrong. No names, no health.",
            },
        ),
    }  # fmt: skip
    written = []
    for name, (values, said) in checks.items():
        column = columns.index(name)
        formulas = [element(f"formula{n}", write_text(str(value))) for n, value in enumerate(values, start=1)]
        shown = {"allowBlank": 1, "showInputMessage": 1, "showErrorMessage": 1, "errorTitle": ANSWER_HEADINGS[name]}
        written.append(element("dataValidation", *formulas, **said, **shown, sqref=place(1, column, rows, column)))
    return replace(sheet, checks=written, unlocked=("autoFilter", "sort", "formatColumns", "formatRows"))


def _guidance(answering: Answering) -> list[str]:
    return [
        "How to answer this list",
        "Fill in the yellow columns of the sheet Flags, save the workbook as it is (.xlsx) and send it back. "
        "Leave a row empty if there is nothing to say of it.",
        f"The list is taken within {answering.list_working_days} working days of its date; then use a newer one.",
        "done: the work is done. The flag closes when the record shows it, not before.",
        "waive until: leave it alone up to and with a day. Needs that day under Until, a reason from below, and a note "
        "of what was agreed. You are reminded before the end.",
        "not ours: another team or authority has this young person. Say in the note which.",
        "the record is wrong: say in the note what is wrong and what would be right. The analyst sees to it.",
        "All other cells are locked, so that each answer stays with its flag. The buttons in the headings filter. "
        "To sort, take the protection off first (Review, Unprotect Sheet; there is no password) and sort whole rows.",
        "More columns are hidden, such as what to do, how serious it is and since when, and are not printed. To see "
        "them, select all (Ctrl+A), right-click the letter of a column and choose Unhide.",
    ]  # fmt: skip


def _first_reason(answering: Answering) -> int:
    """The row, counted from 1, of the first reason on the sheet of guidance."""
    return len(_guidance(answering)) + 3


def write_guidance(answering: Answering) -> Sheet:
    """Return the sheet that says how, with the reasons from which the list is chosen."""
    heading, *lines = _guidance(answering)
    rows, merged = [draw_row(0, [(heading, LOOK["title"])])], []
    for number, line in enumerate(lines, start=1):
        word, colon, meaning = line.partition(": ")
        said = colon and word in WORDS
        cells: list[Cell] = (
            [(word, LOOK["strong top"]), (meaning, LOOK["wrapped"])] if said else [(line, LOOK["wrapped"])]
        )
        cells += [(None, LOOK["wrapped"])] * (3 - len(cells))
        merged.append(place(number, 1 if said else 0, number, 2))
        rows.append(draw_row(number, cells, LINE_HEIGHT * (1 + len(line) // 115)))
    first = _first_reason(answering) - 1
    headings = (ANSWER_HEADINGS["answer_reason"], "Meaning", "For at most")
    rows.append(draw_row(first - 1, [(name, LOOK["strong top"]) for name in headings]))
    for number, (code, reason) in enumerate(answering.reasons.items(), start=first):
        texts = (code, reason.meaning, reason.longest)
        rows.append(draw_row(number, [(text, LOOK["wrapped"]) for text in texts]))
    columns = (SheetColumn(28), SheetColumn(70, LOOK["wrapped"]), SheetColumn(16))
    whole = place(0, 0, first + len(answering.reasons) - 1, len(headings) - 1)
    return Sheet(HELP, rows, whole, columns, merged=merged, unlocked=())


# Reading back


LARGEST_FILE = 100_000_000


def read(path: Path) -> tuple[str, list[Given]]:
    """Return the file's hash and its answered rows, as they were written; ``Problems`` if it is no such list."""
    sha256, cells = _read_cells(path)
    headings = [read_heading(as_text(cell) or "") for cell in cells[0]] if cells else []
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
        if path.exists() and not path.is_file():
            raise Problems([f"{path.name}: not a file; name the workbook that was filled in"])
        if path.stat().st_size > LARGEST_FILE:
            raise Problems([f"{path.name}: over {LARGEST_FILE // 1_000_000} MB; name the workbook that was filled in"])
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
        raise Problems([f"{place}: no column {', '.join(map(write_heading, missing))}; {remedy}"])
    if twice := [name for name in NEEDED if headings.count(name) > 1]:
        raise Problems([f"{place}: two columns {', '.join(map(write_heading, twice))}; keep the first of each"])
