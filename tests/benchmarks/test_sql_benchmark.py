"""A hundred thousand people through PostgreSQL, beside fetching the same rows and doing nothing with them.

Run it with ``MONITOR_BENCHMARKS=all pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import json
from pathlib import Path

import psycopg
import pytest
from support.budget import ALL, judge, settled
from support.measured import ACCOUNTED, Course, Step, python, spent

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ALL, reason="a hundred thousand people: set MONITOR_BENCHMARKS=all"),
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

PEOPLE = 100_000

MAKE = """
DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench; SET search_path = bench;
CREATE TABLE ssd_care_leavers AS
SELECT md5(random()::text) AS clea_table_id, 'P' || n AS clea_person_id,
    'Former Relevant' AS clea_care_leaver_eligibility, 'YES' AS clea_care_leaver_in_touch,
    timestamp '2025-01-01' + (n % 365) * interval '1 day' AS clea_care_leaver_latest_contact,
    'Independent living' AS clea_care_leaver_accommodation, 'Suitable' AS clea_care_leaver_accom_suitable,
    'F2' AS clea_care_leaver_activity, timestamp '2025-06-01' AS clea_pathway_plan_review_date,
    (n % 4000)::text AS clea_care_leaver_personal_advisor, '12' AS clea_care_leaver_allocated_team,
    (n % 4000)::text AS clea_care_leaver_worker_id
FROM generate_series(1, {people}) AS n, generate_series(1, 2);
CREATE TABLE ssd_person AS
SELECT 'P' || n AS pers_person_id, 'A' AS pers_forename,
    timestamp '2002-01-01' + (n % 2500) * interval '1 day' AS pers_dob, NULL::timestamp AS pers_expected_dob,
    NULL::timestamp AS pers_death_date, NULL::char AS pers_is_mother
FROM generate_series(1, {people}) AS n;
CREATE TABLE ssd_involvements AS
SELECT 'P' || n AS invo_person_id, ((n + k) % 4000)::text AS invo_professional_id,
    'Personal Adviser' AS invo_professional_role_id, ((n + k) % 40)::text AS invo_professional_team,
    timestamp '2024-01-01' + k * interval '90 day' AS invo_involvement_start_date,
    CASE WHEN k < 3 THEN timestamp '2024-03-31' + k * interval '90 day' END AS invo_involvement_end_date,
    NULL::text AS invo_worker_change_reason
FROM generate_series(1, {people}) AS n, generate_series(1, 3) AS k;
CREATE TABLE ssd_department AS
SELECT n::text AS dept_team_id, 'Team ' || n AS dept_team_name FROM generate_series(0, 39) AS n;
"""

BARE = """
import json, sys
import psycopg
rows = 0
with psycopg.connect(sys.argv[1]) as connection:
    for query in json.loads(sys.argv[2]):
        with connection.cursor("bare") as cursor:
            cursor.execute(query)
            while chunk := cursor.fetchmany(50_000):
                rows += len(chunk)
print(rows)
"""

READ = """
import datetime as dt, json, sys
from monitor.config.source_settings import Source
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import open_workspace
keys = {"name": "bench", "url": sys.argv[1], **json.loads(sys.argv[2])}
workspace, steps = open_workspace(), []
read_source(Source.model_validate(keys), workspace, SourceContext(dt.date(2026, 1, 12), say=steps.append))
print(len(steps))
"""

SQL = """
SELECT p.pers_person_id AS person_id, p.pers_dob::date AS date_of_birth, c.clea_care_leaver_eligibility AS eligibility,
    c.clea_care_leaver_in_touch AS in_touch, c.clea_care_leaver_latest_contact AS latest_contact_date,
    c.clea_care_leaver_accommodation AS accommodation, c.clea_care_leaver_accom_suitable AS accommodation_suitable,
    c.clea_care_leaver_activity AS activity, c.clea_pathway_plan_review_date AS pathway_plan_review_date,
    c.clea_care_leaver_personal_advisor AS personal_adviser
FROM bench.ssd_person AS p JOIN bench.ssd_care_leavers AS c ON c.clea_person_id = p.pers_person_id
"""

TABLES = (
    "SELECT * FROM bench.ssd_care_leavers",
    "SELECT * FROM bench.ssd_person",
    "SELECT * FROM bench.ssd_involvements",
    "SELECT * FROM bench.ssd_department",
)


@pytest.mark.parametrize("what", ["a query", "the dataset"])
def test_people_through_postgresql(postgres: str, tmp_path: Path, what: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as store:
        store.execute(MAKE.format(people=PEOPLE))
    query = tmp_path / "query.sql"
    query.write_text(SQL, encoding="utf-8")
    fetched, keys = {
        "a query": ((SQL,), {"kind": "sql", "query_file": str(query)}),
        "the dataset": (TABLES, {"kind": "ssd-systemc", "schema": "bench"}),
    }[what]
    bare, read = python(BARE, postgres, json.dumps(fetched)), python(READ, postgres, json.dumps(keys))

    # However long it takes, whoever waits is told that it goes on.
    assert int(spent(read, tmp_path).printed) >= int(spent(bare, tmp_path).printed) // 50_000

    course = Course(tmp_path, bare, (Step(f"{PEOPLE:,} people, {what} of PostgreSQL", lambda number: read),))
    judge(settled(course.measure))
