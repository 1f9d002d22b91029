"""Asks every rule of every person: one set-based pass of the ``questions``, and a table of what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from monitor.catalogue import derived
from monitor.rulebook import questions
from monitor.rulebook.questions import BREACH, CANNOT_ASSESS, OK
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, load_rows, step

BREACH_TABLE = """
CREATE OR REPLACE TABLE breach
    (person_id VARCHAR, rule VARCHAR, due_on DATE, in_breach_since DATE, because VARCHAR)
"""
CANNOT_ASSESS_TABLE = """
CREATE OR REPLACE TABLE cannot_assess (person_id VARCHAR, rule VARCHAR, "column" VARCHAR, why VARCHAR)
"""
MEASURE_TABLE = {
    "rule": "VARCHAR", "team": "VARCHAR",
    "asked": "BIGINT", "ok": "BIGINT", "breach": "BIGINT", "cannot_assess": "BIGINT",
}  # fmt: skip


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


@step(reads=("caseload",), makes=("outcome", "answer", "breach", "cannot_assess", "measure"))
def evaluate(
    workspace: Workspace,
    rulebook: Rulebook,
    as_at: date,
    supplied: frozenset[str],
    doubted: Mapping[str, tuple[str, ...]] | None = None,
) -> Evaluation:
    """Ask every rule in force on ``as_at`` of everyone in the table ``caseload``; works on a closed connection.

    Makes ``answer`` (a view), ``breach``, ``cannot_assess`` and ``measure``. Who is dead, or absent from a rule
    asked only of people present, has no answer; nor has anyone of a rule that failed or is not assessed.
    """
    in_force = rulebook.in_force(as_at)
    missing = {rule.id: tuple(name for name in rule.needs if name not in supplied) for rule in in_force}
    not_assessed = {rule: names for rule, names in missing.items() if names}
    unasked = {rule: columns for rule, columns in (doubted or {}).items() if rule not in not_assessed}
    answered, failed = ask(workspace, [rule for rule in in_force if rule.id not in {*not_assessed, *unasked}])
    return Evaluation(_measure(workspace, answered), not_assessed, failed, unasked)


def ask(workspace: Workspace, rules: Sequence[Rule]) -> tuple[list[Rule], dict[str, str]]:
    """Make ``answer``, ``breach`` and ``cannot_assess`` for these rules; those answered, and those that failed."""
    answered, failed = answer(workspace, rules)
    workspace.execute(BREACH_TABLE)
    workspace.execute(CANNOT_ASSESS_TABLE)
    breached, doubtful = _given(workspace, answered, BREACH), _given(workspace, answered, CANNOT_ASSESS)
    workspace.execute(_in_doubt([rule for rule in answered if rule.id in doubtful]))
    for rule in list(answered):
        try:
            if rule.id in breached:
                workspace.execute(_breaches(rule))
            if rule.id in doubtful:
                workspace.execute(_reasons(rule))
        except duckdb.Error as fault:
            failed[rule.id] = _why(fault)
            answered.remove(rule)
    for name in failed:
        workspace.execute("DELETE FROM breach WHERE rule = ?", [name])
        workspace.execute("DELETE FROM cannot_assess WHERE rule = ?", [name])
    workspace.execute("DROP TABLE in_doubt")
    workspace.execute(f"CREATE OR REPLACE VIEW answer AS {_answers(answered)}")
    return answered, failed


def create_functions(workspace: Workspace, rules: Sequence[Rule]) -> None:
    """Create what the conditions of these rules call on the connection."""
    derived.create_macros(workspace)
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

    ``people`` is any relation with the caseload's columns: the same people on another date, or after a change.
    ``keys``: its columns that go with the numbers. It is one pass; when that fails, each rule is tried alone and the
    ones at fault are left out.
    """
    create_functions(workspace, rules)
    gapped = _gapped(workspace, rules, people)
    outcomes = {rule.id: questions.outcome_sql(rule, gapped) for rule in rules}
    start = f'CREATE OR REPLACE TABLE "{into}" AS SELECT {", ".join(keys)}'
    failed: dict[str, str] = {}
    try:
        _make_outcomes(workspace, outcomes, people, start)
    except duckdb.Error:
        for name, sql in outcomes.items():
            try:
                workspace.execute(f'SELECT count({sql}) FROM "{people}"').fetchall()
            except duckdb.Error as fault:
                failed[name] = _why(fault)
        if not failed:
            raise
        _make_outcomes(workspace, {name: sql for name, sql in outcomes.items() if name not in failed}, people, start)
    return [rule for rule in rules if rule.id not in failed], failed


