"""Who reads is a matter of the moment of sending: what waits for somebody no longer on duty is written anew."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, homeless, settled
from support.timed_service import few_rules
from test_closed_days import named, rewrite, told_as_news

from monitor.config.delivery_settings import People, Team
from monitor.messages.cover_notes import find_cover_notes
from monitor.messages.routes import plan_routes
from monitor.messages.told import NOTHING_TOLD, Told

LEAD, COVER, NEW = "north@example.gov.uk", "cover@example.gov.uk", "new@example.gov.uk"
SATURDAY, MONDAY = dt.date(2026, 1, 17), dt.date(2026, 1, 19)
COVERS = f'covers = [{{ reader = "{COVER}", from = 2026-01-14, until = 2026-01-18 }}]\n'


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """The lead was told of N1 on Monday; on Saturday N2 and S1 are news, and their digests wait for Monday.

    The lead of North leads South too, and somebody covers for North until Sunday.
    """
    folder = tmp_path_factory.mktemp("waiting")
    council = Council(folder, few_rules(folder, "homeless"))
    rewrite(council, ('lead = "north@', f'{COVERS}lead = "north@'), ('lead = "south@', 'lead = "north@'))
    others = [settled("N2"), settled("S1", team="South"), *crowd(20)]
    council.night(NIGHT, [homeless("N1"), *others])
    council.clock = dt.datetime(2026, 1, 16, 2, 30, tzinfo=dt.UTC)
    now = [homeless("N1"), homeless("N2"), homeless("S1", team="South"), *crowd(20)]
    council.night(SATURDAY, now, unattended=True)
    return council


def deliver(waiting: Council, folder: Path, *changes: tuple[str, str]) -> Council:
    """What goes on Monday, when no night has been accepted since, with these changes of the config."""
    text = waiting.config_path.read_text(encoding="utf-8")
    council = waiting.copy_to(folder)
    council.config_path.write_text(text, encoding="utf-8")
    rewrite(council, *changes)
    for at in ("08:00", "08:05"):
        council.deliver(dt.datetime.fromisoformat(f"2026-01-19 {at}").replace(tzinfo=dt.UTC))
    return council


def test_a_cover_whose_last_day_is_over_gets_nothing_and_the_lead_gets_it_in_one_mail(
    waiting: Council, tmp_path: Path
) -> None:
    council = deliver(waiting, tmp_path)

    assert council.mail_to(COVER) == []
    assert len(council.mail_to(LEAD, SATURDAY)) == 1
    assert told_as_news(council)[1:] == [(LEAD, str(SATURDAY), "N2"), (LEAD, str(SATURDAY), "S1")]
    assert council.rows("SELECT kind FROM message WHERE kind = 'undelivered'") == []
    assert len(council.rows("SELECT id FROM flag_event WHERE kind = 'message withheld'")) == 2
    assert "cover" not in council.mail_to(LEAD, SATURDAY)[0].text


def test_what_a_head_or_a_manager_reads_of_a_team_writes_no_lead_anew(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "homeless"))
    rewrite(council, ('lead = "north@', 'manager = "south@example.gov.uk"\nlead = "north@'))
    people = [homeless("N1"), homeless("S1", team="South"), *crowd(20)]
    council.clock -= dt.timedelta(days=1)
    council.night(NIGHT, people, unattended=True)

    council.deliver(dt.datetime(2026, 1, 12, 8, tzinfo=dt.UTC))

    both, head = ("".join(mail.text for mail in council.mail_to(f"{one}@example.gov.uk")) for one in ("south", "head"))
    assert "N1" in both
    assert "S1" in both
    assert "N1" in head
    assert council.rows("SELECT recipient FROM message WHERE state = 'replaced'") == []


def test_a_cover_still_on_duty_gets_what_waits_for_it_and_the_lead_her_other_team_alone(
    waiting: Council, tmp_path: Path
) -> None:
    council = deliver(waiting, tmp_path, ("until = 2026-01-18", "until = 2026-01-19"))

    assert sorted(told_as_news(council)[1:]) == [
        (COVER, str(SATURDAY), "N1"), (COVER, str(SATURDAY), "N2"), (LEAD, str(SATURDAY), "S1"),
    ]  # fmt: skip
    (mail,) = council.mail_to(LEAD, SATURDAY)
    says = "cover@example.gov.uk reads the daily e-mail of North for you until 18 January 2026."
    assert says in " ".join(mail.text.split())
    assert named([mail]) == [{"S1"}]


@pytest.mark.parametrize(
    ("change", "reader", "news"),
    [
        ((COVERS, ""), LEAD, ["N2", "S1"]),
        ((f'{COVERS}lead = "north@', 'lead = "new@'), NEW, ["N1", "N2"]),
        (('name = "North"', 'name = "Nord"\nmanager = "m@example.gov.uk"'), LEAD, ["N2", "S1"]),
        ((COVERS, COVERS.replace("2026-01-18", "2026-01-15")), LEAD, ["N2", "S1"]),
    ],
    ids=["cover taken out", "lead changed", "team renamed", "cover shortened"],
)
def test_a_config_changed_since_the_night_counts_at_the_moment_of_sending(
    waiting: Council, tmp_path: Path, change: tuple[str, str], reader: str, news: list[str]
) -> None:
    renamed = [('also_known_as = ["LC North"]', 'also_known_as = ["North"]')] if "Nord" in change[1] else []
    council = deliver(waiting, tmp_path, change, *renamed)

    assert council.mail_to(COVER) == []
    assert [each[2] for each in told_as_news(council)[1:] if each[0] == reader] == news
    assert len(council.mail_to(reader, SATURDAY)) == 1
    assert {"N1", "N2", "S1"} >= set().union(*named(council.mail_to(reader, SATURDAY)))


# That a cover begins and ends


def cover(until: dt.date, reader: str = COVER, begins: str = "2026-01-13") -> dict[str, str]:
    return {"reader": reader, "from": begins, "until": str(until)}


def notes(told: dict[str, Told], on: dt.date, *covers: dict[str, str]) -> set[tuple[str, str, str]]:
    """What is told of covers on a night, which is then told: by address, what and as whom."""
    team = Team.model_validate({"name": "North", "lead": LEAD, "covers": list(covers)})
    found = find_cover_notes(plan_routes([team], People(), as_at=on), told)
    for address, each in found.items():
        known = told.get(address, NOTHING_TOLD)
        told[address] = replace(known, parts={**known.parts, **dict.fromkeys((note.token for note in each), on)})
    return {(address, note.what, note.role) for address, each in found.items() for note in each}


def test_lead_and_cover_are_told_once_each_when_a_cover_begins_when_it_changes_and_when_it_ends() -> None:
    told: dict[str, Told] = {}
    begins = {(COVER, "begins", "cover"), (LEAD, "begins", "lead")}
    ends = {(COVER, "ends", "cover"), (LEAD, "ends", "lead")}

    assert notes(told, dt.date(2026, 1, 12), cover(SATURDAY)) == set()
    assert notes(told, dt.date(2026, 1, 13), cover(SATURDAY)) == begins
    assert notes(told, dt.date(2026, 1, 14), cover(SATURDAY)) == set()
    assert notes(told, dt.date(2026, 1, 15), cover(MONDAY)) == begins
    assert notes(told, dt.date(2026, 1, 20), cover(MONDAY)) == ends
    assert notes(told, dt.date(2026, 1, 21), cover(MONDAY)) == set()
    assert notes(told, dt.date(2026, 2, 2), cover(dt.date(2026, 2, 3), begins="2026-02-02")) == begins
    assert notes(told, dt.date(2026, 2, 3)) == ends
    assert notes(told, dt.date(2026, 2, 4)) == set()


def test_where_one_cover_follows_another_the_lead_is_not_told_that_she_reads_again() -> None:
    told: dict[str, Told] = {}
    times = [cover(SATURDAY), cover(MONDAY, NEW, "2026-01-18")]
    notes(told, SATURDAY, *times)

    assert notes(told, MONDAY, *times) == {
        (COVER, "ends", "cover"), (NEW, "begins", "cover"), (LEAD, "begins", "lead"),
    }  # fmt: skip
