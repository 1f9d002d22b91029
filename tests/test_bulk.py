"""Many rows between the store and the workspace: whatever their texts hold, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.council import NIGHT, day

from monitor.store import bulk
from monitor.store.bulk import insert_query, insert_rows, is_among, load_query, update_query
from monitor.store.database import Database, working_store
from monitor.store.tables import Flag, table_of
from monitor.workspace import Workspace, load_rows, open_workspace

ODD_TEXTS = [
    "tab\there",
    "line\nbreak\r\n",
    "back\\slash \\N \\. \\\\ \\n \\u0041",
    'quotes \' " ` ""',
    "",
    " ",
    "null",
    "Zoë £ 日本 \U0001f600 \u2028 \u0085 \u200b e\u0301",
    "%s %% %(x)s :x $1",
    "[{},]",
    "".join(map(chr, [*range(1, 32), 127])),
]
MORE_THAN_A_CHUNK = [*ODD_TEXTS, *(f"P{n}" for n in range(bulk.CHUNK))]
FLAG = {
    "id": "BIGINT", "person_id": "VARCHAR", "rule": "VARCHAR", "severity": "VARCHAR", "opened_on": "DATE",
    "opened_run_id": "BIGINT", "in_breach_since": "DATE", "because": "VARCHAR", "earlier_spells": "INTEGER",
    "due_on": "DATE", "held_why": "VARCHAR",
}  # fmt: skip
flag = table_of(Flag)


def odd_flags(texts: list[str]) -> list[tuple[object, ...]]:
    """A flag for each text, which is its person's id, its reason and, for every second one, why it is held."""
    return [
        (n, text, "homeless", "high", NIGHT, 1, day(-n), text, 0, day(n) if n % 3 else None, text if n % 2 else None)
        for n, text in enumerate(texts, start=1)
    ]


@pytest.fixture
def opened(tmp_path: Path, database: str | None) -> Iterator[Database]:
    with working_store(database or f"sqlite:///{tmp_path / 'monitor.db'}") as opened:
        yield opened


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    workspace = open_workspace()
    yield workspace
    workspace.close()


def rows_of(workspace: Workspace, table: str) -> list[tuple[object, ...]]:
    return workspace.execute(f"SELECT * FROM {table}").fetchall()


def test_rows_reach_the_workspace_as_they_are_stored(opened: Database, workspace: Workspace) -> None:
    flags = odd_flags(MORE_THAN_A_CHUNK)
    with opened.writing() as store:
        insert_rows(store, Flag, [*FLAG], flags)

    with opened.reading() as store:
        load_query(workspace, "loaded", FLAG, store, select(*(flag.c[name] for name in FLAG)).order_by(flag.c.id))

    assert rows_of(workspace, "loaded") == flags
    kinds = workspace.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'loaded'")
    assert dict(kinds.fetchall()) == FLAG


def test_what_a_query_asks_for_is_what_is_loaded(opened: Database, workspace: Workspace) -> None:
    with opened.writing() as store:
        insert_rows(store, Flag, [*FLAG], odd_flags(["P1", "50%", "it's", "P4"]))
    kinds = {"id": "BIGINT", "days": "BIGINT"}

    with opened.reading() as store:
        for name, wanted in {
            "none": flag.c.id.in_([]),
            "three": flag.c.id.in_([1, 3, 9]),
            "before": flag.c.in_breach_since < day(-3),
            "quoted": flag.c.person_id.in_(["it's", "50%"]),
            "containing": flag.c.person_id.contains("0%", autoescape=True),
        }.items():
            query = select(flag.c.id, (flag.c.id * 2).label("twice")).where(wanted).order_by(flag.c.id)
            load_query(workspace, name, kinds, store, query)

    assert rows_of(workspace, "none") == []
    assert rows_of(workspace, "three") == [(1, 2), (3, 6)]
    assert rows_of(workspace, "before") == [(4, 8)]
    assert rows_of(workspace, "quoted") == [(2, 4), (3, 6)]
    assert rows_of(workspace, "containing") == [(2, 4)]


def test_rows_of_the_workspace_are_stored_as_they_are(opened: Database, workspace: Workspace) -> None:
    flags = odd_flags(MORE_THAN_A_CHUNK)
    load_rows(workspace, "settled", FLAG, flags)

    with opened.writing() as store:
        insert_query(workspace, store, Flag, [*FLAG], "SELECT * FROM settled")
        update_query(
            workspace, store, Flag, ["due_on", "held_why"],
            "SELECT in_breach_since, CASE WHEN id < 6 THEN because END, id FROM settled WHERE id <> 8",
        )  # fmt: skip
        insert_query(workspace, store, Flag, [*FLAG], "SELECT * FROM settled WHERE false")
        update_query(workspace, store, Flag, ["due_on"], "SELECT due_on, id FROM settled WHERE false")

    with opened.reading() as store:
        stored = store.execute(select(*(flag.c[name] for name in FLAG)).order_by(flag.c.id)).all()
    changed = [(*row[:9], row[6], row[7] if n < 6 else None) if n != 8 else row for n, row in enumerate(flags, start=1)]
    assert [tuple(row) for row in stored] == changed


def test_however_many_ids_are_named_their_rows_are_found(opened: Database, workspace: Workspace) -> None:
    with opened.writing() as store:
        insert_rows(store, Flag, [*FLAG], odd_flags(MORE_THAN_A_CHUNK))
    numbers, kinds = [*range(2, 3 * bulk.CHUNK, 2)], {"id": "BIGINT"}

    with opened.reading() as store:
        wanted = select(flag.c.id).order_by(flag.c.id)
        by_number = store.execute(wanted.where(is_among(store, flag.c.id, numbers))).scalars().all()
        load_query(
            workspace, "by_text", kinds, store, wanted.where(is_among(store, flag.c.person_id, [*ODD_TEXTS, "PX"]))
        )
        nobody = store.execute(wanted.where(is_among(store, flag.c.person_id, []))).all()

    assert by_number == [*range(2, len(MORE_THAN_A_CHUNK) + 1, 2)]
    assert rows_of(workspace, "by_text") == [(n,) for n in range(1, len(ODD_TEXTS) + 1)]
    assert nobody == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text_crosses_both_ways(tmp_path: Path, texts: list[str]) -> None:
    workspace = open_workspace()
    load_rows(workspace, "settled", FLAG, odd_flags(texts))
    with working_store(f"sqlite:///{tmp_path / 'monitor.db'}") as opened, opened.writing() as store:
        store.execute(flag.delete())
        insert_query(workspace, store, Flag, [*FLAG], "SELECT * REPLACE (id || rule AS rule) FROM settled")
        load_query(workspace, "loaded", FLAG, store, select(*(flag.c[name] for name in FLAG)).order_by(flag.c.id))

    loaded = workspace.execute("SELECT * REPLACE ('homeless' AS rule) FROM loaded").fetchall()
    workspace.close()
    assert loaded == odd_flags(texts)
