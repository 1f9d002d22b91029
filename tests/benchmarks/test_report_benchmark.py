"""What the oversight report costs with two years of nights behind it, beside the probe.

Run it with ``MONITOR_BENCHMARKS=all pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import datetime as dt
import json
from pathlib import Path
from random import Random

import pytest
from support.budget import ALL, judge, settled
from support.measured import ACCOUNTED, Course, Step, monitor, probe, spent

from monitor.config.settings import load_config
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.sample.list_9 import write_sample
from monitor.store.bulk import insert_rows
from monitor.store.database import Database, open_store
from monitor.store.location import locate
from monitor.store.tables import Flag, Indicator, Measure, Run

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ALL, reason="two years of nights: set MONITOR_BENCHMARKS=all"),
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

NIGHT = dt.date(2026, 1, 12)
NIGHTS_BEFORE = 730
TEAMS = ("Leaving Care North", "Leaving Care South", "Leaving Care East", "Leaving Care West", "")
CONFIG = """
[[sources]]
name = "caseload"
kind = "sample"
people = {people}
[[sources]]
name = "supplement"
kind = "sample"
role = "detail"
people = {people}
[lists]
workbooks = false
[report]
every_night = false
"""


def remember(database: Database, rulebook: Rulebook, people: int) -> None:
    """Two years of nights: their runs, measures, figures and cleared flags, as if they had been."""
    rng, first = Random(1), NIGHT - dt.timedelta(NIGHTS_BEFORE)
    rules = [rule.id for rule in rulebook.rules]
    meanings = json.dumps({rule.id: rule.meaning for rule in rulebook.rules})
    columns = json.dumps(sorted({name for rule in rulebook.rules for name in rule.columns}))
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    days = [(n, first + dt.timedelta(n)) for n in range(NIGHTS_BEFORE)]
    with database.writing() as store:
        runs = [(1000 + n, day, "accepted", start, meanings, columns, people, "trusted") for n, day in days]
        insert_rows(store, Run, ("id", "as_at", "state", "started_at", "rule_meanings", "supplied", "people",
                                      "verdict"), runs)  # fmt: skip
        for n, day in days:
            each = [(1000 + n, rule, team, day, 300, 250, 40, 10, 2, 1) for rule in rules for team in TEAMS]
            insert_rows(store, Measure, ("run_id", "rule", "team", "as_at", "asked", "ok", "breach",
                                              "cannot_assess", "held", "waived"), each)  # fmt: skip
            kept = [(1000 + n, f"figure-{k}", team, day, 5, 10, 1) for k in range(40) for team in TEAMS]
            insert_rows(store, Indicator, ("run_id", "name", "team", "as_at", "numerator", "denominator",
                                                "not_assessed"), kept)  # fmt: skip
        spells = []
        for number in range(people * 8):
            opened = rng.randrange(NIGHTS_BEFORE - 60)
            day, cleared = first + dt.timedelta(opened), first + dt.timedelta(opened + rng.randrange(1, 60))
            spells.append((
                10_000_000 + number, f"S{rng.randrange(people)}", rng.choice(rules), "high", day, 1000 + opened, day,
                "Said then.", cleared, "cleared", 0,
            ))  # fmt: skip
        columns_kept = (
            "id", "person_id", "rule", "severity", "opened_on", "opened_run_id", "in_breach_since", "because",
            "resolved_on", "resolved_reason", "earlier_spells",
        )  # fmt: skip
        insert_rows(store, Flag, columns_kept, spells)


@pytest.mark.parametrize("people", [1_500, 80_000])
def test_the_report_over_two_years(tmp_path: Path, people: int) -> None:
    config_path, source = tmp_path / "monitor.toml", tmp_path / "list-9.csv"
    config_path.write_text(CONFIG.format(people=people), encoding="utf-8")
    config = load_config(config_path)
    database = open_store(locate(config, {}))
    remember(database, load_rulebook(config.rule_folders(), config.rule), people)
    database.close()
    write_sample(source, people=people, as_at=NIGHT, seed=1)
    spent(monitor("run", "--as-at", NIGHT, "--accept", "a benchmark", "--by", "A Example"), tmp_path)

    since = NIGHT - dt.timedelta(NIGHTS_BEFORE)
    report = monitor("report", "--from", since, "--to", NIGHT, "--output", "report")
    course = Course(tmp_path, probe(source), (Step(f"{people:,} people, report of two years", lambda number: report),))
    measured = settled(course.measure)

    [page] = (tmp_path / "report").rglob("*.html")
    assert page.stat().st_size < 2_000_000
    judge(measured)
