"""Writes flags as workbooks: a summary sheet, and the list as a real Excel table, which its reader may answer."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.catalogue.person_ids import link_case
from monitor.flags.state import LISTED
from monitor.lists import answer_sheet
from monitor.lists.answer_sheet import ANSWER_KINDS, Answering, FlagToAnswer
from monitor.lists.list_columns import MARGIN, ON_PAPER, write_heading
from monitor.lists.summary_sheet import RuleTally, summarize, tally_rules
from monitor.lists.workbook import LOOK, count_lines, fit_column, set_up_page, write
from monitor.lists.workbook_file import LINE_HEIGHT, Sheet, SheetColumn, draw_row, letter, place
from monitor.rulebook.ledger import REPORT
from monitor.words import write_count, write_date
from monitor.workspace import Workspace, in_chunks

if TYPE_CHECKING:
    from monitor.lists.team_page import TeamPages

MOST_WORKBOOK_ROWS = 50_000
EVERY = "all"
"""The file of every team's flags."""
LOOK_OF = {
    "DATE": LOOK["date"], "INTEGER": LOOK["number"], "VARCHAR": LOOK["text"], "ANSWER": LOOK["answer"],
    "ANSWER_DATE": LOOK["answer date"],
}  # fmt: skip
WRAPPED = ("person_id", "team", "personal_adviser", "title", "why")
FEWEST_LINES = 2
"""Room to write by hand in each row."""
WHY = """concat(
    upper(left(severity, 1)), substr(severity, 2), CASE WHEN state <> 'open' THEN ', ' || state END,
    CASE state WHEN 'waived' THEN ' until ' || strftime(waived_until, '%d/%m/%Y') END, '. ', because{answered}
)"""
"""What a row says beside its title: how serious it is, why, and how it stands where it is not just open."""
ANSWERED = """, ' ' || upper(left(answered, 1)) || substr(answered, 2) || '.'"""


@dataclass(frozen=True)
class ListTerms:
    """What all lists of one night share. ``restricted``: people who are in no list but their own.

    ``answering``: what the workbooks need so that they can be answered, if they may be. ``case_url``: where ids lead.
    ``pages``: what the teams' pages need, if they are written.
    """

    as_at: date
    restricted: Collection[str] = frozenset()
    marking: str | None = None
    answering: Answering | None = None
    most_rows: int = MOST_WORKBOOK_ROWS
    case_url: str | None = None
    pages: "TeamPages | None" = None


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
    columns = _order_columns(kinds, terms)
    left = dict(parts)
    if every := left.pop(EVERY, None):
        whole = _read_rows(workspace, columns, terms, f"'{EVERY}'", "n")
        _write_workbook(every, figures.get(EVERY, NO_FLAGS), columns, map(itemgetter(1), whole), terms)
    if left:
        for file, flags in groupby(_read_rows(workspace, columns, terms, "file", "file, n"), itemgetter(0)):
            _write_workbook(left.pop(file), figures[file], columns, map(itemgetter(1), flags), terms)
    for part in left.values():
        _write_workbook(part, NO_FLAGS, columns, (), terms)


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


def _order_columns(kinds: Mapping[str, str], terms: ListTerms) -> dict[str, str]:
    """Return the columns of the list's sheet and how each is written: first those on paper."""
    filled_in = {**ANSWER_KINDS, "key": "VARCHAR"} if terms.answering else {}
    every = {**kinds, "why": "VARCHAR", **filled_in}
    return {name: every[name] for name in (*ON_PAPER, *every) if name in every and name != "because"}


