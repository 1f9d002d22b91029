"""The young people of each adviser, by seriousness: how many, how many high, and who has waited the longest."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.messages.news import SERIOUS, PersonNews
from monitor.messages.parts import MessageContext
from monitor.messages.room import add_lengths, count_lines
from monitor.messages.since import Since, find_oldest


@dataclass(frozen=True)
class AdviserPeople:
    """Everyone of one adviser with something open. ``oldest``: who has had a serious flag the longest, and since when.

    ``advisers``: how many advisers the line is about; of several, no name is said.
    """

    adviser: str | None
    people: int
    critical: int
    high: int
    oldest: tuple[str, str | None, Since] | None = None
    advisers: int = 1

    @property
    def phone_lines(self) -> int:
        """About how many lines of a phone it takes."""
        oldest = 24 + len(self.oldest[0]) if self.oldest else 0
        return count_lines(28 + add_lengths(self.adviser) + oldest)


def list_advisers(people: Iterable[PersonNews], night: MessageContext) -> tuple[AdviserPeople, ...]:
    """Return one line an adviser: nobody first, then whoever has the most critical, then high."""
    by_name: defaultdict[str | None, list[PersonNews]] = defaultdict(list)
    for person in people:
        by_name[person.adviser_name].append(person)
    return tuple(sorted((_describe(adviser, own, night) for adviser, own in by_name.items()), key=_place))


def keep_first(loads: Sequence[AdviserPeople], most: int) -> tuple[AdviserPeople, ...]:
    """Return at most so many lines: the advisers who have the least serious are counted in the last."""
    return tuple(loads) if len(loads) <= most else (*loads[: most - 1], _sum_up(loads[most - 1 :]))


def _describe(adviser: str | None, people: Sequence[PersonNews], night: MessageContext) -> AdviserPeople:
    counts = Counter(person.severity for person in people)
    serious = [line for person in people for line in person.current if line.severity in SERIOUS]
    oldest = find_oldest(serious, night) or find_oldest((line for person in people for line in person.current), night)
    longest = None
    if oldest and oldest[1].days:
        longest = (oldest[0].person_id, night.link(oldest[0].person_id), oldest[1])
    return AdviserPeople(adviser, len(people), counts["critical"], counts["high"], longest)


def _place(load: AdviserPeople) -> tuple[bool, int, int, int, str]:
    return load.adviser is not None, -load.critical, -load.high, -load.people, load.adviser or ""


def _sum_up(loads: Sequence[AdviserPeople]) -> AdviserPeople:
    return AdviserPeople(
        None,
        sum(load.people for load in loads),
        sum(load.critical for load in loads),
        sum(load.high for load in loads),
        advisers=len(loads),
    )
