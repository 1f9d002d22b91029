"""Which waiver repeats which for the heir of its flag; what an earlier version carried is read from its events."""

import datetime as dt
import json

import sqlalchemy as sa
from alembic import op

from monitor.store import events
from monitor.store.events import Event
from monitor.store.row_statements import say_row
from monitor.store.tables import FlagEvent, Waiver, table_of
from monitor.workdays import london_date

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TOLD = "what waivers repeat"


def upgrade() -> None:
    op.add_column("waiver", sa.Column("carries_waiver_id", sa.Integer()))
    store, event, waiver = op.get_bind(), table_of(FlagEvent), table_of(Waiver)
    said = sa.select(event.c.payload).where(event.c.kind == "waiver carried").order_by(event.c.id)
    details = [json.loads(payload) for payload in store.execute(said).scalars() if payload]
    carried = {each["waiver_id"]: each["carries_waiver_id"] for each in details}
    known = store.execute(sa.select(waiver.c.id).where(waiver.c.id.in_(carried))).scalars().all()
    happened = []
    for number in sorted(known):
        stands = {"carries_waiver_id": carried[number]}
        store.execute(waiver.update().where(waiver.c.id == number).values(stands))
        happened.append(Event(TOLD, detail=say_row(Waiver, id=number, **stands)))
    now = dt.datetime.now(dt.UTC)
    events.record(store, happened, as_at=london_date(now), recorded_at=now)
