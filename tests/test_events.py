"""The chain of events: whatever is changed afterwards is named."""

import datetime as dt
from pathlib import Path

from monitor.store import events
from monitor.store.database import Database, open_store
from monitor.store.events import Event
from monitor.store.tables import FlagEvent, table_of

NIGHT = dt.date(2026, 1, 5)
NOW = dt.datetime(2026, 1, 5, 2, 30, tzinfo=dt.UTC)


def store_with_three_events(folder: Path) -> Database:
    database = open_store(f"sqlite:///{folder / 'monitor.db'}")
    with database.writing() as store:
        first = [Event("opened", 1, "P001", "homeless", "No fixed abode"), Event("opened", 2, "P002", "neet", "G5")]
        events.record(store, first, as_at=NIGHT, recorded_at=NOW, run_id=1)
        last = [Event("resolved", 1, "P001", "homeless", "cleared", by="A. Person")]
        events.record(store, last, as_at=NIGHT, recorded_at=NOW, run_id=2)
    return database


def first_broken(database: Database) -> int | None:
    """The id of the first row of the chain that does not hold."""
    with database.reading() as store:
        fault = events.find_fault(events.walk(store))
    return fault[0].id if fault else None


def change(database: Database, **values: object) -> None:
    table = table_of(FlagEvent)
    with database.writing() as store:
        store.execute(table.update().where(table.c.id == 2).values(values))


def test_an_untouched_chain_verifies(tmp_path: Path) -> None:
    database = store_with_three_events(tmp_path)

    assert first_broken(database) is None


def test_a_changed_payload_is_named(tmp_path: Path) -> None:
    database = store_with_three_events(tmp_path)

    change(database, payload='{"kind":"opened"}')

    assert first_broken(database) == 2


def test_a_changed_column_is_named(tmp_path: Path) -> None:
    database = store_with_three_events(tmp_path)

    change(database, as_at=dt.date(2025, 1, 5))

    assert first_broken(database) == 2


def test_a_removed_row_is_named_at_the_next_one(tmp_path: Path) -> None:
    database = store_with_three_events(tmp_path)
    table = table_of(FlagEvent)
    with database.writing() as store:
        store.execute(table.delete().where(table.c.id == 2))

    assert first_broken(database) == 3


def test_removing_what_an_event_says_keeps_the_chain_valid(tmp_path: Path) -> None:
    database = store_with_three_events(tmp_path)

    change(database, payload=None, salt=None)

    assert first_broken(database) is None
