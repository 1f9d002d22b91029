"""The chain of events: whatever is changed afterwards is named."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.store import events
from monitor.store.database import Database, open_store, working_store
from monitor.store.events import Event
from monitor.store.tables import FlagEvent, table_of
from monitor.workspace import load_rows, open_workspace

NIGHT = dt.date(2026, 1, 5)
NOW = dt.datetime(2026, 1, 5, 2, 30, tzinfo=dt.UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A store with three events."""
    database = open_store(f"sqlite:///{tmp_path / 'monitor.db'}")
    with database.writing() as store:
        first = [Event("opened", 1, "P001", "homeless", "No fixed abode"), Event("opened", 2, "P002", "neet", "G5")]
        events.record(store, first, as_at=NIGHT, recorded_at=NOW, run_id=1)
        last = [Event("resolved", 1, "P001", "homeless", "cleared", by="A. Person")]
        events.record(store, last, as_at=NIGHT, recorded_at=NOW, run_id=2)
    yield database
    database.close()


def first_broken(database: Database) -> int | None:
    """The id of the first row of the chain that does not hold."""
    with database.reading() as store:
        fault = events.find_fault(events.walk(store))
    return fault[0].id if fault else None


def change(database: Database, **values: object) -> None:
    table = table_of(FlagEvent)
    with database.writing() as store:
        store.execute(table.update().where(table.c.id == 2).values(values))


def test_an_untouched_chain_verifies(database: Database) -> None:
    assert first_broken(database) is None


def test_a_changed_payload_is_named(database: Database) -> None:
    change(database, payload='{"kind":"opened"}')

    assert first_broken(database) == 2


def test_a_changed_column_is_named(database: Database) -> None:
    change(database, as_at=dt.date(2025, 1, 5))

    assert first_broken(database) == 2


def test_a_removed_row_is_named_at_the_next_one(database: Database) -> None:
    table = table_of(FlagEvent)
    with database.writing() as store:
        store.execute(table.delete().where(table.c.id == 2))

    assert first_broken(database) == 3


def test_removing_what_an_event_says_keeps_the_chain_valid(database: Database) -> None:
    change(database, payload=None, salt=None)

    assert first_broken(database) is None


def record_by_query(folder: Path, happened: list[Event]) -> list[events.ChainRow]:
    """Record the same events from Python and from the workspace; the chain as the workspace's made it."""
    workspace = open_workspace()
    rows = [
        (e.kind, e.flag_id, e.person_id, e.rule, e.why, *(e.detail.get(name) for name in DETAILS)) for e in happened
    ]
    load_rows(workspace, "happened", {**HAPPENED, **DETAILS}, rows)
    chains = []
    for place in ("python", "workspace"):
        with working_store(f"sqlite:///{folder / place}.db") as database, database.writing() as store:
            store.execute(table_of(FlagEvent).delete())
            if place == "python":
                events.record(store, happened, as_at=NIGHT, recorded_at=NOW, run_id=7)
            else:
                stamp = events.Stamp(NIGHT, NOW, 7)
                query = events.EventQuery([*HAPPENED, *DETAILS], "SELECT * FROM happened")
                events.record_query(workspace, store, query, stamp)
            chains.append(list(events.walk(store)))
    workspace.close()
    by_python, by_workspace = chains
    assert [row.payload for row in by_workspace] == [row.payload for row in by_python]
    assert [row[:6] for row in by_workspace] == [row[:6] for row in by_python]
    return by_workspace


HAPPENED = {"kind": "VARCHAR", "flag_id": "BIGINT", "person_id": "VARCHAR", "rule": "VARCHAR", "why": "VARCHAR"}
DETAILS = {"due_on": "DATE", "severity": "VARCHAR", "continues_flag_id": "BIGINT", "earlier_spells": "INTEGER"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text("\x00\x1b\x0b\x1f\x7f\\u00\"'/\n\r\t\b\f\u2028é😀")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(
        st.tuples(TEXTS, st.none() | TEXTS, st.none() | TEXTS, st.none() | st.dates(), st.none() | st.integers(-9, 9))
    )
)
def test_an_event_made_in_the_workspace_is_byte_for_byte_the_one_made_here(
    tmp_path: Path, said: list[tuple[str, str | None, str | None, dt.date | None, int | None]]
) -> None:
    happened = [
        Event(kind, number, person, None, why, detail={"due_on": due_on, "severity": why, "continues_flag_id": other})
        for number, (kind, person, why, due_on, other) in enumerate(said, start=1)
    ]

    assert events.find_fault(record_by_query(tmp_path, happened)) is None


def test_every_character_is_written_as_before(tmp_path: Path) -> None:
    letters = [chr(n) for n in range(0x11000) if not 0xD800 <= n < 0xE000]
    happened = [Event("".join(letters[n : n + 64]), n, letters[n]) for n in range(0, len(letters), 64)]

    assert events.find_fault(record_by_query(tmp_path, happened)) is None
