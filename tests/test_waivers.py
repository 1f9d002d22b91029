"""Waivers: what makes one, how each ends, who hears, and that a waived flag is never taken for a good answer."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, settled
from support.flag_nights import DAY, Nights, Person, overdue
from support.timed_service import few_rules

from monitor.cli.options import today
from monitor.config.id_lists import read_restricted
from monitor.config.settings import load_config, shipped
from monitor.durations import parse_duration
from monitor.errors import Problems
from monitor.flags import waiver_request
from monitor.flags.waiver_request import UnwaiveRequest, WaiverRequest, read_day
from monitor.flags.waivers import ending, remind
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.store.database import open_store, working_store
from monitor.store.events import Stamp
from monitor.store.location import locate
from monitor.store.tables import Flag, table_of
from monitor.words import write_date

NORTH = "north@example.gov.uk"
HOMELESS = {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}
OTHERS = [settled("R1", **HOMELESS), *crowd(10)]


def homeless(person_id: str, **other: str) -> dict[str, str]:
    return settled(person_id, **HOMELESS, **other)


@cache
def rulebook() -> Rulebook:
    return load_rulebook((shipped("rules"),), {})


def ask(council: Council, asked: WaiverRequest, *, on: dt.date) -> str:
    """Waive as the command does."""
    config = load_config(council.config_path)
    with council.open_database() as database:
        return waiver_request.waive(
            database, rulebook(), asked,
            waiver_request.WaiverLimits(config.waivers.reasons, read_restricted(config)),
            Stamp(on, council.clock),
        )  # fmt: skip


def waive(council: Council, person_id: str, on: dt.date, until: dt.date) -> str:
    terms = (until.isoformat(), "under-way", "Room agreed with B Example", "A Lead")
    return ask(council, WaiverRequest(person_id, "homeless", *terms), on=on)


def states(council: Council, as_at: dt.date) -> dict[str, tuple[str, str]]:
    """On the list of the night: each person's state and until when they are waived."""
    return {row["person_id"]: (row["state"], row["waived_until"]) for row in council.listed(as_at, "all.csv")}


def waivers(council: Council) -> list[tuple[object, ...]]:
    return council.rows("SELECT person_id, ended_why, reopened_on FROM waiver ORDER BY id")


