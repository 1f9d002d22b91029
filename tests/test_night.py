"""Whole nights: what is remembered, what is told and to whom, and what a refused night leaves alone."""

import datetime as dt
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.posix import needs_posix
from support.timed_service import few_rules

from monitor.errors import Problems, Refused, SourceError
from monitor.night.context import NightOutcome
from monitor.record import last_night

NORTH, SOUTH1, ANALYST = "north@example.gov.uk", "south@example.gov.uk", "analyst@example.gov.uk"


def people(night: int) -> list[dict[str, str]]:
    """Everyone as the case system has them on each of the nights below; about the crowd there is nothing to say."""
    return [
        homeless("P1"),
        homeless("P2") if night == 0 else settled("P2"),
        settled("P3") if night == 0 else homeless("P3"),
        *([settled("LEFT1")] if night == 0 else []),
        homeless("BLURRED1") | ({"accommodation": "#MULTIVALUE"} if night == 1 else {}),
        settled("RECODED1", adviser="") | ({"eligibility": ""} if night else {}),
        homeless("DIED1") | ({"in_touch": "c) Died"} if night else {}),
        [settled("ALIVE1"), settled("ALIVE1", in_touch="c) Died"), homeless("ALIVE1"), homeless("ALIVE1")][night],
        homeless("STRAY1", team="Unknown Team"),
        homeless("SPELT1", team="lc  north"),
        homeless("HIDDEN1"),
        settled("UNBORN1", born=""),
        settled("UNSAID1", suitable=""),
        homeless("SOUTH1", team="South"),
        *crowd(40),
    ]


@dataclass
class Lived:
    """Nights run once, on either store, for the tests which only look at what they left."""

    council: Council
    nights: list[NightOutcome] = field(default_factory=list)
    flags: list[dict[tuple[str, str], str]] = field(default_factory=list)
    """As each night left them."""
    written: list[tuple[object, ...]] = field(default_factory=list)
    """How many messages and events there were after each."""

    def live(self, as_at: dt.date, tonight: list[dict[str, str]], **other: Any) -> None:
        self.nights.append(self.council.night(as_at, tonight, **other))
        self.flags.append(self.council.flags())
        events = "SELECT count(*) FROM flag_event WHERE kind NOT IN ('night begun', 'night unchanged')"
        self.written.append((len(self.council.mail()), *self.council.rows(events)))


