"""PostgreSQL as the store: the same tables, the same commands, secrets kept, and faults said in words."""

import datetime as dt
import json
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlmodel import SQLModel
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.timed_service import few_rules
from test_answers import a_list, fill_in

from monitor.cli.options import today
from monitor.config.settings import load_config
from monitor.errors import Refused, StoreError
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.record.purge import describe, purge_store
from monitor.store import events
from monitor.store.bulk import delete_rows, insert_rows, update_rows
from monitor.store.database import Database, open_store, reading_store, working_store
from monitor.store.location import locate
from monitor.store.nights import Request
from monitor.store.tables import Flag, table_of

SOURCE = '[[sources]]\nname = "caseload"\nkind = "sample"\n'
REMOTE = 'database = "postgresql://monitor@db.example.gov.uk/flags"\n'


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


def write(folder: Path, text: str) -> Path:
    path = folder / "monitor.toml"
    path.write_text(text + SOURCE, encoding="utf-8")
    return path


# The tables and what is in them


def test_a_new_database_has_exactly_the_tables_the_code_describes(url: str) -> None:
    database = open_store(url)

    with database.reading() as store:
        assert compare_metadata(MigrationContext.configure(store), SQLModel.metadata) == []
    database.close()


AWKWARD = [
    "tab\there",
    "line\nbreak\r\n",
    "back\\slash \\N \\.",
    "quote ' \" `",
    "",
    "Zoë £ 日本 \U0001f600",
    "%s %(x)s",
    "{}",
]


def flag(number: int, because: str) -> tuple[object, ...]:
    return (number, f"P{number}", "homeless", "high", NIGHT, 1, NIGHT, because, 0, None)


FLAG = (
    "id", "person_id", "rule", "severity", "opened_on", "opened_run_id", "in_breach_since", "because",
    "earlier_spells", "due_on",
)  # fmt: skip


def test_many_rows_are_written_changed_and_deleted_as_they_are(tmp_path: Path, database: str | None) -> None:
    where = database or f"sqlite:///{tmp_path / 'monitor.db'}"
    flags = table_of(Flag)
    with working_store(where) as database:
        with database.writing() as store:
            insert_rows(store, Flag, FLAG, [flag(n, words) for n, words in enumerate(AWKWARD, start=1)])
        with database.writing() as store:
            update_rows(store, Flag, ("due_on", "severity"), [(day(1), "critical", 1), (None, "low", 2)])
            update_rows(store, Flag, ("because",), [(AWKWARD[0], 8)])
            delete_rows(store, Flag, [3, 4])
            update_rows(store, Flag, ("because",), [])
            delete_rows(store, Flag, [])

        with database.reading() as store:
            wanted = select(flags.c.id, flags.c.severity, flags.c.due_on, flags.c.because).order_by(flags.c.id)
            rows = [tuple(row) for row in store.execute(wanted)]

    assert rows == [
        (1, "critical", day(1), AWKWARD[0]),
        (2, "low", None, AWKWARD[1]),
        *((n, "high", None, AWKWARD[n - 1]) for n in (5, 6, 7)),
        (8, "high", None, AWKWARD[0]),
    ]


def test_a_row_that_cannot_be_written_saves_nothing_and_quotes_nobody(url: str) -> None:
    with working_store(url) as database:
        with pytest.raises(StoreError) as fault, database.writing() as store:
            insert_rows(store, Flag, FLAG, [flag(1, "x"), flag(1, "Plan last reviewed 1 June 2025")])

        with database.reading() as store:
            assert store.execute(text("SELECT count(*) FROM flag")).scalar() == 0
    assert str(fault.value).endswith(
        "at local socket: UniqueViolation (23505); nothing of this step was saved, run again when it is put right"
    )


