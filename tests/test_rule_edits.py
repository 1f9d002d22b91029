"""Editing the rulebook between nights: what each kind of edit does to flags that stand, and what is said of it."""

from pathlib import Path

import pytest
from support.council import NIGHT, Council, Mail, crowd, day, settled

from monitor.errors import Refused

LEAD, ANALYST = "north@example.gov.uk", "analyst@example.gov.uk"
RULE = """
title = "Contact to be made"
severity = "medium"
basis = "practice"
reference = "Practice"
why = "Regular contact is how trouble is noticed."
action = "Get in touch."
needs = ["latest_contact_date"]
applies_to = "category in ('relevant', 'former relevant')"
due_on = "latest_contact_date + within"
breach_if = "due_on < as_at"
because = "Latest contact: {{ latest_contact_date | date }}."

[limits]
within = "5 weeks"
"""
OTHER = """
title = "No activity recorded"
severity = "low"
basis = "practice"
reference = "Practice"
why = "What is not known cannot be supported."
action = "Record it."
needs = ["activity"]
applies_to = "age < 25"
breach_if = "activity is null"
because = "Activity: {{ activity | meaning }}."
"""
PEOPLE = [settled("P1", contact="01/12/2025"), *crowd(10)]


def open_council(folder: Path, rule: str = RULE) -> Council:
    (folder / "own").mkdir()
    (folder / "own" / "activity-known.toml").write_text(OTHER, encoding="utf-8")
    council = Council(folder, 'rules = ["own"]\nshipped_rules = false')
    write(council, rule)
    return council


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council after its first night, to be copied and never changed."""
    council = open_council(tmp_path_factory.mktemp("council"))
    council.night(NIGHT, PEOPLE)
    return council


@pytest.fixture
def council(first_night: Council, tmp_path: Path) -> Council:
    return first_night.copy_to(tmp_path)


def write(council: Council, rule: str) -> None:
    (council.folder / "own" / "contact-soon.toml").write_text(rule, encoding="utf-8")


def edited(*changes: tuple[str, str]) -> str:
    text = RULE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def adjust(council: Council, table: str) -> None:
    with council.config_path.open("a", encoding="utf-8") as file:
        file.write(f"\n[rule.contact-soon]\n{table}\n")


def events(council: Council) -> list[tuple[object, ...]]:
    return council.rows("SELECT kind, as_at FROM flag_event WHERE flag_id IS NOT NULL ORDER BY id")


def words(mail: Mail) -> str:
    return " ".join(mail.text.split())


WORDING = (
    ('title = "Contact to be made"', 'title = "Time to get in touch"'),
    ("Latest contact:", "Last in contact:"),
    ("how trouble is noticed", "how a person is known"),
    ("due_on < as_at", "  DUE_ON  <\\tas_at"),
    ('action = "Get in touch."', 'action = "Call."\nknown_gaps = "Not all contact is recorded."'),
)
CHANGED = {
    LEAD: "“Contact to be made” is checked in another way since the last night",
    ANALYST: "“Contact to be made” has changed since the last accepted night",
}
WITHDRAWN = {
    LEAD: "“Contact to be made” is no longer checked",
    ANALYST: "“Contact to be made” is no longer asked",
}


def test_a_wording_edit_makes_no_event_and_tells_nobody(council: Council) -> None:
    before = events(council)
    write(council, edited(*WORDING))

    same_date = council.night(NIGHT, PEOPLE)
    council.night(day(1), PEOPLE)

    assert same_date.outcome == "unchanged"
    assert events(council) == before
    assert council.mail_to(LEAD, day(1)) == []
    (analyst,) = council.mail_to(ANALYST, day(1))
    assert "has changed" not in analyst.text
    # The flag that stands takes the new sentence all the same.
    assert council.rows("SELECT because, opened_on FROM flag") == [
        ("Last in contact: 1 December 2025.", NIGHT.isoformat())
    ]


def test_a_meaning_edit_keeps_flags_and_the_next_digest_says_so(council: Council) -> None:
    write(council, edited(('within = "5 weeks"', 'within = "2 weeks"'), ("due_on < as_at", "due_on <= as_at")))

    with pytest.raises(Refused, match="the rulebook changed since"):
        council.night(NIGHT, PEOPLE)
    council.night(day(1), [*PEOPLE, settled("P2", contact="01/11/2025")])

    assert council.rows("SELECT person_id, opened_on FROM flag ORDER BY id") == [
        ("P1", NIGHT.isoformat()),
        ("P2", day(1).isoformat()),
    ]
    for reader in (LEAD, ANALYST):
        (mail,) = council.mail_to(reader, day(1))
        assert CHANGED[reader] in words(mail)


def test_a_limit_adjusted_in_the_config_is_a_meaning_edit_too(council: Council) -> None:
    adjust(council, 'limits = { within = "8 weeks" }')

    council.night(day(1), PEOPLE)

    assert council.flags() == {("P1", "contact-soon"): "rule changed"}
    (mail,) = council.mail_to(LEAD, day(1))
    assert CHANGED[LEAD] in words(mail)
    assert "1 flag no longer applies because the check has changed, which does not mean put right" in words(mail)
    assert "cleared" not in mail.subject
    assert "1 no longer asked for (rule changed)" in words(council.mail_to(ANALYST, day(1))[0])


def test_a_flag_held_while_its_rule_was_changed_is_not_cleared_by_the_change_either(council: Council) -> None:
    council.night(day(1), PEOPLE[1:])
    adjust(council, 'limits = { within = "8 weeks" }')
    council.night(day(2), PEOPLE[1:])

    council.night(day(3), PEOPLE)

    assert council.flags()[("P1", "contact-soon")] == "rule changed"


def test_another_severity_ends_nothing_and_what_is_put_right_later_is_cleared(council: Council) -> None:
    adjust(council, 'severity = "high"')
    council.night(day(1), PEOPLE)
    assert council.flags() == {("P1", "contact-soon"): "open"}

    council.night(day(2), [settled("P1"), *PEOPLE[1:]])

    assert council.flags() == {("P1", "contact-soon"): "cleared"}


def test_a_rule_no_longer_asked_closes_its_flags_as_withdrawn_and_says_so(council: Council) -> None:
    (council.folder / "own" / "contact-soon.toml").unlink()
    council.night(day(1), PEOPLE)
    write(council, RULE)
    council.night(day(2), PEOPLE)
    write(council, 'status = "draft"\n' + RULE)
    council.night(day(3), PEOPLE)
    write(council, RULE)
    council.night(day(4), PEOPLE)
    adjust(council, "enabled = false")
    council.night(day(5), PEOPLE)

    # Asked again it opens a new flag, which is not "back again": nobody's situation had changed.
    found = council.rows("SELECT opened_on, resolved_on, resolved_reason, earlier_spells FROM flag ORDER BY id")
    assert found == [(str(day(n)), str(day(n + 1)), "withdrawn", 0) for n in (0, 2, 4)]
    for night in (1, 3, 5):
        (lead,) = council.mail_to(LEAD, day(night))
        assert WITHDRAWN[LEAD] in words(lead)
        assert "1 flag ended because the check is no longer made" in words(lead)
        assert "cleared" not in lead.subject
        assert WITHDRAWN[ANALYST] in words(council.mail_to(ANALYST, day(night))[0])
    assert WITHDRAWN[ANALYST] not in words(council.mail_to(ANALYST, day(2))[0])


def test_a_rule_is_asked_from_its_first_day_to_its_last(tmp_path: Path) -> None:
    council = open_council(tmp_path, f"effective_from = {day(1)}\neffective_to = {day(1)}\n" + RULE)
    stood: list[dict[tuple[str, str], str]] = []
    for night in range(3):
        council.night(day(night), PEOPLE)
        stood.append(council.flags())

    assert stood == [{}, {("P1", "contact-soon"): "open"}, {("P1", "contact-soon"): "withdrawn"}]
    assert WITHDRAWN[LEAD] in words(council.mail_to(LEAD, day(2))[0])
