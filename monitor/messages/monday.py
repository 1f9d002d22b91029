"""The weekly part of a lead's mail: who is critical and since when, each adviser in a line, what keeps changing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from monitor.messages.advisers import AdviserPeople, keep_first, list_advisers
from monitor.messages.cards import CriticalPerson, name_critical
from monitor.messages.news import PersonNews
from monitor.messages.parts import MessageContext
from monitor.messages.room import TITLE, add_lengths, count_lines
from monitor.messages.since import Since, find_oldest

CRITICAL_LISTED = 25
"""Critical young people whom it names; the rest are counted."""
CHANGING_NAMED = 4
BETWEEN, SINCE = 4, 26
"""About how many characters stand between two people, and in a date with its words."""


class CriticalSince(NamedTuple):
    """Critical young people for whom it has been so for as long."""

    since: Since
    people: tuple[CriticalPerson, ...]


@dataclass(frozen=True)
class CriticalGroup:
    """Critical young people for the same reason, all with an adviser or all without; the longest first."""

    has_adviser: bool
    title: str | None
    spans: tuple[CriticalSince, ...]

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        people = [each for span in self.spans for each in span.people]
        ids = sum(BETWEEN + add_lengths(each.person_id, each.adviser) for each in people)
        return count_lines(14 + add_lengths(self.title) + ids + SINCE * len(self.spans))


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
    def named(self) -> tuple[str, ...]:
        """The critical young people it names."""
        return tuple(each.person_id for group in self.critical for span in group.spans for each in span.people)

    @property
    def more(self) -> int:
        return self.total - len(self.named)

    @property
    def estimates(self) -> bool:
        """Whether it gives a day that is not known to be the first."""
        spans = (span for group in self.critical for span in group.spans)
        told = [*(span.since for span in spans), *(load.oldest[2] for load in self.advisers if load.oldest)]
        return not all(since.known for since in told)

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes, without the advisers."""
        critical = sum(group.phone_lines for group in self.critical)
        return (TITLE + critical if self.total else 0) + (2 if self.more else 0) + 2 + (6 if self.changing else 0)

    def within(self, advisers: int) -> "WeeklyPart":
        """Return the same with a line each for at most so many advisers."""
        return replace(self, advisers=keep_first(self.advisers, advisers))

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names."""
        named = [*self.named]
        named += [load.oldest[0] for load in self.advisers if load.oldest]
        named += [person_id for person_id, _, _ in self.changing.first] if self.changing else []
        return tuple(dict.fromkeys(named))


def compose_weekly(people: Sequence[PersonNews], night: MessageContext, named: Collection[str] = ()) -> WeeklyPart:
    """Return how the people with something open stand; ``named``: the critical of whom the day's news tells already."""
    critical = [person for person in people if person.severity == "critical" and person.person_id not in named]
    return WeeklyPart(
        _group_critical(critical, night),
        len(critical),
        sum(person.adviser is None for person in critical),
        list_advisers(people, night),
        _find_changing(people, night),
    )


def _group_critical(people: Iterable[PersonNews], night: MessageContext) -> tuple[CriticalGroup, ...]:
    """Return the first of critical people by why and since when: those with nobody named first, then the longest."""
    described = sorted((_describe_critical(person, night) for person in people), key=_place)
    groups: defaultdict[tuple[bool, str | None], defaultdict[Since, list[CriticalPerson]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for title, since, person in described[:CRITICAL_LISTED]:
        groups[person.adviser is not None, title][since].append(person)
    return tuple(
        CriticalGroup(has_adviser, title, tuple(CriticalSince(since, tuple(found)) for since, found in spans.items()))
        for (has_adviser, title), spans in groups.items()
    )


Described = tuple[str | None, Since, CriticalPerson]
"""Why somebody is critical, since when, and who it is."""


def _describe_critical(person: PersonNews, night: MessageContext) -> Described:
    """Return why one person is critical: by what has been so for the longest."""
    oldest = find_oldest([line for line in person.current if line.severity == "critical"], night)
    assert oldest  # noqa: S101 - a person is critical because a flag is
    line, since = oldest
    return night.title(line.rule), since, name_critical(person, night)


def _place(described: Described) -> tuple[bool, date, bool, str]:
    _, since, person = described
    return person.adviser is not None, since.day, not since.known, person.person_id


def _find_changing(people: Iterable[PersonNews], night: MessageContext) -> Changing | None:
    lines = [line for person in people for line in person.current if line.flips >= night.flips]
    lines.sort(key=lambda line: (-line.flips, line.person_id, line.rule))
    first = [(line.person_id, night.link(line.person_id), night.title(line.rule)) for line in lines[:CHANGING_NAMED]]
    return Changing(len(lines), tuple(first)) if lines else None
