"""The life of a flag: what tonight's answers open, continue, hold, release and resolve.

    Tonight says                    No flag yet    Open flag
    breach                          open           continue; release if it was held
    ok                              -              resolve: cleared
    not applicable                  -              resolve: no longer asked (handed on where a rule continues it)
    cannot assess, rule failed      -              hold
    person absent                   -              hold
    person died                     -              resolve: died
    reached 25                      -              resolve: duty ended
    merged into another record      -              resolve: merged; the other record's flag carries it on
    rule gone, off or draft         -              resolve: withdrawn
    ok or not applicable, by a rule that asks something else than it did
                                    -              resolve: rule changed

A night put right (``--again``) starts from the flags as they stood before its first attempt: what that attempt alone
opened is resolved as *corrected*, what both open keeps its id, what it alone resolved is restored.
Deciding is one set-based pass in the workspace; ``save`` writes only what changed, with an event each.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, String, cast, func, or_, select

from monitor.flags import answers, before, carried, state
from monitor.flags.priority import rank_sql
from monitor.store import events
from monitor.store.bulk import insert_query, load_query, next_id, read_for_update, update_chunks
from monitor.store.row_statements import write_members
from monitor.store.tables import Flag, FlagBefore, FlagEvent, table_of
from monitor.workspace import Workspace, drop_tables, load_rows, step

if TYPE_CHECKING:
    from monitor.rulebook.evaluation import Evaluation
    from monitor.rulebook.rulebook import Rulebook

KEPT_SEVERITY_DAYS = 30
"""How long a flag that continues another is not less severe than it was."""

RECENT_DAYS = 40
"""How far back resolved flags are shown beside the unresolved, so that every reader hears of each clearing once."""

UNRESOLVED = {
    "flag_id": "BIGINT",
    "person_id": "VARCHAR",
    "rule": "VARCHAR",
    "severity": "VARCHAR",
    "kept_severity": "VARCHAR",
    "kept_until": "DATE",
    "opened_on": "DATE",
    "opened_run_id": "BIGINT",
    "in_breach_since": "DATE",
    "due_on": "DATE",
    "because": "VARCHAR",
    "held_since": "DATE",
    "held_why": "VARCHAR",
    "resolved_on": "DATE",
    "resolved_reason": "VARCHAR",
    "resolved_run_id": "BIGINT",
    "earlier_spells": "INTEGER",
    "last_cleared_on": "DATE",
    "quarantined_on": "DATE",
    "released_on": "DATE",
    "released_by": "VARCHAR",
    "continues_flag_id": "BIGINT",
}
HISTORY = {"person_id": "VARCHAR", "rule": "VARCHAR", "spells": "INTEGER", "last_cleared_on": "DATE"}
AFTER_JUMP = "the first night after a long gap ends nothing by its date"
"""Why a flag is held that the date alone would end."""
ABSENT = "not on the caseload"
TEAM_NOT_BELIEVED = "the list of the team is not believed"
FAILED = "the rule failed while running"
NO_SOURCE = "no source supplies "
NOT_BELIEVED = " not believed"
"""Other reasons why a flag is held: whole, how one begins, how one ends. Any other is the person's own cell."""
NOT_A_SPELL = ("withdrawn", "corrected", "rule changed")
"""Reasons that say nothing of how the young person did, so that what opens next is not back again."""

RESOLVED = ("resolved_on", "resolved_reason", "resolved_run_id")
CHANGING = (
    *RESOLVED, "severity", "kept_severity", "kept_until", "opened_on", "in_breach_since", "due_on", "because",
    "held_since", "held_why", "released_on",
)  # fmt: skip
"""What a night may change on a flag that exists, the day it is resolved first."""
REWRITTEN = tuple(name for name in UNRESOLVED if name not in ("flag_id", "person_id", "rule", "opened_run_id"))
"""What a night put right may change on a flag that its earlier attempt opened or changed."""
NOT_YET = (*RESOLVED, "released_on", "released_by")
"""What no flag has on the night it is opened."""


@dataclass(frozen=True)
class RuleFacts:
    """What deciding needs to know of a rule that is in force tonight.

    ``unanswered``: why it has no answers. ``reworded``: its sentence is not that of the last night, so that a flag's
    own sentence differing says nothing of the young person. ``assessed``: a source supplies its columns; one that none
    supplies carries no other rule's flag on.
    """

    rule: str
    severity: str
    continues: tuple[str, ...] = ()
    unanswered: str | None = None
    reworded: bool = False
    assessed: bool = True