def test_a_view_is_of_one_moment_and_cannot_write(url: str) -> None:
    with working_store(url) as database:
        with database.reading() as reader:
            before = reader.execute(text("SELECT count(*) FROM flag")).scalar()
            with database.writing() as store:
                insert_rows(store, Flag, FLAG, [flag(1, "x")])
            during = reader.execute(text("SELECT count(*) FROM flag")).scalar()

        with pytest.raises(StoreError, match="cannot be written to"), database.reading() as reader:
            reader.execute(text("DELETE FROM flag"))
        assert (before, during, count(database)) == (0, 0, 1)


def count(database: Database) -> object:
    with database.reading() as store:
        return store.execute(text("SELECT count(*) FROM flag")).scalar()


# Every command


def test_every_command_works_on_postgresql(tmp_path: Path, url: str) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=url)
    council.write([settled("P1", accommodation="S: No fixed abode", suitable="b) Unsuitable"), *crowd(10)])
    as_at = NIGHT.isoformat()

    ran = monitor(tmp_path, "run", "--as-at", as_at)
    again = monitor(tmp_path, "run", "--as-at", as_at)
    rehearsed = monitor(tmp_path, "run", "--as-at", day(1).isoformat(), "--dry-run")
    delivered = monitor(tmp_path, "deliver")
    checked = monitor(tmp_path, "check")
    exported = monitor(tmp_path, "export", "--format", "json", "--output", "flags.json")
    explained = monitor(tmp_path, "explain", "P1")
    replayed = monitor(tmp_path, "backtest", "homeless")
    measured = monitor(tmp_path, "measures")
    confirmed = monitor(tmp_path, "confirm", "P1", "--by", "A Example")

    done = [ran, again, rehearsed, delivered, checked, exported, explained, replayed, measured]
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * len(done)
    assert "recorded as having died; nothing waits" in confirmed.stderr
    assert "no fixed abode" in explained.stdout.lower()
    (listed,) = json.loads((tmp_path / "flags.json").read_text(encoding="utf-8"))
    assert (listed["person_id"], listed["rule"], listed["state"]) == ("P1", "homeless", "open")
    assert not list(tmp_path.rglob("*.db"))


def test_decisions_and_what_is_made_of_them_work_on_postgresql(tmp_path: Path, url: str) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "homeless", "birth-date-recorded", "pa-allocated"), database=url)
    config = council.config_path.read_text(encoding="utf-8").replace("workbooks = false", "")
    council.config_path.write_text(config, encoding="utf-8")
    seen = crowd(10, contact=f"{today():%d/%m/%Y}")
    council.write([homeless("P1"), homeless("P2"), homeless("P3", adviser=""), *seen])
    until = (today() + dt.timedelta(14)).isoformat()

    done = [
        monitor(tmp_path, "run"),
        monitor(tmp_path, "waive", "P1", "homeless", "--until", until, "--reason", "under-way",
                "--note", "Room agreed", "--by", "A Lead"),
    ]  # fmt: skip
    fill_in(
        council, {"P2": {"answer": "the record is wrong", "answer_note": "Has a room"}}, of=a_list(council, today())
    )
    done += [
        monitor(tmp_path, "answers", "back.xlsx", "--by", "A Lead"),
        monitor(tmp_path, "run", "--again", "--by", "A Example"),
        monitor(tmp_path, "export", "--state", "waived", "--format", "json", "--output", "waived.json"),
        monitor(tmp_path, "report", "--output", "report"),
        monitor(tmp_path, "report", "--board", "--output", "board"),
        monitor(tmp_path, "unwaive", "P1", "homeless", "--by", "A Lead"),
        monitor(tmp_path, "status"),
        monitor(tmp_path, "audit"),
        monitor(tmp_path, "purge", "--dry-run"),
    ]
    council.write([homeless("P1"), homeless("P2"), *seen])
    done.append(monitor(tmp_path, "purge", "--person", "P3", "--by", "A Example", "--reason", "asked for it"))
    audited = monitor(tmp_path, "audit")

    assert [(one.returncode, one.stderr) for one in (*done, audited)] == [(0, "")] * (len(done) + 1)
    (waived,) = json.loads((tmp_path / "waived.json").read_text(encoding="utf-8"))
    assert (waived["person_id"], waived["state"], waived["waived_until"]) == ("P1", "waived", until)
    assert council.rows("SELECT count(*) FROM flag WHERE person_id = 'P3'") == [(0,)]
    assert len(list((tmp_path / "report").glob("*.html"))) == len(list((tmp_path / "board").glob("*.html"))) == 1


