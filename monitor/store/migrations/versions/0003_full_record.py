"""What stands in every row on record, said in the chain: events of an earlier version say less than the audit compares.

The first event tells that the record is complete from there; an empty database needs none of it.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from monitor.store import events
from monitor.store.events import ROWS_AN_EVENT, Event
from monitor.store.row_statements import COVERED, FIGURES, say, say_figures
from monitor.store.tables import table_of
from monitor.workdays import london_date

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COMPLETE_FROM = "record complete from here"


def upgrade() -> None:
    store = op.get_bind()
    tables = sa.MetaData()
    tables.reflect(store, only=[*COVERED, *(table_of(model).name for model in FIGURES)])
    if not any(store.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() for table in _held(tables)):
        return
    now = dt.datetime.now(dt.UTC)
    events.record(store, _tell(store, tables), as_at=london_date(now), recorded_at=now)


def _held(tables: sa.MetaData) -> Iterator[sa.Table]:
    return (tables.tables[name] for name in COVERED)


def _tell(store: sa.Connection, tables: sa.MetaData) -> Iterator[Event]:
    yield Event(COMPLETE_FROM, why="an earlier version kept less on record; how every row stood follows")
    for covered in COVERED.values():
        table = tables.tables[covered.name]
        columns = [table.c[name] for name in covered.columns if name in table.c]
        rows = store.execute(sa.select(*columns).order_by(*(table.c[key] for key in covered.keys))).all()
        for start in range(0, len(rows), ROWS_AN_EVENT):
            said = [say(covered.model, _in_utc(row)) for row in rows[start : start + ROWS_AN_EVENT]]
            yield Event(COMPLETE_FROM, detail={"rows": {covered.name: said}})
    run = tables.tables["run"]
    accepted = store.execute(sa.select(run.c.id).where(run.c.state == "accepted").order_by(run.c.id)).scalars().all()
    for number in accepted:
        yield Event(COMPLETE_FROM, detail={"rows": {"figures": [say_figures(store, number)]}})


def _in_utc(row: Any) -> dict[str, Any]:
    """Return a row whose instants, which the database keeps without an offset, say that they are UTC."""
    return {
        name: value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value
        for name, value in row._asdict().items()
        if value is not None
    }