def gather_facts(
    rulebook: "Rulebook", evaluated: "Evaluation", as_at: dt.date, reworded: Collection[str] = ()
) -> list[RuleFacts]:
    """Return the rules in force tonight, each with why it has no answers, where it has none."""
    facts = []
    for rule in rulebook.in_force(as_at):
        unanswered = None
        if rule.id in evaluated.failed:
            unanswered = FAILED
        elif rule.id in evaluated.not_assessed:
            unanswered = NO_SOURCE + ", ".join(evaluated.not_assessed[rule.id]).replace("_", " ")
        elif rule.id in evaluated.doubted:
            unanswered = ", ".join(evaluated.doubted[rule.id]).replace("_", " ") + NOT_BELIEVED
        assessed = rule.id not in evaluated.not_assessed
        facts.append(
            RuleFacts(rule.id, rule.severity, tuple(rule.continues), unanswered, rule.id in reworded, assessed)
        )
    return facts


@step(makes=("unresolved",))
def load(
    workspace: Workspace,
    store: Connection,
    *,
    corrects: Sequence[int] = (),
    undone: carried.Undone = carried.NOTHING_UNDONE,
) -> None:
    """Make ``unresolved``: every unresolved flag, as it stood before the runs being put right.

    For these, also ``flag_now``: the same flags, and those that the runs opened, as they are stored. Where a merge is
    taken back, also what it had ended.
    """
    flag = table_of(Flag)
    if not corrects:
        reopened = flag.c.id.in_(sorted(undone.reopened))
        wanted = flag.c.resolved_on.is_(None)
        _load_flags(workspace, store, "unresolved", or_(wanted, reopened) if undone.reopened else wanted)
    else:
        _load_ground(workspace, store, corrects, undone)
    if undone.heirs:
        carried.lay_undone(workspace, undone)


def _load_ground(workspace: Workspace, store: Connection, corrects: Sequence[int], undone: carried.Undone) -> None:
    flag, kept = table_of(Flag), table_of(FlagBefore)
    concerned = or_(
        flag.c.resolved_on.is_(None), kept.c.row.is_not(None),
        flag.c.resolved_run_id.in_(corrects), flag.c.opened_run_id.in_(corrects),
        flag.c.id.in_(sorted(undone.reopened)),
    )  # fmt: skip
    columns = {**UNRESOLVED, "is_new": "BOOLEAN", "before": "VARCHAR"}
    is_new = flag.c.opened_run_id.in_(corrects)
    query = select(*_columns(), cast(is_new, String), kept.c.row).where(concerned)
    joined = flag.outerjoin(kept, (kept.c.flag_id == flag.c.id) & kept.c.run_id.in_(corrects))
    load_query(workspace, "flag_now", columns, store, query.select_from(joined))
    carried.load_heirs_told(workspace, store, corrects)
    workspace.execute(GROUND_WAS)
    workspace.execute(GROUND, {"corrects": list(corrects), "reopened": sorted(undone.reopened)})


def _columns() -> list[ColumnElement[Any]]:
    flag = table_of(Flag)
    return [flag.c.id if column == "flag_id" else flag.c[column] for column in UNRESOLVED]


def _load_flags(workspace: Workspace, store: Connection, name: str, wanted: ColumnElement[bool]) -> None:
    load_query(workspace, name, UNRESOLVED, store, select(*_columns()).where(wanted))


def load_held_days(store: Connection) -> set[dt.date]:
    """Load the days since which any flag is held, or was before the last accepted night."""
    flag = table_of(Flag)
    held = select(flag.c.held_since).where(flag.c.resolved_on.is_(None), flag.c.held_since.is_not(None)).distinct()
    rows = map(before.read_row, store.execute(select(table_of(FlagBefore).c.row)).scalars())
    return {*store.execute(held).scalars(), *(row["held_since"] for row in rows if row["held_since"])}


_KEPT = ", ".join(f"'$.{'id' if name == 'flag_id' else name}'" for name in UNRESOLVED)
_READ = ", ".join(f"CAST(kept[{n}] AS {kind}) AS {name}" for n, (name, kind) in enumerate(UNRESOLVED.items(), start=1))
GROUND_WAS = f"""
CREATE OR REPLACE TABLE flag_was AS
SELECT ground.* REPLACE (
    CASE WHEN now.released_by IS NULL THEN ground.released_on ELSE now.released_on END AS released_on,
    now.released_by AS released_by
)
FROM (
    SELECT {_READ} FROM (
        SELECT json_extract_string(before, [{_KEPT}]) AS kept FROM flag_now WHERE before IS NOT NULL AND NOT is_new
    )
) AS ground JOIN flag_now AS now USING (flag_id)
"""
GROUND = """
CREATE OR REPLACE TABLE unresolved AS
SELECT * EXCLUDE (is_new, before, reopened) REPLACE (
    CASE WHEN reopened THEN resolved_on END AS resolved_on,
    CASE WHEN reopened THEN resolved_reason END AS resolved_reason,
    CASE WHEN reopened THEN resolved_run_id END AS resolved_run_id
)
FROM (
    SELECT *, list_contains($reopened::BIGINT[], flag_id)
        AND NOT coalesce(list_contains($corrects::BIGINT[], resolved_run_id), false) AS reopened
    FROM flag_now WHERE before IS NULL AND NOT is_new
)
WHERE resolved_on IS NULL OR reopened OR list_contains($corrects::BIGINT[], resolved_run_id)
UNION ALL BY NAME
FROM flag_was WHERE resolved_on IS NULL OR list_contains($reopened::BIGINT[], flag_id)
"""
"""The flags before the runs put right: as kept, or, where these left one alone, as stored."""


