"""Whole nights: what is remembered, what is told and to whom, and what a refused night leaves alone."""

import datetime as dt
import stat
from pathlib import Path

import pytest
from service import NIGHT, Council, crowd, day, section, settled
from sqlalchemy import text

from monitor import recall
from monitor.errors import Problems, Refused, SourceError

NORTH, SOUTH, ANALYST = "north@example.gov.uk", "south@example.gov.uk", "analyst@example.gov.uk"


def homeless(person_id: str, **other: str) -> dict[str, str]:
    return settled(person_id, accommodation="S: No fixed abode", suitable="b) Unsuitable", **other)


def test_the_first_night_opens_flags_and_is_told_as_a_baseline(tmp_path: Path, database: str | None) -> None:
    council = Council(tmp_path, database=database)

    night = council.night(NIGHT, [homeless("P1"), settled("P2", team="South"), *crowd(10)])

    assert (night.outcome, night.baseline, night.people, night.exit_code) == ("accepted", True, 12, 0)
    assert council.flags() == {("P1", "homeless"): "open"}
    (mail,) = council.mail_to(NORTH)
    assert mail.subject.startswith("OFFICIAL-SENSITIVE Leaving care: baseline, 1 critical")
    assert "P1" in mail.text
    assert "P1" in mail.html
    (proof_of_life,) = council.mail_to(SOUTH)
    assert "baseline, nothing open" in proof_of_life.subject
    assert len(council.mail_to(ANALYST)) == 1


def test_the_same_night_from_the_same_input_changes_and_sends_nothing(tmp_path: Path, database: str | None) -> None:
    council = Council(tmp_path, database=database)
    people = [homeless("P1"), *crowd(10)]
    council.night(NIGHT, people)
    before = (council.flags(), len(council.mail()), council.rows("SELECT count(*) FROM flag_event"))

    night = council.night(NIGHT, people)

    assert (night.outcome, night.exit_code) == ("unchanged", 0)
    assert (council.flags(), len(council.mail()), council.rows("SELECT count(*) FROM flag_event")) == before


def test_the_second_night_tells_only_what_changed(tmp_path: Path, database: str | None) -> None:
    council = Council(tmp_path, database=database)
    council.night(NIGHT, [homeless("P1"), homeless("P2"), settled("P3"), settled("P4"), *crowd(36)])

    night = council.night(day(1), [homeless("P1"), settled("P2"), homeless("P3"), *crowd(36)])

    assert (night.people, night.absent) == (39, 1)
    assert council.flags() == {
        ("P1", "homeless"): "open",
        ("P2", "homeless"): "cleared",
        ("P3", "homeless"): "open",
        ("P4", "left-caseload"): "open",
    }
    (mail,) = council.mail_to(NORTH, day(1))
    assert "2 new, 1 cleared" in mail.subject
    assert "P3" in section(mail, "New")
    assert "P4" in section(mail, "New")
    assert "P2" in section(mail, "Cleared")
    assert "Critical now: P1, P3" in mail.text


def test_a_night_without_news_sends_leads_nothing(tmp_path: Path) -> None:
    council = Council(tmp_path)
    people = [homeless("P1"), *crowd(10)]
    council.night(NIGHT, people)

    council.night(day(1), people)

    assert council.mail_to(NORTH, day(1)) == []
    assert len(council.mail_to(ANALYST, day(1))) == 1


def test_a_cell_that_cannot_be_read_holds_the_flag_and_the_next_reading_releases_it(
    tmp_path: Path, database: str | None
) -> None:
    council = Council(tmp_path, database=database)
    others = crowd(10)
    council.night(NIGHT, [homeless("P1"), *others])

    council.night(day(1), [homeless("P1") | {"accommodation": "#MULTIVALUE"}, *others])
    held = council.flags()
    council.night(day(2), [homeless("P1"), *others])

    assert held[("P1", "homeless")] == "held"
    assert council.flags()[("P1", "homeless")] == "open"
    (unreadable,) = council.listed(day(1), "unreadable.csv")
    assert (unreadable["file"], unreadable["row"], unreadable["column"]) == ("list-9.csv", "2", "accommodation")
    assert "P1" in section(council.mail_to(NORTH, day(1))[0], "Held")


