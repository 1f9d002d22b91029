"""How large the page of the oversight report is, how long it takes to make, and how soon a browser shows it.

Never a timed test: it prints what it measured, beside a bare page of the same size. Run it with
``pytest -n 0 -m benchmark -s tests/benchmarks``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.benchmark_size import SMALLEST
from support.report_contents import Size, example

from monitor.messages.templates import open_templates
from monitor.report.page import write_page

pytestmark = pytest.mark.benchmark

SHOWN = """() => {
    const [opening] = performance.getEntriesByType("navigation");
    const [painted] = performance.getEntriesByName("first-contentful-paint");
    return [opening.loadEventEnd, painted ? painted.startTime : null];
}"""
FRESH = """
import sys, time
started = time.perf_counter()
from monitor.report.page import write_page
from monitor.messages.templates import open_templates
imported = time.perf_counter() - started
sys.path.insert(0, sys.argv[1])
from support.report_contents import example
contents = example(sys.argv[2])
started = time.perf_counter()
write_page(contents, open_templates())
print(imported, time.perf_counter() - started)
"""


SIZES = ("council", "board") if SMALLEST else ("council", "200 teams", "80,000 people", "board")


@pytest.mark.parametrize("size", SIZES)
def test_the_size_of_a_page_and_how_soon_it_is_there(tmp_path: Path, size: Size) -> None:
    from playwright.sync_api import sync_playwright

    path, bare = tmp_path / "report.html", tmp_path / "bare.html"
    path.write_text(write_page(example(size), open_templates()), encoding="utf-8", newline="")
    bare.write_text("<!DOCTYPE html><title>x</title><pre>" + ("x" * 79 + "\n") * (path.stat().st_size // 80))
    command = [sys.executable, "-c", FRESH, str(Path(__file__).parent.parent), size]
    imported, made = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())

    times = {}
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--disable-gpu", *root])
        for file in (path, bare):
            rounds = []
            for _ in range(5):
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(file.as_uri())
                page.wait_for_timeout(200)
                rounds.append(page.evaluate(SHOWN))
                page.close()
            times[file] = min(rounds)
        page = browser.new_page()
        page.goto(path.as_uri())
        found = "-"
        if page.locator("#find-person").count():
            script = """() => {
                const form = document.getElementById("filters"), started = performance.now();
                document.getElementById("filter-team").selectedIndex = 1;
                form.dispatchEvent(new Event("change"));
                document.body.offsetHeight;
                return performance.now() - started;
            }"""
            found = f"{page.evaluate(script):.0f} ms"
        browser.close()

    (loaded, painted), (bare_loaded, _) = times[path], times[bare]
    print(
        f"\n{size}: {path.stat().st_size / 1e6:.2f} MB; imports {imported:.2f} s, made in {made:.2f} s; "
        f"first words after {painted:.0f} ms, all there after {loaded:.0f} ms (bare page {bare_loaded:.0f} ms); "
        f"a filter takes {found}"
    )
    assert path.stat().st_size < 2_000_000
