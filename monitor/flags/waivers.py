"""The life of a waiver, night by night: in force, about to end, run out, or closed with its flag.

    made --> in force --> ran out        its last day is past: the flag, if it stands, is news again
                      --> unwaived       ended by name: the same, from the next night
                      --> flag ...       its flag was resolved: closed, and not carried to a later spell

A waiver belongs to one flag, so to one spell of one rule for one person. While it is in force ``flag_line.state`` is
*waived*, and the flag is neither counted as ok nor chased. On the first accepted night that finds the flag standing
without its waiver, ``flag_line.change`` is *waiver ended*; ``waiver_ended_on`` keeps that date, so that a reader whose
last digest is older still has it to hear (as with ``held_since``). ``remind`` says when the end is near enough to tell.

A night put right starts from the waivers as they stood before its first attempt, and a flag that is restored has its
waiver again. The waiver of a flag that another carries on follows it (``carried``).
"""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, or_, select

from monitor.flags.carried_waivers import MERGE_UNDONE, find_unsupported, may_stand
from monitor.flags.state import RAN_OUT
from monitor.store.bulk import update_rows
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_row
from monitor.store.tables import Flag, Waiver, table_of
from monitor.workspace import Workspace, fetch, load_rows, step

Ending = Literal[14, 1]
REMINDERS: tuple[Ending, ...] = (1, 14)
"""How many days before its last day a waiver's end is told, the nearest first."""

LOADED = {
    "waiver_id": "BIGINT",
    "flag_id": "BIGINT",
    "person_id": "VARCHAR",
    "rule": "VARCHAR",
    "until_on": "DATE",
    "waived_on": "DATE",
    "waived_by": "VARCHAR",
    "reason": "VARCHAR",
    "note": "VARCHAR",
    "ended_on": "DATE",
    "ended_why": "VARCHAR",
    "ended_run_id": "BIGINT",
    "reopened_on": "DATE",
}
MAY_STAND = {"may_stand": "BOOLEAN"}
LISTED_DAYS = 28
"""How long a waiver that has ended is still listed."""
CHANGING = ("ended_on", "ended_why", "ended_run_id", "reopened_on")


def ending(until_on: dt.date, as_at: dt.date) -> Ending | None:
    """Return which reminder a waiver up to and with ``until_on`` is at on ``as_at``: 14 days, 1 day or none.

    None too once it has run out, which is *waiver ended* and not a reminder.
    """
    left = (until_on - as_at).days
    return next((days for days in REMINDERS if 0 <= left <= days), None)


def remind(*, until_on: dt.date, waived_on: dt.date, as_at: dt.date, told_on: dt.date | None) -> Ending | None:
    """Return the reminder that a reader whose last accepted digest is of ``told_on`` is owed on ``as_at``, if any.

    Each is owed once: it is due when the waiver has come nearer its end, past 14 days or past 1, since that digest and
    since it was made. So a night or a message that is missed delays it and does not lose it, and a waiver made for
    ten days is announced on its last days only.
    """
    stands = ending(until_on, as_at)
    known_on = max(told_on, waived_on) if told_on else waived_on
    return stands if stands is not None and known_on < as_at and ending(until_on, known_on) != stands else None


@step(reads=("settled",), makes=("waiver", "waiver_tonight"))
def decide(
    workspace: Workspace,
    store: Connection,
    as_at: dt.date,
    *,
    corrects: Sequence[int] = (),
    after_jump: bool = False,
) -> None:
    """Make ``waiver_tonight``: each waiver that may still matter, with what tonight makes of it, after ``settled``.

    ``target``: in force, ran out, flag ... (how its flag was resolved), or ended (earlier, or by hand); ``stands``:
    its flag is unresolved; ``latest``: no later waiver was made for that flag. ``after_jump``: the clock may be ahead,
    so none runs out tonight.
    """
    waiver, flag = table_of(Waiver), table_of(Flag)
    unresolved = select(flag.c.id).where(flag.c.resolved_on.is_(None))
    wanted = or_(
        waiver.c.ended_on.is_(None),
        waiver.c.ended_on > as_at - dt.timedelta(LISTED_DAYS),
        waiver.c.flag_id.in_(unresolved),
        waiver.c.ended_run_id.in_(list(corrects)),
    )
    columns = [waiver.c.id if name == "waiver_id" else waiver.c[name] for name in LOADED]
    rows = store.execute(select(*columns, may_stand(corrects)).where(wanted)).all()
    gone = find_unsupported(store)
    load_rows(workspace, "waiver", LOADED | MAY_STAND, ((*row[:-1], row[-1] and row[0] not in gone) for row in rows))
    workspace.execute(TONIGHT, {"as_at": as_at, "corrects": list(corrects), "after_jump": after_jump})


