"""The weekly part about the backlog, for managers and heads: what is left by team, the trend, and the worst first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

from monitor.figures.burn_down import WORST_LISTED, BurnDown, Counted, TeamBacklog, burn_down
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.raised_person import RaisedPerson, describe_person
from monitor.messages.room import PHONE_COLUMNS, TITLE, Wish

FEWEST_WORST = 1
FEWEST_TEAMS, TEAMS_LISTED = 3, 8
"""Teams told by name; the others are counted together."""
TEAM_LINES = 3
"""Lines of a phone that a team takes, beside a long name."""


@dataclass(frozen=True)
class BacklogFound:
    """The backlog of the night, by team, and the lines of each team's worst people, the worst first.

    Each line stands with the day since when it is in breach.
    """

    counted: Sequence[Counted] = ()
    worst: Sequence[tuple[FlagLine, date]] = ()


NO_BACKLOG_FOUND = BacklogFound()


@dataclass(frozen=True)
class BacklogWeek:
    """What one reader is told of the backlog. ``teams``: the most left first, the others together in the last."""

    total: TeamBacklog
    teams: tuple[TeamBacklog, ...]
    worst: tuple[RaisedPerson, ...]

    @property
    def rows(self) -> tuple[TeamBacklog, ...]:
        """The teams, and all together where there are several."""
        return (*self.teams, self.total) if len(self.teams) > 1 else self.teams

    @property
    def wishes(self) -> Mapping[str, Wish]:
        """What it would tell one by one."""
        return {
            "worst": Wish([person.phone_lines for person in self.worst], FEWEST_WORST, TITLE),
            "backlog": Wish(
                [TEAM_LINES + len(team.label) // PHONE_COLUMNS for team in self.teams[:TEAMS_LISTED]], FEWEST_TEAMS
            ),
        }

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes beside that."""
        return 7 + (TEAM_LINES + 1 if len(self.teams) > 1 else 1)

    def within(self, shares: Mapping[str, int]) -> "BacklogWeek":
        """Return the same with as many of ``wishes`` as are given, the other teams in one line."""
        teams, most = self.teams, shares["backlog"]
        if len(teams) > most:
            others = BurnDown(teams[most - 1 :]).total
            teams = (*teams[: most - 1], replace(others, team="The other teams"))
        return replace(self, teams=teams, worst=self.worst[: shares["worst"]])


def compose_backlog(
    found: BacklogFound,
    night: MessageContext,
    of_team: Callable[[str | None], bool],
    *,
    with_restricted: bool = False,
) -> BacklogWeek | None:
    """Return what a reader is told of the backlog of his teams; None where there is none and none was put right."""
    figures = burn_down(found.counted, of_team=of_team, with_restricted=with_restricted)
    if not figures:
        return None
    teams = sorted(figures.teams, key=lambda team: (-team.left, team.label))
    several = len(figures.teams) > 1
    people = [
        describe_person(
            (line for line, _ in flags),
            night,
            team=team or "no team recorded" if several else None,
            when={line.flag_id: since for line, since in flags},
        )
        for team, flags in _group(found.worst)
        if of_team(team)
    ]
    return BacklogWeek(figures.total, tuple(teams), tuple(people[:WORST_LISTED]))


def _group(worst: Sequence[tuple[FlagLine, date]]) -> list[tuple[str | None, list[tuple[FlagLine, date]]]]:
    """Return the lines of each person with the team, in the order given."""
    return [
        (team, list(flags)) for (_, team), flags in groupby(worst, key=lambda each: (each[0].person_id, each[0].team))
    ]
