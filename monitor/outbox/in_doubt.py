"""Messages that may or may not have gone: what a killed process or a lost answer left open, resolved before any other.

A folder can be written again. A service that can be asked is asked, never before its own timeout has passed, and only
a message it does not know is sent again, marked as a repeat, for a list may be late. Mail is held.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from monitor.delivery.channel import Channel, Tracing
from monitor.delivery.envelope import Receipt
from monitor.errors import DeliveryError
from monitor.outbox import attempts, receipts
from monitor.outbox.attempts import WAITS, Progress
from monitor.store.database import Database
from monitor.store.tables import Message, table_of

MOST_REPEATS = 2
"""Copies sent of a message after nobody knew whether it went; then it is held like mail."""
ASKED_FOR_AT_MOST = dt.timedelta(hours=72)

_message = table_of(Message)


def resolve(database: Database, channel: Channel, progress: Progress, *, clock: Callable[[], dt.datetime]) -> None:
    """Find out what became of every message left open, until the service cannot be asked, and add it to ``progress``.

    A message counts as doubtful while it is, and when it is held.
    """
    open_messages = select(_message).where(_message.c.state == "sending", _message.c.accepted_at.is_(None))
    with database.reading() as store:
        left = store.execute(open_messages.order_by(_message.c.id)).all()
    for message in left:
        now = clock()
        with database.writing() as store:
            tracing = _prepare(store, message, channel, now, progress)
        if tracing is not None:
            _ask(database, tracing, message, now, progress)
        if progress.stopped:
            break


def _prepare(store: Connection, message: Any, channel: Channel, now: dt.datetime, progress: Progress) -> Tracing | None:
    """Close the last attempt; return the service to ask about it, or None where that is needless or impossible."""
    last = attempts.last_attempt(store, message.id)
    if last is not None and last.finished_at is None:
        words = "the process ended before it knew what came of it"
        attempts.finish_attempt(store, last.id, "technical-failure", words, now)
        attempts.tell(store, message, WAITS, now, words)
    same = last is not None and last.channel == channel.name
    if same and channel.idempotent:
        attempts.tell(store, message, WAITS, now, "it can be sent again", state="created", next_attempt_at=None)
        return None
    if channel.tracing is None or not same:
        attempts.hold(store, message, "nobody knows whether it went; it is not sent again", now)
        progress.counts["doubtful"] += 1
        return None
    return channel.tracing


def _ask(database: Database, tracing: Tracing, message: Any, now: dt.datetime, progress: Progress) -> None:
    """Look one message up by its key, if the time has come."""
    if message.next_attempt_at is not None and now < message.next_attempt_at:
        progress.counts["doubtful"] += 1
        return
    try:
        found = tracing.look_up(message.key)
    except DeliveryError as fault:
        progress.counts["doubtful"] += 1
        progress.problems.append(f"message {message.key}: {fault}")
        if fault.stops:
            progress.stopped = str(fault)
        with database.writing() as store:
            _ask_later(store, message, fault, now)
        return
    with database.writing() as store:
        _record_answer(store, message, found, now, progress)


def _doubtful_since(store: Connection, message: Any, now: dt.datetime) -> dt.datetime:
    last = attempts.last_attempt(store, message.id)
    since: dt.datetime = message.doubtful_since or (last.started_at if last else now)
    return since


def _ask_later(store: Connection, message: Any, fault: DeliveryError, now: dt.datetime) -> None:
    """Leave a message about which the service could not be asked, for 72 hours at most."""
    since = _doubtful_since(store, message, now)
    if now - since > ASKED_FOR_AT_MOST:
        attempts.hold(store, message, "nobody knows whether it went, and the service could not be asked", now)
    else:
        later = max(now + attempts.next_wait(1), fault.not_before or now)
        waits = {"state": "sending", "next_attempt_at": later, "doubtful_since": since}
        attempts.tell(store, message, WAITS, now, str(fault), **waits)
    if fault.stops:
        attempts.record_once_a_day(store, "delivery stopped", str(fault), now)


def _record_answer(
    store: Connection, message: Any, found: Receipt | None, now: dt.datetime, progress: Progress
) -> None:
    """Record what the service knows of a message; send one it does not know again, but not for ever."""
    since = _doubtful_since(store, message, now)
    if found is not None:
        last = attempts.last_attempt(store, message.id)
        progress.note_sent(message, last.id if last else 0, now)
        attempts.accept(store, message, replace(found, state="sending"), now)
        receipts.record_state(store, message, found.state, now)
        progress.count_sent(found.state)
    elif attempts.count_attempts(store, message.id, "technical-failure") > MOST_REPEATS:
        attempts.hold(store, message, "nobody knows whether it went, after several attempts", now)
        progress.counts["doubtful"] += 1
    elif receipts.find_newer(store, message):
        # Its news is in the newer one, which says that the reader may have had some of it.
        ends = {"state": "replaced", "next_attempt_at": None, "doubtful_since": since}
        attempts.tell(store, message, "message withheld", now, "a newer one tells it", **ends)
    else:
        again = {"state": "created", "next_attempt_at": None, "doubtful_since": since}
        attempts.tell(store, message, WAITS, now, "the service does not know it", **again)