FIRST, REPEATED, SECOND, THIRD, WRONG, RIGHT = range(6)


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Four nights, of which the first is repeated; the last has the wrong input, and is put right."""
    folder = tmp_path_factory.mktemp("lived")
    (folder / "restricted.txt").write_text("HIDDEN1\n", encoding="utf-8")
    database = None if request.param == "SQLite" else request.getfixturevalue("new_database")()
    lived = Lived(Council(folder, settings='restricted = "restricted.txt"', database=database))
    for n in (0, 0, 1, 2):
        lived.live(day(n), people(n))
    with lived.council.open_database() as database:
        said = last_night.confirm(database, "ALIVE1", by="A Example", today=day(2), now=dt.datetime.now(dt.UTC))
    assert said.startswith("confirmed alive")
    lived.live(day(3), [*people(3), homeless("C1"), settled("C2"), settled("X9")])
    lived.live(day(3), [*people(3), settled("C1"), homeless("C2")], again=True, by="A Example")
    return lived


def test_the_first_night_opens_flags_and_is_told_as_a_baseline(lived: Lived) -> None:
    night = lived.nights[FIRST]

    assert (night.outcome, night.baseline, night.people, night.exit_code) == ("accepted", True, 54, 0)
    assert lived.flags[FIRST] == {
        **{
            (one, "homeless"): "open"
            for one in ("P1", "P2", "BLURRED1", "DIED1", "STRAY1", "SPELT1", "HIDDEN1", "SOUTH1")
        },
        ("RECODED1", "pa-allocated"): "open",
        ("UNBORN1", "birth-date-recorded"): "open",
    }
    (mail,) = lived.council.mail_to(NORTH, NIGHT)
    assert mail.subject.startswith("OFFICIAL-SENSITIVE Leaving care: baseline, 5 critical")
    assert "P1" in mail.text
    assert "P1" in mail.html
    assert len(lived.council.mail_to(ANALYST, NIGHT)) == 1


def test_the_same_night_from_the_same_input_changes_and_sends_nothing(lived: Lived) -> None:
    assert (lived.nights[REPEATED].outcome, lived.nights[REPEATED].exit_code) == ("unchanged", 0)
    assert lived.flags[REPEATED] == lived.flags[FIRST]
    assert lived.written[REPEATED] == lived.written[FIRST]


def test_the_second_night_tells_only_what_changed(lived: Lived) -> None:
    night, flags = lived.nights[SECOND], lived.flags[SECOND]

    assert (night.people, night.absent) == (51, 1)  # without the two who are said to have died
    assert (flags[("P1", "homeless")], flags[("P2", "homeless")], flags[("P3", "homeless")]) == (
        "open", "cleared", "open"
    )  # fmt: skip
    assert flags[("LEFT1", "left-caseload")] == "open"
    (mail,) = lived.council.mail_to(NORTH, day(1))
    assert "1 newly critical, 2 new, 1 put right" in mail.subject
    places = [mail.text.index(each) for each in ("about P3", "Find LEFT1", "No longer critical: P2.")]
    assert places == sorted(places)
    assert "Find RECODED1" in mail.text
    assert "Still critical: 3" in mail.text


def test_a_night_without_news_sends_leads_nothing(lived: Lived) -> None:
    assert len(lived.council.mail_to(SOUTH1, NIGHT)) == 1
    assert lived.council.mail_to(SOUTH1, day(1)) == []
    assert len(lived.council.mail_to(ANALYST, day(1))) == 1


def test_a_cell_that_cannot_be_read_holds_the_flag_and_the_next_reading_releases_it(lived: Lived) -> None:
    states = [flags[("BLURRED1", "homeless")] for flags in lived.flags]

    assert states[FIRST : THIRD + 1] == ["open", "open", "held", "open"]
    (unreadable,) = lived.council.listed(day(1), "unreadable.csv")
    assert (unreadable["file"], unreadable["row"], unreadable["column"]) == ("list-9.csv", "5", "accommodation")
    assert "BLURRED1" in lived.council.mail_to(NORTH, day(1))[0].text


def test_someone_recoded_stays_entitled_and_is_flagged_as_dropped(lived: Lived) -> None:
    assert ("RECODED1", "status-dropped") not in lived.flags[FIRST]
    assert lived.flags[SECOND][("RECODED1", "status-dropped")] == "open"
    assert lived.flags[SECOND][("RECODED1", "pa-allocated")] == "open"


def test_a_night_put_right_corrects_flags_and_says_correction(lived: Lived) -> None:
    assert lived.nights[RIGHT].outcome == "put right"
    assert lived.flags[WRONG][("C1", "homeless")] == "open"
    assert (lived.flags[RIGHT][("C1", "homeless")], lived.flags[RIGHT][("C2", "homeless")]) == ("corrected", "open")
    assert "correction" in lived.council.mail_to(NORTH)[-1].subject.lower()
    states = lived.council.rows("SELECT state FROM run WHERE state <> 'unchanged' ORDER BY id")
    assert states == [("accepted",)] * 3 + [("superseded",), ("accepted",)]


def test_someone_only_the_wrong_input_had_is_forgotten_when_it_is_put_right(lived: Lived) -> None:
    assert ("X9", "left-caseload") not in lived.council.flags()
    assert lived.council.rows("SELECT count(*) FROM person WHERE person_id = 'X9'") == [(0,)]
    assert lived.council.rows("SELECT count(*) FROM person") == [(56,)]


def test_someone_who_died_is_closed_quietly_and_named_to_the_analyst_alone(lived: Lived) -> None:
    assert lived.flags[SECOND][("DIED1", "homeless")] == "died"
    for mail in (*lived.council.mail_to(NORTH, day(1)), *lived.council.mail_to(NORTH, day(2))):
        assert "DIED1" not in mail.text + mail.html
    assert "DIED1" in lived.council.mail_to(ANALYST, day(1))[0].text
    assert "since 13 January 2026: DIED1" in lived.council.mail_to(ANALYST, day(2))[0].text


def test_someone_alive_again_stays_silent_until_it_is_confirmed(lived: Lived) -> None:
    assert not [person for person, _ in lived.flags[THIRD] if person == "ALIVE1"]
    assert "ALIVE1" in lived.council.mail_to(ANALYST, day(2))[0].text
    assert lived.flags[WRONG][("ALIVE1", "homeless")] == "open"


def test_a_team_without_a_lead_goes_to_the_fallback_and_is_said(lived: Lived) -> None:
    (mail,) = lived.council.mail_to("fallback@example.gov.uk", NIGHT)

    assert "STRAY1" in mail.text
    assert "Unknown Team" in mail.text
    assert lived.nights[FIRST].unrouted == {"Unknown Team": 1}
    assert "SPELT1" in lived.council.mail_to(NORTH)[0].text


def test_a_restricted_person_is_shown_to_the_head_of_service_only(lived: Lived) -> None:
    shown = {mail.to for mail in lived.council.mail() if "HIDDEN1" in mail.text + mail.html}

    assert shown == {"head@example.gov.uk"}
    assert "HIDDEN1" not in {row["person_id"] for row in lived.council.listed(NIGHT, "all.csv")}


def test_the_list_says_what_to_do_and_what_clears_it(lived: Lived) -> None:
    (row,) = [row for row in lived.council.listed(NIGHT, "all.csv") if row["person_id"] == "P1"]

    assert row["action"].startswith("Make contact today")
    assert row["action"].endswith("To clear it: accommodation: for example U (independent living).")


def test_who_cannot_be_checked_is_listed_and_no_other_blank_that_a_rule_flags(lived: Lived) -> None:
    assert [rule for person, rule in lived.flags[FIRST] if person in ("UNBORN1", "UNSAID1")] == ["birth-date-recorded"]
    rows = lived.council.listed(NIGHT, "cannot-assess.csv")
    assert [(row["person_id"], row["missing"], row["why"]) for row in rows] == [
        ("UNBORN1", "date_of_birth", "blank"), ("UNSAID1", "accommodation_suitable", "blank"),
    ]  # fmt: skip
    assert rows[0]["rules"].startswith("30 rules: ")


@needs_posix("file modes")
def test_everything_written_is_for_its_owner_only(lived: Lived) -> None:
    for path in (lived.council.folder / "data").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


ONCE = [
    homeless("P1"), homeless("P2"), settled("P3", plan="01/01/2025"), settled("P4", team="South"), *crowd(20)
]  # fmt: skip
"""As the case system has everyone on the one night of the council below."""


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council after its first night, to be copied and never changed."""
    council = Council(tmp_path_factory.mktemp("once"))
    council.night(NIGHT, ONCE)
    return council


