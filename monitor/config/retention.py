"""How long what the monitor keeps is kept."""

import calendar
import datetime as dt
import re
from typing import Annotated

from pydantic import AfterValidator

from monitor.config.fields import Table

FOREVER = "forever"
SHORTEST_DAYS = 7
SHORTEST_RESOLVED_DAYS = 60
"""Resolved flags are still told of, and may still be put right, for weeks."""

A_MONTH = 30
SIZES = {"day": 1, "week": 7, "month": A_MONTH, "year": 365}
MOST_DAYS = 36_500


def _parse(keep: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{1,5}) +(day|week|month|year)s?", keep.strip().lower())
    if not found:
        raise ValueError(f'"{keep[:40]}" is not a time to keep; write it like "90 days", "2 years" or "{FOREVER}"')
    return int(found[1]), found[2]


def _time_to_keep(keep: str, least: int = SHORTEST_DAYS) -> str:
    if keep == FOREVER:
        return keep
    count, unit = _parse(keep)
    if not least <= count * SIZES[unit] <= MOST_DAYS:
        raise ValueError(f'"{keep}" is too short or too long; at least {least} days, at most 100 years, or "{FOREVER}"')
    return keep


def oldest_kept(keep: str, today: dt.date) -> dt.date | None:
    """The first day of which something is still kept on ``today``; None if it is kept forever."""
    if keep == FOREVER:
        return None
    count, unit = _parse(keep)
    if unit in ("day", "week"):
        return today - dt.timedelta(count * SIZES[unit])
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return dt.date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


Keep = Annotated[str, AfterValidator(_time_to_keep)]
KeepResolved = Annotated[str, AfterValidator(lambda keep: _time_to_keep(keep, SHORTEST_RESOLVED_DAYS))]


class Retention(Table):
    """How long each thing is kept, in words or ``forever``; what is older goes at night. Dates and counts stay.

    ``snapshots``: two years of nights can be explained and replayed, which spans two yearly returns; the newest always
    stays. ``resolved_flags``: what a flag said, from the day it was resolved, as long as the night it was about can be
    explained. ``messages``: their words, for a year, as long as a young person has to complain of what was done.
    ``exports``: exception lists, which are worked off within weeks; the newest always stay. ``outbox``: the files of
    the folder channel, which are copies of messages and have been taken by then. ``logs``: as long as it may take to
    look into a fault.
    """

    snapshots: Keep = "2 years"
    resolved_flags: KeepResolved = "2 years"
    messages: Keep = "1 year"
    exports: Keep = "3 months"
    outbox: Keep = "1 month"
    logs: Keep = "3 months"