def test_a_purge_says_what_the_servers_files_may_still_hold(tmp_path: Path, url: str) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=url)
    council.night(NIGHT, [homeless("P1"), *crowd(3)])
    late = dt.datetime(2029, 1, 12, 3, tzinfo=dt.UTC)

    with council.open_database() as database:
        purged = purge_store(database, load_config(council.config_path), late.date(), late)

    (said,) = (line for line in describe(purged, dry_run=False) if "PostgreSQL" in line)
    assert "until the server uses that room again" in said
    assert "write-ahead log, archives and replicas" in said
    assert (purged.rewritten, purged.problems) == (False, ())
    with psycopg.connect(url, autocommit=True) as store:
        store.execute("SELECT pg_stat_force_next_flush()")
        vacuumed = store.execute("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'message'").fetchone()
    assert vacuumed == (1,)


def test_a_rehearsal_on_an_empty_database_makes_nothing(tmp_path: Path, url: str) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=url)

    night = council.night(NIGHT, crowd(3), dry_run=True)

    assert night.outcome == "rehearsed"
    with psycopg.connect(url) as store:
        assert store.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_looking_before_the_first_night_is_refused_with_the_way_out(tmp_path: Path, url: str) -> None:
    Council(tmp_path, database=url)

    done = monitor(tmp_path, "explain", "P1")

    assert done.returncode == 3
    assert "at local socket: there is none yet; run a night first with: monitor run" in done.stderr


def test_a_cell_with_a_character_postgresql_cannot_keep_does_not_stop_the_night(tmp_path: Path, url: str) -> None:
    with closing(sqlite3.connect(tmp_path / "case.db")) as source:
        source.execute("CREATE TABLE leaver (person_id, date_of_birth, allocated_team, eligibility, accommodation)")
        rows = [(f"P{n}", "2006-06-01", "North", "b) Former relevant child", "S") for n in range(8)]
        spoiled = [
            ("P8", "2006-06-01", "Nor\x00th", rows[0][3], "S\x00"),
            ("P\x009", "2006-06-01", "North", rows[0][3], "S"),
        ]
        source.executemany("INSERT INTO leaver VALUES (?, ?, ?, ?, ?)", [*rows, *spoiled])
        source.commit()
    (tmp_path / "leavers.sql").write_text("SELECT * FROM leaver", encoding="utf-8")
    path = tmp_path / "monitor.toml"
    path.write_text(
        f'database = "{url}"\n[[sources]]\nname = "caseload"\nkind = "sql"\nurl = "sqlite:///case.db"\n'
        'query_file = "leavers.sql"\n',
        encoding="utf-8",
    )

    night = run_night(load_config(path), Request(NIGHT, NIGHT), Tools(lambda: dt.datetime.now(dt.UTC), {}, str))

    assert (night.outcome, night.people, night.intake.unreadable_rows) == ("accepted", 9, 1)
    with reading_store(url) as database, database.reading() as store:
        assert store.execute(text("SELECT team FROM person WHERE person_id = 'P8'")).scalar() == "Nor th"


def test_the_chain_of_events_verifies_after_nights_on_postgresql(tmp_path: Path, url: str) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=url)
    council.night(NIGHT, [settled("P1", accommodation="S: No fixed abode", suitable="b) Unsuitable"), *crowd(10)])
    council.night(day(1), [settled("P1"), *crowd(10)])

    with council.open_database() as database, database.reading() as store:
        rows = list(events.walk(store))
    assert len(rows) >= 2
    assert events.find_fault(rows) is None


