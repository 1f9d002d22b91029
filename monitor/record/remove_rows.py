"""The rows that are about a person or name one: every table, whatever tables there are.

Rows of the person, and what hangs on them, go. Events, which are chained, and messages stay and are emptied. What
people wrote elsewhere no longer names the person.
"""

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, Text, or_, select
from sqlmodel import SQLModel

from monitor.record.purge import NOT_SENT
from monitor.record.remove_traces import Trace
from monitor.store.tables import FlagEvent, Message, Removal, RemovedPerson, table_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

NOT_ABOUT_PEOPLE = (
    "rule_meanings", "rule_wordings", "supplied", "not_believed", "failed_rules", "last_values", "row",
)  # fmt: skip
"""Long text in which a number is never an id."""


def remove(store: Connection, trace: Trace) -> dict[str, int]:
    """Remove or empty them; by table, how many."""
    gone: dict[str, list[Any]] = {}
    counts: dict[str, int] = {}
    tables = [table for table in SQLModel.metadata.sorted_tables if table.name != FlagEvent.__tablename__]
    for table in tables:
        if "person_id" in table.c and table.name != RemovedPerson.__tablename__:
            _delete(store, table, table.c.person_id == trace.person_id, gone, counts)
    counts["flag_event"] = _empty_events(store, trace, gone.get("flag", []))
    counts["message"] = _empty_messages(store, trace)
    while _delete_what_hangs(store, tables, gone, counts):
        pass
    removed = table_of(RemovedPerson)
    store.execute(removed.update().where(removed.c.person_id == trace.person_id).values(person_id=None))
    for table in tables:
        _blot(store, table, trace, counts)
    return {table: count for table, count in counts.items() if count}


def _delete(
    store: Connection,
    table: Table,
    theirs: "ColumnElement[bool]",
    gone: dict[str, list[Any]],
    counts: dict[str, int],
) -> int:
    if "id" in table.c:
        gone.setdefault(table.name, []).extend(store.execute(select(table.c.id).where(theirs)).scalars())
    count = store.execute(table.delete().where(theirs)).rowcount
    counts[table.name] = counts.get(table.name, 0) + count
    return count


def _delete_what_hangs(
    store: Connection, tables: list[Table], gone: dict[str, list[Any]], counts: dict[str, int]
) -> int:
    """Delete the rows that point at rows that are gone, or make them point at nothing; how many were deleted."""
    deleted = 0
    for table in tables:
        for column in table.c:
            ids = [
                one for name, numbers in gone.items() if f"_{column.name}".endswith(f"_{name}_id") for one in numbers
            ]
            if not ids:
                continue
            if column.nullable:
                store.execute(table.update().where(column.in_(ids)).values({column.name: None}))
            else:
                deleted += _delete(store, table, column.in_(ids), gone, counts)
    return deleted


def _empty_events(store: Connection, trace: Trace, flags: list[int]) -> int:
    """Empty every event of the person, their flags, or another's that names them; the rows stay, so the chain does."""
    event = table_of(FlagEvent)
    naming = event.c.payload.contains(in_json(trace.person_id), autoescape=True)
    rows = store.execute(
        select(event.c.id, event.c.flag_id, event.c.payload).where(
            event.c.payload.is_not(None), or_(event.c.flag_id.in_(flags), naming)
        )
    )
    theirs = set(flags)
    ids = [row.id for row in rows if row.flag_id in theirs or trace.is_in(row.payload) or _names(row.payload, trace)]
    if ids:
        store.execute(event.update().where(event.c.id.in_(ids)).values(payload=None, salt=None))
    return len(ids)


def _names(payload: str, trace: Trace) -> bool:
    return any(value == trace.person_id for value in json.loads(payload).values())


def in_json(text: str) -> str:
    """The text as it stands inside stored JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _empty_messages(store: Connection, trace: Trace) -> int:
    """Empty every message that names them; one not yet sent is withdrawn, and the next night tells the rest of it."""
    message = table_of(Message)
    shown = [message.c[name] for name in ("people", "text", "html", "subject", "attached")]
    rows = store.execute(
        select(message.c.id, message.c.state, message.c.accepted_at, *shown).where(
            or_(*(column.contains(trace.person_id, autoescape=True) for column in shown),
                message.c.people.contains(in_json(trace.person_id), autoescape=True))
        )
    ).all()  # fmt: skip
    naming = [
        row for row in rows
        if trace.person_id in json.loads(row.people) or any(trace.is_in(getattr(row, c.name) or "") for c in shown)
    ]  # fmt: skip
    words = {"text": "", "html": "", "people": "[]", "attached": None}
    for row in naming:
        values: dict[str, Any] = {**words, "subject": trace.blot(row.subject)}
        if row.state in NOT_SENT and row.accepted_at is None:
            # One that was being sent when its process ended may have gone, and nothing is left to send again.
            values["state"] = "technical-failure" if row.state == "sending" else "replaced"
        store.execute(message.update().where(message.c.id == row.id).values(values))
    return len(naming)


def _blot(store: Connection, table: Table, trace: Trace, counts: dict[str, int]) -> None:
    """Take the id out of notes and reasons that people wrote about somebody else, or about a night."""
    keys = list(table.primary_key.columns)
    if not trace.is_telling or len(keys) != 1 or table.name in (Message.__tablename__, Removal.__tablename__):
        return
    for column in table.c:
        if not isinstance(column.type, Text) or column.name in NOT_ABOUT_PEOPLE:
            continue
        naming = select(keys[0], column).where(column.contains(trace.person_id, autoescape=True))
        for key, text in store.execute(naming).all():
            if trace.is_in(text):
                store.execute(table.update().where(keys[0] == key).values({column.name: trace.blot(text)}))
                counts[table.name] = counts.get(table.name, 0) + 1
