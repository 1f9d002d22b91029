"""The rows of a report: the worst flags, and the waivers, of people who may be shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from monitor.config.id_lists import restricted_sql
from monitor.flags.priority import WORST_FIRST, priority_sql, rank_sql
from monitor.messages.shown import shown
from monitor.report.contents import FlagList, FlagRow, Unanswered, UnansweredRow
from monitor.report.report_data import ReportData
from monitor.store.bulk import read_by_ids
from monitor.store.tables import Answer, Flag, table_of

MOST_ROWS = 2_000
"""More than a page can be searched by eye; the lists have them all."""
CONFIDENTIAL = "confidential"
"""What a row says in place of an id that may disclose."""
GONE = "A rule no longer in the rulebook"
LOOK = "Look at the record: what this is about stands there alone."


@dataclass(frozen=True, slots=True)
class ListedFlag:
    """What there is to say of a flag; the report's own ``since`` stands for its due date."""

    rule: str
    because: str = ""
    due_on: None = None


def list_flags(data: ReportData) -> FlagList:
    """Return the worst flags of ``report_flag``, the worst person first, as the exception lists order them."""
    workspace, hidden = data.workspace, restricted_sql(data.restricted)
    folding = [(rule.id, folded) for rule in data.rulebook.rules for folded in rule.folds]
    folds = {"rules": [rule for rule, _ in folding], "folded": [folded for _, folded in folding]}
    rows = workspace.execute(ORDERED.replace("{hidden}", hidden), folds).fetchall()
    (counted,) = workspace.execute(COUNTED.replace("{hidden}", hidden)).fetchall()
    why = _sentences(data.store, [row[0] for row in rows])
    shown = tuple(_row(row, why, data) for row in rows)
    return FlagList(shown, total=counted[0], restricted=counted[1])


COUNTED = """
    SELECT count(*) FILTER (NOT {hidden}), count(DISTINCT person_id) FILTER ({hidden})
    FROM report_flag
"""
ORDERED = f"""
    WITH folding AS (SELECT unnest($rules::VARCHAR[]) AS rule, unnest($folded::VARCHAR[]) AS folded), flags AS (
        SELECT *, NOT EXISTS (
            SELECT 1 FROM report_flag AS other JOIN folding ON folding.rule = other.rule
            WHERE other.person_id = report_flag.person_id AND folding.folded = report_flag.rule
        ) AS unfolded
        FROM report_flag WHERE NOT {{hidden}}
    ), priority AS ({priority_sql("flags", "unfolded")})
    SELECT flag_id, person_id, team, adviser, age, rule, severity, state, in_breach_since
    FROM flags JOIN priority USING (person_id)
    ORDER BY {WORST_FIRST}
    LIMIT {MOST_ROWS}
"""


def find_oldest_unanswered(data: ReportData) -> Unanswered:
    """Return the open flags that no lead has answered: how many, and the oldest, the most serious first of a day.

    A fault of the data has nothing to answer; what is waived is answered, and what is held waits for the data.
    """
    answer = table_of(Answer)
    answered = select(answer.c.flag_id).where(answer.c.answered_on <= data.as_at).distinct()
    query = UNANSWERED.format(hidden=restricted_sql(data.restricted), rank=rank_sql("severity"), most=MOST_UNANSWERED)
    rows = data.workspace.execute(query, {"answered": list(data.store.execute(answered).scalars())}).fetchall()
    total = rows[0][-1] if rows else 0
    return Unanswered(total, tuple(
        UnansweredRow(
            person, team, shown(data.rulebook.by_id, ListedFlag(rule)).title or GONE, severity, opened_on,
            (data.as_at - opened_on).days, data.link(person),
        )
        for person, team, rule, severity, opened_on, is_hidden, _ in rows
        if not is_hidden
    ))  # fmt: skip


MOST_UNANSWERED = 5
UNANSWERED = """
    SELECT person_id, team, rule, severity, opened_on, {hidden} AS is_hidden, count(*) OVER () AS total
    FROM report_flag
    WHERE state = 'open' AND severity <> 'data' AND flag_id NOT IN (SELECT unnest($answered::BIGINT[]))
    ORDER BY is_hidden, opened_on, {rank}, in_breach_since, person_id, rule LIMIT {most}
"""


def _sentences(store: Connection, flags: list[int]) -> Mapping[int, str]:
    flag = table_of(Flag)
    return dict(map(tuple, read_by_ids(store, select(flag.c.id, flag.c.because), flag.c.id, flags)))


def _row(row: tuple[object, ...], why: Mapping[int, str], data: ReportData) -> FlagRow:
    """A sensitive rule is what a message may call it and no more, for a page travels as a message does."""
    flag, person, team, adviser, age, rule_id, severity, state, since = row
    words = shown(data.rulebook.by_id, ListedFlag(str(rule_id), why.get(flag, "")))  # type: ignore[call-overload]
    return FlagRow(
        str(person), str(team), str(adviser or ""), age, words.rule or CONFIDENTIAL,  # type: ignore[arg-type]
        words.title or GONE, str(severity), state,  # type: ignore[arg-type]
        since, max((data.as_at - since).days, 0), words.because or "",  # type: ignore[arg-type,operator]
        words.action or LOOK, data.link(str(person)),
    )  # fmt: skip
