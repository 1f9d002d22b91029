"""Decides what needs the analyst: each thing that somebody must look into or decide, the most serious first."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from monitor.caseload.departures import Since
from monitor.messages.parts import MessageContext

MOST_NAMED = 20

What = Literal[
    "untold", "doubt", "failed", "lost", "unreached", "secret", "surge", "waiting", "alive again", "died", "back",
    "list", "no lead", "unmatched", "to look at",
]  # fmt: skip
"""What there is to do, the most serious first: who is out of sight or unheard, then what the data says, then words."""


@dataclass(frozen=True)
class Reference:
    """A young person, by id and link; ``since`` when what is said of them is so."""

    person_id: str
    link: str | None
    since: date | None = None


@dataclass(frozen=True)
class Named:
    """People to name, and how many more there are; those on the restricted list are only counted."""

    listed: tuple[Reference, ...]
    more: int
    restricted: int

    @property
    def total(self) -> int:
        return len(self.listed) + self.more + self.restricted

    @property
    def is_dated(self) -> bool:
        """Whether something is so of some of them since another day than of the others."""
        return len({one.since for one in self.listed}) > 1

    @property
    def since(self) -> date | None:
        """The earliest day of those named."""
        return min((one.since for one in self.listed if one.since), default=None)


@dataclass(frozen=True)
class Need:
    """One thing to do. ``about``: what the words are made of; ``people``: whom it names; ``number``: how many it is."""

    what: What
    number: int = 1
    about: Any = None
    people: Named | None = None
    since: date | None = None


def name_people(people: Iterable[str | Since], night: MessageContext, recipient: str) -> Named:
    """Name the first 20; nobody on the restricted list, unless this is the head of service."""
    dated = [(one, None) if isinstance(one, str) else one for one in people]
    hidden = hidden_from(recipient, night)
    shown = [(person, since) for person, since in dated if person not in hidden]
    listed = tuple(Reference(person, night.link(person), since) for person, since in shown[:MOST_NAMED])
    return Named(listed, len(shown) - len(listed), len(dated) - len(shown))


def hidden_from(recipient: str, night: MessageContext) -> Collection[str]:
    """Return the people whom only the head of service may see, to everybody else."""
    return night.routes.restricted if recipient != night.routes.head else frozenset()


def count_needs(needs: Iterable[Need]) -> Mapping[What, int]:
    """Return how many of each kind there are, in their order."""
    counts: dict[What, int] = {}
    for need in needs:
        counts[need.what] = counts.get(need.what, 0) + need.number
    return counts


def of_people(what: What, people: Named) -> Iterator[Need]:
    """Return the need of these people, if there are any."""
    if people.total:
        yield Need(what, people.total, people=people, since=people.since)