@dataclass(frozen=True)
class Edges:
    """What deciding needs to know of the nights before.

    ``changed``: rule and, for a flag that is held, since when, where the rule's meaning is no longer that of the last
    night that found the flag in breach; ``undone``: what a line taken out of the list of merged ids undoes.
    ``unanswered``: the held flags that a merge brought to a record which has given no answer of its own since.
    ``after_jump``: the clock may be ahead, so what ends because of the date alone is held until the next night.
    """

    changed: Collection[str] = ()
    undone: carried.Undone = carried.NOTHING_UNDONE
    unanswered: Collection[int] = ()
    after_jump: bool = False


@step(
    reads=("unresolved", "caseload", "roster", "merged_away", "answer", "breach", "cannot_assess"),
    makes=("rule_facts", "decision", "passed", "opening", "surging"),
)
def decide(workspace: Workspace, rules: Sequence[RuleFacts], as_at: dt.date, edges: Edges = Edges()) -> None:
    """Make ``decision``: one row per unresolved flag with its target, and ``opening``: the flags to open.

    Also ``passed``: each flag that another carries on from tonight, with whose, and under which rule.
    """
    columns = {
        "rule": "VARCHAR", "rule_severity": "VARCHAR", "unanswered": "VARCHAR", "reworded": "BOOLEAN",
        "assessed": "BOOLEAN", "continues": "VARCHAR[]",
    }  # fmt: skip
    facts = [
        (rule.rule, rule.severity, rule.unanswered, rule.reworded, rule.assessed, list(rule.continues))
        for rule in rules
    ]
    load_rows(workspace, "rule_facts", columns, facts)
    workspace.execute("CREATE TABLE surging (rule VARCHAR)")
    undone = edges.undone
    workspace.execute(DECISION, {
        "changed": list(edges.changed), "unsupported": list(undone.unsupported),
        "altered": [row["flag_id"] for row in undone.heirs], "carried_unanswered": list(edges.unanswered),
        "after_jump": edges.after_jump,
    })  # fmt: skip
    workspace.execute(PASSED, {"as_at": as_at, "kept_until": as_at + dt.timedelta(KEPT_SEVERITY_DAYS)})
    workspace.execute(OPENING, {"as_at": as_at})


