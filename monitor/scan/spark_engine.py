"""Spark as the engine of a scan: a session that is handed in, a Spark Connect server, or a session on this machine.

What the answers rest on is set, read back, and put back as it was. People stay where they are: the driver gets counts.
"""

import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from monitor.catalogue.caseload_contract import SPARK_TYPES
from monitor.catalogue.dialects import SPARK
from monitor.errors import MonitorError, Problems, Refused, SourceError
from monitor.rulebook.rule import Rule
from monitor.scan.scan_engine import NOT_IN_RANGE, NOT_READ_AS, StatementFailed
from monitor.scan.scan_record import BREACHES, COUNT_TYPES, COUNTS, RECORD, ToldCounts
from monitor.scan.scan_settings import IN_A_LAKE, ScanSettings, SparkSettings

PINNED: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.lateralColumnAlias.enableImplicitResolution": "true",
}
"""Without these the same statement may give another answer; the last keeps the code 007 from being the number 7."""
HERE: Mapping[str, str] = {
    "spark.log.level": "OFF",  # its words quote cells
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""How a session on this machine is made: nobody else can reach it."""
MOST_RULES = 15
"""More in one statement is more code than Spark compiles."""
INSTALL = "pyspark is not installed; run: pip install 'care-leaver-monitor[spark]'"
CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]")
"""By which Spark names what went wrong, before words that may quote a cell."""
OUT_OF_RANGE = ("OVERFLOW", "DATETIME_FIELD_OUT_OF_BOUNDS", "OUT_OF_RANGE", "DIVIDE_BY_ZERO")
NOT_CAST = ("CAST_INVALID_INPUT", "CANNOT_PARSE", "CAST_OVERFLOW_IN_TABLE_INSERT")
WITHOUT_PLACE = ("PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA")
LOGGER = logging.getLogger("SQLQueryContextLogger")
"""Where pyspark prints what went wrong in a statement, a cell's text included."""
UNDONE = '{"state": "not whole: a scan began to write here and has not ended"}\n'


class SparkEngine:
    """One session, with the caseload as a view of it."""

    name = "spark"
    dialect = SPARK
    most_rules = MOST_RULES

    def __init__(self, session: Any, settings: ScanSettings, *, is_own: bool) -> None:
        self._session, self._is_own = session, is_own
        self._place = settings.caseload
        self.version = str(session.version)
        self._before: dict[str, str] = {}
        self._was_quiet = LOGGER.disabled
        LOGGER.disabled = True
        self._views: list[str] = []
        try:
            self.settings = self._pin()
            self.caseload = self._name_view("caseload", self._read(settings.caseload))
        except BaseException:
            self.close()
            raise

    def _pin(self) -> Mapping[str, str]:
        """Set what the answers rest on; raises ``Refused`` naming what reads back otherwise."""
        refused = []
        for name, wanted in PINNED.items():
            try:
                found = str(self._session.conf.get(name))
                if found.lower() != wanted.lower():
                    self._session.conf.set(name, wanted)
                    self._before[name] = found
                    found = str(self._session.conf.get(name))
            except Exception as fault:
                found = f"what cannot be set ({type(fault).__name__})"
            if found.lower() != wanted.lower():
                refused.append(f"Spark: {name}: is {found}; the same answers need {wanted}: let the session set it")
        if refused:
            raise Refused("\n".join(refused))
        return {name: str(self._session.conf.get(name)) for name in PINNED}

    def _read(self, caseload: str) -> Any:
        is_path = bool(IN_A_LAKE.fullmatch(caseload)) or "/" in caseload or caseload.endswith(".parquet")
        try:
            # Files whose columns differ in type are refused, where otherwise the first would stand for all.
            read = self._session.read.option("mergeSchema", "true")
            frame = read.parquet(caseload) if is_path else self._session.table(caseload)
            self._types = dict(frame.dtypes)
        except Exception as fault:
            raise self._explain_place(fault) from None
        return frame

    def _name_view(self, name: str, frame: Any) -> str:
        view = f"monitor_{name}_{secrets.token_hex(4)}"
        frame.createOrReplaceTempView(view)
        self._views.append(view)
        return view

    def read_types(self) -> dict[str, str]:
        words = {kind.lower(): word for word, kind in SPARK_TYPES.items()}
        return {name: words.get(kind, kind.upper()) for name, kind in self._types.items()}

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in self._session.sql(statement).collect()]
        except Exception as fault:
            raise self._explain(fault) from None

    def count_repeated(self, keys: Sequence[str], rows: int) -> int:
        grouped = f"SELECT count(*) AS alike FROM {self.caseload} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
        return int(self.run(f"SELECT coalesce(sum(alike - 1), 0) FROM ({grouped})")[0][0])

    def spread(self, items: Sequence[str]) -> str:
        return f"explode(filter({self.dialect.write_list(items)}, item -> item IS NOT NULL))"

    def load_pads(self, table: str, pads: Mapping[str, tuple[bytes, bytes]]) -> str:
        rows = [(authority, bytearray(inner), bytearray(outer)) for authority, (inner, outer) in pads.items()]
        schema = "authority STRING, inner_pad BINARY, outer_pad BINARY"
        return self._name_view(table, self._session.createDataFrame(rows, schema))

    def pseudonym(self, text: str) -> str:
        inside = f"unhex(sha2(concat(inner_pad, encode({text}, 'UTF-8')), 256))"
        return f"sha2(concat(outer_pad, {inside}), 256)"

    def prepare(self, rules: Sequence[Rule]) -> None:
        """Make nothing: what a condition needs is written out."""

    def write(self, statement: str, to: str) -> None:
        try:
            self._session.sql(statement).write.mode("overwrite").parquet(to)
        except Exception as fault:
            raise self._explain(fault) from None
        if not IN_A_LAKE.fullmatch(to) and not Path(to).is_dir():
            raise SourceError(
                f"{to}: is not on this machine, so Spark wrote on its own; name an address that both reach"
            )

    def withdraw(self, out: str) -> None:
        self._put_text(UNDONE, f"{out}/{RECORD}")
        try:
            old = self._session.read.parquet(f"{out}/{BREACHES}").schema
        except Exception:
            return  # there are none
        self._put([], old, f"{out}/{BREACHES}", "parquet")

    def publish(self, out: str, counts: Sequence[ToldCounts], record: str) -> None:
        schema = ", ".join(f"{name} {SPARK_TYPES.get(kind, kind)}" for name, kind in COUNT_TYPES.items())
        self._put([row.row for row in counts], schema, f"{out}/{COUNTS}", "parquet")
        self._put_text(record, f"{out}/{RECORD}")

    def _put_text(self, text: str, to: str) -> None:
        self._put([(line,) for line in text.splitlines()], "value STRING", to, "text")

    def _put(self, rows: Sequence[Sequence[Any]], schema: Any, to: str, kind: str) -> None:
        """Write these few rows as one file in a folder, replacing what is there."""
        try:
            frame = self._session.createDataFrame(rows, schema)
            frame.coalesce(1).write.mode("overwrite").format(kind).save(to)
        except Exception as fault:
            raise SourceError(
                f"{to}: Spark could not write there ({_name_condition(fault)}); let the session write there"
            ) from None

    def close(self) -> None:
        LOGGER.disabled = self._was_quiet
        # What a session that is lost cannot put back is lost with it.
        with suppress(Exception):
            for view in self._views:
                self._session.catalog.dropTempView(view)
            for name, before in self._before.items():
                self._session.conf.set(name, before)
        if self._is_own:
            with suppress(Exception):
                self._session.stop()

    def _explain(self, fault: Exception) -> Exception:
        """Return what is raised instead of Spark's own words, which quote the cell at fault and run to pages.

        What Spark does not say the cause of is the statement's own fault as long as the session answers another.
        """
        conditions = list(_find_conditions(fault))

        def is_one_of(words: Sequence[str]) -> bool:
            return any(word in each for each in conditions for word in words)

        if is_one_of(WITHOUT_PLACE) or not self._answers():
            return self._explain_place(fault)
        if is_one_of(OUT_OF_RANGE):
            return StatementFailed(NOT_IN_RANGE)
        if is_one_of(NOT_CAST):
            return StatementFailed(NOT_READ_AS)
        if type(fault).__name__ in ("AnalysisException", "ParseException"):
            return StatementFailed(f"the database refused it ({_name_condition(fault)}); check its conditions")
        return StatementFailed(f"Spark could not do it ({_name_condition(fault)}); its own log says why")

    def _explain_place(self, fault: Exception) -> Exception:
        """Return what is raised where the table, or the session, is the fault."""
        if any(word in condition for condition in _find_conditions(fault) for word in WITHOUT_PLACE):
            return SourceError(f"{self._place}: Spark finds no such table or Parquet files; name it as Spark knows it")
        return SourceError(f"{self._place}: Spark could not do it ({_name_condition(fault)}); its own log says why")

    def _answers(self) -> bool:
        try:
            return bool(self._session.sql("SELECT 1").collect())
        except Exception:
            return False


