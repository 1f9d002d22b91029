"""The roster: everyone ever accepted, so that nobody drops out of sight by leaving an extract.

Loading puts it beside tonight's rows; ``decide`` works out tonight's roster; ``save`` writes only what changed.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from monitor.caseload.last_values import last_values_sql
from monitor.store.bulk import delete_rows, insert_query, is_among, load_query, update_query
from monitor.store.events import Event, RowsTogether, Stamp, record_payloads
from monitor.store.row_statements import record_stamped, say_gone, write_members
from monitor.store.tables import Person, PersonBefore, table_of
from monitor.workspace import Workspace, drop_tables, step

TYPES = {
    "person_id": "VARCHAR",
    "date_of_birth": "DATE",
    "strongest_category": "VARCHAR",
    "team": "VARCHAR",
    "accommodation": "VARCHAR",
    "accommodation_since": "DATE",
    "previous_accommodation": "VARCHAR",
    "previous_since": "DATE",
    "values_fingerprint": "VARCHAR",
    "first_seen_on": "DATE",
    "absent_since": "DATE",
    "died_on": "DATE",
    "alive_again_on": "DATE",
    "ended_on": "DATE",
    "left_reason": "VARCHAR",
}
"""The columns of a roster row, ``last_values`` aside, with their DuckDB types."""

READ_TO_SAVE = ("roster_before", "roster_people", "roster_stored", "roster_undone", "roster_values")
"""What ``load`` makes beside ``roster`` and nobody needs once the roster is saved."""


@step(
    reads=("tonight",),
    makes=("roster", "roster_before", "roster_people", "roster_stored", "roster_undone", "roster_values"),
)
def load(workspace: Workspace, store: Connection, *, corrects: int | None = None) -> None:
    """Make workspace table ``roster``, as it stood before run ``corrects`` if that is being put right.

    ``last_values`` is fetched only for people who are not on tonight's caseload: nobody else's is needed.
    """
    person, undo = table_of(Person), table_of(PersonBefore)
    load_query(workspace, "roster_stored", TYPES, store, select(*(person.c[name] for name in TYPES)))
    load_query(
        workspace, "roster_before", {"person_id": "VARCHAR", "before": "VARCHAR"}, store,
        select(undo.c.person_id, undo.c.row).where(undo.c.run_id == corrects),
    )  # fmt: skip
    workspace.execute(UNDONE)
    workspace.execute("""
        CREATE OR REPLACE TABLE roster_people AS
        SELECT * FROM roster_stored ANTI JOIN roster_undone USING (person_id)
        UNION ALL BY NAME
        SELECT * EXCLUDE (last_values, is_new) FROM roster_undone WHERE NOT is_new
    """)
    load_last_values(workspace, store, "roster_values", """
        SELECT person_id FROM roster_people ANTI JOIN tonight USING (person_id)
        WHERE died_on IS NULL AND ended_on IS NULL
    """)  # fmt: skip
    workspace.execute("""
        CREATE OR REPLACE TABLE roster AS
        SELECT people.*, coalesce(undone.last_values, "values".last_values) AS last_values
        FROM roster_people AS people
        LEFT JOIN roster_values AS "values" USING (person_id)
        LEFT JOIN roster_undone AS undone USING (person_id)
    """)


_KEPT = ", ".join(f"'$.{name}'" for name in (*TYPES, "last_values"))
_READ = ", ".join(
    f"CAST(kept[{n}] AS {kind}) AS {name}"
    for n, (name, kind) in enumerate([*TYPES.items(), ("last_values", "VARCHAR")], start=1)
    if name != "person_id"
)
UNDONE = f"""
CREATE OR REPLACE TABLE roster_undone AS
SELECT person_id, {_READ}, before IS NULL AS is_new
FROM (SELECT *, json_extract_string(before, [{_KEPT}]) AS kept FROM roster_before)
"""


def forget_death_before(store: Connection, person_id: str) -> None:
    """Let who is confirmed to be alive have been so before the last night, to which a correction goes back."""
    kept = table_of(PersonBefore)
    mine = kept.c.person_id == person_id
    row = store.execute(select(kept.c.row).where(mine)).scalar()
    if row is None:
        return
    was = json.loads(row)
    values = {name: value for name, value in json.loads(was["last_values"]).items() if name != "died"}
    told = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    fingerprint = hashlib.md5(told.encode(), usedforsecurity=False).hexdigest()
    was |= {"died_on": None, "alive_again_on": None, "last_values": told, "values_fingerprint": fingerprint}
    store.execute(kept.update().where(mine).values(row=json.dumps(was, ensure_ascii=False)))


def load_last_values(workspace: Workspace, store: Connection, table: str, people: str) -> None:
    """Make ``table`` (person_id, last_values) of the people whom a query of the workspace names."""
    person = table_of(Person)
    ids = [row[0] for row in workspace.execute(people).fetchall()]
    wanted = select(person.c.person_id, person.c.last_values).where(is_among(store, person.c.person_id, ids))
    load_query(workspace, table, {"person_id": "VARCHAR", "last_values": "VARCHAR"}, store, wanted)


def load_changed_values(
    store: Connection, run_id: int, people: Collection[str]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Give the last values of these people as they were before a run that has been saved, and as it left them.

    None for blank; a column without a key was unreadable or not supplied. Nobody whom the run left as they were, or
    saw for the first time.
    """
    person, undo = table_of(Person), table_of(PersonBefore)
    joined = undo.join(person, person.c.person_id == undo.c.person_id)
    wanted = select(undo.c.person_id, undo.c.row, person.c.last_values).select_from(joined)
    changed = wanted.where(undo.c.run_id == run_id, undo.c.row.is_not(None), is_among(store, undo.c.person_id, people))
    for person_id, row, now in store.execute(changed):
        before = json.loads(row).get("last_values")
        if before and now:
            yield person_id, json.loads(before), json.loads(now)


