"""A rule as SQL expressions over the caseload's columns: what is asked of each person, and what is said of the answer.

Unreadable and not supplied are not blank. Where a needed cell is either, ``applies_to`` decides: certainly
false, whatever the cell held, is *not applicable*; anything else is *cannot assess*. ``evaluation`` runs what is
written here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from monitor.catalogue import columns
from monitor.catalogue.dialects import DUCKDB, Dialect
from monitor.rulebook.condition import compile_condition, counts_working_days
from monitor.rulebook.wording import compile_wording

if TYPE_CHECKING:
    from monitor.rulebook.rule import Rule

YOUNGEST, OLDEST = 16, 24

OK, BREACH, NOT_APPLICABLE, CANNOT_ASSESS = 1, 2, 3, 4
OUTCOMES = ("ok", "breach", "not applicable", "cannot assess")
"""What the numbers of an outcome stand for, from 1. A breach is one more than ok, as true is one more than false."""


def outcome_sql(
    rule: "Rule", gapped: frozenset[str], share: Callable[[str], str] | None = None, dialect: Dialect = DUCKDB
) -> str:
    """Return one rule's outcome for a row of ``caseload``, as a number; NULL where the rule is not asked.

    ``gapped``: the columns in which a cell is unreadable or not supplied tonight. ``share`` gives the name of a column
    for an expression that other rules may have too; without it every row is asked only what it must be.
    """
    needs = sorted(gapped.intersection(rule.needs))
    applies = f"({compile_condition(rule.applies_to, rule.limits, gapped=frozenset(needs), dialect=dialect)})"
    breach = f"({compile_condition(rule.breach_if, rule.limits, due_on=rule.due_on, dialect=dialect)})"
    # Whether somebody is on the caseload can be unknown too: then nothing is asked of them.
    steps = ["WHEN died OR present IS NULL THEN NULL"]
    if not rule.asks_unlisted:
        # Who was never on the caseload has no first night: only the care history knows of them.
        steps.append(
            "WHEN NOT present AND first_seen_on IS NULL THEN NULL" if rule.asks_absent else "WHEN NOT present THEN NULL"
        )
    if not rule.any_age:
        # Before applies_to, which may go by a category that nobody without a birth date can be held to.
        steps.append(f"WHEN age NOT BETWEEN {YOUNGEST} AND {OLDEST} THEN {NOT_APPLICABLE}")
        steps.append(f"WHEN age IS NULL THEN {CANNOT_ASSESS}")
    # Each condition is written as few times as can be: most of a small night goes to planning them.
    if share:
        applies = share(applies)
        decided = share(f"CAST(CASE {' '.join(steps)} ELSE 0 END AS {dialect.small_number})")
        steps = [f"WHEN {decided} IS DISTINCT FROM 0 THEN {decided}"]
    answer = f"coalesce(CAST({breach} AS {dialect.small_number}) + {OK}, {CANNOT_ASSESS})"
    if needs:
        unknown = " OR ".join(test for _, test in _gaps(needs, dialect))
        answer = f"CASE WHEN {unknown} THEN {CANNOT_ASSESS} ELSE {answer} END"
    steps.append(f"WHEN {applies} THEN {answer} WHEN NOT {applies} THEN {NOT_APPLICABLE}")
    return f"CAST(CASE {' '.join(steps)} ELSE {CANNOT_ASSESS} END AS {dialect.small_number})"


def outcome_word_sql(rule: "Rule", dialect: Dialect = DUCKDB) -> str:
    """Return the word of an outcome, from the column of numbers named for the rule."""
    names = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(OUTCOMES, start=1))
    return f"CASE {dialect.name_of(rule.id)} {names} END"


def outcomes_sql(rules: Iterable["Rule"], gapped: frozenset[str], dialect: Dialect = DUCKDB) -> tuple[str, str]:
    """Return the columns that ask these rules, each named for its rule, and those that stand beside the row for them.

    What several rules ask alike is asked once, beside the row. Both begin with a comma, where there are any.
    """
    shared: dict[str, str] = {}

    def share(sql: str) -> str:
        return shared.setdefault(sql, f"shared_{len(shared)}")

    answers = "".join(f", {outcome_sql(rule, gapped, share, dialect)} AS {dialect.name_of(rule.id)}" for rule in rules)
    return answers, "".join(f", {sql} AS {name}" for sql, name in shared.items())


def by_rule_sql(rules: Sequence["Rule"], write: Callable[["Rule"], str], otherwise: str) -> str:
    """Return what each rule says, by ``rule_number``, its place in ``rules``; what several say alike stands once."""
    saying: dict[str, list[str]] = {}
    for which, rule in enumerate(rules):
        saying.setdefault(write(rule), []).append(str(which))
    saying.pop(otherwise, None)
    branches = " ".join(f"WHEN rule_number IN ({', '.join(which)}) THEN {sql}" for sql, which in saying.items())
    return f"CASE {branches} ELSE {otherwise} END" if branches else otherwise


def due_on_sql(rule: "Rule", dialect: Dialect = DUCKDB) -> str:
    """Return the day by which the record had to be right; NULL where the rule has none."""
    if rule.due_on is None:
        return "CAST(NULL AS DATE)"
    return compile_condition(rule.due_on, rule.limits, dialect=dialect)


def because_sql(rule: "Rule", dialect: Dialect = DUCKDB) -> str:
    """Return the sentence that says why; the expression ``due_on`` stands beside it."""
    return compile_wording(rule.because, rule.limits, dialect=dialect)


def reasons_sql(rule: "Rule", dialect: Dialect = DUCKDB) -> str:
    """Return why a rule cannot be assessed: a list of the columns at fault, each with its reason, NULLs among them.

    The first of these that holds: an unknown age, needed cells with a gap, what made the category unknown, needed
    cells that are blank and other cells with a gap, then whatever else the rule looks at.
    """
    rest = dialect.write_list([dialect.write_reason("answer", "'blank'")])
    branches = " ".join(
        f"WHEN {' OR '.join(test for _, test in tier)} "
        f"THEN {dialect.write_list(_reason(name, test, dialect) for name, test in tier)}"
        for tier in _list_doubts(rule, dialect)
        if tier
    )
    return f"CASE {branches} ELSE {rest} END" if branches else rest


def needs_calendar(rule: "Rule") -> bool:
    """Return whether a condition of the rule counts working days."""
    return any(counts_working_days(condition, rule.limits) for condition in rule.conditions)


def _list_doubts(rule: "Rule", dialect: Dialect) -> tuple[list[tuple[str, str]], ...]:
    """Each column that can make the answer unknown with the test of it, in the order in which they are told."""
    names = _names(rule)
    others = sorted(_find_others(rule))
    derived = [name for name in ("accommodation_since", "first_seen_on") if name in names]
    return (
        [] if rule.any_age else [("date_of_birth", "age IS NULL")],
        _gaps(rule.needs, dialect),
        [("eligibility", "category IS NULL")] if "category" in names else [],
        [*_blanks(rule.needs, dialect), *_gaps(others, dialect)],
        _blanks(others, dialect),
        _blanks(derived, dialect),
    )


def _find_others(rule: "Rule") -> set[str]:
    others = {name for condition in rule.conditions for name in condition.columns} - set(rule.needs)
    if "age" in _names(rule) or any("birthday" in condition.functions for condition in rule.conditions):
        others.add("date_of_birth")
    return others


def _names(rule: "Rule") -> frozenset[str]:
    return frozenset(name for condition in rule.conditions for name in condition.names)


def _gaps(names: Iterable[str], dialect: Dialect) -> list[tuple[str, str]]:
    return [(name, f"{dialect.name_of(f'{name}_gap')} IS NOT NULL") for name in names]


def _blanks(names: Iterable[str], dialect: Dialect) -> list[tuple[str, str]]:
    return [(name, f"{dialect.name_of(name)} IS NULL") for name in names]


def _reason(name: str, test: str, dialect: Dialect) -> str:
    why = f"coalesce({dialect.name_of(f'{name}_gap')}, 'blank')" if name in columns.BY_NAME else "'blank'"
    return f"CASE WHEN {test} THEN {dialect.write_reason(name, why)} END"
