"""What a rule must prove of itself: outcomes and days that its examples try, and that its change clears a flag."""

from collections.abc import Collection, Iterable, Sequence
from itertools import count

from monitor.catalogue import derived
from monitor.rulebook import evaluation
from monitor.rulebook.condition import compile_condition, counts_working_days
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.questions import NOT_APPLICABLE, OK, outcome_word_sql
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import Workspace, open_workspace


def find_untested(rulebook: Rulebook) -> list[str]:
    """What the examples leave unproved: an outcome never shown, or a day beside a deadline never tried."""
    missing: list[str] = []
    for rule in rulebook.rules:
        shown = {example.expect for example in rule.examples}
        for outcome in ("breach", "ok", "not applicable", "cannot assess"):
            if outcome not in shown and outcome not in rule.cannot_exist:
                missing.append(
                    f'{rule.file}: examples: none expects "{outcome}"; add one, or say in cannot_exist why not'
                )
            if outcome in shown and outcome in rule.cannot_exist:
                missing.append(f'{rule.file}: cannot_exist: an example does expect "{outcome}"; leave it out')
    return [*missing, *_find_untested_days(rulebook.rules)]


def _find_untested_days(rules: Sequence[Rule]) -> Iterable[str]:
    """A deadline is proved by two examples a day apart: the last day that is ok, and the first that is not."""
    timed = [(rule, rule.due_on) for rule in rules if rule.due_on is not None]
    people = map("E{}".format, count(1))
    workspace = open_workspace()
    build_caseload(workspace, (example for rule, _ in timed for example in rule.examples))
    if any(counts_working_days(due_on, rule.limits) for rule, due_on in timed):
        derived.create_working_days(workspace)
    for rule, due_on in timed:
        days = f"SELECT person_id, as_at - ({compile_condition(due_on, rule.limits)}) FROM caseload"
        late = dict(workspace.execute(days).fetchall())
        tried = {(example.expect, late[next(people)]) for example in rule.examples}
        if not _stand_a_day_apart(tried):
            yield f"{rule.file}: examples: none stand a day apart on each side of due_on; add the two"
    workspace.close()


def _stand_a_day_apart(tried: Collection[tuple[str, int | None]]) -> bool:
    """Whether a person who is ok, and one in breach a day later, are among these outcomes and days after due_on."""
    return any(expect == "ok" and late is not None and ("breach", late + 1) in tried for expect, late in tried)


def apply_changes(workspace: Workspace, rule: Rule, *, people: str = "caseload", into: str = "changed") -> None:
    """Make ``into``: everyone in breach of the rule tonight as they would be recorded after ``cleared_by``.

    Reads ``people`` and ``breach``; what is worked out from a changed column is worked out again.
    """
    changes = {column: compile_condition(to, rule.limits) for column, to in rule.cleared_by.items()}
    replaced = ", ".join(
        f'({sql}) AS "{column}", CAST(NULL AS VARCHAR) AS "{column}_gap"' for column, sql in changes.items()
    )
    left_out = ", ".join(f'"{column}", "{column}_gap"' for column in changes)
    workspace.execute(f"""
        CREATE OR REPLACE TEMP TABLE "{into}" AS
        SELECT * EXCLUDE (strongest_category), {derived.derived_sql()} FROM (
            SELECT * EXCLUDE (age, category, declined, once_entitled, {left_out}), {replaced},
                {derived.strongest_known()} AS strongest_category
            FROM "{people}" SEMI JOIN (SELECT person_id FROM breach WHERE rule = '{rule.id}') USING (person_id)
        )
    """)


def find_unproved(workspace: Workspace, rules: Iterable[Rule]) -> Sequence[tuple[str, str, str]]:
    """Every breach of tonight's ``caseload`` that its rule's ``cleared_by`` would not clear.

    As (rule, person_id, the outcome after the change): anything but *ok* and *not applicable*. Reads what
    ``evaluation.ask`` made, and leaves it as it was.
    """
    unproved: list[tuple[str, str, str]] = []
    for rule in rules:
        if not rule.cleared_by:
            continue
        apply_changes(workspace, rule)
        evaluation.answer(workspace, [rule], people="changed", into="changed_outcome")
        rows = workspace.execute(f"""
            SELECT '{rule.id}', person_id, coalesce({outcome_word_sql(rule)}, 'not asked')
            FROM changed_outcome
            WHERE "{rule.id}" IS NULL OR "{rule.id}" NOT IN ({OK}, {NOT_APPLICABLE})
            ORDER BY person_id
        """).fetchall()
        unproved.extend((row[0], row[1], row[2]) for row in rows)
    for table in ("changed", "changed_outcome"):
        workspace.execute(f"DROP TABLE IF EXISTS {table}")
    return unproved
