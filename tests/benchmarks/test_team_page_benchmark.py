"""What the teams' pages of 900 people add to a night, beside the probe; its aim is in ``tests/support/budget.py``.

A night takes ten times as long as its pages, and differs by more than they cost from one time to the next: so what is
counted is the processor's time within them, in a real night: history, templates, rows and files.
"""

import datetime as dt
import shutil
from pathlib import Path

import pytest
from support.budget import judge, settled
from support.measured import ACCOUNTED, CONFIG, Course, Step, own_account, probe, python

from monitor.sample.list_9 import write_sample

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

NIGHT = dt.date(2026, 1, 12)
PAGES = """
import datetime as dt, time
from pathlib import Path
from monitor.config.settings import load_config
from monitor.lists import lists
from monitor.night import publish
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.store.nights import Request

taken = []

def counted(function):
    def run(*args, **given):
        started = time.process_time()
        made = function(*args, **given)
        taken.append(time.process_time() - started)
        return made
    return run

publish.describe_pages = counted(publish.describe_pages)
lists.write_team_pages = counted(lists.write_team_pages)
night, now = dt.date(2026, 1, 12), dt.datetime(2026, 1, 12, 2, 30, tzinfo=dt.UTC)
run_night(load_config(Path("monitor.toml")), Request(night, night), Tools(lambda: now, {}, lambda step: None))
assert len(taken) == 2 and len(list(Path("data/exceptions").rglob("*.html"))) == 4
print(sum(taken))
"""


def test_the_teams_pages_of_a_council(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text(CONFIG.replace("workbooks = false", ""), encoding="utf-8")
    source = tmp_path / "list-9.csv"
    write_sample(source, people=900, as_at=NIGHT, seed=1)
    course = Course(tmp_path, probe(source), (
        Step("900 people, teams' pages", lambda number: python(PAGES),
             lambda: shutil.rmtree(tmp_path / "data", ignore_errors=True), seconds=own_account),
    ))  # fmt: skip

    judge(settled(course.measure))
