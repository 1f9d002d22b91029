"""Since when a flag is in breach, as a message may say it: known, or at least since the night that first saw it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from monitor.messages.parts import FlagLine, MessageContext


@dataclass(frozen=True)
class Since:
    """The first day of a breach, or the night that saw it first where the beginning is not known; days since then."""

    day: date
    known: bool
    days: int


def tell_since(line: FlagLine, night: MessageContext) -> Since:
    """Return since when a flag is in breach, as ``figures.out_of_sight`` has it."""
    # Of a flag shown as another no more is said than the night that opened it, which tells nothing of which it is.
    in_full = night.shown(line).in_full
    began = min(line.in_breach_since or line.opened_on, night.as_at) if in_full else line.opened_on
    known = line.flag_id in night.seen or (in_full and line.due_on is not None)
    return Since(began, known, (night.as_at - began).days)


def find_oldest(lines: Iterable[FlagLine], night: MessageContext) -> tuple[FlagLine, Since] | None:
    """Return the flag that is in breach for the longest, and since when."""
    told = ((line, tell_since(line, night)) for line in lines)
    return min(told, key=lambda each: (each[1].day, not each[1].known, each[0].flag_id), default=None)
