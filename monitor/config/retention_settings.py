"""How long what the monitor keeps is kept."""

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator

from monitor.config.fields import Table
from monitor.durations import SHORTEST_DAYS, parse_duration

FOREVER = "forever"
SHORTEST = 7
SHORTEST_RESOLVED = 60
"""In days. Resolved flags are still told of, and may still be put right, for weeks."""


def _time_to_keep(keep: str, least: int = SHORTEST) -> str:
    if keep == FOREVER:
        return keep
    try:
        duration = parse_duration(keep)
    except ValueError as fault:
        raise ValueError(f'{fault}; or "{FOREVER}"') from None
    if duration.unit not in SHORTEST_DAYS:
        raise ValueError(f'"{keep}" is in working days; write days, weeks, months or years; or "{FOREVER}"')
    if duration.days(SHORTEST_DAYS) < least:
        raise ValueError(f'"{keep}" is too short; at least {least} days, or "{FOREVER}"')
    return keep


def oldest_kept(keep: str, today: dt.date) -> dt.date | None:
    """Return the first day of which something is still kept on ``today``; None if it is kept forever."""
    return None if keep == FOREVER else parse_duration(keep).before(today)


Keep = Annotated[str, AfterValidator(_time_to_keep)]
KeepResolved = Annotated[str, AfterValidator(lambda keep: _time_to_keep(keep, SHORTEST_RESOLVED))]


class Retention(Table):
    """How long each thing is kept, in words or ``forever``; what is older goes at night. Dates and counts stay.

    ``snapshots``: two years of nights can be explained and replayed, which spans two yearly returns; the newest always
    stays. ``resolved_flags``: what a flag said, from the day it was resolved, as long as the night it was about can be
    explained. ``messages``: their words, for a year, as long as a young person has to complain of what was done.
    ``exports``: exception lists, which are worked off within weeks; the newest always stay. ``outbox``: the files of
    the folder channel, which are copies of messages and have been taken by then. ``logs``: as long as it may take to
    look into a fault. ``backups``: those that the monitor made; each holds everyone who was on record then.
    """

    snapshots: Keep = "2 years"
    resolved_flags: KeepResolved = "2 years"
    messages: Keep = "1 year"
    exports: Keep = "3 months"
    outbox: Keep = "1 month"
    logs: Keep = "3 months"
    backups: Keep = "3 months"

    def keeps_backup_until(self, made_on: dt.date) -> dt.date | None:
        """Return the last day on which a backup of that day is kept; None if it is kept forever."""
        return None if self.backups == FOREVER else parse_duration(self.backups).after(made_on)
