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
from monitor.workspace import Workspace, drop_tables, number_of, step

DAYS = (7, 14, 28)
"""How far ahead the rules are asked."""
SOON = DAYS[0]
"""Within how many days a lead hears of it."""

SMALL = 100_000
"""Up to so many people, all of ``DAYS`` are asked about in one pass."""
BATCH = 20_000
"""People asked about day by day at once, so that the table stays small however many there are."""

MOVED = ("as_at", "age", "category", "declined", "once_entitled")


def show_days(
    workspace: Workspace, rulebook: Rulebook, as_at: date, supplied: frozenset[str], doubted: Container[str]
) -> evaluation.Ahead | None:
    """Return everyone tonight and on each of ``DAYS``, to be asked with tonight; None where they are very many.

    A pass costs as much to plan as to run over some thousands of people; a table four times a million takes memory.
    """
    if number_of(workspace, "SELECT count(*) FROM caseload") > SMALL:
        return None
    later = f"{_moved(evaluation.PLACED, 'days')} JOIN {_list(DAYS)} ON true)"
    relation = f"(SELECT *, 0 AS days FROM {evaluation.PLACED} UNION ALL BY NAME {later})"
    return evaluation.Ahead(relation, tuple(_find_asked(rulebook, as_at, supplied, doubted)))


@step(reads=("caseload", "breach", "decision", "opening"), makes=("coming_due",))
def look_ahead(
    workspace: Workspace, rulebook: Rulebook, as_at: date, supplied: frozenset[str], failed: Container[str] = ()
) -> None:
    """Make ``coming_due``: one row per person and rule not in breach tonight and in breach 7, 14 or 28 days on.

    ``opens_on`` is the first such day; ``on_birthday``: to name it would give a birthday away. ``inside``: a rule that
    folds this one, or that this one continues, has a flag tonight or comes due no later, so that a message need not
    say it again.
    """
    answered = _find_people(workspace, list(_find_asked(rulebook, as_at, supplied, failed)))
    _find_days(workspace, answered)
    inside = list(_list_inside(rulebook.rules))
    workspace.execute(
        FINISHED,
        {
            "as_at": as_at,
            "rules": [rule.id for rule in answered],
            "severities": [rule.severity for rule in answered],
            "said": [rule for rule, _ in inside],
            "inside": [rule for _, rule in inside],
        },
    )
    drop_tables(workspace, "ahead", "outcome_ahead", "outcome_days", "opening_day")


def _find_asked(
    rulebook: Rulebook, as_at: date, supplied: frozenset[str], unanswered: Container[str]
) -> Iterator[Rule]:
    """The rules that can be asked in the weeks to come."""
    for rule in rulebook.rules:
        if rule.id not in unanswered and supplied.issuperset(rule.needs) and _will_be_asked(rule, as_at):
            yield rule


def _will_be_asked(rule: Rule, as_at: date) -> bool:
    return any(rule.is_in_force(as_at + timedelta(days)) for days in range(1, DAYS[-1] + 1))


