"""Since when the mailbox of delivery reports cannot be read, as the events say it."""

import datetime as dt
import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from monitor.store.tables import FlagEvent, table_of

NOT_READ, READ_AGAIN = "bounces not read", "bounces read again"
"""The events that say since when the mailbox cannot be read, and since when it can again."""


@dataclass(frozen=True)
class NotReadSince:
    """Since which day the mailbox cannot be read, and why it could not be then."""

    day: dt.date
    why: str


def find_not_read(store: Connection) -> NotReadSince | None:
    """Return since when the mailbox cannot be read; None while it can."""
    happened = table_of(FlagEvent)
    newest = select(happened).where(happened.c.kind.in_((NOT_READ, READ_AGAIN))).order_by(happened.c.id.desc()).limit(1)
    row = store.execute(newest).first()
    if row is None or row.kind == READ_AGAIN:
        return None
    return NotReadSince(row.as_at, json.loads(row.payload or "{}").get("why", ""))
