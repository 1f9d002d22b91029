"""What one address was told: the value on which a night's news for it rests. The outbox loads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

from monitor.flags.priority import rank


class ToldFlag(NamedTuple):
    """How a flag stood when the address was last told of it."""

    person_id: str
    severity: str
    state: str = "open"


class TakenBack(NamedTuple):
    """A night that was taken back after the address was told of it: when, by whom, and of how many people it told."""

    as_at: date
    on: date
    by: str
    people: int = 0


@dataclass(frozen=True)
class Told:
    """What one address knows from the messages that were accepted there and have not failed since."""

    flags: Mapping[int, ToldFlag] = field(default_factory=dict)
    """By flag id."""
    last_digest: date | None = None
    perhaps_had: tuple[date, ...] = ()
    """Dates of messages since then that may or may not have arrived."""
    coming: frozenset[tuple[str, str, date]] = frozenset()
    """What it was told will come due: person_id, rule and the day."""
    parts: Mapping[str, date] = field(default_factory=dict)
    """When it last had each part of a message: lead, full, manager, summary, analyst."""
    taken_back: tuple[TakenBack, ...] = ()
    """Nights of which it was told, and that have been taken back since its last digest."""

    @cached_property
    def known(self) -> Mapping[int, ToldFlag]:
        """The flags that are unresolved, as far as this address knows."""
        return {flag_id: flag for flag_id, flag in self.flags.items() if flag.state != "resolved"}

    @cached_property
    def lead_flags(self) -> Mapping[int, ToldFlag]:
        """Those of ``known`` that a lead's digest told; the analyst's data flags are not part of one."""
        return {flag_id: flag for flag_id, flag in self.known.items() if flag.severity != "data"}

    @cached_property
    def severity(self) -> Mapping[str, int]:
        """The rank of each young person's most serious flag in ``lead_flags``."""
        worst: dict[str, int] = {}
        for person_id, severity, _ in self.lead_flags.values():
            place = rank(severity)
            if place <= worst.get(person_id, place):
                worst[person_id] = place
        return worst

    @property
    def lead_told_on(self) -> date | None:
        """The date of its last digest as a lead."""
        return self.parts.get("lead") or (self.last_digest if self.lead_flags else None)

    def says_flipping(self, flag_id: int) -> bool:
        """Return whether it was told that this flag keeps opening and clearing."""
        return flag_id in self.lead_flags and self.lead_flags[flag_id].state == "flipping"

    def knows_resolved(self, flag_id: int) -> bool:
        """Return whether it never knew of this flag, or knows that it is resolved."""
        return flag_id not in self.flags or self.flags[flag_id].state == "resolved"

    def is_due(self, part: str, since: date | None) -> bool:
        """Return whether a part that goes once a week is due: the last that was accepted is older than ``since``."""
        return since is not None and (part not in self.parts or self.parts[part] < since)


NOTHING_TOLD = Told()
