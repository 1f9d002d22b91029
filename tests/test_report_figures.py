"""The figures of the oversight report, gathered from whole nights: they agree with the night's lists and flags."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import insert, text
from support.command import monitor
from support.council import Council, crowd, day, settled
from support.posix import is_private
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.errors import Problems, Refused
from monitor.figures.out_of_sight import LINES
from monitor.night.context import NightOutcome
from monitor.report.contents import Contents, Sight, Tally
from monitor.report.gather import gather_report
from monitor.report.report_nights import ReportRequest
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.database import open_store
from monitor.store.location import locate
from monitor.store.tables import Answer


def gather(council: Council, on: dt.date, **other: Any) -> Contents:
    config = load_config(council.config_path)
    database = open_store(locate(config, {}))
    try:
        rulebook = load_rulebook(config.rule_folders(), config.rule)
        return gather_report(database, config, rulebook, ReportRequest(on, **other))
    finally:
        database.close()


def sight(contents: Contents, name: str) -> Sight:
    return next(each for each in contents.sight.kinds if each.name == name)


LOST = (
    settled("P1", adviser=""),
    settled(
        "P2", adviser="", contact="01/01/2025", team="LC North", born="01/06/2008", eligibility="a) Relevant child"
    ),
    settled("P3", accommodation="R: Residence not known", team="South"),
    settled("P4", contact="01/06/2024", team="South", born="01/06/2003"),
    settled("P5", team="", adviser=""),
)


ADVISERS = ("pa-allocated", "turning-18-adviser", "eligible-adviser")
"""The rules of whether there is an adviser."""


@dataclass
class Lost:
    """One night on which people are out of sight, for tests that only look at what it left."""

    council: Council
    night: NightOutcome


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Lost:
    council = Council(tmp_path_factory.mktemp("lost"), report=True)
    return Lost(council, council.night(day(0), [*LOST, *crowd(20)]))


def test_first_screen_agrees_with_lists_and_flags_of_the_night(lost: Lost, tmp_path: Path) -> None:
    council = lost.council.copy_to(tmp_path)
    council.night(day(1), [*LOST[1:], *crowd(20)])

    told = gather(council, day(1))

    listed = council.listed(day(1), "all.csv")
    people = {line.name: {row["person_id"] for row in listed if row["rule"] in line.rules} for line in LINES}
    people["nobody-named"] -= people["out-of-touch"]
    for found in (told.sight.everyone, *told.sight.kinds):
        if found.asked:
            assert found.people == len(people[found.name]), found.name
            assert sum(found.bands) == len(people[found.name])
            assert sum(found.since.counts) + found.since.not_known == found.people
    assert told.sight.everyone.people == 5
    assert {row.person_id for row in told.sight.people} == people["everyone"]
    assert sum(each.out_of_sight for each in told.sight.teams) == 5
    assert told.flags.total == len(listed)
    assert [row.person_id for row in told.flags.rows] == [row["person_id"] for row in listed]
    assert sight(told, "gone").people == 1
    assert sight(told, "out-of-touch").also_nobody_named == 2
    for rule in ("pa-allocated", "known-address"):
        total = next(each for each in told.rules if each.rule == rule).total
        assert total.breach + total.held == sum(row["rule"] == rule for row in listed)


def test_since_when_is_since_the_breach_and_changes_are_beside_a_week_before(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(day(0), [*LOST[1:], *crowd(20)])
    with pytest.raises(Refused):
        council.night(day(3), crowd(3))
    council.night(day(7), [LOST[0], *LOST[2:], *crowd(20), settled("P2")])

    told = gather(council, day(7))

    no_adviser, no_contact = sight(told, "nobody-named"), sight(told, "no-contact")
    assert (no_adviser.people, no_adviser.last_week.since, no_adviser.last_week.by) == (2, day(0), 1)
    assert (no_contact.people, no_contact.last_week.by) == (1, -1)
    assert no_contact.since.longest_since == dt.date(2024, 8, 25)
    assert no_contact.last_month.by is None
    assert told.trends.sight[2].values == (2, 1)
    found = [row for row in council.listed(day(0), "all.csv") if row["severity"] != "data"]
    listed = [row for row in council.listed(day(7), "all.csv") if row["severity"] != "data"]
    new = [row for row in listed if row["opened_on"] == day(7).isoformat()]
    assert [(week.opened, week.backlog, week.cleared, week.refused) for week in told.flow] == [
        (0, len(found), 0, (day(3),)), (len(new), 0, 2, ()),
    ]  # fmt: skip
    assert (told.done.cleared, told.done.backlog) == (
        Tally("Cleared", 2, 2, 2, day(7)),
        Tally("Found on a first night", len(found), 0, len(found), day(0)),
    )
    assert told.backlog.total.left == len(listed) - len(new)
    assert told.backlog.total.before == (len(found),)
    waiting = [row for row in listed if row["state"] == "open"]
    assert told.unanswered.total == len(waiting)
    waits = [row.opened_on for row in told.unanswered.rows]
    assert waits == sorted(waits)
    assert (waits[0], told.unanswered.rows[0].days) == (day(0), 7)


def test_what_is_answered_is_unanswered_no_more_and_nobody_restricted_is_named(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text("P2\n", encoding="utf-8")
    rules = few_rules(tmp_path, *ADVISERS)
    council = Council(tmp_path, settings=f'{rules}restricted = "restricted.txt"')
    council.night(day(0), [settled(f"P{n}", adviser="") for n in range(3)] + crowd(20))
    with council.open_database() as database, database.writing() as store:
        ((flag,),) = store.execute(text("SELECT id FROM flag WHERE person_id = 'P0'")).all()
        store.execute(insert(Answer).values(
            id=1, flag_id=flag, person_id="P0", rule="pa-allocated", answer="done", list_as_at=day(0),
            file_sha256="", file_row=1, answered_on=day(0), answered_by="A Lead", recorded_at=council.clock,
        ))  # fmt: skip

    told = gather(council, day(0))

    assert told.unanswered.total == 2
    assert [row.person_id for row in told.unanswered.rows] == ["P1"]
    assert told.done.answered == Tally("Answered by a lead", 1, 1, 1, day(0))
    assert told.done.answers == (Tally("Done", 1, 1, 1, day(0)),)


def test_a_kind_that_nobody_could_be_asked_about_has_no_number_and_says_why(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(day(0), crowd(8), leave_out=["adviser"])

    told = gather(council, day(0))

    no_adviser = sight(told, "nobody-named")
    assert (no_adviser.asked, no_adviser.people) == (False, None)
    assert "no source supplies personal adviser" in (no_adviser.why_not or "")
    rule = next(each for each in told.rules if each.rule == "pa-allocated")
    assert rule.standing == "no source supplies personal adviser"
    assert rule.basis == "law, to be confirmed"
    assert rule.total.asked is None


def test_an_empty_store_makes_a_report_that_says_so(tmp_path: Path) -> None:
    council = Council(tmp_path)
    config = load_config(council.config_path)
    open_store(locate(config, {})).close()

    told = gather(council, day(0))

    assert told.is_empty
    assert told.sight.everyone.why_not == "no accepted night yet"


def test_the_latest_is_written_every_night_for_its_owner_only(lost: Lost) -> None:
    council, night = lost.council, lost.night

    report = night.report

    assert [path.name for path in report] == ["report.html", "report.xlsx"]
    for path in report:
        assert path.parent == council.folder / "data" / "report"
        assert is_private(path)
    assert "P1" in report[0].read_text(encoding="utf-8")


def test_after_a_refused_night_the_page_says_so(lost: Lost, tmp_path: Path) -> None:
    council = lost.council.copy_to(tmp_path)
    with pytest.raises(Exception, match="are present"):
        council.night(day(1), crowd(3))

    told = gather(council, day(1))

    assert told.header.as_at == day(0)
    (refused,) = told.header.not_accepted
    assert (refused.as_at, refused.state) == (day(1), "refused")
    assert "only 3 of the 25 people" in refused.reasons[0]
    assert "13 January 2026" in (tmp_path / "data" / "report" / "report.html").read_text(encoding="utf-8")


def test_a_fault_of_the_report_leaves_the_night_saved_and_sent(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path), report=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "report").write_text("in the way", encoding="utf-8")

    night = council.night(day(0), [*LOST, *crowd(20)])

    assert night.outcome == "accepted"
    assert night.delivered.delivered > 0
    assert "report" in (night.report_fault or "")
    assert night.exit_code == 1


def test_a_renamed_team_is_one_team_and_a_team_can_be_asked_for_in_any_spelling(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, *ADVISERS))
    council.night(day(0), [settled("P1", team="North", adviser=""), *crowd(9)])
    council.night(day(1), [settled("P1", team="LC North", adviser=""), *crowd(9, team="LC North")])

    whole, north = gather(council, day(1)), gather(council, day(1), team="lc north")

    assert [each.team for each in whole.sight.teams] == ["North"]
    assert list(next(rule for rule in whole.rules if rule.rule == "pa-allocated").teams) == ["North"]
    assert north.header.team == "North"
    assert north.sight.everyone.people == 1
    with pytest.raises(Problems, match="no such team"):
        gather(council, day(1), team="Nroth")


def test_one_team_holds_nobody_of_another(lost: Lost) -> None:
    south = gather(lost.council, day(0), team="South")

    assert {row.person_id for row in south.flags.rows} == {"P3", "P4"}
    assert south.header.people == 2
    assert [each.team for each in south.sight.teams] == ["South"]


def test_two_hundred_teams_and_one_that_is_markup_are_all_there(tmp_path: Path) -> None:
    council = Council(tmp_path, report=True)
    names = [*(f"Team {n:03}" for n in range(199)), "<script>alert(1)</script>"]
    adviser = ("A Example", "")
    council.night(day(0), [settled(f"P{n:03}", team=name, adviser=adviser[n % 2]) for n, name in enumerate(names)])

    told = gather(council, day(0))

    assert sorted(told.teams) == sorted(names)
    page = (tmp_path / "data" / "report" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_restricted_people_are_counted_and_not_listed_and_sensitive_rules_are_their_message_title(
    tmp_path: Path,
) -> None:
    (tmp_path / "restricted.txt").write_text("P1\n", encoding="utf-8")
    council = Council(tmp_path, settings='restricted = "restricted.txt"')
    custody = settled("P9", accommodation="X: In custody", contact="01/06/2025")
    council.night(day(0), [LOST[0], custody, *crowd(20)])

    told = gather(council, day(0))

    assert sight(told, "nobody-named").people == 1
    assert told.flags.restricted == 1
    (row,) = [row for row in told.flags.rows if row.person_id == "P9" and row.severity == "high"]
    assert (row.title, row.rule, row.because) == ("Pathway plan missing or incomplete", "confidential", "")
    assert "P1" not in {row.person_id for row in told.flags.rows}


def test_an_earlier_night_is_told_as_it_was(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, *ADVISERS))
    people = [settled(f"P{n}", adviser="") for n in range(2)]
    council.night(day(0), [*people, *crowd(30)])
    council.night(day(1), [*people[:1], settled("P1"), *crowd(30)])

    then, now = gather(council, day(1), until=day(0)), gather(council, day(1))

    assert (sight(then, "nobody-named").people, sight(now, "nobody-named").people) == (2, 1)
    assert then.header.as_at == day(0)
    with pytest.raises(Problems, match="--from"):
        gather(council, day(2), since=day(2), until=day(1))


def test_the_command_writes_both_files_and_keeps_the_editions_apart(lost: Lost, tmp_path: Path) -> None:
    options = ["report", "--config", str(lost.council.config_path), "--output", str(tmp_path / "out")]

    said = [monitor(tmp_path, *options, *other) for other in ((), ("--board",), ("--board", "--team", "South"))]

    assert [each.returncode for each in said] == [0, 0, 2]
    assert "could be subtracted" in said[2].stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "board-report.html", "board-report.xlsx", "report.html", "report.xlsx",
    ]  # fmt: skip
    assert "P1" not in (tmp_path / "out" / "board-report.html").read_text(encoding="utf-8")


def test_workbook_has_real_numbers_frozen_headings_and_is_ready_to_print(lost: Lost) -> None:
    book = load_workbook(lost.night.report[1])

    rules = book["Rules"]
    heading = next(n for n, row in enumerate(rules.values, start=1) if row[0] == "Title")
    row = next(row for row in rules.values if row[1] == "pa-allocated")
    assert (row[5], row[7]) == (24, 3)
    assert rules.freeze_panes == f"B{heading + 1}"
    for sheet in book.worksheets:
        assert sheet["A1"].value == "OFFICIAL-SENSITIVE"
        assert sheet.page_setup.paperSize == 9
        assert "OFFICIAL-SENSITIVE" in sheet.oddHeader.center.text
        assert "Audit chain" in sheet.oddFooter.center.text
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    ((head,),) = lost.council.rows("SELECT hash FROM flag_event ORDER BY id DESC LIMIT 1")
    assert str(head) in str(list(book["Summary"].values))