DECISION = f"""
CREATE OR REPLACE TABLE decision AS
WITH gap AS (
    SELECT person_id, rule, min_by(replace("column", '_', ' ') || ' ' || why, "column") AS missing
    FROM cannot_assess GROUP BY ALL
),
-- Of a merged record, the one that stands for it is asked.
subject AS (
    SELECT u.flag_id, u.rule, coalesce(m.new_id, u.person_id) AS person_id, m.new_id AS merged_into
    FROM unresolved AS u LEFT JOIN merged_away AS m USING (person_id)
),
heir AS (
    SELECT s.flag_id, s.person_id, f.rule, f.unanswered
    FROM subject AS s JOIN (SELECT *, unnest(continues) AS continued FROM rule_facts WHERE assessed) AS f
        ON f.continued = s.rule
),
given AS MATERIALIZED (
    SELECT person_id, rule, outcome FROM answer
    SEMI JOIN (SELECT person_id, rule FROM subject UNION SELECT person_id, rule FROM heir) USING (person_id, rule)
),
handover AS (
    SELECT
        heir.flag_id,
        bool_or(coalesce(given.outcome = 'breach', false)) AS carried,
        bool_or(coalesce(given.outcome = 'breach', false) AND already.flag_id IS NULL) AS opened,
        min(coalesce(heir.unanswered, gap.missing, 'the record cannot be assessed'))
            FILTER (heir.unanswered IS NOT NULL OR coalesce(given.outcome = 'cannot assess', c.present IS NOT TRUE))
            AS silent
    FROM heir
    LEFT JOIN given USING (person_id, rule)
    LEFT JOIN gap USING (person_id, rule)
    LEFT JOIN unresolved AS already USING (person_id, rule)
    LEFT JOIN caseload AS c ON c.person_id = heir.person_id
    GROUP BY heir.flag_id
)
SELECT
    u.*,
    s.person_id AS subject,
    s.merged_into,
    CASE
        WHEN c.died OR (c.person_id IS NULL AND roster.died_on IS NOT NULL) THEN 'died'
        WHEN c.person_id IS NULL AND roster.ended_on IS NOT NULL THEN 'duty ended'
        WHEN c.age >= 25 THEN CASE WHEN $after_jump AND roster.ended_on IS NULL THEN 'hold' ELSE 'duty ended' END
        WHEN f.rule IS NULL THEN CASE WHEN $after_jump THEN 'hold' ELSE 'withdrawn' END
        WHEN a.outcome = 'breach' THEN 'continue'
        WHEN list_contains($unsupported::BIGINT[], u.flag_id) THEN 'corrected'
        WHEN a.outcome = 'not applicable' AND h.carried THEN 'handed on'
        WHEN a.outcome = 'ok' AND h.opened THEN 'handed on'
        WHEN a.outcome = 'not applicable' AND h.silent IS NOT NULL THEN 'hold'
        WHEN a.outcome IN ('ok', 'not applicable')
            AND list_contains($changed::VARCHAR[], concat_ws(' ', u.rule, u.held_since)) THEN 'rule changed'
        WHEN a.outcome = 'ok' THEN 'cleared'
        WHEN a.outcome = 'not applicable' THEN 'no longer asked'
        ELSE 'hold'
    END AS found,
    CASE WHEN s.merged_into IS NOT NULL AND found IN ('continue', 'hold') THEN 'merged' ELSE found END AS target,
    CASE
        WHEN found <> 'hold' THEN NULL
        WHEN $after_jump AND (c.age >= 25 OR f.rule IS NULL) THEN '{AFTER_JUMP}'
        WHEN c.person_id IS NOT NULL AND c.present IS NULL THEN '{TEAM_NOT_BELIEVED}'
        WHEN c.present IS NOT TRUE THEN '{ABSENT}'
        WHEN f.unanswered IS NOT NULL THEN f.unanswered
        WHEN a.outcome = 'not applicable' THEN h.silent
        ELSE coalesce(gap.missing, 'the record cannot be assessed')
    END AS hold_why,
    b.due_on AS new_due_on,
    CASE WHEN b.due_on IS NOT DISTINCT FROM u.due_on THEN u.in_breach_since
         WHEN list_contains($carried_unanswered::BIGINT[], u.flag_id) THEN least(b.in_breach_since, u.in_breach_since)
         ELSE coalesce(b.in_breach_since, u.in_breach_since) END AS new_in_breach_since,
    b.because AS new_because,
    f.reworded,
    f.rule_severity,
    list_contains($altered::BIGINT[], u.flag_id) AS altered
FROM unresolved AS u
JOIN subject AS s USING (flag_id)
LEFT JOIN caseload AS c ON c.person_id = s.person_id
LEFT JOIN roster ON roster.person_id = s.person_id
LEFT JOIN rule_facts AS f ON f.rule = u.rule
LEFT JOIN given AS a ON a.person_id = s.person_id AND a.rule = u.rule
LEFT JOIN breach AS b ON b.person_id = s.person_id AND b.rule = u.rule
LEFT JOIN gap ON gap.person_id = s.person_id AND gap.rule = u.rule
LEFT JOIN handover AS h ON h.flag_id = u.flag_id
"""
"""``found``: what tonight finds of the flag, or of the record that stands for its own; ``target``: what becomes of it.

The deadline of a flag that carries another on may be later than the day since when that was in breach, which stands
until the deadline moves; that of a record's first answer after a merge is no move.
"""

PASSED = f"""
CREATE OR REPLACE TABLE passed AS
SELECT
    d.flag_id, d.subject AS person_id, f.rule, false AS merged, false AS held,
    d.opened_on, d.in_breach_since, d.severity AS kept_severity, CAST($kept_until AS DATE) AS kept_until,
    CASE WHEN {state.quarantined_sql("d")} THEN d.quarantined_on END AS quarantined_on,
    d.due_on, d.because, d.held_since, d.hold_why
FROM decision AS d
JOIN (SELECT rule, unnest(continues) AS continued FROM rule_facts) AS f ON f.continued = d.rule
SEMI JOIN breach ON breach.person_id = d.subject AND breach.rule = f.rule
WHERE d.target = 'handed on'
UNION ALL
SELECT
    flag_id, subject, rule, true, found = 'hold',
    opened_on, in_breach_since,
    CASE WHEN kept_until >= $as_at THEN kept_severity END, CASE WHEN kept_until >= $as_at THEN kept_until END,
    CASE WHEN {state.quarantined_sql("decision")} THEN quarantined_on END,
    due_on, because, CASE WHEN found = 'hold' THEN coalesce(held_since, $as_at) END, hold_why
FROM decision WHERE target = 'merged'
"""

HANDED = f"""(
    SELECT
        person_id, rule, bool_or(merged) AS merged, bool_and(held) AS held,
        min(opened_on) AS opened_on, min(in_breach_since) AS in_breach_since,
        min_by(kept_severity, {rank_sql("kept_severity")}) AS kept_severity,
        max(kept_until) AS kept_until,
        min_by(flag_id, opened_on) AS continues_flag_id,
        CASE WHEN count(quarantined_on) = count(*) THEN min(quarantined_on) END AS quarantined_on,
        min_by(due_on, opened_on) AS due_on, min_by(because, opened_on) AS because,
        min(held_since) AS held_since, min(hold_why) AS hold_why
    FROM passed GROUP BY person_id, rule
)"""
"""What each flag that carries others on has of them."""