# Secrets


def test_the_password_comes_from_a_variable_or_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    by_variable = load_config(write(tmp_path, REMOTE + 'database_password_env = "DATABASE_PASSWORD"\n'))
    by_file = load_config(write(tmp_path, REMOTE + 'database_password_file = "secret"\n'))

    places = [locate(by_variable, {"DATABASE_PASSWORD": "hunter2"}), locate(by_file, {})]

    assert [place.password for place in places] == ["hunter2", "hunter2"]
    assert "hunter2" not in f"{places!r} {places[0]} {by_variable!r} {by_file!r}"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('database_password_env = "DATABASE_PASSWORD"', "the environment variable DATABASE_PASSWORD is not set"),
        ('database_password_file = "nowhere"', "nowhere cannot be read (No such file or directory)"),
        ('database_password_file = "empty"', "empty is empty; write it there"),
    ],
)
def test_a_password_that_is_not_there_stops_the_command(tmp_path: Path, setting: str, words: str) -> None:
    (tmp_path / "empty").touch()
    write(tmp_path, f"{REMOTE}{setting}\n")

    done = monitor(tmp_path, "run")

    assert done.returncode == 2
    assert words in done.stderr


def test_records_cross_a_network_encrypted_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    stated = REMOTE.replace("/flags", "/flags?sslmode=verify-full")
    local = REMOTE.replace("db.example.gov.uk", "localhost")

    found = [locate(load_config(write(tmp_path, one)), {}).query.get("sslmode") for one in (REMOTE, stated, local)]

    assert found == ["require", "verify-full", None]


# Faults


def test_a_missing_driver_is_said_with_what_installs_it(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Council(tmp_path, database=url).write(crowd(3))
    monkeypatch.setitem(sys.modules, "psycopg", None)

    done = monitor(tmp_path, "run", "--as-at", NIGHT.isoformat())

    assert done.returncode == 2
    assert "the driver psycopg is not installed; pip install 'care-leaver-monitor[postgresql]'" in done.stderr


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda url: url.replace("/monitor_", "/nowhere_"), "there is no such database; make it first"),
        (lambda url: url.replace("postgres@", "stranger@"), 'there is no role "stranger"; correct'),
        (lambda url: f"{url}&options=-csearch_path=nowhere", "the schema is not there"),
        (lambda url: "postgresql://monitor@no-such-host.invalid/flags", "unknown host; correct database"),
        (
            lambda url: f"postgresql://monitor@127.0.0.1:{unused_port()}/flags",
            "does not answer; check that it is running",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_words(
    tmp_path: Path, url: str, spoil: Callable[[str], str], words: str
) -> None:
    Council(tmp_path, database=spoil(url)).write(crowd(3))

    done = monitor(tmp_path, "run", "--as-at", NIGHT.isoformat(), "--wait", "0.1")

    assert done.returncode == 3
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_user_who_may_not_write_can_still_look(tmp_path: Path, url: str) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=url)
    council.night(NIGHT, crowd(3))
    with psycopg.connect(url, autocommit=True) as store:
        store.execute("DROP ROLE IF EXISTS onlooker")
        store.execute("CREATE ROLE onlooker LOGIN")
        store.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker")
    theirs = url.replace("postgres@", "onlooker@")

    with reading_store(theirs) as database, database.reading() as store:
        assert store.execute(text("SELECT count(*) FROM run")).scalar() == 1
    with pytest.raises(StoreError, match="this user may not do that; make it the owner"), working_store(theirs):
        pass
    with psycopg.connect(url, autocommit=True) as store:
        store.execute("DROP OWNED BY onlooker")
        store.execute("DROP ROLE onlooker")


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    with working_store(url) as database, database.writing() as store:
        store.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(Refused, match="made by a newer monitor"):
        open_store(url)
