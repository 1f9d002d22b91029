"""A scan of a typed caseload beside a bare scan of the columns that it uses, and beside its rules as one statement.

Each is a process of its own. The bare scan only finds each column's highest value; the statement asks the rules and
checks nothing of what it reads. 300,000 people, and 10,000,000 with ``MONITOR_BENCHMARKS=all``; a table that is there
already is named in ``MONITOR_SCAN_CASELOAD``. Where pyspark is installed, ``MONITOR_BENCHMARKS=all`` scans on Spark
too: its figure stands beside DuckDB's, and both must count alike.
"""

import importlib.util
import os
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.budget import ALL, judge, settled
from support.measured import ACCOUNTED, Course, Measured, Step, monitor, own_account, python, spent

from monitor.sample.many_people import write_caseload

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

GIVEN = os.environ.get("MONITOR_SCAN_CASELOAD")
SIZES = [300_000, 10_000_000] if ALL and not GIVEN else [300_000]

BARE = """
import sys, time, duckdb
from monitor.catalogue.columns import BY_NAME
from monitor.rulebook.kept_rulebook import open_shipped
used = sorted({name for rule in open_shipped().rules for name in rule.columns if name in BY_NAME})
duckdb.execute("SET enable_progress_bar = false")
started = time.process_time()
highest = ", ".join(f"max({name}), max({name}_gap)" for name in used)
duckdb.execute(f"SELECT authority, count_if(died), count_if(present), {highest} FROM read_parquet('{sys.argv[1]}') "
               "GROUP BY authority").fetchall()
print(time.process_time() - started)
"""

WRITE_RULES = """
import datetime as dt, sys
from pathlib import Path
from monitor.catalogue.derived import derived_sql
from monitor.rulebook import questions
from monitor.rulebook.kept_rulebook import open_shipped
from monitor.sample.many_people import LIST_9
from monitor.sample.supplement import HELD
supplied = frozenset((*LIST_9, *HELD))
roster = {"accommodation_since", "elsewhere_until", "first_seen_on", "once_entitled", "present"}
rules = [rule for rule in open_shipped().in_force(dt.date(2026, 1, 12)) if supplied.issuperset(rule.needs)
         and not roster.intersection(name for condition in rule.conditions for name in condition.names)]
shared = {}
share = lambda sql: shared.setdefault(sql, f"shared_{len(shared)}")
asked = ", ".join(f'{questions.outcome_sql(rule, supplied, share)} AS "{rule.id}"' for rule in rules)
beside = ", ".join(f"{sql} AS {name}" for sql, name in shared.items())
counts = ", ".join(f'count_if("{rule.id}" = {answer})' for rule in rules for answer in (1, 2, 4))
nothing = ", ".join(("NULL::VARCHAR AS strongest_category", "NULL::DATE AS first_seen_on",
                     "NULL::DATE AS accommodation_since", "NULL::DATE AS elsewhere_until"))
Path(sys.argv[2]).write_text(
    f"SELECT authority, {counts} FROM (SELECT authority, {asked} FROM (SELECT *, {beside} FROM (SELECT *, "
    f"{derived_sql()} FROM (SELECT *, {nothing} FROM read_parquet('{sys.argv[1]}'))))) GROUP BY authority"
)
"""

RULES = """
import sys, time, duckdb
duckdb.execute("SET enable_progress_bar = false")
started = time.process_time()
duckdb.execute(open(sys.argv[1]).read()).fetchall()
print(time.process_time() - started)
"""

SCAN = """
import sys, time
from monitor.scan.scan import scan
started = time.process_time()
scan(None, sys.argv[1])
print(time.process_time() - started)
"""

SPARK = """
import os, sys, time
from pathlib import Path
from pyspark.sql import SparkSession
from monitor.scan.scan import scan
build = SparkSession.builder.master("local[2]").config("spark.driver.memory", "2g")
spark = build.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()
java = Path("/proc", str(spark.sparkContext._gateway.proc.pid))
def used():
    fields = java.joinpath("stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + time.process_time()
before = used()
scan(spark, sys.argv[1])
peak = next(line for line in java.joinpath("status").read_text().splitlines() if line.startswith("VmHWM"))
print(f"{used() - before:.1f} CPU s, and {before:.1f} to start; {int(peak.split()[1]) // 1024} MB")
"""
"""Spark is a process of Java's, which the account of ours leaves out."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


def make_caseload(folder: Path, people: int) -> Path:
    path = folder / f"{people}.parquet"
    if GIVEN or path.exists():
        return Path(GIVEN or path)
    return write_caseload(path, people=people, as_at=date(2026, 1, 12), seed=1, authorities=153)


def write_settings(folder: Path, caseload: Path, engine: str) -> Path:
    path = folder / f"{engine}.toml"
    settings = f'[scan]\ncaseload = "{caseload}"\nout = "{engine}"\nengine = "{engine}"\nsuppress_below = 0\n'
    path.write_text(settings, encoding="utf-8")
    return path


def read_counts(out: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"FROM read_parquet('{out}/counts.parquet') ORDER BY ALL").fetchall()


@pytest.mark.parametrize("people", SIZES)
def test_a_scan_beside_a_bare_scan_of_the_columns_it_uses(people: int, folder: Path) -> None:
    caseload, statement = make_caseload(folder, people), folder / "rules.sql"
    spent(python(WRITE_RULES, caseload, statement), folder)
    commands = {
        "bare": python(BARE, caseload),
        "rules": python(RULES, statement),
        "scan": python(SCAN, write_settings(folder, caseload, "duckdb")),
    }
    steps = [Step(name, lambda n, name=name: commands[name], seconds=own_account) for name in commands]  # type: ignore[misc]
    size = "a given caseload" if GIVEN else f"{people:,} people"

    def measure(rounds: range) -> dict[str, Measured]:
        found = Course(folder, commands["bare"], steps).measure(rounds)
        scan, names = found["scan"], {"bare": f"{size}, a scan", "rules": f"{size}, a scan and its checks"}
        return {
            what: Measured(what, scan.seconds, found[beside].seconds, scan.megabytes) for beside, what in names.items()
        }

    judge(settled(measure))


def test_inventing_500000_people_takes_no_more_memory_than_100000(folder: Path) -> None:
    peaks = {
        people: spent(monitor("sample", folder / "sample.parquet", "--people", people), folder).megabytes
        for people in (100_000, 1_000_000 if ALL else 500_000)
    }
    print("", *(f"{people:,} invented people: {peak:.0f} MB" for people, peak in peaks.items()), sep="\n")

    small, large = peaks.values()
    assert large < small * 1.2 < 400


@pytest.mark.skipif(not ALL or importlib.util.find_spec("pyspark") is None, reason="needs pyspark and all sizes")
def test_spark_counts_as_duckdb_does_over_1000000_people(folder: Path) -> None:
    caseload = make_caseload(folder, 1_000_000)
    on_duckdb = spent(python(SCAN, write_settings(folder, caseload, "duckdb")), folder)
    on_spark = spent(python(SPARK, write_settings(folder, caseload, "spark")), folder)
    print(f"\nDuckDB: {own_account(on_duckdb):.1f} CPU s; {on_duckdb.megabytes:.0f} MB")
    print(f"Spark: {on_spark.printed.splitlines()[-1]}")

    assert read_counts(folder / "spark") == read_counts(folder / "duckdb")