OPENING = f"""
CREATE OR REPLACE TABLE opening AS
WITH handed AS {HANDED},
fresh AS (
    SELECT person_id, rule, due_on, in_breach_since, because, NULL::DATE AS held_since, NULL::VARCHAR AS held_why
    FROM breach
    UNION ALL
    SELECT person_id, rule, due_on, in_breach_since, because, held_since, hold_why FROM handed WHERE held
)
SELECT
    fresh.person_id, fresh.rule, fresh.due_on, fresh.because, fresh.held_since, fresh.held_why,
    coalesce(handed.opened_on, $as_at) AS opened_on,
    CASE WHEN handed.merged THEN least(fresh.in_breach_since, handed.in_breach_since)
         ELSE coalesce(fresh.in_breach_since, handed.in_breach_since, $as_at) END AS in_breach_since,
    handed.kept_severity, handed.kept_until, handed.quarantined_on,
    CASE WHEN {rank_sql("handed.kept_severity")} < {rank_sql("f.rule_severity")}
        THEN handed.kept_severity ELSE f.rule_severity END AS severity,
    handed.continues_flag_id
FROM fresh
JOIN rule_facts AS f USING (rule)
LEFT JOIN handed USING (person_id, rule)
ANTI JOIN unresolved USING (person_id, rule)
ORDER BY fresh.person_id, fresh.rule
"""


def load_history(workspace: Workspace, store: Connection) -> None:
    """Make ``history``: how many spells of a rule each person had before tonight, and when the last one ended."""
    flag = table_of(Flag)
    counted = flag.c.resolved_on.is_not(None) & flag.c.resolved_reason.not_in(NOT_A_SPELL)
    query = select(flag.c.person_id, flag.c.rule, func.count(), func.max(flag.c.resolved_on)).where(counted)
    load_query(workspace, "history", HISTORY, store, query.group_by(flag.c.person_id, flag.c.rule))


@step(
    reads=("decision", "passed", "opening", "surging"),
    makes=("settled",),
    drops=("decision", "passed", "opening", "unresolved"),
)
def apply(workspace: Workspace, store: Connection, *, run_id: int, as_at: dt.date) -> list[carried.Link]:
    """Make ``settled``: every flag as tonight leaves it, with ids for the new, and ``change``: what happened to it.

    Return which flag carries which on from tonight.
    """
    load_history(workspace, store)
    apply_decisions(workspace, run_id=run_id, as_at=as_at, first=_next_id(store))
    links = carried.find_links(workspace)
    drop_tables(
        workspace, "history", "decision", "passed", "opening", "unresolved", "flag_now", "flag_was", "heir_told"
    )
    return links


def _next_id(store: Connection) -> int:
    """The first id that no flag ever had: the events of one that was removed with its person still have its own."""
    last = store.execute(select(func.coalesce(func.max(table_of(FlagEvent).c.flag_id), 0))).scalar_one()
    return max(next_id(store, Flag), int(last) + 1)


def apply_decisions(workspace: Workspace, *, run_id: int, as_at: dt.date, first: int) -> None:
    """Make ``settled`` from ``decision``, ``opening`` and ``history``; ``first``: the id of the first new flag."""
    corrected = "flag_now" in workspace.tables
    given = {"as_at": as_at, "run_id": run_id, "first": first}
    workspace.execute(_settled_sql(corrected=corrected), given)
    if corrected:
        workspace.execute(LEFT_AS_IT_WAS)
        workspace.execute(NOT_OPENED_AFTER_ALL, {"as_at": as_at, "run_id": run_id})
        workspace.execute(OTHERWISE_CHANGED)