def _make_outcomes(workspace: Workspace, outcomes: Mapping[str, str], people: str, start: str) -> None:
    answers = "".join(f', {sql} AS "{name}"' for name, sql in outcomes.items())
    workspace.execute(f'{start}{answers} FROM "{people}"')


def _gapped(workspace: Workspace, rules: Iterable[Rule], people: str) -> frozenset[str]:
    """The needed columns in which any cell is unreadable or not supplied tonight."""
    needed = sorted({name for rule in rules for name in rule.needs})
    if not needed:
        return frozenset()
    counted = ", ".join(f'count("{name}_gap")' for name in needed)
    counts = workspace.execute(f'SELECT {counted} FROM "{people}"').fetchone()
    return frozenset(name for name, count in zip(needed, counts or (), strict=True) if count)


def _answers(rules: Sequence[Rule]) -> str:
    selects = [
        f"SELECT person_id, '{rule.id}' AS rule, {questions.outcome_word_sql(rule)} AS outcome FROM outcome "
        f'WHERE "{rule.id}" IS NOT NULL'
        for rule in rules
    ]
    nothing = "SELECT person_id, '' AS rule, '' AS outcome FROM outcome WHERE false"
    return " UNION ALL ".join(selects) or nothing


def _given(workspace: Workspace, rules: Sequence[Rule], number: int) -> frozenset[str]:
    """The rules that gave anybody this answer."""
    given = ", ".join(f'bool_or("{rule.id}" = {number})' for rule in rules)
    row = workspace.execute(f"SELECT {given} FROM outcome").fetchone() if rules else None
    return frozenset(rule.id for rule, anybody in zip(rules, row or (), strict=True) if anybody)


def _breaches(rule: Rule) -> str:
    return f"""
        INSERT INTO breach
        SELECT person_id, '{rule.id}', {questions.due_on_sql(rule)} AS due_on, due_on + 1, {questions.because_sql(rule)}
        FROM caseload SEMI JOIN (SELECT person_id FROM outcome WHERE "{rule.id}" = {BREACH}) USING (person_id)
    """


def _in_doubt(rules: Sequence[Rule]) -> str:
    """Everyone some rule cannot assess: few on most nights, so that no rule need look through everyone again."""
    listed = ", ".join(f'"{name}"' for name in questions.find_read_columns(rules))
    answers = "".join(f', outcome."{rule.id}"' for rule in rules)
    doubtful = " OR ".join(f'outcome."{rule.id}" = {CANNOT_ASSESS}' for rule in rules) or "false"
    return f"""
        CREATE OR REPLACE TEMP TABLE in_doubt AS
        SELECT person_id, {listed}{answers} FROM caseload JOIN outcome USING (person_id) WHERE {doubtful}
    """


def _reasons(rule: Rule) -> str:
    return f"""
        INSERT INTO cannot_assess
        SELECT person_id, '{rule.id}', reason.column, reason.why
        FROM (
            SELECT person_id, unnest({questions.reasons_sql(rule)}) AS reason
            FROM in_doubt WHERE "{rule.id}" = {CANNOT_ASSESS}
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
    sums = "".join(
        f', CAST(sum(CAST("{rule.id}" = {number} AS INTEGER)) AS BIGINT)'
        for rule in rules
        for number in (OK, BREACH, CANNOT_ASSESS)
    )
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
