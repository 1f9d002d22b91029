"""The same questions asked of the same people by DuckDB and by Spark, and every answer in which the two differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.catalogue.dialects import DUCKDB, SPARK, Dialect
from monitor.workspace import Workspace, literal

Columns = Callable[[Dialect], Mapping[str, str]]
"""What to ask, as a dialect has it: SQL by the name of a column."""
AT_ONCE = 40
"""Columns in one statement: beyond 64 KB of code Spark falls back on a slower way, and says so at length."""


@dataclass
class Compared:
    """How many cells were compared, and the differences: by column the first few, as (person, DuckDB's, Spark's)."""

    cells: int = 0
    differences: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


class BothEngines:
    """One table of people in DuckDB, and the same in a session of Spark."""

    def __init__(self, workspace: Workspace, spark: Any, folder: Path) -> None:
        self.workspace, self.spark, self.folder = workspace, spark, folder
        self._asked = 0

    def share(self, table: str, query: str | None = None) -> None:
        """Give Spark a table of DuckDB's, or the rows of a query under that name."""
        path = self.folder / f"{table}.parquet"
        if query:
            self.workspace.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")
        self.workspace.execute(f"COPY {table} TO {literal(str(path))} (FORMAT parquet)")
        self.spark.read.parquet(str(path)).createOrReplaceTempView(table)

    def compare(self, columns: Columns, people: str, key: str = "person_id") -> Compared:
        """Ask both for these columns of everyone in ``people``, a table or a query in brackets that both can read."""
        compared = Compared()
        names = list(columns(DUCKDB))
        for start in range(0, len(names), AT_ONCE):
            self._compare(compared, columns, (people, key), names[start : start + AT_ONCE])
        return compared

    def _compare(self, compared: Compared, columns: Columns, of: tuple[str, str], names: list[str]) -> None:
        people, key = of
        path = self.folder / f"asked_{self._asked}.parquet"
        self._asked += 1

        def select(dialect: Dialect) -> str:
            asked = columns(dialect)
            return f"SELECT {key}, {', '.join(f'{asked[name]} AS c{n}' for n, name in enumerate(names))} FROM {people}"

        self.spark.sql(select(SPARK)).write.parquet(str(path))
        self.workspace.execute(f"CREATE OR REPLACE TEMP TABLE by_duckdb AS {select(DUCKDB)}")
        self.workspace.execute(
            f"CREATE OR REPLACE TEMP TABLE by_spark AS SELECT * FROM read_parquet({literal(str(path / '*.parquet'))})"
        )
        differ = ", ".join(f"count_if(d.c{n} IS DISTINCT FROM s.c{n})" for n in range(len(names)))
        joined = f"FROM by_duckdb AS d FULL JOIN by_spark AS s USING ({key})"
        rows, *counts = self.workspace.execute(f"SELECT count(*), {differ} {joined}").fetchall()[0]
        compared.cells += rows * len(names)
        for n, name in enumerate(names):
            if counts[n]:
                some = f"SELECT {key}, d.c{n}, s.c{n} {joined} WHERE d.c{n} IS DISTINCT FROM s.c{n} ORDER BY 1 LIMIT 3"
                compared.differences[name] = self.workspace.execute(some).fetchall()
