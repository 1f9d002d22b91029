"""DuckDB as the engine of a scan: the Parquet files that are named, and nothing else of the machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from monitor.catalogue import derived
from monitor.catalogue.dialects import DUCKDB
from monitor.errors import SourceError
from monitor.rulebook import questions
from monitor.rulebook.rule import Rule
from monitor.scan.scan_engine import NOT_IN_RANGE, NOT_READ_AS, StatementFailed
from monitor.scan.scan_record import ToldCounts
from monitor.words import join_words
from monitor.workspace import Workspace, literal

MEMORY = "256MB"
"""Enough for any number of rows, which pass through it; nothing is put down on the disk."""
MOST_AT_ONCE = 4_000_000
"""People whose keys are compared at once: more would not fit."""
MOST_RULES = 100
"""All of them: one pass reads the caseload once."""
LEFT_BY_OTHERS = ("_delta_log", "metadata")
"""Folders by which a table of Delta or Iceberg is told from plain Parquet files."""


class DuckdbEngine:
    """An in-memory DuckDB that may read the caseload's files and write into one folder."""

    name = "duckdb"
    dialect = DUCKDB
    most_rules = MOST_RULES

    def __init__(self, caseload: str, keys: Mapping[str, str], folder: Path) -> None:
        """Open it over ``caseload``, a file, folder or glob; ``keys`` have types where they are names of folders."""
        self.version = duckdb.__version__
        files = find_files(caseload)
        self._place = caseload
        self.caseload = _read_sql(files, keys)
        self._duckdb = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "temp_directory": "",
                "memory_limit": MEMORY,
                "preserve_insertion_order": "false",
            }
        )
        try:
            self._lock_down(files, folder)
            self._check_alike(files)
            self.settings = self._read_settings()
        except BaseException:
            self.close()
            raise

    def _lock_down(self, files: Sequence[str], folder: Path) -> None:
        """Close everything but these files and this folder to every later statement."""
        for setting in (
            "enable_progress_bar = false",
            f"allowed_paths = [{', '.join(map(literal, files))}]",
            f"allowed_directories = [{literal(f'{folder}/')}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._duckdb.execute(f"SET {setting}")

    def _read_settings(self) -> Mapping[str, str]:
        names = ("threads", "memory_limit", "enable_external_access", "preserve_insertion_order")
        read_back = ", ".join(f"CAST(current_setting('{name}') AS VARCHAR)" for name in names)
        return dict(zip(names, self.run(f"SELECT {read_back}")[0], strict=True))

    def _check_alike(self, files: Sequence[str]) -> None:
        """Refuse files whose columns are not of the same types: DuckDB would read them all as the first."""
        first, *others = (self._describe(f"read_parquet({literal(file)}, hive_partitioning = false)") for file in files)
        different = {name for other in others for name, _ in first.items() ^ other.items()}
        if different:
            names = join_words(sorted(different)[:5])
            raise SourceError(
                f"{self._place}: its files differ in {names}; write each with the columns and types of caseload_v1"
            )

    def _describe(self, relation: str) -> dict[str, str]:
        return {name: kind for name, kind, *_ in self.run(f"DESCRIBE SELECT * FROM {relation}")}

    def read_types(self) -> dict[str, str]:
        return self._describe(self.caseload)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return self._duckdb.execute(statement).fetchall()
        except duckdb.Error as fault:
            raise self._explain(fault) from None

    def count_repeated(self, keys: Sequence[str], rows: int) -> int:
        hashed = f"hash({', '.join(keys)})"
        parts = rows // MOST_AT_ONCE + 1
        repeated = 0
        for part in range(parts):
            among = f"FROM {self.caseload} WHERE {hashed} % {parts} = {part}" if parts > 1 else f"FROM {self.caseload}"
            # A number is compared far faster than the keys; only where two are equal, the keys are.
            (whole, different), *_ = self.run(f"SELECT count(*), count(DISTINCT {hashed}) {among}")
            if whole > different:
                grouped = f"SELECT count(*) AS alike {among} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
                repeated += int(self.run(f"SELECT coalesce(sum(alike - 1), 0) FROM ({grouped})")[0][0])
        return repeated

    def spread(self, items: Sequence[str]) -> str:
        return f"unnest(list_filter([{', '.join(items)}], lambda item: item IS NOT NULL))"

    def load_pads(self, table: str, pads: Mapping[str, tuple[bytes, bytes]]) -> str:
        rows = [(authority, inner, outer) for authority, (inner, outer) in pads.items()]
        self._duckdb.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} (authority VARCHAR, inner_pad BLOB, outer_pad BLOB)"
        )
        self._duckdb.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        return table

    def pseudonym(self, text: str) -> str:
        return f"sha256(outer_pad || unhex(sha256(inner_pad || encode({text}))))"

    def write(self, statement: str, to: str) -> None:
        self.run(f"COPY ({statement}) TO {literal(to)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")

    def prepare(self, rules: Sequence[Rule]) -> None:
        if any(map(questions.needs_calendar, rules)):
            derived.create_working_days(Workspace(self._duckdb))

    def withdraw(self, out: str) -> None:
        raise _in_a_lake(out)

    def publish(self, out: str, counts: Sequence[ToldCounts], record: str) -> None:
        raise _in_a_lake(out)

    def close(self) -> None:
        self._duckdb.close()

    def _explain(self, fault: Exception) -> Exception:
        """Return what is raised instead of DuckDB's own words, which quote the cell at fault."""
        if isinstance(fault, duckdb.OutOfRangeException):
            return StatementFailed(NOT_IN_RANGE)
        if isinstance(fault, duckdb.ConversionException):
            return StatementFailed(NOT_READ_AS)
        if isinstance(fault, duckdb.OutOfMemoryException):
            return StatementFailed(f"needs more than {MEMORY} of memory; write the table as more, smaller files")
        if isinstance(fault, duckdb.IOException | duckdb.HTTPException | duckdb.PermissionException | OSError):
            return SourceError(
                f"{self._place}: cannot be read, or there is no room to write; check that its files are whole Parquet"
            )
        return StatementFailed(f"the database refused it ({type(fault).__name__}); check its conditions")


