"""Every rule that is shipped, asked by DuckDB and by Spark of the same people: the same outcome, days and sentences."""

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from support.both_engines import BothEngines, Compared
from support.random_people import invent, shipped_rules

from monitor.catalogue import derived
from monitor.catalogue.columns import COLUMNS
from monitor.catalogue.dialects import Dialect
from monitor.rulebook import questions
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.rule import Example, Rule
from monitor.workspace import open_workspace

RULES = shipped_rules().rules
GAPPED = frozenset(column.name for column in COLUMNS)
WORKED_OUT = ("age", "once_entitled", "category", "declined")


def compare_rules(spark: Any, folder: Path, rules: Sequence[Rule], people: Iterable[Example]) -> Compared:
    """What both make of these people: what is worked out of each, and all that a rule says of them."""

    def ask(dialect: Dialect) -> dict[str, str]:
        asked = {name: name for name in WORKED_OUT} | {"strongest": derived.strongest_known()}
        for rule in rules:
            asked[f"{rule.id}: outcome"] = questions.outcome_sql(rule, GAPPED, dialect=dialect)
            asked[f"{rule.id}: outcome where nothing has a gap"] = questions.outcome_sql(
                rule, frozenset(), dialect=dialect
            )
            asked[f"{rule.id}: due_on"] = questions.due_on_sql(rule, dialect)
            asked[f"{rule.id}: because"] = questions.because_sql(rule, dialect)
            asked[f"{rule.id}: reasons"] = questions.reasons_sql(rule, dialect)
        return asked

    with open_workspace() as workspace:
        build_caseload(workspace, people)
        both = BothEngines(workspace, spark, folder)
        given = f"SELECT * EXCLUDE ({', '.join(WORKED_OUT)}), {derived.strongest_known()} AS strongest_category"
        both.share("given", f"{given}, as_at - 30 AS due_on FROM caseload")
        return both.compare(ask, f"(SELECT *, {derived.derived_sql()} FROM given) AS people")


def test_every_example_of_every_rule_has_one_answer_on_both(spark: Any, tmp_path: Path) -> None:
    compared = compare_rules(spark, tmp_path, RULES, (example for rule in RULES for example in rule.examples))

    print(f"{compared.cells:,} cells compared")
    assert compared.differences == {}


def test_thousands_of_people_with_every_column_filled_have_one_answer_on_both(spark: Any, tmp_path: Path) -> None:
    people = [*invent(3_000, seed=19), *invent(200, as_at=dt.date(2028, 2, 29), seed=20)]

    compared = compare_rules(spark, tmp_path, RULES, people)

    print(f"{compared.cells:,} cells compared")
    assert compared.differences == {}
