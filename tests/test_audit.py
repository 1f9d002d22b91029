"""The audit names whatever was changed, taken out or put in, and says whether a printed head stands in the chain."""

import datetime as dt
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from support.council import GONE, NIGHT, OTHER, Council, copied, crowd, day, homeless, settled

from monitor.config.settings import load_config
from monitor.errors import Problems, Refused
from monitor.record import audit as auditing
from monitor.record.audit import Audit
from monitor.record.purge import purge_store
from monitor.record.remove_person import RemovalRequest, remove_person
from monitor.store import events
from monitor.store.database import Database, open_store
from monitor.store.events import Event
from monitor.store.location import locate

NOW = dt.datetime(2026, 1, 20, 3, 0, tzinfo=dt.UTC)


@pytest.fixture
def council(three_nights: Path, tmp_path: Path) -> Council:
    return copied(three_nights, tmp_path)


def opened(council: Council) -> Database:
    return open_store(locate(load_config(council.config_path), {}))


def audit(council: Council, head: str | None = None) -> Audit:
    database = opened(council)
    found = auditing.audit(database, council.folder / "data" / "snapshots", head=head)
    database.close()
    return found


def change(council: Council, *statements: str) -> None:
    database = opened(council)
    with database.writing() as store:
        for statement in statements:
            store.execute(text(statement))
    database.close()


def test_a_record_that_nobody_touched_is_whole(council: Council) -> None:
    found = audit(council)

    assert (found.problems, found.exit_code, found.broken) == ((), 0, None)
    assert (found.events, found.snapshots) == (council.rows("SELECT count(*) FROM flag_event")[0][0], 3)
    assert auditing.describe(found)[-1] == "the record is whole"


@pytest.mark.parametrize(
    ("statement", "row", "why"),
    [
        ("UPDATE flag_event SET payload = replace(payload, 'P1', 'P9') WHERE id = 1", 1, "what it says was changed"),
        ("UPDATE flag_event SET as_at = '2025-01-01' WHERE id = 2", 2, "its columns are not what it says"),
        ("UPDATE flag_event SET payload = NULL WHERE id = 2", 2, "emptied by hand, and only in part"),
        ("DELETE FROM flag_event WHERE id = 2", 3, "does not follow from the row before it"),
        ("DELETE FROM flag_event WHERE id = 1", 2, "is not the first"),
        ("UPDATE flag_event SET commitment = hash WHERE id = 3", 3, "does not follow from the row before it"),
        (
            "INSERT INTO flag_event SELECT 9000, flag_id, run_id, kind, as_at, recorded_at, payload, salt, commitment, "
            "hash FROM flag_event WHERE id = 1",
            9000,
            "does not follow from the row before it",
        ),
    ],
)
def test_the_first_row_that_does_not_hold_is_named(council: Council, statement: str, row: int, why: str) -> None:
    change(council, statement)

    found = audit(council)

    assert found.exit_code == 1
    assert found.broken is not None
    assert found.broken.id == row
    assert why in found.problems[0]
    assert f"event {row} (" in found.problems[0]


def test_a_row_emptied_by_hand_is_not_taken_for_a_purge(council: Council) -> None:
    change(council, "UPDATE flag_event SET payload = NULL, salt = NULL WHERE id = 2")

    found = audit(council)

    assert found.broken is None
    assert "1 events have been emptied, and purges on record emptied 0" in found.problems[0]


def test_what_a_purge_emptied_is_on_record_and_holds(council: Council) -> None:
    database = opened(council)
    config = load_config(council.config_path)
    remove_person(database, config, RemovalRequest(GONE, "A", "asked", day(8), NOW), {})
    purge_store(database, config, dt.date(2029, 1, 1), NOW)
    database.close()

    found = audit(council)

    assert found.problems == ()
    assert found.emptied > 0


def test_a_head_on_a_digest_is_found_with_what_came_after_it(council: Council) -> None:
    (mail,) = council.mail_to("north@example.gov.uk", NIGHT)
    printed = mail.text.split("Record sealed at ")[1].split()[0]

    found = audit(council, printed)

    assert found.exit_code == 0
    assert found.sought is not None
    assert found.sought.id is not None
    assert found.sought.id + found.sought.later == found.events
    assert found.sought.printed.startswith(printed)