def test_a_column_that_vanishes_holds_flags_and_says_the_rule_was_not_assessed(tmp_path: Path) -> None:
    council = Council(tmp_path)
    people = [settled("P1", plan="01/01/2025"), *crowd(10)]
    council.night(NIGHT, people)

    night = council.night(day(1), people, leave_out=["plan"])

    assert council.flags()[("P1", "pathway-plan-current")] == "held"
    assert night.evaluation.not_assessed["pathway-plan-current"] == ("pathway_plan_review_date",)
    assert ("P1", "pathway-plan-missing") not in council.flags()


def test_someone_recoded_stays_entitled_and_is_flagged_as_dropped(tmp_path: Path) -> None:
    council = Council(tmp_path)
    others = crowd(10)
    council.night(NIGHT, [settled("P1", adviser=""), *others])

    council.night(day(1), [settled("P1", adviser="", eligibility=""), *others])

    assert council.flags()[("P1", "status-dropped")] == "open"
    assert council.flags()[("P1", "pa-allocated")] == "open"


def test_changed_input_for_an_accepted_date_is_refused(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("P1"), *crowd(10)])
    sent = len(council.mail())

    with pytest.raises(Refused, match=r"the sources changed since; nothing has been changed.*--again"):
        council.night(NIGHT, [homeless("P2"), *crowd(10), settled("P1")])

    assert council.flags() == {("P1", "homeless"): "open"}
    assert len(council.mail()) == sent


def test_a_night_put_right_corrects_flags_and_says_correction(tmp_path: Path, database: str | None) -> None:
    council = Council(tmp_path, database=database)
    council.night(NIGHT, [homeless("P1"), settled("P2"), *crowd(10)])

    night = council.night(NIGHT, [settled("P1"), homeless("P2"), *crowd(10)], again=True, by="A Example")

    assert night.outcome == "put right"
    assert council.flags() == {("P1", "homeless"): "corrected", ("P2", "homeless"): "open"}
    assert "correction" in council.mail_to(NORTH)[-1].subject.lower()
    states = council.rows("SELECT state FROM run WHERE state <> 'refused' ORDER BY id")
    assert states == [("superseded",), ("accepted",)]


def test_someone_only_the_wrong_input_had_is_forgotten_when_it_is_put_right(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, crowd(20))
    council.night(day(1), [*crowd(20), settled("X9")])

    council.night(day(1), crowd(20), again=True, by="A Example")

    assert council.flags() == {}
    assert council.rows("SELECT count(*) FROM person") == [(20,)]


def test_a_date_before_the_last_accepted_night_is_only_for_rehearsal(tmp_path: Path) -> None:
    council = Council(tmp_path)
    people = crowd(10)
    council.night(day(5), people)

    with pytest.raises(Refused, match="is before the last accepted night"):
        council.night(day(4), people)

    assert council.night(day(4), people, dry_run=True).outcome == "rehearsed"


def test_a_date_after_today_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is after today"):
        Council(tmp_path).night(day(1), crowd(3), today=NIGHT)


def test_a_rehearsal_saves_and_sends_nothing(tmp_path: Path) -> None:
    council = Council(tmp_path)

    night = council.night(NIGHT, [homeless("P1"), *crowd(10)], dry_run=True)

    assert (night.outcome, night.opened, night.messages) == ("rehearsed", {"homeless": 1}, 4)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("tonight", "words"),
    [
        (crowd(17), "only 17 of the 20 people of 12 January 2026 are present"),
        ([person | {"team": "West"} for person in crowd(20)], "20 of 20 people are in another team"),
        ([person | {"in_touch": "c) Died"} for person in crowd(20)], "20 people are newly recorded as having died"),
    ],
)
def test_a_night_that_cannot_be_believed_changes_nothing_and_tells_the_analyst(
    tmp_path: Path, tonight: list[dict[str, str]], words: str
) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, crowd(20))

    with pytest.raises(Refused, match=words):
        council.night(day(1), tonight)

    assert council.flags() == {}
    (mail,) = council.mail(day(1))
    assert mail.to == ANALYST
    assert words in " ".join(mail.text.split())
    assert council.rows("SELECT state FROM run ORDER BY id") == [("accepted",), ("refused",)]


