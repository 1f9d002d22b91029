"""What a night costs beside the probe, and that it costs no more than its aim in ``tests/support/budget.py``.

Run it with ``pytest -n 0 -m benchmark -s tests/benchmarks``; with ``MONITOR_BENCHMARKS=all`` the large sizes too. The
aims are those of the installed wheel, as ``.ci/run`` measures it: in a checkout a first night checks the rulebook and
compiles the templates anew, which is a probe and more.
"""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.budget import ALL, growth, judge, settled
from support.measured import ACCOUNTED, CONFIG, Course, Measured, Step, monitor, own_account, probe, python, spent

from monitor.sample.list_9 import write_sample

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

FIRST, SECOND = dt.date(2026, 1, 12), dt.date(2026, 1, 13)
WARM = """
import datetime as dt, sys, time
from pathlib import Path
from statistics import median
from monitor.config.settings import load_config
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.store.nights import Request
night, clock, taken = dt.date(2026, 1, 12), dt.datetime(2026, 1, 12, 2, 30, tzinfo=dt.UTC), []
text, source = Path("monitor.toml").read_text(encoding="utf-8"), Path("list-9.csv").resolve().as_posix()
for number in range(4):
    started = time.process_time()
    folder = Path(sys.argv[1]) / str(number)
    folder.mkdir(parents=True)
    (folder / "monitor.toml").write_text(text.replace("list-9.csv", source), encoding="utf-8")
    run_night(load_config(folder / "monitor.toml"), Request(night, night), Tools(lambda: clock, {}, lambda step: None))
    taken.append(time.process_time() - started)
print(median(taken[1:]))
"""


def make_ready(folder: Path, people: int) -> Path:
    """Write the config and the lists of two nights."""
    (folder / "monitor.toml").write_text(CONFIG, encoding="utf-8")
    for night in (FIRST, SECOND):
        write_sample(folder / f"{night}.csv", people=people, as_at=night, seed=1)
    shutil.copy(folder / f"{FIRST}.csv", folder / "list-9.csv")
    return folder / "list-9.csv"


def night_of(folder: Path, people: int) -> Course:
    """A first night on an empty folder, a second, and that one again."""

    def forget() -> None:
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.copy(folder / f"{FIRST}.csv", source)

    def go_on() -> None:
        shutil.copy(folder / f"{SECOND}.csv", source)

    def run(night: dt.date) -> Callable[[int], list[str]]:
        return lambda number: monitor("run", "--as-at", night)

    source = make_ready(folder, people)
    size = f"{people:,} people"
    return Course(folder, probe(source), (
        Step(f"{size}, first night", run(FIRST), forget),
        Step(f"{size}, second night", run(SECOND), go_on),
        Step(f"{size}, same night again", run(SECOND)),
    ))  # fmt: skip


def test_a_night_of_twenty_people(tmp_path: Path) -> None:
    source = make_ready(tmp_path, 20)
    course = Course(tmp_path, probe(source), (
        Step("20 people, first night", lambda number: monitor("run", "--as-at", FIRST),
             lambda: shutil.rmtree(tmp_path / "data", ignore_errors=True)),
        Step("20 people, a warm night", lambda number: python(WARM, tmp_path / str(number)), seconds=own_account),
    ))  # fmt: skip
    spent(course.steps[0].command(0), tmp_path)

    judge(settled(course.measure))


def test_a_night_of_a_council(tmp_path: Path) -> None:
    course = night_of(tmp_path, 1_500)

    judge(settled(course.measure))


@pytest.mark.skipif(not ALL, reason="a large night: set MONITOR_BENCHMARKS=all")
def test_a_night_of_eighty_thousand_people(tmp_path: Path) -> None:
    for size in ("small", "large"):
        (tmp_path / size).mkdir()
    small, large = night_of(tmp_path / "small", 1_500), night_of(tmp_path / "large", 80_000)

    fixed, whole = small.measure(range(3)), large.measure(range(3))

    def grown(name: str, measured: Measured) -> Measured:
        return growth(measured, fixed[name.replace("80,000", "1,500")], 78.5)

    judge(grown(name, measured) for name, measured in whole.items())
