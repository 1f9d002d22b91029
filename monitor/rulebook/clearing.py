"""What would clear a flag: a rule's ``cleared_by`` in words, and the proof that the change really clears it."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from monitor.catalogue import columns, derived
from monitor.rulebook import evaluation
from monitor.rulebook.conditions import compile_condition
from monitor.rulebook.questions import NOT_APPLICABLE, OK, outcome_word_sql
from monitor.rulebook.rule_file import Rule
from monitor.rulebook.vocabulary import CODES
from monitor.workspace import Workspace

if TYPE_CHECKING:
    from monitor.rulebook.conditions import Condition

NAMES = {
    "over21_offer_date": "date of the offer after 21",
    "pa_first_met_date": "date the personal adviser was first met",
    "eet_action_date": "date of the last action on education, employment or training",
}
"""Columns whose own name does not read well."""


def in_words(rule: Rule) -> str:
    """The smallest change to the record that clears the rule, as a phrase; or why no change to it does."""
    if rule.cleared_by:
        return "; ".join(f"{_name(column)}: {_value(column, one)}" for column, one in rule.cleared_by.items())
    return rule.not_cleared_by or "not said by the rule"


def _name(column: str) -> str:
    return NAMES.get(column, column.replace("_", " "))


def _value(column: str, to: "Condition") -> str:
    text = to.text.strip()
    if text == "as_at":
        return "the day it is done"
    if text.lower() in ("true", "false"):
        return "yes" if text.lower() == "true" else "no"
    if code := re.fullmatch(r"'([^']*)'", text):
        meaning = CODES.get(column, {}).get(code[1])
        if meaning is None:
            return code[1].lower()
        # A long code is a word itself; a letter needs its meaning.
        return f"for example {code[1]}" + (f" ({meaning[:1].lower()}{meaning[1:]})" if len(code[1]) <= 4 else "")
    if re.fullmatch(r"date '[^']*'", text, re.IGNORECASE):
        return "the date"
    return f"the {text} worked out from age and status" if text in columns.DERIVED else text


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
