"""A person is removed everywhere, what stays still verifies, and whoever comes back is known again."""

import datetime as dt
import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from openpyxl import load_workbook
from sqlalchemy import Date, Text, select, text
from sqlmodel import SQLModel
from support.council import AWAY, GONE, NIGHT, OTHER, Council, copied, crowd, day, homeless, settled

from monitor.caseload import snapshot
from monitor.config.settings import load_config
from monitor.errors import Problems, Refused, SourceError
from monitor.record import last_night, remove_person
from monitor.record.purge import purge_store
from monitor.record.remove_person import RemovalAccount, RemovalRequest
from monitor.record.trace import Trace
from monitor.store import events
from monitor.store.database import Database, open_store
from monitor.store.location import locate
from monitor.store.tables import Flag, Instant, table_of

ANALYST, NORTH = "analyst@example.gov.uk", "north@example.gov.uk"
NOW = dt.datetime(2026, 1, 20, 3, 0, tzinfo=dt.UTC)


@pytest.fixture
def council(three_nights: Path, tmp_path: Path) -> Council:
    """A copy of the three nights to work on."""
    return copied(three_nights, tmp_path)


def opened(council: Council) -> Database:
    return open_store(locate(load_config(council.config_path), {}))


def purge(
    council: Council, person: str = GONE, *, reason: str = "asked to be forgotten", dry_run: bool = False
) -> RemovalAccount:
    database = opened(council)
    try:
        request = RemovalRequest(person, "A Example", reason, day(8), NOW, dry_run)
        return remove_person.remove_person(database, load_config(council.config_path), request, {})
    finally:
        database.close()


