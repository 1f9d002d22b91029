"""What became of messages that a service took: asked for until it is final, for 72 hours at most."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from monitor.config.settings import Config
from monitor.delivery.channel import Channel
from monitor.errors import DeliveryError
from monitor.messages.parts import DIGESTS
from monitor.outbox import attempts
from monitor.store.database import Database
from monitor.store.tables import Message, table_of

LONGEST_WAIT = dt.timedelta(hours=72)
MOST_ATTEMPTS = 3
"""Times a message is taken and then not delivered, each of which is found out after hours."""

_message = table_of(Message)


@dataclass(frozen=True)
class Received:
    """What asking for receipts found, in messages."""

    delivered: int = 0
    failed: int = 0
    awaited: int = 0
    problems: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """By what became of them, for the log."""
        return {name: number for name, number in vars(self).items() if isinstance(number, int)}


def poll_receipts(
    database: Database, channel: Channel, config: Config, *, clock: Callable[[], dt.datetime]
) -> Received:
    """Ask about every message that was taken and has no final state; what failed is told of at the next delivery."""
    counts = {"delivered": 0, "failed": 0, "awaited": 0}
    problems: list[str] = []
    taken = select(_message).where(_message.c.state == "sending", _message.c.accepted_at.is_not(None))
    with database.reading() as store:
        waiting = store.execute(taken.order_by(_message.c.id)).all()
    tracing = channel.tracing
    for message in waiting:
        state = None
        if tracing is not None and message.receipt is not None:
            try:
                state = tracing.ask(message.receipt)
            except DeliveryError as fault:
                problems.append(str(fault))
                tracing = None if fault.stops else tracing
        with database.writing() as store:
            counts[record_state(store, message, state, clock())] += 1
    channel.close()
    return Received(**counts, problems=tuple(dict.fromkeys(problems)))


def record_state(store: Connection, message: Any, state: str | None, now: dt.datetime) -> str:
    """Record what is known of a message that was taken: delivered, failed, or awaited."""
    if state == "delivered":
        _note(store, attempts.last_attempt(store, message.id), "delivered", now)
        attempts.tell(store, message, "message delivered", now, state="delivered")
        return "delivered"
    if state == "permanent-failure":
        record_failure(store, message, "it could not be delivered (permanent-failure); check the address", now)
        return "failed"
    if state in ("temporary-failure", "technical-failure"):
        record_failure_for_now(store, message, f"it was taken and could not be delivered for now ({state})", now)
        return "failed"
    if message.accepted_at is not None and now - message.accepted_at > LONGEST_WAIT:
        attempts.hold(store, message, "it was taken, and for 72 hours nobody said that it arrived", now)
        return "failed"
    return "awaited"


def record_failure(store: Connection, message: Any, why: str, now: dt.datetime) -> None:
    """Record that a message that was taken will not arrive."""
    _note(store, attempts.last_attempt(store, message.id), "permanent-failure", now)
    attempts.give_up(store, message, why, now)


def record_failure_for_now(store: Connection, message: Any, why: str, now: dt.datetime) -> None:
    """Record that a message that was taken did not arrive, and put it off; not after a newer one."""
    _note(store, attempts.last_attempt(store, message.id), "temporary-failure", now)
    if find_newer(store, message):
        # Sending it after a newer one would only confuse; its news is untold again, and goes in the next.
        attempts.withhold(store, message, f"{why}, and a newer one has been written since", now)
    else:
        attempts.put_off(store, message, DeliveryError(why), most_attempts=MOST_ATTEMPTS, now=now)


def find_newer(store: Connection, message: Any) -> bool:
    """Return whether the same reader has been written a later digest of the same kind."""
    if message.kind not in DIGESTS:
        return False
    newer = select(_message.c.id).where(
        _message.c.recipient == message.recipient, _message.c.kind == message.kind, _message.c.id > message.id,
        _message.c.state != "replaced",
    )  # fmt: skip
    return store.execute(newer.limit(1)).first() is not None


def _note(store: Connection, last: Any | None, outcome: str, now: dt.datetime) -> None:
    if last is not None:
        attempts.finish_attempt(store, last.id, outcome, last.detail, now)
