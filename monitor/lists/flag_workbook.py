"""Writes flags as workbooks: a summary sheet, and the list as a real Excel table, which its reader may answer."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from monitor.flags.state import LISTED
from monitor.lists import answer_sheet
from monitor.lists.answer_sheet import ANSWER_KINDS, Answering, FlagToAnswer
from monitor.lists.summary_sheet import RuleTally, summarize, tally_rules
from monitor.lists.workbook import LOOK, MOST_LINES, WIDEST, fit_column, set_up_page, write
from monitor.lists.workbook_file import LINE_HEIGHT, Sheet, draw_row, place
from monitor.rulebook.ledger import REPORT
from monitor.words import write_count, write_date
from monitor.workspace import Workspace, in_chunks

MOST_WORKBOOK_ROWS = 50_000
EVERY = "all"
"""The file of every team's flags."""
LOOK_OF = {
    "DATE": LOOK["date"], "INTEGER": LOOK["number"], "VARCHAR": LOOK["text"], "ANSWER": LOOK["answer"],
    "ANSWER_DATE": LOOK["answer date"],
}  # fmt: skip


@dataclass(frozen=True)
class ListTerms:
    """What all lists of one night share. ``restricted``: people who are in no list but their own.

    ``answering``: what the workbooks need so that they can be answered, if they may be.
    """

    as_at: date
    restricted: Collection[str] = frozenset()
    marking: str | None = None
    answering: Answering | None = None
    most_rows: int = MOST_WORKBOOK_ROWS


@dataclass(frozen=True)
class FlagPart:
    """The flags that one workbook holds: whose they are, and where all of them are, if they are too many."""

    path: Path
    subject: str
    complete: str


@dataclass(frozen=True)
class FlagFigures:
    """What a workbook says of its flags: the people, the rules, and the length of the longest value of each column."""

    people: int
    longest: Mapping[str, int]
    tallies: Sequence[RuleTally]


NO_FLAGS = FlagFigures(0, {}, ())


def write_flag_workbooks(
    workspace: Workspace, parts: Mapping[str, FlagPart], kinds: Mapping[str, str], terms: ListTerms
) -> None:
    """Write a workbook for each file of ``listed``, and for ``EVERY``; ``kinds``: DATE, INTEGER or VARCHAR, by column.

    All flags are in the summary, and ``terms.most_rows`` at most in the list.
    """
    figures = _read_figures(workspace, kinds)
    left = dict(parts)
    if every := left.pop(EVERY, None):
        whole = _read_rows(workspace, kinds, terms, f"'{EVERY}'", "n")
        _write_workbook(every, figures.get(EVERY, NO_FLAGS), kinds, map(itemgetter(1), whole), terms)
    if left:
        for file, flags in groupby(_read_rows(workspace, kinds, terms, "file", "file, n"), itemgetter(0)):
            _write_workbook(left.pop(file), figures[file], kinds, map(itemgetter(1), flags), terms)
    for part in left.values():
        _write_workbook(part, NO_FLAGS, kinds, (), terms)


def _read_figures(workspace: Workspace, kinds: Mapping[str, str]) -> dict[str, FlagFigures]:
    """Return the figures of each file that has flags, and of all of them together."""
    tallies = tally_rules(workspace, EVERY)
    lengths = (f'max(length("{name}"))' if kind == "VARCHAR" else "10" for name, kind in kinds.items())
    rows = workspace.execute(f"""
        SELECT coalesce(file, '{EVERY}'), count(DISTINCT person_id), {", ".join(lengths)}
        FROM listed WHERE NOT aside GROUP BY GROUPING SETS ((file), ())
    """).fetchall()
    return {
        file: FlagFigures(
            people, {name: length or 0 for name, length in zip(kinds, longest, strict=True)}, tallies[file]
        )
        for file, people, *longest in rows
        if people
    }


