"""``monitor status``: what needs a person, decided from values, and found in real databases of either kind."""

import datetime as dt
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, settled
from support.postroom import ANALYST, NORTH, SOUTH, postroom, written
from support.timed_service import few_rules

from monitor.config.settings import Config, load_config
from monitor.errors import MonitorError
from monitor.service import status as standings
from monitor.service.concerns import Concern, judge
from monitor.service.status import DatabaseState, NightAttempt, Pile, ServiceStatus
from monitor.service.status_words import describe
from monitor.store.database import HEAD, working_store
from monitor.store.location import locate
from monitor.store.tables import Message, Run, table_of

NOW = dt.datetime(2026, 1, 13, 9, 0, tzinfo=dt.UTC)
"""A Tuesday."""
HOUR = dt.timedelta(hours=1)
TRUSTED = NightAttempt(dt.date(2026, 1, 13), "accepted", "trusted", NOW - 6 * HOUR, 40)
WELL = ServiceStatus(
    at=NOW,
    database=DatabaseState("SQLite", "/srv/monitor.db", HEAD, 4_000_000),
    next_night=NOW + 17 * HOUR,
    free_megabytes=50_000,
    nights=(TRUSTED,),
    last_accepted=dt.date(2026, 1, 13),
    verdict="trusted",
    extracted_on=dt.date(2026, 1, 12),
    source_age=1,
    flags={"unresolved": 12, "held": 3, "quarantined": 0, "waived": 2},
)


def settings(**given: Any) -> Config:
    return Config.model_validate({"sources": [{"name": "caseload", "kind": "sample"}], **given}, context={"folder": ""})


def concerns(**changes: Any) -> tuple[Concern, ...]:
    return judge(replace(WELL, **changes), settings())


def said(**changes: Any) -> str:
    """The one concern there is, with what to do."""
    (only,) = concerns(**changes)
    return f"{only.about}: {only.what} | {only.do}"


# Decided from values


def test_a_monitor_that_is_well_needs_nobody_and_says_so():
    lines = describe(WELL, judge(WELL, settings()))

    assert lines[0] == "Nothing needs a person."
    assert "Flags       12 unresolved, of these 3 held, 0 quarantined, 2 waived" in lines


@pytest.mark.parametrize(("state", "words"), [("refused", "was refused"), ("failed", "failed")])
def test_an_attempt_that_was_not_accepted_is_told_with_its_reason_and_what_to_do(state: str, words: str):
    again = replace(TRUSTED, as_at=dt.date(2026, 1, 14), state=state, reason="people: 10; usually 100\nmore")

    assert said(nights=(again, TRUSTED)) == (
        f"night: the last attempt, for 14 January 2026, {words}: people: 10; usually 100 "
        "| put that right, then: monitor run"
    )


def test_a_refused_second_try_at_a_night_that_was_accepted_needs_nobody():
    assert not concerns(nights=(replace(TRUSTED, state="refused", reason="accepted already"), TRUSTED))


@pytest.mark.parametrize(("hours", "number"), [(2, 0), (4, 1)])
def test_a_night_still_under_way_after_three_hours_is_told(hours: int, number: int):
    running = replace(TRUSTED, state="running", began_at=NOW - hours * HOUR, took_seconds=None)

    assert len(concerns(nights=(running,))) == number


def test_missed_nights_are_counted_in_working_days():
    assert "no accepted night since 9 January 2026, 2 working days ago" in said(
        last_accepted=dt.date(2026, 1, 9), missed=4, missed_working_days=2
    )


@pytest.mark.parametrize(("age", "number"), [(3, 0), (4, 1)])
def test_sources_are_stale_after_the_working_days_of_the_config(age: int, number: int):
    assert len(concerns(source_age=age)) == number


@pytest.mark.parametrize(("free", "number"), [(1000, 0), (999, 1)])
def test_the_disk_is_low_below_the_megabytes_of_the_config(free: int, number: int):
    assert len(concerns(free_megabytes=free)) == number


@pytest.mark.parametrize("fate", ["given up", "in doubt", "withheld"])
def test_a_message_that_did_not_arrive_needs_a_person_at_once(fate: str):
    assert f"messages: 1 message {fate}" in said(piles={fate: Pile(1, NOW)})


@pytest.mark.parametrize("waiting", ["waiting", "to be tried again", "being sent"])
def test_a_message_may_be_late_by_two_hours(waiting: str):
    assert not concerns(piles={waiting: Pile(2, NOW - 2 * HOUR)})
    assert "the oldest due 3 hours ago | try now" in said(piles={waiting: Pile(2, NOW - 3 * HOUR)})


def test_messages_not_due_yet_and_receipts_awaited_need_nobody():
    assert not concerns(piles={"not due yet": Pile(9, NOW + HOUR), "receipt awaited": Pile(9, NOW - 40 * HOUR)})


def test_what_waits_for_a_decision_is_told_with_the_command_that_makes_it():
    assert "14 flags of no-plan waiting" in said(quarantined={"no-plan": 14})
    assert "monitor confirm no-plan --by NAME" in said(quarantined={"no-plan": 14})
    assert "1 person recorded as died, and alive" in said(alive_again=1)
    assert "2 people removed on request, and back" in said(back_after_removal=2)
    assert "1 removal of a person not finished" in said(unfinished_removals=1)


def test_a_night_that_was_not_whole_is_told():
    assert "1 rule failed on the last night: homeless" in said(failed_rules=("homeless",))
    assert "was not believed" in said(verdict="degraded")
    assert not concerns(verdict="degraded", believed_on_request=True)
    assert "snapshots/2026-01-13.parquet" in said(snapshot_missing="2026-01-13.parquet")


