"""Decides what is due at a moment, from the settings, the ledger and what the service has done; a function of values.

Whatever wakes the service, and however often, it does what is due here and nothing else. So one night is accepted per
date, whatever the clock does; a date on which the service was down is not run afterwards; and today's is caught up.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from monitor.config.settings import Config
from monitor.workdays import LONDON, london_date

Step = Literal["night", "deliver", "receipts", "bounces", "outage", "purge", "heartbeat", "ahead"]

OUTAGE_WORKING_DAYS = 3
OUTAGE_AGAIN_DAYS = 7
A_LITTLE = dt.timedelta(hours=1)
"""How far ahead a clock may have been without anybody being told."""
SETTLED_WITHIN = dt.timedelta(hours=2)
"""After a message was due, how long until the heartbeat gives up waiting for it."""
MOST_CUT_OFF = 5
"""A night cut off (a killed process) is run again at once so many times a day, then like one that failed."""


@dataclass(frozen=True)
class Facts:
    """What the database and the data folder say of a date.

    ``last_come``: the last accepted night that is not of a day to come. ``lists``: whether the date's have been
    written. ``failed_at``: when tries at it ended without being accepted; ``cut_off_at``: when it was found that a try
    had been killed. ``waiting_from``: when the next message may be sent or, in doubt, asked about;
    ``unsettled_since``: the oldest due time of those that are due until the end of the date and still on their way.
    ``taken_back``: somebody took the date's night back on that date, so that it is theirs to run again: from the same
    sources it would only be the same night.
    """

    last_accepted: dt.date | None = None
    last_come: dt.date | None = None
    lists: bool = False
    failed_at: tuple[dt.datetime, ...] = ()
    cut_off_at: tuple[dt.datetime, ...] = ()
    waiting_from: dt.datetime | None = None
    receipts: bool = False
    unsettled_since: dt.datetime | None = None
    outage_told_on: dt.date | None = None
    taken_back: bool = False


@dataclass(frozen=True)
class DoneByProcess:
    """What this process has done, as far as the database does not say, or cannot while it is out of reach.

    ``failed_at``: tries at a night that the ledger knows nothing of. ``refused_at``: when the settings were last found
    not to be valid. ``ahead_on``: when the analyst was told of an accepted night of a day to come, ``ahead_at``: when
    that was last tried.
    """

    accepted_on: dt.date | None = None
    failed_at: tuple[dt.datetime, ...] = ()
    delivered_at: dt.datetime | None = None
    receipts_at: dt.datetime | None = None
    bounces_at: dt.datetime | None = None
    purged_on: dt.date | None = None
    settled_on: dt.date | None = None
    outage_on: dt.date | None = None
    ahead_on: dt.date | None = None
    ahead_at: dt.datetime | None = None
    refused_at: dt.datetime | None = None


def plan(config: Config, facts: Facts, done: DoneByProcess, now: dt.datetime) -> tuple[Step, ...]:
    """Return what is due now, in the order in which it is to be done."""
    if not _is_time(done.refused_at, config.service.deliver_every_minutes, now):
        return ()
    there = now.astimezone(LONDON)
    today = there.date()
    accepted = _last(facts.last_accepted, done.accepted_on)
    steps: list[Step] = []
    if _is_ahead_told_of(config, facts, done, now):
        steps.append("ahead")
    if _is_night_due(config, facts, done, now, accepted):
        steps.append("night")
    if _is_outage_told_of(config, facts, done, there):
        steps.append("outage")
    if _has_passed(facts.waiting_from, now) and _is_time(done.delivered_at, config.service.deliver_every_minutes, now):
        steps.append("deliver")
    if facts.receipts and _is_time(done.receipts_at, config.service.receipts_every_minutes, now):
        steps.append("receipts")
    if config.delivery.bounces and accepted and _is_time(done.bounces_at, config.service.receipts_every_minutes, now):
        steps.append("bounces")
    if accepted == today:
        if done.purged_on != today:
            steps.append("purge")
        if done.settled_on != today and _is_settled(facts, now):
            steps.append("heartbeat")
    return tuple(steps)


def _is_night_due(
    config: Config, facts: Facts, done: DoneByProcess, now: dt.datetime, accepted: dt.date | None
) -> bool:
    """The hour has passed, and the date is not done; one that failed is tried again after a while, some times."""
    there = now.astimezone(LONDON)
    today, service = there.date(), config.service
    if there.time() < service.run_at or (accepted is not None and accepted > today):
        return False
    if facts.lists if accepted == today else facts.taken_back:
        return False
    unknown = (at for at in done.failed_at if london_date(at) == today)
    failed = sorted((*facts.failed_at, *unknown, *facts.cut_off_at[MOST_CUT_OFF:]))
    return len(failed) <= service.retries and _is_time(failed[-1] if failed else None, service.retry_after_minutes, now)


def is_ahead(facts: Facts, now: dt.datetime) -> bool:
    """Return whether the last accepted night is of a day to come: the clock was ahead when it was run."""
    return facts.last_accepted is not None and facts.last_accepted > london_date(now)


def _is_ahead_told_of(config: Config, facts: Facts, done: DoneByProcess, now: dt.datetime) -> bool:
    """Once a day, unless the day comes within the hour: a clock that was a little ahead stops nothing."""
    if not (is_ahead(facts, now) and is_ahead(facts, now + A_LITTLE)) or done.ahead_on == london_date(now):
        return False
    return _is_time(done.ahead_at, config.service.deliver_every_minutes, now)


def _is_outage_told_of(config: Config, facts: Facts, done: DoneByProcess, there: dt.datetime) -> bool:
    """At the send hour of a working day, when nights of three working days were not accepted; then weekly.

    What a clock that was ahead accepted, or told, of days to come counts for nothing.
    """
    today = there.date()
    told = _last(*_leave_out_days_to_come((facts.outage_told_on, done.outage_on), today))
    accepted = _last(*_leave_out_days_to_come((facts.last_accepted, facts.last_come, done.accepted_on), today))
    if accepted is None or there.time() < config.delivery.send_hour or not config.working_days.includes(today):
        return False
    if config.working_days.between(accepted, find_newest_night(config, there)) < OUTAGE_WORKING_DAYS:
        return False
    return told is None or told <= accepted or (today - told).days >= OUTAGE_AGAIN_DAYS


def find_newest_night(config: Config, now: dt.datetime) -> dt.date:
    """Return the newest date whose night should have been run by now."""
    there = now.astimezone(LONDON)
    return there.date() if there.time() >= config.service.run_at else there.date() - dt.timedelta(1)


def _is_settled(facts: Facts, now: dt.datetime) -> bool:
    """Nothing that is due today is still on its way, or it has been for too long to wait for."""
    return facts.unsettled_since is None or now - facts.unsettled_since > SETTLED_WITHIN


def next_night(config: Config, facts: Facts, now: dt.datetime) -> dt.datetime:
    """Return when the next night begins, if the service runs; now, if it should have begun."""
    there = now.astimezone(LONDON)
    if facts.last_accepted is not None and facts.last_accepted > there.date():
        return dt.datetime.combine(facts.last_accepted + dt.timedelta(1), config.service.run_at, LONDON)
    today = dt.datetime.combine(there.date(), config.service.run_at, LONDON)
    if now < today:
        return today
    if _is_night_due(config, facts, DoneByProcess(), now, facts.last_accepted):
        return there
    tries = len(facts.failed_at)
    if facts.last_accepted != there.date() and 0 < tries <= config.service.retries:
        return max(facts.failed_at).astimezone(LONDON) + dt.timedelta(minutes=config.service.retry_after_minutes)
    return dt.datetime.combine(there.date() + dt.timedelta(1), config.service.run_at, LONDON)


def _last(*days: dt.date | None) -> dt.date | None:
    return max((day for day in days if day is not None), default=None)


def _leave_out_days_to_come(days: Iterable[dt.date | None], today: dt.date) -> list[dt.date]:
    return [day for day in days if day is not None and day <= today]


def _has_passed(moment: dt.datetime | None, now: dt.datetime) -> bool:
    return moment is not None and moment <= now


def _is_time(last: dt.datetime | None, minutes: int, now: dt.datetime) -> bool:
    """Whether so many minutes have passed; also when the clock was set back since."""
    return last is None or not last <= now < last + dt.timedelta(minutes=minutes)
