"""Durations in words and the dates they reach; a rule's other limits, and when a change loosens one."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from dateutil.relativedelta import relativedelta

from monitor.words import write_date

Unit = Literal["day", "week", "month", "year", "working day"]

LONGEST = {"day": 36_500, "week": 5_200, "month": 1_200, "year": 100, "working day": 2_500}
LONGEST_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}
SHORTEST_DAYS = {"day": 1, "week": 7, "month": 28, "year": 365}


class LimitFault(ValueError):
    """What is wrong with a limit and what would be right, without its place."""


@dataclass(frozen=True)
class Duration:
    """A length of time in one unit; months and years are calendar ones, added to the earlier date."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}" + ("" if self.count == 1 else "s")

    def after(self, day: date) -> date:
        """Return the date this long after a day; months are calendar ones. Not for working days."""
        return day + self._delta

    def before(self, day: date) -> date:
        """Return the date this long before a day."""
        return day - self._delta

    @property
    def _delta(self) -> relativedelta:
        return relativedelta(**{f"{self.unit}s": self.count})  # type: ignore[arg-type]

    def days(self, of_each: dict[str, int]) -> float:
        """About how many days, by the longest or the shortest month and year."""
        return self.count * (7 / 5 if self.unit == "working day" else of_each[self.unit])


Limit = Duration | int | float | date | tuple[str, ...]


def parse_duration(text: str) -> Duration:
    """A duration from words: "6 months", "56 days", "8 weeks", "10 working days", "1 year"."""
    found = re.fullmatch(r"(\d{1,6}) +(day|week|month|year|working +day)s?", text.strip().lower())
    if not found:
        raise LimitFault(f'"{text[:40]}" is not a duration; write it like "6 months", "8 weeks" or "10 working days"')
    count, unit = int(found[1]), re.sub(" +", " ", found[2])
    if count > LONGEST[unit]:
        raise LimitFault(f'"{text[:40]}" is too long; at most {LONGEST[unit]} {unit}s')
    return Duration(count, unit)  # type: ignore[arg-type]


def parse_limit(value: Any) -> Limit:
    """A limit from a TOML value."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool):
        raise LimitFault("true and false are not limits; write a duration, a number, a date or a list of codes")
    if isinstance(value, int | float):
        if not abs(value) < 1_000_000_000:
            raise LimitFault("the number is too large; at most 999999999")
        return value
    if isinstance(value, date) and type(value) is date:
        return value
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(code, str) for code in value):
            raise LimitFault('a list of codes holds text and is not empty, like ["F1", "P1"]')
        return tuple(value)
    raise LimitFault("not a limit; write a duration, a number, a date or a list of codes")


def kind(limit: Limit) -> str:
    """What kind of limit, in words for messages."""
    if isinstance(limit, Duration):
        return 'a duration in words, like "6 weeks"'
    if isinstance(limit, tuple):
        return "a list of codes"
    return "a date" if isinstance(limit, date) else "a number"


def words(limit: Limit) -> str:
    """The limit as a person reads it."""
    if isinstance(limit, tuple):
        return ", ".join(limit)
    return write_date(limit) if isinstance(limit, date) else str(limit)


def may_loosen(old: Limit, new: Limit, *, is_deadline: bool) -> bool:
    """Whether ``new`` could let through what ``old`` does not.

    A deadline (a duration that decides only when a breach begins) is loosened by any day it could come later.
    For anything else the direction cannot be told from the value, so every change counts.
    """
    if old == new:
        return False
    if is_deadline and isinstance(old, Duration) and isinstance(new, Duration):
        if old.unit == new.unit:
            return new.count > old.count
        return new.days(LONGEST_DAYS) > old.days(SHORTEST_DAYS)
    return True
