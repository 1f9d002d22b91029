"""A lead's first mail: how the record stands, who is critical by what to do, and the rest by adviser."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.messages.advisers import AdviserPeople, keep_first, list_advisers
from monitor.messages.news import PersonNews
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.shown import shown_id

CRITICAL_LISTED = 60
"""Critical young people whom a baseline names; the rest are counted."""
ADVISERS_LISTED = 26
"""Advisers with a line each; the others are counted in one."""


@dataclass(frozen=True)
class ToDo:
    """Everyone for whom the same is to be done first: its title and next step, and the people by adviser.

    ``unnamed``: how many more there are. ``others``: how many of them are critical for another reason too.
    """

    title: str | None
    action: str | None
    advisers: tuple[tuple[str | None, tuple[tuple[str, str | None], ...]], ...]
    """Each person with a link, if there is one."""
    others: int
    unnamed: int

    @property
    def total(self) -> int:
        return sum(len(people) for _, people in self.advisers) + self.unnamed


@dataclass(frozen=True)
class BaselinePart:
    """How a team stands on the first night. ``others``: those not critical; ``flags``: all that is open."""

    to_do: tuple[ToDo, ...]
    advisers: tuple[AdviserPeople, ...]
    others: int
    flags: int

    @property
    def estimates(self) -> bool:
        """Whether it gives a day that is not known to be the first."""
        return not all(load.oldest[2].known for load in self.advisers if load.oldest)

    @property
    def critical(self) -> int:
        return sum(group.total for group in self.to_do)

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone it names."""
        named = [person_id for group in self.to_do for _, people in group.advisers for person_id, _ in people]
        return tuple(dict.fromkeys([*named, *(load.oldest[0] for load in self.advisers if load.oldest)]))


def compose_baseline(people: Sequence[PersonNews], night: MessageContext) -> BaselinePart:
    """Return how the people with something open stand.

    Who is out of sight is not counted here: of a small team the number would tell a sensitive rule from its cover.
    """
    others = [person for person in people if person.severity != "critical"]
    return BaselinePart(
        _group_critical([person for person in people if person.severity == "critical"], night),
        keep_first(list_advisers(others, night), ADVISERS_LISTED),
        len(others),
        sum(len(person.current) for person in people),
    )


def _group_critical(people: Sequence[PersonNews], night: MessageContext) -> tuple[ToDo, ...]:
    """Return critical people by the first thing to do about each: the most people first, nobody twice."""
    groups: defaultdict[str, list[tuple[PersonNews, int, FlagLine]]] = defaultdict(list)
    for n, person in enumerate(sorted(people, key=lambda each: each.rank)):
        root = next(root for root, _ in person.roots if root.severity == "critical")
        groups[shown_id(night.rules, root.rule)].append((person, n, root))
    return tuple(sorted((_describe(group, night) for group in groups.values()), key=_place))


def _place(group: ToDo) -> tuple[int, str]:
    return -group.total, group.title or ""


def _describe(group: Sequence[tuple[PersonNews, int, FlagLine]], night: MessageContext) -> ToDo:
    words = night.shown(group[0][2])
    by_adviser: defaultdict[str | None, list[tuple[str, str | None]]] = defaultdict(list)
    named = [person for person, n, _ in group if n < CRITICAL_LISTED]
    for person in named:
        by_adviser[person.adviser_name].append((person.person_id, night.link(person.person_id)))
    advisers = sorted(by_adviser.items(), key=lambda entry: (entry[0] is not None, -len(entry[1]), entry[0] or ""))
    others = sum(sum(line.severity == "critical" for line, _ in person.roots) > 1 for person, _, _ in group)
    found = tuple((adviser, tuple(people)) for adviser, people in advisers)
    return ToDo(words.title, words.action, found, others, len(group) - len(named))
