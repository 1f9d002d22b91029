"""Reading and typing 80,000 people from a csv and from a workbook, beside the probe.

Run it with ``MONITOR_BENCHMARKS=all pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import datetime as dt
from pathlib import Path

import pytest
from support.budget import ALL, judge, settled
from support.measured import ACCOUNTED, Course, Step, probe, python

from monitor.sample.list_9 import write_sample

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ALL, reason="eighty thousand people: set MONITOR_BENCHMARKS=all"),
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

NIGHT = dt.date(2026, 1, 12)
PEOPLE = 80_000

READ = """
import datetime as dt, sys
from pathlib import Path
from monitor.caseload.intake import read_caseload
from monitor.config.settings import load_config
from monitor.sources.extract import SourceContext
from monitor.workspace import open_workspace
config = load_config(Path(sys.argv[1]))
read = read_caseload(open_workspace(), config, SourceContext(dt.date.fromisoformat(sys.argv[2]), config.data_folder))
assert read.intake.people > int(sys.argv[3])
"""


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_eighty_thousand_people_from_a_file(tmp_path: Path, kind: str) -> None:
    source = write_sample(tmp_path / f"list-9.{kind}", people=PEOPLE, as_at=NIGHT, seed=1)
    beside = write_sample(tmp_path / "probe.csv", people=1_500, as_at=NIGHT, seed=1)
    config = tmp_path / "monitor.toml"
    config.write_text(f'[[sources]]\nname = "caseload"\nkind = "annex-a-list-9"\npath = "{source.name}"\n', "utf-8")
    read = python(READ, config, NIGHT, int(0.97 * PEOPLE))
    course = Course(tmp_path, probe(beside), (Step(f"{PEOPLE:,} people, {kind} read", lambda number: read),))
    judge(settled(course.measure))
