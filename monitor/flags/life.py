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

A night put right (``--again``) starts from the flags as its first attempt left them: what that attempt
alone opened is resolved as *corrected*, what it alone resolved is restored.
Deciding is one set-based pass in the workspace; ``save`` writes only what changed, with an event each.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, or_, select

from monitor.flags import answers, state
from monitor.flags.priority import rank_sql
from monitor.store import events
from monitor.store.bulk import insert_query, load_query, next_id, update_query
from monitor.store.tables import Flag, FlagEvent, table_of
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
}
HISTORY = {"person_id": "VARCHAR", "rule": "VARCHAR", "spells": "INTEGER", "last_cleared_on": "DATE"}
NOT_A_SPELL = ("withdrawn", "corrected")
"""Reasons that say nothing of how the young person did, so that what opens next is not back again."""

RESOLVED = ("resolved_on", "resolved_reason", "resolved_run_id")
CHANGING = ("severity", "in_breach_since", "due_on", "because", "held_since", "held_why", *RESOLVED, "released_on")
"""What a night may change on a flag that exists."""
NOT_YET = ("held_since", "held_why", *RESOLVED, "released_on", "released_by")
"""What no flag has on the night it is opened."""


@dataclass(frozen=True)
class RuleFacts:
    """What deciding needs to know of a rule that is in force tonight.

    ``unanswered``: why it has no answers. ``reworded``: its sentence is not that of the last night, so that a flag's
    own sentence differing says nothing of the young person.
    """

    rule: str
    severity: str
    continues: tuple[str, ...] = ()
    unanswered: str | None = None
    reworded: bool = False


def gather_facts(
    rulebook: "Rulebook", evaluated: "Evaluation", as_at: dt.date, reworded: Collection[str] = ()
) -> list[RuleFacts]:
    """Return the rules in force tonight, each with why it has no answers, where it has none."""
    facts = []
    for rule in rulebook.in_force(as_at):
        unanswered = None
        if rule.id in evaluated.failed:
            unanswered = "the rule failed while running"
        elif rule.id in evaluated.not_assessed:
            unanswered = "no source supplies " + ", ".join(evaluated.not_assessed[rule.id]).replace("_", " ")
        elif rule.id in evaluated.doubted:
            unanswered = ", ".join(evaluated.doubted[rule.id]).replace("_", " ") + " not believed"
        facts.append(RuleFacts(rule.id, rule.severity, tuple(rule.continues), unanswered, rule.id in reworded))
    return facts


@step(makes=("unresolved",))
def load(workspace: Workspace, store: Connection, *, corrects: Sequence[int] = ()) -> None:
    """Make ``unresolved``: every unresolved flag, and those that the runs being put right resolved."""
    flag = table_of(Flag)
    wanted = or_(flag.c.resolved_on.is_(None), flag.c.resolved_run_id.in_(corrects))
    _load_flags(workspace, store, "unresolved", wanted)


def _load_flags(workspace: Workspace, store: Connection, name: str, wanted: ColumnElement[bool]) -> None:
    flag = table_of(Flag)
    columns = [flag.c.id if column == "flag_id" else flag.c[column] for column in UNRESOLVED]
    load_query(workspace, name, UNRESOLVED, store, select(*columns).where(wanted))


@step(
    reads=("unresolved", "caseload", "roster", "merged_away", "answer", "breach", "cannot_assess"),
    makes=("rule_facts", "continuation", "decision", "opening", "surging"),
)
def decide(workspace: Workspace, rules: Sequence[RuleFacts], as_at: dt.date, *, corrects: Sequence[int] = ()) -> None:
    """Make ``decision``: one row per unresolved flag with its target, and ``opening``: the flags to open."""
    columns = {"rule": "VARCHAR", "rule_severity": "VARCHAR", "unanswered": "VARCHAR", "reworded": "BOOLEAN"}
    facts = [(rule.rule, rule.severity, rule.unanswered, rule.reworded) for rule in rules]
    load_rows(workspace, "rule_facts", columns, facts)
    continued = [(rule.rule, old) for rule in rules for old in rule.continues]
    load_rows(workspace, "continuation", {"rule": "VARCHAR", "continued": "VARCHAR"}, continued)
    workspace.execute("CREATE TABLE surging (rule VARCHAR)")
    workspace.execute(DECISION, {"as_at": as_at, "corrects": list(corrects)})
    workspace.execute(OPENING, {"as_at": as_at})
    workspace.execute(HANDING_ON)