def test_a_refused_night_can_be_believed_on_the_record(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, crowd(20))

    night = council.night(day(1), crowd(10), accept="ten cases moved to another authority", by="A Example")

    assert (night.outcome, night.absent) == ("accepted", 10)
    assert set(council.flags().values()) == {"open"}
    (payload,) = council.rows("SELECT payload FROM flag_event WHERE kind = 'night accepted anyway'")[0]
    assert "ten cases moved" in str(payload)
    assert "A Example" in str(payload)


def test_a_missing_file_tells_the_analyst_and_nobody_else(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, crowd(5))
    (tmp_path / "list-9.csv").unlink()

    with pytest.raises(SourceError, match=r"list-9\.csv"):
        council.night(day(1))

    (mail,) = council.mail(day(1))
    assert mail.to == ANALYST


def test_someone_who_died_is_closed_quietly_and_named_once_to_the_analyst(tmp_path: Path) -> None:
    council = Council(tmp_path)
    others = crowd(20)
    council.night(NIGHT, [homeless("P1"), homeless("P2"), *others])

    council.night(day(1), [homeless("P1", in_touch="c) Died"), settled("P2"), *others])
    council.night(day(2), [homeless("P1", in_touch="c) Died"), settled("P2"), *others])

    assert council.flags()[("P1", "homeless")] == "died"
    for mail in (*council.mail_to(NORTH, day(1)), *council.mail_to(NORTH, day(2))):
        assert "P1" not in mail.text + mail.html
    assert "P1" in council.mail_to(ANALYST, day(1))[0].text
    assert "P1" not in council.mail_to(ANALYST, day(2))[0].text


def test_someone_alive_again_stays_silent_until_it_is_confirmed(tmp_path: Path, database: str | None) -> None:
    council = Council(tmp_path, database=database)
    others = crowd(20)
    council.night(NIGHT, [settled("P1"), *others])
    council.night(day(1), [settled("P1", in_touch="c) Died"), *others])

    council.night(day(2), [homeless("P1"), *others])
    silent = council.flags()
    told = council.mail_to(ANALYST, day(2))[0].text
    with council.store() as store:
        said = recall.confirm(store, "P1", by="A Example", today=day(2), now=dt.datetime.now(dt.UTC))
    council.night(day(3), [homeless("P1"), *others])

    assert silent == {}
    assert "P1" in told
    assert said.startswith("confirmed alive")
    assert council.flags() == {("P1", "homeless"): "open"}


def test_a_team_without_a_lead_goes_to_the_fallback_and_is_said(tmp_path: Path) -> None:
    council = Council(tmp_path)

    night = council.night(NIGHT, [homeless("P1", team="Unknown Team"), homeless("P2", team="lc  north"), *crowd(5)])

    (mail,) = council.mail_to("fallback@example.gov.uk")
    assert "P1" in mail.text
    assert "Unknown Team" in mail.text
    assert night.unrouted == {"Unknown Team": 1}
    assert "P2" in council.mail_to(NORTH)[0].text