@step(reads=("roster",), changes=("caseload",), makes=("stay",))
def place_accommodation(workspace: Workspace, *, nights: Sequence[dt.date]) -> None:
    """Set ``caseload.accommodation_since`` and ``elsewhere_until`` from the accepted ``nights`` before tonight.

    Since when each person's accommodation is what it is tonight, and the last night on which it was another, if the
    monitor ever saw another. One odd night does not restart it, and is no night elsewhere: who is back where they
    were two nights ago never left. A cell that is blank or cannot be read tonight says nothing of a move.
    """
    workspace.execute(
        """
        CREATE OR REPLACE TABLE stay AS
        SELECT
            c.person_id,
            CASE
                WHEN r.person_id IS NULL OR r.accommodation IS NULL THEN 'first'
                WHEN c.accommodation IS NULL OR c.accommodation = r.accommodation THEN 'same'
                WHEN c.accommodation = r.previous_accommodation AND r.accommodation_since = $last_night THEN 'back'
                ELSE 'moved'
            END AS move,
            coalesce(c.accommodation, r.accommodation) AS accommodation,
            CASE move
                WHEN 'same' THEN r.accommodation_since
                WHEN 'back' THEN r.previous_since
                ELSE CASE WHEN c.accommodation IS NOT NULL THEN c.as_at END
            END AS since,
            CASE move
                WHEN 'same' THEN r.previous_accommodation
                WHEN 'moved' THEN r.accommodation
                WHEN 'back' THEN r.accommodation
            END AS previous,
            CASE move WHEN 'moved' THEN r.accommodation_since WHEN 'same' THEN r.previous_since END
                AS previous_since,
            CASE WHEN previous IS NOT NULL
                THEN list_max(list_filter($nights::DATE[], lambda night: night < since AND night >= r.first_seen_on))
            END AS elsewhere_until
        FROM caseload AS c LEFT JOIN roster AS r USING (person_id)
    """,
        {"last_night": nights[-1] if nights else None, "nights": list(nights)},
    )
    workspace.execute("""
        UPDATE caseload SET accommodation_since = stay.since, elsewhere_until = stay.elsewhere_until FROM stay
        WHERE stay.person_id = caseload.person_id AND (
            caseload.accommodation_since IS DISTINCT FROM stay.since OR stay.elsewhere_until IS NOT NULL
        )
    """)


