"""Asks every rule of every person: one set-based pass of the ``questions``, and a table of what came of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb

from monitor.catalogue import derived
from monitor.rulebook import questions
from monitor.rulebook.questions import BREACH, CANNOT_ASSESS, OK, by_rule_sql
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, literal, load_rows, step

MEASURE_TABLE = {
    "rule": "VARCHAR", "team": "VARCHAR",
    "asked": "BIGINT", "ok": "BIGINT", "breach": "BIGINT", "cannot_assess": "BIGINT",
}  # fmt: skip


PLACED = "(SELECT *, rowid AS place FROM caseload)"
"""The caseload with each row's ``place``, by which ``outcome`` is joined to it: a number is joined far faster."""


@dataclass(frozen=True)
class Counts:
    """How many were asked, and what came of it."""

    asked: int = 0
    ok: int = 0
    breach: int = 0
    cannot_assess: int = 0


@dataclass(frozen=True)
class Evaluation:
    """One night's answers in figures; the answers themselves are in the workspace.

    ``totals``: by rule id, for the rules that have answers. ``not_assessed``: rules that nobody was asked, with
    the needed columns no source supplies. ``failed``: rules that failed while running, and why.
    ``doubted``: rules that nobody was asked, with the columns they rest on that are not believed tonight.
    ``cannot_fire``: rules that no source could show in breach, and why; ``caveats``: what to know of the others.
    """

    totals: Mapping[str, Counts]
    not_assessed: Mapping[str, tuple[str, ...]]
    failed: Mapping[str, str]
    doubted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cannot_fire: Mapping[str, str] = field(default_factory=dict)
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ahead:
    """The same people on tonight's date and on later ones, to be asked in one pass with tonight.

    ``relation`` is SQL that has the columns of ``PLACED`` and ``days``, 0 in tonight's rows; ``rules`` are those of the
    later days.
    """

    relation: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Asking:
    """When the rules are asked, and of what.

    ``supplied``: the columns some source has; ``doubted``: by rule, columns not believed tonight that it rests on.
    """

    as_at: date
    supplied: frozenset[str]
    doubted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ahead: Ahead | None = None


@step(reads=("caseload",), makes=("outcome", "answer", "breach", "measure"))
def evaluate(workspace: Workspace, rulebook: Rulebook, asking: Asking) -> Evaluation:
    """Ask every rule in force of everyone in the table ``caseload``; works on a closed connection.

    Makes ``answer`` (a view), ``breach`` and ``measure``. Who is dead, or absent from a rule
    asked only of people present, has no answer; nor has anyone of a rule that failed or is not assessed.
    """
    in_force = rulebook.in_force(asking.as_at)
    missing = {rule.id: tuple(name for name in rule.needs if name not in asking.supplied) for rule in in_force}
    not_assessed = {rule: names for rule, names in missing.items() if names}
    unasked = {rule: columns for rule, columns in asking.doubted.items() if rule not in not_assessed}
    asked = [rule for rule in in_force if rule.id not in {*not_assessed, *unasked}]
    answered, failed = ask(workspace, asked, asking.ahead)
    return Evaluation(_measure(workspace, answered), not_assessed, failed, unasked)


def ask(workspace: Workspace, rules: Sequence[Rule], ahead: Ahead | None = None) -> tuple[list[Rule], dict[str, str]]:
    """Make ``answer`` and ``breach`` for these rules; those answered, and those that failed."""
    answered, failed = list(rules), dict[str, str]()
    if ahead is None or not _answer_with_ahead(workspace, rules, ahead):
        answered, failed = answer(workspace, rules, keys=("person_id", "allocated_team", "place"), people=PLACED)
    fault_of = _make_by_rule(workspace, "breach", BREACH, answered, _select_breaches)
    failed |= fault_of
    answered = [rule for rule in answered if rule.id not in fault_of]
    workspace.execute(f"CREATE OR REPLACE VIEW answer AS {_answers(answered)}")
    return answered, failed


@step(reads=("caseload", "outcome"), changes=("answer", "breach", "measure"), makes=("cannot_assess",))
def explain_unassessed(workspace: Workspace, rulebook: Rulebook, evaluated: Evaluation) -> Evaluation:
    """Make ``cannot_assess``: why each answer that could not be given was not, by column; the evaluation it leaves.

    Only who asks for the reasons pays for them: they are many times the people. A rule whose reasons fail has failed.
    """
    answered = [rule for rule in rulebook.rules if rule.id in evaluated.totals]
    failed = _make_by_rule(workspace, "cannot_assess", CANNOT_ASSESS, answered, _select_reasons)
    if not failed:
        return evaluated
    for name in failed:
        for table in ("breach", "measure"):
            workspace.execute(f"DELETE FROM {table} WHERE rule = ?", [name])
    workspace.execute(
        f"CREATE OR REPLACE VIEW answer AS {_answers([rule for rule in answered if rule.id not in failed])}"
    )
    totals = {rule: counts for rule, counts in evaluated.totals.items() if rule not in failed}
    return replace(evaluated, totals=totals, failed={**evaluated.failed, **failed})


