"""The mark of a removed person: a salted hash of the id, by which they are known again if a source brings them back.

Whoever comes back is watched over like anyone else, for a duty may have begun anew; the analyst is told.
"""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_rows
from monitor.store.tables import RemovedPerson, table_of
from monitor.workspace import Workspace, load_rows

TOLD_DAYS = 7
"""How long the analyst is told that somebody is back, so that one missed mail is not the end of it."""


@dataclass(frozen=True)
class Back:
    """Somebody who was removed, and is on the record again."""

    person_id: str
    removed_on: dt.date
    back_on: dt.date
    source: str | None


def make(person_id: str) -> tuple[str, str]:
    """Return a new mark and its salt."""
    salt = secrets.token_hex(16)
    return _mark(salt, person_id), salt


def _mark(salt: str, person_id: str) -> str:
    return hashlib.sha256(f"{salt}{person_id}".encode()).hexdigest()


def is_of(mark: str, salt: str, person_id: str) -> bool:
    """Return whether this is the mark of this very person."""
    return secrets.compare_digest(_mark(salt, person_id), mark)


def find(store: Connection, person_id: str) -> list[Row[Any]]:
    """Return every earlier removal of this very person, oldest first."""
    table = table_of(RemovedPerson)
    rows = store.execute(select(table).order_by(table.c.removal_id))
    return [row for row in rows if is_of(row.mark, row.salt, person_id)]


def forget_returned(store: Connection, stamp: Stamp) -> None:
    """Take back what a night of this date said of anyone's return, before the night that puts it right says it."""
    table = table_of(RemovedPerson)
    nobody = {"person_id": None, "back_on": None, "back_in": None}
    theirs = table.c.back_on == stamp.as_at
    if back := store.execute(select(table.c.removal_id).where(theirs)).scalars().all():
        store.execute(table.update().where(theirs).values(nobody))
        said = say_rows({RemovedPerson: [{"removal_id": number, **nobody} for number in back]})
        record_stamped(store, [Event("return taken back", detail=said)], stamp)


def note_returned(workspace: Workspace, store: Connection, stamp: Stamp) -> None:
    """Know again everyone who is new to the roster tonight and was removed once, with an event for each."""
    table = table_of(RemovedPerson)
    wanted = select(table.c.removal_id, table.c.mark, table.c.salt).where(table.c.person_id.is_(None))
    gone = store.execute(wanted).all()
    if not gone:
        return
    kinds = {"removal_id": "BIGINT", "mark": "VARCHAR", "salt": "VARCHAR"}
    load_rows(workspace, "removed_mark", kinds, (tuple(row) for row in gone))
    back = workspace.execute("""
        SELECT m.removal_id, c.person_id, c.source
        FROM (SELECT person_id, source FROM caseload ANTI JOIN roster USING (person_id)) AS c
        JOIN removed_mark AS m ON m.mark = sha256(m.salt || c.person_id)
        ORDER BY ALL
    """).fetchall()
    marks: dict[str, list[dict[str, Any]]] = {}
    sources: dict[str, str] = {}
    for removal_id, person_id, source in back:
        values = {"person_id": person_id, "back_on": stamp.as_at, "back_in": source}
        store.execute(table.update().where(table.c.removal_id == removal_id).values(values))
        marks.setdefault(person_id, []).append({"removal_id": removal_id, **values})
        sources[person_id] = source
    returned = [
        Event("back after removal", person_id=person, why=sources[person], detail=say_rows({RemovedPerson: theirs}))
        for person, theirs in marks.items()
    ]
    record_stamped(store, returned, stamp)


def list_back(store: Connection, as_at: dt.date) -> tuple[Back, ...]:
    """Return who came back lately, each once, with the last day on which they were removed."""
    table = table_of(RemovedPerson)
    lately = select(table).where(table.c.person_id.is_not(None), table.c.back_on > as_at - dt.timedelta(TOLD_DAYS))
    rows = store.execute(lately.order_by(table.c.person_id, table.c.removed_on))
    found = {row.person_id: Back(row.person_id, row.removed_on, row.back_on, row.back_in) for row in rows}
    return tuple(found.values())
