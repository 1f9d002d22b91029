"""One flag as a message shows it, and what it is to a reader; the templates are compiled with it, and need no more."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Status = Literal["new", "worse", "reopened", "back", "flipping", "held", "open", "unsettled"]
"""What a flag is to an address. *Worse*: it was less severe when last told. *Reopened*: its waiver has ended.
*Flipping*: it keeps opening and clearing, and this address is told so now; *unsettled*: it has been told so, and is
told no more until the flag has been stable."""


@dataclass(frozen=True)
class Item:
    """One flag as a message shows it. A sensitive one is its cover's title, next step and due day only.

    ``before``: what stood on the record the night before. ``opened_on``: None where it may not be told. ``row``: where
    the reader's list has what may not be told here.
    """

    title: str | None
    status: Status
    in_full: bool
    is_held: bool
    because: str | None
    action: str | None
    before: tuple[str, ...]
    due_on: date | None
    days_over: int
    opened_on: date | None
    since_last_night: bool
    last_cleared_on: date | None
    flips: int
    unconfirmed: bool
    row: int | None