def create_functions(workspace: Workspace, rules: Sequence[Rule]) -> None:
    """Create what the conditions of these rules call on the connection."""
    if any(questions.needs_calendar(rule) for rule in rules):
        derived.create_working_days(workspace)


def answer(
    workspace: Workspace,
    rules: Sequence[Rule],
    *,
    people: str = "caseload",
    into: str = "outcome",
    keys: Sequence[str] = ("person_id", "allocated_team"),
) -> tuple[list[Rule], dict[str, str]]:
    """Make ``into``, a row per row of ``people`` and a number per rule, and nothing else of what ``ask`` makes.

    ``people`` is any relation, in SQL, with the caseload's columns: the same people on another date, or after a change.
    ``keys``: its columns that go with the numbers. It is one pass; when that fails, each rule is tried alone and the
    ones at fault are left out.
    """
    create_functions(workspace, rules)
    gapped = _gapped(workspace, rules)
    start = f'CREATE OR REPLACE TABLE "{into}" AS SELECT {", ".join(keys)}'
    failed: dict[str, str] = {}
    try:
        _make_shared_outcomes(workspace, rules, gapped, people, start)
    except duckdb.Error:
        outcomes = {rule.id: questions.outcome_sql(rule, gapped) for rule in rules}
        for name, sql in outcomes.items():
            try:
                workspace.execute(f"SELECT count({sql}) FROM {people}").fetchall()
            except duckdb.Error as fault:
                failed[name] = _why(fault)
        # What is shared is asked of everyone; a rule that fails only of those it is not asked of has not failed.
        answers = "".join(f', {sql} AS "{name}"' for name, sql in outcomes.items() if name not in failed)
        workspace.execute(f"{start}{answers} FROM {people}")
    return [rule for rule in rules if rule.id not in failed], failed


def _answer_with_ahead(workspace: Workspace, rules: Sequence[Rule], ahead: Ahead) -> bool:
    """Make ``outcome`` and ``outcome_ahead`` in one pass, which costs little more to plan than tonight alone.

    Return whether no rule failed; one that fails on a later day has not failed tonight, so each is then asked apart.
    """
    asked = list({rule.id: rule for rule in (*rules, *ahead.rules)}.values())
    create_functions(workspace, asked)
    gapped = _gapped(workspace, asked)
    start = "CREATE OR REPLACE TABLE outcome_ahead AS SELECT person_id, allocated_team, place, as_at, days"
    try:
        _make_shared_outcomes(workspace, asked, gapped, ahead.relation, start)
    except duckdb.Error:
        return False
    tonight = "".join(f', "{rule.id}"' for rule in rules)
    workspace.execute(
        f"CREATE OR REPLACE TABLE outcome AS SELECT person_id, allocated_team, place{tonight} FROM outcome_ahead "
        "WHERE days = 0"
    )
    return True


def _make_shared_outcomes(
    workspace: Workspace, rules: Sequence[Rule], gapped: frozenset[str], people: str, start: str
) -> None:
    """Make the table that ``start`` begins; what several rules ask alike is asked once."""
    answers, beside = questions.outcomes_sql(rules, gapped)
    workspace.execute(f"{start}{answers} FROM (SELECT *{beside} FROM {people})")


def _gapped(workspace: Workspace, rules: Iterable[Rule]) -> frozenset[str]:
    """The needed columns in which any cell of the caseload is unreadable or not supplied."""
    needed = sorted({name for rule in rules for name in rule.needs})
    if not needed:
        return frozenset()
    counted = ", ".join(f'count("{name}_gap")' for name in needed)
    counts = workspace.execute(f"SELECT {counted} FROM caseload").fetchone()
    return frozenset(name for name, count in zip(needed, counts or (), strict=True) if count)


def _answers(rules: Sequence[Rule]) -> str:
    selects = [
        f"SELECT person_id, '{rule.id}' AS rule, {questions.outcome_word_sql(rule)} AS outcome FROM outcome "
        f'WHERE "{rule.id}" IS NOT NULL'
        for rule in rules
    ]
    nothing = "SELECT person_id, '' AS rule, '' AS outcome FROM outcome WHERE false"
    return " UNION ALL ".join(selects) or nothing


