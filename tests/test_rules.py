"""Every shipped rule's own examples, through the same function as ``monitor rules test``."""

import re
import time
from pathlib import Path

import pytest
from support.rule_proofs import find_untested

from monitor.config.settings import shipped
from monitor.rulebook import examples
from monitor.rulebook.examples import Result
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook

RULEBOOK = load_rulebook((shipped("rules"),), {})


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return examples.run_rules(RULEBOOK.rules)


@pytest.mark.parametrize("rule", [rule.id for rule in RULEBOOK.rules])
def test_every_example_gets_the_outcome_it_expects(rule: str, results: list[Result]) -> None:
    own = [result for result in results if result.rule == rule]

    wrong = [f"{one.name}: expected {one.expected}, got {one.got}: {one.row}" for one in own if not one.agrees]

    assert own
    assert wrong == []


def test_every_outcome_and_both_sides_of_every_deadline_are_shown() -> None:
    assert find_untested(RULEBOOK) == []


def test_every_rule_says_which_paragraph_it_answers_what_it_cannot_see_and_what_clears_it() -> None:
    silent = [
        rule.id
        for rule in RULEBOOK.rules
        if not (rule.report and rule.known_gaps and (rule.cleared_by or rule.not_cleared_by))
    ]

    assert silent == []


def test_a_rule_of_law_names_the_law() -> None:
    named = re.compile(r"\b(Act|Regulations)\b.*\d")

    assert [rule.id for rule in RULEBOOK.rules if rule.basis == "law" and not named.search(rule.reference)] == []


def test_running_all_examples_is_quick() -> None:
    began = time.monotonic()

    examples.run_rules(RULEBOOK.rules)

    assert time.monotonic() - began < 10


# The runner itself

PLAN = """
title = "Plan overdue"
severity = "high"
basis = "practice"
reference = "Practice"
why = "Plans help."
action = "Review it."
needs = ["pathway_plan_review_date"]
applies_to = "pathway_plan_review_date is not null"
due_on = "pathway_plan_review_date + interval '6 months'"
breach_if = "due_on < as_at"
because = "Last reviewed {{ pathway_plan_review_date | date }}."

[[examples]]
name = "on the day"
as_at = 2026-02-28
given = { date_of_birth = 2008-02-29, pathway_plan_review_date = 2025-08-31 }
expect = "breach"

[[examples]]
name = "died"
as_at = 2026-02-28
given = { in_touch = "DIED" }
expect = "not asked"
"""


def load(folder: Path, text: str) -> Rulebook:
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return load_rulebook([folder], {})


def test_a_failure_shows_what_was_expected_what_came_and_the_row(tmp_path: Path) -> None:
    rulebook = load(tmp_path, PLAN)

    wrong, right = examples.run_rules(rulebook.rules)

    assert right.agrees
    assert (wrong.rule, wrong.name, wrong.expected, wrong.got) == ("plan", "on the day", "breach", "ok")
    assert {name: str(value) for name, value in wrong.row.items()} == {
        "as_at": "2026-02-28",
        "date_of_birth": "2008-02-29",
        "pathway_plan_review_date": "2025-08-31",
        "age": "17",
        "category": "no current eligibility",
        "declined": "False",
    }


def test_the_examples_of_a_draft_run_too(tmp_path: Path) -> None:
    rulebook = load(tmp_path, 'status = "draft"\n' + PLAN)

    assert [result.got for result in examples.run_rules(rulebook.rules)] == ["ok", "not asked"]


def test_what_no_example_shows_is_named(tmp_path: Path) -> None:
    rulebook = load(tmp_path, 'cannot_exist = { "not applicable" = "Everyone is asked." }\n' + PLAN)

    assert find_untested(rulebook) == [
        f'{tmp_path.name}/plan.toml: examples: none expects "ok"; add one, or say in cannot_exist why not',
        f'{tmp_path.name}/plan.toml: examples: none expects "cannot assess"; add one, or say in cannot_exist why not',
        f"{tmp_path.name}/plan.toml: examples: none stand a day apart on each side of due_on; add the two",
    ]