@step(reads=("caseload", "roster", "stay", "tonight"), makes=("roster_tonight",))
def decide(workspace: Workspace, as_at: dt.date, supplied: frozenset[str], *, after_jump: bool = False) -> None:
    """Make ``roster_tonight`` (the roster as tonight leaves it) from ``caseload``, ``roster`` and ``stay``.

    ``supplied``: the columns of which tonight holds anything of anybody present. ``after_jump``: the clock may be
    ahead, so nobody's duty ends tonight.
    """
    ended_on = "r.ended_on" if after_jump else "coalesce(r.ended_on, $as_at)"
    strengths = ", ".join(map(rank_category, ("r.strongest_category", "c.eligibility", "c.category")))
    workspace.execute(f"""
        CREATE OR REPLACE TABLE roster_tonight AS
        WITH present AS (SELECT person_id, {last_values_sql("t", supplied)} AS last_values FROM tonight AS t)
        SELECT
            c.person_id,
            coalesce(c.date_of_birth, r.date_of_birth) AS date_of_birth,
            CASE greatest({strengths})
                WHEN 3 THEN 'former relevant' WHEN 2 THEN 'relevant' WHEN 1 THEN 'eligible'
            END AS strongest_category,
            c.allocated_team AS team,
            stay.accommodation,
            stay.since AS accommodation_since,
            stay.previous AS previous_accommodation,
            stay.previous_since,
            coalesce(present.last_values, r.last_values) AS last_values,
            md5(coalesce(present.last_values, r.last_values)) AS values_fingerprint,
            coalesce(r.first_seen_on, $as_at) AS first_seen_on,
            CASE WHEN NOT c.present THEN coalesce(r.absent_since, $as_at) END AS absent_since,
            coalesce(r.died_on, CASE WHEN c.died THEN $as_at END) AS died_on,
            CASE WHEN r.died_on IS NOT NULL AND c.present AND NOT c.said_died
                THEN coalesce(r.alive_again_on, $as_at) END AS alive_again_on,
            CASE WHEN c.age >= 25 THEN {ended_on} END AS ended_on,
            CAST(NULL AS VARCHAR) AS left_reason
        FROM caseload AS c
        LEFT JOIN roster AS r USING (person_id)
        LEFT JOIN stay USING (person_id)
        LEFT JOIN present USING (person_id)
        WHERE c.first_seen_on IS NOT NULL
    """, {"as_at": as_at})  # fmt: skip


def find_new_deaths(workspace: Workspace) -> list[str]:
    """Find the ids of those whose death tonight is the first to know of, after ``decide``."""
    rows = workspace.execute("""
        SELECT person_id FROM roster_tonight AS tonight LEFT JOIN roster AS before USING (person_id)
        WHERE tonight.died_on IS NOT NULL AND before.died_on IS NULL ORDER BY person_id
    """).fetchall()
    return [row[0] for row in rows]


def rank_category(category: str) -> str:
    """Return SQL for how strong an entitlement is, the strongest highest; 0 for none."""
    return f"CASE {category} WHEN 'former relevant' THEN 3 WHEN 'relevant' THEN 2 WHEN 'eligible' THEN 1 ELSE 0 END"


@step(
    reads=("roster", "roster_stored", "roster_undone", "gone_quietly"),
    changes=("roster_tonight",),
    drops=READ_TO_SAVE,
)
def save(workspace: Workspace, store: Connection, stamp: Stamp, *, corrected: bool = False) -> None:
    """Write the rows that differ from what is stored, and how each stood before, inside the transaction.

    Events say what changed, of many people each.
    """
    _save_before(workspace, store, stamp.run_id)
    columns = [*TYPES, "last_values"]
    listed = ", ".join(f"n.{name}" for name in columns)
    new = f"SELECT {listed} FROM roster_tonight AS n ANTI JOIN roster_stored USING (person_id)"
    insert_query(workspace, store, Person, columns, new)
    # An index holds since when somebody is absent, and is left alone where that stays as it is.
    for left_alone, concerned in ((), "IS DISTINCT FROM"), (("absent_since",), "IS NOT DISTINCT FROM"):
        changing = [name for name in columns[1:] if name not in left_alone]
        changed = f"""
            SELECT {", ".join(f"n.{name}" for name in changing)}, n.person_id
            FROM roster_tonight AS n JOIN roster_stored AS s USING (person_id)
            WHERE n.absent_since {concerned} s.absent_since AND ({_differs("s")})
        """
        update_query(workspace, store, Person, changing, changed)
    if corrected:
        _put_back_the_gone(workspace, store, stamp)
    _record_changes(workspace, store, stamp)
    # What is saved would only stand beside the messages and lists, which take the most memory of the night.
    drop_tables(workspace, "roster_changing", "changing_values", *READ_TO_SAVE)
    workspace.execute("ALTER TABLE roster_tonight DROP COLUMN last_values")


