"""Reading, typing and asking every rule of a million people, beside DuckDB asking them straight over the file.

Run it with ``MONITOR_BENCHMARKS=all pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import json
from pathlib import Path

import pytest
from support.budget import ALL, judge, settled
from support.measured import ACCOUNTED, Course, Step, python, spent

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ALL, reason="a million people: set MONITOR_BENCHMARKS=all"),
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

PEOPLE = 1_000_000

MAKE = """
import sys, duckdb
path, people = sys.argv[1], int(sys.argv[2])
def day(span, salt):
    return f"DATE '2026-01-12' - CAST(hash(n, {salt}) % {span} AS INTEGER)"
def code(values, salt):
    listed = ', '.join(f"'{value}'" for value in values)
    return f"([{listed}])[1 + CAST(hash(n, {salt}) % {len(values)} AS INTEGER)]"
columns = {
    "Child Unique ID": "printf('%07d', n)",
    "Date of Birth": f"{day(9 * 365, 1)} - 16 * 365",
    "Eligibility Category": code(["former relevant"] * 6 + ["relevant", "eligible", "qualifying"], 2),
    "Does the Child have a Disability": code(["a) Yes"] + ["b) No"] * 7, 3),
    "UASC": code(["a) Yes"] + ["b) No"] * 9, 4),
    "Allocated Team": code(["North", "South", "East", "West"], 5),
    "Allocated Personal Adviser": f"CASE WHEN hash(n, 6) % 4 > 0 THEN 'Adviser ' || (hash(n, 7) % 9000) END",
    "Latest Pathway Plan Review Date": day(260, 8),
    "LA in Touch": code(["YES"] * 8 + ["NO", "REFU"], 9),
    "Latest Date of Contact": day(120, 10),
    "Type of Accommodation": code(list("BCDEKTUUUUUZ") + ["S", "W", "X", "R"], 11),
    "Suitability of Accommodation": code(["1"] * 12 + ["2"], 12),
    "Activity Status": code(["F1", "F2", "F4", "F5", "P5", "G4", "G5", "G5"], 13),
}
listed = ', '.join(f'{sql} AS "{heading}"' for heading, sql in columns.items())
duckdb.sql("SET enable_progress_bar = false")
duckdb.sql(f"COPY (SELECT {listed} FROM range({people}) AS numbers(n)) TO '{path}' (HEADER)")
"""

WRITE_STATEMENT = """
import datetime as dt, sys
from pathlib import Path
from monitor.catalogue import derived
from monitor.catalogue.columns import COLUMNS
from monitor.config.settings import shipped
from monitor.rulebook import questions
from monitor.rulebook.rule_folders import load_rulebook
from monitor.workspace import open_workspace
path, as_at = Path(sys.argv[1]), dt.date(2026, 1, 12)
rulebook = load_rulebook((shipped("rules"),), {})
dates = {"Date of Birth": "date_of_birth", "Latest Pathway Plan Review Date": "pathway_plan_review_date",
         "Latest Date of Contact": "latest_contact_date"}
plain = {"Eligibility Category": "eligibility", "Allocated Team": "allocated_team", "LA in Touch": "in_touch",
         "Allocated Personal Adviser": "personal_adviser", "Type of Accommodation": "accommodation",
         "Activity Status": "activity"}
yes = {"Does the Child have a Disability": "disability", "UASC": "uasc"}
supplied = {*dates.values(), *plain.values(), *yes.values(), "accommodation_suitable"}
asked = [r for r in rulebook.in_force(as_at) if set(r.needs) <= supplied]
typed = ", ".join([*(f'"{h}" AS {n}' for h, n in {**dates, **plain}.items()),
                   *(f"\\"{h}\\" = 'a) Yes' AS {n}" for h, n in yes.items()),
                   '"Suitability of Accommodation" = 1 AS accommodation_suitable',
                   *(f"NULL::{c.duckdb_type} AS {c.name}" for c in COLUMNS if c.name not in supplied),
                   *(f"NULL::VARCHAR AS {c.name}_gap" for c in COLUMNS)])
counts = ", ".join(f"count(*) FILTER (({questions.outcome_sql(r, frozenset())}) = 2) AS \\"{r.id}\\"" for r in asked)
workspace = open_workspace()
macros = workspace.execute("SELECT function_name, parameters, macro_definition FROM duckdb_functions() "
                           "WHERE function_type = 'macro' AND NOT internal ORDER BY function_oid").fetchall()
made = "; ".join(f"CREATE MACRO {name}({', '.join(names)}) AS {sql}" for name, names, sql in macros)
Path(sys.argv[2]).write_text(f'''SET enable_progress_bar = false; {made};
    SELECT {counts} FROM (
        SELECT *, {derived.derived_sql()} FROM (
            SELECT "Child Unique ID" AS person_id, {typed}, NULL::VARCHAR AS strongest_category,
                   DATE '2026-01-12' AS as_at, true AS present, false AS died,
                   DATE '2026-01-12' AS accommodation_since, NULL::DATE AS elsewhere_until,
                   DATE '2026-01-12' AS first_seen_on
            FROM read_csv('{path}')))
''')
"""

FUSED = """
import duckdb, json, sys
answer = duckdb.execute(open(sys.argv[1]).read())
print(json.dumps(dict(zip((column[0] for column in answer.description), answer.fetchone()))))
"""

OURS = """
import datetime as dt, json, sys
from pathlib import Path
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.intake import CouncilNames, type_rows
from monitor.config.source_settings import Source
from monitor.rulebook import evaluation
from monitor.rulebook.kept_rulebook import open_shipped
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import open_workspace
path, as_at = Path(sys.argv[1]), dt.date(2026, 1, 12)
rulebook, workspace = open_shipped(), open_workspace()
source = Source(name="caseload", kind="annex-a-list-9", path=path)
extract = read_source(source, workspace, SourceContext(as_at, path.parent))
intake = type_rows(workspace, [extract], as_at=as_at, names=CouncilNames())
workspace.execute("CREATE TABLE roster (person_id VARCHAR, strongest_category VARCHAR, last_values VARCHAR, "
                  "accommodation_since DATE, first_seen_on DATE, absent_since DATE, died_on DATE, ended_on DATE)")
join_roster(workspace, intake, as_at=as_at)
evaluated = evaluation.evaluate(workspace, rulebook, evaluation.Asking(as_at, intake.supplied))
print(json.dumps({rule: counts.breach for rule, counts in evaluated.totals.items()}))
"""


def test_reading_typing_and_asking_beside_duckdb_straight_over_the_file(tmp_path: Path) -> None:
    path, statement = tmp_path / "list-9.csv", tmp_path / "fused.sql"
    spent(python(MAKE, path, PEOPLE), tmp_path)
    spent(python(WRITE_STATEMENT, path, statement), tmp_path)
    fused, ours = python(FUSED, statement), python(OURS, path)

    breaches = json.loads(spent(fused, tmp_path).printed)
    assert json.loads(spent(ours, tmp_path).printed).items() >= breaches.items()

    judge(settled(Course(tmp_path, fused, (Step(f"{PEOPLE:,} people, read, type and ask", lambda n: ours),)).measure))
