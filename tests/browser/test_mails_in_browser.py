"""Every kind of e-mail as it is drawn: by a browser, and by what Outlook's Word engine leaves of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.word_engine import keep_declarations, keep_rules, reduce_to_word

from monitor.messages import samples
from monitor.messages.templates import open_templates, render

WIDTHS = (320, 390, 1280)
MEASURE = (Path(__file__).parent / "measure_mail.js").read_text(encoding="utf-8")
BEGIN_WITH_COMMA = """
(widths) => {
    const paragraph = document.getElementById("ids"), left = [];
    const commas = [];
    const walk = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const at = walk.currentNode.data.indexOf(",");
        if (at >= 0) {
            const range = document.createRange();
            range.setStart(walk.currentNode, at);
            range.setEnd(walk.currentNode, at + 1);
            commas.push(range);
        }
    }
    for (const width of widths) {
        paragraph.style.width = `${width}px`;
        const edge = paragraph.getBoundingClientRect().left;
        left.push(...commas.filter((comma) => comma.getBoundingClientRect().left < edge + 4).map(() => width));
    }
    return left;
}
"""
OUTLOOK_DARK = '<div role="article" data-ogsb="" data-ogsc="" '


@pytest.fixture(scope="module")
def mails() -> dict[str, str]:
    """One or more of every kind of mail, by a name of its own; of notices and the like, which differ in words, one."""
    digests = [*enumerate(samples.make())]
    plain = {digest.template: n for n, digest in reversed(digests) if digest.template in ("notice", "refused")}
    return {
        f"{n} {digest.template}": render(digest).html
        for n, digest in digests
        if plain.get(digest.template, n) == n
    }  # fmt: skip


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1300, "height": 900}, offline=True)
    yield context.new_page()
    context.close()


def look_at(page: Page, mails: dict[str, str], widths: tuple[int, ...] = WIDTHS) -> dict[str, dict[str, Any]]:
    """Draw every mail at every width and return what was measured, by the mail's name and the width."""
    drawn = [(f"{name} at {width}", html, width) for name, html in mails.items() for width in widths]
    page.set_content("<!DOCTYPE html><body></body>")
    measured: str = page.evaluate(MEASURE, drawn)
    return dict(json.loads(measured))


FAULTS = {
    "touching": "text blocks with nothing between them",
    "astray": "text that is not below what comes before it",
    "cramped": "text at the edge of its page or card",
    "barless": "cards whose bar is not seen",
    "tiny": "text under 14 px",
    "missed": "links of less than 24 px, or too near to another",
    "wide": "wider than the screen",
    "pale": "contrast under 4.5 to 1",
    "shown": "what only a list of mails may show",
}


def find_faults(measured: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{name}: {words}: {found[fault]}"
        for name, found in measured.items()
        for fault, words in FAULTS.items()
        if found[fault]
    ]


@pytest.mark.parametrize("engine", ["browser", "Word"])
def test_every_mail_keeps_its_order_spaces_bars_sizes_and_targets(
    page: Page, mails: dict[str, str], engine: str
) -> None:
    drawn = {name: reduce_to_word(html) for name, html in mails.items()} if engine == "Word" else mails

    measured = look_at(page, drawn)

    assert find_faults(measured) == []
    assert {name for name, found in measured.items() if not found["blocks"]} == set()
    assert sum(found["cards"] for found in measured.values()) > 20


@pytest.mark.parametrize("dark", ["asked for", "Outlook's own"])
def test_every_mail_can_be_read_in_the_dark(page: Page, mails: dict[str, str], dark: str) -> None:
    page.emulate_media(color_scheme="dark" if dark == "asked for" else "light")
    drawn = mails
    if dark != "asked for":
        drawn = {name: html.replace('<div role="article" ', OUTLOOK_DARK) for name, html in mails.items()}

    measured = look_at(page, drawn, widths=(390,))

    assert find_faults(measured) == []
    assert {name for name, found in measured.items() if found["ground"] > 0.05} == set(), "not dark at all"


def test_a_mail_fetches_nothing_is_small_and_says_its_language_inside(mails: dict[str, str]) -> None:
    for name, html in mails.items():
        assert len(html.encode()) < 60_000, name
        assert not re.search(r"<(img|link|script|svg|iframe|video|object)\b|url\(|@import|@font-face|\ssrc=", html), (
            name
        )
        body = html.split("<body", 1)[1]
        assert re.search(r'<div role="article"[^>]* lang="en-GB"', body), name
        assert re.search(r'<table role="presentation" lang="en-GB"', body), name


def test_nothing_that_could_name_anybody_follows_the_hidden_first_line(mails: dict[str, str]) -> None:
    for name, html in mails.items():
        (first,) = re.findall(r'<div style="display:none[^>]*>(.*?)</div>', html, flags=re.DOTALL)
        words, _, nothing = first.partition("&#847;")
        assert words.strip(), name
        assert len(("&#847;" + nothing).replace("&#847;&nbsp;", ".")) >= 150, name
        assert not re.search(r"\bP\d+\b", words), name


def test_the_words_engine_ignores_what_outlook_does() -> None:
    everything = "padding:4px;margin:0 0 2px 0;max-width:10px;display:block;border-radius:2px;float:left;color:#000"

    assert keep_declarations("p", everything) == "margin:0 0 2px 0;color:#000"
    assert keep_declarations("td", everything) == "padding:4px;color:#000"
    assert keep_declarations("span", everything) == keep_declarations("a", everything) == "color:#000"
    assert keep_declarations("div", "mso-hide:all;max-height:0") == keep_declarations("div", "display:none")
    assert keep_declarations("p", "color:var(--ink);font-size:2rem;color:red !important") == ""
    sheet = (
        "@media (max-width: 9px) { p { color: red } } :root { top: 0 } [data-ogsc] p { color: red } p { color: blue }"
    )
    assert keep_rules(sheet) == "p {color:blue}"
    ghost = "<!DOCTYPE html><p>a</p><!--[if mso]><p>b</p><![endif]--><!--[if !mso]><!--><p>c</p><!--<![endif]-->"
    assert reduce_to_word(ghost).startswith("<p>a</p><p>b</p>\n<script>")


def test_a_comma_after_an_id_stays_on_its_line(page: Page) -> None:
    ids = [(f"{1234567 + n}", f"https://cms.example.gov.uk/{n}") for n in range(60)]
    links = open_templates().environment.get_template("parts.html").module.links(ids)  # type: ignore[attr-defined]
    page.set_content(f"<!DOCTYPE html><body><p id='ids' style='font-size:16px'>{links}</p></body>")

    begin_with_comma = page.evaluate(BEGIN_WITH_COMMA, [*range(100, 400, 7)])

    assert str(links).count(",") == 59
    assert begin_with_comma == []
