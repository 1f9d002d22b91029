"""Why people left: each person newly gone from the caseload is given a reason, or is *lost*.

    merged        the analyst's list of merged ids names the record that stands for this one now
    died          a source said so before they went
    reached 25    the duty had ended
    closed        their last record holds a date of closure
    lost          none of these

A birth date alone never makes two records one person.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from monitor.caseload.roster import rank_category
from monitor.store.bulk import update_query
from monitor.store.tables import FlagEvent, Person, table_of
from monitor.workspace import Workspace, load_rows, step


@step(reads=("roster", "tonight"), makes=("merged",))
def load_merged(workspace: Workspace, merged: Mapping[str, str]) -> None:
    """Make ``merged`` of the ids that the analyst's list says are one person's, as the records write them.

    Where there are any, also ``entitled_before``: what those whose record is gone were once accepted as, by the record
    that stands for them. Nobody stops being entitled by being recorded under another id.
    """
    load_rows(workspace, "merged", {"old_id": "VARCHAR", "new_id": "VARCHAR"}, merged.items())
    if merged:
        workspace.execute(f"""
            CREATE TABLE entitled_before AS
            SELECT m.new_id AS person_id,
                arg_max(r.strongest_category, {rank_category("r.strongest_category")}) AS strongest_category
            FROM merged AS m JOIN roster AS r ON r.person_id = m.old_id
                ANTI JOIN tonight ON tonight.person_id = m.old_id
            GROUP BY ALL
        """)


@step(reads=("merged", "roster"), changes=("caseload",), makes=("merged_away",))
def leave_merged(workspace: Workspace) -> None:
    """Make ``merged_away``: who is absent because another record stands for them; no rule is asked of them."""
    workspace.execute("""
        CREATE OR REPLACE TABLE merged_away AS
        SELECT c.person_id, m.new_id
        FROM caseload AS c JOIN merged AS m ON m.old_id = c.person_id
        WHERE c.present IS NOT TRUE AND (
            EXISTS (SELECT 1 FROM caseload AS heir WHERE heir.person_id = m.new_id)
            OR EXISTS (SELECT 1 FROM roster AS heir WHERE heir.person_id = m.new_id)
        )
    """)
    workspace.execute("UPDATE caseload SET present = NULL WHERE person_id IN (SELECT person_id FROM merged_away)")


@step(
    reads=("caseload", "merged_away", "roster", "tonight"),
    changes=("roster_tonight",),
    makes=("leaver", "gone_quietly"),
)
def decide(workspace: Workspace, as_at: dt.date, *, after_jump: bool = False) -> None:
    """Set ``left_reason`` in ``roster_tonight``; make ``leaver`` (person_id, reason) of those newly gone.

    Entitlement goes over to the record that stands for a merged one. A reason stays as it was given, but for
    *lost*, which a later line or closure may explain. ``after_jump``: the clock may be ahead, so nobody is 25 by it.
    """
    workspace.execute(
        """
        UPDATE roster_tonight AS n SET
            absent_since = CASE WHEN m.new_id IS NOT NULL THEN coalesce(r.absent_since, $as_at) ELSE n.absent_since END,
            left_reason = CASE
                WHEN m.new_id IS NOT NULL THEN 'merged'
                WHEN n.absent_since IS NULL THEN NULL
                WHEN r.left_reason NOT IN ('lost', 'merged') THEN r.left_reason
                WHEN c.died THEN 'died'
                WHEN c.age >= 25 AND r.absent_since IS NULL AND NOT $after_jump THEN 'reached 25'
                WHEN c.closure_date IS NOT NULL THEN 'closed'
                ELSE 'lost'
            END
        FROM caseload AS c
        LEFT JOIN roster AS r USING (person_id)
        LEFT JOIN merged_away AS m USING (person_id)
        WHERE c.person_id = n.person_id AND c.present IS NOT TRUE
        """,
        {"as_at": as_at, "after_jump": after_jump},
    )
    workspace.execute(f"""
        UPDATE roster_tonight AS n SET strongest_category = old.strongest_category
        FROM merged_away AS m JOIN roster AS old USING (person_id)
        WHERE n.person_id = m.new_id
            AND {rank_category("old.strongest_category")} > {rank_category("n.strongest_category")}
    """)
    # Who had died or reached 25 is asked nothing and stands in no caseload: only that they went is noted.
    workspace.execute("""
        CREATE OR REPLACE TABLE gone_quietly AS
        SELECT person_id, CASE WHEN died_on IS NOT NULL THEN 'died' ELSE 'reached 25' END AS reason
        FROM roster ANTI JOIN tonight USING (person_id)
        WHERE absent_since IS NULL AND (died_on IS NOT NULL OR ended_on IS NOT NULL)
    """)
    workspace.execute("""
        CREATE OR REPLACE TABLE leaver AS
        SELECT n.person_id, n.left_reason AS reason
        FROM roster_tonight AS n JOIN roster AS r USING (person_id)
        WHERE n.left_reason IS NOT NULL AND r.absent_since IS NULL
        UNION ALL
        SELECT person_id, reason FROM gone_quietly
    """)


@step(reads=("gone_quietly",))
def save(workspace: Workspace, store: Connection, as_at: dt.date) -> None:
    """Note since when those are gone whom nothing else is kept up for; the roster saves the rest."""
    gone = f"SELECT DATE '{as_at}', reason, person_id FROM gone_quietly"
    update_query(workspace, store, Person, ("absent_since", "left_reason"), gone)


def count(workspace: Workspace) -> dict[str, int]:
    """Return how many are newly gone, by reason, the most first."""
    rows = workspace.execute(
        "SELECT reason, count(*) AS people FROM leaver GROUP BY reason ORDER BY people DESC, reason"
    )
    return dict(rows.fetchall())


Since = tuple[str, dt.date]
"""An id, and since when something is so of that person."""


@dataclass(frozen=True)
class Departed:
    """Who has died or left, as far as somebody has yet to do something about it, the longest first.

    ``left``: who has gone lately, counted by reason. ``lost``: who is away and nothing says why.
    """

    deaths: tuple[Since, ...] = ()
    alive_again: tuple[Since, ...] = ()
    lost: tuple[Since, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)


@step(reads=("leaver", "roster", "roster_tonight"))
def find_departed(workspace: Workspace, store: Connection, as_at: dt.date, since: dt.date) -> Departed:
    """Find deaths that nobody has confirmed, who is alive again, who is lost, and who has left after ``since``."""
    rows = workspace.execute(
        """
        SELECT person_id, died_on, alive_again_on, absent_since, left_reason FROM roster_tonight
        WHERE died_on IS NOT NULL OR absent_since > $since OR left_reason = 'lost'
        UNION ALL
        SELECT r.person_id, r.died_on, NULL, coalesce(r.absent_since, CASE WHEN l.reason IS NOT NULL THEN $as_at END),
            coalesce(r.left_reason, l.reason)
        FROM roster AS r ANTI JOIN roster_tonight USING (person_id) LEFT JOIN leaver AS l USING (person_id)
        WHERE r.died_on IS NOT NULL OR r.absent_since > $since OR l.reason IS NOT NULL
        ORDER BY person_id
        """,
        {"as_at": as_at, "since": since},
    ).fetchall()
    known = _read_confirmed_deaths(store) if any(died_on for _, died_on, *_ in rows) else {}
    deaths, alive, lost, left = [], [], [], Counter[str]()
    for person_id, died_on, alive_again_on, absent_since, reason in rows:
        if alive_again_on:
            alive.append((person_id, alive_again_on))
        elif died_on and known.get(person_id, dt.date.min) < died_on:
            deaths.append((person_id, died_on))
        if reason == "lost" and not died_on:
            lost.append((person_id, absent_since))
        if reason and absent_since and absent_since > since:
            left[reason] += 1
    longest = _longest_first
    return Departed(longest(deaths), longest(alive), longest(lost), dict(left.most_common()))


def _longest_first(people: list[Since]) -> tuple[Since, ...]:
    return tuple(sorted(people, key=lambda one: (one[1], one[0])))


def _read_confirmed_deaths(store: Connection) -> dict[str, dt.date]:
    """Return when somebody last confirmed that each of these people had died."""
    event = table_of(FlagEvent)
    # An event about a person is about no flag: an index finds those few.
    asked = select(event.c.payload, event.c.as_at).where(event.c.flag_id.is_(None), event.c.kind == "death confirmed")
    rows = store.execute(asked.order_by(event.c.as_at))
    return {json.loads(payload)["person_id"]: as_at for payload, as_at in rows if payload}
