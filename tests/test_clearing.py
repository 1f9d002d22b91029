"""What a rule says would clear it does clear it: the change is made to the record and the rule asked again."""

from dataclasses import replace

import pytest
from support.random_people import invent, shipped_rules
from support.rule_proofs import find_unproved

from monitor.rulebook import clearing, evaluation, examples
from monitor.rulebook.rule import Rule
from monitor.workspace import open_workspace

RULEBOOK = shipped_rules()


def unproved(rules: list[Rule], people: list[examples.Example]) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    """What is not cleared, and how many of each rule were in breach to begin with."""
    workspace = open_workspace()
    examples.build_caseload(workspace, people)
    evaluation.ask(workspace, rules)
    breaches = dict(workspace.execute("SELECT rule, count(*) FROM breach GROUP BY ALL").fetchall())
    found = list(find_unproved(workspace, rules))
    workspace.close()
    return found, breaches


def test_the_change_a_rule_names_clears_every_example_in_breach() -> None:
    in_breach = [one for rule in RULEBOOK.rules for one in rule.examples if one.expect == "breach"]

    found, breaches = unproved(list(RULEBOOK.rules), in_breach)

    assert found == []
    assert breaches.keys() == RULEBOOK.by_id.keys()


def test_the_change_a_rule_names_clears_people_of_every_kind() -> None:
    found, breaches = unproved(list(RULEBOOK.rules), invent(1500))

    assert found == []
    never = {rule.id for rule in RULEBOOK.rules} - breaches.keys()
    # Asked of the absent and of the unlisted; blank for nobody here.
    assert never <= {"left-caseload", "entitled-not-on-caseload", "birth-date-recorded"}


def test_a_rule_that_no_change_clears_says_why() -> None:
    silent = [rule.id for rule in RULEBOOK.rules if not rule.cleared_by and not rule.not_cleared_by]

    assert silent == []


def test_a_change_that_does_not_clear_is_found() -> None:
    neet = RULEBOOK.by_id["neet"]
    wrong = replace(neet, cleared_by=RULEBOOK.by_id["contact-overdue"].cleared_by)

    found, _ = unproved([wrong], [one for one in neet.examples if one.expect == "breach"])

    assert {outcome for _, _, outcome in found} == {"breach"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("contact-overdue", "latest contact date: the day it is done"),
        ("homeless", "accommodation: for example U (independent living)"),
        ("pa-allocated", "personal adviser: a named adviser"),
        ("unsuitable-accommodation", "accommodation suitable: yes"),
        ("eligibility-out-of-step", "eligibility: the category worked out from age and status"),
        ("status-dropped", "eligibility: for example former relevant"),
        ("adviser-changes", "It clears by itself, as earlier changes pass out of the count."),
    ],
)
def test_what_clears_a_rule_is_said_in_words(rule: str, words: str) -> None:
    assert clearing.in_words(RULEBOOK.by_id[rule]) == words


def test_every_rule_has_words_for_what_clears_it() -> None:
    for rule in RULEBOOK.rules:
        assert "as_at" not in clearing.in_words(rule)
        assert "'" not in clearing.in_words(rule)