def _settled_sql(*, corrected: bool) -> str:
    """Return what makes ``settled``. ``corrected``: what has happened is told beside ``flag_now``, what is stored."""
    now, beside, elsewhere = "d", "", ""
    if corrected:
        now, beside = "now", "LEFT JOIN flag_now AS now USING (flag_id) LEFT JOIN heir_told AS told USING (flag_id)"
        elsewhere = " OR told.heir IS DISTINCT FROM d.merged_into"
    was_severity = "now.severity" if corrected else "d.severity_before"
    return f"""
CREATE OR REPLACE TABLE settled AS
WITH laid AS (
    SELECT decision.* REPLACE (
            least(decision.opened_on, l.opened_on) AS opened_on,
            CASE WHEN l.merged OR new_due_on IS NULL THEN least(new_in_breach_since, l.in_breach_since)
                 ELSE new_in_breach_since END AS new_in_breach_since,
            CASE WHEN l.merged THEN least(decision.in_breach_since, l.in_breach_since)
                 ELSE decision.in_breach_since END AS in_breach_since,
            CASE WHEN l.keeps THEN l.kept_severity ELSE decision.kept_severity END AS kept_severity,
            CASE WHEN l.keeps THEN l.kept_until ELSE decision.kept_until END AS kept_until
        ),
        altered OR l.flag_id IS NOT NULL AS laid, decision.severity AS severity_before
    FROM decision LEFT JOIN (
        SELECT own.flag_id, handed.*, coalesce(
            {rank_sql("handed.kept_severity")}
                < coalesce(CASE WHEN own.kept_until >= $as_at THEN {rank_sql("own.kept_severity")} END, 9), false
        ) AS keeps
        FROM decision AS own JOIN {HANDED} AS handed USING (person_id, rule) WHERE own.target IN ('hold', 'continue')
    ) AS l USING (flag_id)
),
d AS (
    SELECT laid.* REPLACE (
        CASE WHEN kept_until >= $as_at AND {rank_sql("kept_severity")} < {rank_sql("usual")}
             THEN kept_severity ELSE coalesce(usual, severity) END AS severity
    )
    FROM (
        SELECT *, CASE WHEN target IN ('continue', 'hold') THEN rule_severity END AS usual FROM laid
    ) AS laid
)
SELECT
    d.flag_id, d.person_id, d.rule, d.laid, d.severity,
    d.kept_severity, d.kept_until, d.opened_on, d.opened_run_id,
    CASE WHEN d.target = 'continue' THEN d.new_in_breach_since ELSE d.in_breach_since END AS in_breach_since,
    CASE WHEN d.target = 'continue' THEN d.new_due_on ELSE d.due_on END AS due_on,
    CASE WHEN d.target = 'continue' THEN d.new_because ELSE d.because END AS because,
    CASE d.target WHEN 'hold' THEN coalesce(d.held_since, $as_at) WHEN 'continue' THEN NULL ELSE d.held_since END
        AS held_since,
    CASE d.target WHEN 'hold' THEN d.hold_why WHEN 'continue' THEN NULL ELSE d.held_why END AS held_why,
    CASE WHEN d.target NOT IN ('hold', 'continue') THEN $as_at END AS resolved_on,
    CASE WHEN d.target NOT IN ('hold', 'continue') THEN d.target END AS resolved_reason,
    CASE WHEN d.target NOT IN ('hold', 'continue') THEN $run_id END AS resolved_run_id,
    d.earlier_spells, d.last_cleared_on, d.quarantined_on, d.released_on, d.released_by, d.merged_into,
    d.continues_flag_id,
    CASE
        WHEN d.target NOT IN ('hold', 'continue') THEN
            CASE WHEN {now}.resolved_reason IS DISTINCT FROM d.target OR d.resolved_on IS NOT NULL{elsewhere}
                THEN 'resolved' END
        WHEN {now}.resolved_on IS NOT NULL THEN 'restored'
        WHEN d.target = 'hold' THEN CASE WHEN {now}.held_since IS NULL THEN 'held'
                                         WHEN d.released_on = $as_at AND d.released_by IS NULL THEN 'told unconfirmed'
                                         WHEN d.laid OR d.severity IS DISTINCT FROM {was_severity}
                                             OR {now}.held_why IS DISTINCT FROM d.hold_why THEN 'changed' END
        WHEN {now}.held_since IS NOT NULL THEN 'released'
        WHEN d.released_on = $as_at AND d.released_by IS NULL THEN 'told unconfirmed'
        WHEN d.laid OR d.severity IS DISTINCT FROM {was_severity} OR d.new_due_on IS DISTINCT FROM {now}.due_on
            OR (d.new_because IS DISTINCT FROM {now}.because AND NOT d.reworded) THEN 'changed'
        WHEN d.new_because IS DISTINCT FROM {now}.because THEN 'reworded'
    END AS change,
    d.severity_before
FROM d {beside}
UNION ALL BY NAME
{OPENED_AGAIN if corrected else OPENED}
"""


OPENED = """
SELECT
    CAST($first + row_number() OVER (ORDER BY person_id, rule) - 1 AS BIGINT) AS flag_id,
    o.person_id, o.rule, o.severity, o.kept_severity, o.kept_until,
    o.opened_on, CAST($run_id AS BIGINT) AS opened_run_id, o.in_breach_since, o.due_on, o.because,
    o.held_since, o.held_why,
    coalesce(h.spells, 0) AS earlier_spells, h.last_cleared_on, o.continues_flag_id,
    CASE WHEN o.continues_flag_id IS NOT NULL THEN o.quarantined_on
         WHEN o.rule IN (SELECT rule FROM surging) THEN CAST($as_at AS DATE) END AS quarantined_on,
    'opened' AS change
FROM opening AS o LEFT JOIN history AS h USING (person_id, rule)
"""
OPENED_AGAIN = f"""
SELECT
    o.* EXCLUDE (flag_id, opened_run_id, quarantined_on, change),
    coalesce(now.flag_id, o.flag_id) AS flag_id,
    coalesce(now.opened_run_id, o.opened_run_id) AS opened_run_id,
    CASE WHEN now.released_by IS NULL THEN o.quarantined_on ELSE now.quarantined_on END AS quarantined_on,
    CASE WHEN now.released_by IS NOT NULL THEN now.released_on END AS released_on,
    now.released_by,
    CASE WHEN now.flag_id IS NULL THEN 'opened' WHEN now.resolved_on IS NOT NULL THEN 'restored'
         WHEN o.because IS DISTINCT FROM now.because THEN 'changed' END AS change
FROM ({OPENED}) AS o LEFT JOIN (FROM flag_now WHERE is_new) AS now USING (person_id, rule)
"""
"""What an earlier attempt at this date opened keeps its id, and what an analyst has said of it since."""

