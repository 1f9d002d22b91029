"""The weekly part of a lead's mail: who is critical and since when, each adviser in a line, what keeps changing."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from monitor.messages.advisers import AdviserPeople, list_advisers, name_adviser
from monitor.messages.news import PersonNews
from monitor.messages.parts import MessageContext
from monitor.messages.since import Since, find_oldest

CRITICAL_LISTED = 25
"""Critical young people whom it names; the rest are counted."""
LINES, FEWEST_ADVISERS = 38, 8
"""Lines of a mail for the day's news, the critical and the advisers, of whom so many have one however much is new."""
CHANGING_NAMED = 4


@dataclass(frozen=True)
class CriticalGroup:
    """Critical young people of one adviser for the same reason and as long; ``more``: other reasons that each has."""

    adviser: str | None
    title: str | None
    since: Since
    more: int
    people: tuple[tuple[str, str | None], ...]
    """Each with a link, if there is one."""


@dataclass(frozen=True)
class Changing:
    """Flags that keep opening and clearing: how many, and the first, each with its young person and the link."""

    flags: int
    first: tuple[tuple[str, str | None, str | None], ...]
    """Person, link and title."""


@dataclass(frozen=True)
class WeeklyPart:
    """How a team stands, once a week. ``critical``: the first of ``total``."""

    critical: tuple[CriticalGroup, ...]
    total: int
    without_adviser: int
    advisers: tuple[AdviserPeople, ...]
    changing: Changing | None

    @property
    def more(self) -> int:
        return self.total - sum(len(group.people) for group in self.critical)

    @property
    def estimates(self) -> bool:
        """Whether it gives a day that is not known to be the first."""
        told = [*(group.since for group in self.critical), *(load.oldest[2] for load in self.advisers if load.oldest)]
        return not all(since.known for since in told)

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names."""
        named = [person_id for group in self.critical for person_id, _ in group.people]
        named += [load.oldest[0] for load in self.advisers if load.oldest]
        named += [person_id for person_id, _, _ in self.changing.first] if self.changing else []
        return tuple(dict.fromkeys(named))


def compose_weekly(
    people: Sequence[PersonNews], night: MessageContext, *, named: Collection[str] = (), lines: int = 0
) -> WeeklyPart:
    """Return how the people with something open stand.

    ``named``: the critical of whom the day's news tells already; ``lines``: how many that news takes.
    """
    critical = [person for person in people if person.severity == "critical" and person.person_id not in named]
    groups = _group_critical(critical, night)
    return WeeklyPart(
        groups,
        len(critical),
        sum(person.adviser is None for person in critical),
        list_advisers(people, night, max(LINES - lines - len(groups), FEWEST_ADVISERS)),
        _find_changing(people, night),
    )


def _group_critical(people: Iterable[PersonNews], night: MessageContext) -> tuple[CriticalGroup, ...]:
    """Return the first of critical people by why and since when: those with nobody named first, then the longest."""
    described = sorted((_describe_critical(person, night) for person in people), key=_place)
    groups: dict[CriticalGroup, list[tuple[str, str | None]]] = {}
    for each in described[:CRITICAL_LISTED]:
        groups.setdefault(replace(each, people=()), []).extend(each.people)
    return tuple(replace(group, people=tuple(found)) for group, found in groups.items())


def _describe_critical(person: PersonNews, night: MessageContext) -> CriticalGroup:
    """Return why one person is critical: by what has been so for the longest."""
    critical = [line for line in person.current if line.severity == "critical"]
    oldest = find_oldest(critical, night)
    assert oldest  # noqa: S101 - a person is critical because a flag is
    line, since = oldest
    more = len({night.title(each.rule) for each in critical} - {night.title(line.rule)})
    who = (person.person_id, night.link(person.person_id))
    return CriticalGroup(name_adviser(person), night.title(line.rule), since, more, (who,))


def _place(group: CriticalGroup) -> tuple[bool, date, str]:
    return group.adviser is not None, group.since.day, group.people[0][0]


def _find_changing(people: Iterable[PersonNews], night: MessageContext) -> Changing | None:
    lines = [line for person in people for line in person.current if line.flips >= night.flips]
    lines.sort(key=lambda line: (-line.flips, line.person_id, line.rule))
    first = [(line.person_id, night.link(line.person_id), night.title(line.rule)) for line in lines[:CHANGING_NAMED]]
    return Changing(len(lines), tuple(first)) if lines else None