def test_a_lead_of_whom_nothing_is_open_is_told_so_on_the_first_night(one_night: Council) -> None:
    (proof_of_life,) = one_night.mail_to(SOUTH1)

    assert "baseline, nothing open" in proof_of_life.subject


def test_a_column_that_vanishes_holds_flags_and_says_the_rule_was_not_assessed(
    one_night: Council, tmp_path: Path
) -> None:
    council = one_night.copy_to(tmp_path)

    night = council.night(day(1), ONCE, leave_out=["plan"])

    assert council.flags()[("P3", "pathway-plan-current")] == "held"
    assert night.evaluation.not_assessed["pathway-plan-current"] == ("pathway_plan_review_date",)
    assert ("P3", "pathway-plan-missing") not in council.flags()


def test_changed_input_for_an_accepted_date_is_refused(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)

    with pytest.raises(Refused, match=r"the sources changed since; nothing has been changed.*--again"):
        council.night(NIGHT, [settled("P1"), *ONCE[1:]])

    assert council.flags() == one_night.flags()
    assert council.mail() == one_night.mail()


def test_a_date_before_the_last_accepted_night_is_only_for_rehearsal(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)

    with pytest.raises(Refused, match="is before the last accepted night"):
        council.night(day(-1))

    assert council.night(day(-1), dry_run=True).outcome == "rehearsed"


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
        (ONCE[:18], "only 18 of the 24 people of 12 January 2026 are present"),
        ([person | {"team": "West"} for person in ONCE], "24 of 24 people are in another team"),
        ([person | {"in_touch": "c) Died"} for person in ONCE], "24 people are newly recorded as having died"),
    ],
)
def test_a_night_that_cannot_be_believed_changes_nothing_and_tells_the_analyst(
    one_night: Council, tmp_path: Path, tonight: list[dict[str, str]], words: str
) -> None:
    council = one_night.copy_to(tmp_path)

    with pytest.raises(Refused, match=words):
        council.night(day(1), tonight)

    assert council.flags() == one_night.flags()
    (mail,) = council.mail(day(1))
    assert mail.to == ANALYST
    assert words in " ".join(mail.text.split())
    assert council.rows("SELECT state FROM run ORDER BY id") == [("accepted",), ("refused",)]