def _read_rows(
    workspace: Workspace, columns: Mapping[str, str], terms: ListTerms, file: str, order: str
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the file and the cells of each flag, those blank that its reader fills in."""
    answering = terms.answering
    why = WHY.format(answered=ANSWERED if answering else "")
    named = ", ".join(
        why if name == "why" else "NULL" if name in ANSWER_KINDS else f'"{name}"' for name in columns if name != "key"
    )
    behind = "".join(f', "{name}"' for name in FlagToAnswer._fields) if answering else ""
    query = f"""
        SELECT {file}, {named}{behind} FROM listed WHERE NOT aside
        QUALIFY row_number() OVER (PARTITION BY {file} ORDER BY n) <= {terms.most_rows} ORDER BY {order}
    """
    end = len(columns) + (0 if answering else 1)
    for chunk in in_chunks(workspace, query):
        for row in chunk:
            key = (answer_sheet.seal_row(FlagToAnswer(*row[end:]), answering, terms.as_at),) if answering else ()
            yield row[0], (*row[1:end], *key)


def _write_workbook(
    part: FlagPart, figures: FlagFigures, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], terms: ListTerms
) -> None:
    """Write the summary, the list and, where there is something to answer, how to answer it."""
    states: dict[str, int] = {state: sum(tally.states.get(state, 0) for tally in figures.tallies) for state in LISTED}
    shown = min(sum(states.values()), terms.most_rows)
    title = f"Exception list as at {write_date(terms.as_at)}"
    sheets = [
        summarize([title, *_introduce(part, states, figures.people, shown)], figures.tallies, terms.marking),
        set_up_page(_list_flags(figures, columns, rows, shown, terms), terms.marking),
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
    figures: FlagFigures, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], shown: int, terms: ListTerms
) -> Sheet:
    """The list's own sheet: what is on paper, the other columns hidden behind it, and a table drawn round the rows."""
    # A list of several teams is for those who look for the team; in a team's own it is the same in each row.
    left_out = "personal_adviser" if len({team for tally in figures.tallies for team in tally.teams}) > 1 else "team"
    headings = [write_heading(name) for name in columns]
    sheet = Sheet(
        answer_sheet.SHEET, (), place(0, 0, max(shown, 1), len(headings) - 1),
        [_size_column(name, kind, figures.longest.get(name, 0), hidden=name == left_out)
         for name, kind in columns.items()],
        frozen=(1, 1), repeated=("1:1",), margin=MARGIN,
        printed=place(0, 0, max(shown, 1), sum(name in ON_PAPER for name in columns) - 1),
    )  # fmt: skip
    first = draw_row(0, [(heading, LOOK["framed heading"]) for heading in headings], 2 * LINE_HEIGHT)
    if not shown:
        nothing = draw_row(1, [(f"No flags on this list as at {write_date(terms.as_at)}", 0)])
        return replace(sheet, rows=[first, nothing])
    links: list[tuple[str, str]] = []
    at = sheet.extent
    # Ids are text on purpose; Excel need not point at each of them.
    sheet = replace(
        sheet, rows=chain([first], _draw(columns, rows, terms.case_url, links)), filtered=at,
        table=("flags", headings), text_numbers=at, links=links,
    )  # fmt: skip
    return answer_sheet.protect(sheet, list(columns), shown, terms.answering, terms.as_at) if terms.answering else sheet


def _size_column(name: str, kind: str, longest: int, *, hidden: bool) -> SheetColumn:
    # Below the list no cell is unlocked, so a column of answers has its look from its cells alone.
    look = 0 if kind in ANSWER_KINDS.values() else LOOK_OF[kind]
    if name in ON_PAPER:
        return SheetColumn(ON_PAPER[name], look, hidden)
    return replace(fit_column(write_heading(name), longest, look), hidden=True)


def _draw(
    columns: Mapping[str, str], rows: Iterable[Sequence[Any]], case_url: str | None, links: list[tuple[str, str]]
) -> Iterator[str]:
    """Draw each row; its person's case is added to ``links``."""
    framed = [name in ON_PAPER for name in columns]
    looks = [LOOK["framed text"] if name in ON_PAPER and kind == "VARCHAR" else LOOK_OF[kind]
             for name, kind in columns.items()]  # fmt: skip
    id_at, wrapped = (
        list(columns).index("person_id"),
        [(n, ON_PAPER[name]) for n, name in enumerate(columns) if name in WRAPPED],
    )
    if case_url:
        looks[id_at] = LOOK["framed link"]
    for number, row in enumerate(rows, start=1):
        # Not every program makes a row as high as its wrapped text.
        lines = max(count_lines(len(row[n]), width) for n, width in wrapped if row[n])
        cells = [
            (value, look if frame or value is not None else 0)
            for value, look, frame in zip(row, looks, framed, strict=True)
        ]
        if case_url and (address := link_case(case_url, row[id_at])):
            links.append((f"{letter(id_at)}{number + 1}", address))
        yield draw_row(number, cells, LINE_HEIGHT * max(lines, FEWEST_LINES))
