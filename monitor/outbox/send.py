"""Sending what is due: every attempt is recorded before it is made and completed after."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, or_, select

from monitor.delivery.channel import Channel
from monitor.delivery.envelope import Envelope
from monitor.errors import DeliveryError
from monitor.outbox import attempts, failure_notice, in_doubt
from monitor.outbox.last_check import Readers, find_objection
from monitor.outbox.queue import PENDING
from monitor.store.database import Database
from monitor.store.tables import Message, table_of
from monitor.words import write_date
from monitor.workdays import london_date

if TYPE_CHECKING:
    from monitor.config.settings import Config

Clock = Callable[[], dt.datetime]
IN_A_ROW = 3
"""Messages of which nobody knows whether they went: after so many the rest wait for a later delivery."""
LONGEST_STOP = dt.timedelta(minutes=30)

_message = table_of(Message)


@dataclass(frozen=True)
class Delivered:
    """What one delivery did, in messages. ``stopped``: why the channel cannot be used, where it cannot."""

    delivered: int = 0
    to_retry: int = 0
    given_up: int = 0
    doubtful: int = 0
    withheld: int = 0
    problems: tuple[str, ...] = ()
    stopped: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """By what became of them, for the log."""
        return {name: number for name, number in vars(self).items() if isinstance(number, int)}

    @property
    def settled(self) -> bool:
        return not (self.to_retry or self.given_up or self.doubtful or self.stopped)


@dataclass
class Round:
    """One delivery under way."""

    database: Database
    channel: Channel
    config: "Config"
    clock: Clock
    readers: Readers
    delivered: int = 0
    to_retry: int = 0
    given_up: int = 0
    doubtful: int = 0
    withheld: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: str | None = None
    in_a_row: int = 0
    rejected: list[Any] = field(default_factory=list)
    """Refused in a way that may be the fault of the settings; until another goes, nobody knows."""

    def account(self) -> Delivered:
        return Delivered(
            self.delivered, self.to_retry, self.given_up, self.doubtful, self.withheld, tuple(self.problems),
            self.stopped,
        )  # fmt: skip


def deliver_due(
    database: Database, channel: Channel, config: "Config", *, clock: Clock, hurried: bool = False
) -> Delivered:
    """Send every message that is due, once each; what an earlier delivery left open is settled first.

    ``hurried``: do not wait for the time at which a failed one would be tried again. One message's failure leaves the
    others alone; where the channel itself cannot be used, the rest stay as they are.
    """
    this = Round(database, channel, config, clock, Readers(config))
    tried: set[int] = set()
    try:
        settled = in_doubt.settle(database, channel, most_repeats=in_doubt.MOST_REPEATS, clock=clock)
        this.delivered, this.doubtful, this.stopped = settled.accepted, settled.doubtful, settled.stopped
        this.problems += settled.problems
        while not this.stopped:
            failure_notice.report_troubles(database, config, clock())
            with database.reading() as store:
                found = store.execute(_due(clock(), hurried=hurried)).scalars().all()
            due = [number for number in found if number not in tried]
            if not due:
                break
            for number in due:
                tried.add(number)
                _deliver(this, number)
                if this.stopped:
                    break
            _blame(this)
    finally:
        channel.close()
    failure_notice.report_troubles(database, config, clock())
    return this.account()


def _due(now: dt.datetime, *, hurried: bool) -> Select[Any]:
    waited = or_(_message.c.next_attempt_at.is_(None), _message.c.next_attempt_at <= now)
    ripe = [_message.c.state.in_(PENDING), _message.c.due_at <= now]
    return select(_message.c.id).where(*ripe, *(() if hurried else (waited,))).order_by(_message.c.id)


def _deliver(this: Round, number: int) -> None:
    """One message: looked at for the last time, recorded as on its way, sent, and what came of it recorded."""
    with this.database.writing() as store:
        one = store.execute(select(_message).where(_message.c.id == number)).one()
        if not this.config.delivery.allows(one.recipient):
            why = "its address is outside delivery.allowed_domains"
            attempts.give_up(store, one, why, this.clock())
            this.given_up += 1
            this.problems.append(f"message {one.key}: {why}")
            return
        if objection := find_objection(store, one, this.readers):
            attempts.withhold(store, one, objection, this.clock())
            this.withheld += 1
            return
        now = this.clock()
        tracing = this.channel.tracing
        asked_at = now + tracing.settled_after if tracing else None
        attempts.move(store, one.id, "sending", next_attempt_at=asked_at, accepted_at=None, receipt=None)
        attempt = attempts.begin_attempt(store, one.id, this.channel.name, now)
    try:
        receipt = this.channel.send(_address(one, this.config.delivery.sender))
    except DeliveryError as fault:
        with this.database.writing() as store:
            _record_fault(this, store, one, attempt, fault)
        return
    with this.database.writing() as store:
        now = this.clock()
        attempts.accept(store, one, state=receipt.state, receipt=receipt.id, detail=receipt.words, now=now)
    this.delivered += 1
    this.in_a_row = 0


def _record_fault(this: Round, store: Connection, one: Any, attempt: int, fault: DeliveryError) -> None:
    now, why = this.clock(), str(fault)
    this.problems.append(f"message {one.key}: {fault}")
    if fault.ambiguous:
        attempts.finish_attempt(store, attempt, "technical-failure", why, now)
        if this.channel.tracing:
            asked_at = now + this.channel.tracing.settled_after
            since = one.doubtful_since or now
            attempts.move(store, one.id, "sending", next_attempt_at=asked_at, doubtful_since=since)
        else:
            attempts.hold(store, one, why, now)
        this.doubtful += 1
        this.in_a_row += 1
        if this.in_a_row >= IN_A_ROW:
            _stop(this, store, why, now)
    elif fault.stops:
        attempts.finish_attempt(store, attempt, "stopped", why, now)
        attempts.move(store, one.id, one.state, next_attempt_at=one.next_attempt_at)
        stops = attempts.count_attempts(store, one.id, "stopped")
        later = max(now + attempts.next_wait(stops, longest=LONGEST_STOP), fault.not_before or now)
        _stop(this, store, why, now, not_before=later)
    elif fault.permanent and not fault.perhaps_all:
        attempts.finish_attempt(store, attempt, "permanent-failure", why, now)
        attempts.give_up(store, one, why, now)
        this.given_up += 1
    elif fault.permanent:
        attempts.finish_attempt(store, attempt, "stopped", why, now)
        attempts.move(store, one.id, one.state, next_attempt_at=now + attempts.next_wait(1))
        this.rejected.append((one, why))
        if not this.delivered and len({refused.recipient for refused, _ in this.rejected}) > 1:
            _stop(this, store, why, now)
    else:
        attempts.finish_attempt(store, attempt, "temporary-failure", why, now)
        limit = this.config.delivery.most_attempts
        left = attempts.put_off(store, one, why, most_attempts=limit, now=now, not_before=fault.not_before)
        this.to_retry += left
        this.given_up += not left


def _stop(this: Round, store: Connection, why: str, now: dt.datetime, *, not_before: dt.datetime | None = None) -> None:
    """Nothing more is tried in this delivery, and none of the rest is blamed; an event says so, once a day."""
    this.stopped = why
    waiting = store.execute(_due(now, hurried=True)).scalars().all()
    this.to_retry += len(waiting)
    if not_before:
        for number in waiting:
            store.execute(_message.update().where(_message.c.id == number).values(next_attempt_at=not_before))
    attempts.record_once_a_day(store, "delivery stopped", why, now)


def _blame(this: Round) -> None:
    """Messages refused for what may be any message's fault: their own, unless two were and no other went."""
    if not this.rejected or this.stopped:
        return
    with this.database.writing() as store:
        for one, why in this.rejected:
            attempts.give_up(store, one, why, this.clock())
            this.given_up += 1
    this.rejected.clear()


def _address(one: Any, sender: str) -> Envelope:
    subject, text, html = one.subject, one.text, one.html
    if one.doubtful_since is not None:
        day = write_date(london_date(one.doubtful_since))
        words = f"This may be a repeat: nobody could tell whether the same message reached you on {day}."
        subject = f"{subject} (may be a repeat)"
        text = f"{words}\n\n{text}"
        html = re.sub(r"(<body\b[^>]*>)", lambda start: f"{start.group()}<p>{escape(words)}</p>", html, count=1)
    return Envelope(
        one.key, sender, one.recipient, subject, text, html, one.created_at, one.as_at, one.kind, one.attached
    )
