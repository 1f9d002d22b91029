"""What is past its time goes, and what figures are made of stays."""

import datetime as dt
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from support.council import NIGHT, OTHER, Council, copied, crowd, day, homeless, settled

from monitor.config.retention_settings import Retention, oldest_kept
from monitor.config.settings import load_config
from monitor.record.purge import Purged, describe, purge_store
from monitor.store import events
from monitor.store.database import WAIT_SECONDS, Database, open_store
from monitor.store.location import locate

LATER = dt.date(2029, 1, 12)


@pytest.fixture
def council(three_nights: Path, tmp_path: Path) -> Council:
    """A copy of the three nights to work on."""
    return copied(three_nights, tmp_path)


def opened(council: Council, wait_seconds: float = WAIT_SECONDS) -> Database:
    return open_store(locate(load_config(council.config_path), {}), wait_seconds=wait_seconds)


def purge(
    council: Council, today: dt.date, settings: str = "", *, dry_run: bool = False, wait_seconds: float = WAIT_SECONDS
) -> Purged:
    if settings:
        with council.config_path.open("a", encoding="utf-8") as file:
            file.write(f"\n[retention]\n{settings}\n")
    config = load_config(council.config_path)
    database = opened(council, wait_seconds)
    now = dt.datetime.combine(today, dt.time(3), dt.UTC)
    purged = purge_store(database, config, today, now, dry_run=dry_run)
    database.close()
    return purged


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("keep", "today", "first"),
    [
        ("90 days", dt.date(2026, 4, 1), dt.date(2026, 1, 1)),
        ("2 weeks", dt.date(2026, 1, 15), dt.date(2026, 1, 1)),
        ("6 months", dt.date(2026, 8, 31), dt.date(2026, 2, 28)),
        ("1 year", dt.date(2028, 2, 29), dt.date(2027, 2, 28)),
        ("forever", dt.date(2026, 1, 1), None),
    ],
)
def test_a_time_to_keep_counts_back_from_today(keep: str, today: dt.date, first: dt.date | None) -> None:
    assert oldest_kept(keep, today) == first


@pytest.mark.parametrize("keep", ["1 day", "two years", "200 years", "", "10 working days"])
def test_a_time_that_cannot_be_meant_is_refused_with_what_would_be_right(keep: str) -> None:
    with pytest.raises(ValueError, match="forever"):
        Retention(snapshots=keep)


def test_resolved_flags_keep_their_words_while_they_are_still_told_of() -> None:
    with pytest.raises(ValueError, match="at least 60 days"):
        Retention(resolved_flags="30 days")


def test_nothing_goes_before_its_time(council: Council) -> None:
    purged = purge(council, day(20))

    assert purged.removed == {}
    assert council.rows("SELECT count(*) FROM removal") == [(0,)]


def test_each_thing_goes_at_its_own_time(council: Council) -> None:
    purged = purge(council, day(40), 'outbox = "1 month"\nexports = "3 months"\nmessages = "5 weeks"')

    assert set(purged.removed) == {"outbox", "messages"}
    assert purged.nights["messages"] == (NIGHT, day(1), day(2))


def test_files_past_their_time_go_and_the_newest_night_stays(council: Council) -> None:
    log = council.folder / "data" / "logs" / "monitor.log"
    log.parent.mkdir()
    log.write_text("a line\n", encoding="utf-8")
    os.utime(log, (0, 0))

    purged = purge(council, LATER)

    data = council.folder / "data"
    assert purged.nights["snapshots"] == purged.nights["exports"] == (NIGHT, day(1))
    assert (purged.removed["snapshots"], purged.removed["exports"], purged.removed["logs"]) == (2, 2, 1)
    assert [name[:10] for name in names(data / "snapshots")] == [day(2).isoformat()]
    assert names(data / "exceptions") == [day(2).isoformat()]
    assert names(data / "outbox") == []
    assert names(data / "logs") == []


def test_what_flags_and_messages_said_goes_and_their_dates_and_the_chain_stay(council: Council) -> None:
    dates = "SELECT person_id, rule, opened_on, resolved_on, resolved_reason FROM flag ORDER BY id"
    counts = "SELECT * FROM measure ORDER BY 1, 2, 3"
    before = (council.rows(dates), council.rows(counts), council.rows("SELECT key, recipient, state FROM message"))

    purge(council, LATER)

    after = (council.rows(dates), council.rows(counts), council.rows("SELECT key, recipient, state FROM message"))
    assert after == before
    homeless = "rule = 'homeless' AND person_id IN ('P1', 'P2')"
    assert set(council.rows(f"SELECT person_id, because = '' FROM flag WHERE {homeless}")) == {("P1", 1), ("P2", 0)}
    said = "SELECT f.person_id, e.payload IS NULL, e.salt IS NULL FROM flag_event AS e JOIN flag AS f ON f.id = flag_id"
    assert set(council.rows(f"{said} WHERE {homeless}")) == {("P1", 1, 1), ("P2", 0, 0)}
    assert council.rows("SELECT DISTINCT text, html, people FROM message") == [("", "", "[]")]
    database = opened(council)
    with database.reading() as store:
        assert events.find_fault(events.walk(store)) is None
    database.close()


def test_what_was_removed_is_on_record_by_count_and_night(council: Council) -> None:
    ((messages,),) = council.rows("SELECT count(*) FROM message")

    purge(council, LATER)

    ((kind, removed, nights, finished),) = council.rows("SELECT kind, removed, nights, finished_at FROM removal")
    assert (kind, json.loads(str(removed))["messages"]) == ("past its time", messages)
    assert json.loads(str(nights))["snapshots"] == [NIGHT.isoformat(), day(1).isoformat()]
    assert finished is not None
    ((payload,),) = council.rows("SELECT payload FROM flag_event WHERE kind = 'removed, past its time'")
    emptied = council.rows("SELECT count(*) FROM flag_event WHERE payload IS NULL")
    assert [(json.loads(str(payload))["events_emptied"],)] == emptied


