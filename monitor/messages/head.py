"""Decides what the head of service reads once a week: what stands, what the week brought, in counts by team."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from monitor.messages.parts import MessageContext

SINCE = ("under 1 month", "1 to 3 months", "3 to 12 months", "over 1 year")
"""How long people have been out of sight, in order."""


@dataclass(frozen=True, slots=True)
class SightRow:
    """One way of being out of sight: young people, and how long, by ``SINCE``."""

    label: str
    people: int
    since: tuple[int, ...]

    @property
    def by_age(self) -> list[tuple[int, str]]:
        return list(zip(self.since, SINCE, strict=True))


@dataclass(frozen=True, slots=True)
class TeamWeek:
    """One team: flags that stand, and what the week did."""

    team: str | None
    open: int = 0
    held: int = 0
    waived: int = 0
    opened: int = 0
    cleared: int = 0
    to_manager: int = 0
    to_head: int = 0

    @property
    def label(self) -> str:
        return self.team or "No team recorded"

    @property
    def raised(self) -> int:
        return self.to_manager + self.to_head


@dataclass(frozen=True)
class Week:
    """The figures of a week for some teams, or for the whole service."""

    since: date
    sight: tuple[SightRow, ...]
    teams: tuple[TeamWeek, ...]
    refused: tuple[date, ...] = ()
    nights: int = 0

    @property
    def out_of_sight(self) -> int:
        """Young people out of sight in any way, which is the first row."""
        return self.sight[0].people if self.sight else 0

    @property
    def total(self) -> TeamWeek:
        sums = [sum(getattr(one, name) for one in self.teams) for name in TeamWeek.__slots__[1:]]
        return TeamWeek("All together", *sums)

    @property
    def rows(self) -> tuple[TeamWeek, ...]:
        """The teams, and all together where there are several."""
        return (*self.teams, self.total) if len(self.teams) > 1 else self.teams


@dataclass(frozen=True)
class HeadDigest:
    """The weekly summary for one head of service: counts only."""

    recipient: str
    night: MessageContext
    teams: tuple[str, ...]
    """The teams it is about; none means the whole service."""
    week: Week
    not_assessed: tuple[str | None, ...]
    cleared_nothing: tuple[str, ...]
    perhaps_had: tuple[date, ...] = ()
    flag_ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    template: str = "head"
    kind: str = "head"
    holds: tuple[str, ...] = ("summary",)
    since_labels: tuple[str, ...] = SINCE


def compose_head(
    recipient: str, teams: Sequence[str], week: Week, night: MessageContext, *, perhaps_had: Sequence[date] = ()
) -> HeadDigest:
    """The summary of a week; a team that had something to clear and cleared nothing is named."""
    rules = sorted({*night.not_assessed, *night.failed, *night.doubted})
    return HeadDigest(
        recipient=recipient,
        night=night,
        teams=tuple(teams),
        week=week,
        not_assessed=tuple(night.title(rule) for rule in rules),
        cleared_nothing=tuple(
            one.label for one in week.teams if not night.baseline and not one.cleared and (one.open or one.held)
        ),
        perhaps_had=tuple(perhaps_had),
    )
