"""The state of a flag, worked out from dates in one place.

    resolved      it has a day on which it was resolved
    quarantined   it waits as a likely data fault: from ``quarantined_on`` to the day before ``released_on``
    waived        a waiver of it is in force: from ``waived_on`` to ``until_on``, or to the day before ``ended_on``
    held          tonight's data can neither confirm nor clear it
    open          none of these

The first that is true is its state. Each condition stands here for DuckDB, for the store and for one stored row.
"""

import datetime as dt
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, case, or_, select

from monitor.store.tables import Flag, Waiver, table_of

State = Literal["open", "held", "waived"]
LISTED: tuple[State, ...] = ("open", "held", "waived")
"""The states in which a flag is listed to leads."""
RAN_OUT = "ran out"
"""Why a waiver ended whose last day is past."""


def state_sql(*, waived: str, held: str, resolved: str = "false", quarantined: str = "false") -> str:
    """Return the state as a DuckDB expression, from the condition of each."""
    return (
        f"CASE WHEN {resolved} THEN 'resolved' WHEN {quarantined} THEN 'quarantined' WHEN {waived} THEN 'waived' "
        f"WHEN {held} THEN 'held' ELSE 'open' END"
    )


def quarantined_sql(flag: str, day: str | None = None) -> str:
    """Return the DuckDB condition that a flag waits in quarantine, now or on ``day``; never NULL."""
    if day is None:
        return f"({flag}.quarantined_on IS NOT NULL AND {flag}.released_on IS NULL)"
    return f"coalesce({flag}.quarantined_on <= {day} AND coalesce({flag}.released_on > {day}, true), false)"


def is_quarantined() -> ColumnElement[bool]:
    """Return the condition on the store's flags: unresolved and in quarantine now."""
    flag = table_of(Flag)
    return and_(flag.c.resolved_on.is_(None), flag.c.quarantined_on.is_not(None), flag.c.released_on.is_(None))


def is_waiver_in_force(as_at: dt.date) -> ColumnElement[bool]:
    """Return the condition on the store's waivers: in force on that date."""
    waiver = table_of(Waiver)
    not_ended = or_(waiver.c.ended_on.is_(None), waiver.c.ended_on > as_at)
    return and_(waiver.c.waived_on <= as_at, waiver.c.until_on >= as_at, not_ended)


def find_state(as_at: dt.date) -> ColumnElement[str]:
    """Return the state of the store's flags as they are now, with the waivers in force on that date."""
    flag, waiver = table_of(Flag), table_of(Waiver)
    return case(
        (flag.c.resolved_on.is_not(None), "resolved"),
        (is_quarantined(), "quarantined"),
        (flag.c.id.in_(select(waiver.c.flag_id).where(is_waiver_in_force(as_at))), "waived"),
        (flag.c.held_since.is_not(None), "held"),
        else_="open",
    )


def waits(flag: "Row[Any]") -> bool:
    """Return whether a stored, unresolved flag is in quarantine now."""
    return flag.quarantined_on is not None and flag.released_on is None


def find_waived_days(waiver: "Row[Any]") -> tuple[dt.date, dt.date]:
    """Return the first day on which a waiver is in force, and the first on which it is so no longer."""
    return waiver.waived_on, min(waiver.until_on + dt.timedelta(1), waiver.ended_on or dt.date.max)


def waives(waiver: "Row[Any]", as_at: dt.date) -> bool:
    """Return whether a stored waiver is in force on a date."""
    first_on, over_on = find_waived_days(waiver)
    return first_on <= as_at < over_on