def _make_by_rule(
    workspace: Workspace, table: str, number: int, rules: Sequence[Rule], select: Callable[[Sequence[Rule]], str]
) -> dict[str, str]:
    """Make ``table`` of everyone to whom these rules gave an answer; the rules that failed, and why.

    It is one statement; when that fails, each rule is tried alone and the ones at fault are left out.
    """
    asked = _given(workspace, rules, number)
    try:
        workspace.execute(f"CREATE OR REPLACE TABLE {table} AS {select(asked)}")
    except duckdb.Error:
        failed: dict[str, str] = {}
        for rule in asked:
            try:
                workspace.execute(f"CREATE OR REPLACE TEMP TABLE tried AS {select([rule])}")
            except duckdb.Error as fault:
                failed[rule.id] = _why(fault)
        if not failed:
            raise
        workspace.execute("DROP TABLE IF EXISTS tried")
        left = [rule for rule in asked if rule.id not in failed]
        workspace.execute(f"CREATE OR REPLACE TABLE {table} AS {select(left)}")
        return failed
    return {}


def _given(workspace: Workspace, rules: Sequence[Rule], number: int) -> list[Rule]:
    """The rules that gave anybody this answer."""
    given = ", ".join(f'bool_or("{rule.id}" = {number})' for rule in rules)
    row = workspace.execute(f"SELECT {given} FROM outcome").fetchone() if rules else None
    return [rule for rule, anybody in zip(rules, row or (), strict=True) if anybody]


def _to_whom(rules: Sequence[Rule], number: int) -> str:
    """SQL for each place in the caseload and rule with this answer; a rule is told by its own place in ``rules``."""
    if not rules:
        return "SELECT 0 AS place, 0 AS rule_number WHERE false"
    told = ", ".join(f'CASE WHEN "{rule.id}" = {number} THEN {which} END' for which, rule in enumerate(rules))
    given = f"SELECT place, unnest([{told}]) AS rule_number FROM outcome"
    return f"SELECT * FROM ({given}) WHERE rule_number IS NOT NULL"


def _name_rule(rules: Sequence[Rule]) -> str:
    """SQL for the rule's id, by ``rule_number``."""
    return by_rule_sql(rules, lambda rule: literal(rule.id), "''")


def _select_breaches(rules: Sequence[Rule]) -> str:
    return f"""
        SELECT person_id, {_name_rule(rules)} AS rule, due_on, due_on + 1 AS in_breach_since,
            {by_rule_sql(rules, questions.because_sql, "CAST(NULL AS VARCHAR)")} AS because
        FROM (
            SELECT placed.*, rule_number, {by_rule_sql(rules, questions.due_on_sql, "CAST(NULL AS DATE)")} AS due_on
            FROM {PLACED} AS placed JOIN ({_to_whom(rules, BREACH)}) USING (place)
        )
    """


def _select_reasons(rules: Sequence[Rule]) -> str:
    nothing = """CAST(NULL AS STRUCT("column" VARCHAR, why VARCHAR)[])"""
    reasons = by_rule_sql(rules, questions.reasons_sql, nothing)
    return f"""
        SELECT person_id, rule, reason.column AS "column", reason.why AS why
        FROM (
            SELECT person_id, {_name_rule(rules)} AS rule, unnest({reasons}) AS reason
            FROM {PLACED} JOIN ({_to_whom(rules, CANNOT_ASSESS)}) USING (place)
        )
        WHERE reason IS NOT NULL
    """


def _why(fault: Exception) -> str:
    """Why a rule failed, without DuckDB's own words, which quote the cell at fault."""
    if isinstance(fault, duckdb.OutOfRangeException):
        return "a sum gave a number or a date out of range; check what its conditions add"
    if isinstance(fault, duckdb.ConversionException):
        return "a value could not be read as what its conditions compare it with; check those comparisons"
    return f"the database refused it ({type(fault).__name__}); check its conditions"


# Figures


def _measure(workspace: Workspace, rules: Sequence[Rule]) -> dict[str, Counts]:
    """Make ``measure``: per rule and team, how many were asked and what came of it; the totals by rule."""
    sums = "".join(f', count_if("{rule.id}" = {number})' for rule in rules for number in (OK, BREACH, CANNOT_ASSESS))
    by_team = f"SELECT coalesce(allocated_team, ''){sums} FROM outcome GROUP BY 1 ORDER BY 1"
    teams = workspace.execute(by_team).fetchall()
    rows: list[tuple[str, str, int, int, int, int]] = []
    totals: dict[str, Counts] = {}
    for place, rule in enumerate(rules):
        total = [0, 0, 0]
        for team, *figures in teams:
            ok, breach, cannot_assess = (figure or 0 for figure in figures[place * 3 : place * 3 + 3])
            total = [total[0] + ok, total[1] + breach, total[2] + cannot_assess]
            if asked := ok + breach + cannot_assess:
                rows.append((rule.id, team, asked, ok, breach, cannot_assess))
        totals[rule.id] = Counts(sum(total), *total)
    load_rows(workspace, "measure", MEASURE_TABLE, rows)
    return totals
