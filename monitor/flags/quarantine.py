"""The analyst's word that a surge is right: its flags leave quarantine and go out with the next night."""

import datetime as dt

from sqlalchemy import and_, select

from monitor.flags import state
from monitor.store import events
from monitor.store.database import Database
from monitor.store.tables import Flag, table_of
from monitor.words import write_count


def confirm_surge(database: Database, rule: str, *, by: str, today: dt.date, now: dt.datetime) -> str | None:
    """Let a rule's waiting flags go out with the next night; what was done, or None where none waits."""
    flag = table_of(Flag)
    waiting = and_(flag.c.rule == rule, state.is_quarantined())
    with database.writing() as store:
        rows = store.execute(select(flag.c.id, flag.c.person_id).where(waiting).order_by(flag.c.id)).all()
        if not rows:
            return None
        store.execute(flag.update().where(waiting).values(released_on=today, released_by=by))
        released = [events.Event("confirmed", number, person_id, rule, by=by) for number, person_id in rows]
        events.record(store, released, as_at=today, recorded_at=now)
    flags = write_count(len(rows), "flag")
    return f"confirmed: {flags} of {rule} will be in the digests of the next night"
