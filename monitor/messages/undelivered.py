"""Decides what is said of messages that did not arrive: to whom they were, why, and what becomes of their news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from monitor.messages.parts import DIGESTS, MessageContext

Fate = Literal["given up", "in doubt", "withheld"]
FATES: tuple[Fate, ...] = ("given up", "in doubt", "withheld")


@dataclass(frozen=True)
class Trouble:
    """One message and what happened to it. ``teams``: those its address leads."""

    fate: Fate
    recipient: str
    teams: tuple[str, ...]
    kind: str
    as_at: date
    why: str

    @property
    def is_digest(self) -> bool:
        """Whether its news goes into the next message to the same address."""
        return self.kind in DIGESTS


@dataclass(frozen=True)
class UndeliveredDigest:
    """What one reader is told of messages that did not arrive; it names no young person."""

    recipient: str
    night: MessageContext
    troubles: tuple[Trouble, ...]
    flag_ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    template: str = "undelivered"
    kind: str = "undelivered"
    holds: tuple[str, ...] = ()

    def of(self, fate: Fate) -> tuple[Trouble, ...]:
        return tuple(each for each in self.troubles if each.fate == fate)


def compose_undelivered(recipient: str, troubles: Sequence[Trouble], night: MessageContext) -> UndeliveredDigest:
    ordered = sorted(troubles, key=lambda each: (FATES.index(each.fate), each.recipient, each.as_at))
    return UndeliveredDigest(recipient, night, tuple(ordered))
