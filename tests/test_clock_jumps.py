"""The first night after a jump of the clock: nothing happens on it that no later night can undo."""

import csv
import datetime as dt
from pathlib import Path

import pytest
from support.command import monitor
from support.council import Council, crowd, day, homeless
from support.timed_service import few_rules

from monitor.config.settings import load_config, shipped
from monitor.flags import waiver_request
from monitor.record.purge import Purged, purge_store
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.events import Stamp

MANAGER, ANALYST = "manager@example.gov.uk", "analyst@example.gov.uk"
LONG_AFTER = day(40)
GROWN = homeless("P1", born="01/02/2001")
"""25 before the night that is long after the first."""
PEOPLE = [GROWN, homeless("P2"), homeless("P3"), *crowd(20)]
SETTINGS = '[retention]\nsnapshots = "1 week"\n[escalation]\nbacklog_days = 2\n'


@pytest.fixture
def council(tmp_path: Path) -> Council:
    council = Council(tmp_path, settings=few_rules(tmp_path, "homeless"))
    with council.config_path.open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    config = council.config_path.read_text(encoding="utf-8")
    lead = 'lead = "north@example.gov.uk"\n'
    council.config_path.write_text(config.replace(lead, f'{lead}manager = "{MANAGER}"\n'), encoding="utf-8")
    council.night(day(0), PEOPLE)
    return council


def accept_long_after(council: Council) -> None:
    council.night(LONG_AFTER, PEOPLE, accept="the service was off", by="A Example")


def ended_on(council: Council) -> object:
    return council.rows("SELECT ended_on FROM person WHERE person_id = 'P1'")[0][0]


def purge(council: Council, today: dt.date) -> Purged:
    with council.open_database() as database:
        return purge_store(database, load_config(council.config_path), today, council.clock)


def test_no_duty_ends_before_the_night_after(council: Council):
    accept_long_after(council)

    assert council.flags()[("P1", "homeless")] == "held"
    assert ended_on(council) is None
    council.night(day(41), PEOPLE)
    assert council.flags()[("P1", "homeless")] == "duty ended"
    assert ended_on(council) == day(41).isoformat()


def test_nor_of_somebody_who_is_not_there_that_night(council: Council):
    council.night(LONG_AFTER, PEOPLE[1:], accept="the service was off", by="A Example")

    assert council.flags()[("P1", "homeless")] == "held"
    assert council.rows("SELECT ended_on, left_reason FROM person WHERE person_id = 'P1'") == [(None, "lost")]


def test_escalations_wait_and_the_analyst_is_told_once(council: Council):
    accept_long_after(council)

    assert council.rows("SELECT count(*) FROM escalation") == [(0,)]
    assert not [mail for mail in council.mail_to(MANAGER) if "newly raised" in mail.subject]
    council.night(day(41), PEOPLE)
    assert council.rows("SELECT DISTINCT as_at FROM escalation") == [(day(41).isoformat(),)]
    assert len([mail for mail in council.mail_to(MANAGER) if "newly raised" in mail.subject]) == 1
    told = [
        mail
        for mail in council.mail_to(ANALYST)
        if "what no later night could undo waits" in " ".join(mail.text.split())
    ]
    assert len(told) == 1
    assert "40 days have gone by since the last accepted night" in " ".join(told[0].text.split())


def test_a_waiver_runs_out_and_a_rule_ends_on_the_night_after(council: Council):
    rulebook = load_rulebook((shipped("rules"),), {})
    config = load_config(council.config_path)
    asked = waiver_request.WaiverRequest(
        "P2", "homeless", until=day(10).isoformat(), reason="under-way", note="Agreed", by="A Manager"
    )
    limits = waiver_request.WaiverLimits(config.waivers.reasons, frozenset())
    with council.open_database() as database:
        waiver_request.waive(database, rulebook, asked, limits, Stamp(day(1), council.clock))
    rule = council.folder / "rules" / "homeless.toml"
    rule.write_text(f"effective_to = {day(20)}\n" + rule.read_text(encoding="utf-8"), encoding="utf-8")

    accept_long_after(council)

    assert council.rows("SELECT ended_on, reopened_on FROM waiver") == [(None, None)]
    assert council.flags()[("P3", "homeless")] == "held"
    exported = monitor(council.folder, "export", "--output", "flags.csv", "--config", str(council.config_path))
    assert exported.returncode == 0, exported.stderr
    with (council.folder / "flags.csv").open(newline="", encoding="utf-8-sig") as file:
        assert {row["person_id"]: row["state"] for row in csv.DictReader(file)}["P2"] == "waived"
    council.night(day(41), PEOPLE)
    assert council.rows("SELECT ended_on FROM waiver") == [(day(41).isoformat(),)]
    assert council.flags()[("P3", "homeless")] == "withdrawn"


def test_nothing_is_removed_as_past_its_time_before_the_night_after(council: Council):
    accept_long_after(council)
    waiting = purge(council, LONG_AFTER)

    assert (waiting.removed, waiting.exit_code) == ({}, 0)
    assert "nothing is removed until the next night is accepted" in (waiting.waits or "")
    council.night(day(41), PEOPLE)
    assert purge(council, day(41)).removed["snapshots"] == 1


def test_a_purge_by_hand_is_refused_where_no_night_was_accepted_for_a_week(council: Council):
    done = monitor(council.folder, "purge", "--config", str(council.config_path))

    assert done.returncode == 3
    assert "the last accepted night is of 12 January 2026" in done.stderr
    assert "the clock may be ahead" in done.stderr


def test_a_night_a_week_after_the_last_is_like_any_other(council: Council):
    council.night(day(4), PEOPLE)
    council.night(day(11), PEOPLE)

    assert council.rows("SELECT count(*) > 0 FROM escalation") == [(1,)]