def _put_back_the_gone(workspace: Workspace, store: Connection, stamp: Stamp) -> None:
    """Put back, on record, who had died or reached 25 and whom only the run put right had found back."""
    columns = [*TYPES, "last_values"]
    gone = "FROM roster AS r SEMI JOIN roster_undone USING (person_id) ANTI JOIN roster_tonight USING (person_id)"
    update_query(workspace, store, Person, columns[1:], f"SELECT {', '.join(columns[1:])}, person_id {gone}")
    row = write_members({name: name for name in TYPES}, nulls=True)
    said = RowsTogether("roster changed", "person", f"SELECT '{{' || {row} || '}}' AS row {gone}")
    payloads = [payload for (payload,) in workspace.execute(said.write_payloads(stamp)).fetchall()]
    record_payloads(store, said.kind, payloads, stamp)


def _record_changes(workspace: Workspace, store: Connection, stamp: Stamp) -> None:
    """Record what is new in each row; delete, on record, whom only the run now being put right had ever seen."""
    new = write_members({name: f"n.{name}" for name in TYPES}, nulls=False)
    changed = " || ".join(
        f"CASE WHEN n.{name} IS DISTINCT FROM s.{name} THEN ',' || {write_members({name: f'n.{name}'}, nulls=True)} "
        "ELSE '' END"
        for name in TYPES
        if name != "person_id"
    )
    said = RowsTogether("roster changed", "person", f"""
        SELECT '{{' || CASE WHEN s.person_id IS NULL THEN {new}
            ELSE '"person_id":' || json_quote(n.person_id) || {changed} END || '}}' AS row
        FROM roster_tonight AS n LEFT JOIN roster_stored AS s USING (person_id)
        WHERE s.person_id IS NULL OR {_differs("s")}
        UNION ALL
        SELECT '{{"person_id":' || json_quote(person_id) || ',"absent_since":"{stamp.as_at}","left_reason":'
            || json_quote(reason) || '}}'
        FROM gone_quietly
    """)  # fmt: skip
    withdrawn = """
        SELECT person_id FROM roster_stored ANTI JOIN roster_tonight USING (person_id)
        WHERE person_id IN (SELECT person_id FROM roster_undone WHERE is_new)
    """
    rows = workspace.execute(
        f"SELECT person_id, NULL FROM ({withdrawn}) UNION ALL SELECT NULL, payload FROM ({said.write_payloads(stamp)})"
    ).fetchall()
    record_payloads(store, said.kind, (payload for _, payload in rows if payload is not None), stamp)
    if gone := [person_id for person_id, _ in rows if person_id is not None]:
        delete_rows(store, Person, gone)
        record_stamped(store, [Event(said.kind, detail=say_gone(Person, gone))], stamp)


def _differs(beside: str) -> str:
    return " OR ".join(f"n.{name} IS DISTINCT FROM {beside}.{name}" for name in TYPES if name != "person_id")


def _save_before(workspace: Workspace, store: Connection, run_id: int | None) -> None:
    """Keep how each person whom tonight changes stood before; NULL for who was not on the roster."""
    workspace.execute(f"""
        CREATE OR REPLACE TABLE roster_changing AS
        SELECT n.person_id, r.person_id IS NULL AS is_new
        FROM roster_tonight AS n LEFT JOIN roster AS r USING (person_id)
        WHERE is_new OR {_differs("r")}
        UNION ALL
        SELECT person_id, false FROM gone_quietly
    """)
    load_last_values(
        workspace, store, "changing_values",
        "SELECT person_id FROM roster_changing JOIN roster USING (person_id) WHERE last_values IS NULL",
    )  # fmt: skip
    store.execute(table_of(PersonBefore).delete())
    insert_query(workspace, store, PersonBefore, ("person_id", "run_id", "row"), f"""
        SELECT c.person_id, {run_id}, CASE WHEN NOT c.is_new THEN to_json(r) END
        FROM roster_changing AS c LEFT JOIN (
            SELECT roster.* REPLACE (coalesce(roster.last_values, v.last_values) AS last_values)
            FROM roster LEFT JOIN changing_values AS v USING (person_id)
        ) AS r USING (person_id)
    """)  # fmt: skip