DECISION = f"""
CREATE OR REPLACE TABLE decision AS
WITH gap AS (
    SELECT person_id, rule, min_by(replace("column", '_', ' ') || ' ' || why, "column") AS missing
    FROM cannot_assess GROUP BY ALL
)
SELECT
    u.*,
    CASE
        WHEN m.new_id IS NOT NULL THEN 'merged'
        WHEN c.died OR roster.died_on IS NOT NULL THEN 'died'
        WHEN c.age >= 25 OR roster.ended_on IS NOT NULL THEN 'duty ended'
        WHEN f.rule IS NULL THEN 'withdrawn'
        WHEN a.outcome = 'breach' THEN 'continue'
        WHEN a.outcome IN ('ok', 'not applicable') AND list_contains($corrects::BIGINT[], u.opened_run_id)
            THEN 'corrected'
        WHEN a.outcome = 'ok' THEN 'cleared'
        WHEN a.outcome = 'not applicable' THEN 'no longer asked'
        ELSE 'hold'
    END AS target,
    CASE
        WHEN target <> 'hold' THEN NULL
        WHEN c.person_id IS NOT NULL AND c.present IS NULL THEN 'the list of the team is not believed'
        WHEN c.present IS NOT TRUE THEN 'not on the caseload'
        WHEN f.unanswered IS NOT NULL THEN f.unanswered
        ELSE coalesce(gap.missing, 'the record cannot be assessed')
    END AS hold_why,
    b.due_on AS new_due_on,
    coalesce(b.in_breach_since, u.opened_on) AS new_in_breach_since,
    b.because AS new_because,
    f.reworded,
    CASE WHEN u.kept_until >= $as_at AND {rank_sql("u.kept_severity")} < {rank_sql("f.rule_severity")}
        THEN u.kept_severity ELSE f.rule_severity END AS new_severity,
    m.new_id AS merged_into
FROM unresolved AS u
LEFT JOIN caseload AS c USING (person_id)
LEFT JOIN merged_away AS m USING (person_id)
LEFT JOIN roster USING (person_id)
LEFT JOIN rule_facts AS f USING (rule)
LEFT JOIN answer AS a USING (person_id, rule)
LEFT JOIN breach AS b USING (person_id, rule)
LEFT JOIN gap USING (person_id, rule)
"""

OPENING = f"""
CREATE OR REPLACE TABLE opening AS
WITH fresh AS (
    SELECT b.*, f.rule_severity
    FROM breach AS b
    JOIN rule_facts AS f USING (rule)
    ANTI JOIN unresolved USING (person_id, rule)
),
passed AS (
    SELECT d.person_id AS heir, c.rule AS heir_rule, d.flag_id, d.opened_on, d.severity
    FROM decision AS d JOIN continuation AS c ON c.continued = d.rule
    WHERE d.target IN ('cleared', 'no longer asked')
    UNION ALL
    SELECT merged_into, rule, flag_id, opened_on, severity FROM decision WHERE target = 'merged'
),
handed AS (
    SELECT
        fresh.person_id, fresh.rule,
        min(d.opened_on) AS opened_on,
        min_by(d.severity, {rank_sql("d.severity")}) AS severity,
        min_by(d.flag_id, d.opened_on) AS continues_flag_id
    FROM fresh
    JOIN passed AS d ON d.heir = fresh.person_id AND d.heir_rule = fresh.rule
    GROUP BY ALL
)
SELECT
    fresh.person_id, fresh.rule, fresh.due_on, fresh.because,
    coalesce(handed.opened_on, $as_at) AS opened_on,
    coalesce(fresh.in_breach_since, handed.opened_on, $as_at) AS in_breach_since,
    handed.severity AS kept_severity,
    CASE WHEN {rank_sql("handed.severity")} < {rank_sql("fresh.rule_severity")}
        THEN handed.severity ELSE fresh.rule_severity END AS severity,
    handed.continues_flag_id
FROM fresh
LEFT JOIN handed USING (person_id, rule)
ORDER BY fresh.person_id, fresh.rule
"""

