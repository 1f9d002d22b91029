"""Rebuilds the tables from what the events say of their rows, and compares every column with what stands there.

A table at a time, in the workspace; a large one in parts, so that memory stays bounded however long the record is.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from monitor.record.audit_before import BEFORE, BeforeCheck
from monitor.record.audit_beside import TOLD, check_seal, load_tellings
from monitor.store.bulk import load_query
from monitor.store.events import KINDS, SAID_IN, read_rows
from monitor.store.row_statements import COVERED, FIGURES, GONE, SAID_AGAIN, TELLS, Covered, digest_figures
from monitor.store.tables import Flag, FlagEvent, Instant, Person, Run, Seal, table_of
from monitor.workspace import Workspace, drop_tables, load_rows, number_of, open_workspace

MOST_LISTED = 20
"""So many rows of one table that do not agree are named."""
BYTES_TOGETHER = 16_000_000
"""So much of what events say is compared at once."""
BYTES_A_READ = 4_000_000
COMPLETE_FROM = "record complete from here"
"""The events with which a database of an earlier version says what stood in its rows: what came before says less."""

NOT_LOOKED_AT: Mapping[str, str] = {"holder": "who is at work on the database, which changes with no event"}
"""The tables that nothing on record speaks of, each with what it holds."""
IN_WORDS: Mapping[str, str] = {TELLS: "what it told of"}
"""What is said of a row under a name that is no column's."""
WITH_ANOTHER = (*BEFORE.values(), *TOLD, Seal)
"""The tables that are compared, with no rows of their own on record."""


@dataclass(frozen=True)
class RowsCompared:
    """How many rows of each table were compared, and what does not agree. ``earlier``: how many of them stood before
    the full record began, and ``begun``: the event with which it did.
    """

    rows: Mapping[str, int]
    problems: tuple[str, ...]
    earlier: int = 0
    begun: int | None = None


def compare_rows(store: Connection, say: Callable[[str], None]) -> RowsCompared:
    """Compare every table on record."""
    begun = _find_beginning(store)
    rows, earlier = {}, 0
    problems: list[str] = []
    with open_workspace() as workspace:
        problems += load_tellings(workspace, store)
        for covered in COVERED.values():
            say(f"Comparing {covered.name.replace('_', ' ')} with the events")
            compared = _TableCheck(workspace, store, covered, begun).run()
            rows[covered.name] = compared.rows
            earlier += compared.earlier
            problems += compared.problems
    problems += _check_last_values(store)
    problems += _check_figures(store)
    problems += check_seal(store)
    return RowsCompared(rows, tuple(problems), earlier, begun)


def _find_beginning(store: Connection) -> int | None:
    event = table_of(FlagEvent)
    return store.execute(select(func.min(event.c.id)).where(event.c.kind == COMPLETE_FROM)).scalar()


@dataclass(frozen=True)
class _Compared:
    rows: int
    earlier: int
    problems: list[str]