def _name_condition(fault: Exception) -> str:
    return next(_find_conditions(fault), type(fault).__name__)


def _find_conditions(fault: Exception | None) -> Iterator[str]:
    """Yield the names of what went wrong, the outermost first: of a write, Spark 3.5 tells the rest as its cause."""
    while fault is not None:
        yield from CONDITION.findall(str(fault))
        fault = getattr(fault, "cause", None)


def open_spark(settings: ScanSettings, session: Any, environ: Mapping[str, str], folder: Path | None) -> SparkEngine:
    """Open the session handed in, the one that is active, that of the server named, or one on this machine."""
    if session is not None:
        return SparkEngine(session, settings, is_own=False)
    try:
        from pyspark.sql import SparkSession  # an extra, and slow to load
    except ModuleNotFoundError:
        raise MonitorError(INSTALL) from None
    if (active := SparkSession.getActiveSession()) is not None:
        return SparkEngine(active, settings, is_own=False)
    address = _find_address(settings.spark or SparkSettings(), environ)
    try:
        builder = SparkSession.builder.appName("monitor scan")
        if address:
            session = builder.remote(address).getOrCreate()
        else:
            for name, value in HERE.items():
                builder = builder.config(name, value)
            # What passes through the disk is beside what is written, and goes with it.
            builder = builder.config("spark.local.dir", str(folder)) if folder else builder
            session = builder.master("local[*]").getOrCreate()
    except Exception as fault:
        where = "the Spark Connect server" if address else "a session on this machine, which needs Java 17"
        raise MonitorError(f"Spark: {where} could not be opened ({type(fault).__name__}); check that it runs") from None
    return SparkEngine(session, settings, is_own=True)


def _find_address(settings: SparkSettings, environ: Mapping[str, str]) -> str | None:
    if settings.remote_env is None:
        return settings.remote
    if address := environ.get(settings.remote_env, "").strip():
        return address
    raise Problems(
        [f"scan.spark.remote_env: the environment variable {settings.remote_env} is not set; set it to sc://host:15002"]
    )
