"""How long a night takes, as a ratio to importing the libraries and scanning the file, within one run.

Not part of the usual tests, and never a timed one: it prints what it measured. Run it with
``pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.benchmark_size import SMALLEST

from monitor.sample.list_9 import write_sample

pytestmark = pytest.mark.benchmark

YARDSTICK = """
import sys
import alembic, apscheduler, duckdb, filelock, holidays, httpx, jinja2, pydantic, python_calamine, rich, sqlglot
import sqlmodel, typer, xlsxwriter
duckdb.sql(f"SELECT count(COLUMNS(*)) FROM read_csv('{sys.argv[1]}', all_varchar = true)").fetchall()
"""
NIGHTS = ("2026-01-12", "2026-01-13")
CONFIG = """
[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "list-9.csv"
[[teams]]
name = "Leaving Care North"
lead = "north@example.gov.uk"
[lists]
workbooks = {workbooks}
"""


def timed(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


@pytest.mark.parametrize("people", [20] if SMALLEST else [1_500, 80_000])
@pytest.mark.parametrize("workbooks", [False, True])
def test_a_night_beside_importing_and_scanning(tmp_path: Path, people: int, workbooks: bool) -> None:
    import datetime as dt

    config, source = tmp_path / "monitor.toml", tmp_path / "list-9.csv"
    config.write_text(CONFIG.format(workbooks=str(workbooks).lower()), encoding="utf-8")
    monitor = (sys.executable, "-c", "from monitor.cli.command import main; main()", "run", "--config", str(config))
    ratios = []
    for night in NIGHTS:
        write_sample(source, people=people, as_at=dt.date.fromisoformat(night), seed=1)
        yardstick = min(timed(sys.executable, "-c", YARDSTICK, str(source)) for _ in range(3))
        ratios.append((timed(*monitor, "--as-at", night) / yardstick, yardstick))

    (first, _), (second, yardstick) = ratios
    lists = "with workbooks" if workbooks else "csv lists"
    print(f"\n{people:,} people, {lists}: first night {first:.1f}x, second {second:.1f}x (yardstick {yardstick:.2f} s)")
    assert (tmp_path / "data" / "exceptions" / NIGHTS[1] / "all.csv").stat().st_size > 0
