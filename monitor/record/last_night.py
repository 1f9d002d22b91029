"""What the store holds, laid out as on the last accepted night, for commands that run between nights."""

import datetime as dt

from sqlalchemy import select

from monitor.caseload import roster
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.intake import create_empty
from monitor.errors import Problems, Refused
from monitor.flags import life, waivers
from monitor.store import events
from monitor.store.database import Database
from monitor.store.tables import Person, Run, table_of
from monitor.workspace import Workspace, open_workspace


def recall(database: Database) -> tuple[Workspace, dt.date]:
    """A workspace with ``caseload`` and ``flag_line`` as the last accepted night left them, and that date."""
    workspace = open_workspace()
    table = table_of(Run)
    with database.reading() as store:
        accepted = select(table.c.as_at).where(table.c.state == "accepted").order_by(table.c.as_at.desc()).limit(1)
        as_at = store.execute(accepted).scalar()
        if as_at is None:
            raise Refused("the database holds no accepted night yet; run one with: monitor run")
        create_empty(workspace)
        roster.load(workspace, store)
        life.load(workspace, store)
        join_roster(workspace, None, as_at=as_at)
        life.stand(workspace)
        waivers.settle(workspace, store, as_at)
        life.show(workspace, store, as_at)
    return workspace, as_at


def confirm(database: Database, person_id: str, *, by: str, today: dt.date, now: dt.datetime) -> str:
    """Record that what the records now say of someone recorded as died has been confirmed; what was confirmed."""
    person = table_of(Person)
    with database.writing() as store:
        found = store.execute(select(person).where(person.c.person_id == person_id)).first()
        if found is None or found.died_on is None:
            raise Problems([f"{person_id}: is not recorded as having died; nothing waits to be confirmed"])
        alive = found.alive_again_on is not None
        if alive:
            back = {"died_on": None, "alive_again_on": None}
            store.execute(person.update().where(person.c.person_id == person_id).values(back))
        kind = "alive confirmed" if alive else "death confirmed"
        events.record(store, [events.Event(kind, person_id=person_id, by=by)], as_at=today, recorded_at=now)
    if alive:
        return "confirmed alive: the rules are asked again from the next night"
    return "confirmed: nothing is asked or sent about this person"
