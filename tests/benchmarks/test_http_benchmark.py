"""Reading 100,000 people page by page over HTTP, beside a bare fetch of the same pages.

Each side is a process of its own, so that its peak memory is its own. Run it with
``pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import json
import subprocess
import sys
from functools import cache

import pytest
from support.benchmark_size import SMALLEST
from support.servers.http import Asked, Said, serving

pytestmark = pytest.mark.benchmark

PEOPLE, PAGE = (2_000 if SMALLEST else 100_000), 1_000

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
MEASURED = """
import resource, time
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
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


def measure(code: str, url: str) -> tuple[float, float]:
    """Seconds from the first import to the end, and the peak in MB."""
    whole = f"import time; started = time.perf_counter()\n{code}\n{MEASURED}"
    run = subprocess.run([sys.executable, "-c", whole, url, str(PEOPLE)], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, run.stdout.split())
    return seconds, megabytes


def test_a_hundred_thousand_people_over_http() -> None:
    with serving(answer) as server:
        measure(BARE, server.url)  # the pages are made once
        bare, bare_peak = measure(BARE, server.url)
        read, read_peak = measure(READ, server.url)

    print(
        f"\n{PEOPLE:,} people in {PEOPLE // PAGE} pages over HTTP: {read:.1f} s, {read / bare:.1f} times a bare fetch "
        f"({bare:.1f} s); peak {read_peak:.0f} MB, a bare fetch {bare_peak:.0f} MB"
    )
    assert SMALLEST or read / bare < 15
    assert read_peak < 400
