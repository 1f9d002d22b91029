"""A year of the service with a clock of its own: every night once, and no drift in memory or in the database."""

import datetime as dt
import os
from pathlib import Path

import pytest
from support.timed_service import Timed, days_between, few_rules, live_through

pytestmark = pytest.mark.simulation

FIRST = dt.date(2027, 6, 1)
NIGHTS = int(os.environ.get("MONITOR_YEAR_NIGHTS", "366"))
"""With 29 February 2028 and both changes of the clocks."""
OUTAGE = days_between(dt.date(2027, 9, 14), dt.date(2027, 9, 18))
MOST_DRIFT_MEGABYTES = 60
"""What the process may hold more in its last quarter than after its first."""


@pytest.mark.parametrize(("people", "whole"), [(150, False), (1_500, True)], ids=["few rules", "whole rulebook"])
def test_a_year_runs_every_night_once_and_drifts_in_nothing(tmp_path: Path, people: int, whole: bool) -> None:
    council = Timed(tmp_path, "" if whole else few_rules(tmp_path), people)
    days = days_between(FIRST, FIRST + dt.timedelta(NIGHTS - 1))
    print()

    lived = live_through(council, days, down=OUTAGE, looks=8)

    growth = lived.growth()
    print(f"{len(days)} dates in {lived.minutes:.1f} minutes; log {council.log_file.stat().st_size / 1e6:.2f} MB")
    print("database growth, kB a night:", [round(each / (NIGHTS // 8) / 1e3, 1) for each in growth])
    run = [day for day in days if day not in OUTAGE]
    assert council.accepted() == run
    assert len([at for at, did in council.did if "night" in did]) == len(run)
    assert council.rows("SELECT count(*) FROM run") == [(len(run),)]
    assert max(lived.megabytes[-2:]) - lived.megabytes[1] < MOST_DRIFT_MEGABYTES
    assert sum(growth[-2:]) < 1.3 * sum(growth[1:3])