class _TableCheck:
    """One table: what events say of its rows beside what stands in them. ``begun``: where the full record begins."""

    def __init__(self, workspace: Workspace, store: Connection, covered: Covered, begun: int | None) -> None:
        self.workspace, self.store, self.covered, self.begun = workspace, store, covered, begun
        self.table, self.event = table_of(covered.model), table_of(FlagEvent)
        self.names = (*covered.columns, *covered.beside)
        self.before = BeforeCheck(workspace, store, covered) if covered.model in BEFORE else None
        self.problems: list[str] = []
        self.unlisted = 0

    def run(self) -> _Compared:
        rows = self.store.execute(select(func.count()).select_from(self.table)).scalar_one()
        size = self.store.execute(select(func.sum(func.length(self.event.c.payload))).where(self._tells())).scalar()
        earlier, parts = 0, 1 + int(size or 0) // BYTES_TOGETHER
        if rows or size:
            for part in range(parts):
                earlier += self._compare_part(part, parts)
        if self.before:
            self.problems += self.before.list_problems()
        if self.unlisted:
            self.problems.append(f"and {self.unlisted} more rows of {self.covered.name} do not agree with their events")
        return _Compared(rows, earlier, self.problems)

    def _compare_part(self, part: int, parts: int) -> int:
        """Compare a part of the rows; return how many of them stood before the full record began."""
        self._load_said(part, parts)
        self._load_standing(part, parts)
        self._compare()
        if self.before:
            self.before.compare(self._is_mine("row_key", part, parts))
        earlier = f"SELECT count(*) FROM rebuilt WHERE first <= {self._last_earlier()}"
        counted = 0 if self.begun is None else number_of(self.workspace, earlier)
        drop_tables(self.workspace, "said", "rebuilt", "standing")
        return counted

    def _last_earlier(self) -> int:
        """Return the last event that says what stood before the full record began."""
        event = self.event
        return self.store.execute(select(func.max(event.c.id)).where(event.c.kind == COMPLETE_FROM)).scalar() or 0

    def _tells(self) -> ColumnElement[bool]:
        """Which events may say rows of this table: those of the kinds that do, and of kinds that nobody knows."""
        event = self.event
        silent = [kind for kind, tables in KINDS.items() if self.covered.name not in tables]
        since = [event.c.id >= self.begun] if self.begun is not None else []
        return and_(event.c.payload.is_not(None), event.c.kind.not_in(silent), *since)

    # What is said

    def _load_said(self, part: int, parts: int) -> None:
        """Make ``said``, each statement about a row, and ``rebuilt``, what the last of them says of each column."""
        columns = ", ".join(f'"{name}" VARCHAR' for name in self.names)
        self.workspace.execute(f"CREATE TABLE said (row_key VARCHAR, said_at BIGINT, is_gone VARCHAR, {columns})")
        mine = self._is_mine("row_key", part, parts)
        of_part = []
        if self.covered.model is Flag and parts > 1:
            of_part = [or_(self.event.c.flag_id.is_(None), self.event.c.flag_id % parts == part)]
        kinds = {"id": "BIGINT", "kind": "VARCHAR", "flag_id": "BIGINT", "run_id": "BIGINT", "payload": "VARCHAR"}
        names = [self.event.c[name] for name in kinds]
        wanted = select(*names).where(self._tells(), *of_part).order_by(self.event.c.id)
        for chunk in _in_pieces(self.store.execute(wanted, execution_options={"yield_per": 500})):
            load_rows(self.workspace, "telling", kinds, chunk)
            # One that was changed by hand, which the chain tells, may be no JSON.
            self.workspace.execute("DELETE FROM telling WHERE NOT json_valid(payload)")
            self.workspace.execute(f"INSERT INTO said SELECT * FROM ({self._statements()}) WHERE {mine}")
            if self.covered.model is Flag:
                self.workspace.execute(f"INSERT INTO said BY NAME SELECT * FROM ({self._openings()}) WHERE {mine}")
        drop_tables(self.workspace, "telling")
        last = ", ".join(f'arg_max("{name}", said_at) AS "{name}"' for name in ("is_gone", *self.names))
        self.workspace.execute(
            f"CREATE TABLE rebuilt AS SELECT row_key, min(said_at) AS first, max(said_at) AS said_at, {last} "
            "FROM said GROUP BY row_key"
        )

    def _is_mine(self, key: str, part: int, parts: int) -> str:
        """Write the condition that a row is of this part."""
        hashed = f"CAST({key} AS BIGINT)" if self.covered.model is Flag else f"hash({key})"
        return f"{hashed} % {parts} = {part}"

    def _statements(self) -> str:
        """Write the query of what ``rows`` say: ``=`` and the value, ``-`` for NULL, and NULL for what is not said."""
        paths = ", ".join(f"'$.{name}'" for name in (SAID_IN, GONE, *self.names))
        columns = ", ".join(
            f"""CASE WHEN list_contains(keys, '{name}') THEN coalesce('=' || cells[{n}], '-') END AS "{name}" """
            for n, name in enumerate(self.names, start=3)
        )
        key = ", ".join(f"cells[{self.names.index(name) + 3}]" for name in self.covered.keys)
        return f"""
            SELECT concat_ws(' ', {key}) AS row_key, coalesce(CAST(cells[1] AS BIGINT), id) AS said_at,
                coalesce(cells[2], 'false') AS is_gone,
                {columns}
            FROM (
                SELECT id, json_keys(row) AS keys, json_extract_string(row, [{paths}]) AS cells
                FROM (
                    SELECT id, unnest(from_json(json_extract(payload, '$.rows.{self.covered.name}'), '["JSON"]')) AS row
                    FROM telling
                )
            )
        """

    def _openings(self) -> str:
        """Write the query of what an event *opened* says of its flag: all of it."""
        said = {name: f"json_extract_string(payload, '$.{name}')" for name in self.covered.columns}
        said |= {
            "id": "CAST(flag_id AS VARCHAR)",
            "opened_run_id": "CAST(run_id AS VARCHAR)",
            "because": f"coalesce({said['because']}, json_extract_string(payload, '$.why'))",
            "earlier_spells": f"coalesce({said['earlier_spells']}, '0')",
        }
        columns = ", ".join(f"""coalesce('=' || {value}, '-') AS "{name}" """ for name, value in said.items())
        return f"""
            SELECT CAST(flag_id AS VARCHAR) AS row_key, id AS said_at, 'false' AS is_gone, {columns}
            FROM telling WHERE kind = 'opened'
        """

    # What stands

    def _load_standing(self, part: int, parts: int) -> None:
        """Make ``standing``: the rows of the table, each value as ``said`` has it."""
        wanted = select(*(self.table.c[name] for name in self.covered.columns))
        if self.covered.model is Flag and parts > 1:
            wanted = wanted.where(self.table.c.id % parts == part)
        load_query(self.workspace, "stored", dict.fromkeys(self.covered.columns, "VARCHAR"), self.store, wanted)
        columns = ", ".join(f'{self._encode(name)} AS "{name}"' for name in self.names)
        key = ", ".join(f'"{name}"' for name in self.covered.keys)
        beside = f"LEFT JOIN told_digest ON told_digest.message_id = {key}" if self.covered.beside else ""
        self.workspace.execute(f"""
            CREATE TABLE standing AS SELECT row_key, {columns} FROM (
                SELECT concat_ws(' ', {key}) AS row_key, * FROM stored {beside}
            ) WHERE {self._is_mine("row_key", part, parts)}
        """)
        drop_tables(self.workspace, "stored")

    def _encode(self, name: str) -> str:
        value = f'"{name}"'
        if name in self.covered.columns and isinstance(self.table.c[name].type, Instant):
            value = f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)"
        if name in self.covered.digested:
            value = f"sha256({value})"
        if name in self.covered.together:
            value = f'sha256({value} || "{self.covered.together[name]}")'
        return f"coalesce('=' || {value}, '-')"

    # Both

    def _compare(self) -> None:
        """Name the rows that differ; those beyond the most that are listed are counted."""
        columns = self.names
        stands = ", ".join(f's."{name}" AS "stands {name}"' for name in columns)
        said = ", ".join(f"""{self._as_said(name)} AS "said {name}" """ for name in columns)
        differs = " OR ".join(f'"stands {name}" <> "said {name}"' for name in columns)
        rows = self.workspace.execute(f"""
            SELECT *, count(*) OVER () AS differing FROM (
                SELECT s.row_key AS stored_key, r.row_key AS said_key, r.said_at AS said_in,
                    coalesce(r.is_gone = 'true', false) AS is_gone,
                    {stands}, {said}
                FROM standing AS s FULL JOIN rebuilt AS r ON r.row_key = s.row_key
            )
            WHERE (stored_key IS NULL AND NOT is_gone)
                OR (stored_key IS NOT NULL AND (said_key IS NULL OR is_gone OR {differs}))
            ORDER BY length(coalesce(stored_key, said_key)), coalesce(stored_key, said_key)
            LIMIT {max(MOST_LISTED - len(self.problems), 0) + 1}
        """)
        names = [column[0] for column in rows.description or []]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        listed = found[: MOST_LISTED - len(self.problems)]
        self.problems += [self._describe(row) for row in listed]
        self.unlisted += (found[0]["differing"] if found else 0) - len(listed)

    def _as_said(self, name: str) -> str:
        """Write what is said of a column; NULL, where nothing is."""
        value = f"""coalesce(r."{name}", '-')"""
        if name in self.covered.columns and isinstance(self.table.c[name].type, Instant):
            value = f"""coalesce('=' || CAST(TRY_CAST(substr(r."{name}", 2) AS TIMESTAMP) AS VARCHAR), '-')"""
        return value

    def _describe(self, row: Mapping[str, Any]) -> str:
        key = row["stored_key"] or row["said_key"]
        side = "stands" if row["stored_key"] is not None else "said"
        rule = row.get(f"{side} rule")
        about = f"{self.covered.name.replace('_', ' ')} {key}" + (f" ({rule[1:]})" if rule else "")
        if row["said_key"] is None:
            return f"{about}: stands in the database, and no event ever told of it"
        if row["stored_key"] is None:
            return f"{about}: is no longer in the database, and event {row['said_in']} tells of it"
        if row["is_gone"]:
            return f"{about}: stands in the database, and event {row['said_in']} says that it was deleted"
        differing = [name for name in self.names if row[f"stands {name}"] != row[f"said {name}"]]
        return f"{about}: " + "; ".join(self._describe_column(key, name, row) for name in differing)

    def _describe_column(self, key: str, name: str, row: Mapping[str, Any]) -> str:
        source = number_of(
            self.workspace, f'SELECT max(said_at) FROM said WHERE row_key = $1 AND "{name}" IS NOT NULL', key
        )
        told = f"event {source}" if source else "no event"
        if name in self.covered.hidden:
            return f"{IN_WORDS.get(name, name)} is not what {told} said, of which only the SHA-256 is on record"
        stands = _read(row[f"stands {name}"])
        if not source:
            return f"{name} stands as {stands}, and no event ever said so"
        return f"{name} stands as {stands}, and {told} says {_read(row[f'said {name}'])}"


