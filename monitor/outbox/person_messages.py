"""A person's messages: which ones name them, for an account of the person and for their removal."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from monitor.store.tables import Message, table_of

WORDS = ("subject", "text", "html", "attached")


@dataclass(frozen=True)
class PersonMessage:
    """A message that names the person; not what it says of others. ``accepted_at``: when the transport took it."""

    id: int
    key: str
    as_at: dt.date
    created_at: dt.datetime
    accepted_at: dt.datetime | None
    recipient: str
    kind: str
    state: str
    subject: str


def load_person_messages(
    store: Connection, person_id: str, is_named_in: Callable[[str], bool] | None = None
) -> list[PersonMessage]:
    """Load every message that lists the person among those it is about, in order.

    With ``is_named_in``, which says whether a text names them, also those that name them in their words only.
    """
    message = table_of(Message)
    wanted = [message.c.people.contains(json.dumps(person_id), autoescape=True)]
    if is_named_in is not None:
        wanted += [message.c[name].contains(person_id, autoescape=True) for name in WORDS]
    messages = []
    for row in store.execute(select(message).where(or_(*wanted)).order_by(message.c.id)):
        texts = [getattr(row, name) or "" for name in WORDS]
        if person_id in json.loads(row.people) or (is_named_in is not None and any(map(is_named_in, texts))):
            messages.append(PersonMessage(**{name: getattr(row, name) for name in PersonMessage.__dataclass_fields__}))
    return messages
