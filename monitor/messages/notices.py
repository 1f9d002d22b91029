"""Decides what is told beside the digests of a night: that it could not be run, or what was not taken."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.messages.parts import MessageContext

Matter = Literal["database", "defect", "unfinished", "settings", "outage", "ahead", "taken back", "bounces"]


@dataclass(frozen=True)
class Notice:
    """One short message about the service itself; it names no young person.

    ``since``: the last accepted night; ``repeat``: an earlier try at sending it was cut off, so it may be a copy.
    """

    recipient: str
    night: MessageContext
    matter: Matter
    reasons: tuple[str, ...] = ()
    since: dt.date | None = None
    repeat: bool = False
    flag_ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    template: str = "notice"

    @property
    def kind(self) -> str:
        # What corrects a digest is one, so that a later digest need not say it again.
        return {"outage": "outage", "taken back": "manager"}.get(self.matter, "alarm")


def compose_outage(recipients: Sequence[str], night: MessageContext, since: dt.date) -> list[Notice]:
    """Return the one line to everyone who leads or heads a team, that no night has been accepted since a date."""
    return [Notice(recipient, night, "outage", since=since) for recipient in recipients]