def test_a_second_purge_of_the_same_day_finds_nothing(council: Council) -> None:
    purge(council, LATER)

    assert purge(council, LATER).removed == {}
    assert council.rows("SELECT count(*) FROM removal") == [(1,)]


def test_a_rehearsed_purge_counts_the_same_and_removes_nothing(council: Council) -> None:
    before = names(council.folder / "data" / "snapshots")

    rehearsed = purge(council, LATER, dry_run=True)

    assert names(council.folder / "data" / "snapshots") == before
    assert council.rows("SELECT count(*) FROM message WHERE text = ''") == [(0,)]
    assert rehearsed == purge(council, LATER)


def test_forever_keeps_everything(council: Council) -> None:
    things = ("snapshots", "resolved_flags", "messages", "exports", "outbox", "logs")

    assert purge(council, LATER, "\n".join(f'{thing} = "forever"' for thing in things)).removed == {}


def test_a_message_that_still_waits_keeps_its_words(council: Council) -> None:
    database = opened(council)
    with database.writing() as store:
        store.execute(text("UPDATE message SET state = 'temporary-failure' WHERE id = 1"))
    database.close()

    purge(council, LATER)

    assert council.rows("SELECT id FROM message WHERE text <> ''") == [(1,)]


def test_nobody_is_told_again_of_a_flag_because_an_old_message_was_emptied(council: Council) -> None:
    purge(council, day(12), 'messages = "1 week"')

    lately = "23/01/2026"
    people = [settled("P1"), homeless("P2"), homeless(OTHER), *crowd(20)]
    council.night(day(12), [person | {"contact": lately} for person in people])

    assert council.rows("SELECT DISTINCT text FROM message WHERE as_at < '2026-01-20'") == [("",)]
    told = council.mail_to("north@example.gov.uk", day(12))
    assert ["nothing new" in mail.subject for mail in told] == [True] * len(told)


def test_a_purge_that_was_killed_after_its_record_is_completed_by_the_next(council: Council) -> None:
    kept = {path: path.read_bytes() for path in (council.folder / "data" / "snapshots").iterdir()}
    purge(council, LATER)
    for path, content in kept.items():
        path.write_bytes(content)
    database = opened(council)
    with database.writing() as store:
        store.execute(text("UPDATE removal SET finished_at = NULL"))
    database.close()

    purged = purge(council, LATER)

    assert purged.removed == {"snapshots": 2}
    assert council.rows("SELECT count(*) FROM removal WHERE finished_at IS NULL") == [(0,)]
    assert len(names(council.folder / "data" / "snapshots")) == 1


def bytes_of_database(council: Council) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((council.folder / "data").glob("monitor.db*")))


def test_words_past_their_time_are_overwritten_where_sqlite_does_not_do_it_by_itself(
    council: Council, sqlite_keeps_deleted: None
) -> None:
    assert b"Put right" in bytes_of_database(council)

    purged = purge(council, LATER)

    assert (b"Put right" in bytes_of_database(council), purged.rewritten) == (False, False)


def test_what_an_earlier_version_deleted_is_overwritten_once_and_that_is_said(council: Council) -> None:
    file = council.folder / "data" / "monitor.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as earlier:
        earlier.execute("PRAGMA secure_delete = OFF")
        earlier.execute("PRAGMA user_version = 0")
        earlier.execute("UPDATE message SET text = '', html = ''")
    assert b"Put right" in bytes_of_database(council)

    rehearsed, first, second = purge(council, day(20), dry_run=True), purge(council, day(20)), purge(council, day(20))

    assert [purged.rewritten for purged in (rehearsed, first, second)] == [True, True, False]
    assert "The database is written anew: an earlier version did not overwrite what it deleted" in describe(
        first, dry_run=False
    )
    assert b"Put right" not in bytes_of_database(council)


@pytest.mark.parametrize("version", [0, 1])
def test_a_purge_while_another_program_reads_says_what_stays_and_the_next_finishes(
    council: Council, version: int
) -> None:
    with closing(sqlite3.connect(council.folder / "data" / "monitor.db", isolation_level=None)) as reader:
        reader.execute(f"PRAGMA user_version = {version}")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchone()
        (problem,) = purge(council, LATER, wait_seconds=0).problems
        reader.execute("COMMIT")
    assert "another program is reading it, so what was deleted is still in its files" in problem
    unfinished = "SELECT count(*) FROM removal WHERE finished_at IS NULL"
    assert council.rows(unfinished) == [(1,)]

    assert purge(council, LATER).problems == ()

    assert council.rows(unfinished) == [(0,)]
    assert b"Put right" not in bytes_of_database(council)


def test_old_logs_beside_the_one_in_use_go_and_it_stays(council: Council) -> None:
    for name in ("monitor.log", "monitor.log.1", "monitor.log.2"):
        (council.folder / name).write_text("a line\n", encoding="utf-8")
    for name in ("monitor.log", "monitor.log.2"):
        os.utime(council.folder / name, (0, 0))
    with council.config_path.open("a", encoding="utf-8") as file:
        file.write('\n[service]\nlog_file = "monitor.log"\n')

    purged = purge(council, day(20))

    assert purged.removed == {"logs": 1}
    assert not (council.folder / "monitor.log.2").exists()
    assert (council.folder / "monitor.log").exists()
