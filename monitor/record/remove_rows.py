"""Removes the rows that are about a person or name one: every table, whatever tables there are.

Rows of the person, and what hangs on them, go. Events, which are chained, and messages stay and are emptied. What
people wrote elsewhere no longer names the person.
"""

import json
from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, or_, select
from sqlmodel import SQLModel

from monitor.outbox.person_messages import load_person_messages
from monitor.record.purge import NO_WORDS, NOT_SENT
from monitor.record.trace import Trace
from monitor.store.events import in_payload
from monitor.store.tables import FlagEvent, Message, Removal, RemovedPerson, table_of

NOT_ABOUT_PEOPLE = (
    "rule_meanings", "rule_wordings", "supplied", "not_believed", "failed_rules", "last_values", "row",
)  # fmt: skip
"""Long text in which a number is never an id."""

TABLES = [table for table in SQLModel.metadata.sorted_tables if table.name != FlagEvent.__tablename__]


def remove_rows(store: Connection, trace: Trace) -> dict[str, int]:
    """Remove or empty every row that names the person; return how many, by table."""
    return _RowRemoval(store, trace).run()


class _RowRemoval:
    """One removal. ``gone``: the ids of the rows deleted so far, by table, on which other rows may hang."""

    def __init__(self, store: Connection, trace: Trace) -> None:
        self.store = store
        self.trace = trace
        self.gone: defaultdict[str, list[int]] = defaultdict(list)
        self.counts: Counter[str] = Counter()

    def run(self) -> dict[str, int]:
        for table in TABLES:
            if "person_id" in table.c and table.name != RemovedPerson.__tablename__:
                self.delete(table, table.c.person_id == self.trace.person_id)
        self.empty_events()
        self.empty_messages()
        while self.delete_what_hangs():
            pass
        removed = table_of(RemovedPerson)
        theirs = removed.c.person_id == self.trace.person_id
        self.store.execute(removed.update().where(theirs).values(person_id=None))
        if self.trace.is_telling:
            for table in TABLES:
                self.blot_notes(table)
        return {table: count for table, count in self.counts.items() if count}

    def delete(self, table: Table, theirs: ColumnElement[bool]) -> int:
        if "id" in table.c:
            self.gone[table.name] += self.store.execute(select(table.c.id).where(theirs)).scalars()
        deleted = self.store.execute(table.delete().where(theirs)).rowcount
        self.counts[table.name] += deleted
        return deleted

    def delete_what_hangs(self) -> int:
        """Delete the rows that point at rows that are gone, or make them point at nothing; return how many went."""
        deleted = 0
        for table in TABLES:
            for column in table.c:
                ids = [i for name, gone in self.gone.items() if f"_{column.name}".endswith(f"_{name}_id") for i in gone]
                if ids and column.nullable:
                    self.store.execute(table.update().where(column.in_(ids)).values({column.name: None}))
                elif ids:
                    deleted += self.delete(table, column.in_(ids))
        return deleted

    def empty_events(self) -> None:
        """Empty each event of the person, of their flags, or that names them; the rows stay, so the chain does."""
        event, flags = table_of(FlagEvent), set(self.gone["flag"])
        naming = event.c.payload.contains(in_payload(self.trace.person_id), autoescape=True)
        rows = self.store.execute(
            select(event.c.id, event.c.flag_id, event.c.payload).where(
                event.c.payload.is_not(None), or_(event.c.flag_id.in_(flags), naming)
            )
        )
        ids = [row.id for row in rows if row.flag_id in flags or self.is_named_in_payload(row.payload)]
        if ids:
            self.store.execute(event.update().where(event.c.id.in_(ids)).values(payload=None, salt=None))
        self.counts["flag_event"] += len(ids)

    def is_named_in_payload(self, payload: str) -> bool:
        return self.trace.is_in(payload) or self.trace.person_id in json.loads(payload).values()

    def empty_messages(self) -> None:
        """Empty each message that names the person; withdraw one not yet sent: the next night tells the rest of it."""
        message = table_of(Message)
        naming = load_person_messages(self.store, self.trace.person_id, self.trace.is_in)
        for letter in naming:
            values: dict[str, Any] = {**NO_WORDS, "subject": self.trace.blot(letter.subject)}
            if letter.state in NOT_SENT and letter.accepted_at is None:
                # One that was being sent when its process ended may have gone, and nothing is left to send again.
                values["state"] = "technical-failure" if letter.state == "sending" else "replaced"
            self.store.execute(message.update().where(message.c.id == letter.id).values(values))
        self.counts["message"] += len(naming)

    def blot_notes(self, table: Table) -> None:
        """Take the id out of notes and reasons that people wrote about somebody else, or about a night."""
        keys = list(table.primary_key.columns)
        if len(keys) != 1 or table.name in (Message.__tablename__, Removal.__tablename__):
            return
        for column in table.c:
            if not isinstance(column.type, Text) or column.name in NOT_ABOUT_PEOPLE:
                continue
            naming = select(keys[0], column).where(column.contains(self.trace.person_id, autoescape=True))
            for key, text in self.store.execute(naming).all():
                if self.trace.is_in(text):
                    blotted = {column.name: self.trace.blot(text)}
                    self.store.execute(table.update().where(keys[0] == key).values(blotted))
                    self.counts[table.name] += 1
