"""Removes the rows that are about a person or name one: every table, whatever tables there are.

Rows of the person, and what hangs on them, go. Events, which are chained, and messages stay and are emptied. What
people wrote elsewhere no longer names the person. What an emptied event said of anybody else's rows is said again.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, or_, select
from sqlmodel import SQLModel

from monitor.outbox.person_messages import load_person_messages
from monitor.record.purge import NO_WORDS, NOT_SENT
from monitor.record.trace import Trace
from monitor.store.bulk import is_among
from monitor.store.events import KINDS, SAID_IN, Event, Stamp, in_payload
from monitor.store.row_statements import COVERED, SAID_AGAIN, record_stamped, record_stored
from monitor.store.tables import FlagEvent, Message, Removal, RemovedPerson, table_of

NOT_ABOUT_PEOPLE = (
    "rule_meanings", "rule_wordings", "supplied", "not_believed", "failed_rules", "begun_rules", "last_values", "row",
    "heir_row",
)  # fmt: skip
"""Long text in which a number is never an id."""
SAYS_MANY = tuple(
    kind for kind, tables in KINDS.items() if len(tables) > 1 or {"run", "message", "answer"}.intersection(tables)
)
"""The kinds of events that may say rows of somebody whom they do not name."""

TELLINGS = ("message_flag", "message_coming", "message_escalation")
"""The tables of what messages told of, which events say of the message."""

TABLES = [table for table in SQLModel.metadata.sorted_tables if table.name != FlagEvent.__tablename__]
MODELS = {covered.name: covered.model for covered in COVERED.values()}

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class RowsRemoved:
    """What one removal did: ``counts``: rows that went or were emptied, by table; ``changed``: ids of rows that stay
    and hold something else now; ``said``: what emptied events said of rows of others, in its order.
    """

    counts: dict[str, int]
    changed: dict[type[SQLModel], set[int]]
    said: list[Rows]

    def restate(self, store: Connection, stamp: Stamp) -> None:
        """Record again what emptied events said of others, and what now stands in rows that were changed."""
        record_stamped(store, (Event(SAID_AGAIN, detail={"rows": rows}) for rows in self.said), stamp)
        for model, keys in self.changed.items():
            key = table_of(model).c[COVERED[table_of(model).name].key]
            record_stored(store, SAID_AGAIN, model, is_among(store, key, sorted(keys)), stamp)


def remove_rows(store: Connection, trace: Trace) -> RowsRemoved:
    """Remove or empty every row that names the person."""
    return _RowRemoval(store, trace).run()


class _RowRemoval:
    """One removal. ``gone``: the ids of the rows deleted so far, by table, on which other rows may hang."""

    def __init__(self, store: Connection, trace: Trace) -> None:
        self.store = store
        self.trace = trace
        self.gone: defaultdict[str, list[int]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.changed: defaultdict[type[SQLModel], set[int]] = defaultdict(set)
        self.said: list[Rows] = []
        self.reworded: set[tuple[str, Any]] = set()

    def run(self) -> RowsRemoved:
        for table in TABLES:
            if "person_id" in table.c and table.name != RemovedPerson.__tablename__:
                self.delete(table, table.c.person_id == self.trace.person_id)
        self.empty_messages()
        while self.delete_what_hangs():
            pass
        removed = table_of(RemovedPerson)
        self.change(removed, removed.c.person_id == self.trace.person_id, {"person_id": None})
        if self.trace.is_telling:
            for table in TABLES:
                self.blot_notes(table)
        self.empty_events()
        return RowsRemoved({table: count for table, count in self.counts.items() if count}, self.changed, self.said)

    def delete(self, table: Table, theirs: ColumnElement[bool]) -> int:
        if "id" in table.c:
            self.gone[table.name] += self.store.execute(select(table.c.id).where(theirs)).scalars()
        if table.name in TELLINGS:
            telling = list(self.store.execute(select(table.c.message_id).where(theirs).distinct()).scalars())
            self.changed[Message].update(telling)
            self.reworded.update(("message", number) for number in telling)
        deleted = self.store.execute(table.delete().where(theirs)).rowcount
        self.counts[table.name] += deleted
        return deleted

    def change(self, table: Table, theirs: ColumnElement[bool], values: dict[str, Any]) -> None:
        """Change rows that stay."""
        if table.name in COVERED:
            key = table.c[COVERED[table.name].key]
            keys = self.store.execute(select(key).where(theirs)).scalars().all()
            self.changed[MODELS[table.name]].update(keys)
            if values.keys() & COVERED[table.name].hidden:
                self.reworded.update((table.name, key) for key in keys)
        self.store.execute(table.update().where(theirs).values(values))

    def delete_what_hangs(self) -> int:
        """Delete the rows that point at rows that are gone, or make them point at nothing; return how many went."""
        deleted = 0
        for table in TABLES:
            for column in table.c:
                ids = [i for name, gone in self.gone.items() if f"_{column.name}".endswith(f"_{name}_id") for i in gone]
                if ids and column.nullable:
                    self.change(table, column.in_(ids), {column.name: None})
                elif ids:
                    deleted += self.delete(table, column.in_(ids))
        return deleted

    def empty_events(self) -> None:
        """Empty each event of the person, of their flags, or that names them; the rows stay, so the chain does."""
        event, flags = table_of(FlagEvent), set(self.gone["flag"])
        naming = event.c.payload.contains(in_payload(self.trace.person_id), autoescape=True)
        wanted = or_(event.c.flag_id.in_(flags), event.c.kind.in_(SAYS_MANY), naming)
        rows = self.store.execute(
            select(event.c.id, event.c.flag_id, event.c.payload)
            .where(event.c.payload.is_not(None), wanted)
            .order_by(event.c.id)
        )
        ids = []
        for row in rows:
            content = json.loads(row.payload)
            others = self.list_of_others(content.get("rows", {}))
            if not (row.flag_id in flags or others != content.get("rows", {}) or self.is_named_in(content)):
                continue
            ids.append(row.id)
            if any(others.values()):
                self.said.append({table: self.say_again(rows, row.id) for table, rows in others.items() if rows})
            if row.flag_id is not None and row.flag_id not in flags:
                self.changed[MODELS["flag"]].add(row.flag_id)
        for start in range(0, len(ids), 500):
            emptied = event.update().where(event.c.id.in_(ids[start : start + 500]))
            self.store.execute(emptied.values(payload=None, salt=None))
        self.counts["flag_event"] += len(ids)

    def is_named_in(self, content: dict[str, Any]) -> bool:
        text = json.dumps(content, ensure_ascii=False)
        return self.trace.is_in(text) if self.trace.is_telling else self.trace.person_id in content.values()

    def list_of_others(self, rows: Rows) -> Rows:
        """Return the rows that are not the person's."""
        return {table: [row for row in said if not self.is_theirs(table, row)] for table, said in rows.items()}

    def is_theirs(self, table: str, row: dict[str, Any]) -> bool:
        flags = {row.get("flag_id"), row.get("heir_flag_id")}
        hangs = row.get("id") in self.gone[table] or not flags.isdisjoint(self.gone["flag"])
        # Who was named in words can be guessed from their SHA-256.
        named = (table, row.get("id")) in self.reworded and row.keys() & COVERED[table].hidden
        return bool(hangs or named or row.get("person_id") == self.trace.person_id)

    def say_again(self, rows: list[dict[str, Any]], event_id: int) -> list[dict[str, Any]]:
        """Return rows of others to be said again in the order of old, without the id in what they say."""
        return [json.loads(self.trace.blot(json.dumps({SAID_IN: event_id, **row}, ensure_ascii=False))) for row in rows]

    def empty_messages(self) -> None:
        """Empty each message that names the person; withdraw one not yet sent: the next night tells the rest of it."""
        message = table_of(Message)
        naming = load_person_messages(self.store, self.trace.person_id, self.trace.is_in)
        for letter in naming:
            values: dict[str, Any] = {**NO_WORDS, "subject": self.trace.blot(letter.subject)}
            if letter.state in NOT_SENT and letter.accepted_at is None:
                # One that was being sent when its process ended may have gone, and nothing is left to send again.
                values["state"] = "technical-failure" if letter.state == "sending" else "replaced"
            self.change(message, message.c.id == letter.id, values)
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
                    self.change(table, keys[0] == key, {column.name: self.trace.blot(text)})
                    self.counts[table.name] += 1