def test_rows_taken_off_the_end_are_seen_by_the_head_that_was_printed(council: Council) -> None:
    head = audit(council).head
    change(council, "DELETE FROM flag_event WHERE id = (SELECT max(id) FROM flag_event)")

    found = audit(council, head)

    assert found.broken is None
    assert any("not in the chain" in problem for problem in found.problems)


@pytest.mark.parametrize("head", ["abc", "not-a-hash-at-all", ""])
def test_what_is_no_head_is_refused(council: Council, head: str) -> None:
    with pytest.raises(Problems, match="not a head"):
        audit(council, head)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(("harm", "words"), [(Path.unlink, "is missing"), (damage, "was altered after it was kept")])
def test_a_kept_caseload_that_is_gone_or_altered_is_named(
    council: Council, harm: Callable[[Path], None], words: str
) -> None:
    harm(council.folder / "data" / "snapshots" / f"{NIGHT}-run-1.parquet")

    (problem,) = audit(council).problems

    assert problem == f"night {NIGHT}: its kept caseload {NIGHT}-run-1.parquet {words}"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE flag SET resolved_on = NULL, resolved_reason = NULL WHERE person_id = 'P1'", "stands as open"),
        ("UPDATE flag SET resolved_on = '2026-01-20' WHERE person_id = 'P2'", "stands as resolved on 2026-01-20"),
        ("UPDATE flag SET resolved_on = '2026-01-10' WHERE person_id = 'P1'", "stands as resolved on 2026-01-10"),
        ("UPDATE flag SET held_since = '2026-01-20' WHERE person_id = 'P2'", "stands as held"),
        ("DELETE FROM flag WHERE person_id = 'P1'", "no longer in the list of flags"),
        (
            "INSERT INTO flag (id, person_id, rule, severity, opened_on, opened_run_id, in_breach_since, because, "
            "earlier_spells) VALUES (9000, 'P7', 'homeless', 'high', '2026-01-12', 1, '2026-01-12', '', 0)",
            "no event ever told of it",
        ),
    ],
)
def test_a_flag_that_disagrees_with_its_events_is_named(council: Council, statement: str, words: str) -> None:
    change(council, statement)

    found = audit(council)

    assert found.broken is None
    assert words in found.problems[0]


def test_no_person_is_named_by_an_audit(council: Council) -> None:
    change(council, "UPDATE flag SET resolved_on = NULL WHERE person_id = 'P1'")

    found = audit(council)

    said = "\n".join(auditing.describe(found)) + json.dumps(found.as_dict(), default=str)
    assert "P1" not in said


def test_a_night_put_right_agrees_with_its_events(council: Council) -> None:
    council.night(day(2), [homeless("P1"), settled("P2"), homeless(OTHER), *crowd(20)], again=True, by="A Example")

    assert audit(council).problems == ()


def test_a_long_chain_is_walked_in_little_memory(tmp_path: Path) -> None:
    database = open_store(f"sqlite:///{tmp_path / 'monitor.db'}")  # type: ignore[arg-type]
    with database.writing() as store:
        many = (Event("looked at", person_id=f"P{n}") for n in range(12_000))
        events.record(store, many, as_at=NIGHT, recorded_at=NOW)

    tracemalloc.start()
    found = auditing.audit(database, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    database.close()

    assert (found.events, found.problems) == (12_000, ())
    assert peak < 6_000_000


def test_an_empty_record_is_whole(tmp_path: Path) -> None:
    database = open_store(f"sqlite:///{tmp_path / 'monitor.db'}")  # type: ignore[arg-type]

    found = auditing.audit(database, tmp_path)

    assert (found.events, found.head, found.problems) == (0, events.GENESIS, ())
    database.close()
    shutil.rmtree(tmp_path)


def test_every_message_of_a_night_carries_the_head(council: Council) -> None:
    with pytest.raises(Refused):
        council.night(day(3), crowd(2))

    mails = council.mail()

    assert {"north@example.gov.uk", "analyst@example.gov.uk"} <= {mail.to for mail in mails}
    assert [mail.subject for mail in mails if "Record sealed at" not in mail.text] == []
    assert [mail.subject for mail in mails if "Record sealed at" not in mail.html] == []
