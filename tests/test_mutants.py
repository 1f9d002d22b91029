"""Mutants: whether a rule's examples would notice a small mistake in it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.mutants import judge, mutate

from monitor.config.settings import shipped
from monitor.handbook.topics import read_topic
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.examples import run_rules
from monitor.rulebook.rule import Rule
from monitor.rulebook.rule_folders import load_rulebook

RULE = """
title = "Visit overdue"
severity = "medium"
basis = "practice"
reference = "Practice"
why = "A visit says more than a call."
action = "Visit, and record it."
needs = ["last_visit_date"]
applies_to = "category in ('relevant', 'former relevant') and age < 21"
due_on = "last_visit_date + visit_within"
breach_if = "due_on < as_at"
because = "Last visit: {{ last_visit_date | date }}."
cleared_by = { last_visit_date = "as_at" }

[limits]
visit_within = "8 weeks"
"""
EXAMPLE = """
[[examples]]
name = "%s"
as_at = 2026-01-05
given = { date_of_birth = %s, eligibility = "%s", last_visit_date = %s }
expect = "%s"
"""
WHOLE = [
    ("eight weeks to the day", "2005-06-15", "former relevant", "2025-11-10", "ok"),
    ("eight weeks and a day", "2005-06-15", "former relevant", "2025-11-09", "breach"),
    ("relevant", "2008-06-15", "relevant", "2025-01-01", "breach"),
    ("the 21st birthday", "2005-01-05", "former relevant", "2025-01-01", "not applicable"),
    ("qualifying", "2007-01-05", "qualifying", "2025-01-01", "not applicable"),
]


def read(folder: Path, examples: list[tuple[str, str, str, str, str]], more: str = "") -> Rule:
    text = RULE + more + "".join(EXAMPLE % example for example in examples)
    (folder / "visit-overdue.toml").write_text(text, encoding="utf-8")
    return load_rulebook([folder], {}).find("visit-overdue")


def without(name: str) -> list[tuple[str, str, str, str, str]]:
    return [example for example in WHOLE if example[0] != name]


def test_every_shipped_rule_kills_every_mutant_or_says_why_not() -> None:
    verdicts = judge(load_rulebook([shipped("rules")], {}).rules)

    assert [(one.rule, one.surviving, one.idle) for one in verdicts if not one.is_sound] == []
    assert sum(one.mutants for one in verdicts) > 700


def test_examples_on_both_sides_of_everything_leave_no_mutant(tmp_path: Path) -> None:
    (verdict,) = judge([read(tmp_path, WHOLE)])

    assert (verdict.surviving, verdict.idle) == ((), ())


@pytest.mark.parametrize(
    ("left_out", "survives"),
    [
        ("eight weeks to the day", "breach_if: due_on < as_at -> due_on <= as_at"),
        ("eight weeks and a day", "due_on: last_visit_date + visit_within, a day later"),
        ("relevant", "applies_to: category IN ('relevant', 'former relevant') without 'relevant'"),
        ("the 21st birthday", "applies_to: age < 21 -> age <= 21"),
        ("qualifying", "applies_to: without category IN ('relevant', 'former relevant')"),
    ],
)
def test_an_example_left_out_lets_through_the_mistake_it_was_there_for(
    tmp_path: Path, left_out: str, survives: str
) -> None:
    (verdict,) = judge([read(tmp_path, without(left_out))])

    assert survives in verdict.surviving


def test_a_survivor_explained_in_the_file_is_no_fault(tmp_path: Path) -> None:
    weak = '[[weak_mutants]]\nmutant = "breach_if: due_on < as_at -> due_on <= as_at"\nreason = "A day is nothing."\n'

    (verdict,) = judge([read(tmp_path, without("eight weeks to the day"), weak)])

    assert verdict.explained == {"breach_if: due_on < as_at -> due_on <= as_at": "A day is nothing."}
    assert not any("<=" in change for change in verdict.surviving)


def test_an_explanation_of_a_mutant_that_examples_kill_is_reported(tmp_path: Path) -> None:
    weak = '[[weak_mutants]]\nmutant = "breach_if: due_on < as_at -> due_on <= as_at"\nreason = "A day is nothing."\n'

    (verdict,) = judge([read(tmp_path, WHOLE, weak)])

    assert verdict.idle == ("breach_if: due_on < as_at -> due_on <= as_at",)
    assert not verdict.is_sound


@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        ("not declined", {"NOT declined -> declined"}),
        ("age between 16 and 20", {
            "age BETWEEN 16 AND 20 with 15 for 16", "age BETWEEN 16 AND 20 with 17 for 16",
            "age BETWEEN 16 AND 20 with 19 for 20", "age BETWEEN 16 AND 20 with 21 for 20",
        }),
        ("birthday(18) > as_at", {
            "BIRTHDAY(18) > as_at -> BIRTHDAY(18) >= as_at", "BIRTHDAY(18) > as_at -> BIRTHDAY(18) > as_at + 1",
            "BIRTHDAY(18) -> BIRTHDAY(17)", "BIRTHDAY(18) -> BIRTHDAY(19)",
        }),
        ("activity is null", {"activity IS NULL -> NOT activity IS NULL"}),
        ("activity is not null", {"NOT activity IS NULL -> activity IS NULL"}),
        ("uasc is true", {"uasc IS TRUE -> NOT uasc IS TRUE", "uasc IS TRUE -> NOT uasc IS FALSE"}),
        ("activity is not distinct from 'G5'", {
            "activity IS NOT DISTINCT FROM 'G5' -> activity IS DISTINCT FROM 'G5'",
            "activity IS NOT DISTINCT FROM 'G5' -> activity = 'G5'",
        }),
        ("uasc or disability", {"without uasc", "without disability"}),
        ("greatest(last_visit_date, latest_contact_date) < date '2026-01-01'", {
            "GREATEST(last_visit_date, latest_contact_date) < CAST('2026-01-01' AS DATE) -> "
            "GREATEST(last_visit_date, latest_contact_date) <= CAST('2026-01-01' AS DATE)",
            "GREATEST(last_visit_date, latest_contact_date) -> LEAST(last_visit_date, latest_contact_date)",
            "without last_visit_date in GREATEST(last_visit_date, latest_contact_date)",
            "without latest_contact_date in GREATEST(last_visit_date, latest_contact_date)",
        }),
    ],
)  # fmt: skip
def test_each_part_of_a_condition_is_altered_and_named(tmp_path: Path, condition: str, changes: set[str]) -> None:
    rule = replace(read(tmp_path, WHOLE), applies_to=parse_condition(condition, {}))

    named = {one.change for one in mutate(rule) if one.change.startswith("applies_to: ")}

    assert named == {f"applies_to: {change}" for change in changes}


def test_what_a_rule_asks_beyond_its_conditions_is_altered_too(tmp_path: Path) -> None:
    rule = replace(read(tmp_path, WHOLE), any_age=True, asks_absent=True)

    assert {"any_age = false", "asks_absent = false"} <= {one.change for one in mutate(rule)}


def test_a_mutant_that_cannot_be_run_counts_as_noticed(tmp_path: Path) -> None:
    # Past 20 the sum is too large for a number, which only the altered age makes anyone of 20 find out.
    large = "case when age < 21 then pa_changes_12_months else pa_changes_12_months * 999999999 end > 2"
    rule = replace(read(tmp_path, WHOLE), due_on=None, breach_if=parse_condition(large, {}))
    example = replace(rule.examples[0], given={**rule.examples[0].given, "pa_changes_12_months": 99})

    (verdict,) = judge([replace(rule, examples=(example,))])

    assert "breach_if: age < 21 with 22 for 21" in verdict.surviving
    assert "breach_if: age < 21 with 20 for 21" not in verdict.surviving


def test_the_guide_to_writing_a_rule_says_what_happens(tmp_path: Path) -> None:
    _, rule, first, more = re.findall(r"```toml\n(.*?)```", read_topic("rules"), re.DOTALL)
    path = tmp_path / "homeless-contact.toml"

    path.write_text(rule + first, encoding="utf-8")
    begun = load_rulebook([shipped("rules"), tmp_path], {}).find("homeless-contact")
    path.write_text(rule + first + more, encoding="utf-8")
    finished = load_rulebook([shipped("rules"), tmp_path], {}).find("homeless-contact")

    (before,) = judge([begun])
    (after,) = judge([finished])
    assert list(before.surviving) == [
        "applies_to: (accommodation IN ('S', 'V', 'W')) IS TRUE -> NOT (accommodation IN ('S', 'V', 'W')) IS FALSE",
        "applies_to: accommodation IN ('S', 'V', 'W') without 'V'",
        "applies_to: accommodation IN ('S', 'V', 'W') without 'W'",
        "breach_if: without latest_contact_date IS NULL",
    ]
    assert after.is_sound
    assert [result for result in run_rules([finished]) if not result.agrees] == []
