"""How the backlog burns down: what is left by team, what the last week did, and what was left in the weeks before.

The one home of these numbers, for every mail and the report. What a change of a rule ended is never counted as put
right; a flag that another carries on is counted once, as the one that carries it.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from monitor.config.id_lists import restricted_sql
from monitor.flags.backlog import Backlog
from monitor.flags.priority import WORTH_WORKING_FIRST, place_backlog_sql
from monitor.workspace import Workspace

WEEKS = 4
"""Weeks before this one of which it is told what was left; resolved flags are laid out no longer than that."""
WORST_LISTED = 5
"""Young people of a team's backlog who are named."""


@dataclass(frozen=True, slots=True)
class TeamBacklog:
    """The backlog of one team, in flags. ``left``: unresolved, of these ``waived``.

    ``cleared``: put right in the last seven days; ``ended``: ended in another way in these, such as by a changed rule
    or at 25. ``before``: what was left at the end of each week before, the oldest first.
    """

    team: str | None
    left: int = 0
    waived: int = 0
    cleared: int = 0
    ended: int = 0
    before: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        return self.team or "No team recorded"

    @property
    def fewer(self) -> int | None:
        """How many fewer are left than a week ago; below nothing where there are more, None where no week has gone."""
        return self.before[-1] - self.left if self.before else None


@dataclass(frozen=True)
class BurnDown:
    """The backlog of some teams, each with flags of it left or ended in the last week."""

    teams: tuple[TeamBacklog, ...] = ()

    @property
    def total(self) -> TeamBacklog:
        """All teams together."""
        return TeamBacklog(
            "All together",
            left=sum(team.left for team in self.teams),
            waived=sum(team.waived for team in self.teams),
            cleared=sum(team.cleared for team in self.teams),
            ended=sum(team.ended for team in self.teams),
            before=tuple(map(sum, zip(*(team.before for team in self.teams), strict=True))),
        )

    def __bool__(self) -> bool:
        return any(team.left or team.cleared or team.ended for team in self.teams)


@dataclass(frozen=True, slots=True)
class Counted:
    """The backlog of one team, of people on the restricted list or of the others."""

    restricted: bool
    backlog: TeamBacklog


def count_backlog(
    workspace: Workspace, backlog: Backlog, as_at: dt.date, restricted: Collection[str] = ()
) -> tuple[Counted, ...]:
    """Return the backlog of every team, people on the restricted list apart. Reads ``flag_line``."""
    ends = [as_at - dt.timedelta(7 * weeks) for weeks in range(WEEKS, 0, -1)]
    told = [day for day in ends if backlog.first_night and day >= backlog.first_night]
    weeks = "".join(
        f""", count(*) FILTER (opened_on <= DATE '{day}' AND (resolved_on IS NULL OR resolved_on > DATE '{day}')
            AND resolved_reason IS DISTINCT FROM 'handed on' AND resolved_reason IS DISTINCT FROM 'merged')"""
        for day in told
    )
    rows = workspace.execute(
        f"""
        SELECT coalesce(team, ''), {restricted_sql(restricted)},
            count(*) FILTER (resolved_on IS NULL), count(*) FILTER (state = 'waived'),
            count(*) FILTER (resolved_on > $week AND resolved_reason = 'cleared'),
            count(*) FILTER (resolved_on > $week AND resolved_reason NOT IN ('cleared', 'handed on', 'merged')){weeks}
        FROM flag_line
        WHERE severity <> 'data' AND state <> 'quarantined' AND resolved_reason IS DISTINCT FROM 'corrected'
            AND {backlog.sql("flag_line")}
        GROUP BY ALL ORDER BY ALL
        """,
        {"week": as_at - dt.timedelta(7)},
    ).fetchall()
    return tuple(
        Counted(is_restricted, TeamBacklog(team or None, left, waived, cleared, ended, tuple(before)))
        for team, is_restricted, left, waived, cleared, ended, *before in rows
    )


def burn_down(counted: Iterable[Counted], *, of_team: Callable[[str | None], bool], with_restricted: bool) -> BurnDown:
    """Return the backlog of the teams that a reader is told of; of restricted people only where he may be."""
    by_team: dict[str | None, TeamBacklog] = {}
    for one in counted:
        team = one.backlog.team
        if of_team(team) and (with_restricted or not one.restricted):
            by_team[team] = _add(by_team[team], one.backlog) if team in by_team else one.backlog
    return BurnDown(tuple(by_team.values()))


def _add(one: TeamBacklog, other: TeamBacklog) -> TeamBacklog:
    return replace(BurnDown((one, other)).total, team=one.team)


def list_worst(
    workspace: Workspace, backlog: Backlog, columns: Collection[str], restricted: Collection[str] = ()
) -> list[tuple[Any, ...]]:
    """Return ``columns`` of the open backlog of each team's worst people, the worst first; of nobody restricted.

    Who has the most critical flags comes first, then who has the most to weigh, then who has been in breach longest.
    Reads ``flag_line`` and ``flag_list``.
    """
    rows: list[tuple[Any, ...]] = workspace.execute(f"""
        WITH backlog AS (
            SELECT flag_line.*, coalesce(listed.folded, false) AS folded
            FROM flag_line LEFT JOIN (SELECT flag_id, folded FROM flag_list) AS listed USING (flag_id)
            WHERE flag_line.state = 'open' AND severity <> 'data' AND {backlog.sql("flag_line")}
                AND NOT ({restricted_sql(restricted)})
        ),
        placed AS ({place_backlog_sql("backlog", WORST_LISTED)})
        SELECT {", ".join(f"backlog.{name}" for name in columns)}
        FROM backlog JOIN placed USING (person_id) ORDER BY {WORTH_WORKING_FIRST}
    """).fetchall()
    return rows
