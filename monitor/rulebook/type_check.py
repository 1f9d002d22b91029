"""Whether checked conditions fit together: the types DuckDB gives them on two invented rows, and what they reach."""

from collections.abc import Iterable, Mapping
from functools import cache

import duckdb

from monitor.catalogue import columns
from monitor.durations import Limit
from monitor.rulebook.condition import Condition, Tree, Writer
from monitor.rulebook.conditions import quote_part
from monitor.rulebook.names import TYPES
from monitor.rulebook.reach import Reckoner
from monitor.workspace import lock_down, open_workspace

SAMPLES = {"VARCHAR": "'some text'", "DATE": "DATE '2008-02-29'", "BOOLEAN": "true", "INTEGER": "7"}
WORDS = {
    "BOOLEAN": "true or false",
    "DATE": "a date",
    "VARCHAR": "text",
    "INTEGER": "a whole number",
    "BIGINT": "a whole number",
    "TIMESTAMP": "a time",
}


class Binder:
    """A closed database holding one person with everything recorded and one with nothing."""

    def __init__(self) -> None:
        self.workspace = open_workspace()
        # Only the types matter here, and the calendar takes a quarter of a second to read.
        self.workspace.execute("CREATE MACRO plus_working_days(day, n) AS CAST(day + INTERVAL 1 DAY AS DATE) + n")
        kinds = {**TYPES, "due_on": "DATE", **{f"{column.name}_gap": "VARCHAR" for column in columns.COLUMNS}}
        full = ", ".join(f'{SAMPLES[kind]} AS "{name}"' for name, kind in kinds.items())
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in kinds.items())
        self.workspace.execute(f"CREATE TABLE caseload AS SELECT {full} UNION ALL SELECT {empty}")
        # Two rows are asked faster by one thread than by many.
        self.workspace.execute("SET threads = 1")
        lock_down(self.workspace)

    def check(self, condition: Condition, limits: Mapping[str, Limit], *, kind: str = "BOOLEAN") -> Iterable[str]:
        """Return what is wrong with its types, without its place."""
        parts = dict.fromkeys(_boolean_parts(condition.tree)) if kind == "BOOLEAN" else {}
        asked = [condition.tree, *parts]
        listed = ", ".join(f"({Writer(limits).write(part)})" for part in asked)
        try:
            types, fault = self._find_types(f"SELECT {listed} FROM caseload")
        except duckdb.Error as refused:
            return [_does_not_fit(refused)]
        wanted = [kind, *("BOOLEAN" for _ in parts)]
        faults = list(_find_misfits(condition, asked, types, wanted))
        return faults or ([_does_not_fit(fault)] if fault else []) or _find_beyond(condition, limits)

    def _find_types(self, query: str) -> tuple[list[str], duckdb.Error | None]:
        fault: duckdb.Error | None = None
        try:
            answered = self.workspace.execute(query)
            described = answered.description
            answered.fetchall()
        except duckdb.Error as failed:
            # Asked of nobody it may still be bound, and the types then say more than the value that failed.
            fault = failed
            described = self.workspace.execute(f"{query} LIMIT 0").description
        return [str(column[1]) for column in described or []], fault


@cache
def open_binder() -> Binder:
    """Return the one binder of this process; it holds nothing but two invented rows."""
    return Binder()


def _find_misfits(
    condition: Condition, asked: Iterable[Tree], types: Iterable[str], wanted: Iterable[str]
) -> Iterable[str]:
    for part, has, needed in zip(asked, types, wanted, strict=True):
        if has != needed and not (has == "BIGINT" and needed == "INTEGER"):
            is_now, must_be = WORDS.get(has, has.lower()), WORDS.get(needed, needed)
            yield f"{quote_part(condition, part)} is {is_now}; it must be {must_be}"


def _find_beyond(condition: Condition, limits: Mapping[str, Limit]) -> list[str]:
    """What another database may see otherwise, or some value that a column may hold would break."""
    reckoner = Reckoner(limits)
    reckoner.find(condition.tree)
    return [f"{quote_part(condition, part)} {told}" for part, told in reckoner.faults]


def _does_not_fit(fault: duckdb.Error) -> str:
    return f'does not fit together ({explain(fault)}); "monitor columns" says what kind each column is'


def _boolean_parts(tree: Tree) -> Iterable[Tree]:
    """Every part that AND, OR, NOT or WHEN takes for true or false; DuckDB would convert some silently."""
    for inner in tree.walk():
        if inner.kind in ("and", "or", "not"):
            yield from inner.parts
        elif inner.kind == "case":
            yield from (when for when, _ in zip(inner.parts[::2], inner.parts[1::2], strict=False))


def explain(fault: Exception) -> str:
    """Return DuckDB's message as a fragment of one line, without its heading or the query it quotes."""
    first = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
    words = first.split(":", 1)[-1].strip() if "Error:" in first else first
    for heading in (" You might need", " An explicit cast", " Use TRY_CAST"):
        words = words.split(heading)[0]
    return words.rstrip(". ")[:160].lower()
