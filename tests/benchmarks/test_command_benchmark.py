"""What the commands cost beside the probe, over a council of 1,500 people after two nights.

Run it with ``pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.budget import judge, settled
from support.measured import ACCOUNTED, CONFIG, Course, Step, monitor, probe, spent

from monitor.sample.list_9 import write_sample

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

NIGHTS = (dt.date(2026, 1, 12), dt.date(2026, 1, 13))


def test_the_commands(tmp_path: Path) -> None:
    source = tmp_path / "list-9.csv"
    (tmp_path / "monitor.toml").write_text(CONFIG, encoding="utf-8")
    for night in NIGHTS:
        write_sample(source, people=1_500, as_at=night, seed=1)
        spent(monitor("run", "--as-at", night), tmp_path)
    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db")) as store:
        flags = store.execute("SELECT person_id, rule FROM flag WHERE resolved_on IS NULL ORDER BY id").fetchall()
    # A waiver runs from the day it is given, which is the clock's and not the night's.
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(14)

    def waive(number: int) -> list[str]:
        decided = ("--until", until, "--reason", "under-way", "--note", "Agreed.", "--by", "A Example")
        return monitor("waive", *flags[number], *decided)

    course = Course(tmp_path, probe(source), (
        Step("--help", lambda number: monitor("--help")),
        Step("status", lambda number: monitor("status"), allowed=(0, 1)),  # these nights are long ago
        Step("rules show", lambda number: monitor("rules", "show", "contact-overdue")),
        Step("measures", lambda number: monitor("measures")),
        Step("waive", waive),
        Step("explain", lambda number: monitor("explain", flags[0][0])),
        Step("export", lambda number: monitor("export", "--output", f"flags-{number}.csv")),
        Step("check", lambda number: monitor("check")),
        Step("audit", lambda number: monitor("audit")),
    ))  # fmt: skip

    judge(settled(course.measure))