def find_files(caseload: str) -> list[str]:
    """Return the Parquet files of a file, a folder or a glob; raises ``SourceError`` where there is none."""
    path = Path(caseload)
    if "://" in caseload:
        raise _in_a_lake(caseload)
    if path.is_dir():
        if others := [name for name in LEFT_BY_OTHERS if (path / name).is_dir()]:
            raise SourceError(
                f"{path}: holds {others[0]}, so it is a Delta or Iceberg table and its files are not all in use; name "
                'the table and engine = "spark"'
            )
        found = [file for file in path.rglob("*.parquet") if _is_seen(file.relative_to(path))]
    elif any(letter in caseload for letter in "*?["):
        base = Path(path.anchor or ".")
        found = [file for file in base.glob(str(path.relative_to(base) if path.anchor else path)) if file.is_file()]
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise SourceError(f"{caseload}: no Parquet file there; name a file, a folder or a pattern like data/*.parquet")
    return sorted(str(file.absolute()) for file in found)


def _read_sql(files: Sequence[str], keys: Mapping[str, str]) -> str:
    """SQL for the rows of these files; where the names of their folders hold keys, those are columns."""
    folders = {folder.partition("=")[0] for file in files for folder in Path(file).parent.parts if "=" in folder}
    in_names = {name: kind for name, kind in keys.items() if name in folders}
    types = ", ".join(f"{name}: {kind}" for name, kind in in_names.items())
    hive = f"hive_partitioning = true, hive_types = {{{types}}}" if in_names else "hive_partitioning = false"
    return f"read_parquet([{', '.join(map(literal, files))}], {hive})"


def _in_a_lake(place: str) -> SourceError:
    return SourceError(f'{place}: is in a lake, which DuckDB is not given; scan it with engine = "spark"')


def _is_seen(path: Path) -> bool:
    """Return whether a file is none of those that programs hide from each other, as Spark does its own."""
    return not any(part[0] in "_." for part in path.parts)
