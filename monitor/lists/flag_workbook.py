"""Writes flags as a workbook: a summary sheet, and the list as a real Excel table, which its reader may answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from monitor.flags.state import LISTED
from monitor.lists import answer_sheet
from monitor.lists.answer_sheet import ANSWER_KINDS, Answering
from monitor.lists.summary_sheet import tally_rules, write_summary
from monitor.lists.workbook import (
    DATE,
    HEADING,
    LINE_HEIGHT,
    LONGEST_CELL,
    MOST_LINES,
    TEXT,
    WIDEST,
    fit_column,
    new_workbook,
    set_up_page,
    write_table,
)  # fmt: skip
from monitor.words import write_count, write_date
from monitor.workspace import Workspace, in_chunks

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

MOST_WORKBOOK_ROWS = 50_000


@dataclass(frozen=True)
class ListTerms:
    """What all lists of one night share. ``restricted``: people who are in no list but their own.

    ``answering``: what the workbooks need so that they can be answered, if they may be.
    """

    as_at: date
    restricted: frozenset[str] = frozenset()
    marking: str | None = None
    answering: Answering | None = None
    most_rows: int = MOST_WORKBOOK_ROWS


@dataclass(frozen=True)
class FlagPart:
    """The part of ``listed`` that one file holds. ``kinds``: each column as DATE, INTEGER or VARCHAR.

    ``scope``: the SQL condition of its rows; ``complete``: where all of them are, if they are too many.
    """

    kinds: Mapping[str, str]
    scope: str
    subject: str
    complete: str


@dataclass(frozen=True)
class ListSheet:
    """The list's own sheet: each column's kind, the length of its longest value, and how many rows there are."""

    kinds: Mapping[str, str]
    longest: Mapping[str, int]
    rows: int


def write_flag_workbook(workspace: Workspace, path: Path, part: FlagPart, terms: ListTerms) -> None:
    """Write the flags of ``part``: all of them in the summary, ``terms.most_rows`` at most in the list."""
    tallies = tally_rules(workspace, part.scope)
    states: dict[str, int] = {state: sum(tally.states.get(state, 0) for tally in tallies) for state in LISTED}
    shown = min(sum(states.values()), terms.most_rows)
    people, longest = _measure(workspace, part)
    order = f"WHERE {part.scope} ORDER BY n LIMIT {terms.most_rows}"
    if terms.answering is None:
        sheet, rows = ListSheet(part.kinds, longest, shown), _rows(workspace, part.kinds, order)
    else:
        kinds, widths = {**part.kinds, **answer_sheet.KINDS}, {**longest, **answer_sheet.LONGEST}
        sheet = ListSheet(kinds, widths, shown)
        rows = _answerable_rows(workspace, part.kinds, order, terms.answering, terms.as_at)
    title = f"Exception list as at {write_date(terms.as_at)}"
    with new_workbook(path, title=title, made_on=terms.as_at) as book:
        write_summary(book, [title, *_introduce(part, states, people, shown)], tallies, terms.marking)
        _write_list(book, sheet, rows, terms)
        if terms.answering and shown:
            set_up_page(answer_sheet.write_guidance(book, terms.answering), terms.marking)


def _measure(workspace: Workspace, part: FlagPart) -> tuple[int, dict[str, int]]:
    """How many people the part is about, and the length of the longest value of each column."""
    lengths = (f'max(length("{name}"))' if kind == "VARCHAR" else "10" for name, kind in part.kinds.items())
    query = f"SELECT count(DISTINCT person_id), {', '.join(lengths)} FROM listed WHERE {part.scope}"
    people, *longest = workspace.execute(query).fetchone() or ()
    return people, {name: length or 0 for name, length in zip(part.kinds, longest, strict=True)}


def _introduce(part: FlagPart, states: Mapping[str, int], people: int, shown: int) -> Iterator[str]:
    flags = sum(states.values())
    yield part.subject
    yield (
        f"{write_count(flags, 'flag', 'flags')} about {write_count(people, 'young person', 'young people')}: "
        + ", ".join(f"{count:,} {state}" for state, count in states.items())
    )
    yield (
        "Open: the record fails the rule on this date. Held: this date's data can neither confirm nor clear it. "
        "Waived: not chased until a date that a manager set."
    )
    if shown < flags:
        yield f"The next sheet holds the first {shown:,} of {flags:,} flags; {part.complete}"


def _rows(workspace: Workspace, columns: Iterable[str], order: str) -> Iterator[tuple[Any, ...]]:
    named = ", ".join(f'"{column}"' for column in columns)
    for chunk in in_chunks(workspace, f"SELECT {named} FROM listed {order}"):
        yield from chunk


def _answerable_rows(
    workspace: Workspace, kinds: Mapping[str, str], order: str, answering: Answering, as_at: date
) -> Iterator[tuple[Any, ...]]:
    """Each row with the cells behind it that its reader fills in."""
    names = [*kinds, "answered", "flag_id"]
    for row in _rows(workspace, names, order):
        yield (*row[: len(kinds)], *answer_sheet.fill_row(dict(zip(names, row, strict=True)), answering, as_at))


def _write_list(book: "Workbook", flags: ListSheet, rows: Iterable[Sequence[Any]], terms: ListTerms) -> None:
    """The list's own sheet: headings, widths that show the text, and a table drawn round the rows."""
    sheet = book.add_worksheet(answer_sheet.SHEET)
    looks = {
        "DATE": book.add_format({"num_format": DATE, "valign": "top", "align": "left"}),
        "INTEGER": book.add_format({"num_format": "0", "valign": "top", "align": "center"}),
        "VARCHAR": book.add_format({"num_format": TEXT, "valign": "top", "text_wrap": True}),
        **(answer_sheet.styles(book) if terms.answering else {}),
    }
    heading = book.add_format(HEADING)
    for column, (name, kind) in enumerate(flags.kinds.items()):
        # Below the list no cell is unlocked, so a column of answers has its look from its cells alone.
        look = None if kind in ANSWER_KINDS.values() else looks[kind]
        fit_column(sheet, column, name, flags.longest.get(name, 0), look)
        sheet.write_string(0, column, name, heading)
    _write_cells(sheet, flags, rows, looks)
    if flags.rows:
        write_table(sheet, "flags", list(flags.kinds), heading, range(flags.rows + 1))
        # Ids are text on purpose; Excel need not point at each of them.
        sheet.ignore_errors({"number_stored_as_text": f"A2:{ascii_uppercase[len(flags.kinds) - 1]}{flags.rows + 1}"})
        if terms.answering:
            answer_sheet.protect(sheet, list(flags.kinds), flags.rows, terms.answering, terms.as_at)
    else:
        sheet.write_string(1, 0, f"No flags on this list as at {write_date(terms.as_at)}")
    sheet.freeze_panes(1, 1)
    set_up_page(sheet, terms.marking)


def _write_cells(sheet: "Worksheet", flags: ListSheet, rows: Iterable[Sequence[Any]], looks: Mapping[str, Any]) -> None:
    writers = {"DATE": sheet.write_datetime, "INTEGER": sheet.write_number, "VARCHAR": sheet.write_string}
    to_fill_in = set(ANSWER_KINDS.values())
    cells = [
        (column, writers.get(kind, sheet.write_blank), looks[kind], kind in to_fill_in)
        for column, kind in enumerate(flags.kinds.values())
    ]
    for line, row in enumerate(rows, start=1):
        # Not every program makes a row as high as its wrapped text.
        longest = max(len(value) for value in row if isinstance(value, str))
        sheet.set_row(line, LINE_HEIGHT * min(-(-longest // WIDEST), MOST_LINES))
        for (column, write, look, blank), value in zip(cells, row, strict=True):
            if value is not None or blank:
                write(line, column, value[:LONGEST_CELL] if isinstance(value, str) else value, look)
