"""Nothing starts on a database that forgets what stands beside it; what is missing is named, and told once."""

import datetime as dt
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless
from support.posix import is_private
from support.timed_service import few_rules

from monitor.errors import StoreError
from monitor.outbox import sent_file
from monitor.record import heads
from monitor.words import write_count

NORTH, ANALYST = "north@example.gov.uk", "analyst@example.gov.uk"
PEOPLE = [homeless("P1"), *crowd(12)]
SECOND = [homeless("P1"), homeless("C000"), *crowd(12)[1:]]

Wind = Callable[[], None]


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council after its first night, to be copied and never changed."""
    folder = tmp_path_factory.mktemp("council")
    council = Council(folder, few_rules(folder))
    council.night(NIGHT, PEOPLE)
    return council


def file_of(council: Council) -> Path:
    return council.folder / "data" / "monitor.db"


def put_back_the_first_night(council: Council) -> None:
    """Run the second night, and put the database of the first in the place of its own."""
    kept = council.folder / "kept.db"
    shutil.copy(file_of(council), kept)
    council.night(day(1), SECOND)
    shutil.copy(kept, file_of(council))


def lose(council: Council) -> None:
    file_of(council).unlink()


def empty(council: Council) -> None:
    file_of(council).write_bytes(b"")


def make_foreign(council: Council) -> None:
    lose(council)
    with closing(sqlite3.connect(file_of(council))) as other:
        other.execute("CREATE TABLE invoice (id INTEGER)")


def damage(council: Council) -> None:
    """Spoil a page that opening and the night's own reading need not meet."""
    content = bytearray(file_of(council).read_bytes())
    with closing(sqlite3.connect(file_of(council))) as store:
        (page,) = store.execute("SELECT rootpage FROM sqlite_master WHERE name = 'waiver'").fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    content[(page - 1) * size : page * size] = b"\x99" * size
    file_of(council).write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose, "is not there, though nights have been run here"),
        (empty, "is empty, though nights have been run here"),
        (make_foreign, "it holds what another program made (invoice)"),
        (damage, "the file is not a database, or is damaged"),
        (put_back_the_first_night, "is older than what stands beside it"),
    ],
)
def test_nothing_starts_on_a_database_that_forgets(
    one_night: Council, tmp_path: Path, harm: Callable[[Council], None], words: str
) -> None:
    council = one_night.copy_to(tmp_path)
    harm(council)
    mails, told, before = (
        len(council.mail()),
        len(council.mail_to(ANALYST)),
        file_of(council).read_bytes() if file_of(council).exists() else None,
    )
    run = ["run", "--as-at", str(day(2))]

    for command in (run, [*run, "--dry-run"], ["check"], ["deliver"], ["start"]):
        if command in (["deliver"], ["start"]) and harm is damage:
            continue  # its pages are looked through before a night
        done = monitor(tmp_path, *command)
        said = " ".join((done.stderr + done.stdout).split())
        assert done.returncode == 3, (command, said)
        assert words in said
        assert "monitor restore FILE --by NAME" in said
    status = monitor(tmp_path, "status")
    if harm is not damage:
        assert words in " ".join(status.stdout.split())
    assert status.returncode == 1
    alarms = 1 if harm is damage else 2  # of the night, and of the day on which the service was started
    assert (len(council.mail()) - mails, len(council.mail_to(ANALYST)) - told) == (alarms, alarms)
    assert (file_of(council).read_bytes() if file_of(council).exists() else None) == before


@pytest.mark.parametrize("harm", [lose, put_back_the_first_night])
def test_what_is_missing_is_named(one_night: Council, tmp_path: Path, harm: Callable[[Council], None]) -> None:
    council = one_night.copy_to(tmp_path)
    with council.open_database() as database, database.reading() as store:
        first = store.execute(text("SELECT count(*) FROM flag_event")).scalar_one()
    if harm is lose:
        council.night(day(1), SECOND)
    harm(council)
    all_heads, sent = heads.read(tmp_path / "data").lines, sent_file.read(tmp_path / "data", 0)

    with pytest.raises(StoreError) as fault:
        council.night(day(2), SECOND)

    decisions = all_heads[-1].event_id - (0 if harm is lose else first)
    lost = [line for line in sent if harm is lose or line.as_at == day(1)]
    assert lost
    nights = "the nights of 12 January 2026, 13 January 2026" if harm is lose else "the night of 13 January 2026"
    decided = write_count(decisions, "decision")
    assert f"not in it: {nights}, {decided}, {len(lost)} messages that were sent already" in str(fault.value)


@pytest.mark.parametrize("harm", [lose, empty, put_back_the_first_night])
def test_somebody_may_go_on_without_it_on_record_and_is_asked_once(
    one_night: Council, tmp_path: Path, harm: Callable[[Council], None]
) -> None:
    council = one_night.copy_to(tmp_path)
    harm(council)

    night = council.night(day(2), SECOND, accept="no backup was made", by="A Head")
    council.night(day(3))

    assert night.outcome == "accepted"
    ((payload,),) = council.rows("SELECT payload FROM flag_event WHERE kind = 'gap accepted'")
    assert '"by":"A Head"' in str(payload)
    assert '"why":"no backup was made"' in str(payload)
    had = "13 January 2026" if harm is put_back_the_first_night else "12 January 2026"
    (mail,) = council.mail_to(NORTH, day(2))
    assert f"may have had this on {had}" in " ".join(mail.text.split()) or had in mail.text
    assert council.rows("SELECT count(*) FROM flag_event WHERE kind = 'night accepted anyway'") == [(0,)]
    assert monitor(tmp_path, "audit").returncode == 0


