"""One writer at a time: who waits, who is told who is at work, and what a holder that lost its lock may still do."""

import datetime as dt
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from support.command import monitor
from support.council import NIGHT, Council, crowd
from support.posix import needs_posix
from support.timed_service import few_rules
from test_cli import write_council

from monitor.errors import LockHeld, Problems
from monitor.store.database import Database, open_store, reading_store, working_store
from monitor.store.location import find_share, refuse_share

HOLDING = """
import sys, time
from monitor.store.database import working_store
with working_store(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "SQLite":
        return f"sqlite:///{tmp_path / 'data' / 'monitor.db'}"
    made: Callable[[], str] = request.getfixturevalue("new_database")
    return made()


def count_runs(database: Database) -> int:
    with database.reading() as store:
        return int(store.execute(text("SELECT count(*) FROM run")).scalar_one())


def write_run(database: Database, number: int) -> None:
    with database.writing() as store:
        store.execute(
            text("INSERT INTO run (id, as_at, state, started_at) VALUES (:id, '2026-01-12', 'failed', '2026-01-12')"),
            {"id": number},
        )


@contextmanager
def another_process_at_work(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLDING, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_who_is_at_work_is_said_to_those_who_may_not_be(url: str) -> None:
    with (
        another_process_at_work(url) as process,
        pytest.raises(LockHeld) as refused,
        working_store(url, wait_seconds=0),
    ):
        pass

    now = dt.datetime.now(dt.UTC)
    assert "another run is at work on this database" in str(refused.value)
    assert f"({socket.gethostname()}, process {process.pid}, since {now:%d %B %Y}" in str(refused.value)
    assert refused.value.exit_code == 4


def test_a_process_that_is_killed_lets_the_next_one_in(url: str) -> None:
    with another_process_at_work(url) as process:
        process.kill()
        process.wait()

        with working_store(url) as database:
            write_run(database, 1)

            assert count_runs(database) == 1


def test_whoever_waits_long_enough_is_let_in(url: str) -> None:
    finished = threading.Event()

    def work() -> None:
        with working_store(url):
            begun.set()
            time.sleep(0.6)
            finished.set()

    begun, other = threading.Event(), threading.Thread(target=work)
    other.start()
    begun.wait()

    with working_store(url, wait_seconds=20):
        assert finished.is_set()
    other.join()


def test_reading_needs_no_lock_and_does_not_see_what_is_being_written(url: str) -> None:
    with working_store(url, wait_seconds=0) as at_work, reading_store(url, wait_seconds=0) as reader:
        with at_work.writing() as store:
            store.execute(
                text("INSERT INTO run (id, as_at, state, started_at) VALUES (1, '2026-01-12', 'running', '2026-01-12')")
            )
            seen = count_runs(reader)

        assert (seen, count_runs(reader)) == (0, 1)


def test_a_store_opened_without_the_lock_takes_it_for_each_transaction(url: str) -> None:
    database = open_store(url, wait_seconds=0)
    write_run(database, 1)

    with working_store(url), pytest.raises(LockHeld, match=f"process {os.getpid()}"):
        write_run(database, 2)

    assert count_runs(database) == 1
    database.close()


def test_a_holder_whose_connection_was_cut_saves_nothing_once_another_has_taken_over(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    with working_store(url) as first:
        cut_the_lock(url)
        with working_store(url) as second:
            write_run(second, 1)

            with pytest.raises(LockHeld, match=r"another run has taken over .*; nothing of this step was saved"):
                write_run(first, 2)

        with pytest.raises(LockHeld):
            write_run(first, 2)
        assert count_runs(first) == 1


def test_a_holder_whose_connection_was_cut_goes_on_while_nobody_has_taken_over(new_database: Callable[[], str]) -> None:
    url = new_database()

    with working_store(url) as database:
        cut_the_lock(url)
        write_run(database, 1)

        assert count_runs(database) == 1


def cut_the_lock(url: str) -> None:
    """Cut the connections that hold an advisory lock on this database, as a network or a restart would."""
    with psycopg.connect(url, autocommit=True) as store:
        cut = store.execute("""
            SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
            WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """).fetchall()
    assert cut == [(True,)]


def test_a_transaction_under_way_holds_off_whoever_would_take_over(new_database: Callable[[], str]) -> None:
    url = new_database()
    with working_store(url) as first:
        with first.writing() as store:
            cut_the_lock(url)
            with pytest.raises(Exception, match="locked"), working_store(url, wait_seconds=0.3):
                pass
            store.execute(
                text("INSERT INTO run (id, as_at, state, started_at) VALUES (1, '2026-01-12', 'failed', '2026-01-12')")
            )

        with working_store(url) as second:
            assert count_runs(second) == 1


def test_two_schemas_of_one_database_are_two_stores(new_database: Callable[[], str]) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as store:
        store.execute("CREATE SCHEMA north")
        store.execute("CREATE SCHEMA south")

    with (
        working_store(f"{url}&options=-csearch_path=north", wait_seconds=0) as north,
        working_store(f"{url}&options=-csearch_path=south", wait_seconds=0) as south,
    ):
        write_run(north, 1)

        assert (count_runs(north), count_runs(south)) == (1, 0)


def test_a_run_by_hand_waits_for_the_one_at_work_and_then_exits_4(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    council.night(NIGHT, crowd(3))

    with working_store(f"sqlite:///{tmp_path / 'data' / 'monitor.db'}"):
        began = time.monotonic()
        done = monitor(tmp_path, "run", "--wait", "0.5")
        waited = time.monotonic() - began
        looked = monitor(tmp_path, "measures")

    assert (done.returncode, looked.returncode) == (4, 0)
    assert waited >= 0.5
    assert f"process {os.getpid()}" in done.stderr


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
fileserver:/export /srv nfs4 rw,vers=4.2 0 0
/dev/sdb1 /srv/local ext4 rw 0 0
//fileserver/leaving\\040care /mnt/leaving\\040care cifs rw 0 0
sshfs#host: /home/monitor/far fuse.sshfs rw 0 0
"""


