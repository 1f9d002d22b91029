"""Writes flags as a workbook, from the workspace table in which the exception lists arrange them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from monitor.flags.priority import rank, rank_sql
from monitor.flags.state import LISTED
from monitor.lists import answer_sheet
from monitor.lists.workbook import ListSheet, RuleTally, write_workbook
from monitor.words import write_count, write_date
from monitor.workspace import Workspace, in_chunks


def write_flag_workbook(
    workspace: Workspace,
    path: Path,
    kinds: Mapping[str, str],
    scope: str,
    *,
    subject: str,
    complete: str,
    as_at: date,
    marking: str | None,
    most_rows: int,
    answering: answer_sheet.Answering | None = None,
) -> None:
    """The flags of ``listed`` within ``scope``: all of them in the summary, ``most_rows`` at most in the list."""
    tallies = _tally(workspace, scope)
    states = {state: sum(tally.states.get(state, 0) for tally in tallies) for state in LISTED}
    flags = sum(states.values())
    shown = min(flags, most_rows)
    lengths = (f'max(length("{c}"))' if kind == "VARCHAR" else "10" for c, kind in kinds.items())
    people, *longest = (
        workspace.execute(
            f"SELECT count(DISTINCT person_id), {', '.join(lengths)} FROM listed WHERE {scope}"
        ).fetchone()
        or ()
    )
    lines = [
        subject,
        f"{write_count(flags, 'flag', 'flags')} about {write_count(people, 'young person', 'young people')}: "
        + ", ".join(f"{count:,} {state}" for state, count in states.items()),
        "Open: the record fails the rule on this date. Held: this date's data can neither confirm nor clear it. "
        "Waived: not chased until a date that a manager set.",
    ]
    if shown < flags:
        lines.append(f"The next sheet holds the first {shown:,} of {flags:,} flags; {complete}")

    widths = {name: length or 0 for name, length in zip(kinds, longest, strict=True)}
    widths = {name: length or 0 for name, length in zip(kinds, longest, strict=True)}
    order = f"WHERE {scope} ORDER BY n LIMIT {most_rows}"
    if answering is None:
        columns, rows = kinds, _rows(workspace, kinds, order)
    else:
        columns, rows = {**kinds, **answer_sheet.KINDS}, _answerable_rows(workspace, kinds, order, answering, as_at)
        widths |= answer_sheet.LONGEST
    write_workbook(
        path,
        title=f"Exception list as at {write_date(as_at)}",
        lines=lines,
        tallies=tallies,
        teams=sorted({team for tally in tallies for team in tally.teams}),
        flags=ListSheet(columns, widths, shown, answering),
        rows=rows,
        empty=f"No flags on this list as at {write_date(as_at)}",
        as_at=as_at,
        marking=marking,
    )


def _rows(workspace: Workspace, columns: Iterable[str], order: str) -> Iterator[tuple[Any, ...]]:
    named = ", ".join(f'"{column}"' for column in columns)
    for chunk in in_chunks(workspace, f"SELECT {named} FROM listed {order}"):
        yield from chunk


def _answerable_rows(
    workspace: Workspace,
    kinds: Mapping[str, str],
    order: str,
    answering: answer_sheet.Answering,
    as_at: date,
) -> Iterator[tuple[Any, ...]]:
    """Each row with the cells behind it that its reader fills in."""
    names = [*kinds, "answered", "flag_id"]
    for row in _rows(workspace, names, order):
        yield (*row[: len(kinds)], *answer_sheet.fill_row(dict(zip(names, row, strict=True)), answering, as_at))


def _tally(workspace: Workspace, scope: str) -> list[RuleTally]:
    """One tally a rule, the most severe first."""
    tallies: dict[str, RuleTally] = {}
    for rule, title, severity, state, team, count in workspace.execute(
        f"""
        SELECT rule, min(title), min_by(severity, {rank_sql()}), state,
            coalesce(team, ''), count(*)
        FROM listed WHERE {scope} GROUP BY rule, state, coalesce(team, '')
        ORDER BY rule, state, coalesce(team, '')
        """
    ).fetchall():
        tally = tallies.setdefault(rule, RuleTally(rule, title, severity, {}, {}))
        tally.states[state] = tally.states.get(state, 0) + count
        tally.teams[team] = tally.teams.get(team, 0) + count
    return sorted(tallies.values(), key=lambda tally: (rank(tally.severity), tally.rule))
