"""Sends what is due: every attempt is recorded before it is made and completed after."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from monitor.config.settings import Config
from monitor.delivery.channel import Channel
from monitor.delivery.envelope import Envelope
from monitor.errors import DeliveryError, DoubtfulRefusal
from monitor.outbox import attempts, failure_notice, in_doubt
from monitor.outbox.attempts import Progress
from monitor.outbox.last_check import Readers, find_objection
from monitor.outbox.queue import PENDING
from monitor.store.database import Database
from monitor.store.tables import Message, table_of
from monitor.words import write_date
from monitor.workdays import london_date

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
    def all_went(self) -> bool:
        return not (self.to_retry or self.given_up or self.doubtful or self.stopped)


def deliver_due(
    database: Database, channel: Channel, config: Config, *, clock: Clock, hurried: bool = False
) -> Delivered:
    """Send every message that is due, once each; what an earlier delivery left open is resolved first.

    ``hurried``: do not wait for the time at which a failed one would be tried again. One message's failure leaves the
    others alone; where the channel itself cannot be used, the rest stay as they are.
    """
    delivery = DeliveryRound(database, channel, config, clock)
    tried: set[int] = set()
    try:
        in_doubt.resolve(database, channel, delivery, clock=clock)
        while not delivery.stopped:
            failure_notice.report_troubles(database, config, clock())
            with database.reading() as store:
                found = store.execute(_due(clock(), hurried=hurried)).scalars().all()
            due = [number for number in found if number not in tried]
            if not due:
                break
            tried.update(delivery.send_each(due))
    finally:
        channel.close()
    failure_notice.report_troubles(database, config, clock())
    return Delivered(**delivery.counts, problems=tuple(delivery.problems), stopped=delivery.stopped)


def _due(now: dt.datetime, *, hurried: bool) -> Select[Any]:
    waited = or_(_message.c.next_attempt_at.is_(None), _message.c.next_attempt_at <= now)
    ripe = [_message.c.state.in_(PENDING), _message.c.due_at <= now]
    return select(_message.c.id).where(*ripe, *(() if hurried else (waited,))).order_by(_message.c.id)


class DeliveryRound(Progress):
    """One delivery under way: what became of its messages so far, and whether the channel can still be used."""

    def __init__(self, database: Database, channel: Channel, config: Config, clock: Clock) -> None:
        super().__init__(config.data_folder)
        self._database, self._channel, self._clock = database, channel, clock
        self._settings = config.delivery
        self._readers = Readers(config)
        self._doubtful_in_a_row = 0
        self._rejected: list[tuple[Any, str]] = []
        """Refused in a way that may be the fault of the settings; until another goes, nobody knows."""

    def send_each(self, numbers: Iterable[int]) -> list[int]:
        """Send these messages until the channel fails; return those that were tried."""
        tried = []
        for number in numbers:
            tried.append(number)
            self._send(number)
            if self.stopped:
                break
        self._give_up_rejected()
        return tried

    def _send(self, number: int) -> None:
        """Look at one message for the last time, record it as on its way, send it, and record what came of it."""
        with self._database.writing() as store:
            message = store.execute(select(_message).where(_message.c.id == number)).one()
            if self._is_kept_back(store, message):
                return
            now = self._clock()
            asked_at = self._when_to_ask(now)
            attempts.move(store, message.id, "sending", next_attempt_at=asked_at, accepted_at=None, receipt=None)
            attempt = attempts.begin_attempt(store, message.id, self._channel.name, now)
        try:
            receipt = self._channel.send(_address(message, self._settings.sender))
        except DeliveryError as fault:
            self.problems.append(f"message {message.key}: {fault}")
            with self._database.writing() as store:
                self._record_fault(store, message, attempt, fault)
            return
        self.note_sent(message, attempt, self._clock())
        with self._database.writing() as store:
            attempts.accept(store, message, receipt, self._clock())
        self.counts["delivered"] += 1
        self._doubtful_in_a_row = 0

    def _is_kept_back(self, store: Connection, message: Any) -> bool:
        """Give up or withhold a message that must not go; return whether it was."""
        if not self._settings.allows(message.recipient):
            why = "its address is outside delivery.allowed_domains"
            attempts.give_up(store, message, why, self._clock())
            self.counts["given_up"] += 1
            self.problems.append(f"message {message.key}: {why}")
            return True
        objection = find_objection(store, message, self._readers)
        if objection:
            attempts.withhold(store, message, objection, self._clock())
            self.counts["withheld"] += 1
        return bool(objection)

    def _when_to_ask(self, now: dt.datetime) -> dt.datetime | None:
        tracing = self._channel.tracing
        return now + tracing.ask_after if tracing else None

    def _record_fault(self, store: Connection, message: Any, attempt: int, fault: DeliveryError) -> None:
        now, why = self._clock(), str(fault)
        outcome = _outcome_of(fault)
        attempts.finish_attempt(store, attempt, outcome, why, now)
        if fault.ambiguous:
            self._hold(store, message, why, now)
        elif fault.stops:
            attempts.move(store, message.id, message.state, next_attempt_at=message.next_attempt_at)
            stops = attempts.count_attempts(store, message.id, "stopped")
            later = max(now + attempts.next_wait(stops, longest=LONGEST_STOP), fault.not_before or now)
            self._stop(store, why, now, not_before=later)
        elif outcome == "stopped":
            self._set_aside(store, message, why, now)
        elif fault.permanent:
            attempts.give_up(store, message, why, now)
            self.counts["given_up"] += 1
        else:
            most = self._settings.most_attempts
            left = attempts.put_off(store, message, fault, most_attempts=most, now=now)
            self.counts["to_retry" if left else "given_up"] += 1

    def _hold(self, store: Connection, message: Any, why: str, now: dt.datetime) -> None:
        """Leave a message that may have gone until the service can be asked, or for ever where none can."""
        if self._channel.tracing:
            since = message.doubtful_since or now
            asked_at = self._when_to_ask(now)
            attempts.move(store, message.id, "sending", next_attempt_at=asked_at, doubtful_since=since)
        else:
            attempts.hold(store, message, why, now)
        self.counts["doubtful"] += 1
        self._doubtful_in_a_row += 1
        if self._doubtful_in_a_row >= IN_A_ROW:
            self._stop(store, why, now)

    def _set_aside(self, store: Connection, message: Any, why: str, now: dt.datetime) -> None:
        """Keep a message refused for what may be any message's fault until another has gone or been refused."""
        attempts.move(store, message.id, message.state, next_attempt_at=now + attempts.next_wait(1))
        self._rejected.append((message, why))
        if not self.counts["delivered"] and len({refused.recipient for refused, _ in self._rejected}) > 1:
            self._stop(store, why, now)

    def _stop(self, store: Connection, why: str, now: dt.datetime, *, not_before: dt.datetime | None = None) -> None:
        """Try nothing more in this delivery, and blame none of the rest; an event says so, once a day."""
        self.stopped = why
        waiting = store.execute(_due(now, hurried=True)).scalars().all()
        self.counts["to_retry"] += len(waiting)
        if not_before:
            for number in waiting:
                store.execute(_message.update().where(_message.c.id == number).values(next_attempt_at=not_before))
        attempts.record_once_a_day(store, "delivery stopped", why, now)

    def _give_up_rejected(self) -> None:
        """Give up the messages set aside: the fault is their own, unless two were refused and no other went."""
        if not self._rejected or self.stopped:
            return
        with self._database.writing() as store:
            for message, why in self._rejected:
                attempts.give_up(store, message, why, self._clock())
                self.counts["given_up"] += 1
        self._rejected.clear()


def _outcome_of(fault: DeliveryError) -> str:
    if fault.ambiguous:
        return "technical-failure"
    if fault.stops or isinstance(fault, DoubtfulRefusal):
        return "stopped"
    return "permanent-failure" if fault.permanent else "temporary-failure"


def _address(message: Any, sender: str) -> Envelope:
    subject, text, html = message.subject, message.text, message.html
    if message.doubtful_since is not None:
        day = write_date(london_date(message.doubtful_since))
        words = f"This may be a repeat: nobody could tell whether the same message reached you on {day}."
        subject = f"{subject} (may be a repeat)"
        text = f"{words}\n\n{text}"
        html = re.sub(r"(<body\b[^>]*>)", lambda start: f"{start.group()}<p>{escape(words)}</p>", html, count=1)
    content, dates = (subject, text, html), (message.created_at, message.as_at)
    return Envelope(message.key, sender, message.recipient, *content, *dates, message.kind, message.attached)
