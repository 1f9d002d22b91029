"""The handbook's file in a real browser: for everybody, on a desk, on a phone and on paper."""

from pathlib import Path

import typer
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from monitor.cli.command import app
from monitor.cli.handbook_commands import describe_commands, write_commands
from monitor.handbook.handbook_page import write_handbook

ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

FEWER = """() => {
    const alike = "main li:nth-child(n+3), main tr:nth-child(n+3), main p ~ p ~ p, nav li li:nth-child(n+2)";
    document.querySelectorAll(alike).forEach(one => one.remove());
}"""
"""Leaves two of what is alike: axe takes a minute for all of it."""


def test_the_handbook_is_for_everybody_on_any_screen(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "handbook.html"
    path.write_text(write_handbook(write_commands(describe_commands(typer.main.get_command(app)))), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())

    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("link", name="Writing a rule").click()
    assert page.evaluate("location.hash") == "#rules"
    assert page.get_by_role("heading", name="Writing a rule").is_visible()
    assert asked == [path.as_uri()]
    page.evaluate(FEWER)
    for width, scheme in ((1280, "light"), (320, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        options = {"runOnly": {"type": "tag", "values": ACCESSIBLE}, "resultTypes": ["violations"]}
        found = Axe().run(page, options=options).response["violations"]
        assert [(each["id"], node["html"]) for each in found for node in each["nodes"]] == [], (width, scheme)
    page.close()
