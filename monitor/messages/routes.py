"""Who is told about whom: from a team's name to addresses, step by step upwards, and the exceptions to that."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

from monitor.config.delivery_settings import People, Team
from monitor.words import fold_name

fold = lru_cache(maxsize=4096)(fold_name)
"""There are few teams and many lines."""

Unrouted = Literal["no team", "unknown team", "no lead"]
Instead = Literal["restricted", "no team", "unknown team", "no manager", "no head"]
"""Why an escalation went to somebody other than its step says."""


@dataclass(frozen=True)
class Above:
    """Who is told of a team's flags after its lead. Addresses are in lower case."""

    manager: str | None
    head: str | None


@dataclass(frozen=True)
class Cover:
    """Somebody who reads a team's digest instead of its lead, up to and with a day."""

    team: str
    until: date
    lead: str | None = None


@dataclass(frozen=True)
class Routes:
    """Where each team's messages go. Addresses are in lower case, so that one mailbox is one recipient.

    ``leads`` is by team name and other names, folded, with the cover instead of the lead while there is one;
    None is a team without a lead. ``above`` is by the same names.
    """

    leads: Mapping[str, str | None]
    names: Mapping[str, tuple[str, ...]]
    fallback: str
    analyst: str
    head: str | None
    restricted: Collection[str]
    above: Mapping[str, Above] = field(default_factory=dict)
    covers: Mapping[str, tuple[Cover, ...]] = field(default_factory=dict)
    headed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Heads of some teams only, with those teams; the head of service is not among them."""
    spellings: Mapping[str, str] = field(default_factory=dict)
    """The team that each spelling means, as the config spells it; folded."""

    def address(self, team: str | None, person_id: str) -> str | None:
        """Return the one address that may be told about this person; None when only the head may and there is none."""
        if person_id in self.restricted:
            return self.head
        return self.leads.get(fold(team or "")) or self.fallback

    def escalate(self, step: str, team: str | None, person_id: str) -> tuple[str | None, Instead | None]:
        """Return who is told at a step above the lead, and why it is somebody else than the step says, if it is."""
        if person_id in self.restricted:
            return self.head, "restricted"
        key = fold(team or "")
        above = self.above.get(key, Above(None, None))
        head = above.head or self.head
        if step == "manager":
            if above.manager:
                return above.manager, None
            why: Instead = "no team" if not key else "no manager" if key in self.above else "unknown team"
            return head or self.fallback, why
        return (head, None) if head else (self.fallback, "no head")

    def unrouted(self, team: str | None) -> Unrouted | None:
        """Return why this team has no lead to tell; None when it has one."""
        key = fold(team or "")
        if not key:
            return "no team"
        if key not in self.leads:
            return "unknown team"
        return None if self.leads[key] else "no lead"

    def knows(self, team: str | None) -> bool:
        """Return whether the config has a team of this name, and so there is a list of its own."""
        return fold(team or "") in self.leads

    def roles_above(self, address: str) -> tuple[str, ...]:
        """Return what this address is above the leads: managers, heads, or both."""
        is_head = address == self.head or address in self.headed or any(a.head == address for a in self.above.values())
        is_manager = any(above.manager == address for above in self.above.values())
        return (*(("managers",) if is_manager else ()), *(("heads",) if is_head else ()))

    def is_in_use(self, address: str) -> bool:
        """Return whether anything may still go to this address."""
        usual = (self.fallback, self.analyst, self.head)
        return address in usual or address in self.names or bool(self.roles_above(address))

    def teams_of(self, recipient: str) -> tuple[str, ...]:
        """Return the teams this address leads, or covers for now, as the config spells them."""
        return self.names.get(recipient, ())

    def covered_by(self, recipient: str) -> tuple[Cover, ...]:
        """Return the teams for whose lead this address reads now."""
        return self.covers.get(recipient, ())

    def cover_of(self, team: str | None) -> Cover | None:
        """Return who reads instead of this team's lead now, if anybody."""
        key = fold(team or "")
        return next((cover for covers in self.covers.values() for cover in covers if fold(cover.team) == key), None)


def plan_routes(
    teams: Collection[Team],
    people: People,
    restricted: Collection[str] = frozenset(),
    *,
    as_at: date | None = None,
) -> Routes:
    """Return the routes of the config on ``as_at``; people whose team has no lead go to the fallback, else the analyst.

    Without a date no cover is in force.
    """
    leads: dict[str, str | None] = {}
    names: dict[str, tuple[str, ...]] = {}
    above: dict[str, Above] = {}
    covers: dict[str, tuple[Cover, ...]] = {}
    headed: dict[str, tuple[str, ...]] = {}
    spelt: dict[str, str] = {}
    for team in teams:
        reader = _lower(team.reader(as_at))
        spellings = [fold(name) for name in (team.name, *team.also_known_as)]
        spelt.update(dict.fromkeys(spellings, team.name))
        leads.update(dict.fromkeys(spellings, reader))
        above.update(dict.fromkeys(spellings, Above(_lower(team.manager), _lower(team.head))))
        if reader:
            names[reader] = (*names.get(reader, ()), team.name)
            cover = team.cover_on(as_at)
            if cover and reader != _lower(team.lead):
                covers[reader] = (*covers.get(reader, ()), Cover(team.name, cover.until, _lower(team.lead)))
        head = _lower(team.head)
        if head and head != _lower(people.head):
            headed[head] = (*headed.get(head, ()), team.name)
    fallback, analyst = (people.fallback or people.analyst).lower(), people.analyst.lower()
    return Routes(leads, names, fallback, analyst, _lower(people.head), restricted, above, covers, headed, spelt)


def _lower(address: str | None) -> str | None:
    return address.lower() if address else None