def places_that_name(council: Council, person: str) -> list[str]:
    """Every table and column, whatever there are, and every file of the data folder by its bytes, unpacked."""
    places = []
    database = opened(council)
    with database.reading() as store:
        for table in SQLModel.metadata.sorted_tables:
            for row in store.execute(select(table)).mappings():
                places += [f"{table.name}.{name}" for name, value in row.items() if person in str(value)]
    database.close()
    data = council.folder / "data"
    for path in (path for path in data.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            found = duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()
            held = any(person in str(row) for row in found)
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                held = any(person.encode() in book.read(name) for name in book.namelist())
        else:
            held = person.encode() in path.read_bytes()
        if held or person in path.name:
            places.append(path.relative_to(data).as_posix())
    return sorted(set(places))


def test_a_purge_leaves_the_person_in_no_table_column_or_file(council: Council, sqlite_keeps_deleted: None) -> None:
    before = places_that_name(council, GONE)
    assert {"person.person_id", "flag.person_id", "flag_event.payload", "message.people", "message.text"} <= set(before)
    assert {"monitor.db", f"exceptions/{NIGHT}/all.csv", f"snapshots/{NIGHT}-run-1.parquet"} <= set(before)
    assert {f"exceptions/{NIGHT}/{name}" for name in ("all.xlsx", "team-north.xlsx", "team-north.html")} <= set(before)

    account = purge(council)

    assert places_that_name(council, GONE) == []
    assert account.problems == ()
    others = places_that_name(council, OTHER)
    assert {"person.person_id", "flag.person_id", "monitor.db", f"exceptions/{day(2)}/all.csv"} <= set(others)


def test_every_table_that_can_name_a_person_is_emptied_of_them(council: Council) -> None:
    fill_every_table(council)

    purge(council)

    assert places_that_name(council, GONE) == []


FILLED = ("flag", "flag_event", "message", "message_flag", "person", "person_before", "flag_before")
"""The tables that the nights have filled."""


def fill_every_table(council: Council) -> None:
    """A row that names the person in every table and text column, so that a table added later cannot be forgotten."""
    database = opened(council)
    with database.writing() as store:
        flag = table_of(Flag)
        flag_id = store.execute(select(flag.c.id).where(flag.c.person_id == GONE)).scalars().first()
        for table in SQLModel.metadata.sorted_tables:
            if table.name in ("removal", "removed_person", "run", "profile", "measure", "indicator", "seal"):
                continue  # by what they hold, of nobody in particular
            if table.name in (
                "flag",
                "flag_event",
                "message",
                "message_flag",
                "person",
                "person_before",
                "flag_before",
            ):
                continue  # the nights have filled these
            store.execute(table.insert().values(dict(values_for(table, flag_id))))
    database.close()


def values_for(table: Any, flag_id: int | None) -> Iterator[tuple[str, Any]]:
    for column in table.c:
        kind = column.type.python_type
        if column.name == "flag_id":
            yield column.name, flag_id
        elif column.name == "message_id":
            yield column.name, 1
        elif column.name == "person_id":
            yield column.name, GONE
        elif kind in (bool, int, float):
            yield column.name, kind(991)
        elif isinstance(column.type, Date | Instant):
            yield column.name, NIGHT if isinstance(column.type, Date) else NOW
        else:
            yield column.name, f"about {GONE}, too" if isinstance(column.type, Text) else "x"


def test_the_chain_still_verifies_and_says_that_somebody_was_removed(council: Council) -> None:
    rows = council.rows("SELECT count(*) FROM flag_event")

    purge(council)

    assert council.rows("SELECT count(*) FROM flag_event WHERE kind <> 'said again'") == [(int(str(rows[0][0])) + 2,)]
    database = opened(council)
    with database.reading() as store:
        assert events.find_fault(events.walk(store)) is None
    database.close()
    ((payload,),) = council.rows("SELECT payload FROM flag_event WHERE kind = 'person removed'")
    said = json.loads(str(payload))
    assert (said["by"], said["why"]) == ("A Example", "asked to be forgotten")
    assert said["events_emptied"] == council.rows("SELECT count(*) FROM flag_event WHERE payload IS NULL")[0][0]


def test_kept_caseloads_are_written_anew_and_the_ledger_knows_their_new_hash(council: Council) -> None:
    account = purge(council)

    folder = council.folder / "data" / "snapshots"
    runs = council.rows("SELECT snapshot, snapshot_sha256 FROM run ORDER BY id")
    assert sorted(path.name for path in folder.iterdir()) == sorted(str(name) for name, _ in runs)
    assert [snapshot.fingerprint(folder / str(name)) for name, _ in runs] == [sha for _, sha in runs]
    assert account.nights == (NIGHT, day(1), day(2))
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{folder / str(runs[0][0])}')").fetchall() == [(24,)]


def test_the_last_nights_lists_are_made_again_without_the_person_and_those_of_older_nights_go(council: Council) -> None:
    exceptions = council.folder / "data" / "exceptions"
    last = exceptions / day(2).isoformat()
    flagged = (last / "all.csv").read_bytes().splitlines(keepends=True)
    assert any(GONE.encode() in line for line in flagged)
    others = {path: path.read_bytes() for path in exceptions.rglob("*.csv") if GONE.encode() not in path.read_bytes()}

    account = purge(council)

    assert (last / "all.csv").read_bytes() == b"".join(line for line in flagged if GONE.encode() not in line)
    for name in ("all.xlsx", "team-north.xlsx"):
        rows = [row for row in load_workbook(last / name)["Flags"].iter_rows(values_only=True) if row[0]]
        assert (OTHER in {row[0] for row in rows}, GONE in str(rows)) == (True, False)
    page = (last / "team-north.html").read_text(encoding="utf-8")
    assert (f'data-person="{OTHER}"' in page, GONE in page) == (True, False)
    assert {path: path.read_bytes() for path in others} == others
    actions = {change.path.relative_to(exceptions).as_posix(): change.action for change in account.files
               if change.path.is_relative_to(exceptions)}  # fmt: skip
    assert {name for name, action in actions.items() if action == "made again"} == {
        f"{day(2)}/{name}" for name in ("all.csv", "all.xlsx", "team-north.csv", "team-north.html", "team-north.xlsx")
    }
    assert f"{NIGHT}/all.csv" in actions
    assert not (exceptions / NIGHT.isoformat() / "all.csv").exists()
    told = remove_person.describe(account)
    assert told.index("  files removed:") < told.index(f"    {exceptions / NIGHT.isoformat() / 'all.csv'}")


def test_the_latest_report_is_made_again_without_the_person(council: Council) -> None:
    report = council.folder / "data" / "report" / "report.html"
    report.parent.mkdir()
    report.write_text(f"<p>{GONE} is out of touch</p>", encoding="utf-8")

    account = purge(council)

    assert [change.action for change in account.files if change.path == report] == ["made again"]
    assert GONE not in report.read_text(encoding="utf-8")
    assert "</html>" in report.read_text(encoding="utf-8")


def test_lists_that_cannot_be_made_again_go_and_that_is_said(council: Council) -> None:
    (council.folder / "rules" / "homeless.toml").write_text("title = 1\n", encoding="utf-8")

    account = purge(council)

    assert places_that_name(council, GONE) == []
    assert {change.action for change in account.files} == {"removed"}
    assert any("the last night wait for the next one: " in line and "homeless.toml" in line for line in account.outside)
    assert (account.exit_code, council.rows("SELECT count(*) FROM removal WHERE finished_at IS NULL")) == (0, [(0,)])


def test_exports_and_logs_that_name_the_person_go_and_a_file_of_somebody_elses_is_left_to_them(
    council: Council,
) -> None:
    data = council.folder / "data"
    council.config_path.write_text(
        council.config_path.read_text(encoding="utf-8") + '[service]\nlog_file = "data/monitor.log"\n', encoding="utf-8"
    )
    (data / "logs").mkdir()
    for name in ("monitor.log", "monitor.log.1", "logs/of-the-task", "mine.json", "notes.odt"):
        (data / name).write_text(f'[{{"person_id": "{GONE}"}}, {{"person_id": "{OTHER}"}}]\n', encoding="utf-8")
    (data / "others.json").write_text(f'[{{"person_id": "{OTHER}"}}]\n', encoding="utf-8")

    with (data / "monitor.log").open("ab") as log:  # as the service has it open
        account = purge(council)
        log.write(b"service goes on\n")

    assert places_that_name(council, GONE) == ["notes.odt"]
    assert "notes.odt: names this person and is of a kind that the monitor does not make" in account.problems[0]
    gone = ("monitor.log.1", "logs/of-the-task", "mine.json")
    assert [name for name in gone if (data / name).exists()] == []
    assert (data / "others.json").exists()
    assert (data / "monitor.log").read_text(encoding="utf-8") == "service goes on\n"
    assert account.exit_code == 1
    (data / "notes.odt").unlink()
    assert purge(council).exit_code == 0


def test_nobody_is_removed_while_a_source_still_has_them(council: Council) -> None:
    with pytest.raises(Refused, match=r'Q-7732: still in source "caseload".*taken out there first'):
        purge(council, OTHER)

    assert "person.person_id" in places_that_name(council, OTHER)


def test_nobody_is_removed_while_a_source_cannot_be_read(council: Council) -> None:
    (council.folder / "list-9.csv").unlink()

    with pytest.raises(SourceError, match=r"list-9\.csv"):
        purge(council)


def test_an_id_that_nothing_is_held_about_is_said(council: Council) -> None:
    with pytest.raises(Problems, match=r"nothing is held about anybody of that id.*leading zeros"):
        purge(council, "Q-0000")


def test_who_and_why_stay_on_record_and_may_not_hold_the_id(council: Council) -> None:
    with pytest.raises(Problems, match="--reason: holds the id"):
        purge(council, reason=f"{GONE} asked for it")


def test_a_rehearsal_counts_the_same_and_changes_nothing(council: Council) -> None:
    before = places_that_name(council, GONE)

    rehearsed = purge(council, dry_run=True)

    assert places_that_name(council, GONE) == before
    account = purge(council)
    assert (rehearsed.rows, rehearsed.files, rehearsed.nights) == (account.rows, account.files, account.nights)


@pytest.mark.parametrize(
    "stage",
    [
        "before the transaction",
        "before the files",
        "before the lists",
        "between the lists",
        "before the file of the database",
    ],
)
def test_a_removal_that_is_killed_is_completed_by_the_same_command(
    council: Council, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        if stage == "before the transaction":
            patched.setattr(remove_person, "_save_removal", die)
        elif stage == "before the files":
            patched.setattr(remove_person, "_finish_files", die)
        elif stage == "before the lists":
            patched.setattr(remove_person, "change_files", die)
        elif stage == "between the lists":
            patched.setattr(last_night, "export_flags", die)
        else:
            patched.setattr(Database, "compact", die)
        with pytest.raises(Killed):
            purge(council)

    account = purge(council)

    assert account.completed == (stage != "before the transaction")
    assert places_that_name(council, GONE) == []
    assert council.rows("SELECT count(*) FROM removal WHERE finished_at IS NULL") == [(0,)]
    assert [name for (name,) in council.rows("SELECT kind FROM removal")].count("person") >= 1
    database = opened(council)
    with database.reading() as store:
        assert events.find_fault(events.walk(store)) is None
    database.close()


def test_a_message_that_waits_is_withdrawn_and_the_rest_of_it_told_the_next_night(council: Council) -> None:
    waiting = "UPDATE message SET state = 'created', accepted_at = NULL WHERE recipient = :lead"
    database = opened(council)
    with database.writing() as store:
        store.execute(text(waiting), {"lead": NORTH})
    database.close()

    purge(council)
    council.night(day(3), everyone_else())

    (told,) = council.mail_to(NORTH, day(3))
    assert OTHER in told.text
    assert "newly critical" in told.subject
    assert GONE not in told.text
    assert council.rows(f"SELECT DISTINCT state FROM message WHERE recipient = '{NORTH}' AND text = ''") == [
        ("replaced",)
    ]


def everyone_else() -> list[dict[str, str]]:
    return [homeless(OTHER), settled("P1"), homeless("P2"), *crowd(20)]


def test_a_flag_that_opens_after_a_removal_does_not_take_a_removed_flags_number(council: Council) -> None:
    purge(council)
    database = opened(council)
    with database.writing() as store:
        store.execute(text("UPDATE flag_event SET flag_id = 9000 WHERE payload IS NULL"))
    database.close()

    council.night(day(3), [*everyone_else(), homeless("P9")])

    assert council.rows("SELECT min(id) > 9000 FROM flag WHERE person_id = 'P9'") == [(1,)]


def test_whoever_comes_back_is_watched_again_and_named_to_the_analyst_unless_restricted(council: Council) -> None:
    purge(council)
    purge(council, AWAY)
    (council.folder / "restricted.txt").write_text(f"{AWAY}\n", encoding="utf-8")

    council.night(day(9), [homeless(GONE), homeless(AWAY), *everyone_else()])

    assert council.flags()[(GONE, "homeless")] == "open"
    (mail,) = council.mail_to(ANALYST, day(9))
    assert f"{GONE}: removed on 20 January 2026, back in caseload" in " ".join(mail.text.split())
    assert "Removed, and back again (2)" in mail.text
    assert "Removed, and back again (2)" in mail.html
    assert "1 on the restricted list" in mail.text
    assert AWAY not in mail.text + mail.html
    back = council.rows("SELECT person_id, back_in FROM removed_person ORDER BY removal_id")
    assert back == [(GONE, "caseload"), (AWAY, "caseload")]


def test_a_night_put_right_takes_a_return_back_and_they_can_be_removed_again(council: Council) -> None:
    purge(council)
    council.night(day(9), [homeless(GONE), *everyone_else()])

    council.night(day(9), everyone_else(), again=True, by="A Example")

    assert council.rows("SELECT person_id, back_on FROM removed_person") == [(None, None)]
    purge(council)
    assert places_that_name(council, GONE) == []
    assert council.rows("SELECT count(*) FROM removed_person") == [(2,)]


def test_what_is_beyond_reach_is_said_with_what_to_do(council: Council) -> None:
    shared = council.folder / "shared"
    shared.mkdir()
    (shared / "team-north.csv").write_text(f"person_id\n{GONE}\n", encoding="utf-8")
    (council.folder / "merged.csv").write_text(f"old_id,new_id\n{GONE},{OTHER}\n", encoding="utf-8")
    (council.folder / "restricted.txt").write_text(f"{GONE}\n", encoding="utf-8")
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(
        config.replace("workbooks = true", 'workbooks = true\nlists_folder = "shared"'), encoding="utf-8"
    )

    said = "\n".join(remove_person.describe(purge(council)))

    assert re.search(rf"went to {ANALYST}, .*{NORTH} between", said)
    assert "1 lists in" in said
    assert "team-north.csv" in said
    assert "Backups of the data folder and the database from before today still hold this person" in said
    assert "restricted.txt (restricted) names this id: take the line out" in said
    assert f"the same person as {OTHER}, whose record is still here" in said
    assert GONE not in said.replace(str(council.folder), "")


def test_a_kept_caseload_that_cannot_be_read_is_a_problem_and_the_rest_goes(council: Council) -> None:
    damaged = council.folder / "data" / "snapshots" / f"{NIGHT}-run-1.parquet"
    damaged.write_bytes(b"not a caseload at all")

    account = purge(council)

    assert account.exit_code == 1
    assert "cannot be read, so nobody can tell whom it holds" in account.problems[0]
    assert places_that_name_in_database(council) == []
    assert council.rows("SELECT count(*) FROM removal WHERE finished_at IS NULL") == [(1,)]
    damaged.unlink()
    assert purge(council).exit_code == 0


def places_that_name_in_database(council: Council) -> list[str]:
    database = opened(council)
    with database.reading() as store:
        found = [
            table.name for table in SQLModel.metadata.sorted_tables if GONE in str(store.execute(select(table)).all())
        ]
    database.close()
    return found


def test_a_caseload_that_had_been_altered_is_still_named_as_altered_afterwards(council: Council) -> None:
    path = council.folder / "data" / "snapshots" / f"{NIGHT}-run-1.parquet"
    duckdb.sql(
        f"COPY (SELECT * FROM read_parquet('{path}') WHERE person_id <> 'C001') TO '{path}.new' (FORMAT parquet)"
    )
    os.replace(f"{path}.new", path)

    purge(council)

    (name, sha) = council.rows("SELECT snapshot, snapshot_sha256 FROM run WHERE id = 1")[0]
    assert snapshot.fingerprint(path.parent / str(name)) != sha


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("Q-7731 was told", True),
        ("(Q-7731)", True),
        ("Q-77311", False),
        ("XQ-7731", False),
        ("2026-Q-7731-x", False),
    ],
)
def test_an_id_is_found_whole_and_never_inside_another(words: str, named: bool) -> None:
    assert Trace(GONE).is_in(words) is named


def test_a_nightly_purge_and_a_removal_do_not_disturb_each_other(council: Council) -> None:
    purge(council)
    database = opened(council)
    later = dt.date(2029, 1, 1)

    purged = purge_store(database, load_config(council.config_path), later, NOW)

    assert purged.problems == ()
    with database.reading() as store:
        assert events.find_fault(events.walk(store)) is None
    database.close()
