"""The nights a report tells of: the last accepted one, one for each week, and those it is compared with."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from monitor.durations import Duration
from monitor.errors import Problems
from monitor.report.contents import NotAccepted
from monitor.store.tables import Run, table_of

USUAL_DAYS = 364
"""How far back a report tells, if nobody says: fifty-two weeks."""
AS_GOOD_AS = 4
"""A night this many days before a date stands for it: no longer than the nights from Thursday to an Easter Tuesday."""


@dataclass(frozen=True)
class ReportRequest:
    """The report that is asked for: of fifty-two weeks up to ``made_on`` and every team, unless it says otherwise."""

    made_on: dt.date
    since: dt.date | None = None
    until: dt.date | None = None
    team: str | None = None
    board: bool = False

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise Problems([f"--from {self.since}: is after --to {self.until}; give the earlier date first"])
        if self.board and self.team is not None:
            raise Problems([
                "--board: is about every team, for one team's figures could be subtracted; leave out --team"
            ])  # fmt: skip


@dataclass(frozen=True)
class Nights:
    """The accepted nights of a period. ``last``: the run of the newest; ``latest``: whether none came after it.

    ``weeks``: the Monday of each week, and the last accepted night in it.
    """

    since: dt.date
    until: dt.date
    last: Any | None
    latest: bool = True
    weeks: tuple[tuple[dt.date, Any | None], ...] = ()
    week_ago: Any | None = None
    month_ago: Any | None = None
    not_accepted: tuple[NotAccepted, ...] = ()
    first_on: dt.date | None = None
    count: int = 0

    @property
    def counted(self) -> list[Any]:
        """Every night that the report has figures of."""
        nights = (*(night for _, night in self.weeks), self.last, self.week_ago, self.month_ago)
        return [night for night in nights if night is not None]


def find_nights(store: Connection, request: ReportRequest) -> Nights:
    """Return the nights of the report that is asked for."""
    run = table_of(Run)
    narrow = select(run.c.id, run.c.as_at).where(run.c.state == "accepted").order_by(run.c.as_at)
    accepted = store.execute(narrow).all()
    until = request.until or request.made_on
    known = [night for night in accepted if night.as_at <= until]
    since = request.since or (known[-1].as_at if known else until) - dt.timedelta(USUAL_DAYS)
    within = [night for night in known if night.as_at >= since]
    first_on = accepted[0].as_at if accepted else None
    if not within:
        return Nights(since, until, None, not_accepted=_not_accepted(store, None, until), first_on=first_on)
    last = store.execute(select(run).where(run.c.id == within[-1].id)).one()
    return Nights(
        since,
        until,
        last,
        latest=last.id == accepted[-1].id,
        weeks=_weeks(within, max(since, within[0].as_at)),
        week_ago=_find_nearest(known, last.as_at - dt.timedelta(7)),
        month_ago=_find_nearest(known, Duration(1, "month").before(last.as_at)),
        not_accepted=_not_accepted(store, last, until),
        first_on=first_on,
        count=len(within),
    )


def _weeks(nights: Sequence[Any], since: dt.date) -> tuple[tuple[dt.date, Any | None], ...]:
    last_of = {_monday(night.as_at): night for night in nights}
    first, last = _monday(since), _monday(nights[-1].as_at)
    mondays = [first + dt.timedelta(7 * n) for n in range((last - first).days // 7 + 1)]
    return tuple((monday, last_of.get(monday)) for monday in mondays)


def _monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(day.weekday())


def _find_nearest(nights: Sequence[Any], day: dt.date) -> Any | None:
    near = [night for night in nights if 0 <= (day - night.as_at).days <= AS_GOOD_AS]
    return near[-1] if near else None


def _not_accepted(store: Connection, last: Any | None, until: dt.date) -> tuple[NotAccepted, ...]:
    """The nights after the last accepted one that were tried: how the last try of each ended."""
    run = table_of(Run)
    tried = select(run.c.as_at, run.c.state, run.c.reason).where(
        run.c.state.in_(("refused", "failed")), run.c.as_at <= until
    )
    if last is not None:
        tried = tried.where(run.c.as_at > last.as_at)
    ended = {one.as_at: one for one in store.execute(tried.order_by(run.c.id))}
    return tuple(
        NotAccepted(day, one.state, tuple((one.reason or "").splitlines())) for day, one in sorted(ended.items())
    )