def test_a_refused_night_can_be_believed_on_the_record(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)

    night = council.night(day(1), ONCE[:14], accept="ten cases moved to another authority", by="A Example")

    assert (night.outcome, night.absent) == ("accepted", 10)
    assert set(council.flags().values()) == {"open"}
    (payload,) = council.rows("SELECT payload FROM flag_event WHERE kind = 'night accepted anyway'")[0]
    assert "ten cases moved" in str(payload)
    assert "A Example" in str(payload)


def test_a_missing_file_tells_the_analyst_and_nobody_else(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)
    (tmp_path / "list-9.csv").unlink()

    with pytest.raises(SourceError, match=r"list-9\.csv"):
        council.night(day(1))

    (mail,) = council.mail(day(1))
    assert mail.to == ANALYST


def test_a_night_killed_before_delivery_is_completed_by_the_next_run_of_its_date(
    tmp_path: Path, database: str | None
) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=database)
    people = [homeless("P1"), *crowd(10)]
    council.night(NIGHT, people)
    sent = council.mail()
    for path in (tmp_path / "data" / "outbox").rglob("*.eml"):
        path.unlink()
    with council.open_database() as database, database.writing() as store:
        store.execute(text("UPDATE message SET state = 'sending', accepted_at = NULL WHERE id = 1"))
        store.execute(text("UPDATE message SET state = 'created', accepted_at = NULL WHERE id > 1"))

    night = council.night(NIGHT, people)

    assert night.delivered.delivered == 4
    assert council.mail() == sent


def test_a_message_naming_someone_who_has_died_since_is_not_sent(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)
    for path in (tmp_path / "data" / "outbox").rglob("*.eml"):
        path.unlink()
    with council.open_database() as database, database.writing() as store:
        store.execute(text("UPDATE message SET state = 'temporary-failure' WHERE kind = 'lead'"))

    council.night(day(1), [homeless("P1", in_touch="c) Died"), *ONCE[1:]])

    for mail in council.mail_to(NORTH):
        assert "P1" not in mail.text
    assert "P2" in council.mail_to(NORTH)[0].text


def test_a_critical_flag_that_flips_is_said_to_keep_changing_whenever_it_is_critical_again(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    for n in range(1, 8):
        council.night(day(n), [homeless("P1") if n % 2 else settled("P1"), *crowd(10)])

    subjects = [mail.subject for mail in council.mail_to(NORTH)]

    assert [subject.split(": ")[1].split(" - ")[0] for subject in subjects] == [
        "baseline, 1 critical", "1 put right", "1 newly critical", "1 put right", "1 newly critical",
        "1 newly critical",
    ]  # fmt: skip
    assert ["keeps changing" in mail.text for mail in council.mail_to(NORTH)] == [False] * 4 + [True] * 2


def test_a_template_with_an_unknown_name_stops_the_night_before_anything_is_read_or_sent(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "lead.txt").write_text("{{ digest.recipient }} {{ digest.temas }}", encoding="utf-8")
    council = Council(tmp_path, 'templates = "words"')

    with pytest.raises(Problems, match=r"lead\.txt: .*temas"):
        council.night(NIGHT, [homeless("P1"), *crowd(10)])

    assert not (tmp_path / "data").exists()
