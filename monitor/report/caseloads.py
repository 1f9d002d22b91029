"""Figures of the service that are nobody's flag: advisers' caseloads, and the measures kept every night."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable

from sqlalchemy import Connection, func, select

from monitor.figures import measures
from monitor.report.contents import AdviserRow, Caseloads, MeasureFigure, TeamCaseload
from monitor.store.tables import Indicator, table_of
from monitor.workspace import Workspace

MOST_ADVISERS = 500

HERE = """
    first_seen_on <= $as_at AND coalesce(absent_since > $as_at, true) AND coalesce(died_on > $as_at, true)
    AND coalesce(ended_on > $as_at, true)
"""


def count_people(workspace: Workspace, as_at: dt.date) -> dict[str, int]:
    """How many are on the caseload, by team."""
    query = f"SELECT team, count(*) FROM known_person WHERE {HERE} GROUP BY team"
    return dict(workspace.execute(query, {"as_at": as_at}).fetchall())


def tell_caseloads(workspace: Workspace, as_at: dt.date, cap: int) -> Caseloads:
    """Each adviser counts in the team most of their young people are in; the longest caseload first."""
    advisers = workspace.execute(
        f"""
        SELECT any_value(adviser), mode(team ORDER BY team), count(*) AS people, count(f.person_id)
        FROM known_person LEFT JOIN (
            SELECT DISTINCT person_id FROM standing WHERE severity <> 'data'
        ) AS f USING (person_id)
        WHERE {HERE} AND adviser IS NOT NULL
        GROUP BY lower(trim(adviser)) ORDER BY people DESC, 1
        """,
        {"as_at": as_at},
    ).fetchall()
    query = f"SELECT team, count(*) FILTER (adviser IS NULL) FROM known_person WHERE {HERE} GROUP BY team"
    without = dict(workspace.execute(query, {"as_at": as_at}).fetchall())
    of_team: defaultdict[str, list[int]] = defaultdict(list)
    for _, team, people, _ in advisers:
        of_team[team].append(people)
    teams = tuple(
        TeamCaseload(team, len(of_team[team]), sum(people > cap for people in of_team[team]), without.get(team, 0))
        for team in sorted({*without, *of_team}, key=str.casefold)
    )
    rows = tuple(
        AdviserRow(name, team, people, with_flags, people > cap) for name, team, people, with_flags in advisers
    )
    return Caseloads(cap, teams, rows[:MOST_ADVISERS])


def tell_measures(
    store: Connection, as_at: dt.date, name_team: Callable[[str | None], str], team: str | None
) -> tuple[MeasureFigure, ...]:
    """The night's figures beside those of the night nearest to four weeks before."""
    table = table_of(Indicator)
    back = as_at - dt.timedelta(measures.LOOKED_BACK_DAYS)
    earlier = store.execute(
        select(func.max(table.c.as_at)).where(table.c.as_at <= back, table.c.as_at > back - dt.timedelta(28))
    ).scalar()
    nights: measures.Nights = defaultdict(lambda: defaultdict(dict))
    columns = (table.c.numerator, table.c.denominator, table.c.not_assessed)
    rows = store.execute(
        select(table.c.as_at, table.c.name, table.c.team, *columns).where(table.c.as_at.in_((as_at, earlier)))
    )
    for night, name, spelt, *figures in rows:
        if team is None or name_team(spelt) == team:
            nights[night][name][spelt] = measures.Proportion(*figures)
    if as_at not in nights:
        return ()
    sums = {
        night: {name: sum(teams.values(), measures.NOTHING) for name, teams in found.items()}
        for night, found in nights.items()
    }
    then = sums.get(earlier, {}) if earlier is not None else {}
    return tuple(
        MeasureFigure(
            name, measures.label(name), now.numerator, now.denominator, now.not_assessed, _percent(now),
            _percent(then[name]) if name in then else None, earlier if name in then else None,
        )
        for name in (*measures.LABELS, *sorted(sums[as_at].keys() - measures.LABELS.keys()))
        if (now := sums[as_at].get(name)) is not None
    )  # fmt: skip


def _percent(figures: measures.Proportion) -> int | None:
    return None if figures.share is None else round(100 * figures.share)