def kinds(council: Council) -> list[str]:
    query = "SELECT kind FROM flag_event WHERE kind LIKE '%waive%' ORDER BY id"
    return [str(row[0]) for row in council.rows(query)]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council that knows P1 (homeless) and R1, who is on the restricted list; for what changes nothing."""
    folder = tmp_path_factory.mktemp("known")
    (folder / "restricted.txt").write_text("R1\n", encoding="utf-8")
    council = Council(folder, settings='restricted = "restricted.txt"\n' + few_rules(folder))
    council.night(NIGHT, [homeless("P1"), *OTHERS])
    return council


# Reminders and dates


@pytest.mark.parametrize(
    ("left", "stands"),
    [(15, None), (14, 14), (2, 14), (1, 1), (0, 1), (-1, None)],
)
def test_the_end_of_a_waiver_is_near_at_fourteen_days_and_at_one(left: int, stands: int | None) -> None:
    assert ending(NIGHT + dt.timedelta(left), NIGHT) == stands


@pytest.mark.parametrize(
    ("as_at", "told_on", "reminder"),
    [
        (day(16), day(15), 14),
        (day(17), day(16), None),
        (day(19), day(15), 14),  # two nights missed, or their digests not accepted
        (day(29), day(28), 1),
        (day(29), day(10), 1),  # nothing was heard of the fourteen days: the day before says it all
        (day(30), day(29), None),
        (day(31), day(30), None),
        (day(16), None, 14),
    ],
)
def test_a_reminder_is_owed_once_on_the_first_digest_at_or_past_it(
    as_at: dt.date, told_on: dt.date | None, reminder: int | None
) -> None:
    assert remind(until_on=day(30), waived_on=NIGHT, as_at=as_at, told_on=told_on) == reminder


def test_a_waiver_made_for_ten_days_is_announced_the_day_before_its_end_only() -> None:
    owed = [remind(until_on=day(10), waived_on=NIGHT, as_at=day(n), told_on=day(n - 1)) for n in range(1, 12)]

    assert owed == [None] * 8 + [1, None, None]


@pytest.mark.parametrize(
    ("first", "longest", "last"),
    [
        (dt.date(2026, 8, 31), "6 months", dt.date(2027, 2, 28)),
        (dt.date(2024, 2, 29), "1 year", dt.date(2025, 2, 28)),
        (dt.date(2026, 12, 1), "4 weeks", dt.date(2026, 12, 29)),
        (dt.date(2026, 12, 1), "45 days", dt.date(2027, 1, 15)),
    ],
)
def test_the_longest_time_of_a_reason_is_counted_by_the_calendar(first: dt.date, longest: str, last: dt.date) -> None:
    assert parse_duration(longest).after(first) == last


@pytest.mark.parametrize("text", ["2026-02-30", "31/02/2026", "1/3/26", "March", "46100", ""])
def test_what_is_no_date_is_not_guessed_at(text: str) -> None:
    assert read_day(text) is None


# Nights


def test_a_waived_flag_is_listed_and_counted_as_waived_and_nobody_is_told_of_it(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    council.config_path.write_text(council.config_path.read_text().replace("workbooks = false", ""), encoding="utf-8")
    council.night(NIGHT, [homeless("P1"), homeless("P2"), *crowd(10)])

    said = waive(council, "P1", NIGHT, day(20))
    night = council.night(day(1), [homeless("P1"), homeless("P2"), homeless("P3"), *crowd(10)])

    assert said.startswith("waived until 1 February 2026: homeless for P1 (under-way: The work is under way")
    assert states(council, day(1)) == {"P1": ("waived", "2026-02-01"), "P2": ("open", ""), "P3": ("open", "")}
    assert night.states == {"open": 2, "waived": 1}
    (mail,) = council.mail_to(NORTH, day(1))
    assert "P1" not in mail.text + mail.html
    assert "1 flag is waived" in mail.text
    measured = council.rows(
        "SELECT asked, ok, breach, held, waived FROM measure WHERE rule = 'homeless' AND team = 'North' ORDER BY as_at"
    )
    assert measured == [(12, 10, 2, 0, 0), (13, 10, 3, 0, 1)]
    book = openpyxl.load_workbook(tmp_path / "data" / "exceptions" / day(1).isoformat() / "all.xlsx")
    assert any("2 open, 0 held, 1 waived" in str(row[0]) for row in book["Summary"].values)
    (row,) = council.listed(day(1), "waivers.csv")
    assert (row["person_id"], row["state"], row["days_left"], row["note"]) == (
        "P1", "in force", "19", "Room agreed with B Example",
    )  # fmt: skip


def test_of_someone_who_died_no_waiver_is_listed(known: Council, tmp_path: Path) -> None:
    council = known.copy_to(tmp_path)
    waive(council, "P1", NIGHT, day(20))

    council.night(day(1), [homeless("P1", in_touch="c) Died"), *OTHERS])

    assert waivers(council) == [("P1", "flag died", None)]
    assert not (tmp_path / "data" / "exceptions" / day(1).isoformat() / "waivers.csv").exists()


def test_a_waiver_whose_rule_is_gone_is_listed_as_matching_nothing_and_told_to_the_analyst(
    known: Council, tmp_path: Path
) -> None:
    council = known.copy_to(tmp_path)
    waive(council, "P1", NIGHT, day(20))
    with council.config_path.open("a", encoding="utf-8") as file:
        file.write("\n[rule.homeless]\nenabled = false\nreason = 'Asked elsewhere'\napproved_by = 'A Example'\n")

    council.night(day(1), [homeless("P1"), *OTHERS])

    (row,) = council.listed(day(1), "waivers.csv")
    assert row["state"] == "matches nothing: the rule is no longer asked"
    (mail,) = council.mail_to("analyst@example.gov.uk", day(1))
    for words in (mail.text, mail.html):
        assert "1 waiver matches nothing any more" in " ".join(words.split())


def test_a_waiver_that_has_run_out_reopens_its_flag_on_that_night(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    council, people = Council(tmp_path, few_rules(tmp_path), database=new_database()), [homeless("P1"), *crowd(10)]
    council.night(NIGHT, people)
    waive(council, "P1", NIGHT, day(1))

    waived = council.night(day(1), people)
    rehearsed = council.night(day(4), people, dry_run=True)
    ended = council.night(day(4), people)

    assert (waived.states, ended.states) == ({"waived": 1}, {"open": 1})
    assert rehearsed.changes == ended.changes == {"waiver ended": 1}
    assert [(str(person), why, str(on)) for person, why, on in waivers(council)] == [("P1", "ran out", "2026-01-16")]
    assert kinds(council) == ["waived", "waiver ended"]


# The life of a waiver, over answers given outright


def waive_first(nights: Nights, until: dt.date) -> None:
    """Waive the first flag on the first night."""
    flag = table_of(Flag)
    with nights.database.writing() as store:
        found = store.execute(select(flag).where(flag.c.id == 1)).one()
        terms = waiver_request.Terms(until, "under-way", "Agreed", "A Lead")
        waiver_request.record(store, found, terms, Stamp(DAY, dt.datetime.combine(DAY, dt.time(9), dt.UTC)))


def shown(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(line["state"], line["change"], line["waived_until"], line["waiver_ended_on"]) for line in lines]


def after(days: int) -> dt.date:
    return DAY + dt.timedelta(days)


def test_a_flag_is_waived_up_to_and_with_the_last_day_and_its_return_is_remembered(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    waive_first(nights, after(3))

    lines = [shown(nights.night(after(n), {"P1": overdue()}))[0] for n in (1, 3, 6, 7)]

    assert lines == [
        ("waived", None, after(3), None),
        ("waived", None, after(3), None),
        ("open", "waiver ended", None, after(6)),
        ("open", None, None, after(6)),
    ]


def test_a_waiver_ended_by_name_reopens_its_flag_on_the_next_night(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    waive_first(nights, after(20))
    nights.night(after(1), {"P1": overdue()})

    now = dt.datetime.combine(after(1), dt.time(9), dt.UTC)
    waiver_request.unwaive(
        nights.database, UnwaiveRequest("P1", "contact-overdue", "A Lead", None), Stamp(after(1), now)
    )

    assert shown(nights.night(after(2), {"P1": overdue()})) == [("open", "waiver ended", None, after(2))]
    assert [kind for kind, _ in nights.events()] == ["opened", "waived", "unwaived", "waiver reopened"]


def test_a_waiver_closes_with_its_flag_and_is_not_carried_to_the_next_spell(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    waive_first(nights, after(20))

    nights.night(after(1), {"P1": Person({"contact-overdue": "ok"})})
    lines = nights.night(after(2), {"P1": overdue()})

    assert [(line["state"], line["change"]) for line in lines if line["state"] != "resolved"] == [("open", "opened")]
    assert [kind for kind, _ in nights.events()] == ["opened", "waived", "resolved", "waiver closed", "opened"]


def test_a_night_put_right_gives_a_waiver_back(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    waive_first(nights, after(20))
    nights.night(after(1), {"P1": Person({"contact-overdue": "ok"})})

    lines = nights.night(after(1), {"P1": overdue()}, corrects=[nights.run_id])

    assert [(line["state"], line["waived_until"]) for line in lines] == [("waived", after(20))]
    assert [kind for kind, _ in nights.events()][-1] == "waiver restored"


def test_a_night_put_right_ends_a_waiver_once(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    waive_first(nights, after(1))
    nights.night(after(2), {"P1": overdue()})

    lines = nights.night(after(2), {"P1": overdue()}, corrects=[nights.run_id])

    assert shown(lines) == [("open", "waiver ended", None, after(2))]
    assert [kind for kind, _ in nights.events()].count("waiver ended") == 1


def test_a_waived_flag_that_cannot_be_assessed_stays_waived_and_is_known_to_be_held(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.night(DAY, {"P1": overdue()})
    waive_first(nights, after(20))

    (line,) = nights.night(after(1), {"P1": Person({"contact-overdue": "cannot assess"})})

    assert (line["state"], line["held_since"]) == ("waived", after(1))


def test_the_database_holds_one_waiver_in_force_for_a_person_and_rule(tmp_path: Path) -> None:
    database = open_store(make_url(f"sqlite:///{tmp_path / 'monitor.db'}"))
    add = text(
        "INSERT INTO waiver (flag_id, person_id, rule, reason, note, until_on, waived_on, waived_by, recorded_at) "
        "VALUES (1, 'P1', 'homeless', 'under-way', 'x', '2026-02-01', '2026-01-12', 'A', '2026-01-12')"
    )

    with database.engine.begin() as store:
        store.execute(add)
        with pytest.raises(IntegrityError):
            store.execute(add)
    database.close()


# The command


@pytest.fixture
def council(known: Council, tmp_path: Path) -> Council:
    """The same council, for what changes it."""
    return known.copy_to(tmp_path)


def soon(days: int = 7) -> str:
    return (today() + dt.timedelta(days)).isoformat()


def test_everything_wrong_with_a_waiver_is_said_at_once(council: Council) -> None:
    done = monitor(council.folder, "waive", "P11", "homelss", "--until", "2020-01-01", "--reason", "underway")

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "--by: missing; give the name of who decided it",
        '--reason: "underway" is not a reason code; did you mean "under-way"? The codes are under-way, '
        "waiting-for-others, their-choice, not-safe-now, system-cannot-record",
        f"--until: 1 January 2020 is not to come; a waiver ends after today, {write_date(today())}",
        "--note: missing; say in a few words what was agreed, and with whom",
        "P11: nobody of that id has been on an accepted night; did you mean P1?",
        'homelss: no such rule; did you mean "homeless"?',
    ]
    assert council.rows("SELECT count(*) FROM waiver") == [(0,)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"rule": "neet"},
            "P1 neet: it has no flag, so there is nothing to waive; their unresolved flags are homeless",
        ),
        ({"person_id": "C001", "rule": "neet"}, "they have no unresolved flag"),
        ({"person_id": "P*"}, "P*: not the id of one person; a waiver is for one person and one rule"),
        ({"person_id": "R2"}, "R2: nobody of that id has been on an accepted night; check it, leading zeros and all"),
        ({"until": "next week"}, '--until: "next week" is not a date; write it like 2026-03-31 or 31/03/2026'),
        ({"until": NIGHT.isoformat()}, "--until: 12 January 2026 is not to come; a waiver ends after today"),
        ({"until": day(29).isoformat()}, '"under-way" is for 4 weeks at most, so until 9 February 2026'),
        ({"note": " "}, "--note: missing"),
        ({"by": "\n"}, "--by: missing"),
        ({"note": "x" * 501}, "--note: 501 characters; 500 at most"),
    ],
)
def test_a_waiver_that_would_match_nothing_or_is_badly_made_is_refused(
    known: Council, given: dict[str, str], words: str
) -> None:
    usual = WaiverRequest("P1", "homeless", day(7).isoformat(), "under-way", "Agreed", "A Lead")

    with pytest.raises(Problems) as caught:
        ask(known, replace(usual, **given), on=NIGHT)

    (problem,) = caught.value.problems
    assert words in problem
    assert "R1" not in problem


def test_a_waiver_from_the_command_line_is_in_the_export_at_once(council: Council) -> None:
    terms = ("--until", soon(), "--reason", "under-way", "--note", "=Agreed", "--by", "A Lead")
    first = monitor(council.folder, "waive", "P1", "homeless", *terms)
    second = monitor(council.folder, "waive", "P1", "homeless", *terms)

    exported = monitor(council.folder, "export", "--state", "waived", "--output", "waived.csv")

    assert first.returncode == 0, first.stderr
    assert (second.returncode, exported.returncode) == (2, 0)
    assert "P1 homeless: waived already until" in second.stderr
    assert "monitor unwaive" in second.stderr
    assert exported.stdout.startswith("1 flag as at")
    assert "P1" in (council.folder / "waived.csv").read_text(encoding="utf-8")
    explained = monitor(council.folder, "explain", "P1").stdout
    assert f"waived until {soon()} by A Lead (under-way)" in explained


def test_ending_a_waiver_that_is_not_there_says_what_is(council: Council) -> None:
    monitor(council.folder, "waive", "P1", "homeless", "--until", soon(), "--reason", "under-way", "--note", "Agreed",
            "--by", "A Lead")  # fmt: skip

    wrong = monitor(council.folder, "unwaive", "P1", "neet")
    right = monitor(council.folder, "unwaive", "P1", "homeless", "--by", "A Lead")
    twice = monitor(council.folder, "unwaive", "P1", "homeless", "--by", "A Lead")

    assert (wrong.returncode, right.returncode, twice.returncode) == (2, 0, 2)
    assert "--by: missing" in wrong.stderr
    assert "P1 neet: never was waived; waived for them now: homeless until" in wrong.stderr
    assert "the next night tells it again" in right.stdout
    assert f"ended on {write_date(today())} (unwaived); nothing is waived for them now" in twice.stderr


def test_waiving_during_a_run_exits_4(council: Council) -> None:
    with working_store(locate(load_config(council.config_path), {})):
        done = monitor(council.folder, "waive", "P1", "homeless")

    assert (done.returncode, "another run is at work" in done.stderr) == (4, True)


def test_a_quarantined_flag_is_not_waived(council: Council) -> None:
    with council.open_database() as database, database.writing() as store:
        store.execute(text("UPDATE flag SET quarantined_on = '2026-01-12' WHERE person_id = 'P1'"))

    with pytest.raises(Problems, match="waits as a likely data fault"):
        waive(council, "P1", NIGHT, day(5))


# Settings


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("reasons.Bad = { meaning = 'x', longest = '1 week' }", 'waivers.reasons: "Bad" is not a code'),
        ("reasons.late = { meaning = 'x', longest = 'a while' }", 'longest: "a while" is not a duration'),
        ("reasons.late = { meaning = 'x', longest = '10 working days' }", "write days, weeks or months"),
        ("reasons.late = { meaning = '', longest = '1 week' }", "meaning: must be one line of text"),
        ("reasons = {}", "waivers.reasons: 0 reasons; give between 1 and 30"),
    ],
)
def test_a_reason_that_cannot_be_used_is_said_with_its_place(tmp_path: Path, table: str, words: str) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text(f"[waivers]\n{table}\n[[sources]]\nname = 'x'\nkind = 'sample'\n", encoding="utf-8")

    with pytest.raises(Problems) as caught:
        load_config(path)

    assert words in str(caught.value)


def test_check_lists_the_reasons_and_points_out_one_that_allows_over_a_year(tmp_path: Path) -> None:
    council = Council(tmp_path, settings="waivers.reasons.moved = { meaning = 'Has moved away', longest = '2 years' }")
    council.write(crowd(3))

    done = monitor(tmp_path, "check")

    assert "moved: 2 years at most: Has moved away; over a year is long" in done.stdout
    assert "lists are answered within 10 working days" in done.stdout