@pytest.mark.parametrize(
    ("version", "words"), [("0000", "of an older version"), ("9999", "made by a newer monitor"), (None, "no night has")]
)
def test_a_database_of_another_version_is_told_and_nothing_is_guessed_from_it(version: str | None, words: str):
    assert words in said(database=DatabaseState("SQLite", "/srv/monitor.db", version), nights=(), last_accepted=None)


# Found in a database


def gathered(council: Council, now: dt.datetime) -> ServiceStatus:
    config = load_config(council.config_path)
    return standings.gather(config, locate(config, {}), now, wait_seconds=1)


def test_before_the_first_night_status_says_how_to_begin_and_makes_no_file(tmp_path: Path):
    Council(tmp_path)

    done = monitor(tmp_path, "status")

    assert done.returncode == 1
    assert "no night has been run here yet" in done.stdout
    assert not (tmp_path / "data").exists()


def test_a_whole_night_is_found_in_either_kind_of_database_while_another_run_is_at_work(
    tmp_path: Path, database: str | None
):
    council = Council(tmp_path, few_rules(tmp_path), database=database)
    council.night(NIGHT, [settled("P1", accommodation="S: No fixed abode", suitable="b) Unsuitable"), *crowd(9)])
    config = load_config(council.config_path)

    with working_store(locate(config, {})):
        found = gathered(council, dt.datetime(2026, 1, 12, 9, 0, tzinfo=dt.UTC))

    assert judge(found, config) == ()
    assert [(one.as_at, one.state, one.verdict) for one in found.nights] == [(NIGHT, "accepted", "trusted")]
    assert found.flags["unresolved"] > 0
    assert found.next_night == dt.datetime(2026, 1, 13, 2, 30, tzinfo=dt.UTC)
    assert found.source_age == 0 or found.extracted_on is not None
    assert found.database.size_bytes
    assert found.database.size_bytes > 10_000

    # What has happened since: a refused night, a kept caseload that is gone, days gone by, a waiver, quarantine.
    next((tmp_path / "data" / "snapshots").iterdir()).unlink()
    with pytest.raises(MonitorError):
        council.night(NIGHT + dt.timedelta(1), [settled("P1")])
    with working_store(locate(config, {})) as database, database.writing() as store:
        store.exec_driver_sql("UPDATE flag SET quarantined_on = '2026-01-12' WHERE person_id = 'P1'")
    later = gathered(council, dt.datetime(2026, 1, 16, 9, 0, tzinfo=dt.UTC))
    about = [one.about for one in judge(later, config)]
    assert (later.missed, later.missed_working_days) == (4, 4)
    assert sum(later.quarantined.values()) == later.flags["quarantined"] > 0
    assert about[:2] == ["night", "night"]
    assert {"snapshot", "flags"} <= set(about)


def test_status_prints_json_with_exit_1_when_a_night_is_missing(tmp_path: Path):
    council = Council(tmp_path, few_rules(tmp_path))
    council.night(NIGHT, [settled("P1"), *crowd(9)])

    done = monitor(tmp_path, "status", "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["ok"] is False
    assert told["last_accepted"] == "2026-01-12"
    assert "night" in {one["about"] for one in told["needs_a_person"]}
    assert told["database"]["version"] == HEAD


def test_a_damaged_database_is_told_and_the_rest_all_the_same(tmp_path: Path):
    Council(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "monitor.db").write_bytes(b"nothing of a database" * 100)

    done = monitor(tmp_path, "status")

    assert done.returncode == 1
    assert "the file is not a database, or is damaged" in done.stdout
    assert "Disk" in done.stdout
    assert done.stderr == ""


def test_a_server_that_is_away_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "a-secret-of-the-database")
    settings = 'database_password_env = "DATABASE_PASSWORD"'
    Council(tmp_path, settings, database="postgresql://monitor@127.0.0.1:9/flags")

    done = monitor(tmp_path, "status", "--json")

    assert done.returncode == 1
    assert "does not answer" in json.loads(done.stdout)["needs_a_person"][0]["what"]
    assert "a-secret" not in done.stdout + done.stderr


def test_an_older_database_is_left_as_it_is(tmp_path: Path):
    council = Council(tmp_path, few_rules(tmp_path))
    with council.open_database():
        pass
    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db", isolation_level=None)) as file:
        file.execute("UPDATE alembic_version SET version_num = '0000'")

    done = monitor(tmp_path, "status")

    assert done.returncode == 1
    assert "the database is of an older version (0000" in done.stdout
    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db")) as file:
        assert file.execute("SELECT version_num FROM alembic_version").fetchone() == ("0000",)


def test_messages_are_piled_by_what_became_of_them_until_their_address_has_had_another(tmp_path: Path):
    with postroom(tmp_path) as room:
        room.post(written(NORTH), written(SOUTH))
        table = table_of(Message)
        with room.database.writing() as store:
            lost = {"state": "permanent-failure", "trouble": "refused"}
            store.execute(table.update().values(lost))
        run = {"id": 1, "as_at": NIGHT, "state": "accepted", "started_at": room.now, "finished_at": room.now}
        with room.database.writing() as store:
            store.execute(table_of(Run).insert().values(run))

        room.post(written(NORTH), written(ANALYST))
        with room.database.writing() as store:
            store.execute(
                table.update()
                .where(table.c.recipient == NORTH, table.c.id > 2)
                .values(state="delivered", accepted_at=room.now)
            )
        where = locate(room.config, {})
        found = standings.gather(room.config, where, room.now + HOUR, wait_seconds=1)
        much_later = standings.gather(room.config, where, room.now + 24 * 15 * HOUR, wait_seconds=1)

    assert {name: pile.messages for name, pile in found.piles.items()} == {"waiting": 1, "given up": 1}
    assert found.piles["waiting"].oldest_due_at == room.now
    assert set(much_later.piles) == {"waiting"}
