"""The ledger of law: what a rule stands on, how sure it is, and what that makes of its basis."""

import json
import re
from pathlib import Path

import pytest
from support.command import monitor

from monitor.config.settings import RuleSettings, shipped
from monitor.errors import Problems
from monitor.rulebook.kept_rulebook import open_shipped
from monitor.rulebook.ledger import LEDGER, open_ledger, read_ledger
from monitor.rulebook.rule_folders import load_rulebook

RULES = open_shipped().rules
RULE = """
title = "Plan overdue"
severity = "high"
basis = "law"
{cites}
why = "A plan that is not reviewed stops fitting."
action = "Hold the review."
applies_to = "true"
breach_if = "activity is not distinct from 'G5'"
because = "Activity: {{{{ activity | meaning }}}}."
"""
READ, KNOWN = "cppcr2010-42-1", "clr2010-7"
READ_TITLE, KNOWN_TITLE = open_ledger()[READ].title, open_ledger()[KNOWN].title
REPORT = "Ofsted on Cheshire East, March 2024, paragraphs 32 and 50"


def write(folder: Path, cites: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "plan.toml").write_text(RULE.format(cites=cites))
    return folder


def test_every_shipped_rule_of_law_cites_a_provision_and_is_law_only_where_all_were_read() -> None:
    of_law = [rule for rule in RULES if rule.is_law]

    assert [rule.id for rule in of_law if not rule.law] == []
    assert {rule.id: rule.basis for rule in of_law} == {
        rule.id: "law" if {one.grade for one in rule.law} == {"A"} else "law, to be confirmed" for rule in of_law
    }
    assert {rule.basis for rule in of_law} == {"law", "law, to be confirmed"}


def test_no_rule_stands_on_law_that_has_not_begun() -> None:
    assert [rule.id for rule in RULES if any("not begun" in provision.read for provision in rule.law)] == []


def test_every_provision_says_what_it_is_how_sure_and_where_it_was_read() -> None:
    for provision in open_ledger().values():
        assert re.search(r"(Act|Regulations) \d{4}|code of guidance|[Gg]uidance", provision.title), provision.key
        assert ("words" in provision.read) == (provision.grade == "A"), provision.key


def test_no_rule_that_is_not_confirmed_law_is_called_law_to_those_who_read_it() -> None:
    says_law = re.compile(r"\b(law|laws|lawful|legal|legally|statut\w+)\b", re.IGNORECASE)
    told = {rule.id: f"{rule.title} {rule.why} {rule.action} {rule.because.text}" for rule in RULES}

    assert [rule.id for rule in RULES if rule.basis != "law" and says_law.search(told[rule.id])] == []


@pytest.mark.parametrize(
    ("cites", "basis", "reference"),
    [
        (f'law = ["{READ}"]', "law", READ_TITLE),
        (f'law = ["{READ}", "{KNOWN}"]', "law, to be confirmed", f"{READ_TITLE}; {KNOWN_TITLE}"),
        ('reference = "Our charter"', "law, to be confirmed", "Our charter"),
        (f'law = ["{READ}"]\nreference = "Grace: practice"\nreport = [32, 50]', "law",
         f"{READ_TITLE}; Grace: practice; {REPORT}"),
    ],
)  # fmt: skip
def test_a_councils_own_rule_cites_the_ledger_or_says_its_law_in_words(
    tmp_path: Path, cites: str, basis: str, reference: str
) -> None:
    (rule,) = load_rulebook([write(tmp_path / "own", cites)], {}).rules

    assert (rule.basis, rule.reference) == (basis, reference)


@pytest.mark.parametrize(
    ("cites", "problem"),
    [
        ('law = ["cppcr2010-421"]', 'law: no provision "cppcr2010-421"; did you mean "cppcr2010-42-1"?'),
        ('law = ["our-charter"]', f'law: no provision "our-charter"; see rules/{LEDGER}, or say the law in reference'),
        ("report = [32]", "reference: missing; say here what the rule stands on, or cite the ledger under law"),
    ],
)
def test_a_rule_of_law_that_stands_on_nothing_known_is_refused(tmp_path: Path, cites: str, problem: str) -> None:
    with pytest.raises(Problems) as caught:
        load_rulebook([write(tmp_path / "own", cites)], {})

    assert caught.value.problems == (f"own/plan.toml: {problem}",)


@pytest.mark.parametrize(("key", "sure"), [(READ, ""), (KNOWN, " that is to be confirmed")])
def test_loosening_law_confirmed_or_not_needs_a_reason_and_a_name(tmp_path: Path, key: str, sure: str) -> None:
    folder = write(tmp_path / "own", f'law = ["{key}"]')

    with pytest.raises(Problems) as caught:
        load_rulebook([folder], {"plan": RuleSettings(enabled=False)})
    signed = RuleSettings(enabled=False, reason="Pilot", approved_by="A Director")

    assert f"this rule stands for law{sure} and it is not checked here" in caught.value.problems[0]
    assert load_rulebook([folder], {"plan": signed}).adjustments == (
        f'"Plan overdue" stands for a legal duty{sure}; it is not checked here: Pilot (approved by A Director).',
    )


def test_a_ledger_that_is_wrong_is_refused_with_every_fault(tmp_path: Path) -> None:
    ledger = tmp_path / LEDGER
    ledger.write_text('[Wrong]\ntitle = "T"\nsays = ""\ngrade = "D"\nread = "R"\n[right]\ntitle = "T"\n')

    with pytest.raises(Problems) as caught:
        read_ledger(ledger)

    assert [problem.removeprefix(f"{tmp_path.name}/{LEDGER}: ") for problem in caught.value.problems] == [
        "Wrong: not a key; write lower-case words with hyphens, like ca1989-23c-1-5a",
        "Wrong: says: empty; say it in a sentence",
        "Wrong: grade: is not one of A, B, C",
        "right: its keys must be title, says, grade, read",
    ]
    assert read_ledger(shipped("rules") / LEDGER) == open_ledger()


def test_rules_show_prints_the_provision_and_how_sure_it_is(tmp_path: Path) -> None:
    shown = monitor(tmp_path, "rules", "show", "accommodation-visits")
    as_json = json.loads(monitor(tmp_path, "rules", "show", "accommodation-visits", "--json").stdout)

    assert "Stands on: law, to be confirmed" in shown.stdout
    assert "regulation 8 (clr2010-8): What a personal adviser does." in " ".join(shown.stdout.split())
    assert "Grade B: well known; its words were not read." in shown.stdout
    assert (as_json["basis"], [one["key"] for one in as_json["law"]]) == ("law, to be confirmed", ["clr2010-8"])
