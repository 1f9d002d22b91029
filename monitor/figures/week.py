"""The figures of a week: who is out of sight, the flags of each team, and what was escalated and refused since."""

import datetime as dt
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from monitor.config.id_lists import restricted_sql
from monitor.figures import out_of_sight
from monitor.figures.out_of_sight import EVERYONE, LineCount
from monitor.flags.state import LISTED
from monitor.store.tables import Escalation, Run, table_of
from monitor.workspace import Workspace


@dataclass(frozen=True, slots=True)
class TeamWeek:
    """One team: its unresolved flags, and what the week did."""

    team: str | None
    open: int = 0
    held: int = 0
    waived: int = 0
    opened: int = 0
    cleared: int = 0
    raised: int = 0
    """Flags, not steps, that went above the lead."""
    rule_changed: int = 0

    @property
    def label(self) -> str:
        return self.team or "No team recorded"


@dataclass(frozen=True)
class Week:
    """The figures of a week for some teams, or for the whole service. ``sight``: the lines that hold anybody.

    ``restricted``: of the young people counted, those on the restricted list, with ``restricted_flags`` unresolved.
    """

    since: dt.date
    sight: tuple[LineCount, ...]
    teams: tuple[TeamWeek, ...]
    refused: tuple[dt.date, ...] = ()
    nights: int = 0
    restricted: int = 0
    restricted_flags: int = 0

    @property
    def out_of_sight(self) -> int:
        """Young people out of sight in any way."""
        return next((line.people for line in self.sight if line.name == EVERYONE), 0)

    @property
    def also_nobody_named(self) -> int:
        """Young people out of touch who have nobody named too."""
        return sum(line.also_nobody_named for line in self.sight)

    @property
    def total(self) -> TeamWeek:
        return _add_up("All together", self.teams)

    def within(self, most: int) -> "Week":
        """Return the same with at most so many teams: those with the fewest unresolved flags are one, the last."""
        if len(self.teams) <= most:
            return self
        first = sorted(self.teams, key=lambda team: -(team.open + team.held + team.waived))[: most - 1]
        named = tuple(team for team in self.teams if team in first)
        return replace(self, teams=(*named, _add_up("The other teams", set(self.teams) - set(first))))

    @property
    def rows(self) -> tuple[TeamWeek, ...]:
        """The teams, and all together where there are several."""
        return (*self.teams, self.total) if len(self.teams) > 1 else self.teams


def _add_up(label: str, teams: Collection[TeamWeek]) -> TeamWeek:
    return TeamWeek(label, *(sum(getattr(team, name) for team in teams) for name in TeamWeek.__slots__[1:]))


def gather(
    workspace: Workspace,
    store: Connection,
    as_at: dt.date,
    since: dt.date,
    teams: Collection[str] | None = None,
) -> Week:
    """Return what is unresolved and what happened after ``since``; of ``teams`` only, if given.

    Reads ``flag_line`` and ``out_of_sight``.
    """
    sight = out_of_sight.count_lines(workspace, as_at, teams).values()
    named = {"teams": list(teams or ()), "all_teams": teams is None, "since": since}
    flags = workspace.execute(TEAMS, named).fetchall()
    raised = _count_raised(store, since, as_at)
    accepted, refused = read_nights(store, since, as_at)
    return Week(
        since=since,
        sight=tuple(line for line in sight if line.people),
        teams=tuple(
            TeamWeek(team or None, *(*counts, raised.get(team, 0), changed)) for team, *counts, changed in flags
        ),
        refused=tuple(sorted(refused - accepted)),
        nights=len(accepted),
    )


def count_restricted(
    workspace: Workspace, week: Week, restricted: Collection[str], teams: Collection[str] | None = None
) -> Week:
    """Return the week with how many of those it counts are restricted; of ``teams`` only, if given."""
    if not restricted:
        return week
    named = {"teams": list(teams or ()), "all_teams": teams is None}
    query = RESTRICTED.format(restricted=restricted_sql(restricted))
    ((people, flags),) = workspace.execute(query, named).fetchall()
    return replace(week, restricted=people, restricted_flags=flags)


def _count_raised(store: Connection, since: dt.date, as_at: dt.date) -> dict[str, int]:
    """Count the flags that went above the lead, by team; one that took both steps is one flag of its last team."""
    table = table_of(Escalation)
    within = table.c.as_at > since, table.c.as_at <= as_at
    rows = store.execute(select(table.c.flag_id, table.c.team).where(*within).order_by(table.c.id))
    return dict(Counter({flag_id: team or "" for flag_id, team in rows}.values()))


def read_nights(store: Connection, since: dt.date, as_at: dt.date) -> tuple[set[dt.date], set[dt.date]]:
    """Return the nights after a day that were accepted, and those that were refused or failed."""
    run = table_of(Run)
    states = store.execute(select(run.c.as_at, run.c.state).where(run.c.as_at > since, run.c.as_at <= as_at)).all()
    return (
        {row.as_at for row in states if row.state == "accepted"},
        {row.as_at for row in states if row.state in ("refused", "failed")},
    )


TEAMS = """
SELECT coalesce(team, '') AS team,
    count(*) FILTER (state = 'open'),
    count(*) FILTER (state = 'held'),
    count(*) FILTER (state = 'waived'),
    count(*) FILTER (opened_on > $since AND state <> 'quarantined'
        AND coalesce(resolved_reason NOT IN ('handed on', 'merged', 'corrected'), true)),
    count(*) FILTER (resolved_on > $since AND resolved_reason = 'cleared'),
    count(*) FILTER (resolved_on > $since AND resolved_reason = 'rule changed')
FROM flag_line
WHERE severity <> 'data' AND ($all_teams OR list_contains($teams::VARCHAR[], team))
GROUP BY ALL
HAVING count(*) FILTER (state <> 'resolved' OR resolved_on > $since) > 0
ORDER BY ALL
"""
RESTRICTED = f"""
SELECT count(DISTINCT person_id), count(*) FROM flag_line
WHERE severity <> 'data' AND list_contains({list(LISTED)}, state)
    AND ($all_teams OR list_contains($teams::VARCHAR[], team)) AND {{restricted}}
"""
