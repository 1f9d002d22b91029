"""Saves the night's messages, in the transaction that saves what they tell of, and says when they may go."""

import datetime as dt
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from monitor.messages.parts import DIGESTS, Posting
from monitor.store.bulk import insert_rows, next_id
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import TELLS, digest_telling, record_stamped, say
from monitor.store.tables import Message, MessageComing, MessageEscalation, MessageFlag, table_of
from monitor.workdays import LONDON, NEVER_CLOSED, WorkingDays

PENDING = ("created", "temporary-failure")
WENT = ("sending", "taken", "delivered")
"""The states of a message that was accepted: what it tells counts as told until it is known to have failed."""
REPLACES = {**dict.fromkeys(DIGESTS, frozenset((*DIGESTS, "refused", "cover"))), "refused": frozenset({"refused"})}
"""What is still pending of these kinds is replaced by a message of a kind."""
OF_A_NIGHT = frozenset((*REPLACES, "cover"))
"""The kinds of message that a night writes; the others say what went wrong, and wait for nothing."""
COLUMNS = ("id", "key", "run_id", "as_at", "created_at", "due_at", "state", "recipient", "kind", "subject", "text",
           "html", "people", "attached", "holds", "answerable")  # fmt: skip


@dataclass(frozen=True)
class Postmark:
    """Which run wrote the messages, for which date, when, and when they may go.

    ``on_duty_at``: when those may go that are for whoever is on duty on a closed day.
    """

    run_id: int
    as_at: dt.date
    created_at: dt.datetime
    due_at: dt.datetime
    on_duty_at: dt.datetime | None = None

    def new_key(self, number: int) -> str:
        """Return a key for one message.

        A service is asked about a message by its key, so no other database may ever have had the same.
        """
        return f"{self.as_at.isoformat()}-{self.run_id}-{secrets.token_hex(4)}-{number}"


def find_due(
    written_at: dt.datetime, *, unattended: bool, send_hour: dt.time, days: WorkingDays = NEVER_CLOSED
) -> dt.datetime:
    """Return when a message may go: at once where a person asked for the night.

    The messages of an unattended night wait for the next send hour of a working day.
    """
    if not unattended:
        return written_at
    there = written_at.astimezone(LONDON)
    day = there.date() if there.time() < send_hour else there.date() + dt.timedelta(1)
    return dt.datetime.combine(days.next_from(day), send_hour, LONDON).astimezone(dt.UTC)


def find_hour(written_at: dt.datetime, send_hour: dt.time) -> dt.datetime:
    """Return the send hour of the very day, whatever day it is; at once where it has struck."""
    day = written_at.astimezone(LONDON).date()
    return max(written_at, dt.datetime.combine(day, send_hour, LONDON).astimezone(dt.UTC))


def post(store: Connection, postings: Iterable[Posting], postmark: Postmark, *, beside: bool = False) -> int:
    """Save the messages as they come, inside the caller's transaction; return how many.

    ``beside``: what is still pending stays.

    A night that was accepted has decided again what every address is told, so it replaces every digest still pending,
    even to an address that is told nothing now, and what was said of an earlier refused night. Other kinds go.
    """
    first = number = next_id(store, Message)
    replaced: set[str] = set()
    stands: list[Mapping[str, Any]] = []
    for posting in postings:
        stands.append(_save(store, number, posting, postmark))
        number += 1
        replaces = REPLACES.get(posting.message.kind, frozenset())
        del posting
        if not beside and not replaces <= replaced:
            gone = _replace_pending(store, replaces, before=first)
            stands += ({"id": message, "state": "replaced"} for message in gone)
            replaced |= replaces
    if stands:
        stamp = Stamp(postmark.as_at, postmark.created_at, postmark.run_id)
        record_stamped(store, [Event("messages written", detail={"rows": {"message": stands}})], stamp)
    return number - first


def _save(store: Connection, number: int, posting: Posting, postmark: Postmark) -> dict[str, Any]:
    """Save one message and what it tells of; return what stands in its row, as an event says it."""
    row = _row(number, posting, postmark)
    insert_rows(store, Message, COLUMNS, [row])
    news = [tuple(flag) for flag in posting.news]
    insert_rows(store, MessageFlag, ("message_id", "flag_id", "severity", "state"), ((number, *flag) for flag in news))
    coming = [(due.person_id, due.rule, due.opens_on) for due in posting.coming]
    insert_rows(store, MessageComing, ("message_id", "person_id", "rule", "opens_on"), ((number, *c) for c in coming))
    steps = list(posting.escalations)
    insert_rows(store, MessageEscalation, ("message_id", "escalation_id"), ((number, step) for step in steps))
    return say(Message, dict(zip(COLUMNS, row, strict=True))) | {TELLS: digest_telling(news, coming, steps)}


def _replace_pending(store: Connection, kinds: Iterable[str], *, before: int) -> Sequence[int]:
    """Replace what is pending of these kinds; return the ids."""
    message = table_of(Message)
    waiting = and_(message.c.state.in_(PENDING), message.c.kind.in_(sorted(kinds)), message.c.id < before)
    ids = store.execute(select(message.c.id).where(waiting).order_by(message.c.id)).scalars().all()
    store.execute(message.update().where(waiting).values(state="replaced"))
    return ids


def _row(number: int, posting: Posting, postmark: Postmark) -> tuple[object, ...]:
    message = posting.message
    due_at = postmark.on_duty_at if message.kind == "duty" and postmark.on_duty_at else postmark.due_at
    written = (postmark.run_id, postmark.as_at, postmark.created_at, due_at, "created")
    words = (message.recipient, message.kind, message.subject, message.text, message.html, json.dumps(message.people))
    answerable = json.dumps(posting.answerable) if posting.answerable else None
    return (number, postmark.new_key(number), *written, *words, posting.attached, " ".join(message.holds), answerable)
