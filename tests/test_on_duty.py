"""Who reads is a matter of the moment of sending: what waits for somebody no longer on duty is written anew."""

import datetime as dt
from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, homeless, settled
from support.timed_service import few_rules
from test_closed_days import named, told_as_news

LEAD, COVER, NEW = "north@example.gov.uk", "cover@example.gov.uk", "new@example.gov.uk"
SATURDAY, MONDAY = dt.date(2026, 1, 17), dt.date(2026, 1, 19)
COVERS = f'covers = [{{ reader = "{COVER}", from = 2026-01-14, until = 2026-01-18 }}]\n'


def rewrite(council: Council, *pairs: tuple[str, str]) -> None:
    text = council.config_path.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    council.config_path.write_text(text, encoding="utf-8")


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


def test_a_cover_still_on_duty_gets_what_waits_for_it_and_the_lead_her_other_team_alone(
    waiting: Council, tmp_path: Path
) -> None:
    council = deliver(waiting, tmp_path, ("until = 2026-01-18", "until = 2026-01-19"))

    assert sorted(told_as_news(council)[1:]) == [
        (COVER, str(SATURDAY), "N1"), (COVER, str(SATURDAY), "N2"), (LEAD, str(SATURDAY), "S1"),
    ]  # fmt: skip


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
