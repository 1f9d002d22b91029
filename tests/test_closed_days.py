"""Closed days: mail waits, who is newly critical goes to whoever is on duty, and nothing is told twice as new."""

import datetime as dt
from pathlib import Path

from support.council import Council, Mail, crowd, day, homeless, settled
from support.timed_service import few_rules

from monitor.cli.check import describe_closed_days, describe_coming_covers
from monitor.config.settings import Config

NORTH, SOUTH = "north@example.gov.uk", "south@example.gov.uk"
MANAGER, COVER, HEAD = "manager@example.gov.uk", "cover@example.gov.uk", "head@example.gov.uk"
CLOSED = [day(2), day(3)]
"""A Wednesday and a Thursday."""


def closed_council(folder: Path) -> Council:
    """North has a manager, South a cover on the closed days; they close from Wednesday to Thursday."""
    rules = few_rules(folder, "homeless")
    council = Council(folder, f'{rules}closed_days = ["{CLOSED[0]} to {CLOSED[1]} Staff days"]')
    covers = f'covers = [{{ reader = "{COVER}", from = {CLOSED[0]}, until = {CLOSED[1]} }}]'
    text = council.config_path.read_text(encoding="utf-8")
    text = text.replace('also_known_as = ["LC North"]', f'manager = "{MANAGER}"')
    council.config_path.write_text(text.replace(f'lead = "{SOUTH}"', f'lead = "{SOUTH}"\n{covers}'), encoding="utf-8")
    return council


def unattended(council: Council, on: dt.date, people: list[dict[str, str]]) -> None:
    """A night that the service ran, and what is sent at its send hour."""
    council.clock = dt.datetime.combine(on - dt.timedelta(1), dt.time(2, 30), dt.UTC)
    council.night(on, people, unattended=True)
    council.deliver(dt.datetime.combine(on, dt.time(8), dt.UTC))


def rewrite(council: Council, *pairs: tuple[str, str]) -> None:
    text = council.config_path.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    council.config_path.write_text(text, encoding="utf-8")


def told_as_news(council: Council) -> list[tuple[object, ...]]:
    """To whom, when and about whom each open flag was news that arrived, in order."""
    return council.rows("""
        SELECT recipient, m.as_at, f.person_id FROM message AS m
        JOIN message_flag AS n ON n.message_id = m.id JOIN flag AS f ON f.id = n.flag_id
        WHERE m.accepted_at IS NOT NULL AND n.state = 'open' AND n.severity <> 'data' ORDER BY m.as_at, m.id, n.flag_id
    """)


def named(mails: list[Mail]) -> list[set[str]]:
    return [{each for each in ("N1", "N2", "S1", "S2") if each in mail.text} for mail in mails]


def test_on_a_closed_day_whoever_is_on_duty_is_told_who_is_newly_critical_and_the_lead_afterwards(
    tmp_path: Path,
) -> None:
    for name in ("nights", "no-night"):
        (tmp_path / name).mkdir()
    council = closed_council(tmp_path / "nights")
    people = {name: settled(name, team="North" if name[0] == "N" else "South") for name in ("N1", "N2", "S1", "S2")}

    def become_homeless(name: str, team: str) -> list[dict[str, str]]:
        people[name] = homeless(name, team=team)
        return [*people.values(), *crowd(20)]

    unattended(council, day(1), become_homeless("N1", "North"))
    before = named(council.mail_to(NORTH))
    become_homeless("N2", "North")
    unattended(council, CLOSED[0], become_homeless("S1", "South"))
    first = {each.to: each for each in council.mail(CLOSED[0])}
    unattended(council, CLOSED[1], become_homeless("S2", "South"))
    second = {each.to for each in council.mail(CLOSED[1])}
    without = council.copy_to(tmp_path / "no-night")
    unattended(council, day(4), [*people.values(), *crowd(20)])
    rewrite(without, (f"until = {CLOSED[1]} }}", f"until = {day(4)} }}"))
    without.deliver(dt.datetime.combine(day(4), dt.time(8), dt.UTC))

    assert before == [{"N1"}]
    assert first.keys() == {MANAGER, COVER}
    assert second == {COVER}
    assert named([first[MANAGER], first[COVER]]) == [{"N2"}, {"S1"}]
    words = " ".join(first[MANAGER].text.split())
    assert "The council is closed today, and you are on duty. This names only who is newly critical." in words
    assert "lead is told of them too on 16 January 2026." in words
    assert told_as_news(council) == [
        (NORTH, str(day(1)), "N1"),
        (COVER, str(CLOSED[0]), "S1"), (MANAGER, str(CLOSED[0]), "N2"), (COVER, str(CLOSED[1]), "S2"),
        (NORTH, str(day(4)), "N2"), (SOUTH, str(day(4)), "S1"), (SOUTH, str(day(4)), "S2"),
    ]  # fmt: skip
    # No night was accepted on Friday, and the cover was told on the closed days of what waits for it as new.
    assert told_as_news(without) == [*told_as_news(council)[:4], (NORTH, str(CLOSED[1]), "N2")]
    assert not set().union(*named(without.mail_to(SOUTH)))


def test_check_says_when_the_council_is_closed_and_warns_of_a_team_with_nobody_on_duty() -> None:
    config = Config.model_validate(
        {
            "sources": [{"name": "caseload", "kind": "sample"}],
            "people": {"analyst": "analyst@example.gov.uk", "head": HEAD},
            "closed_days": ["2026-12-24 to 2027-01-01 Christmas", "2026-06-01"],
            "teams": [
                {"name": "North", "manager": MANAGER},
                {"name": "South", "covers": [{"reader": COVER, "from": "2026-12-20", "until": "2026-12-29"}]},
            ],
        }
    )

    assert describe_closed_days(config, dt.date(2026, 6, 2)) == (
        "24 December 2026 to 31 December 2026 (Christmas): 4 working days closed; mail goes again on 4 January 2027",
        "warning: South has no cover and no manager on 30 December 2026 and 1 more of these days: who is newly "
        "critical goes to head@example.gov.uk; name a cover in teams.covers, or a manager",
    )
    assert describe_closed_days(config, dt.date(2027, 1, 1)) == ()
    covers = ("South: cover@example.gov.uk covers from 20 December 2026 until 29 December 2026",)
    assert describe_coming_covers(config, dt.date(2026, 12, 19)) == covers
    assert describe_coming_covers(config, dt.date(2026, 12, 20)) == ()
