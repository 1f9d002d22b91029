"""Flags in quarantine: a surge's wait, until they have waited long enough or the analyst says that it is right."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import and_, select

from monitor.config.settings import Quarantine
from monitor.flags import state
from monitor.gate.surges import Surge
from monitor.store import events
from monitor.store.database import Database
from monitor.store.row_statements import say_row
from monitor.store.tables import Flag, table_of
from monitor.words import write_count
from monitor.workdays import WorkingDays
from monitor.workspace import Workspace, load_rows, step


@step(reads=("decision",), changes=("surging",))
def hold_surges(
    workspace: Workspace, surges: Sequence[Surge], limits: Quarantine | None, as_at: dt.date, days: WorkingDays
) -> None:
    """Make ``surging``, the rules whose new flags wait; in ``decision``, let those go that have waited long enough.

    Without ``limits`` none is let go: the clock may be ahead.
    """
    if surges:
        load_rows(workspace, "surging", {"rule": "VARCHAR"}, [(surge.rule,) for surge in surges])
    if limits is None:
        return
    waiting = workspace.execute(
        f"SELECT DISTINCT quarantined_on FROM decision WHERE {state.quarantined_sql('decision')}"
    ).fetchall()
    over = [since for (since,) in waiting if days.between(since, as_at) >= limits.wait_working_days]
    if over:
        workspace.execute(
            """
            UPDATE decision SET released_on = $as_at
            WHERE released_on IS NULL AND list_contains($over::DATE[], quarantined_on)
            """,
            {"as_at": as_at, "over": over},
        )


def list_waiting(database: Database) -> list[str]:
    """Return the rules whose new flags wait to be confirmed."""
    flag = table_of(Flag)
    with database.reading() as store:
        return list(store.execute(select(flag.c.rule).where(state.is_quarantined()).distinct()).scalars())


def confirm_surge(database: Database, rule: str, *, by: str, today: dt.date, now: dt.datetime) -> str | None:
    """Let a rule's waiting flags go out with the next night; what was done, or None where none waits."""
    flag = table_of(Flag)
    waiting = and_(flag.c.rule == rule, state.is_quarantined())
    with database.writing() as store:
        rows = store.execute(select(flag.c.id, flag.c.person_id).where(waiting).order_by(flag.c.id)).all()
        if not rows:
            return None
        store.execute(flag.update().where(waiting).values(released_on=today, released_by=by))
        released = [
            events.Event(
                "confirmed", number, person_id, rule, by=by,
                detail=say_row(Flag, id=number, released_on=today, released_by=by),
            )
            for number, person_id in rows
        ]  # fmt: skip
        events.record(store, released, as_at=today, recorded_at=now)
    flags = write_count(len(rows), "flag")
    return f"confirmed: {flags} of {rule} will be in the digests of the next night"
