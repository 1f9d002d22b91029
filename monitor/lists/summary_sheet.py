"""The first sheet of an exception list: what it is, and how many flags each rule has, by state and by team."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.flags.priority import rank, rank_sql
from monitor.flags.state import LISTED
from monitor.lists.workbook import LOOK, distinct, fit_column, set_up_page
from monitor.lists.workbook_file import Sheet, draw_row, place
from monitor.workspace import Workspace

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


def tally_rules(workspace: Workspace, every: str) -> dict[str, list[RuleTally]]:
    """Count the flags of ``listed`` for each rule, the most severe first, by file; under ``every``, of all of them."""
    tallies: dict[str, dict[str, RuleTally]] = {every: {}}
    for file, rule, title, severity, state, team, count in workspace.execute(
        f"""
        SELECT file, rule, min(title), min_by(severity, {rank_sql()}), state, coalesce(team, ''), count(*)
        FROM listed WHERE NOT aside GROUP BY file, rule, state, coalesce(team, '')
        ORDER BY rule, state, coalesce(team, ''), file
        """
    ).fetchall():
        for name in (every, file):
            tally = tallies.setdefault(name, {}).setdefault(rule, RuleTally(rule, title, severity, {}, {}))
            tally.states[state] = tally.states.get(state, 0) + count
            tally.teams[team] = tally.teams.get(team, 0) + count
    return {
        name: sorted(rules.values(), key=lambda tally: (rank(tally.severity), tally.rule))
        for name, rules in tallies.items()
    }


def summarize(lines: Sequence[str], tallies: Sequence[RuleTally], marking: str | None) -> Sheet:
    """Return the sheet: the marking, the lines with their title first, and the table of ``tallies``."""
    above = [*([(marking, LOOK["strong"])] if marking else []), (lines[0], LOOK["title"])]
    above += [(line, LOOK["plain"]) for line in lines[1:]]
    headings, rows = _tabulate(tallies)
    widths = [max((len(str(row[column])) for row in rows), default=0) for column in range(len(headings))]
    drawn = [draw_row(row, [cell]) for row, cell in enumerate(above)]
    columns = list(map(fit_column, headings, widths))
    if not rows:
        return set_up_page(Sheet("Summary", drawn, place(0, 0, len(drawn) - 1, 0), columns), marking)
    top = len(above) + 1
    # Totals are values under the table, not formulas in it: nothing in a list is ever worked out by a reader.
    totals = ["All rules", "", "", *map(sum, zip(*(row[COUNTED_FROM:] for row in rows), strict=True))]
    drawn.append(draw_row(top, [(heading, LOOK["heading"]) for heading in headings]))
    drawn += [_draw(top + n, row, "top", "count") for n, row in enumerate(rows, start=1)]
    drawn.append(_draw(top + 1 + len(rows), totals, "strong", "total"))
    at = place(top, 0, top + len(rows), len(headings) - 1)
    whole = place(0, 0, top + 1 + len(rows), len(headings) - 1)
    sheet = Sheet("Summary", drawn, whole, columns, frozen=(top + 1, 1), filtered=at, table=("summary", headings))
    return set_up_page(sheet, marking)


def _draw(number: int, row: Sequence[Any], text: str, figure: str) -> str:
    return draw_row(number, [(cell, LOOK[text if isinstance(cell, str) else figure]) for cell in row])


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
