"""Messages that may or may not have gone: what a killed process or a lost answer left open, settled before any other.

A folder can be written again. A service that can be asked is asked, never before its own timeout has passed, and only
a message it does not know is sent again, marked as a repeat, for a list may be late. Mail is held.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from monitor.delivery.channel import Channel, Tracing
from monitor.delivery.envelope import Receipt
from monitor.errors import DeliveryError
from monitor.outbox import attempts, receipts
from monitor.store.database import Database
from monitor.store.tables import Message, table_of

MOST_REPEATS = 2
"""Copies sent of a message after nobody knew whether it went; then it is held like mail."""
ASKED_FOR_AT_MOST = dt.timedelta(hours=72)

_message = table_of(Message)


@dataclass
class Settled:
    """What came of the messages left open; ``doubtful`` ones are still, or are held."""

    accepted: int = 0
    doubtful: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: str | None = None


def settle(
    database: Database, channel: Channel, *, clock: Callable[[], dt.datetime], most_repeats: int = MOST_REPEATS
) -> Settled:
    settled = Settled()
    open_ones = select(_message).where(_message.c.state == "sending", _message.c.accepted_at.is_(None))
    with database.reading() as store:
        left = store.execute(open_ones.order_by(_message.c.id)).all()
    for one in left:
        now = clock()
        with database.writing() as store:
            last = attempts.last_attempt(store, one.id)
            if last is not None and last.finished_at is None:
                words = "the process ended before it knew what came of it"
                attempts.finish_attempt(store, last.id, "technical-failure", words, now)
            same = last is not None and last.channel == channel.name
            if same and channel.idempotent:
                attempts.move(store, one.id, "created", next_attempt_at=None)
                continue
            tracing = channel.tracing
            if tracing is None or not same:
                attempts.hold(store, one, "nobody knows whether it went; it is not sent again", now)
                settled.doubtful += 1
                continue
        since = one.doubtful_since or (last.started_at if last else now)
        _ask(database, tracing, one, since, now, most_repeats, settled)
        if settled.stopped:
            break
    return settled


def _ask(
    database: Database,
    tracing: Tracing,
    one: Any,
    since: dt.datetime,
    now: dt.datetime,
    most_repeats: int,
    settled: Settled,
) -> None:
    """Look one message up by its key, if the time has come."""
    if one.next_attempt_at is not None and now < one.next_attempt_at:
        settled.doubtful += 1
        return
    try:
        found = tracing.look_up(one.key)
    except DeliveryError as fault:
        settled.doubtful += 1
        settled.problems.append(f"message {one.key}: {fault}")
        with database.writing() as store:
            if now - since > ASKED_FOR_AT_MOST:
                attempts.hold(store, one, "nobody knows whether it went, and the service could not be asked", now)
            else:
                later = max(now + attempts.next_wait(1), fault.not_before or now)
                attempts.move(store, one.id, "sending", next_attempt_at=later, doubtful_since=since)
            if fault.stops:
                settled.stopped = str(fault)
                attempts.record_once_a_day(store, "delivery stopped", str(fault), now)
        return
    with database.writing() as store:
        _believe(store, one, found, since, now, most_repeats, settled)


def _believe(
    store: Connection,
    one: Any,
    found: Receipt | None,
    since: dt.datetime,
    now: dt.datetime,
    most_repeats: int,
    settled: Settled,
) -> None:
    if found is not None:
        attempts.accept(store, one, state="sending", receipt=found.id, detail=found.words, now=now)
        receipts.take(store, one, found.state, now)
        settled.accepted += 1
    elif attempts.count_attempts(store, one.id, "technical-failure") > most_repeats:
        attempts.hold(store, one, "nobody knows whether it went, after several attempts", now)
        settled.doubtful += 1
    elif receipts.find_newer(store, one):
        # Its news is in the newer one, which says that the reader may have had some of it.
        attempts.move(store, one.id, "replaced", next_attempt_at=None, doubtful_since=since)
    else:
        attempts.move(store, one.id, "created", next_attempt_at=None, doubtful_since=since)
