"""What was done in the period: flags cleared and how long that took, escalations, answers, waivers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, or_, select

from monitor.flags.priority import rank_sql
from monitor.flags.state import is_waiver_in_force, quarantined_sql, waives
from monitor.messages.shown import shown
from monitor.report.contents import ClearingDays, Tally, WaiverFigures, WaiverRow, WhatWasDone
from monitor.report.flag_rows import CONFIDENTIAL, GONE, ListedFlag
from monitor.report.report_data import ReportData
from monitor.store.tables import Answer, Escalation, Waiver, table_of
from monitor.workspace import Workspace

FEWEST_FOR_QUARTILES = 4
ENDING_WITHIN = 14
MOST_WAIVERS = 500
STEPS = {"manager": "To the manager, no further", "head": "On to the head of service"}


def count_clearing(data: ReportData) -> tuple[ClearingDays, ...]:
    """Return days from breach to clearing of the flags cleared in the period: by severity, then by rule."""
    rows = data.workspace.execute(
        f"""
        WITH cleared AS (
            SELECT severity, rule, greatest(resolved_on - in_breach_since, 0) AS days FROM spell
            WHERE resolved_reason = 'cleared' AND resolved_on BETWEEN $since AND $as_at
        ), counted AS (
            SELECT severity, coalesce(rule, '') AS rule, count(*) AS cleared,
                quantile_cont(days, [0.25, 0.5, 0.75]) AS quarters
            FROM cleared GROUP BY GROUPING SETS ((severity), (rule, severity))
        ), still AS (
            SELECT severity, coalesce(rule, '') AS rule, count(*) AS standing FROM report_flag
            GROUP BY GROUPING SETS ((severity), (rule, severity))
        )
        SELECT severity, rule, coalesce(cleared, 0), coalesce(standing, 0), quarters
        FROM counted FULL JOIN still USING (severity, rule)
        ORDER BY rule <> '', {rank_sql()}, rule
        """,
        {"since": data.nights.since, "as_at": data.as_at},
    ).fetchall()
    found = []
    for severity, rule, cleared, standing, quarters in rows:
        known = data.rulebook.by_id.get(rule)
        label = severity.capitalize() if not rule else known.title if known else GONE
        lower, median, upper = (round(each) for each in quarters) if quarters else (None, None, None)
        if cleared < FEWEST_FOR_QUARTILES:
            lower = upper = None
        found.append(ClearingDays(rule, label, severity, cleared, standing, lower, median, upper))
    return tuple(found)


def count_done(data: ReportData) -> WhatWasDone:
    """Return the flags opened and ended in the period, the escalations by step and the answers by kind."""
    workspace, store, nights, as_at = data.workspace, data.store, data.nights, data.as_at
    (counted,) = workspace.execute(
        f"""
        SELECT count(*) FILTER (stood_from BETWEEN $since AND $as_at AND NOT {quarantined_sql("spell")}),
            count(*) FILTER (resolved_reason = 'cleared' AND resolved_on BETWEEN $since AND $as_at),
            count(*) FILTER (resolved_reason = 'no longer asked' AND resolved_on BETWEEN $since AND $as_at),
            count(*) FILTER (resolved_reason = 'rule changed' AND resolved_on BETWEEN $since AND $as_at)
        FROM spell
        """,
        {"since": nights.since, "as_at": as_at},
    ).fetchall()
    escalation, answer = table_of(Escalation), table_of(Answer)
    raised = select(escalation.c.flag_id, escalation.c.step).where(escalation.c.as_at.between(nights.since, as_at))
    said = select(answer.c.flag_id, answer.c.answer).where(answer.c.answered_on.between(nights.since, as_at))
    going_up = store.execute(raised.order_by(escalation.c.id)).all()
    # A flag that took both steps is one flag, told at the higher.
    highest = list({row.flag_id: row for row in going_up}.values())
    steps, answers = (_count_words(workspace, rows) for rows in (highest, store.execute(said).all()))
    return WhatWasDone(
        tuple(Tally(STEPS.get(step, step), steps[step]) for step in (*STEPS, *sorted(steps.keys() - STEPS.keys()))),
        tuple(Tally(word.capitalize(), number) for word, number in sorted(answers.items())),
        *counted,
    )


def _count_words(workspace: Workspace, rows: Sequence[Row[Any, Any]]) -> Counter[str]:
    """Count the second of each row, of those whose first is a flag of the report."""
    if not rows:
        return Counter()
    query = "SELECT flag_id FROM spell WHERE flag_id IN (SELECT unnest($flags::BIGINT[]))"
    about = {flag for (flag,) in workspace.execute(query, {"flags": [flag for flag, _ in rows]}).fetchall()}
    return Counter(word for flag, word in rows if flag in about)


def list_waivers(data: ReportData) -> WaiverFigures:
    """Return those in force, soonest to end first; and those that ended in the period."""
    as_at = data.as_at
    rows, teams = _read_waivers(data)
    in_force = [row for row in rows if waives(row, as_at)]
    ended = [row for row in rows if not waives(row, as_at)]
    meanings = {code: reason.meaning for code, reason in data.config.waivers.reasons.items()}
    reasons = Counter(meanings.get(row.reason, row.reason) for row in in_force)
    shown = [row for row in (*in_force, *ended) if row.person_id not in data.restricted]
    return WaiverFigures(
        len(in_force),
        sum((row.until_on - as_at).days <= ENDING_WITHIN for row in in_force),
        len(ended),
        tuple(Tally(*each) for each in reasons.most_common()),
        tuple(_row(row, teams, meanings, data) for row in shown[:MOST_WAIVERS]),
        len(rows) - len(shown[:MOST_WAIVERS]),
    )


def _read_waivers(data: ReportData) -> tuple[list[Any], dict[str, str]]:
    """Read those in force on the last night, or ended in the period, of the people of the report; and their teams."""
    waiver = table_of(Waiver)
    ended_then = waiver.c.ended_on.between(data.nights.since, data.as_at)
    wanted = or_(is_waiver_in_force(data.as_at), ended_then)
    rows = data.store.execute(select(waiver).where(wanted).order_by(waiver.c.until_on, waiver.c.id)).all()
    if not rows:
        return [], {}
    query = "SELECT person_id, team FROM known_person WHERE person_id IN (SELECT unnest($people::VARCHAR[]))"
    teams = dict(data.workspace.execute(query, {"people": [row.person_id for row in rows]}).fetchall())
    return [row for row in rows if row.person_id in teams], teams


def _row(row: Any, teams: Mapping[str, str], meanings: Mapping[str, str], data: ReportData) -> WaiverRow:
    words = shown(data.rulebook.by_id, ListedFlag(row.rule))
    return WaiverRow(
        row.person_id,
        teams.get(row.person_id),
        words.rule or CONFIDENTIAL,
        words.title or GONE,
        meanings.get(row.reason, row.reason),
        row.waived_by,
        row.until_on,
        row.ended_on if row.ended_on is not None and row.ended_on <= data.as_at else None,
        data.link(row.person_id),
    )
