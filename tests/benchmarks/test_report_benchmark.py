"""How long the oversight report takes beside the night, with two years of nights behind it; within one run.

Not part of the usual tests: it prints what it measured. ``pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import datetime as dt
import json
import time
from pathlib import Path
from random import Random

import pytest
from support.benchmark_size import SMALLEST
from support.council import Council

from monitor.config.settings import load_config
from monitor.messages.templates import open_templates
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.report.gather import gather_report
from monitor.report.report_nights import ReportRequest
from monitor.report.write import write_report
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.store.bulk import insert_rows
from monitor.store.database import Database, open_store
from monitor.store.location import locate
from monitor.store.nights import Request
from monitor.store.tables import Flag, Indicator, Measure, Run

pytestmark = pytest.mark.benchmark

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


@pytest.mark.parametrize("people", [100] if SMALLEST else [1_500, 80_000])
def test_the_report_takes_less_than_twice_the_night(tmp_path: Path, people: int) -> None:
    council = Council(tmp_path)
    council.config_path.write_text(CONFIG.format(people=people), encoding="utf-8")
    config = load_config(council.config_path)
    rulebook, templates = load_rulebook(config.rule_folders(), config.rule), open_templates(None)
    database = open_store(locate(config, {}))
    remember(database, rulebook, people)
    tools = Tools(lambda: council.clock, {}, lambda step: None)

    run_night(config, Request(NIGHT, NIGHT, accept="a benchmark", by="A Example"), tools)
    # The second night, which has only changes to save.
    after = NIGHT + dt.timedelta(1)
    started = time.perf_counter()
    run_night(config, Request(after, after, accept="a benchmark", by="A Example"), tools)
    night = time.perf_counter() - started
    started = time.perf_counter()
    contents = gather_report(database, config, rulebook, ReportRequest(after, NIGHT - dt.timedelta(NIGHTS_BEFORE)))
    gathered = time.perf_counter() - started
    page, _ = write_report(contents, tmp_path / "out", templates)
    whole = time.perf_counter() - started
    database.close()

    print(f"\n{people:,} people, {NIGHTS_BEFORE} nights: report {whole / night:.2f}x the night ({night:.1f} s), "
          f"figures alone {gathered / night:.2f}x; page {page.stat().st_size / 1e6:.2f} MB, "
          f"{len(contents.flags.rows):,} of {contents.flags.total:,} flags listed")  # fmt: skip
    assert len(contents.weeks) >= 104
    assert page.stat().st_size < 2_000_000
    assert len(contents.flags.rows) <= 2_000
    assert SMALLEST or whole < 2 * night
