"""Who hears: covers and their ends, addresses that cannot be, and what monitor check says of each team."""

import datetime as dt
import json
from pathlib import Path

import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, settled
from support.timed_service import few_rules
from test_config import SMALLEST, problems_of
from test_messages import BEFORE, compose, line, night, sections, told

from monitor.config.delivery_settings import People, Team
from monitor.config.escalation_settings import EscalationSettings, latest
from monitor.config.settings import load_config
from monitor.messages.route_table import describe, trace
from monitor.messages.routes import plan_routes
from monitor.messages.templates import render

LEAD, COVER = "lead@example.gov.uk", "cover@example.gov.uk"
COVERED = Team(name="Leaving Care North", lead=LEAD, cover=COVER, cover_until=dt.date(2026, 1, 31))


@pytest.mark.parametrize(
    ("on", "reader"),
    [(dt.date(2026, 1, 30), COVER), (dt.date(2026, 1, 31), COVER), (dt.date(2026, 2, 1), LEAD), (None, LEAD)],
)
def test_a_cover_reads_instead_of_the_lead_up_to_and_with_its_last_day(on: dt.date | None, reader: str) -> None:
    routes = plan_routes([COVERED], People(), as_at=on)

    assert routes.address("leaving care north", "P1") == reader
    assert routes.teams_of(reader) == ("Leaving Care North",)


def test_several_covers_read_each_in_its_time_and_the_lead_between_them() -> None:
    def time(reader: str, begins: str, until: str) -> dict[str, str]:
        return {"reader": reader, "from": begins, "until": until}

    covers = [time("B@example.gov.uk", "2026-03-02", "2026-03-06"), time(COVER, "2026-02-09", "2026-02-09")]
    team = Team.model_validate(COVERED.model_dump(by_alias=True) | {"covers": covers})

    readers = {
        day: plan_routes([team], People(), as_at=dt.date.fromisoformat(day)).leads["leaving care north"]
        for day in ("2026-01-31", "2026-02-01", "2026-02-08", "2026-02-09", "2026-02-10", "2026-03-06", "2026-03-07")
    }

    assert list(readers.values()) == [COVER, LEAD, LEAD, COVER, LEAD, "b@example.gov.uk", LEAD]


def test_a_cover_is_told_so_and_the_lead_who_comes_back_hears_of_what_only_the_cover_was_told():
    flags = [line(1, "P001", opened_on=BEFORE), line(2, "P002", opened_on=BEFORE)]
    covered = night(routes=plan_routes([COVERED], People(), as_at=dt.date(2026, 1, 12)))
    after = night(routes=plan_routes([COVERED], People(), as_at=dt.date(2026, 2, 2)), as_at=dt.date(2026, 2, 2))

    cover = compose(flags, recipient=COVER, the_night=covered)
    meanwhile = compose(flags, told(flags[0]), recipient=LEAD, the_night=covered)
    back = compose(flags, told(flags[0]), recipient=LEAD, the_night=after)

    words = " ".join(render(cover).text.split())
    assert "You read this for the lead of Leaving Care North until 31 January 2026." in words
    assert meanwhile is None
    assert sections(back) == {"new": ["P002"]}


def test_one_address_that_leads_a_team_and_covers_another_has_one_digest_of_both():
    teams = [COVERED, Team(name="South", lead=COVER)]
    covered = night(routes=plan_routes(teams, People(), as_at=dt.date(2026, 1, 12)))

    digest = compose([line(1, "P001"), line(2, "P002", team="South")], told(line(9, "P009")), COVER, the_night=covered)

    assert sections(digest) == {"new": ["P001", "P002"]}
    assert digest.teams == ("Leaving Care North", "South")
    assert [cover.team for cover in digest.covering] == ["Leaving Care North"]


@pytest.mark.parametrize(
    ("team", "words"),
    [
        ('cover = "x@example.gov.uk"', "cover_until: missing; a cover needs the last day"),
        ("cover_until = 2026-01-31", "cover: missing; cover_until is the end of a cover's time"),
        (
            'covers = [{ reader = "x@example.gov.uk", from = 2026-12-21, until = 2026-12-20 }]',
            "covers[1]: until: 2026-12-20 is before from, 2026-12-21; put the earlier day in from",
        ),
        ('covers = [{ reader = "x@example.gov.uk", until = 2026-12-20 }]', "teams[North].covers[1].from: missing"),
        (
            'covers = [{ reader = "x@example.gov.uk", since = 2026-12-20, until = 2026-12-21, from = 2026-12-20 }]',
            "teams[North].covers[1].since: unknown key",
        ),
        (
            'covers = [{ reader = "b@example.gov.uk", from = 2026-12-30, until = 2027-01-05 }, '
            '{ reader = "a@example.gov.uk", from = 2026-12-21, until = 2026-12-30 }]',
            "teams[North]: covers: a@example.gov.uk from 2026-12-21 until 2026-12-30, and b@example.gov.uk from "
            "2026-12-30 until 2027-01-05, overlap; one reads on a day",
        ),
        (
            'cover = "a@example.gov.uk"\ncover_until = 2026-12-21\n'
            'covers = [{ reader = "b@example.gov.uk", from = 2026-12-21, until = 2027-01-05 }]',
            "a@example.gov.uk until 2026-12-21, and b@example.gov.uk from 2026-12-21 until 2027-01-05, overlap",
        ),
        ('lead = "a@example.gov.uk\\nBcc: b@example.gov.uk"', "not an e-mail address; write one mailbox"),
        ('manager = "A <a@example.gov.uk>"', "not an e-mail address; write one mailbox"),
        ('also_known_as = ["North\\r\\nBcc: x@example.gov.uk"]', "must be one line of text"),
    ],
)
def test_a_team_that_cannot_be_reached_as_written_is_refused(tmp_path: Path, team: str, words: str) -> None:
    assert words in problems_of(tmp_path, SMALLEST + f'[[teams]]\nname = "North"\n{team}\n')


