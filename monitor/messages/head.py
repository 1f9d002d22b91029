"""Decide what the head of service reads once a week: counts of who is out of sight, and of flags by team."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from monitor.config.list_findings import ListFinding
from monitor.figures.out_of_sight import SINCE
from monitor.figures.week import Week
from monitor.messages.backlog_week import BacklogWeek
from monitor.messages.manager import NOTHING_SO_FAR, MailSoFar
from monitor.messages.parts import MessageContext


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
    flag_ids: tuple[int, ...] = ()
    template: str = "head"
    kind: str = "head"
    holds: tuple[str, ...] = ("summary",)
    since_labels: tuple[str, ...] = SINCE

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names."""
        return tuple(person.person_id for person in self.backlog.worst) if self.backlog else ()


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
    return HeadDigest(
        recipient=recipient,
        night=night,
        teams=tuple(teams),
        week=week,
        not_assessed=tuple(night.title(rule) for rule in rules),
        cleared_nothing=tuple(
            team.label for team in week.teams if not night.baseline and not team.cleared and (team.open or team.held)
        ),
        backlog=mail.backlog,
        perhaps_had=mail.perhaps_had,
    )