TONIGHT = f"""
CREATE OR REPLACE TABLE waiver_tonight AS
WITH known AS (
    SELECT
        w.*,
        row_number() OVER (PARTITION BY w.flag_id ORDER BY w.waiver_id DESC) = 1 AS latest,
        s.flag_id IS NOT NULL AND s.resolved_on IS NULL AS stands,
        s.resolved_reason
    FROM waiver AS w LEFT JOIN settled AS s USING (flag_id)
),
aimed AS (
    SELECT
        *,
        CASE
            WHEN ended_on IS NOT NULL AND NOT (
                latest AND may_stand
                AND (stands OR coalesce(list_contains($corrects::BIGINT[], ended_run_id), false))
            ) THEN 'ended'
            WHEN NOT stands THEN 'flag ' || coalesce(resolved_reason, 'gone')
            WHEN until_on < $as_at AND NOT $after_jump THEN '{RAN_OUT}'
            ELSE 'in force'
        END AS target
    FROM known
)
SELECT
    * EXCLUDE (reopened_on, resolved_reason, may_stand),
    CASE
        WHEN target = 'in force' THEN NULL
        WHEN target = '{RAN_OUT}' THEN CAST($as_at AS DATE)
        WHEN latest AND stands AND ended_why IN ('{RAN_OUT}', 'unwaived', '{MERGE_UNDONE}')
            THEN coalesce(reopened_on, $as_at)
        ELSE reopened_on
    END AS reopened_on
FROM aimed
"""


CLOSED = """
UPDATE waiver_tonight SET
    target = CASE WHEN target = 'in force' THEN target ELSE 'ended' END,
    ended_on = CASE target WHEN 'in force' THEN NULL WHEN 'ended' THEN ended_on ELSE CAST($as_at AS DATE) END,
    ended_why = CASE target WHEN 'in force' THEN NULL WHEN 'ended' THEN ended_why ELSE target END,
    ended_run_id = CASE target WHEN 'in force' THEN NULL WHEN 'ended' THEN ended_run_id ELSE $run_id END
"""
"""What stands of each waiver once tonight's endings are saved."""


@step(reads=("waiver",), changes=("waiver_tonight",))
def close(workspace: Workspace, store: Connection, stamp: Stamp) -> None:
    """End the waivers that tonight ends, with an event each, inside the caller's transaction and after the flags'."""
    workspace.execute(CLOSED, {"as_at": stamp.as_at, "run_id": stamp.run_id})
    rows = fetch(workspace, """
        SELECT w.*, stored.ended_why IS DISTINCT FROM w.ended_why AS ended
        FROM waiver_tonight AS w JOIN waiver AS stored USING (waiver_id)
        WHERE ended OR stored.reopened_on IS DISTINCT FROM w.reopened_on
        ORDER BY waiver_id
    """)  # fmt: skip
    update_rows(store, Waiver, CHANGING, [[row[name] for name in (*CHANGING, "waiver_id")] for row in rows])
    kinds = {None: "waiver restored", RAN_OUT: "waiver ended"}
    happened = []
    for row in rows:
        kind = kinds.get(row["ended_why"], "waiver closed") if row["ended"] else "waiver reopened"
        stands = say_row(Waiver, id=row["waiver_id"], **{name: row[name] for name in CHANGING})
        detail = {"waiver_id": row["waiver_id"], "until_on": row["until_on"], **stands}
        about = (row["flag_id"], row["person_id"], row["rule"], row["ended_why"])
        happened.append(Event(kind, *about, detail=detail))
    record_stamped(store, happened, stamp)