def test_a_restricted_person_is_shown_to_the_head_of_service_only(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text("P1\n", encoding="utf-8")
    council = Council(tmp_path, settings='restricted = "restricted.txt"')

    council.night(NIGHT, [homeless("P1"), homeless("P2"), *crowd(5)])

    shown = {mail.to for mail in council.mail() if "P1" in mail.text + mail.html}
    assert shown == {"head@example.gov.uk"}
    assert "P1" not in {row["person_id"] for row in council.listed(NIGHT, "all.csv")}


def test_a_night_killed_before_delivery_is_completed_by_the_next_run_of_its_date(
    tmp_path: Path, database: str | None
) -> None:
    council = Council(tmp_path, database=database)
    people = [homeless("P1"), *crowd(10)]
    council.night(NIGHT, people)
    sent = council.mail()
    for path in (tmp_path / "data" / "outbox").rglob("*.eml"):
        path.unlink()
    with council.store() as store, store.writing() as connection:
        connection.execute(text("UPDATE message SET state = 'sending', accepted_at = NULL WHERE id = 1"))
        connection.execute(text("UPDATE message SET state = 'created', accepted_at = NULL WHERE id > 1"))

    night = council.night(NIGHT, people)

    assert night.delivered.delivered == 4
    assert council.mail() == sent


def test_a_message_naming_someone_who_has_died_since_is_not_sent(tmp_path: Path) -> None:
    council = Council(tmp_path)
    others = crowd(20)
    council.night(NIGHT, [homeless("P1"), homeless("P2"), *others])
    for path in (tmp_path / "data" / "outbox").rglob("*.eml"):
        path.unlink()
    with council.store() as store, store.writing() as connection:
        connection.execute(text("UPDATE message SET state = 'temporary-failure' WHERE kind = 'lead'"))

    council.night(day(1), [homeless("P1", in_touch="c) Died"), homeless("P2"), *others])

    for mail in council.mail_to(NORTH):
        assert "P1" not in mail.text
    assert "P2" in council.mail_to(NORTH)[0].text


def test_the_list_says_what_to_do_and_what_clears_it(tmp_path: Path) -> None:
    council = Council(tmp_path)

    council.night(NIGHT, [homeless("P1"), *crowd(5)])

    (row,) = council.listed(NIGHT, "all.csv")
    assert row["action"].startswith("Make contact today")
    assert row["action"].endswith("To clear it: accommodation: for example U (independent living).")


def test_everything_written_is_for_its_owner_only(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, [homeless("P1"), *crowd(5)])

    for path in (tmp_path / "data").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_blank_that_a_rule_flags_is_not_listed_again_as_not_assessed(tmp_path: Path) -> None:
    council = Council(tmp_path)

    council.night(NIGHT, [settled("P1", born=""), settled("P2", suitable=""), *crowd(5)])

    assert council.flags() == {("P1", "birth-date-recorded"): "open"}
    rows = council.listed(NIGHT, "cannot-assess.csv")
    assert [(row["person_id"], row["missing"], row["why"]) for row in rows] == [
        ("P2", "accommodation_suitable", "blank")
    ]


def test_a_flag_that_flips_is_told_to_check_the_source_once_and_then_left_in_peace(tmp_path: Path) -> None:
    council = Council(tmp_path)
    for n in range(1, 8):
        council.night(day(n), [homeless("P1") if n % 2 else settled("P1"), *crowd(10)])

    subjects = [mail.subject for mail in council.mail_to(NORTH)]

    assert [subject.split(": ")[1].split(" - ")[0] for subject in subjects] == [
        "baseline, 1 critical", "1 cleared", "1 back again", "1 cleared", "1 to check", "nothing new, 1 open"
    ]  # fmt: skip
    assert "Homeless" not in section(council.mail_to(NORTH)[4], "New")


def test_a_template_with_an_unknown_name_stops_the_night_before_anything_is_read_or_sent(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "lead.txt").write_text("{{ digest.recipient }} {{ digest.temas }}", encoding="utf-8")
    council = Council(tmp_path, 'templates = "words"')

    with pytest.raises(Problems, match=r"lead\.txt: .*temas"):
        council.night(NIGHT, [homeless("P1"), *crowd(10)])

    assert not (tmp_path / "data").exists()
