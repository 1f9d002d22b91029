"""The page of every authority's figures: whole, closed to the network, and legible to whoever hears it."""

import datetime as dt
import re
from functools import cache

import pytest
from support.html_reader import Reader

from monitor.fleet.authority_nights import NO_NIGHT, AuthorityNight
from monitor.fleet.figures_by_authority import lay_out, withhold_small_counts
from monitor.fleet.figures_page import MOST_BESIDE, write_page
from monitor.messages.templates import open_templates

TODAY = dt.date(2026, 3, 2)
LATE = "rule:plan-late"


@cache
def page_of(authorities: int) -> str:
    """A region in which the last authority has no night, 301 asks a rule of its own, and 302 an old night."""
    codes = [str(300 + n) for n in range(authorities)]
    nights = [
        AuthorityNight(
            code, "<b>Town</b>" if code == "300" else f"Town {code}",
            TODAY - dt.timedelta(9 if code == "302" else 0), verdict="trusted",
            titles={"plan-late": "Plan late & lost"}, meanings={"plan-late": "own" if code == "301" else "shipped"},
        )
        for code in codes[:-1]
    ]  # fmt: skip
    nights.append(AuthorityNight(codes[-1], "Last Town", why_not=NO_NIGHT))
    counts = {code: [(LATE, 290 + n, 47, 0), ("figure:neet-long", 90, 4, 9)] for n, code in enumerate(codes[:-1])}
    counts["300"] = [(LATE, 300, 4, 9)]
    told = withhold_small_counts(counts)
    return write_page(lay_out(TODAY, nights, told, 6), open_templates())


@pytest.mark.parametrize("authorities", [1, 2, 4, MOST_BESIDE + 2])
def test_a_page_of_figures_holds_together_and_loads_nothing_with_so_many_authorities(authorities: int) -> None:
    page = page_of(authorities)
    reader = Reader(page)

    ids = [each["id"] for each in reader.elements if "id" in each]
    named = [each["aria-labelledby"] for each in reader.elements if "aria-labelledby" in each]
    links = [str(each["href"]) for each in reader.elements if "href" in each]
    captions = re.findall(r"<caption[^>]*><span>(.*?)</span>", page)
    assert len(ids) == len(set(ids))
    assert set(named) | {link.removeprefix("#") for link in links} <= set(ids)
    assert len(captions) == len(set(captions)) == page.count("<table")
    assert "<script" not in page
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in page
    assert not re.search(r"@import|url\(|https?:", page)


def test_an_authority_is_never_left_out_and_a_name_stays_a_name() -> None:
    words = Reader(page_of(4)).text

    assert "Figures of 3 of 4 authorities" in words
    assert "Last Town 303 none No figures: no night accepted yet." in words
    assert "Town 302 302 21 Feb 2026 Old: 9 days before 2 March 2026." in words
    assert "<b>Town</b> 300 2 Mar 2026 Nothing against it" in words
    assert "* Asks something else there" in words
    assert "Plan late & lost: 95 to 99, 10% 3 of 4 authorities" in words


def test_a_withheld_number_is_shown_as_such_and_said_so_and_one_that_is_not_asked_is_said() -> None:
    page = page_of(4)

    assert "[c] not shown of [c]" not in Reader(page).text
    late = page[page.index('id="measure-1"') :]
    town = Reader(late[late.index("Town&lt;") : late.index("Town 301")]).text
    assert town.endswith("[c] not shown [c] not shown 9 about 315")
    assert "Not asked there" in page


def test_many_authorities_have_no_column_each() -> None:
    assert '<th scope="col" class="n">300</th>' in page_of(4)
    assert '<th scope="col" class="n">300</th>' not in page_of(MOST_BESIDE + 2)
