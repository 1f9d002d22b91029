"""Who has moved home often, by what the monitor has seen: the roster's changes over six months, night by night.

The roster itself holds the present home and the one before. Only of whom both began within the six months are the
changes on record read, so that most nights read nothing.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping

from dateutil.relativedelta import relativedelta
from sqlalchemy import Connection, select

from monitor.store.tables import FlagEvent, table_of
from monitor.workspace import Workspace

MONTHS = 6
OFTEN = 3
"""Changes of home within the months that make a measure."""


def find_movers(workspace: Workspace, store: Connection, as_at: dt.date) -> list[str]:
    """Find who has moved so often in six months; reads ``roster_tonight`` and what was recorded of the roster.

    A home that was there on the first night is no move, and one odd night elsewhere is none.
    """
    since = as_at - relativedelta(months=MONTHS)
    rows = workspace.execute(
        """
        SELECT person_id, accommodation_since, previous_since, first_seen_on FROM roster_tonight
        WHERE previous_since > greatest(first_seen_on, $since::DATE) AND accommodation_since > previous_since
        """,
        {"since": since},
    ).fetchall()
    if not rows:
        return []
    recorded = _load_starts(store, {row[0] for row in rows}, since)
    return sorted(
        person_id
        for person_id, now, before, first_seen_on in rows
        if count_moves([*recorded.get(person_id, ()), before, now], max(since, first_seen_on)) >= OFTEN
    )


def count_moves(starts: Iterable[dt.date], since: dt.date) -> int:
    """Count the homes begun after ``since``, from the days on which a home was recorded to have begun, in order.

    Where a later record goes back to an earlier day, what came between was no home.
    """
    standing: list[dt.date] = []
    for start in starts:
        while standing and standing[-1] >= start:
            standing.pop()
        standing.append(start)
    return sum(start > since for start in standing)


def _load_starts(store: Connection, people: set[str], since: dt.date) -> Mapping[str, list[dt.date]]:
    """Return since when each of these people's home was what it was, as it was recorded, in order."""
    event = table_of(FlagEvent)
    changed = select(event.c.payload).where(
        event.c.kind == "roster changed", event.c.as_at > since, event.c.payload.contains('"accommodation_since"')
    )
    found: dict[str, list[dt.date]] = {}
    for payload in store.execute(changed.order_by(event.c.id)).scalars():
        for row in json.loads(payload)["rows"].get("person", ()):
            if row.get("person_id") in people and row.get("accommodation_since"):
                found.setdefault(row["person_id"], []).append(dt.date.fromisoformat(row["accommodation_since"]))
    return found
