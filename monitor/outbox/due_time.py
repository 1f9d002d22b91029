"""When a message may go: at once where a person asked, else when the people who read it are at work."""

import datetime as dt

from monitor.workdays import LONDON, is_working_day


def find_due(written_at: dt.datetime, *, unattended: bool, send_hour: dt.time) -> dt.datetime:
    """``written_at`` itself, or for an unattended night the next send hour of a working day in England."""
    if not unattended:
        return written_at
    there = written_at.astimezone(LONDON)
    day = there.date() if there.time() < send_hour else there.date() + dt.timedelta(1)
    while not is_working_day(day):
        day += dt.timedelta(1)
    return dt.datetime.combine(day, send_hour, LONDON).astimezone(dt.UTC)