def _read(encoded: str) -> str:
    return "nothing" if encoded == "-" else json.dumps(encoded[1:], ensure_ascii=False)


def _in_pieces(rows: Iterable[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Give events some megabytes at a time."""
    piece: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        piece.append(tuple(row))
        size += len(row.payload) + 200
        if size > BYTES_A_READ:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


# The last values of the roster, which have a fingerprint beside them


def _check_last_values(store: Connection) -> list[str]:
    person = table_of(Person)
    wanted = select(person.c.person_id, person.c.last_values, person.c.values_fingerprint).order_by(person.c.person_id)
    problems = []
    for person_id, values, fingerprint in store.execute(wanted, execution_options={"yield_per": 1_000}):
        if hashlib.md5(values.encode(), usedforsecurity=False).hexdigest() != fingerprint:
            problems.append(f"person {person_id}: last_values are not those of their fingerprint")
    listed = problems[:MOST_LISTED]
    return [*listed, f"and the last_values of {len(problems) - MOST_LISTED} more"] if problems[MOST_LISTED:] else listed


# What the nights counted


def _check_figures(store: Connection) -> list[str]:
    """Compare what each accepted night counted with the SHA-256 of it in the night's event."""
    said: dict[int, dict[str, Any]] = {}
    event, run = table_of(FlagEvent), table_of(Run)
    telling = event.c.kind.in_(("night accepted", SAID_AGAIN, COMPLETE_FROM)) & event.c.payload.is_not(None)
    for payload in store.execute(select(event.c.payload).where(telling).order_by(event.c.id)).scalars():
        said |= {row["run_id"]: row for row in read_rows(payload, "figures")}
    nights = {row.id: row.as_at for row in store.execute(select(run).where(run.c.state == "accepted"))}
    problems = []
    for model in FIGURES:
        name = table_of(model).name
        standing = dict(digest_figures(store, model, table_of(model).c.run_id.is_not(None)))
        for run_id in sorted(said.keys() & nights.keys()):
            if standing.get(run_id) != said[run_id].get(name):
                problems.append(f"{name}: the figures of night {nights[run_id]} (run {run_id}) are not what they were")
        stray = standing.keys() - (said.keys() & nights.keys())
        problems += [f"{name}: holds figures of run {run_id}, which is no accepted night" for run_id in sorted(stray)]
    return problems
