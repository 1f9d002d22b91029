"""Saving the night's messages, in the transaction that saves what they tell of."""

import datetime as dt
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_

from monitor.messages.parts import DIGESTS, ComingDue, FlagLine
from monitor.messages.parts import WrittenMessage as Written
from monitor.outbox.told import Memory
from monitor.store.bulk import insert_rows, next_id
from monitor.store.tables import Message, MessageComing, MessageEscalation, MessageFlag, table_of

PENDING = ("created", "temporary-failure")


@dataclass(frozen=True)
class Posting:
    """A finished message with the flags it tells of that differ from the last telling: (flag id, severity, state).

    ``coming``: what it newly says will come due. ``escalations``: those it tells of. ``attached``: the list that
    travels with it, as CSV.
    """

    message: Written
    news: tuple[tuple[int, str, str], ...] = ()
    coming: tuple[ComingDue, ...] = ()
    attached: str | None = None
    escalations: tuple[int, ...] = ()


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
    store: Connection,
    postings: Sequence[Posting],
    *,
    run_id: int,
    as_at: dt.date,
    created_at: dt.datetime,
    due_at: dt.datetime,
) -> None:
    """Save the messages, inside the caller's transaction.

    A night that was accepted has decided afresh what every address is to hear, so that every digest still pending is
    replaced, even to an address that hears nothing now; so is what was said of an earlier refused night. Other kinds
    are left to go.
    """
    message = table_of(Message)
    kinds = {posting.message.kind for posting in postings}
    replaced = (*DIGESTS, "refused") if kinds.intersection(DIGESTS) else tuple(kinds & {"refused"})
    if replaced:
        waiting = and_(message.c.state.in_(PENDING), message.c.kind.in_(replaced))
        store.execute(message.update().where(waiting).values(state="replaced"))
    first = next_id(store, Message)
    numbered = list(enumerate(postings, start=first))
    columns = ("id", "key", "run_id", "as_at", "created_at", "due_at", "state", "recipient", "kind", "subject", "text",
               "html", "people", "attached", "holds")  # fmt: skip
    rows = []
    for number, one in numbered:
        written = one.message
        words = (written.recipient, written.kind, written.subject, written.text, written.html)
        # A service is asked about a message by its key, so no other database may ever have had the same.
        key = f"{as_at.isoformat()}-{run_id}-{secrets.token_hex(4)}-{number}"
        rows.append(
            (
                number,
                key,
                run_id,
                as_at,
                created_at,
                due_at,
                "created",
                *words,
                json.dumps(written.people),
                one.attached,
                " ".join(written.holds),
            )
        )
    insert_rows(store, Message, columns, rows)
    insert_rows(
        store,
        MessageFlag,
        ("message_id", "flag_id", "severity", "state"),
        [(number, *news) for number, one in numbered for news in one.news],
    )
    insert_rows(
        store,
        MessageComing,
        ("message_id", "person_id", "rule", "opens_on"),
        [(number, each.person_id, each.rule, each.opens_on) for number, one in numbered for each in one.coming],
    )
    insert_rows(
        store,
        MessageEscalation,
        ("message_id", "escalation_id"),
        [(number, told) for number, one in numbered for told in one.escalations],
    )