def _list_inside(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """Each rule with one that a message about it need not say again."""
    for rule in rules:
        yield from ((rule.id, folded) for folded in rule.folds)
        yield from ((continued, rule.id) for continued in rule.continues)


def _find_people(workspace: Workspace, rules: Sequence[Rule]) -> Sequence[Rule]:
    """Make ``ahead``: who is in breach of what on one of ``DAYS``; the rules that could be asked."""
    if "outcome_ahead" in workspace.tables:
        workspace.execute(f"CREATE OR REPLACE TEMP TABLE ahead AS {_new_breaches('outcome_ahead', rules, 'days > 0')}")
        return rules
    workspace.execute("CREATE OR REPLACE TEMP TABLE ahead (person_id VARCHAR, rule VARCHAR, as_at DATE)")
    for day in DAYS:
        later = f"({_moved('caseload')} JOIN {_list([day])} ON true))"
        keys = ("person_id", "as_at")
        rules, _ = evaluation.answer(workspace, rules, people=later, into="outcome_ahead", keys=keys)
        workspace.execute(f"INSERT INTO ahead {_new_breaches('outcome_ahead', rules)}")
    return rules


def _new_breaches(table: str, rules: Sequence[Rule], where: str = "true") -> str:
    """SQL for the breaches of later days that are no breach and no flag tonight."""
    return f"""
        SELECT person_id, rule, as_at FROM ({_breaches(table, rules, where)})
        ANTI JOIN breach USING (person_id, rule)
        ANTI JOIN (SELECT * FROM decision WHERE target IN ('hold', 'continue')) AS u USING (person_id, rule)
    """


def _moved(people: str, *beside: str) -> str:
    """The caseload on other dates, ``days`` on, if nothing changes but what rests on the date; columns ``beside``."""
    return f"""
        SELECT * EXCLUDE (strongest_category), {derived.derived_sql()} FROM (
            SELECT c.* EXCLUDE ({", ".join(MOVED)}), c.as_at + days AS as_at,
                {", ".join([f"{derived.strongest_known()} AS strongest_category", *beside])}
            FROM {people} AS c
    """


def _list(days: Sequence[int]) -> str:
    return f"(SELECT unnest({list(days)}) AS days) AS day"


def _breaches(table: str, rules: Sequence[Rule], where: str = "true") -> str:
    selects = [
        f"SELECT person_id, '{rule.id}' AS rule, as_at FROM {table} WHERE \"{rule.id}\" = {BREACH} AND {where}"
        + (f" AND as_at >= DATE '{rule.effective_from}'" if rule.effective_from else "")
        + (f" AND as_at <= DATE '{rule.effective_to}'" if rule.effective_to else "")
        for rule in rules
    ]
    return " UNION ALL ".join(selects) or "SELECT '' AS person_id, '' AS rule, DATE '2000-01-01' AS as_at WHERE false"


CONCERNED = """
    SELECT person_id, max(as_at) AS until, CAST(row_number() OVER (ORDER BY person_id) - 1 AS INTEGER) AS place
    FROM ahead GROUP BY person_id
"""


def _find_days(workspace: Workspace, rules: Sequence[Rule]) -> None:
    """Make ``opening_day``: the first day each of ``ahead`` is in breach, each day a row of one caseload."""
    people, breached = workspace.execute(
        "SELECT count(DISTINCT person_id), coalesce(list(DISTINCT rule), []) FROM ahead"
    ).fetchall()[0]
    if not people:
        workspace.execute("CREATE OR REPLACE TEMP TABLE opening_day (person_id VARCHAR, rule VARCHAR, opens_on DATE)")
        return
    rules = [rule for rule in rules if rule.id in breached]
    for start in range(0, people, BATCH):
        days = f"""(
            {_moved("caseload")}
                JOIN ({CONCERNED}) AS concerned ON concerned.person_id = c.person_id
                    AND concerned.place >= {start} AND concerned.place < {start + BATCH}
                JOIN {_list(range(1, DAYS[-1] + 1))} ON c.as_at + days <= concerned.until
            )
        )"""
        evaluation.answer(workspace, rules, people=days, into="outcome_days", keys=("person_id", "as_at"))
        workspace.execute(f"""
            {"INSERT INTO opening_day" if start else "CREATE OR REPLACE TEMP TABLE opening_day AS"}
            SELECT person_id, rule, min(as_at) AS opens_on FROM ({_breaches("outcome_days", rules)})
            SEMI JOIN ahead USING (person_id, rule) GROUP BY ALL
        """)


FINISHED = """
CREATE OR REPLACE TABLE coming_due AS
WITH soon AS (
    SELECT o.*, r.severity FROM opening_day AS o
    JOIN (SELECT unnest($rules::VARCHAR[]) AS rule, unnest($severities::VARCHAR[]) AS severity) AS r USING (rule)
),
said_by AS (
    SELECT unnest($said::VARCHAR[]) AS rule, unnest($inside::VARCHAR[]) AS inside
),
said AS (
    SELECT person_id, rule, CAST($as_at AS DATE) AS from_on FROM decision WHERE target IN ('hold', 'continue')
    UNION ALL SELECT person_id, rule, CAST($as_at AS DATE) FROM opening
    UNION ALL SELECT person_id, rule, opens_on FROM soon
)
SELECT s.person_id, s.rule, c.allocated_team AS team, c.personal_adviser, s.severity, s.opens_on,
    CAST(s.opens_on - CAST($as_at AS DATE) AS INTEGER) AS days_until,
    coalesce(s.opens_on = birthday(c.date_of_birth, year(s.opens_on) - year(c.date_of_birth)), false) AS on_birthday,
    EXISTS (
        SELECT 1 FROM said JOIN said_by ON said_by.rule = said.rule
        WHERE said.person_id = s.person_id AND said_by.inside = s.rule AND said.from_on <= s.opens_on
    ) AS inside
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
