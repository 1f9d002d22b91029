"""The figures of a week, from the flags as the night left them and what was escalated and refused since."""

import datetime as dt
from collections.abc import Collection

from sqlalchemy import Connection, func, select

from monitor.figures.ways_out_of_sight import OUT_OF_SIGHT
from monitor.flags import escalation
from monitor.messages.head import SightRow, TeamWeek, Week
from monitor.store.tables import Escalation, Run, table_of
from monitor.workspace import Workspace, load_rows


def gather(
    workspace: Workspace,
    store: Connection,
    as_at: dt.date,
    since: dt.date,
    teams: Collection[str] | None = None,
) -> Week:
    """What stands and what happened after ``since``; of ``teams`` only, where they are given. Reads ``flag_line``."""
    ways = [(number, label, rule) for number, (label, rules) in enumerate(OUT_OF_SIGHT.items()) for rule in rules]
    load_rows(workspace, "way_out_of_sight", {"n": "INTEGER", "label": "VARCHAR", "rule": "VARCHAR"}, ways)
    own = {"teams": list(teams or ()), "all_teams": teams is None}
    sight = workspace.execute(SIGHT, {**own, "as_at": as_at}).fetchall()
    standing = workspace.execute(TEAMS, {**own, "since": since}).fetchall()
    table = table_of(Escalation)
    steps = {
        (row[0] or "", row[1]): row[2]
        for row in store.execute(
            select(table.c.team, table.c.step, func.count())
            .where(table.c.as_at > since, table.c.as_at <= as_at)
            .group_by(table.c.team, table.c.step)
        )
    }
    run = table_of(Run)
    within = (run.c.as_at > since, run.c.as_at <= as_at)
    states = store.execute(select(run.c.as_at, run.c.state).where(*within)).all()
    accepted = {row.as_at for row in states if row.state == "accepted"}
    return Week(
        since=since,
        sight=tuple(SightRow(label, people, tuple(counts)) for label, people, *counts in sight),
        teams=tuple(
            TeamWeek(team or None, *counts, *(steps.get((team, step), 0) for step in escalation.STEPS))
            for team, *counts in standing
        ),
        refused=tuple(sorted({row.as_at for row in states if row.state in ("refused", "failed")} - accepted)),
        nights=len(accepted),
    )


SIGHT = """
WITH out_of_sight AS (
    SELECT n, label, person_id, min(in_breach_since) AS since
    FROM flag_line JOIN way_out_of_sight USING (rule)
    WHERE state IN ('open', 'held', 'waived') AND ($all_teams OR list_contains($teams::VARCHAR[], team))
    GROUP BY ALL
),
counted AS (
    SELECT n, label, person_id, since FROM out_of_sight
    UNION ALL
    SELECT -1, 'Out of sight in any way', person_id, min(since) FROM out_of_sight GROUP BY person_id
)
SELECT label, count(*),
    count(*) FILTER (since > $as_at::DATE - INTERVAL 1 MONTH),
    count(*) FILTER (since <= $as_at::DATE - INTERVAL 1 MONTH AND since > $as_at::DATE - INTERVAL 3 MONTH),
    count(*) FILTER (since <= $as_at::DATE - INTERVAL 3 MONTH AND since > $as_at::DATE - INTERVAL 12 MONTH),
    count(*) FILTER (since <= $as_at::DATE - INTERVAL 12 MONTH)
FROM counted GROUP BY n, label ORDER BY n
"""

TEAMS = """
SELECT coalesce(team, '') AS team,
    count(*) FILTER (state = 'open'),
    count(*) FILTER (state = 'held'),
    count(*) FILTER (state = 'waived'),
    count(*) FILTER (opened_on > $since AND state <> 'quarantined'),
    count(*) FILTER (resolved_on > $since AND resolved_reason = 'cleared')
FROM flag_line
WHERE severity <> 'data' AND ($all_teams OR list_contains($teams::VARCHAR[], team))
GROUP BY ALL
HAVING count(*) FILTER (state <> 'resolved' OR resolved_on > $since) > 0
ORDER BY ALL
"""
