"""The first sheet of an exception list: what it is, and how many flags each rule has, by state and by team."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.flags.priority import rank, rank_sql
from monitor.flags.state import LISTED
from monitor.lists.workbook import COUNT, HEADING, TITLE, distinct, fit_column, set_up_page, write_table
from monitor.workspace import Workspace

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

COUNTED_FROM = 3
"""The first column of figures."""


@dataclass(frozen=True)
class RuleTally:
    """How many flags of one rule a list holds, by state and by team."""

    rule: str
    title: str
    severity: str
    states: dict[str, int]
    teams: dict[str, int]


def tally_rules(workspace: Workspace, scope: str) -> list[RuleTally]:
    """Count the flags of ``listed`` within ``scope`` for each rule, the most severe first."""
    tallies: dict[str, RuleTally] = {}
    for rule, title, severity, state, team, count in workspace.execute(
        f"""
        SELECT rule, min(title), min_by(severity, {rank_sql()}), state, coalesce(team, ''), count(*)
        FROM listed WHERE {scope} GROUP BY rule, state, coalesce(team, '')
        ORDER BY rule, state, coalesce(team, '')
        """
    ).fetchall():
        tally = tallies.setdefault(rule, RuleTally(rule, title, severity, {}, {}))
        tally.states[state] = tally.states.get(state, 0) + count
        tally.teams[team] = tally.teams.get(team, 0) + count
    return sorted(tallies.values(), key=lambda tally: (rank(tally.severity), tally.rule))


def write_summary(book: "Workbook", lines: Sequence[str], tallies: Sequence[RuleTally], marking: str | None) -> None:
    """Write the sheet: the marking, the lines with their title first, and the table of ``tallies``."""
    sheet = book.add_worksheet("Summary")
    top = _write_lines(book, sheet, lines, marking) + 1
    headings, rows = _tabulate(tallies)
    if rows:
        write_table(sheet, "summary", headings, book.add_format(HEADING), range(top, top + len(rows) + 1))
        # Totals are values under the table, not formulas in it: nothing in a list is ever worked out by a reader.
        figures = zip(*(row[COUNTED_FROM:] for row in rows), strict=True)
        _write_rows(book, sheet, top + 1, [*rows, ["All rules", "", "", *map(sum, figures)]])
        sheet.freeze_panes(top + 1, 1)
    for column, name in enumerate(headings):
        fit_column(sheet, column, name, max((len(str(row[column])) for row in rows), default=0))
    set_up_page(sheet, marking)


def _write_lines(book: "Workbook", sheet: "Worksheet", lines: Sequence[str], marking: str | None) -> int:
    """The row after them."""
    title, strong = book.add_format(TITLE), book.add_format({"bold": True})
    texts = [*([marking] if marking else []), *lines]
    for place, text in enumerate(texts):
        sheet.write_string(place, 0, text, title if text == lines[0] else strong if text == marking else None)
    return len(texts)


def _tabulate(tallies: Sequence[RuleTally]) -> tuple[list[str], list[list[Any]]]:
    """The headings and a row a rule; a list of one team needs no column of it."""
    teams = sorted({team for tally in tallies for team in tally.teams})
    by_team = teams if len(teams) > 1 else ()
    headings = distinct(["rule", "title", "severity", *LISTED, "all", *(team or "no team" for team in by_team)])
    rows = [
        [
            tally.rule, tally.title, tally.severity, *(tally.states.get(state, 0) for state in LISTED),
            sum(tally.states.values()), *(tally.teams.get(team, 0) for team in by_team),
        ]
        for tally in tallies
    ]  # fmt: skip
    return headings, rows


def _write_rows(book: "Workbook", sheet: "Worksheet", top: int, rows: Sequence[Sequence[Any]]) -> None:
    looks = [book.add_format({"valign": "top"}), book.add_format({"num_format": COUNT, "valign": "top"})]
    of_totals = [book.add_format({"bold": True}), book.add_format({"num_format": COUNT, "bold": True})]
    for number, row in enumerate(rows, start=top):
        text, figure = of_totals if row is rows[-1] else looks
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(number, column, cell, text)
            else:
                sheet.write_number(number, column, cell, figure)
