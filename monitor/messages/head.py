"""Decide what the head of service reads once a week: counts of who is out of sight, and of flags by team."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from monitor.config.list_findings import ListFinding
from monitor.figures.out_of_sight import SINCE
from monitor.figures.week import Week
from monitor.messages.backlog_week import BacklogWeek
from monitor.messages.list_place import ListPlace, find_all_lists
from monitor.messages.manager import NOTHING_SO_FAR, MailSoFar
from monitor.messages.parts import MessageContext
from monitor.messages.room import PHONE_COLUMNS, Wish, share_room

FRAME = 28
"""Lines of a phone for what stands beside the backlog, the lines of those out of sight and the teams."""
SIGHT_LINES, TEAM_LINES = 4, 3
"""Lines of a phone that each of those takes, beside a long name."""
FEWEST_TEAMS = 4
"""Teams told by name at least; the others are counted together."""


@dataclass(frozen=True)
class HeadDigest:
    """The weekly summary for one head of service: counts, and the worst of the backlog by name."""

    recipient: str
    night: MessageContext
    teams: tuple[str, ...]
    """The teams it is about; none means the whole service."""
    week: Week
    not_assessed: tuple[str | None, ...]
    cleared_nothing: tuple[str, ...]
    backlog: BacklogWeek | None = None
    perhaps_had: tuple[date, ...] = ()
    phone_lines: int = 0
    """About how many lines of a phone it takes."""
    flag_ids: tuple[int, ...] = ()
    template: str = "head"
    kind: str = "head"
    holds: tuple[str, ...] = ("summary",)
    since_labels: tuple[str, ...] = SINCE

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names."""
        return tuple(person.person_id for person in self.backlog.worst) if self.backlog else ()

    @property
    def lists(self) -> ListPlace:
        """Where the lists of all teams are."""
        return find_all_lists(self.night)


@dataclass(frozen=True)
class RestrictedDigest:
    """What is amiss with the restricted list: the head of service alone is shown its ids."""

    recipient: str
    night: MessageContext
    finding: ListFinding
    flag_ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    template: str = "restricted"
    kind: str = "head"

    @property
    def holds(self) -> tuple[str, ...]:
        return ("restricted", self.finding.token)


def compose_head(
    recipient: str, teams: Sequence[str], week: Week, night: MessageContext, mail: MailSoFar = NOTHING_SO_FAR
) -> HeadDigest:
    """Return the summary of a week; a team that had something to clear and cleared nothing is named."""
    rules = sorted({*night.not_assessed, *night.failed, *night.doubted})
    backlog = mail.backlog
    wishes = {
        **(backlog.wishes if backlog else {}),
        "teams": Wish([TEAM_LINES + len(team.label) // PHONE_COLUMNS for team in week.teams], FEWEST_TEAMS),
    }
    beside = FRAME + SIGHT_LINES * len(week.sight) + (backlog.phone_lines if backlog else 0)
    shares = share_room(mail.room - beside, wishes)
    return HeadDigest(
        recipient=recipient,
        night=night,
        teams=tuple(teams),
        week=week.within(shares["teams"]),
        not_assessed=tuple(night.title(rule) for rule in rules),
        cleared_nothing=tuple(
            team.label for team in week.teams if not night.baseline and not team.cleared and (team.open or team.held)
        ),
        backlog=backlog and backlog.within(shares),
        perhaps_had=mail.perhaps_had,
        phone_lines=beside + sum(wish.count_lines(shares[name]) for name, wish in wishes.items()),
    )
