"""The outbox: messages are saved with the changes they tell of, then delivered, every attempt a row.

    created -> sending -> delivered
                       -> temporary-failure   (tried again at the next delivery)
                       -> permanent-failure   (refused outright: given up)
                       -> technical-failure   (nobody knows whether it went: never sent again blindly)
    created, temporary-failure -> replaced    (by a later night's message to the same address, or because
                                               someone it tells of has been recorded as died since)

A flag is *told* to an address once a message reporting it was delivered there. Only what differs from the
last telling is recorded, so that a quiet night writes nothing.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select

from monitor.delivery import Channel, Envelope
from monitor.digests import ComingDue, FlagLine, Told
from monitor.digests import Message as Written
from monitor.errors import DeliveryError
from monitor.store import Store
from monitor.store.bulk import WIDE_READ, insert_rows, next_id
from monitor.store.tables import Attempt, Flag, Message, MessageComing, MessageFlag, Person, table_of

PENDING = ("created", "temporary-failure")


@dataclass(frozen=True)
class Memory:
    """What one address was last told: by flag, how it stood then; and when its last digest was accepted."""

    flags: Mapping[int, tuple[str, str, str]]
    """flag id to (person_id, severity, state)."""
    last_digest: dt.date | None
    perhaps_had: tuple[dt.date, ...] = ()
    """Dates of messages since then that may or may not have arrived."""
    coming: frozenset[tuple[str, str, dt.date]] = frozenset()
    """What it was told will come due: person_id, rule and the day."""

    def told(self) -> tuple[Told, ...]:
        """The flags still standing as this address knows them."""
        if self.last_digest is None:
            return ()
        return tuple(
            Told(flag_id, person_id, severity, self.last_digest)
            for flag_id, (person_id, severity, state) in self.flags.items()
            if state != "resolved"
        )

    def knows_resolved(self, flag_id: int) -> bool:
        known = self.flags.get(flag_id)
        return known is None or known[2] == "resolved"


NOTHING_TOLD = Memory({}, None)


def load_memory(connection: Connection, *, since: dt.date) -> dict[str, Memory]:
    """What each address was told of flags that are unresolved, or were resolved on or after ``since``."""
    message, reported, flag = table_of(Message), table_of(MessageFlag), table_of(Flag)
    digests = message.c.kind != "refused"
    newest = (
        func.row_number()
        .over(partition_by=(message.c.recipient, reported.c.flag_id), order_by=message.c.id.desc())
        .label("newest")
    )
    history = (
        select(message.c.recipient, reported.c.flag_id, flag.c.person_id, reported.c.severity, reported.c.state, newest)
        .join(message, message.c.id == reported.c.message_id)
        .join(flag, flag.c.id == reported.c.flag_id)
        .where(message.c.state == "delivered", or_(flag.c.resolved_on.is_(None), flag.c.resolved_on >= since))
        .subquery()
    )
    flags: defaultdict[str, dict[int, tuple[str, str, str]]] = defaultdict(dict)
    for row in connection.execute(select(history).where(history.c.newest == 1)):
        flags[row.recipient][row.flag_id] = (row.person_id, row.severity, row.state)
    accepted = (
        select(message.c.recipient, func.max(message.c.as_at))
        .where(message.c.state == "delivered", digests)
        .group_by(message.c.recipient)
    )
    last: dict[str, dt.date] = {row[0]: row[1] for row in connection.execute(accepted)}
    doubtful = (
        select(message.c.recipient, message.c.as_at)
        .where(message.c.state == "technical-failure", digests)
        .order_by(message.c.as_at)
    )
    perhaps: defaultdict[str, list[dt.date]] = defaultdict(list)
    for recipient, as_at in connection.execute(doubtful):
        if recipient not in last or as_at >= last[recipient]:
            perhaps[recipient].append(as_at)
    coming = _load_coming(connection, since)
    return {
        recipient: Memory(
            flags[recipient],
            last.get(recipient),
            tuple(dict.fromkeys(perhaps[recipient])),
            frozenset(coming.get(recipient, ())),
        )
        for recipient in {*flags, *last, *perhaps}
    }


def _load_coming(connection: Connection, since: dt.date) -> dict[str, set[tuple[str, str, dt.date]]]:
    message, said = table_of(Message), table_of(MessageComing)
    rows = connection.execute(
        select(message.c.recipient, said.c.person_id, said.c.rule, said.c.opens_on)
        .join(message, message.c.id == said.c.message_id)
        .where(message.c.state == "delivered", said.c.opens_on >= since)
    )
    found: defaultdict[str, set[tuple[str, str, dt.date]]] = defaultdict(set)
    for recipient, person_id, rule, opens_on in rows:
        found[recipient].add((person_id, rule, opens_on))
    return found


@dataclass(frozen=True)
class Posting:
    """A finished message with the flags it tells of that differ from the last telling: (flag id, severity, state).

    ``coming``: what it newly says will come due.
    """

    message: Written
    news: tuple[tuple[int, str, str], ...] = ()
    coming: tuple[ComingDue, ...] = ()


def tell(message: Written, lines: Iterable[FlagLine], memory: Memory) -> Posting:
    """``message`` with what it makes its reader newly know of ``lines``."""
    reported = set(message.flag_ids)
    news = []
    for line in lines:
        known = memory.flags.get(line.flag_id)
        stands = (line.severity, line.state)
        is_reported = line.flag_id in reported or (line.state == "resolved" and known is not None)
        if is_reported and (known is None or known[1:] != stands):
            news.append((line.flag_id, *stands))
    return Posting(message, tuple(news))


def post(
    connection: Connection, postings: Sequence[Posting], *, run_id: int, as_at: dt.date, created_at: dt.datetime
) -> None:
    """Save the messages, replacing what is still pending to the same addresses, inside the caller's transaction."""
    message = table_of(Message)
    recipients = {posting.message.recipient for posting in postings}
    if recipients:
        waiting = and_(message.c.state.in_(PENDING), message.c.recipient.in_(recipients))
        connection.execute(message.update().where(waiting).values(state="replaced"))
    first = next_id(connection, Message)
    numbered = list(enumerate(postings, start=first))
    columns = ("id", "key", "run_id", "as_at", "created_at", "state", "recipient", "kind", "subject", "text", "html",
               "people")  # fmt: skip
    rows = []
    for number, one in numbered:
        written = one.message
        words = (written.recipient, written.kind, written.subject, written.text, written.html)
        key = f"{as_at.isoformat()}-{run_id}-{number}"
        rows.append((number, key, run_id, as_at, created_at, "created", *words, json.dumps(written.people)))
    insert_rows(connection, Message, columns, rows)
    insert_rows(
        connection,
        MessageFlag,
        ("message_id", "flag_id", "severity", "state"),
        [(number, *news) for number, one in numbered for news in one.news],
    )
    insert_rows(
        connection,
        MessageComing,
        ("message_id", "person_id", "rule", "opens_on"),
        [(number, each.person_id, each.rule, each.opens_on) for number, one in numbered for each in one.coming],
    )


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
    def settled(self) -> bool:
        return not (self.to_retry or self.given_up or self.doubtful)


