"""Records a message's way: attempts, states, and what went wrong, in the caller's transaction."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select
from sqlmodel import SQLModel

from monitor.errors import DeliveryError, MonitorError
from monitor.outbox import sent_file
from monitor.store import events
from monitor.store.bulk import insert_rows, next_id
from monitor.store.row_statements import say_rows
from monitor.store.tables import Attempt, FlagEvent, Message, table_of
from monitor.workdays import london_date

if TYPE_CHECKING:
    from monitor.delivery.envelope import Receipt

NOTICE = "undelivered"
"""The kind of message that tells of others; nothing tells of one."""

WAITS = "message waits"
"""The event of a message that nothing has happened to, or nobody knows what: it is left for later."""

_message, _attempt = table_of(Message), table_of(Attempt)


@dataclass
class Progress:
    """What has become of the messages of one delivery so far. ``stopped``: why the channel cannot be used any more;
    ``folder``: where what was sent is kept outside the database.
    """

    folder: Path

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    stopped: str | None = None

    def count_sent(self, state: str) -> None:
        """Count a message that went; only a receipt that says so calls it delivered."""
        self.counts["delivered" if state == "delivered" else "taken"] += 1

    @property
    def any_went(self) -> bool:
        return bool(self.counts["delivered"] + self.counts["taken"])

    def note_sent(self, message: Any, attempt: int, now: dt.datetime) -> None:
        """Keep outside the database that a message was taken; its record in the database follows in any case."""
        sent = (now, message.as_at, message.kind, attempt)
        try:
            sent_file.append(self.folder, sent_file.describe(message.key, message.recipient, sent))
        except MonitorError as fault:
            self.problems.append(str(fault))


def next_wait(failures: int, *, longest: dt.timedelta = dt.timedelta(hours=4)) -> dt.timedelta:
    """Return how long to leave a message after so many failures: a minute, then three times as long each time."""
    return dt.timedelta(seconds=min(60 * 3 ** (max(failures, 1) - 1), longest.total_seconds()))


def tell(store: Connection, message: Any, kind: str, now: dt.datetime, why: str | None = None, **changes: Any) -> None:
    """Change a message on its way, on record, with its newest attempt as that stands by now."""
    if changes:
        store.execute(_message.update().where(_message.c.id == message.id).values(changes))
    rows: dict[type[SQLModel], list[Mapping[str, Any]]] = {Message: [{"id": message.id, **changes}]}
    if last := last_attempt(store, message.id):
        rows[Attempt] = [last._mapping]
    record(store, kind, why, now, {"message": message.key, **say_rows(rows)})


def note_told(store: Connection, numbers: Sequence[int], now: dt.datetime) -> None:
    """Record that somebody has been told of the trouble of these messages."""
    store.execute(_message.update().where(_message.c.id.in_(numbers)).values(reported_at=now))
    record(store, "trouble told", None, now, say_rows({Message: ({"id": n, "reported_at": now} for n in numbers)}))


def begin_attempt(store: Connection, message_id: int, channel: str, now: dt.datetime) -> int:
    number = next_id(store, Attempt)
    row = (number, message_id, channel, now)
    insert_rows(store, Attempt, ("id", "message_id", "channel", "started_at"), [row])
    return number


def finish_attempt(store: Connection, number: int, outcome: str, detail: str | None, now: dt.datetime) -> None:
    done = {"outcome": outcome, "detail": detail, "finished_at": now}
    store.execute(_attempt.update().where(_attempt.c.id == number).values(done))


def last_attempt(store: Connection, message_id: int) -> Any | None:
    of_message = select(_attempt).where(_attempt.c.message_id == message_id)
    return store.execute(of_message.order_by(_attempt.c.id.desc()).limit(1)).first()


def count_attempts(store: Connection, message_id: int, outcome: str) -> int:
    counted = select(func.count()).where(_attempt.c.message_id == message_id, _attempt.c.outcome == outcome)
    return int(store.execute(counted).scalar_one())


def join(store: Connection, message: Any, mail: str, now: dt.datetime) -> None:
    """Record by which mail a message goes together with other councils'; ``mail``: that mail's own key."""
    tell(store, message, "message joined", now, receipt=mail)


def accept(store: Connection, message: Any, receipt: "Receipt", now: dt.datetime) -> None:
    """Record that the transport took the message; the receipt's state says whether more will be told of it."""
    if last := last_attempt(store, message.id):
        finish_attempt(store, last.id, receipt.state, receipt.words, now)
    taken: dict[str, Any] = {"state": receipt.state, "accepted_at": now, "receipt": receipt.id, "next_attempt_at": None}
    tell(store, message, "message accepted", now, **taken)


def put_off(store: Connection, message: Any, fault: DeliveryError, *, most_attempts: int, now: dt.datetime) -> bool:
    """Leave the message for a later attempt, or give it up after ``most_attempts``; return whether it is left."""
    failures = count_attempts(store, message.id, "temporary-failure")
    if failures >= most_attempts:
        give_up(store, message, f"given up after {failures} attempts; the last: {fault}", now)
        return False
    later = max(now + next_wait(failures), fault.not_before or now)
    untaken = {} if message.accepted_at is None else {"accepted_at": None, "receipt": None}
    waits: dict[str, Any] = {"state": "temporary-failure", "next_attempt_at": later, **untaken}
    tell(store, message, "message put off", now, str(fault), **waits)
    return True


def put_off_all(store: Connection, numbers: Sequence[int], later: dt.datetime, now: dt.datetime) -> None:
    """Leave these messages, which are blamed for nothing, for a later delivery."""
    for number in numbers:
        store.execute(_message.update().where(_message.c.id == number).values(next_attempt_at=later))
    record(store, WAITS, None, now, say_rows({Message: ({"id": n, "next_attempt_at": later} for n in numbers)}))


TROUBLES = {
    "permanent-failure": "delivery given up",
    "technical-failure": "delivery in doubt",
    "replaced": "message withheld",
}
"""The event that records each way in which a message does not arrive, by the state it ends in."""


def give_up(store: Connection, message: Any, why: str, now: dt.datetime) -> None:
    """End a message that will not arrive: its flags count as untold, and somebody is told of that."""
    _end(store, message, "permanent-failure", why, now)


def hold(store: Connection, message: Any, why: str, now: dt.datetime) -> None:
    """End a message of which nobody knows whether it went: it is never sent again, and the next digest says so."""
    _end(store, message, "technical-failure", why, now)


def withhold(store: Connection, message: Any, why: str, now: dt.datetime) -> None:
    """End a message that must not go any more; what it told of stays untold."""
    _end(store, message, "replaced", why, now)


def _end(store: Connection, message: Any, state: str, why: str, now: dt.datetime) -> None:
    told = now if message.kind == NOTICE else None
    since = message.doubtful_since or (now if state == "technical-failure" else None)
    ends = {"state": state, "trouble": why, "reported_at": told, "next_attempt_at": None, "doubtful_since": since}
    tell(store, message, TROUBLES[state], now, why, **ends)


def record(store: Connection, kind: str, why: str | None, now: dt.datetime, detail: dict[str, Any]) -> None:
    """Record an event that is about no young person."""
    day = london_date(now)
    events.record(store, [events.Event(kind, why=why, detail=detail)], as_at=day, recorded_at=now)


def record_once_a_day(store: Connection, kind: str, why: str, now: dt.datetime) -> None:
    happened, day = table_of(FlagEvent), london_date(now)
    known = select(happened.c.id).where(happened.c.kind == kind, happened.c.as_at == day).limit(1)
    if store.execute(known).first() is None:
        record(store, kind, why, now, {})