LEFT_AS_IT_WAS = """
INSERT INTO settled BY NAME
SELECT flag_was.*, 'resolved' AS change
FROM flag_was JOIN flag_now AS now USING (flag_id) ANTI JOIN settled USING (flag_id)
WHERE flag_was.resolved_on IS NOT NULL AND now.resolved_on IS NULL
"""
"""What was resolved before a night put right, and only its earlier attempt opened again."""
NOT_OPENED_AFTER_ALL = """
INSERT INTO settled BY NAME
SELECT
    * EXCLUDE (is_new, before) REPLACE (
        CAST($as_at AS DATE) AS resolved_on, 'corrected' AS resolved_reason, CAST($run_id AS BIGINT) AS resolved_run_id
    ),
    CASE WHEN resolved_reason IS DISTINCT FROM 'corrected' THEN 'resolved' END AS change
FROM flag_now ANTI JOIN settled USING (flag_id)
WHERE is_new
"""

_FACTS = [name for name in REWRITTEN if name not in ("because", "resolved_run_id")]
OTHERWISE_CHANGED = f"""
UPDATE settled SET change = 'changed' FROM flag_now AS now
WHERE now.flag_id = settled.flag_id AND settled.resolved_on IS NULL AND coalesce(change, 'reworded') = 'reworded'
    AND row({", ".join(f"settled.{name}" for name in _FACTS)})
        IS DISTINCT FROM row({", ".join(f"now.{name}" for name in _FACTS)})
"""
"""What a night put right leaves otherwise than its earlier attempt did, though nothing else has happened to it."""


@step(reads=("settled",))
def save(
    workspace: Workspace,
    store: Connection,
    stamp: events.Stamp,
    *,
    corrects: Sequence[int] = (),
    reopened: Collection[int] = (),
) -> None:
    """Write tonight's changes, how each flag stood before, and an event for each, inside the caller's transaction."""
    run_id = stamp.run_id or 0
    before.begin(store, run_id, corrects)
    # A night put right may find each of its columns otherwise than its earlier attempt did.
    columns = REWRITTEN if corrects else CHANGING
    changed = f"SELECT {', '.join(columns)}, flag_id FROM settled WHERE change <> 'opened' OR resolved_on IS NOT NULL"
    for rows in read_for_update(workspace, store, Flag, columns, changed):
        before.keep(store, (row[-1] for row in rows), run_id, corrects)
        if corrects:
            update_chunks(store, Flag, columns, [rows])
            continue
        # Indexes hold the day a flag was resolved, and are left alone where it stays as it is.
        resolving = [row for row in rows if row[0] is not None or row[-1] in reopened]
        update_chunks(store, Flag, columns, [resolving])
        standing = [row[len(RESOLVED) :] for row in rows if row[0] is None and row[-1] not in reopened]
        update_chunks(store, Flag, columns[len(RESOLVED) :], [standing])
    new = {"id": "flag_id"} | {name: name for name in UNRESOLVED if name not in ("flag_id", *NOT_YET)}
    opened = f"SELECT {', '.join(new.values())} FROM settled WHERE change = 'opened'"
    insert_query(workspace, store, Flag, [*new], opened)
    _record(workspace, store, columns, stamp)


def _say(columns: Sequence[str]) -> str:
    """Write the SQL of what an event says of a flag whose ``columns`` a night may change; the rest it said before."""
    said = write_members({"id": "flag_id", "person_id": "person_id", **{name: name for name in columns}}, nulls=True)
    return f"'{{' || {said} || '}}'"


