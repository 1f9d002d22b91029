"""A backup is whole and its owner's alone; what a restore loses is said, and nobody is told twice or comes back."""

import datetime as dt
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from support.command import Done, monitor
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.posix import KILL, KILLED, is_private
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.record import backup_list, removal_marks
from monitor.record.purge import purge_store
from monitor.record.remove_person import RemovalRequest, remove_person
from monitor.store.database import locked_file
from monitor.store.location import locate

NORTH = "north@example.gov.uk"
GONE = "Q-7731"
PEOPLE = [homeless("P1"), homeless(GONE), *crowd(12)]
SECOND = [homeless("P1"), homeless(GONE), homeless("C000"), *crowd(12)[1:]]


@pytest.fixture
def council(tmp_path: Path, database: str | None) -> Council:
    """A council after its first night, on either kind of database."""
    council = Council(tmp_path, few_rules(tmp_path), database=database)
    council.night(NIGHT, PEOPLE)
    return council


def back_up(council: Council, name: str = "kept.db") -> Done:
    return monitor(council.folder, "backup", name)


def put_back(council: Council, *more: str, name: str = "kept.db") -> Done:
    return monitor(council.folder, "restore", name, "--by", "A Head", "--reason", "the disk broke", *more)


def test_a_backup_is_whole_while_another_writes_and_its_owners_alone(council: Council) -> None:
    with council.open_database() as database, database.writing() as store:
        store.execute(text("DELETE FROM flag"))
        done = back_up(council)
        store.rollback()

    file = council.folder / "kept.db"
    assert done.returncode == 0, done.stderr
    assert "up to the night of 12 January 2026" in done.stdout
    assert is_private(file)
    with closing(sqlite3.connect(file)) as kept:
        assert kept.execute("SELECT count(*) FROM flag").fetchone() == (2,)
        assert kept.execute("PRAGMA quick_check").fetchone() == ("ok",)
    again = back_up(council)
    assert (again.returncode, "takes no file's place" in again.stderr) == (2, True)
    assert not list(council.folder.rglob("*.unfinished*"))


def test_a_restore_says_what_is_lost_and_the_nights_go_on(council: Council) -> None:
    back_up(council)
    council.night(day(1), SECOND)
    before = council.rows("SELECT person_id, rule, opened_on, resolved_on FROM flag ORDER BY id")

    asked = put_back(council, "--dry-run")
    unchanged = council.rows("SELECT person_id, rule, opened_on, resolved_on FROM flag ORDER BY id")
    done = put_back(council)
    flags = council.flags()
    council.night(day(1), SECOND)

    for said in (asked, done):
        assert said.returncode == 0, said.stderr
        assert "not in it: the night of 13 January 2026, " in said.stdout
        assert "messages that were sent already" in said.stdout
    assert unchanged == before
    assert flags == {("P1", "homeless"): "open", (GONE, "homeless"): "open"}
    assert council.flags()["C000", "homeless"] == "open"
    ((payload,),) = council.rows("SELECT payload FROM flag_event WHERE kind = 'database restored'")
    assert json.loads(str(payload)) | {"by": "A Head", "why": "the disk broke"} == json.loads(str(payload))
    first, second = council.mail_to(NORTH, day(1))
    assert any("may have had" in mail.text and "13 January 2026" in mail.text for mail in (first, second))
    (aside,) = (council.folder / "data").glob("replaced-*.db")
    assert str(aside) in done.stdout
    assert is_private(aside)
    with closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT count(*) FROM flag").fetchone() == (3,)
    assert not list((council.folder / "data").rglob("*.unfinished*"))
    assert "older" not in monitor(council.folder, "status").stdout


def test_a_lost_database_is_restored_and_nobody_is_asked_to_accept(council: Council) -> None:
    back_up(council)
    council.night(day(1), SECOND)
    if council.database:
        with psycopg.connect(council.database, autocommit=True) as store:
            store.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    else:
        (council.folder / "data" / "monitor.db").write_bytes(b"spoilt" * 1000)

    done = put_back(council)
    night = council.night(day(1), SECOND)

    assert done.returncode == 0, done.stderr
    assert "the night of 13 January 2026" in done.stdout
    assert night.outcome == "accepted"
    assert monitor(council.folder, "audit").returncode == 0


def remove(council: Council, today: dt.date) -> tuple[str, ...]:
    council.write([one for one in SECOND if one["id"] != GONE])
    now = dt.datetime.combine(today, dt.time(12), dt.UTC)
    with council.open_database() as database:
        request = RemovalRequest(GONE, "A Example", "asked to be forgotten", today, now)
        return remove_person(database, load_config(council.config_path), request, {}).outside