def test_a_team_of_which_nobody_at_all_would_hear_is_refused(tmp_path: Path) -> None:
    bare = SMALLEST + '[[teams]]\nname = "North"\n'

    said = problems_of(tmp_path, bare)
    load_config_text(tmp_path, bare + 'lead = "lead@example.gov.uk"\n')
    load_config_text(tmp_path, '[people]\nfallback = "care@example.gov.uk"\n' + bare)

    assert "teams[North].lead: missing, and neither people.fallback nor people.analyst is named" in said


def load_config_text(folder: Path, text: str) -> None:
    path = folder / "fine.toml"
    path.write_text(text, encoding="utf-8")
    load_config(path)


@pytest.mark.parametrize("steps", ["[5, 2]", "[2, 2]", "[0, 5]", "[1, 2, 3]"])
def test_steps_that_make_no_sense_are_refused(tmp_path: Path, steps: str) -> None:
    said = problems_of(tmp_path, SMALLEST + f"[escalation]\ncritical = {steps}\n")

    assert "escalation.critical: must be working days after which the manager and then the head of service" in said


def test_the_last_such_weekday_is_found_and_is_today_on_its_own_day():
    monday = dt.date(2026, 1, 12)

    assert [latest("Monday", monday + dt.timedelta(n)) for n in (0, 6, 7)] == [monday, monday, monday + dt.timedelta(7)]


def test_check_says_who_would_hear_of_each_team_and_severity():
    teams = [COVERED, Team(name="West")]
    people = People(analyst="analyst@example.gov.uk", head="head@example.gov.uk")
    routes = plan_routes(teams, people, as_at=dt.date(2026, 1, 12))

    lines = describe(trace(routes, [team.name for team in teams], EscalationSettings().steps))

    assert lines == (
        "Leaving Care North: cover@example.gov.uk (covering until 2026-01-31)",
        "  critical: head@example.gov.uk after 2 working days (there is no manager), then head@example.gov.uk after "
        "5 working days",
        "  high: head@example.gov.uk after 10 working days (there is no manager), then head@example.gov.uk after "
        "20 working days",
        "  medium, low: nobody else",
        "West: analyst@example.gov.uk (there is no lead)",
        *lines[5:8],
        "no team recorded: analyst@example.gov.uk",
        "  critical: head@example.gov.uk after 2 working days (no team is recorded), then head@example.gov.uk after "
        "5 working days",
        *lines[10:],
    )


def test_check_gives_the_same_as_json(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.write([settled("P1"), *crowd(3)])

    answer = monitor(tmp_path, "check", "--json")

    rows = {(row["team"], row["severity"]): row for row in json.loads(answer.stdout)["routes"]}
    assert rows["North", "critical"]["daily"] == "north@example.gov.uk"
    assert rows["North", "critical"]["later"][1] == {
        "after_working_days": 5, "address": "head@example.gov.uk", "instead": None,
    }  # fmt: skip
    assert rows["South", "low"]["later"] == []


def test_a_team_name_in_the_data_that_would_begin_a_header_is_harmless(tmp_path: Path) -> None:
    council = Council(tmp_path)
    name = "East\r\nBcc: thief@example.gov.uk"

    council.night(NIGHT, [settled("P1", team=name, adviser=name, in_touch="b) No"), *crowd(10)])

    for path in (tmp_path / "data" / "outbox").rglob("*.eml"):
        head = path.read_bytes().split(b"\r\n\r\n")[0]
        assert b"thief" not in head
        assert b"\nBcc" not in path.read_bytes()
    (mail,) = council.mail_to("fallback@example.gov.uk")
    assert "East Bcc: thief@example.gov.uk" in mail.text


def test_a_leads_mail_holds_no_id_of_another_team_nor_a_restricted_one(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text("N2\n", encoding="utf-8")
    council = Council(tmp_path, few_rules(tmp_path) + 'restricted = "restricted.txt"')
    away = {"in_touch": "b) No", "accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}
    people = [settled("N1", **away), settled("N2", **away), settled("S1", team="South", **away),
              settled("E1", team="East", **away), settled("X1", team="", **away), *crowd(10)]  # fmt: skip
    council.night(NIGHT, people)
    people[0] |= {"team": "South"}

    council.night(day(1), people)
    council.night(day(7), people)

    def ids(to: str, on: dt.date) -> set[str]:
        words = "".join(mail.text + mail.html for mail in council.mail_to(to, on))
        return {each for each in ("N1", "N2", "S1", "E1", "X1") if each in words}

    assert ids("north@example.gov.uk", NIGHT) == {"N1"}
    assert ids("north@example.gov.uk", day(1)) == ids("north@example.gov.uk", day(7)) == set()
    assert ids("south@example.gov.uk", day(7)) == {"N1", "S1"}
    assert ids("fallback@example.gov.uk", day(7)) == {"E1", "X1"}
    assert "N2" in ids("head@example.gov.uk", day(7))
