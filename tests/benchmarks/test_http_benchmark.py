"""Reading 100,000 people page by page over HTTP, beside a bare fetch of the same pages.

Run it with ``MONITOR_BENCHMARKS=all pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import json
from functools import cache
from pathlib import Path

import pytest
from support.budget import ALL, judge, settled
from support.measured import ACCOUNTED, Course, Step, python
from support.servers.http import Asked, Said, serving

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not ALL, reason="a hundred thousand people: set MONITOR_BENCHMARKS=all"),
    pytest.mark.skipif(not ACCOUNTED, reason="this system does not say what a finished process used"),
]

PEOPLE, PAGE = 100_000, 1_000

BARE = """
import sys, httpx
with httpx.Client() as client:
    url = httpx.URL(sys.argv[1])
    while url is not None:
        response = client.get(url)
        following = response.links.get("next")
        url = response.url.join(following["url"]) if following else None
"""
READ = """
import datetime as dt, sys
from monitor.config.source_settings import Http, Source
from monitor.sources import http
from monitor.sources.extract import SourceContext
from monitor.workspace import open_workspace
workspace = open_workspace()
source = Source(name="case-api", kind="http", http=Http(url=sys.argv[1], next="header"))
http.load(workspace, "extract", source, SourceContext(dt.date(2026, 1, 12)))
assert workspace.execute("SELECT count(*) FROM extract").fetchall() == [(int(sys.argv[2]),)]
"""


@cache
def page_of(number: int) -> bytes:
    first = (number - 1) * PAGE
    return json.dumps([
        {
            "person_id": f"{n:07}", "date_of_birth": f"200{n % 10}-0{1 + n % 9}-15", "in_touch": "YES",
            "activity": "F2",
            "eligibility": "former relevant", "allocated_team": "North", "personal_adviser": f"Adviser {n % 900}",
            "latest_contact_date": "2026-01-05", "accommodation": "U1", "pathway_plan_review_date": "2025-11-01",
        }
        for n in range(first, first + PAGE)
    ]).encode()  # fmt: skip


def answer(asked: Asked) -> Said:
    number = int(asked.query.get("page", "1"))
    link = {"Link": f'<?page={number + 1}>; rel="next"'} if number * PAGE < PEOPLE else {}
    return Said(page_of(number), headers={"Content-Type": "application/json", **link})


def test_a_hundred_thousand_people_over_http(tmp_path: Path) -> None:
    with serving(answer) as server:
        bare, read = python(BARE, server.url), python(READ, server.url, PEOPLE)
        course = Course(tmp_path, bare, (Step(f"{PEOPLE:,} people over HTTP", lambda number: read),))
        judge(settled(course.measure))