def test_whoever_was_removed_since_is_removed_from_what_is_put_back(council: Council) -> None:
    back_up(council)
    outside = remove(council, day(1))
    mark = (council.folder / "data" / "removed.txt").read_text(encoding="utf-8")

    done = put_back(council)

    assert done.returncode == 0, done.stderr
    assert any("kept.db holds this person until" in line for line in outside), outside
    assert GONE not in mark
    assert len(removal_marks.read(council.folder / "data")) == 1
    assert is_private(council.folder / "data" / "removed.txt")
    assert council.flags() == {("P1", "homeless"): "open"}
    assert council.rows(f"SELECT count(*) FROM person WHERE person_id = '{GONE}'") == [(0,)]
    assert council.rows(f"SELECT count(*) FROM flag_event WHERE payload LIKE '%{GONE}%'") == [(0,)]
    if not council.database:
        assert GONE.encode() not in (council.folder / "data" / "monitor.db").read_bytes()
    audit = monitor(council.folder, "audit")
    assert audit.returncode == 0, audit.stdout
    council.night(day(1), SECOND)
    assert council.rows("SELECT person_id FROM removed_person") == [(GONE,)]


def test_what_is_no_backup_is_not_put_back(council: Council) -> None:
    back_up(council)
    kept = council.folder / "kept.db"
    spoilt, foreign, changed = (council.folder / name for name in ("spoilt.db", "foreign.db", "changed.db"))
    spoilt.write_bytes(b"nothing of a database" * 100)
    with closing(sqlite3.connect(foreign)) as store:
        store.execute("CREATE TABLE invoice (id INTEGER)")
    shutil.copy(kept, changed)
    with closing(sqlite3.connect(changed, isolation_level=None)) as store:
        store.execute("UPDATE flag_event SET payload = '{}' WHERE id = 1")
    before = council.flags()

    for file, words in ((spoilt, "damaged"), (foreign, "another program"), (changed, "event 1")):
        done = put_back(council, name=file.name)
        assert (done.returncode, words in done.stderr) == (3, True), done.stderr
    missing = put_back(council, name="nowhere.db")

    assert (missing.returncode, "no such file" in missing.stderr) == (2, True)
    assert council.flags() == before
    assert not list((council.folder / "data").glob("replaced-*"))


def test_a_restore_waits_for_nobody_who_is_at_work(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    council.night(NIGHT, PEOPLE)
    back_up(council)

    with locked_file(locate(load_config(council.config_path), {})):
        done = put_back(council)

    assert done.returncode == 4


def test_backups_run_out_and_only_those_that_the_monitor_made(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    council.night(NIGHT, PEOPLE)
    for name in ("kept.db", "own.db"):
        back_up(council, name)
    (tmp_path / "own.db").write_bytes(b"somebody else's by now")
    listed = monitor(tmp_path, "purge", "--dry-run")
    made = {backup.path.name for backup in backup_list.find_standing(tmp_path / "data")}
    today = dt.datetime.now(dt.UTC).date() + dt.timedelta(100)

    with council.open_database() as database:
        purged = purge_store(database, load_config(council.config_path), today, council.clock)

    assert made == {"kept.db"}
    assert f"{tmp_path / 'kept.db'}, made on" in listed.stdout
    assert "own.db" not in listed.stdout
    assert purged.removed["backups"] == 1
    assert not (tmp_path / "kept.db").exists()
    assert (tmp_path / "own.db").exists()


def test_a_backup_is_enough_on_a_new_machine(council: Council, tmp_path_factory: pytest.TempPathFactory) -> None:
    back_up(council)
    folder = tmp_path_factory.mktemp("new")
    new = Council(folder, few_rules(folder))  # on SQLite, whatever it was made of
    shutil.copy(council.folder / "kept.db", new.folder)

    done = put_back(new)
    night = new.night(day(1), PEOPLE)

    assert done.returncode == 0, done.stderr
    assert "not in it: no night, 0 messages" in done.stdout
    assert (night.outcome, night.changes.get("opened", 0)) == ("accepted", 0)


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from monitor.cli.command import main
left, rename = int(sys.argv.pop(1)), Path.rename
def rename_or_die(self, target):
    global left
    if left == 0:
        KILL
    left -= 1
    return rename(self, target)
Path.rename = rename_or_die
main()
""".replace("KILL", KILL)
"""The command, killed just before it renames for the so manieth time."""


@pytest.mark.parametrize("renamed", [0, 1])
def test_a_restore_that_is_killed_leaves_whole_databases_and_is_given_again(tmp_path: Path, renamed: int) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    council.night(NIGHT, PEOPLE)
    back_up(council)
    council.night(day(1), [*SECOND, settled("P9")])
    command = [sys.executable, "-c", KILLED_AT, str(renamed), "restore", "kept.db", "--by", "A", "--reason", "a trial"]

    killed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    between = monitor(tmp_path, "run", "--dry-run", "--as-at", str(day(1)))
    done = put_back(council)

    assert killed.returncode == KILLED, killed.stderr
    assert between.returncode == (3 if renamed else 0), between.stderr
    assert done.returncode == 0, done.stderr
    assert council.flags() == {("P1", "homeless"): "open", (GONE, "homeless"): "open"}
    assert monitor(tmp_path, "audit").returncode == 0
