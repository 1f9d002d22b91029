"""The chain of events: whatever is changed afterwards is named."""

import datetime as dt
from pathlib import Path

from sqlalchemy import select

from monitor.store import events
from monitor.store.database import Store, open_store
from monitor.store.events import Event
from monitor.store.tables import FlagEvent, table_of

NIGHT = dt.date(2026, 1, 5)
NOW = dt.datetime(2026, 1, 5, 2, 30, tzinfo=dt.UTC)


def store_with_three_events(folder: Path) -> Store:
    store = open_store(f"sqlite:///{folder / 'monitor.db'}")
    with store.writing() as connection:
        first = [Event("opened", 1, "P001", "homeless", "No fixed abode"), Event("opened", 2, "P002", "neet", "G5")]
        events.record(connection, first, as_at=NIGHT, recorded_at=NOW, run_id=1)
        last = [Event("resolved", 1, "P001", "homeless", "cleared", by="A. Person")]
        events.record(connection, last, as_at=NIGHT, recorded_at=NOW, run_id=2)
    return store


def first_broken(store: Store) -> int | None:
    table = table_of(FlagEvent)
    columns = [table.c[name] for name in events.COLUMNS]
    with store.reading() as connection:
        return events.first_broken(connection.execute(select(*columns).order_by(table.c.id)).all())


def change(store: Store, **values: object) -> None:
    table = table_of(FlagEvent)
    with store.writing() as connection:
        connection.execute(table.update().where(table.c.id == 2).values(values))


def test_an_untouched_chain_verifies(tmp_path: Path) -> None:
    store = store_with_three_events(tmp_path)

    assert first_broken(store) is None


def test_a_changed_payload_is_named(tmp_path: Path) -> None:
    store = store_with_three_events(tmp_path)

    change(store, payload='{"kind":"opened"}')

    assert first_broken(store) == 2


def test_a_changed_column_is_named(tmp_path: Path) -> None:
    store = store_with_three_events(tmp_path)

    change(store, as_at=dt.date(2025, 1, 5))

    assert first_broken(store) == 2


def test_a_removed_row_is_named_at_the_next_one(tmp_path: Path) -> None:
    store = store_with_three_events(tmp_path)
    table = table_of(FlagEvent)
    with store.writing() as connection:
        connection.execute(table.delete().where(table.c.id == 2))

    assert first_broken(store) == 3


def test_removing_what_an_event_says_keeps_the_chain_valid(tmp_path: Path) -> None:
    store = store_with_three_events(tmp_path)

    change(store, payload=None, salt=None)

    assert first_broken(store) is None
