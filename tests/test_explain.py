"""One person explained: every rule's answer and why, and everything held about them."""

import datetime as dt
import json
from pathlib import Path
from unittest.mock import ANY

import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, settled

from monitor.config.settings import load_config
from monitor.errors import Problems, Refused
from monitor.record.explain import Explanation, RuleAnswer, explain_person, narrow
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.database import open_store
from monitor.store.location import locate

HOMELESS = {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Council:
    council = Council(tmp_path_factory.mktemp("council"), 'restricted = "restricted.txt"')
    (council.folder / "restricted.txt").write_text("P4\n", encoding="utf-8")
    others = [settled("P10", **HOMELESS), settled("P4", **HOMELESS), settled("P5", **HOMELESS), *crowd(40)]
    council.night(NIGHT, [settled("P1", **HOMELESS), settled("P2", contact="not a date"), *others])
    council.night(day(1), [settled("P1", accommodation="#REF!"), *others])
    others[2] = settled("P5", **HOMELESS, in_touch="c) Died")
    council.night(day(2), [settled("P1", **HOMELESS), settled("P2"), *others])
    council.night(day(3), [settled("P1", **HOMELESS), settled("P2"), *others])
    return council


def explain(council: Council, person: str, as_at: dt.date | None = None) -> Explanation:
    config = load_config(council.config_path)
    database = open_store(locate(config, {}))
    try:
        rulebook = load_rulebook(config.rule_folders(), config.rule)
        return explain_person(database, config, rulebook, person, as_at=as_at)
    finally:
        database.close()


def answer(account: Explanation, rule: str) -> RuleAnswer:
    (found,) = [one for one in account.answers if one.rule == rule]
    return found


def test_a_breach_says_its_values_why_and_what_would_clear_it(council: Council) -> None:
    account = explain(council, "P1")

    homeless = answer(account, "homeless")
    assert (account.as_at, homeless.outcome) == (day(3), "breach")
    assert [(value.name, value.shown) for value in homeless.values] == [
        ("accommodation", "S (No fixed abode or homeless)"),
        ("age", "19"),
    ]
    assert homeless.because == "Latest contact: 8 January 2026."
    assert homeless.clears is not None
    assert "independent living" in homeless.clears
    assert homeless.stands_on.startswith("report. ")
    assert "Ofsted on Cheshire East, March 2024, paragraphs 36 and 47" in homeless.stands_on
    assert account.answers[0].outcome == "breach"


def test_every_rule_is_answered(council: Council) -> None:
    config = load_config(council.config_path)

    account = explain(council, "P1")

    rules = {rule.id for rule in load_rulebook(config.rule_folders(), config.rule).rules}
    assert {one.rule for one in account.answers} == rules
    assert all(one.why for one in account.answers if one.outcome in ("not asked", "cannot assess"))


def test_a_due_date_is_said_before_it_is_passed(council: Council) -> None:
    contact = answer(explain(council, "P1"), "contact-overdue")

    assert (contact.outcome, contact.due_on) == ("ok", dt.date(2026, 3, 5))


def test_a_cell_that_cannot_be_read_is_shown_as_that_and_why_it_matters(council: Council) -> None:
    contact = answer(explain(council, "P2", NIGHT), "contact-overdue")

    assert (contact.outcome, contact.why) == ("cannot assess", "latest contact date unreadable")
    assert ("latest_contact_date", "unreadable") in [(value.name, value.shown) for value in contact.values]
    assert ("agreed_contact_interval_days", "not supplied") in [(v.name, v.shown) for v in contact.values]


def test_a_rule_nobody_could_be_asked_says_what_no_source_supplies(council: Council) -> None:
    risk = answer(explain(council, "P1"), "risk-plan")

    assert (risk.outcome, risk.why) == ("not asked", "no source supplies risk open, risk plan review date")


def test_an_earlier_night_is_explained_from_what_was_kept_of_it(council: Council) -> None:
    account = explain(council, "P1", day(1))

    assert account.source == f"the caseload kept of {day(1)}"
    assert answer(account, "homeless").outcome == "cannot assess"


def test_someone_absent_is_explained_from_what_was_last_known(council: Council) -> None:
    account = explain(council, "P2", day(1))

    assert answer(account, "left-caseload").outcome == "breach"
    assert answer(account, "contact-overdue").why == "not on this night's caseload"


def test_nothing_is_asked_about_someone_who_died_and_what_is_held_is_still_shown(council: Council) -> None:
    on_the_night, since = explain(council, "P5", day(2)), explain(council, "P5", day(1))

    assert answer(on_the_night, "homeless").why == "nothing is asked about someone recorded as died"
    assert answer(since, "homeless").outcome == "breach"
    assert [event["kind"] for event in since.events][-3:] == ["resolved", "death recorded", "roster changed"]
    assert since.events[-1]["rows"]["person"] == [
        {"person_id": "P5", "died_on": str(day(2)), "values_fingerprint": ANY}
    ]  # fmt: skip


def test_events_flags_and_messages_are_theirs_alone(council: Council) -> None:
    account = explain(council, "P1")

    of_flags = [event for event in account.events if "rule" in event]
    assert [(event["kind"], event["rule"]) for event in of_flags][:2] == [("opened", "homeless"), ("held", "homeless")]
    assert {event["person_id"] for event in of_flags} == {"P1"}
    of_roster = [event["rows"]["person"] for event in account.events if event["kind"] == "roster changed"]
    assert of_roster
    assert {row["person_id"] for rows in of_roster for row in rows} == {"P1"}
    assert [(flag["rule"], flag["resolved_on"]) for flag in account.flags] == [("homeless", None)]
    assert {(message["recipient"], message["kind"]) for message in account.messages} == {
        ("north@example.gov.uk", "lead"),
        ("head@example.gov.uk", "head"),
    }
    assert not any({"text", "html", "subject", "people"} & message.keys() for message in account.messages)


def test_everything_the_database_holds_of_them_is_listed(council: Council) -> None:
    account = explain(council, "P1")

    found = set()
    for (table,) in council.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = {str(row[0]) for row in council.rows(f"SELECT name FROM pragma_table_info('{table}')")}
        if "person_id" in columns and council.rows(f"SELECT 1 FROM {table} WHERE person_id = 'P1'"):
            found.add(table)
    assert found <= {table for table, rows in account.held.items() if rows}
    (person,) = account.held["person"]
    assert person["last_values"]["accommodation"] == "S"
    assert account.kept_nights == (NIGHT, day(1), day(2), day(3))
    assert "P10" not in json.dumps(account.as_dict(), default=str)


def test_a_missing_snapshot_is_said_and_the_roster_stands_in(council: Council, tmp_path: Path) -> None:
    config = load_config(council.config_path)
    database = open_store(locate(config, {}))
    rulebook = load_rulebook(config.rule_folders(), config.rule)

    elsewhere = config.model_copy(update={"data_folder": tmp_path / "elsewhere"})
    account = explain_person(database, elsewhere, rulebook, "P1")
    database.close()

    assert "what the roster last knew" in account.source
    assert "is missing" in account.source
    assert answer(account, "homeless").outcome == "breach"


def test_one_rule_can_be_asked_for(council: Council) -> None:
    account = narrow(explain(council, "P1"), "homeless")

    assert [one.rule for one in account.answers] == ["homeless"]


def test_someone_unknown_and_a_night_unknown_are_said(council: Council) -> None:
    with pytest.raises(Problems, match="P99: nobody of that id") as caught:
        explain(council, "P99")
    with pytest.raises(Refused, match="2025-01-01: no night of that date was accepted"):
        explain(council, "P1", dt.date(2025, 1, 1))

    assert caught.value.exit_code == 2


def test_the_command_prints_it_and_marks_who_may_see_restricted_people(council: Council) -> None:
    shown = monitor(council.folder, "explain", "P4")
    as_json = monitor(council.folder, "explain", "P1", "--rule", "homeless", "--json")

    assert shown.returncode == 0, shown.stderr
    assert "nobody but the head of service" in shown.stderr
    assert "homeless: breach" in shown.stdout
    assert "Cleared by: accommodation" in shown.stdout
    assert json.loads(as_json.stdout)["answers"][0]["because"].startswith("Latest contact")
