"""How flags and people stood before the last night: ``--again`` and ``--withdraw`` go back to that.

Nothing is said of it, since the events before that night say it already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlmodel import SQLModel

from monitor.store.bulk import load_query
from monitor.store.row_statements import Covered
from monitor.store.tables import Flag, FlagBefore, FlagEvent, Person, PersonBefore, Run, table_of
from monitor.workspace import Workspace, drop_tables

MOST_LISTED = 20
BEFORE: Mapping[type[SQLModel], type[SQLModel]] = {Flag: FlagBefore, Person: PersonBefore}
"""By table, where it is kept how its rows stood before the last night."""
SAID_FROM = ("record complete from here", "record says more from here")
"""The events before which a night kept what an earlier version thought right."""
CONFIRMED = ("died_on", "alive_again_on", "values_fingerprint")
"""What confirming that somebody is alive changes of how they stood before the last night, too."""


@dataclass(frozen=True)
class LastNight:
    """The runs that made up the last night that still stands; ``run_id`` is its newest, and None where it was taken
    back or there is none. ``by_events``: whether events say all that stood before it.
    """

    run_id: int | None
    runs: tuple[int, ...]
    by_events: bool


def find_last_night(store: Connection) -> LastNight:
    run, event = table_of(Run), table_of(FlagEvent)
    saved = select(run).where(run.c.state.in_(("accepted", "superseded", "withdrawn"))).order_by(run.c.id.desc())
    newest = store.execute(saved.limit(1)).first()
    if newest is None or newest.state != "accepted":
        return LastNight(None, (), by_events=True)
    same = select(run.c.id).where(run.c.as_at == newest.as_at, run.c.state.in_(("accepted", "superseded")))
    runs = tuple(store.execute(same.order_by(run.c.id)).scalars())
    began = store.execute(select(func.min(event.c.id)).where(event.c.run_id.in_(runs))).scalar()
    since = store.execute(select(func.max(event.c.id)).where(event.c.kind.in_(SAID_FROM))).scalar()
    return LastNight(newest.id, runs, began is not None and began > (since or 0))


class BeforeCheck:
    """One table, a part at a time, while ``said`` and ``rebuilt`` hold what events say of its rows."""

    def __init__(self, workspace: Workspace, store: Connection, covered: Covered) -> None:
        self.workspace, self.store, self.covered = workspace, store, covered
        self.night = find_last_night(store)
        self.kept: Table = table_of(BEFORE[covered.model])
        self.problems: list[str] = []
        self.unlisted = 0

    def list_problems(self) -> list[str]:
        more = f"and {self.unlisted} more rows of {self.kept.name} do not agree with the events before that night"
        return [*self.problems, more] if self.unlisted else self.problems

    def compare(self, mine: str) -> None:
        """Name what differs; ``mine``: the condition that a ``row_key`` is of this part."""
        key = next(iter(self.kept.primary_key.columns))
        columns = {"row_key": "VARCHAR", "run_id": "BIGINT", "before": "VARCHAR"}
        load_query(self.workspace, "kept_all", columns, self.store, select(key, self.kept.c.run_id, self.kept.c.row))
        paths = ", ".join(f"'$.{name}'" for name in (*self.covered.columns, "last_values"))
        encoded = ", ".join(
            f"""coalesce('=' || cells[{n}], '-') AS "{name}" """ for n, name in enumerate(self.covered.columns, start=1)
        )
        values = f"md5(cells[{len(self.covered.columns) + 1}])" if self.covered.model is Person else "NULL"
        self.workspace.execute(f"""
            CREATE TABLE kept AS SELECT row_key, run_id, before IS NULL AS was_new, {values} AS fingerprint, {encoded}
            FROM (
                SELECT *, CASE WHEN json_valid(before) THEN json_extract_string(before, [{paths}]) END AS cells
                FROM kept_all WHERE {mine}
            )
        """)
        self._load_expected()
        self._list_differing()
        drop_tables(self.workspace, "kept_all", "kept", "of_night", "touched", "was", "became", "expected")

    def _load_expected(self) -> None:
        """Make ``expected``: what has to be kept of the rows that the night changed, as events say it.

        ``is_new``: there was no row before. ``confirmed``: somebody has confirmed since that they are alive.
        """
        event = table_of(FlagEvent)
        of_night = select(event.c.id).where(event.c.run_id.in_(self.night.runs))
        load_query(self.workspace, "of_night", {"id": "BIGINT"}, self.store, of_night)
        self.workspace.execute("""
            CREATE TABLE touched AS SELECT row_key, min(said_at) AS first_at, max(said_at) AS last_at
            FROM said SEMI JOIN of_night ON of_night.id = said.said_at GROUP BY row_key
        """)
        # A column of which no event speaks yet is empty, as one is that an event calls empty.
        last = ", ".join(f"""coalesce(arg_max("{name}", said_at), '-') AS "{name}" """ for name in self.covered.columns)
        for table, until in (("was", "said_at < first_at"), ("became", "said_at <= last_at")):
            self.workspace.execute(
                f"CREATE TABLE {table} AS SELECT row_key, arg_max(is_gone, said_at) AS is_gone, {last} "
                f"FROM said JOIN touched USING (row_key) WHERE {until} GROUP BY row_key"
            )
        self.workspace.execute(f"CREATE TABLE expected AS {self._expected()}")

    def _expected(self) -> str:
        columns = ", ".join(f'was."{name}"' for name in self.covered.columns)
        if self.covered.model is Flag:
            return f"""
                SELECT row_key, false AS is_new, false AS confirmed, {columns}
                FROM touched JOIN rebuilt USING (row_key) LEFT JOIN was USING (row_key)
                WHERE NOT coalesce(list_contains({list(self.night.runs)}::BIGINT[],
                    TRY_CAST(substr(rebuilt.opened_run_id, 2) AS BIGINT)), false)
            """
        changed = " OR ".join(f'was."{name}" IS DISTINCT FROM became."{name}"' for name in self.covered.columns)
        return f"""
            SELECT row_key, was.row_key IS NULL OR was.is_gone = 'true' AS is_new,
                EXISTS (
                    FROM said ANTI JOIN of_night ON of_night.id = said.said_at
                    WHERE said.row_key = touched.row_key AND said_at > first_at AND said.died_on = '-'
                ) AS confirmed, {columns}
            FROM touched LEFT JOIN was USING (row_key) JOIN became USING (row_key)
            WHERE CASE WHEN is_new THEN became.is_gone <> 'true' ELSE confirmed OR {changed} END
        """

    def _list_differing(self) -> None:
        columns = self.covered.columns
        differs = {
            name: f'e."{name}" IS NOT NULL AND NOT e.is_new AND k."{name}" <> e."{name}"'
            + (" AND NOT e.confirmed" if name in CONFIRMED else "")
            for name in columns
        }
        named = ", ".join(f"CASE WHEN {condition} THEN '{name}' END" for name, condition in differs.items())
        rows = self.workspace.execute(f"""
            SELECT *, count(*) OVER () FROM (
                SELECT coalesce(k.row_key, e.row_key) AS key, k.run_id, k.row_key IS NOT NULL AS stands,
                    e.row_key IS NOT NULL AS is_expected, coalesce(e.confirmed, false) AS confirmed,
                    coalesce(k.was_new, false) AS was_new, coalesce(e.is_new, false) AS is_new,
                    coalesce('=' || k.fingerprint <> k.{"values_fingerprint" if self.covered.model is Person else "id"},
                        false) AS other_values,
                    CASE WHEN $by_events THEN concat_ws(', ', {named}) ELSE '' END AS differing
                FROM kept AS k FULL JOIN expected AS e USING (row_key)
            )
            WHERE CASE
                WHEN stands THEN run_id IS DISTINCT FROM $run_id OR other_values
                    OR differing <> '' OR ($by_events AND (NOT is_expected OR was_new <> is_new))
                ELSE $by_events AND NOT confirmed
            END
            ORDER BY length(key), key LIMIT {MOST_LISTED - len(self.problems) + 1}
        """, {"run_id": self.night.run_id, "by_events": self.night.by_events})  # fmt: skip
        names = [column[0] for column in rows.description or []]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        listed = found[: MOST_LISTED - len(self.problems)]
        self.problems += [f"{self.kept.name} {row['key']}: {self._describe(row)}" for row in listed]
        self.unlisted += (found[0][names[-1]] if found else 0) - len(listed)

    def _describe(self, row: Mapping[str, Any]) -> str:
        night = f"run {self.night.run_id}"
        if not row["stands"]:
            return f"how it stood before {night} is no longer in the database"
        if row["run_id"] != self.night.run_id:
            last = f"the last night that stands is {night}" if self.night.run_id else "that night was taken back"
            return f"is kept for run {row['run_id']}, and {last}"
        if self.night.by_events and not row["is_expected"]:
            return f"stands in the database, and no event of {night} changed it"
        if self.night.by_events and row["was_new"] != row["is_new"]:
            was = "was not there" if row["is_new"] else "was there"
            return f"is not how it stood before {night}: by the events it {was}"
        if not row["differing"]:
            return "last_values are not those of their fingerprint"
        return f"{row['differing']} stands otherwise than events say it stood before {night}"
