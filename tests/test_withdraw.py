"""The last accepted night is taken back: everything stands as before it, and readers are told."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import monitor
from support.council import Council, Mail, crowd, day, homeless, settled
from support.timed_service import few_rules

from monitor.config.settings import load_config, shipped
from monitor.errors import Refused, StoreError
from monitor.flags import waiver_request
from monitor.night import withdraw
from monitor.night.context import Tools
from monitor.night.withdraw import Withdrawal, WithdrawalRequest
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.events import Stamp

NORTH, MANAGER, ANALYST = "north@example.gov.uk", "manager@example.gov.uk", "analyst@example.gov.uk"
KEPT = ("person", "profile", "measure", "indicator", "escalation", "answer", "removed_person", "message_escalation")
"""Tables that are just as they were before the night."""
STANDING = "SELECT * FROM flag WHERE resolved_on IS NULL OR resolved_reason <> 'corrected' ORDER BY id"
FIRST = [homeless("P1"), homeless("P2"), homeless("P3"), settled("P4"), settled("P5"), settled("P6"), *crowd(30)]
SECOND = [
    settled("P1"),  # cleared
    homeless("P2") | {"accommodation": "#MULTIVALUE"},  # held
    homeless("P3"),
    homeless("P4"),  # opened
    settled("P5", in_touch="c) Young person has died"),
    settled("P7"),  # new, and P6 is gone
    *crowd(30),
]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def council(request: pytest.FixtureRequest, tmp_path: Path) -> Council:
    """A council after its first night, with a waiver that runs out before the next."""
    database: str | None = None
    if request.param == "PostgreSQL":
        made: Callable[[], str] = request.getfixturevalue("new_database")
        database = made()
    return begin(tmp_path, database)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Council:
    return begin(tmp_path, None)


def begin(folder: Path, database: str | None) -> Council:
    rules = few_rules(folder, "homeless", "birth-date-recorded", "left-caseload")
    council = Council(folder, settings=rules, report=True, database=database)
    config = council.config_path.read_text(encoding="utf-8")
    lead = 'lead = "north@example.gov.uk"\n'
    config = config.replace(lead, f'{lead}manager = "{MANAGER}"\n') + "[escalation]\nbacklog_days = 2\n"
    council.config_path.write_text(config, encoding="utf-8")
    council.night(day(0), FIRST)
    waive(council, "P3", until=day(1))
    return council


def waive(council: Council, person_id: str, *, until: dt.date) -> None:
    rulebook, config = load_rulebook((shipped("rules"),), {}), load_config(council.config_path)
    asked = waiver_request.WaiverRequest(person_id, "homeless", until.isoformat(), "under-way", "Agreed", "A Manager")
    limits = waiver_request.WaiverLimits(config.waivers.reasons, frozenset())
    with council.open_database() as database:
        waiver_request.waive(database, rulebook, asked, limits, Stamp(day(0), council.clock))


def take_back(council: Council, as_at: dt.date, *, today: dt.date | None = None) -> Withdrawal:
    request = WithdrawalRequest(as_at, "A Example", "the clock was ahead", today or as_at)
    council.clock += dt.timedelta(hours=1)
    return withdraw.withdraw_night(
        load_config(council.config_path), request, Tools(lambda: council.clock, {}, lambda step: None)
    )


def remembered(council: Council) -> dict[str, list[tuple[object, ...]]]:
    found = {name: sorted(council.rows(f"SELECT * FROM {name}"), key=str) for name in KEPT}
    waivers = "SELECT id, flag_id, until_on, ended_on, ended_why, reopened_on FROM waiver ORDER BY id"
    return {**found, "flag": council.rows(STANDING), "waiver": council.rows(waivers)}


def test_everything_stands_as_it_did_before_the_night_and_the_date_can_be_run_again(council: Council):
    before = remembered(council)
    council.night(day(2), SECOND)
    after = remembered(council)
    assert after != before

    account = take_back(council, day(2))

    assert remembered(council) == before
    assert council.rows("SELECT state FROM run ORDER BY id") == [("accepted",), ("withdrawn",)]
    assert (account.last, account.exit_code) == (day(0), 0)
    kinds = [kind for (kind,) in council.rows("SELECT kind FROM flag_event ORDER BY id")]
    assert kinds[-1] == "night withdrawn"
    assert {"death withdrawn", "waiver restored"} <= {*kinds}
    again = council.night(day(2), SECOND)
    assert again.outcome == "accepted"
    counted = {name: rows for name, rows in remembered(council).items() if name in ("person", "answer", "waiver")}
    assert counted == {name: after[name] for name in counted}
    assert council.flags() == {
        ("P1", "homeless"): "cleared", ("P2", "homeless"): "held", ("P3", "homeless"): "open",
        ("P4", "homeless"): "open", ("P6", "left-caseload"): "open",
    }  # fmt: skip


def test_the_record_and_the_clock_of_escalation_go_on_as_if_the_night_had_not_been(on_sqlite: Council):
    on_sqlite.night(day(2), SECOND)  # P2 is held
    take_back(on_sqlite, day(2))
    done = monitor(on_sqlite.folder, "audit", "--config", str(on_sqlite.config_path))
    assert done.returncode == 0, done.stdout

    on_sqlite.night(day(3), [*FIRST[:2], settled("P3"), *FIRST[3:]])

    escalated = "SELECT f.person_id, e.working_days FROM escalation e JOIN flag f ON f.id = e.flag_id ORDER BY 1"
    assert on_sqlite.rows(escalated) == [("P1", 3), ("P2", 3)]
    assert monitor(on_sqlite.folder, "audit", "--config", str(on_sqlite.config_path)).returncode == 0


def test_a_night_put_right_is_taken_back_whole(council: Council):
    before = remembered(council)
    council.night(day(2), SECOND)
    council.night(day(2), [*SECOND, homeless("P8")], again=True, by="A Example")

    take_back(council, day(2))

    assert remembered(council) == before
    assert council.rows("SELECT state FROM run ORDER BY id") == [("accepted",), ("withdrawn",), ("withdrawn",)]
    assert council.night(day(2), SECOND).outcome == "accepted"


def test_the_first_night_leaves_nobody_and_nothing_open(on_sqlite: Council):
    account = take_back(on_sqlite, day(0))

    assert account.last is None
    assert on_sqlite.rows("SELECT count(*) FROM person") == [(0,)]
    assert on_sqlite.rows("SELECT count(*) FROM flag WHERE resolved_on IS NULL") == [(0,)]
    assert not (on_sqlite.folder / "data" / "report").exists()
    assert on_sqlite.night(day(0), FIRST).baseline
    assert on_sqlite.flags()[("P1", "homeless")] == "open"


def test_its_files_go_and_the_report_is_of_the_night_before(on_sqlite: Council):
    data = on_sqlite.folder / "data"
    on_sqlite.night(day(2), SECOND)

    take_back(on_sqlite, day(2))

    assert [path.name for path in (data / "snapshots").iterdir()] == ["2026-01-12-run-1.parquet"]
    assert [path.name for path in (data / "exceptions").iterdir()] == ["2026-01-12"]
    assert "from 1 accepted night;" in (data / "report" / "report.html").read_text(encoding="utf-8")


def test_readers_of_what_was_said_are_told_once_and_hear_again_of_what_stands(on_sqlite: Council):
    on_sqlite.night(day(2), SECOND)

    take_back(on_sqlite, day(2), today=day(3))
    on_sqlite.night(day(4), [*FIRST[:3], homeless("P4"), *FIRST[4:]])
    on_sqlite.night(day(5))

    line = "The night of 14 January 2026 was taken back on"
    for reader in (NORTH, ANALYST):
        told = [mail for mail in on_sqlite.mail_to(reader) if line in flat(mail)]
        assert [mail.subject[-15:] for mail in told] == ["16 January 2026"]
        assert "by A Example: what it said of" in flat(told[0])
        assert line in " ".join(told[0].html.split())
    (lead,) = on_sqlite.mail_to(NORTH, day(4))
    new = flat(lead).partition("Still critical")[0]
    assert "P4" in new, "what a night that was taken back opened is new"
    assert "P1" in new, "what it called cleared is open, and told of again"
    assert "P2" not in new, "what it called held was told of before"


def flat(mail: Mail) -> str:
    return " ".join(mail.text.split())


def test_a_reader_who_would_be_told_nothing_is_told_that_it_was_taken_back(on_sqlite: Council):
    later = [person | {"contact": "15/02/2026"} for person in FIRST]
    on_sqlite.night(day(5), FIRST)
    assert on_sqlite.mail_to(MANAGER, day(5)), "the manager is told of an escalation"

    take_back(on_sqlite, day(5))
    on_sqlite.night(day(6), [settled(person["id"]) for person in later])

    (mail,) = on_sqlite.mail_to(MANAGER, day(6))
    assert "The night of 17 January 2026 was taken back" in flat(mail)
    on_sqlite.night(day(7))
    assert not [mail for mail in on_sqlite.mail_to(MANAGER, day(7)) if "was taken back" in flat(mail)]


def test_what_has_not_gone_is_withheld_and_nobody_is_told_of_it(on_sqlite: Council):
    sent = len(on_sqlite.mail())
    on_sqlite.night(day(2), SECOND, unattended=True)

    account = take_back(on_sqlite, day(2))
    on_sqlite.deliver(dt.datetime(2026, 1, 20, 9, tzinfo=dt.UTC))

    assert account.withheld > 0
    assert account.to_correct == 0
    assert len(on_sqlite.mail()) == sent
    states = "SELECT DISTINCT state, trouble FROM message WHERE run_id = 2"
    assert on_sqlite.rows(states) == [("replaced", "the night of 14 January 2026 was taken back before it went")]
    on_sqlite.night(day(9), [person | {"contact": "20/01/2026"} for person in FIRST])
    assert not [mail for mail in on_sqlite.mail() if "was taken back" in flat(mail)]


def test_what_people_decided_since_stands(on_sqlite: Council):
    on_sqlite.night(day(2), SECOND)
    waive(on_sqlite, "P3", until=day(20))
    waive(on_sqlite, "P4", until=day(20))

    take_back(on_sqlite, day(2))

    rows = on_sqlite.rows("SELECT person_id, until_on, ended_why FROM waiver ORDER BY id")
    assert rows[:2] == [("P3", "2026-01-13", "ran out"), ("P3", "2026-02-01", None)]
    assert on_sqlite.rows("SELECT person_id, ended_why FROM waiver WHERE person_id = 'P4'") == [
        ("P4", "flag corrected")
    ]


@pytest.mark.parametrize(
    ("as_at", "why"),
    [
        (day(1), "only the last accepted night can be taken back, and that is 2026-01-14"),
        (day(0), "only the last accepted night can be taken back"),
        (day(9), "only the last accepted night can be taken back"),
    ],
)
def test_only_the_last_night_can_be_taken_back(on_sqlite: Council, as_at: dt.date, why: str):
    on_sqlite.night(day(2), SECOND)
    before = remembered(on_sqlite)

    with pytest.raises(Refused, match=why):
        take_back(on_sqlite, as_at)

    assert remembered(on_sqlite) == before


def test_a_second_night_can_be_taken_back_only_after_another_was_accepted(on_sqlite: Council):
    on_sqlite.night(day(1), SECOND)
    on_sqlite.night(day(2), SECOND)
    take_back(on_sqlite, day(2))

    with pytest.raises(Refused, match="how things stood before that night is no longer known"):
        take_back(on_sqlite, day(1))

    on_sqlite.night(day(3), SECOND)
    assert take_back(on_sqlite, day(3)).last == day(1)


def test_the_same_command_again_completes_what_was_cut_off(on_sqlite: Council):
    on_sqlite.night(day(2), SECOND)
    take_back(on_sqlite, day(2))
    left = on_sqlite.folder / "data" / "exceptions" / day(2).isoformat()
    left.mkdir()

    account = take_back(on_sqlite, day(2))

    assert account.finished
    assert not left.exists()
    assert on_sqlite.rows("SELECT count(*) FROM flag_event WHERE kind = 'night withdrawn'") == [(1,)]


def test_a_fault_half_way_changes_nothing(on_sqlite: Council):
    on_sqlite.night(day(2), SECOND)
    before = remembered(on_sqlite)
    with on_sqlite.open_database() as database, database.writing() as store:
        store.exec_driver_sql(
            "CREATE TRIGGER stop BEFORE UPDATE OF withdrawn_at ON run BEGIN SELECT RAISE(ABORT, 'no more'); END"
        )

    with pytest.raises(StoreError):
        take_back(on_sqlite, day(2))

    assert remembered(on_sqlite) == before
    assert on_sqlite.rows("SELECT count(*) FROM flag_event WHERE kind = 'night withdrawn'") == [(0,)]
    assert (on_sqlite.folder / "data" / "exceptions" / "2026-01-14").is_dir()


def test_the_command_needs_a_name_and_a_reason_and_goes_with_nothing_else(on_sqlite: Council):
    config = ("--config", str(on_sqlite.config_path))

    bare = monitor(on_sqlite.folder, "run", "--withdraw", "2026-01-12", *config)
    mixed = monitor(
        on_sqlite.folder,
        "run",
        "--withdraw",
        "2026-01-12",
        "--dry-run",
        "--again",
        "--by",
        "A",
        "--reason",
        "B",
        *config,
    )
    stray = monitor(on_sqlite.folder, "run", "--reason", "B", *config)
    done = monitor(on_sqlite.folder, "run", "--withdraw", "2026-01-12", "--by", "A", "--reason", "B", *config)

    assert (bare.returncode, mixed.returncode, stray.returncode, done.returncode) == (2, 2, 2, 0)
    assert "needs --by" in bare.stderr
    assert "needs --reason" in bare.stderr
    assert "does not go with --dry-run" in mixed.stderr
    assert "taken back: the night of 12 January 2026" in done.stdout
    audited = monitor(on_sqlite.folder, "audit", *config)
    assert audited.returncode == 0, audited.stdout
    status = monitor(on_sqlite.folder, "status", *config)
    assert "12 January 2026: withdrawn" in status.stdout
