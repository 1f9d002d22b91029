"""Sending what is due: every attempt is recorded before it is made and completed after."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, or_, select

from monitor.delivery import Channel, Envelope
from monitor.errors import DeliveryError
from monitor.outbox.posting import PENDING
from monitor.store import Store
from monitor.store.bulk import WIDE_READ, insert_rows, next_id
from monitor.store.tables import Attempt, Message, Person, table_of

if TYPE_CHECKING:
    from monitor.config import Config


@dataclass(frozen=True)
class Delivered:
    """What one delivery did, in messages."""

    delivered: int = 0
    to_retry: int = 0
    given_up: int = 0
    doubtful: int = 0
    withheld: int = 0
    problems: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """By what became of them, for the log."""
        return {name: number for name, number in vars(self).items() if isinstance(number, int)}

    @property
    def settled(self) -> bool:
        return not (self.to_retry or self.given_up or self.doubtful)


def deliver_due(store: Store, channel: Channel, config: "Config", *, clock: Callable[[], dt.datetime]) -> Delivered:
    """Send every message that is due once; each attempt is recorded before it is made and completed after."""
    counts = dict.fromkeys(("delivered", "temporary-failure", "permanent-failure", "technical-failure"), 0)
    counts["technical-failure"] = _settle_interrupted(store, channel)
    withheld = 0
    problems: list[str] = []
    message = table_of(Message)
    with store.reading() as connection:
        now = clock()
        waited = or_(message.c.next_attempt_at.is_(None), message.c.next_attempt_at <= now)
        ripe = (message.c.state.in_(PENDING), message.c.due_at <= now, waited)
        pending = select(message).where(*ripe).order_by(message.c.id)
        due = connection.execute(pending).all()
    for one in due:
        with store.writing() as connection:
            if _died_since(connection, json.loads(one.people), one.as_at):
                _move(connection, one.id, "replaced")
                withheld += 1
                continue
            _move(connection, one.id, "sending")
            attempt = _begin(connection, one.id, channel.name, clock())
        outcome, detail = "delivered", None
        try:
            detail = channel.send(
                Envelope(
                    one.key,
                    config.delivery.sender,
                    one.recipient,
                    one.subject,
                    one.text,
                    one.html,
                    one.created_at,
                    as_at=one.as_at,
                    kind=one.kind,
                )
            )
        except DeliveryError as fault:
            outcome = (
                "technical-failure" if fault.ambiguous
                else "permanent-failure" if fault.permanent
                else "temporary-failure"
            )  # fmt: skip
            detail = str(fault)
            problems.append(f"message {one.key}: {fault}")
        with store.writing() as connection:
            _move(connection, one.id, outcome, accepted_at=clock() if outcome == "delivered" else None)
            _finish(connection, attempt, outcome, detail, clock())
        counts[outcome] += 1
    channel.close()
    return Delivered(
        counts["delivered"],
        counts["temporary-failure"],
        counts["permanent-failure"],
        counts["technical-failure"],
        withheld,
        tuple(problems),
    )


def _settle_interrupted(store: Store, channel: Channel) -> int:
    """Messages a killed process left in the middle of sending: sent again only where that cannot make a copy."""
    message = table_of(Message)
    state = "created" if channel.idempotent else "technical-failure"
    with store.writing() as connection:
        moved = connection.execute(message.update().where(message.c.state == "sending").values(state=state))
        return 0 if channel.idempotent else moved.rowcount


def _died_since(connection: Connection, people: Sequence[str], as_at: dt.date) -> bool:
    """Whether any of ``people`` was recorded as died on a night after the message's own, which knew of the rest."""
    person = table_of(Person)
    for start in range(0, len(people), WIDE_READ):
        named = person.c.person_id.in_(people[start : start + WIDE_READ])
        if connection.execute(select(person.c.person_id).where(named, person.c.died_on > as_at)).first():
            return True
    return False


def _move(connection: Connection, message_id: int, state: str, *, accepted_at: dt.datetime | None = None) -> None:
    message = table_of(Message)
    connection.execute(message.update().where(message.c.id == message_id).values(state=state, accepted_at=accepted_at))


def _begin(connection: Connection, message_id: int, channel: str, now: dt.datetime) -> int:
    number = next_id(connection, Attempt)
    row = (number, message_id, channel, now)
    insert_rows(connection, Attempt, ("id", "message_id", "channel", "started_at"), [row])
    return number


def _finish(connection: Connection, number: int, outcome: str, detail: str | None, now: dt.datetime) -> None:
    attempt = table_of(Attempt)
    done = {"outcome": outcome, "detail": detail, "finished_at": now}
    connection.execute(attempt.update().where(attempt.c.id == number).values(done))
