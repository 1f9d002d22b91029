"""What was done in the period: flags cleared and how long that took, escalations, answers, waivers."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from monitor.durations import Duration
from monitor.figures.week import read_nights
from monitor.flags.backlog import Backlog
from monitor.flags.priority import rank_sql
from monitor.flags.state import is_waiver_in_force, waives
from monitor.messages.shown import shown
from monitor.report.contents import ClearingDays, Tally, WaiverFigures, WaiverRow, WeekFlow, WhatWasDone
from monitor.report.flag_rows import CONFIDENTIAL, GONE, ListedFlag
from monitor.report.report_data import ReportData
from monitor.report.report_nights import Nights
from monitor.store.tables import Answer, Escalation, Waiver, table_of
from monitor.workspace import Workspace

FEWEST_FOR_QUARTILES = 4
ENDING_WITHIN = 14
MOST_WAIVERS = 500
ReadWaivers = tuple[list[Any], dict[str, str]]
"""Waivers of the people of the report, in force on the last night or ended in the period; and their teams."""
Happened = Mapping[str, Counter[dt.date]]
"""Flags by day: opened, found on a first night (backlog), and ended by reason."""
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


def count_done(data: ReportData, happened: Happened, waivers: Sequence[Any]) -> WhatWasDone:
    """Return the flags opened and ended in the period, the escalations by step, the answers by kind and the waivers."""
    workspace, store, nights, as_at = data.workspace, data.store, data.nights, data.as_at
    escalation, answer = table_of(Escalation), table_of(Answer)
    raised = select(escalation.c.flag_id, escalation.c.step, escalation.c.as_at)
    raised = raised.where(escalation.c.as_at.between(nights.since, as_at)).order_by(escalation.c.id)
    said = select(answer.c.flag_id, answer.c.answer, answer.c.answered_on)
    said = said.where(answer.c.answered_on.between(nights.since, as_at))
    # A flag that took both steps is one flag, told at the higher.
    highest = list({row.flag_id: row for row in store.execute(raised)}.values())
    steps, answers = (_list_days(workspace, rows) for rows in (highest, store.execute(said).all()))
    waived = Counter(row.waived_on for row in waivers if nights.since <= row.waived_on <= as_at)
    tally = Tallier(nights)
    return WhatWasDone(
        escalations=tuple(
            tally(STEPS.get(step, step), Counter(steps.get(step, ())))
            for step in (*STEPS, *sorted(steps.keys() - STEPS.keys()))
        ),
        answers=tuple(tally(word.capitalize(), Counter(days)) for word, days in sorted(answers.items())),
        opened=tally("Opened", happened["opened"]),
        backlog=tally("Found on a first night", happened["backlog"]),
        cleared=tally("Cleared", happened["cleared"]),
        no_longer_asked=tally("No longer asked", happened["no longer asked"]),
        rule_changed=tally("No longer asked for (rule changed)", happened["rule changed"]),
        escalated=tally("Raised above the lead", Counter(day for days in steps.values() for day in days)),
        answered=tally("Answered by a lead", Counter(day for days in answers.values() for day in days)),
        waived=tally("Waived", waived),
    )


def count_flow(data: ReportData, happened: Happened) -> tuple[WeekFlow, ...]:
    """Return what each week of the report opened and cleared, and its nights that were not accepted."""
    nights = data.nights
    accepted, tried = read_nights(data.store, nights.since - dt.timedelta(1), data.as_at)
    refused = sorted(tried - accepted)

    def count(what: str, monday: dt.date) -> int:
        return sum(happened[what][monday + dt.timedelta(n)] for n in range(7))

    return tuple(
        WeekFlow(
            monday,
            count("opened", monday),
            count("backlog", monday),
            count("cleared", monday),
            tuple(night for night in refused if 0 <= (night - monday).days < 7),
        )
        for monday, _ in nights.weeks
    )


@dataclass(frozen=True)
class Tallier:
    """Adds up counts by day: of the period, of the last week and of the last month."""

    nights: Nights

    def __call__(self, label: str, days: Counter[dt.date]) -> Tally:
        as_at = self.nights.last.as_at  # type: ignore[union-attr]
        week, month = as_at - dt.timedelta(7), Duration(1, "month").before(as_at)
        return Tally(
            label,
            days.total(),
            sum(number for day, number in days.items() if day > week),
            sum(number for day, number in days.items() if day > month),
            max(days, default=None),
        )


def count_days(data: ReportData, backlog: Backlog) -> Happened:
    """Count by day the flags opened, found on a first night, and ended by reason; faults of the data are no flags."""
    rows = data.workspace.execute(
        f"""
        WITH happened AS (
            SELECT unnest([
                {{'what': CASE WHEN {backlog.sql("flag_line")} THEN 'backlog' ELSE 'opened' END, 'day':
                    CASE WHEN state <> 'quarantined' AND coalesce(resolved_reason NOT IN ('handed on', 'merged'), true)
                    THEN opened_on END}},
                {{'what': resolved_reason, 'day': resolved_on}}
            ], recursive := true)
            FROM flag_line WHERE severity <> 'data'
        )
        SELECT what, day, count(*) FROM happened WHERE day BETWEEN $since AND $as_at GROUP BY ALL
        """,
        {"since": data.nights.since, "as_at": data.as_at},
    ).fetchall()
    happened: defaultdict[str, Counter[dt.date]] = defaultdict(Counter)
    for what, day, number in rows:
        happened[what][day] = number
    return happened


def _list_days(workspace: Workspace, rows: Sequence[Any]) -> dict[str, list[dt.date]]:
    """List the days by the second of each row, of those whose first is a flag of the report."""
    if not rows:
        return {}
    query = "SELECT flag_id FROM spell WHERE flag_id IN (SELECT unnest($flags::BIGINT[]))"
    about = {flag for (flag,) in workspace.execute(query, {"flags": [row[0] for row in rows]}).fetchall()}
    days: defaultdict[str, list[dt.date]] = defaultdict(list)
    for flag, word, day in rows:
        if flag in about:
            days[word].append(day)
    return days


def list_waivers(data: ReportData, read: ReadWaivers) -> WaiverFigures:
    """Return those in force, soonest to end first; and those that ended in the period."""
    as_at = data.as_at
    rows, teams = read
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


def read_waivers(data: ReportData) -> ReadWaivers:
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