def deliver_due(store: Store, channel: Channel, *, sender: str, clock: Callable[[], dt.datetime]) -> Delivered:
    """Send every pending message once; each attempt is recorded before it is made and completed after."""
    counts = dict.fromkeys(("delivered", "temporary-failure", "permanent-failure", "technical-failure"), 0)
    counts["technical-failure"] = _settle_interrupted(store, channel)
    withheld = 0
    problems: list[str] = []
    message = table_of(Message)
    with store.reading() as connection:
        pending = select(message).where(message.c.state.in_(PENDING)).order_by(message.c.id)
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
                    sender,
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
            _move(connection, one.id, outcome)
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


def _move(connection: Connection, message_id: int, state: str) -> None:
    message = table_of(Message)
    connection.execute(message.update().where(message.c.id == message_id).values(state=state))


def _begin(connection: Connection, message_id: int, channel: str, now: dt.datetime) -> int:
    number = next_id(connection, Attempt)
    row = (number, message_id, channel, now)
    insert_rows(connection, Attempt, ("id", "message_id", "channel", "started_at"), [row])
    return number


def _finish(connection: Connection, number: int, outcome: str, detail: str | None, now: dt.datetime) -> None:
    attempt = table_of(Attempt)
    done = {"outcome": outcome, "detail": detail, "finished_at": now}
    connection.execute(attempt.update().where(attempt.c.id == number).values(done))
