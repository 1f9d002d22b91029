"""Coming due: who will be in breach of what in the next four weeks if nothing changes, and from which day.

The same rules are asked of the same caseload with the clock moved. Who is in breach then, and not tonight, is asked
about each day up to it, so that the day given is the day the flag would really open. A cell that is unreadable
tonight stays so here, although a date in the future becomes readable when it has come.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import date, timedelta

from monitor.catalogue import derived
from monitor.rulebook import evaluation
from monitor.rulebook.questions import BREACH
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, load_rows, step

DAYS = (7, 14, 28)
"""How far ahead the rules are asked."""
SOON = DAYS[0]
"""Within how many days a lead hears of it."""

SMALL = 100_000
"""Up to so many people, all of ``DAYS`` are asked about in one pass."""
BATCH = 20_000
"""People asked about day by day at once, so that the table stays small however many there are."""

MOVED = ("as_at", "age", "category", "declined", "once_entitled")

COMING_DUE = """
CREATE OR REPLACE TABLE coming_due (
    person_id VARCHAR, rule VARCHAR, team VARCHAR, personal_adviser VARCHAR, severity VARCHAR,
    opens_on DATE, days_until INTEGER, on_birthday BOOLEAN, inside BOOLEAN
)
"""


@step(reads=("caseload", "breach", "decision", "opening"), makes=("coming_due",))
def look_ahead(
    workspace: Workspace, rulebook: Rulebook, as_at: date, supplied: frozenset[str], failed: Container[str] = ()
) -> None:
    """Make ``coming_due``: one row per person and rule not in breach tonight and in breach 7, 14 or 28 days on.

    ``opens_on`` is the first such day; ``on_birthday``: to name it would give a birthday away. ``inside``: a rule that
    folds this one, or that this one continues, has a flag tonight or comes due no later, so that a message need not
    say it again.
    """
    workspace.execute(COMING_DUE)
    could_answer = (rule for rule in rulebook.rules if rule.id not in failed and supplied.issuperset(rule.needs))
    answered = _find_people(workspace, [rule for rule in could_answer if _will_be_asked(rule, as_at)])
    breached = {row[0] for row in workspace.execute("SELECT DISTINCT rule FROM ahead").fetchall()}
    _find_days(workspace, [rule for rule in answered if rule.id in breached])
    severities = [(rule.id, rule.severity) for rule in answered]
    load_rows(workspace, "rule_ahead", {"rule": "VARCHAR", "severity": "VARCHAR"}, severities)
    load_rows(workspace, "said_by", {"rule": "VARCHAR", "inside": "VARCHAR"}, _list_inside(rulebook.rules))
    workspace.execute(FINISHED, {"as_at": as_at})
    for table in ("ahead", "outcome_ahead", "outcome_days", "opening_day", "rule_ahead", "said_by"):
        workspace.execute(f"DROP TABLE IF EXISTS {table}")
    workspace.execute("DROP VIEW IF EXISTS caseload_ahead")


def _will_be_asked(rule: Rule, as_at: date) -> bool:
    return any(rule.is_in_force(as_at + timedelta(days)) for days in range(1, DAYS[-1] + 1))


def _list_inside(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """Each rule with one that a message about it need not say again."""
    for rule in rules:
        yield from ((rule.id, folded) for folded in rule.folds)
        yield from ((continued, rule.id) for continued in rule.continues)


def _find_people(workspace: Workspace, rules: Sequence[Rule]) -> Sequence[Rule]:
    """Make ``ahead``: who is in breach of what on one of ``DAYS``; the rules that could be asked."""
    workspace.execute("CREATE OR REPLACE TEMP TABLE ahead (person_id VARCHAR, rule VARCHAR, as_at DATE)")
    (people,) = workspace.execute("SELECT count(*) FROM caseload").fetchall()[0]
    # A pass costs as much to plan as to run over some thousands of people; a table thrice a million takes memory.
    for days in [DAYS] if people <= SMALL else [(day,) for day in DAYS]:
        workspace.execute(
            f"CREATE OR REPLACE TEMP VIEW caseload_ahead AS {_moved('caseload')} JOIN {_list(days)} ON true)"
        )
        keys = ("person_id", "as_at")
        rules, _ = evaluation.answer(workspace, rules, people="caseload_ahead", into="outcome_ahead", keys=keys)
        workspace.execute(f"""
            INSERT INTO ahead SELECT person_id, rule, as_at FROM ({_breaches("outcome_ahead", rules)})
            ANTI JOIN breach USING (person_id, rule)
            ANTI JOIN (SELECT * FROM decision WHERE target IN ('hold', 'continue')) AS u USING (person_id, rule)
        """)
    return rules


def _moved(people: str) -> str:
    """The caseload on other dates, ``days`` on, if nothing changes but what rests on the date."""
    return f"""
        SELECT * EXCLUDE (strongest_category), {derived.derived_sql()} FROM (
            SELECT c.* EXCLUDE ({", ".join(MOVED)}), c.as_at + days AS as_at,
                {derived.strongest_known()} AS strongest_category
            FROM {people} AS c
    """


def _list(days: Sequence[int]) -> str:
    return f"(SELECT unnest({list(days)}) AS days) AS day"


def _breaches(table: str, rules: Sequence[Rule]) -> str:
    selects = [
        f"SELECT person_id, '{rule.id}' AS rule, as_at FROM {table} WHERE \"{rule.id}\" = {BREACH}"
        + (f" AND as_at >= DATE '{rule.effective_from}'" if rule.effective_from else "")
        + (f" AND as_at <= DATE '{rule.effective_to}'" if rule.effective_to else "")
        for rule in rules
    ]
    return " UNION ALL ".join(selects) or "SELECT '' AS person_id, '' AS rule, DATE '2000-01-01' AS as_at WHERE false"


def _find_days(workspace: Workspace, rules: Sequence[Rule]) -> None:
    """Make ``opening_day``: the first day each of ``ahead`` is in breach, each day a row of one caseload."""
    workspace.execute("CREATE OR REPLACE TEMP TABLE opening_day (person_id VARCHAR, rule VARCHAR, opens_on DATE)")
    workspace.execute("""
        CREATE OR REPLACE TEMP TABLE concerned AS
        SELECT person_id, max(as_at) AS until, CAST(row_number() OVER (ORDER BY person_id) - 1 AS INTEGER) AS place
        FROM ahead GROUP BY person_id
    """)
    (people,) = workspace.execute("SELECT count(*) FROM concerned").fetchall()[0]
    for start in range(0, people, BATCH):
        workspace.execute(f"""
            CREATE OR REPLACE TEMP VIEW caseload_ahead AS {_moved("caseload")}
                JOIN concerned ON concerned.person_id = c.person_id
                    AND concerned.place >= {start} AND concerned.place < {start + BATCH}
                JOIN {_list(range(1, DAYS[-1] + 1))} ON c.as_at + days <= concerned.until
            )
        """)
        evaluation.answer(workspace, rules, people="caseload_ahead", into="outcome_days", keys=("person_id", "as_at"))
        workspace.execute(f"""
            INSERT INTO opening_day
            SELECT person_id, rule, min(as_at) FROM ({_breaches("outcome_days", rules)})
            SEMI JOIN ahead USING (person_id, rule) GROUP BY ALL
        """)
    workspace.execute("DROP TABLE concerned")


FINISHED = """
INSERT INTO coming_due
WITH soon AS (
    SELECT o.*, r.severity FROM opening_day AS o JOIN rule_ahead AS r USING (rule)
),
said AS (
    SELECT person_id, rule, CAST($as_at AS DATE) AS from_on FROM decision WHERE target IN ('hold', 'continue')
    UNION ALL SELECT person_id, rule, CAST($as_at AS DATE) FROM opening
    UNION ALL SELECT person_id, rule, opens_on FROM soon
)
SELECT s.person_id, s.rule, c.allocated_team, c.personal_adviser, s.severity, s.opens_on,
    CAST(s.opens_on - CAST($as_at AS DATE) AS INTEGER),
    coalesce(s.opens_on = birthday(c.date_of_birth, year(s.opens_on) - year(c.date_of_birth)), false),
    EXISTS (
        SELECT 1 FROM said JOIN said_by ON said_by.rule = said.rule
        WHERE said.person_id = s.person_id AND said_by.inside = s.rule AND said.from_on <= s.opens_on
    )
FROM soon AS s JOIN caseload AS c USING (person_id)
ORDER BY s.opens_on, s.person_id, s.rule
"""


@step(reads=("coming_due", "rule_words", "team_name"), makes=("coming_due_list",))
def prepare_list(workspace: Workspace) -> None:
    """Make ``coming_due_list`` in the words of the lists, after ``exceptions.prepare``."""
    workspace.execute("""
        CREATE OR REPLACE TABLE coming_due_list AS
        SELECT d.* EXCLUDE (team, on_birthday, inside), coalesce(n.name, d.team) AS team, w.title, w.action
        FROM coming_due AS d LEFT JOIN rule_words AS w USING (rule) LEFT JOIN team_name AS n USING (team)
    """)