HANDING_ON = """
UPDATE decision SET target = 'handed on'
WHERE target IN ('cleared', 'no longer asked') AND EXISTS (
    SELECT 1 FROM opening JOIN continuation USING (rule)
    WHERE opening.person_id = decision.person_id AND continuation.continued = decision.rule
)
"""


def load_history(workspace: Workspace, store: Connection) -> None:
    """Make ``history``: how many spells of a rule each person had before tonight, and when the last one ended."""
    flag = table_of(Flag)
    counted = flag.c.resolved_on.is_not(None) & flag.c.resolved_reason.not_in(NOT_A_SPELL)
    query = select(flag.c.person_id, flag.c.rule, func.count(), func.max(flag.c.resolved_on)).where(counted)
    load_query(workspace, "history", HISTORY, store, query.group_by(flag.c.person_id, flag.c.rule))


@step(reads=("decision", "opening", "surging"), makes=("settled",), drops=("decision", "opening", "unresolved"))
def apply(workspace: Workspace, store: Connection, *, run_id: int, as_at: dt.date) -> None:
    """Make ``settled``: every flag as tonight leaves it, with ids for the new, and ``change``: what happened to it."""
    load_history(workspace, store)
    apply_decisions(workspace, run_id=run_id, as_at=as_at, first=_next_id(store))
    drop_tables(workspace, "history", "decision", "opening", "unresolved")


def _next_id(store: Connection) -> int:
    """The first id that no flag ever had: the events of one that was removed with its person still have its own."""
    last = store.execute(select(func.coalesce(func.max(table_of(FlagEvent).c.flag_id), 0))).scalar_one()
    return max(next_id(store, Flag), int(last) + 1)


def apply_decisions(workspace: Workspace, *, run_id: int, as_at: dt.date, first: int) -> None:
    """Make ``settled`` from ``decision``, ``opening`` and ``history``; ``first``: the id of the first new flag."""
    workspace.execute(SETTLED, {
        "as_at": as_at, "run_id": run_id, "first": first, "kept_until": as_at + dt.timedelta(KEPT_SEVERITY_DAYS),
    })  # fmt: skip