def _record(workspace: Workspace, store: Connection, columns: Sequence[str], stamp: events.Stamp) -> None:
    """Record an event for each change, and together what was written of flags to which nothing has happened.

    Those are flags of a rule of which only the words are new, and of an attempt put right that ended them the same.
    """
    rows = f"""CASE WHEN change <> 'opened' THEN '{{"flag":[' || {_say(columns)} || ']}}' END"""
    said = ", ".join(f"{value} AS {name}" for name, value in (*HAPPENED.items(), ("rows", rows)))
    happened = events.EventQuery([*HAPPENED, "rows"], f"SELECT {said} FROM settled WHERE change <> 'reworded'")
    restated = events.RowsTogether("flags restated", "flag", f"""
        SELECT {_say(columns)} AS row FROM settled
        WHERE change = 'reworded' OR (change IS NULL AND resolved_on IS NOT NULL)
    """)  # fmt: skip
    events.record_query(workspace, store, happened, stamp, restated)


HAPPENED = {
    "kind": "change",
    "flag_id": "flag_id",
    "person_id": "person_id",
    "rule": "rule",
    "why": "coalesce(nullif(resolved_reason, ''), nullif(held_why, ''), because)",
    "severity": "severity",
    "due_on": "due_on",
    "in_breach_since": "in_breach_since",
    "continues_flag_id": "continues_flag_id",
    "merged_into": "merged_into",
    "quarantined_on": "quarantined_on",
    **{
        name: f"CASE WHEN change = 'opened' THEN {name} END"
        for name in ("opened_on", "last_cleared_on", "kept_severity", "kept_until")
    },
    "earlier_spells": "CASE WHEN change = 'opened' THEN nullif(earlier_spells, 0) END",
    # Why it is held stands in place of its sentence, where a flag is opened to carry another on and cannot be assessed.
    **{
        name: f"CASE WHEN change = 'opened' AND held_since IS NOT NULL THEN {name} END"
        for name in ("because", "held_since", "held_why")
    },
}
"""What the event of a change says, from the columns of ``settled``; of a flag that is opened, every column it has."""


@step(reads=("unresolved",), makes=("settled",))
def keep_as_stored(workspace: Workspace) -> None:
    """Make ``settled`` of the flags just as they are stored: a night on which nothing changes."""
    stored = "(SELECT * EXCLUDE (is_new, before) FROM flag_now)" if "flag_now" in workspace.tables else "unresolved"
    workspace.execute(f"""
        CREATE OR REPLACE TABLE settled AS
        SELECT *, CAST(NULL AS VARCHAR) AS change FROM {stored} WHERE resolved_on IS NULL
    """)


STATE = state.state_sql(
    resolved="flags.resolved_on IS NOT NULL",
    quarantined=state.quarantined_sql("flags"),
    waived="coalesce(w.target = 'in force', false)",
    held="flags.held_since IS NOT NULL",
)


@step(reads=("settled", "caseload", "waiver_tonight"), makes=("lead_answer", "flag_line"))
def list_flags(workspace: Workspace, store: Connection, as_at: dt.date) -> None:
    """Make ``flag_line``: every unresolved flag after tonight and those resolved lately, as readers see them.

    A waiver hides that its flag is held from ``state``, and not from ``held_since``.
    """
    answers.load(workspace, store)
    lately = as_at - dt.timedelta(RECENT_DAYS)
    _load_flags(workspace, store, "resolved_lately", table_of(Flag).c.resolved_on >= lately)
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE flag_line AS
        WITH flags AS (
            SELECT *, CASE WHEN change = 'restored' THEN 'opened'
                           WHEN change NOT IN ('changed', 'reworded', 'told unconfirmed') THEN change END AS shown
            FROM settled
            UNION ALL BY NAME
            SELECT * FROM resolved_lately ANTI JOIN settled USING (flag_id)
        )
        SELECT
            flags.flag_id, flags.person_id, c.allocated_team AS team, c.personal_adviser, c.age,
            c.category AS eligibility, flags.rule, flags.severity,
            {STATE} AS state,
            CASE WHEN state IN ('open', 'held') AND w.reopened_on = $as_at THEN 'waiver ended' ELSE flags.shown END
                AS change, flags.resolved_reason, flags.resolved_on, flags.opened_on, flags.in_breach_since,
            flags.due_on, flags.because, flags.held_since, flags.held_why,
            CASE WHEN state = 'waived' THEN w.until_on END AS waived_until,
            CASE WHEN state = 'waived' THEN w.waived_on END AS waived_on,
            CASE WHEN state IN ('open', 'held') THEN w.reopened_on END AS waiver_ended_on,
            flags.earlier_spells, flags.last_cleared_on,
            flags.released_on IS NOT NULL AND flags.released_by IS NULL AS unconfirmed,
            a.answer, a.answered_on, a.answered_by,
            CASE WHEN a.flag_id IS NOT NULL THEN coalesce(a.noticed_on, $as_at) END AS answer_noticed_on
        FROM flags
        LEFT JOIN caseload AS c USING (person_id)
        LEFT JOIN waiver_tonight AS w ON w.flag_id = flags.flag_id AND w.latest
        LEFT JOIN lead_answer AS a ON a.flag_id = flags.flag_id AND flags.resolved_on IS NULL
    """,
        {"as_at": as_at},
    )
    drop_tables(workspace, "resolved_lately")