def _read_rows(
    workspace: Workspace, kinds: Mapping[str, str], terms: ListTerms, file: str, order: str
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the file and the values of each flag, with the cells behind them that its reader fills in."""
    named = ", ".join(f'"{column}"' for column in kinds)
    answering = terms.answering
    behind = "".join(f', "{name}"' for name in FlagToAnswer._fields) if answering else ""
    query = f"""
        SELECT {file}, {named}{behind} FROM listed WHERE NOT aside
        QUALIFY row_number() OVER (PARTITION BY {file} ORDER BY n) <= {terms.most_rows} ORDER BY {order}
    """
    end = len(kinds) + 1
    for chunk in in_chunks(workspace, query):
        for row in chunk:
            more = answer_sheet.fill_row(FlagToAnswer(*row[end:]), answering, terms.as_at) if answering else ()
            yield row[0], (*row[1:end], *more)


def _write_workbook(
    part: FlagPart, figures: FlagFigures, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]], terms: ListTerms
) -> None:
    """Write the summary, the list and, where there is something to answer, how to answer it."""
    states: dict[str, int] = {state: sum(tally.states.get(state, 0) for tally in figures.tallies) for state in LISTED}
    shown = min(sum(states.values()), terms.most_rows)
    title = f"Exception list as at {write_date(terms.as_at)}"
    sheets = [
        summarize([title, *_introduce(part, states, figures.people, shown)], figures.tallies, terms.marking),
        set_up_page(_list_flags(figures, kinds, rows, shown, terms), terms.marking),
    ]
    if terms.answering and shown:
        sheets.append(set_up_page(answer_sheet.write_guidance(terms.answering), terms.marking))
    write(part.path, sheets, title=title, made_on=terms.as_at)


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
    yield f"Paragraphs, in the list: of {REPORT}."
    if shown < flags:
        yield f"The next sheet holds the first {shown:,} of {flags:,} flags; {part.complete}"


def _list_flags(
    figures: FlagFigures, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]], shown: int, terms: ListTerms
) -> Sheet:
    """The list's own sheet: headings, widths that show the text, and a table drawn round the rows."""
    kinds = {**kinds, **(answer_sheet.KINDS if terms.answering else {})}
    longest = {**figures.longest, **(answer_sheet.LONGEST if terms.answering else {})}
    headings = list(kinds)
    # Below the list no cell is unlocked, so a column of answers has its look from its cells alone.
    columns = [
        fit_column(name, longest.get(name, 0), 0 if kind in ANSWER_KINDS.values() else LOOK_OF[kind])
        for name, kind in kinds.items()
    ]
    first = draw_row(0, [(name, LOOK["heading"]) for name in headings])
    if not shown:
        nothing = draw_row(1, [(f"No flags on this list as at {write_date(terms.as_at)}", 0)])
        return Sheet(answer_sheet.SHEET, [first, nothing], place(0, 0, 1, len(headings) - 1), columns, frozen=(1, 1))
    at = place(0, 0, shown, len(headings) - 1)
    sheet = Sheet(
        answer_sheet.SHEET, _draw(first, kinds, rows), at, columns, frozen=(1, 1), filtered=at,
        table=("flags", headings),
        # Ids are text on purpose; Excel need not point at each of them.
        text_numbers=at,
    )  # fmt: skip
    return answer_sheet.protect(sheet, headings, shown, terms.answering, terms.as_at) if terms.answering else sheet


def _draw(first: str, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield first
    looks = [LOOK_OF[kind] for kind in kinds.values()]
    to_fill_in = [kind in ANSWER_KINDS.values() for kind in kinds.values()]
    for number, row in enumerate(rows, start=1):
        # Not every program makes a row as high as its wrapped text.
        longest = max(len(value) for value in row if isinstance(value, str))
        height = LINE_HEIGHT * min(-(-longest // WIDEST), MOST_LINES)
        cells = [
            (value, look if blank or value is not None else 0)
            for value, look, blank in zip(row, looks, to_fill_in, strict=True)
        ]
        yield draw_row(number, cells, height)