SETTLED = """
CREATE OR REPLACE TABLE settled AS
SELECT
    flag_id, person_id, rule,
    CASE WHEN target = 'continue' THEN new_severity ELSE severity END AS severity,
    kept_severity, kept_until, opened_on, opened_run_id,
    CASE WHEN target = 'continue' THEN new_in_breach_since ELSE in_breach_since END AS in_breach_since,
    CASE WHEN target = 'continue' THEN new_due_on ELSE due_on END AS due_on,
    CASE WHEN target = 'continue' THEN new_because ELSE because END AS because,
    CASE target WHEN 'hold' THEN coalesce(held_since, $as_at) WHEN 'continue' THEN NULL ELSE held_since END
        AS held_since,
    CASE target WHEN 'hold' THEN hold_why WHEN 'continue' THEN NULL ELSE held_why END AS held_why,
    CASE WHEN target NOT IN ('hold', 'continue') THEN $as_at END AS resolved_on,
    CASE WHEN target NOT IN ('hold', 'continue') THEN target END AS resolved_reason,
    CASE WHEN target NOT IN ('hold', 'continue') THEN $run_id END AS resolved_run_id,
    earlier_spells, last_cleared_on, quarantined_on, released_on, released_by, merged_into,
    CAST(NULL AS BIGINT) AS continues_flag_id,
    CASE
        WHEN target NOT IN ('hold', 'continue') THEN
            CASE WHEN resolved_reason IS DISTINCT FROM target THEN 'resolved' END
        WHEN resolved_on IS NOT NULL THEN 'restored'
        WHEN target = 'hold' THEN CASE WHEN held_since IS NULL THEN 'held'
                                       WHEN released_on = $as_at AND released_by IS NULL THEN 'told unconfirmed'
                                       WHEN held_why IS DISTINCT FROM hold_why THEN 'changed' END
        WHEN held_since IS NOT NULL THEN 'released'
        WHEN released_on = $as_at AND released_by IS NULL THEN 'told unconfirmed'
        WHEN new_severity IS DISTINCT FROM severity OR new_due_on IS DISTINCT FROM due_on
            OR (new_because IS DISTINCT FROM because AND NOT reworded) THEN 'changed'
        WHEN new_because IS DISTINCT FROM because THEN 'reworded'
    END AS change,
    severity AS severity_before
FROM decision
UNION ALL BY NAME
SELECT
    CAST($first + row_number() OVER (ORDER BY person_id, rule) - 1 AS BIGINT) AS flag_id,
    o.person_id, o.rule, o.severity, o.kept_severity,
    CASE WHEN o.kept_severity IS NOT NULL THEN CAST($kept_until AS DATE) END AS kept_until,
    o.opened_on, CAST($run_id AS BIGINT) AS opened_run_id, o.in_breach_since, o.due_on, o.because,
    coalesce(h.spells, 0) AS earlier_spells, h.last_cleared_on, o.continues_flag_id,
    CASE WHEN o.continues_flag_id IS NULL AND o.rule IN (SELECT rule FROM surging) THEN CAST($as_at AS DATE) END
        AS quarantined_on,
    'opened' AS change
FROM opening AS o LEFT JOIN history AS h USING (person_id, rule)
"""


@step(reads=("settled",))
def save(workspace: Workspace, store: Connection, *, run_id: int, as_at: dt.date, recorded_at: dt.datetime) -> None:
    """Write tonight's changes and an event for each, inside the caller's transaction."""
    new = {"id": "flag_id"} | {name: name for name in UNRESOLVED if name not in ("flag_id", *NOT_YET)}
    new["continues_flag_id"] = "continues_flag_id"
    opened = f"SELECT {', '.join(new.values())} FROM settled WHERE change = 'opened'"
    insert_query(workspace, store, Flag, [*new], opened)
    # Indexes hold the day a flag was resolved, and are left alone where it stays as it is.
    resolving = "(change IN ('resolved', 'restored') OR (change IS NULL AND resolved_on IS NOT NULL))"
    for columns, concerned in (
        (CHANGING, resolving),
        ([name for name in CHANGING if name not in RESOLVED], f"change <> 'opened' AND NOT {resolving}"),
    ):
        changed = f"SELECT {', '.join(columns)}, flag_id FROM settled WHERE {concerned}"
        update_query(workspace, store, Flag, columns, changed)
    # Where only the words of a rule are new, nothing has happened.
    said = ", ".join(f"{value} AS {name}" for name, value in HAPPENED.items())
    happened = f"SELECT {said} FROM settled WHERE change <> 'reworded'"
    events.record_query(workspace, store, [*HAPPENED], happened, events.Stamp(as_at, recorded_at, run_id))


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
}
"""What the event of a change says, from the columns of ``settled``."""


@step(reads=("unresolved",), makes=("settled",))
def keep_as_stored(workspace: Workspace) -> None:
    """Make ``settled`` of the flags just as they are stored: a night on which nothing changes."""
    workspace.execute("""
        CREATE OR REPLACE TABLE settled AS
        SELECT *, CAST(NULL AS BIGINT) AS continues_flag_id, CAST(NULL AS VARCHAR) AS change
        FROM unresolved WHERE resolved_on IS NULL
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
