"""Sends what is due, a few at once: every attempt is recorded before it is made and completed after.

One thread, the caller's, reads and writes the database, decides what goes and records what came of it; the couriers
carry messages to the channel and back, so that one slow answer holds up one reader.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from monitor.config.settings import Config
from monitor.delivery.channel import Channel
from monitor.delivery.envelope import Receipt
from monitor.errors import DeliveryError, DoubtfulRefusal
from monitor.messages.shared_readers import NOBODY_SHARED, SharedReaders
from monitor.outbox import attempts, failure_notice, in_doubt
from monitor.outbox.attempts import Progress
from monitor.outbox.couriers import Couriers, Delivery, Parcel
from monitor.outbox.envelopes import address
from monitor.outbox.last_check import Readers, find_objection
from monitor.outbox.queue import OF_A_NIGHT, PENDING
from monitor.store.database import Database
from monitor.store.tables import Message, table_of
from monitor.workdays import london_date

Clock = Callable[[], dt.datetime]
IN_A_ROW = 3
"""Messages of which nobody knows whether they went: after so many the rest wait for a later delivery."""
LONGEST_STOP = dt.timedelta(minutes=30)

_message = table_of(Message)


@dataclass(frozen=True)
class Choice:
    """Which of the due messages go. ``hurried``: those too that wait for the time of their next try.

    ``shared``: what a night wrote to these readers waits for the fleet, which sends it with other councils' messages.
    """

    hurried: bool = False
    shared: SharedReaders = NOBODY_SHARED

    def waits(self, recipient: str, kind: str) -> bool:
        return recipient in self.shared and kind in OF_A_NIGHT


EVERY_DUE = Choice()


@dataclass(frozen=True)
class Delivered:
    """What one delivery did, in messages. ``taken``: by a server that passes them on, and nobody knows yet that they
    arrived. ``stopped``: why the channel cannot be used, where it cannot.
    """

    delivered: int = 0
    taken: int = 0
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
    database: Database, channel: Channel, config: Config, *, clock: Clock, choice: Choice = EVERY_DUE
) -> Delivered:
    """Send every message that is due and chosen, once each; what an earlier delivery left open is resolved first.

    One message's failure leaves the others alone; where the channel itself cannot be used, the rest stay as they are.
    """
    delivery = DeliveryRound(database, channel, config, clock)
    try:
        in_doubt.resolve(database, channel, delivery, clock=clock)
        delivery.send_due(choice)
    finally:
        channel.close()
    failure_notice.report_troubles(database, config, clock())
    return Delivered(**delivery.counts, problems=tuple(delivery.problems), stopped=delivery.stopped)


def find_ripe(now: dt.datetime, choice: Choice) -> Select[Any]:
    """Return the query for what may go now: id, recipient and kind, oldest first."""
    waited = or_(_message.c.next_attempt_at.is_(None), _message.c.next_attempt_at <= now)
    ripe = [_message.c.state.in_(PENDING), _message.c.due_at <= now]
    return (
        select(_message.c.id, _message.c.recipient, _message.c.kind)
        .where(*ripe, *(() if choice.hurried else (waited,)))
        .order_by(_message.c.id)
    )


class DeliveryRound(Progress):
    """One delivery under way: what became of its messages so far, and whether the channel can still be used."""

    def __init__(self, database: Database, channel: Channel, config: Config, clock: Clock) -> None:
        super().__init__(config.data_folder)
        self._database, self._channel, self._config, self._clock = database, channel, config, clock
        self._settings = config.delivery
        self._readers = Readers(config, london_date(clock()))
        self._couriers = Couriers(channel)
        self._waiting: dict[int, str] = {}
        """Due and not yet tried, oldest first: the readers by message."""
        self._tried: set[int] = set()
        self._left: set[int] = set()
        """Due, and blamed for nothing, when the channel was stopped."""
        self._doubtful_in_a_row = 0
        self._rejected: list[tuple[Any, str]] = []
        """Refused in a way that may be the fault of the settings; until another goes, nobody knows."""
        self._defect: Exception | None = None

    def send_due(self, choice: Choice) -> None:
        """Send until nothing is due or the channel fails; what is on its way by then is waited for and recorded."""
        try:
            while self._begin_some(choice) or self._couriers.under_way or self.give_up_rejected():
                if self._couriers.under_way and (done := self._couriers.wait()):
                    self.finish(done)
        finally:
            self._couriers.dismiss()
        self.counts["to_retry"] += len(self._left)
        if self._defect is not None:
            raise self._defect

    def _begin_some(self, choice: Choice) -> bool:
        """Begin what can go now; return whether anything was."""
        begun = False
        while not self.stopped:
            number = self._choose() or (self._look(choice) and self._choose())
            if not number:
                break
            if parcel := self.begin(number):
                self._couriers.give(parcel)
            begun = True
        return begun

    def _choose(self) -> int | None:
        """Return the oldest message that waits and whose reader has none on its way."""
        return next((number for number, reader in self._waiting.items() if self._couriers.can_take(reader)), None)

    def _look(self, choice: Choice) -> bool:
        """Look at what is due by now, the notices of what went wrong so far among it, where a courier is free."""
        if not self._couriers.has_room:
            return False
        failure_notice.report_troubles(self._database, self._config, self._clock())
        with self._database.reading() as store:
            found = store.execute(find_ripe(self._clock(), choice)).all()
        self._waiting = {
            number: reader
            for number, reader, kind in found
            if number not in self._tried and not choice.waits(reader, kind)
        }
        return True

    def begin(self, number: int, *, mail: str | None = None) -> Parcel | None:
        """Look at one message for the last time and record it as on its way; return None where it must not go.

        ``mail``: the key of the mail in which it goes together with other councils'.
        """
        self._waiting.pop(number, None)
        self._tried.add(number)
        with self._database.writing() as store:
            message = store.execute(select(_message).where(_message.c.id == number)).one()
            if self._is_kept_back(store, message):
                return None
            now = self._clock()
            asked_at = self._when_to_ask(now)
            envelope = address(store, message, self._config, self._readers.routes.restricted)
            if mail is not None:
                attempts.join(store, message, mail, now)
            attempt = attempts.begin_attempt(store, message.id, self._channel.name, now)
            attempts.tell(store, message, "message tried", now, state="sending", next_attempt_at=asked_at)
        return Parcel(message, attempt, envelope)

    def finish(self, done: Delivery) -> None:
        """Record what came of one message."""
        parcel, result = done.parcel, done.result
        if isinstance(result, Receipt):
            self._record_taken(parcel, result)
        elif isinstance(result, DeliveryError):
            self.problems.append(f"message {parcel.message.key}: {result}")
            with self._database.writing() as store:
                self._record_fault(store, parcel.message, parcel.attempt, result)
        else:
            self._defect = self._defect or result
            self.stopped = self.stopped or "a defect of the monitor's"

    def _record_taken(self, parcel: Parcel, receipt: Receipt) -> None:
        self.note_sent(parcel.message, parcel.attempt, self._clock())
        with self._database.writing() as store:
            attempts.accept(store, parcel.message, receipt, self._clock())
        self.count_sent(receipt.state)
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
            stands = {"state": message.state, "next_attempt_at": message.next_attempt_at}
            attempts.tell(store, message, attempts.WAITS, now, why, **stands)
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
            open_ended = {"state": "sending", "next_attempt_at": asked_at, "doubtful_since": since}
            attempts.tell(store, message, attempts.WAITS, now, why, **open_ended)
        else:
            attempts.hold(store, message, why, now)
        self.counts["doubtful"] += 1
        self._doubtful_in_a_row += 1
        if self._doubtful_in_a_row >= IN_A_ROW:
            self._stop(store, why, now)

    def _set_aside(self, store: Connection, message: Any, why: str, now: dt.datetime) -> None:
        """Keep a message refused for what may be any message's fault until another has gone or been refused."""
        later = now + attempts.next_wait(1)
        attempts.tell(store, message, attempts.WAITS, now, why, state=message.state, next_attempt_at=later)
        self._rejected.append((message, why))
        if not self.any_went and len({refused.recipient for refused, _ in self._rejected}) > 1:
            self._stop(store, why, now)

    def _stop(self, store: Connection, why: str, now: dt.datetime, *, not_before: dt.datetime | None = None) -> None:
        """Try nothing more in this delivery, and blame none of the rest; an event says so, once a day."""
        self.stopped = why
        waiting = store.execute(find_ripe(now, Choice(hurried=True))).scalars().all()
        self._left.update(waiting)
        if not_before:
            attempts.put_off_all(store, waiting, not_before, now)
        attempts.record_once_a_day(store, "delivery stopped", why, now)

    def give_up_rejected(self) -> bool:
        """Give up the messages set aside: the fault is their own, unless two were refused and no other went."""
        if not self._rejected or self.stopped:
            return False
        with self._database.writing() as store:
            for message, why in self._rejected:
                attempts.give_up(store, message, why, self._clock())
                self.counts["given_up"] += 1
        self._rejected.clear()
        return True


def _outcome_of(fault: DeliveryError) -> str:
    if fault.ambiguous:
        return "technical-failure"
    if fault.stops or isinstance(fault, DoubtfulRefusal):
        return "stopped"
    return "permanent-failure" if fault.permanent else "temporary-failure"
