"""Repeats in a database that is put back, or begun anew, the removals of people that were made since.

They are known by the marks of ``removed.txt``. It happens before anything else reads the rows.
"""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from monitor.caseload import removed_people
from monitor.record.purge import EMPTIED, PERSON_REMOVAL
from monitor.record.removal_marks import RemovalMark, read
from monitor.record.remove_rows import TABLES, RowsRemoved, remove_rows
from monitor.record.trace import Trace
from monitor.store.bulk import next_id
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_rows
from monitor.store.tables import Removal, RemovedPerson, table_of

NOTHING_REMOVED = RowsRemoved({}, {}, [])


@dataclass(frozen=True)
class Repetition:
    """Who asked for the database that is put back, and when."""

    by: str
    today: dt.date
    now: dt.datetime


def repeat(store: Connection, data_folder: Path, repetition: Repetition) -> int:
    """Remove everyone again whom this database still has and who was removed since; return how many there were.

    Call it in a transaction before which nothing has read the rows. A mark that fits nobody is only noted, so that its
    person is known if a source brings them back.
    """
    known = set(store.execute(select(table_of(RemovedPerson).c.salt)).scalars())
    missing = [mark for mark in read(data_folder) if mark.salt not in known]
    if not missing:
        return 0
    people = _list_people(store)
    gone = 0
    for mark in missing:
        person_id = next((one for one in people if removed_people.is_of(mark.mark, mark.salt, one)), None)
        removed = remove_rows(store, Trace(person_id)) if person_id is not None else NOTHING_REMOVED
        gone += person_id is not None
        _record(store, mark, removed.counts, repetition)
        removed.restate(store, Stamp(repetition.today, repetition.now))
    return gone


def _list_people(store: Connection) -> list[str]:
    """List every id that a row is about."""
    people: set[str] = set()
    for table in TABLES:
        if "person_id" in table.c:
            people.update(
                store.execute(select(table.c.person_id).where(table.c.person_id.is_not(None)).distinct()).scalars()
            )
    return sorted(people)


def _record(store: Connection, mark: RemovalMark, removed: dict[str, int], repetition: Repetition) -> None:
    number = next_id(store, Removal)
    reason = f"removed on {mark.removed_on}, and again from a database that was put back"
    row = {"id": number, "as_at": repetition.today, "recorded_at": repetition.now, "kind": PERSON_REMOVAL}
    row |= {"by": repetition.by, "reason": reason, "removed": json.dumps(removed), "nights": "{}"}
    row["finished_at"] = repetition.now
    store.execute(table_of(Removal).insert().values(row))
    marked = {"removal_id": number, "mark": mark.mark, "salt": mark.salt, "removed_on": mark.removed_on}
    store.execute(table_of(RemovedPerson).insert().values(marked))
    detail = {"removal": number, "removed": removed, "snapshots": {}, EMPTIED: removed.get("flag_event", 0)}
    detail |= say_rows({Removal: [row], RemovedPerson: [marked]})
    event = Event("person removed", by=repetition.by, why=reason, detail=detail)
    record_stamped(store, [event], Stamp(repetition.today, repetition.now))
