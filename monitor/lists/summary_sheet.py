"""The first sheet of an exception list: what it is, and how many flags each rule has, by state and by team."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.flags.priority import rank, rank_sql
from monitor.flags.state import LISTED
from monitor.lists.list_columns import MARGIN, PAGE_WIDTH, write_heading
from monitor.lists.workbook import LOOK, count_lines, distinct, fit_column, set_up_page
from monitor.lists.workbook_file import LINE_HEIGHT, Sheet, SheetColumn, draw_row, place
from monitor.workspace import Workspace

WIDTHS = {"title": 28, "severity": 11, "action": 64, "rule": 24}
"""The columns of text, before those of figures; the rule is hidden."""


@dataclass(frozen=True)
class RuleTally:
    """What to do about one rule, and how many of its flags a list holds, by state and by team."""

    rule: str
    title: str
    severity: str
    action: str
    states: dict[str, int]
    teams: dict[str, int]


def tally_rules(workspace: Workspace, every: str) -> dict[str, list[RuleTally]]:
    """Count the flags of ``listed`` for each rule, the most severe first, by file; under ``every``, of all of them."""
    tallies: dict[str, dict[str, RuleTally]] = {every: {}}
    for file, rule, title, severity, action, state, team, count in workspace.execute(
        f"""
        SELECT file, rule, min(title), min_by(severity, {rank_sql()}), coalesce(min(action), ''), state,
            coalesce(team, ''), count(*)
        FROM listed WHERE NOT aside GROUP BY file, rule, state, coalesce(team, '')
        ORDER BY rule, state, coalesce(team, ''), file
        """
    ).fetchall():
        for name in (every, file):
            tally = tallies.setdefault(name, {}).setdefault(rule, RuleTally(rule, title, severity, action, {}, {}))
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
    drawn = [draw_row(row, [cell]) for row, cell in enumerate(above)]
    columns = [SheetColumn(width, hidden=name == "rule") for name, width in WIDTHS.items()]
    columns += [fit_column(heading, 0) for heading in headings[len(WIDTHS) :]]
    if not rows:
        return set_up_page(Sheet("Summary", drawn, place(0, 0, len(drawn) - 1, 0), columns), marking)
    top = len(above) + 1
    # Totals are values under the table, not formulas in it: nothing in a list is ever worked out by a reader.
    totals = [
        "All rules",
        *[""] * (len(WIDTHS) - 1),
        *map(sum, zip(*(row[len(WIDTHS) :] for row in rows), strict=True)),
    ]
    drawn.append(draw_row(top, [(heading, LOOK["heading"]) for heading in headings]))
    drawn += [_draw(top + n, row, "wrapped", "count") for n, row in enumerate(rows, start=1)]
    drawn.append(_draw(top + 1 + len(rows), totals, "strong", "total"))
    at = place(top, 0, top + len(rows), len(headings) - 1)
    whole = place(0, 0, top + 1 + len(rows), len(headings) - 1)
    first, *others = (column.width for column in columns if not column.hidden)
    sheet = Sheet(
        "Summary", drawn, whole, columns, frozen=(top + 1, 1), filtered=at, table=("summary", headings), margin=MARGIN,
        pages_across=-(-sum(others) // (PAGE_WIDTH - first)), repeated=("A:A", f"{top + 1}:{top + 1}"),
    )  # fmt: skip
    return set_up_page(sheet, marking)


def _draw(number: int, row: Sequence[Any], text: str, figure: str) -> str:
    lines = max(count_lines(len(cell), width) for cell, width in zip(row, WIDTHS.values(), strict=False))
    cells = [(cell, LOOK[text if isinstance(cell, str) else figure]) for cell in row]
    return draw_row(number, cells, LINE_HEIGHT * lines)


def _tabulate(tallies: Sequence[RuleTally]) -> tuple[list[str], list[list[Any]]]:
    """The headings and a row a rule; a list of one team needs no column of it."""
    teams = sorted({team for tally in tallies for team in tally.teams})
    by_team = teams if len(teams) > 1 else ()
    known = map(write_heading, (*WIDTHS, *LISTED, "all"))
    rows = [
        [
            tally.title, tally.severity, tally.action, tally.rule, *(tally.states.get(state, 0) for state in LISTED),
            sum(tally.states.values()), *(tally.teams.get(team, 0) for team in by_team),
        ]
        for tally in tallies
    ]  # fmt: skip
    return distinct([*known, *(team or "No team" for team in by_team)]), rows