def test_what_was_known_to_a_database_that_is_lost_in_turn_is_missing_again(one_night: Council, tmp_path: Path) -> None:
    council = one_night.copy_to(tmp_path)
    lose(council)
    council.night(day(2), SECOND, accept="no backup was made", by="A Head")
    sent = len((tmp_path / "data" / "sent.txt").read_text(encoding="utf-8").splitlines()) - 1
    lose(council)

    with pytest.raises(StoreError, match=f"{sent} messages that were sent already"):
        council.night(day(3))


def test_a_message_sent_after_the_backup_is_not_sent_again(tmp_path: Path) -> None:
    """Written at night, kept in the backup, sent in the morning, and then the backup was put back by hand."""
    council = Council(tmp_path, few_rules(tmp_path))
    council.clock = dt.datetime(2026, 1, 11, 2, 30, tzinfo=dt.UTC)
    council.night(NIGHT, PEOPLE, unattended=True)
    kept = tmp_path / "kept.db"
    shutil.copy(file_of(council), kept)
    morning = dt.datetime(2026, 1, 12, 8, 5, tzinfo=dt.UTC)
    council.deliver(morning)
    shutil.copy(kept, file_of(council))

    with pytest.raises(StoreError, match="messages that were sent already"):
        council.night(day(1), PEOPLE)
    council.night(day(1), PEOPLE, accept="put back by hand", by="A Head")

    assert len(council.mail_to(NORTH, NIGHT)) == 1
    (second,) = council.mail_to(NORTH, day(1))
    assert "12 January 2026" in second.text
    assert council.rows(f"SELECT state FROM message WHERE recipient = '{NORTH}' AND as_at = '{NIGHT}'") == [
        ("technical-failure",)
    ]


def test_the_file_of_what_was_sent_names_nobody_and_is_its_owners_alone(one_night: Council) -> None:
    file = one_night.folder / "data" / "sent.txt"
    content = file.read_text(encoding="utf-8")

    assert len(sent_file.read(file.parent, 0)) == len(one_night.mail())
    assert "@" not in content
    assert "P1" not in content
    assert is_private(file)


def test_a_line_that_was_cut_short_hides_no_other(tmp_path: Path) -> None:
    now = dt.datetime(2026, 1, 12, 8, tzinfo=dt.UTC)
    lines = [sent_file.describe(f"key-{n}", NORTH, (now, NIGHT, "lead", n)) for n in (1, 2)]
    sent_file.append(tmp_path, lines[0])
    with (tmp_path / "sent.txt").open("ab") as file:
        file.write(b"2026-01-12T08:00")
    sent_file.append(tmp_path, lines[1])

    assert sent_file.read(tmp_path, 0) == tuple(lines)
    assert sent_file.parse(sent_file.read_ending(tmp_path), 0)[-1] == lines[1]
    assert lines[1].went_to("North@Example.gov.uk ")


# PostgreSQL


@pytest.fixture
def after_a_night(tmp_path: Path, new_database: Callable[[], str]) -> Council:
    council = Council(tmp_path, few_rules(tmp_path), database=new_database())
    council.night(NIGHT, PEOPLE)
    return council


@contextmanager
def server(council: Council) -> Iterator[psycopg.Connection]:
    with psycopg.connect(str(council.database), autocommit=True) as store:
        yield store


def test_another_program_s_schema_is_left_alone(tmp_path: Path, new_database: Callable[[], str]) -> None:
    council = Council(tmp_path, few_rules(tmp_path), database=new_database())
    council.write(PEOPLE)
    with server(council) as store:
        store.execute("CREATE TABLE invoice (id INTEGER)")

    for command in (["run", "--as-at", str(NIGHT)], ["run", "--dry-run", "--as-at", str(NIGHT)], ["deliver"]):
        done = monitor(tmp_path, *command)
        assert (done.returncode, "what another program made (invoice)" in done.stderr) == (3, True), done.stderr
    monitor(tmp_path, "status")
    with server(council) as store:
        assert store.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchone() == (1,)


def test_a_schema_that_was_emptied_or_has_lost_a_table_is_refused(after_a_night: Council) -> None:
    with server(after_a_night) as store:
        store.execute("ALTER TABLE waiver RENAME TO elsewhere")
    with pytest.raises(StoreError, match="tables of the monitor are missing from it: waiver"):
        after_a_night.night(day(1), PEOPLE)

    with server(after_a_night) as store:
        store.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with pytest.raises(StoreError, match=r"is empty, though nights have been run here; not in it: the night of 12 Jan"):
        after_a_night.night(day(1), PEOPLE)
    night = after_a_night.night(day(1), PEOPLE, accept="lost", by="A Head")

    assert night.outcome == "accepted"


def test_a_server_put_back_to_an_earlier_state_is_refused(after_a_night: Council) -> None:
    after_a_night.night(day(1), SECOND)
    with server(after_a_night) as store:
        store.execute("DELETE FROM attempt WHERE message_id IN (SELECT id FROM message WHERE as_at = '2026-01-13')")
        store.execute("DELETE FROM message WHERE as_at = '2026-01-13'")
        store.execute("DELETE FROM run WHERE as_at = '2026-01-13'")

    with pytest.raises(StoreError, match=r"is older than what stands beside it.*: the night of 13"):
        after_a_night.night(day(2), SECOND)
