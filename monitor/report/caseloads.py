"""Figures of the service that are nobody's flag: advisers' caseloads, and the measures kept every night."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select

from monitor.figures import measures
from monitor.figures.measures import NOTHING
from monitor.report.contents import AdviserRow, Caseloads, MeasureFigure, TeamCaseload
from monitor.report.report_data import ReportData
from monitor.store.tables import Indicator, table_of

MOST_ADVISERS = 500

HERE = """
    first_seen_on <= $as_at AND coalesce(absent_since > $as_at, true) AND coalesce(died_on > $as_at, true)
    AND coalesce(ended_on > $as_at, true)
"""


def count_people(data: ReportData) -> dict[str, tuple[int, int]]:
    """Return how many are on the caseload, and how many of them have no adviser, by team."""
    query = f"SELECT team, count(*), count(*) FILTER (adviser IS NULL) FROM known_person WHERE {HERE} GROUP BY team"
    return {
        team: (people, without)
        for team, people, without in data.workspace.execute(query, {"as_at": data.as_at}).fetchall()
    }


def count_caseloads(data: ReportData, without: Mapping[str, int]) -> Caseloads:
    """Return each adviser's caseload, the longest first; ``without``: people without an adviser, by team.

    An adviser counts in the team most of their young people are in.
    """
    workspace, as_at, cap = data.workspace, data.as_at, data.config.measures.adviser_cap
    advisers = workspace.execute(
        f"""
        SELECT any_value(adviser), mode(team ORDER BY team), count(*) AS people, count(f.person_id)
        FROM known_person LEFT JOIN (
            SELECT DISTINCT person_id FROM report_flag WHERE severity <> 'data'
        ) AS f USING (person_id)
        WHERE {HERE} AND adviser IS NOT NULL
        GROUP BY lower(trim(adviser)) ORDER BY people DESC, 1
        """,
        {"as_at": as_at},
    ).fetchall()
    of_team: defaultdict[str, list[int]] = defaultdict(list)
    for _, team, people, _ in advisers:
        of_team[team].append(people)
    teams = tuple(
        TeamCaseload(team, len(of_team[team]), sum(people > cap for people in of_team[team]), without.get(team, 0))
        for team in sorted({*without, *of_team}, key=str.casefold)
    )
    rows = tuple(
        AdviserRow(name, team, people, with_flags, people > cap)
        for name, team, people, with_flags in advisers[:MOST_ADVISERS]
    )
    return Caseloads(cap, teams, rows)


def compare_measures(data: ReportData) -> tuple[MeasureFigure, ...]:
    """Return the night's figures beside those of the night nearest to four weeks before."""
    table, as_at = table_of(Indicator), data.as_at
    back = as_at - dt.timedelta(measures.LOOKED_BACK_DAYS)
    earlier = data.store.execute(
        select(func.max(table.c.as_at)).where(table.c.as_at <= back, table.c.as_at > back - dt.timedelta(28))
    ).scalar()
    nights = measures.read_nights(data.store, table.c.as_at.in_((as_at, earlier)))
    if as_at not in nights:
        return ()
    now = _add_teams(data, nights[as_at])
    then = _add_teams(data, nights[earlier]) if earlier is not None else {}
    return tuple(
        MeasureFigure(
            name, measures.label(name), now[name].numerator, now[name].denominator, now[name].not_assessed,
            _percent(now[name]), _percent(then[name]) if name in then else None, earlier if name in then else None,
        )
        for name in (*measures.LABELS, *sorted(now.keys() - measures.LABELS.keys()))
        if name in now
    )  # fmt: skip


def _add_teams(
    data: ReportData, names: Mapping[str, Mapping[str, measures.Proportion]]
) -> dict[str, measures.Proportion]:
    """Each measure over all teams, or of the one team that the report is about."""
    sums: dict[str, measures.Proportion] = {}
    for name, teams in names.items():
        for team, figures in teams.items():
            if data.is_about(data.name_team(team)):
                sums[name] = sums.get(name, NOTHING) + figures
    return sums


def _percent(figures: measures.Proportion) -> int | None:
    return None if figures.share is None else round(100 * figures.share)
