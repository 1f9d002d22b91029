"""Where a reader finds the lists: what an address of them may hold, and what every lead's mail says of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, homeless
from support.lead_digests import BEFORE, LEAD, lead_mail, line, night

from monitor.config.delivery_settings import Team
from monitor.config.settings import load_config
from monitor.errors import Problems
from monitor.figures.week import Week
from monitor.messages.head import compose_head
from monitor.messages.list_place import ListShelf, file_names
from monitor.messages.templates import render

URL = "https://example.sharepoint.com/sites/leaving-care/Shared%20Documents/lists"


def read_url(folder: Path, url: str) -> str | None:
    path = folder / "monitor.toml"
    path.write_text(f'[[sources]]\nname = "c"\nkind = "sample"\n[lists]\nlists_url = "{url}"\n', encoding="utf-8")
    return load_config(path).lists.lists_url


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://example.sharepoint.com/:f:/r/sites/LeavingCare2025/Lists-2024-25",
        "https://intranet.example.gov.uk:8443/care/lists.aspx",
        "https://files.example.gov.uk/3f2504e0-4f89-11d3-9a0c-0305e82c3301/lists",
    ],
)
def test_an_address_of_lists_that_opens_nothing_by_itself_is_taken(tmp_path: Path, url: str) -> None:
    assert read_url(tmp_path, url + "/") == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://intranet.example.gov.uk/lists", "must begin with https://"),
        ("https://127.0.0.1@example.gov.uk/lists", "holds a user or a password"),
        ("https://name:word@example.gov.uk/lists", "holds a user or a password"),
        ("https:///lists", "not a web address"),
        (f"{URL}?e=abc", "may be a token"),
        (f"{URL};sig=abc", "may be a token"),
        (f"{URL}#access_token=abc", "holds a #"),
        (f"{URL}/a list", "a blank is %20"),
        ("https://example.sharepoint.com/:f:/s/LeavingCare/abcdef", "is a sharing link"),
        ("https://example.sharepoint.com/%3Af%3A/s/LeavingCare/abcdef", "is a sharing link"),
        ("https://example.sharepoint.com/:f:/g/personal/abcdef", "is a sharing link"),
        ("https://1drv.ms/f/s!AbCd", "is a sharing link"),
        ("https://files.example.gov.uk/share/EaB3cD7eF9gH1iJkLmNoPq", "is a sharing link"),
        ("https://files.example.gov.uk/s/0123456789abcdef0123456789abcdef", "is a sharing link"),
    ],
)
def test_an_address_that_opens_the_lists_for_whoever_has_it_is_refused(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(Problems) as caught:
        read_url(tmp_path, url)

    assert "lists.lists_url: " in str(caught.value)
    assert words in str(caught.value)


def test_a_leads_mail_names_the_file_of_the_team_and_where_it_is() -> None:
    files = tuple(file_names(["Leaving Care North", "South"]).items())
    shelf = ListShelf(files, ".xlsx", "L:/lists", URL)

    mail = lead_mail(line(), the_night=night(shelf=shelf))
    of_folder = lead_mail(line(), the_night=night(shelf=replace(shelf, link=None)))
    of_page = lead_mail(line(), the_night=night(shelf=replace(shelf, link="https://example.gov.uk/lists.aspx")))
    nowhere = lead_mail(line(), the_night=night(shelf=replace(shelf, link=None, folder=None)))
    of_two = lead_mail(
        line(), the_night=night(Team(name="Leaving Care North", lead=LEAD), Team(name="South", lead=LEAD), shelf=shelf)
    )

    file, page = "team-leaving-care-north.xlsx", "team-leaving-care-north.html"
    said = " ".join(mail.text.split())
    assert f"Your list is {file} and your page {page}, in the folder 2026-01-12 of {URL}." in said
    assert f'<a class="link" href="{URL}/2026-01-12/{file}"' in mail.html
    assert f'<a class="link" href="{URL}/2026-01-12/{page}"' in mail.html
    assert f'href="{URL}"' in mail.html
    folder = " ".join(of_folder.text.split())
    assert f"Your list is {file} and your page {page}, in the folder 2026-01-12 of L:/lists." in folder
    assert f"Your list is {file} and your page {page}, in" in of_page.html
    assert 'href="https://example.gov.uk/lists.aspx"' in of_page.html
    assert f"Your list is {file}. The analyst has it: analyst@example.gov.uk." in " ".join(nowhere.text.split())
    two = f"Your lists are {file} and team-south.xlsx and your pages {page} and team-south.html, in the folder"
    assert two in " ".join(of_two.text.split())


def test_those_above_the_leads_read_where_all_lists_are() -> None:
    shelf = ListShelf((), ".xlsx", "L:/lists", URL)
    week = Week(BEFORE, (), ())

    head = render(compose_head("head@example.gov.uk", (), week, night(shelf=shelf)))
    nowhere = render(compose_head("head@example.gov.uk", (), week, night()))

    assert f"Everyone is in the lists, in the folder 2026-01-12 of {URL}." in " ".join(head.text.split())
    assert f'<a class="link" href="{URL}"' in head.html
    assert "Everyone is in the lists. The analyst has them: analyst@example.gov.uk." in nowhere.text


def test_the_file_that_a_mail_names_is_there(tmp_path: Path) -> None:
    council = Council(tmp_path)
    (tmp_path / "shared").mkdir()
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace("[lists]", '[lists]\nlists_folder = "shared"'), encoding="utf-8")

    council.night(NIGHT, [homeless("P1"), homeless("P2", team="Nowhere"), *crowd(20)])

    (mail,) = council.mail_to("north@example.gov.uk")
    (other,) = council.mail_to("fallback@example.gov.uk")
    there = {path.name for path in (tmp_path / "shared" / "2026-01-12").iterdir()}
    assert "Your list is team-north.csv" in mail.text
    assert "team-north.csv" in there
    assert "Your list is other-teams.csv" in other.text
