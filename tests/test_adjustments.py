"""A council's own adjustment of a rule, through whole nights: what it changes, and that loosening a duty is said."""

from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, section, settled

from monitor.errors import Problems

NORTH = "north@example.gov.uk"
ANALYST = "analyst@example.gov.uk"
APPROVED = 'reason = "agreed with the virtual school until April."\napproved_by = "Head of Service"'
LATE_CONTACT = {"contact": "10/11/2025"}  # nine weeks before the night
LATE_PLAN = {"plan": "20/06/2025"}


def adjusted(folder: Path, rule: str, *lines: str) -> Council:
    council = Council(folder)
    text = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text("\n".join([text, f"[rule.{rule}]", *lines]), encoding="utf-8")
    return council


def foot(council: Council, recipient: str) -> str:
    (mail,) = council.mail_to(recipient)
    return " ".join((mail.text + mail.html).split())


def test_a_rule_switched_off_asks_nothing(tmp_path: Path) -> None:
    council = adjusted(tmp_path, "contact-overdue", "enabled = false")

    night = council.night(NIGHT, [settled("P1", **LATE_CONTACT), *crowd(5)])

    assert council.flags() == {}
    assert "contact-overdue" not in night.evaluation.totals


def test_severity_and_limits_are_a_councils_own(tmp_path: Path) -> None:
    council = adjusted(tmp_path, "contact-overdue", 'severity = "high"', 'limits = { contact_within = "10 weeks" }')

    council.night(NIGHT, [settled("P1", **LATE_CONTACT), settled("P2", contact="01/11/2025"), *crowd(5)])

    assert council.flags() == {("P2", "contact-overdue"): "open"}
    assert [row["severity"] for row in council.listed(NIGHT, "all.csv")] == ["high"]
    assert "stands for a legal duty" not in foot(council, NORTH)  # contact-overdue stands for practice


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["enabled = false"], "it is not checked here"),
        (['severity = "low"'], "its severity here is low, not high"),
        (['limits = { review_within = "7 months" }'], "review within is 7 months here, not 6 months"),
    ],
)
def test_loosening_a_legal_duty_needs_a_reason_and_a_name(tmp_path: Path, lines: list[str], words: str) -> None:
    council = adjusted(tmp_path, "pathway-plan-current", *lines)

    with pytest.raises(Problems) as refused:
        council.night(NIGHT, crowd(3))

    assert any(
        problem.startswith("config: rule.pathway-plan-current.reason: missing") for problem in refused.value.problems
    )
    assert any(
        problem.startswith("config: rule.pathway-plan-current.approved_by: missing")
        for problem in refused.value.problems
    )
    assert words in str(refused.value)
    assert not (tmp_path / "data").exists()


def test_a_loosened_duty_is_printed_on_every_digest(tmp_path: Path) -> None:
    council = adjusted(tmp_path, "pathway-plan-current", 'limits = { review_within = "7 months" }', APPROVED)

    council.night(NIGHT, [settled("P1", **LATE_PLAN), settled("P2", adviser=""), *crowd(5)])

    sentence = "review within is 7 months here, not 6 months: agreed with the virtual school until April (approved by"
    assert ("P1", "pathway-plan-current") not in council.flags()
    for recipient in (NORTH, ANALYST):
        (mail,) = council.mail_to(recipient)
        for part in (mail.text, mail.html):
            assert sentence in " ".join(part.split())
            assert "stands for a legal duty that is to be confirmed; review within" in " ".join(part.split())
    bases = {row["rule"]: row["basis"] for row in council.listed(NIGHT, "all.csv")}
    assert bases["pa-allocated"] == "law, to be confirmed"


def test_tightening_a_legal_duty_needs_nobodys_leave_and_is_not_printed(tmp_path: Path) -> None:
    council = adjusted(tmp_path, "pathway-plan-current", 'limits = { review_within = "5 months" }')

    council.night(NIGHT, [settled("P1", plan="01/08/2025"), *crowd(5)])

    assert council.flags() == {("P1", "pathway-plan-current"): "open"}
    assert "stands for a legal duty" not in foot(council, NORTH)


# A rule whose column nobody supplies


def test_a_rule_no_source_can_answer_is_said_once_in_each_place_and_of_nobody(tmp_path: Path) -> None:
    council = Council(tmp_path)

    night = council.night(NIGHT, [settled("P1", adviser=""), *crowd(5)], leave_out=["plan"])

    assert night.evaluation.not_assessed["pathway-plan-missing"] == ("pathway_plan_review_date",)
    (mail,) = council.mail_to(ANALYST)
    said = [
        line
        for line in section(mail, "Rules asked of nobody").splitlines()
        if line.startswith("- pathway-plan-missing")
    ]
    assert said == ["- pathway-plan-missing: no source supplies pathway_plan_review_date"]
    assert mail.html.count("pathway-plan-missing") == 1
    (lead,) = council.mail_to(NORTH)
    number = len(night.evaluation.not_assessed)
    assert f"{number} rules were asked of nobody" in " ".join(lead.text.split())
    assert "pathway plan" not in lead.text.lower()
    assert {rule for _, rule in council.flags()} == {"pa-allocated"}
