"""The days on which the council is closed beside weekends and bank holidays, as the config writes them."""

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator

from monitor.words import one_line
from monitor.workdays import FIRST_YEAR, LAST_YEAR, WorkingDays

LONGEST = 42
"""Days in a row, weekends and bank holidays among them, without a working day: nobody would be mailed for longer."""
HOW = 'write one day or a range, and why if you like: "2026-06-01", "2026-12-25 to 2027-01-01 Christmas closure"'
DAY = r"\d{4}-\d{2}-\d{2}"
ENTRY = re.compile(rf"({DAY})(?:\s*(?:to|until|-|\u2013|\.\.|/)\s*({DAY}))?(?:[\s:,;(-]+(.*?)\)?)?", re.IGNORECASE)


@dataclass(frozen=True)
class ClosedDays:
    """One entry: from its first day up to and with its last, and why, if it says so."""

    first: dt.date
    last: dt.date
    why: str = ""

    @property
    def days(self) -> tuple[dt.date, ...]:
        return tuple(self.first + dt.timedelta(n) for n in range((self.last - self.first).days + 1))


def _read(value: object) -> ClosedDays:
    """Read a date as TOML has one, or a day or a range in text; raise ``ValueError``."""
    if isinstance(value, ClosedDays):
        return value
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = value.isoformat()
    found = ENTRY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or re.search(DAY, found[3] or ""):
        raise ValueError(HOW)
    first, last = (_read_day(text) for text in (found[1], found[2] or found[1]))
    if last < first:
        raise ValueError(f"ends on {last}, before it begins on {first}; put the earlier day first")
    if (last - first).days >= LONGEST:
        raise ValueError(f"is longer than {LONGEST} days, and nobody would be mailed all that time; check the years")
    return ClosedDays(first, last, one_line(found[3] or "")[:80])


def _read_day(text: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is no day of the calendar; {HOW}') from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"{text} is not of these years; check the year")
    return day


@lru_cache(maxsize=16)
def gather_days(entries: tuple[ClosedDays, ...]) -> WorkingDays:
    """Return the working days that are left; raise ``ValueError`` where there are none for too long."""
    closed = frozenset(day for entry in entries for day in entry.days)
    left = WorkingDays(closed)
    for day in closed:
        if (left.next_from(day) - day).days > LONGEST:
            raise ValueError(f"leaves no working day from {day} for more than {LONGEST} days; check the years")
    return left


Closure = Annotated[ClosedDays, BeforeValidator(_read)]
