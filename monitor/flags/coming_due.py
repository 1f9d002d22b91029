"""Coming due: who will be in breach of what in the next four weeks if nothing changes, and from which day.

The same rules are asked of the same caseload with the clock moved, on each day on which an answer can change because
of the date alone, so that nothing is missed that opens on any day, and the day given is the day the flag would really
open. A cell that is unreadable tonight stays so here, although a date in the future becomes readable when it has come.

In the same pass, whoever had a birthday lately on which the law changes what is asked is asked as on the day before.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import date, timedelta

from monitor.catalogue import derived
from monitor.flags.life import RECENT_DAYS
from monitor.rulebook import evaluation
from monitor.rulebook.change_days import find_change_days
from monitor.rulebook.questions import BREACH
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, drop_tables, literal, number_of, step

AHEAD = 28
"""How many days ahead the rules are asked."""
SOON = 7
"""Within how many days a lead hears of it."""
TURNS = (16, 18, 21)
"""The birthdays on which the law changes what is asked."""
SMALL = 100_000
"""Up to so many people are asked about in one pass with tonight."""
BATCH = 20_000
"""People asked about at once where they are more, so that the table stays small however many there are."""

BEFORE = "SELECT * FROM outcome_ahead WHERE days < 0"
MOVED = ("as_at", "age", "category", "declined", "once_entitled")


def show_days(
    workspace: Workspace, rulebook: Rulebook, as_at: date, supplied: frozenset[str], doubted: Container[str]
) -> evaluation.Ahead | None:
    """Return everyone tonight and on each day to be looked at, to be asked in one pass; None where they are very many.

    A pass costs as much to plan as to run over some thousands of people; a table of a million on many days takes
    memory.
    """
    if number_of(workspace, "SELECT count(*) FROM caseload") > SMALL:
        return None
    asked = tuple(_find_asked(rulebook, as_at, supplied, doubted))
    other = _write_other_days(evaluation.PLACED, asked)
    relation = f"(SELECT *, 0 AS days FROM {evaluation.PLACED} UNION ALL BY NAME {other})"
    return evaluation.Ahead(relation, asked)


@step(reads=("caseload", "breach", "decision", "opening"), makes=("coming_due", "outcome_before"))
def look_ahead(
    workspace: Workspace, rulebook: Rulebook, as_at: date, supplied: frozenset[str], failed: Container[str] = ()
) -> None:
    """Make ``coming_due``: one row per person and rule not in breach tonight and in breach within four weeks.

    ``opens_on`` is the first such day; ``on_birthday``: to name it would give a birthday away. ``inside``: a rule that
    folds this one, or that this one continues, has a flag tonight or comes due no later, so that a message need not
    say it again.

    Also ``outcome_before``: the answers that the day before would have given of whoever has turned one of ``TURNS``.
    """
    answered: Sequence[Rule] = list(_find_asked(rulebook, as_at, supplied, failed))
    if "outcome_ahead" in workspace.tables:
        workspace.execute(f"CREATE OR REPLACE TABLE outcome_before AS {BEFORE}")
        soon = _select_openings(answered)
    else:
        answered, soon = _look_in_parts(workspace, answered), "SELECT * FROM opening_day"
    inside = list(_list_inside(rulebook.rules))
    that_birthday = derived.birthday_sql("c.date_of_birth", "(year(s.opens_on) - year(c.date_of_birth))")
    workspace.execute(
        FINISHED.format(soon=soon, that_birthday=that_birthday),
        {
            "as_at": as_at,
            "rules": [rule.id for rule in answered],
            "severities": [rule.severity for rule in answered],
            "said": [rule for rule, _ in inside],
            "inside": [rule for _, rule in inside],
        },
    )
    drop_tables(workspace, "outcome_ahead", "opening_day")


def _find_asked(
    rulebook: Rulebook, as_at: date, supplied: frozenset[str], unanswered: Container[str]
) -> Iterator[Rule]:
    """The rules that can be asked in the weeks to come."""
    for rule in rulebook.rules:
        if rule.id not in unanswered and supplied.issuperset(rule.needs) and _will_be_asked(rule, as_at):
            yield rule


def _will_be_asked(rule: Rule, as_at: date) -> bool:
    return any(rule.is_in_force(as_at + timedelta(days)) for days in range(1, AHEAD + 1))


def _list_inside(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """Each rule with one that a message about it need not say again."""
    for rule in rules:
        yield from ((rule.id, folded) for folded in rule.folds)
        yield from ((continued, rule.id) for continued in rule.continues)


def _look_in_parts(workspace: Workspace, rules: Sequence[Rule]) -> Sequence[Rule]:
    """Make ``opening_day`` and ``outcome_before`` of so many people at a time; return the rules that could be asked."""
    people = number_of(workspace, "SELECT count(*) FROM caseload")
    makes = "CREATE OR REPLACE TABLE opening_day AS", "CREATE OR REPLACE TABLE outcome_before AS"
    for start in range(0, max(people, 1), BATCH):
        some = f"(SELECT * FROM {evaluation.PLACED} WHERE place >= {start} AND place < {start + BATCH})"
        other, keys = f"({_write_other_days(some, rules)})", ("person_id", "as_at", "days")
        rules, _ = evaluation.answer(workspace, rules, people=other, into="outcome_ahead", keys=keys)
        workspace.execute(f"{makes[0]} {_select_openings(rules)}")
        workspace.execute(f"{makes[1]} {BEFORE}")
        makes = "INSERT INTO opening_day", "INSERT INTO outcome_before BY NAME"
    return rules


def _write_other_days(people: str, rules: Sequence[Rule]) -> str:
    """SQL for people on each other day to be looked at, if nothing changes but what rests on the date.

    ``days``: how many on from tonight; below 0 the day before a birthday on which the law changes what is asked.
    """
    change_days = find_change_days(rules)
    ahead = f"range(1, {AHEAD + 1})"
    if change_days is not None:
        ahead = f"[{', '.join(f'TRY({day}) - as_at' for day in change_days)}]"
    turned_on = derived.birthday_sql("date_of_birth", "age")
    before = f"""CASE WHEN age IN {TURNS} AND {turned_on} > as_at - {RECENT_DAYS}
        THEN [{turned_on} - 1 - as_at] END"""
    days = f"list_distinct(list_filter({ahead}, lambda n: n BETWEEN 1 AND {AHEAD}))"
    return f"""
        SELECT * EXCLUDE (strongest_category), {derived.derived_sql()} FROM (
            SELECT c.* EXCLUDE ({", ".join(MOVED)}), c.as_at + CAST(c.days AS INTEGER) AS as_at,
                {derived.strongest_known()} AS strongest_category
            FROM (SELECT *, unnest(list_concat({days}, {before})) AS days FROM {people}) AS c
        )
    """


def _select_openings(rules: Sequence[Rule]) -> str:
    """SQL for the first day on which each rule is in breach where it is neither breach nor flag tonight."""
    if not rules:
        return "SELECT '' AS person_id, '' AS rule, DATE '2000-01-01' AS opens_on WHERE false"
    told = ", ".join(f"CASE WHEN {_is_breach(rule)} THEN {literal(rule.id)} END" for rule in rules)
    return f"""
        SELECT person_id, rule, min(as_at) AS opens_on
        FROM (SELECT person_id, as_at, unnest([{told}]) AS rule FROM outcome_ahead WHERE days > 0)
        ANTI JOIN breach USING (person_id, rule)
        ANTI JOIN (SELECT * FROM decision WHERE target IN ('hold', 'continue')) AS u USING (person_id, rule)
        WHERE rule IS NOT NULL GROUP BY ALL
    """


def _is_breach(rule: Rule) -> str:
    tests = [f'"{rule.id}" = {BREACH}']
    tests += [f"as_at >= DATE '{rule.effective_from}'"] if rule.effective_from else []
    tests += [f"as_at <= DATE '{rule.effective_to}'"] if rule.effective_to else []
    return " AND ".join(tests)


FINISHED = """
CREATE OR REPLACE TABLE coming_due AS
WITH soon AS MATERIALIZED (
    SELECT o.*, r.severity FROM ({soon}) AS o
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
    coalesce(s.opens_on = {that_birthday}, false) AS on_birthday,
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
