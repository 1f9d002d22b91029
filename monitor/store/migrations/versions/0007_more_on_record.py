"""What events say since this version and said nothing of before: how messages went, what they told of, which flag
carries which on, why a flag was opened as held, and the secrets by which lists are known again.

Said once: what a database holds that says it already was changed by hand, not by an earlier version.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlmodel import SQLModel

from monitor.store import events
from monitor.store.events import ROWS_AN_EVENT, Event
from monitor.store.row_statements import TELLS, digest_tellings, say, say_seal
from monitor.store.tables import Attempt, Flag, FlagCarried, FlagEvent, Message, Run, table_of
from monitor.workdays import london_date

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SAYS_MORE = "record says more from here"
SAID: Mapping[type[SQLModel], tuple[str, ...]] = {
    Attempt: ("id", "message_id", "channel", "started_at", "finished_at", "outcome", "detail"),
    FlagCarried: ("flag_id", "heir_flag_id", "carried_on", "run_id", "heir_row", "undone_run_id"),
    Message: ("id", "state", "text", "people", "next_attempt_at", "doubtful_since", "reported_at"),
}


def upgrade() -> None:
    store = op.get_bind()
    event = table_of(FlagEvent)
    if store.execute(sa.select(event.c.id).limit(1)).first() is None or _is_said(store):
        return
    now = dt.datetime.now(dt.UTC)
    events.record(store, _tell(store), as_at=london_date(now), recorded_at=now)


def _is_said(store: sa.Connection) -> bool:
    event = table_of(FlagEvent)
    nights = sa.and_(event.c.kind == "night begun", event.c.payload.contains('"seal":'))
    said = sa.select(event.c.id).where(sa.or_(event.c.kind == SAYS_MORE, nights)).limit(1)
    return store.execute(said).first() is not None


def _tell(store: sa.Connection) -> Iterator[Event]:
    yield Event(SAYS_MORE, why="an earlier version kept less on record", detail={"rows": {"seal": say_seal(store)}})
    for model, names in SAID.items():
        table, key = table_of(model), table_of(model).c[names[0]]
        keys = list(store.execute(sa.select(key).distinct().order_by(key)).scalars())
        for start in range(0, len(keys), ROWS_AN_EVENT):
            wanted = sa.select(*(table.c[name] for name in names)).order_by(*table.primary_key.columns)
            rows = store.execute(wanted.where(key.in_(keys[start : start + ROWS_AN_EVENT])))
            said = [say(model, row._asdict()) for row in rows]
            yield Event(SAYS_MORE, detail={"rows": {table.name: _add_tellings(store, said)}})
    flag, run = table_of(Flag), table_of(Run)
    opened_held = sa.select(flag.c.id, flag.c.because, flag.c.held_since, flag.c.held_why)
    held = store.execute(
        opened_held.join(run, run.c.id == flag.c.opened_run_id)
        .where(flag.c.held_since == run.c.as_at, flag.c.resolved_on.is_(None))
        .order_by(flag.c.id)
    ).all()
    for start in range(0, len(held), ROWS_AN_EVENT):
        said = [say(Flag, row._asdict()) for row in held[start : start + ROWS_AN_EVENT]]
        yield Event(SAYS_MORE, detail={"rows": {"flag": said}})


def _add_tellings(store: sa.Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add what each message told of; its words were said when it was written."""
    told = digest_tellings(store, [row["id"] for row in rows if "people" in row])
    return [
        {**{name: value for name, value in row.items() if name != "text"}, TELLS: told[row["id"]]}
        if "people" in row
        else row
        for row in rows
    ]
