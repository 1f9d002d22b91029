"""A year of the service with a clock of its own: every night once, and no drift in memory or in the database."""

import datetime as dt
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from years import Timed, days_between, resident_megabytes

pytestmark = pytest.mark.simulation

FIRST = dt.date(2027, 6, 1)
NIGHTS = int(os.environ.get("MONITOR_YEAR_NIGHTS", "366"))
"""With 29 February 2028 and both changes of the clocks."""
OUTAGE = days_between(dt.date(2027, 9, 14), dt.date(2027, 9, 18))
PEOPLE = 1_500
MOST_DRIFT_MEGABYTES = 60
"""What the process may hold more in its last quarter than after its first."""


def test_a_year_runs_every_night_once_and_drifts_in_nothing(tmp_path: Path) -> None:
    council = Timed(tmp_path, 'data_folder = "data"', PEOPLE)
    days = days_between(FIRST, FIRST + dt.timedelta(NIGHTS - 1))
    back = OUTAGE[-1] + dt.timedelta(1)
    started, held, sizes = time.perf_counter(), [resident_megabytes()], [0]

    for number, day in enumerate(days, start=1):
        if day == back:
            council.restart()
        if day not in OUTAGE:
            council.live([day])
        if number % (NIGHTS // 8) == 0:
            held.append(resident_megabytes())
            sizes.append(council.database_bytes())
            minutes = (time.perf_counter() - started) / 60
            print(
                f"\n{day}: {number / minutes:.0f} nights a minute, {held[-1]:.0f} MB held, database "
                f"{sizes[-1] / 1e6:.1f} MB",
                end="",
                flush=True,
            )

    minutes = (time.perf_counter() - started) / 60
    print(
        f"\n{len(days)} dates in {minutes:.1f} minutes; memory {held[0]:.0f} MB at the start, {held[-1]:.0f} at the end"
    )
    nights = [at for at, did in council.did if "night" in did]
    lived = [day for day in days if day not in OUTAGE]
    assert council.accepted() == lived
    assert len(nights) == len(lived)
    assert council.rows("SELECT count(*) FROM run") == [(len(lived),)]
    assert max(held[-2:]) - held[2] < MOST_DRIFT_MEGABYTES
    growth = [later - earlier for earlier, later in pairwise(sizes)]
    print("database growth by eighth of the year, kB a night:", [round(each / (NIGHTS // 8) / 1e3) for each in growth])
    assert sum(growth[-2:]) < 1.3 * sum(growth[2:4])