@needs_posix("list of mounts")
@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("/var/lib/monitor/monitor.db", None),
        ("/srv/monitor.db", "nfs4 at /srv"),
        ("/srv/local/monitor.db", None),
        ("/srvother/monitor.db", None),
        ("/mnt/leaving care/data/monitor.db", "cifs at /mnt/leaving care"),
        ("/home/monitor/far/monitor.db", "fuse.sshfs at /home/monitor/far"),
    ],
)
def test_a_network_share_is_known_by_its_mount(path: str, share: str | None) -> None:
    assert find_share(Path(path), MOUNTS) == share


def test_a_database_on_a_network_share_is_refused_with_the_reason(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"fileserver:/export {tmp_path} nfs4 rw 0 0\n", encoding="utf-8")

    with pytest.raises(Problems) as refused:
        refuse_share(tmp_path / "monitor.db", mounts_file=mounts)

    assert f"lies on a network share (nfs4 at {tmp_path}), where two machines can hold one lock" in str(refused.value)
    assert "keep it on a disk of this machine, or use PostgreSQL" in str(refused.value)
    assert refused.value.exit_code == 2


def _link(path: Path, to: str) -> None:
    path.symlink_to(to)


@needs_posix("links or pipes that anybody may make")
@pytest.mark.parametrize(
    ("place", "make", "status", "words"),
    [
        ("data", Path.touch, 2, "data_folder: .*no folder; name a folder"),
        ("data", lambda path: _link(path, "/nowhere/at/all"), 2, "data_folder: .*a link that leads nowhere"),
        ("data", lambda path: _link(path, "data"), 2, "data_folder: .*a link that leads nowhere"),
        ("data/monitor.db", Path.mkdir, 2, "database: .*no file; name a file"),
        ("data/monitor.db", lambda path: _link(path, "/nowhere/a.db"), 2, "database: .*a link that leads nowhere"),
        ("data/monitor.db", lambda path: _link(path, "monitor.db"), 2, "database: .*a link that leads nowhere"),
        ("data/monitor.db.lock", Path.mkdir, 3, "monitor.db.lock: .*no file; take it away"),
        ("data/monitor.db.lock", lambda path: os.mkfifo(path), 3, "monitor.db.lock: .*no file; take it away"),
        ("data/monitor.db.lock", lambda path: _link(path, "/nowhere/a"), 3, "monitor.db.lock: cannot be written"),
    ],
)
def test_a_place_that_is_something_else_is_a_problem_in_words(
    tmp_path: Path, place: str, make: Callable[[Path], None], status: int, words: str
) -> None:
    write_council(tmp_path)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    make(tmp_path / place)

    done = monitor(tmp_path, "run")

    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    assert re.search(words, " ".join(done.stderr.split()))
