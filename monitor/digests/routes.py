"""Who hears about whom: from a team's name to one address, and the exceptions to that."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from monitor.config import fold as fold_name

if TYPE_CHECKING:
    from monitor.config import People, Team

fold = lru_cache(maxsize=4096)(fold_name)
"""There are few teams and many lines."""

Unrouted = Literal["no team", "unknown team", "no lead"]


@dataclass(frozen=True)
class Routes:
    """Where each team's messages go. Addresses are in lower case, so that one mailbox is one recipient.

    ``leads`` is by team name and other names, folded; None is a team without a lead.
    """

    leads: Mapping[str, str | None]
    names: Mapping[str, tuple[str, ...]]
    fallback: str
    analyst: str
    head: str | None
    restricted: frozenset[str]

    def address(self, team: str | None, person_id: str) -> str | None:
        """The one address that may hear about this person; None when only the head may and there is none."""
        if person_id in self.restricted:
            return self.head
        return self.leads.get(fold(team or "")) or self.fallback

    def unrouted(self, team: str | None) -> Unrouted | None:
        """Why this team has no lead to tell; None when it has one."""
        key = fold(team or "")
        if not key:
            return "no team"
        if key not in self.leads:
            return "unknown team"
        return None if self.leads[key] else "no lead"

    def teams_of(self, recipient: str) -> tuple[str, ...]:
        """The teams this address leads, as the config spells them."""
        return self.names.get(recipient, ())

    def addresses(self, teams: Iterable[str | None]) -> list[tuple[str, str]]:
        """Each team name (blank as '') with its address, to join rows with; restricted people aside."""
        return [(team, self.leads.get(fold(team)) or self.fallback) for team in {team or "" for team in teams}]


def plan_routes(teams: Collection["Team"], people: "People", restricted: frozenset[str] = frozenset()) -> Routes:
    """The routes the config asks for; people whose team has no lead go to the fallback, else the analyst."""
    leads: dict[str, str | None] = {}
    names: dict[str, tuple[str, ...]] = {}
    for team in teams:
        lead = team.lead.lower() if team.lead else None
        leads.update(dict.fromkeys(map(fold, (team.name, *team.also_known_as)), lead))
        if lead:
            names[lead] = (*names.get(lead, ()), team.name)
    return Routes(
        leads=leads,
        names=names,
        fallback=(people.fallback or people.analyst).lower(),
        analyst=people.analyst.lower(),
        head=people.head.lower() if people.head else None,
        restricted=restricted,
    )
