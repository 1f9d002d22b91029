"""Surges: which new flags wait, who hears of them meanwhile, and how they go out."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.council import NIGHT, Council, day, homeless, settled
from support.timed_service import few_rules

from monitor.config.settings import Quarantine
from monitor.flags.quarantine import confirm_surge
from monitor.gate.surges import judge_surges
from monitor.night.context import NightOutcome

ANALYST, NORTH = "analyst@example.gov.uk", "north@example.gov.uk"
LIMITS = Quarantine()


def test_more_than_a_tenth_of_the_caseload_waits_and_fewer_than_ten_never() -> None:
    assert judge_surges({"homeless": 90}, {}, 900, LIMITS) == ()
    assert [one.rule for one in judge_surges({"homeless": 91}, {}, 900, LIMITS)] == ["homeless"]
    assert judge_surges({"homeless": 9}, {}, 10, LIMITS) == ()


def test_five_times_the_most_of_earlier_nights_is_usual_and_more_waits_unless_days_went_by() -> None:
    earlier = {"homeless": [1.0, 4.0, 2.0]}

    assert judge_surges({"homeless": 20}, earlier, 9000, LIMITS) == ()
    assert judge_surges({"homeless": 21}, earlier, 9000, LIMITS)[0].usual == 4
    assert judge_surges({"homeless": 21}, earlier, 9000, LIMITS, days_since=3) == ()
    assert judge_surges({"homeless": 21}, {"homeless": [1.0, 4.0]}, 9000, LIMITS) == ()


def out_of_touch(number: int, last: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Sixty people, of whom so many are out of touch."""
    people = [settled(f"C{n:03}", in_touch="b) No" if n < number else "a) Yes") for n in range(60)]
    return [*people[:59], last or people[59]]


SURGE = out_of_touch(20, homeless("C059"))


def waiting(council: Council) -> list[tuple[object, ...]]:
    return council.rows("SELECT count(*) FROM flag WHERE quarantined_on IS NOT NULL AND released_on IS NULL")


@dataclass
class Surge:
    """A first night and one with a surge, on which somebody else is homeless; to be copied and never changed."""

    council: Council
    night: NightOutcome


@pytest.fixture(scope="module")
def surge(tmp_path_factory: pytest.TempPathFactory) -> Surge:
    folder = tmp_path_factory.mktemp("council")
    council = Council(folder, few_rules(folder, "homeless", "not-in-touch", "contact-overdue"))
    council.night(NIGHT, out_of_touch(0))
    return Surge(council, council.night(day(1), SURGE))


def test_a_surge_is_open_but_told_to_the_analyst_alone(surge: Surge) -> None:
    council, night = surge.council, surge.night

    (first,) = council.mail_to(NORTH, day(1))

    assert ([one.rule for one in night.surges], night.exit_code) == (["not-in-touch"], 1)
    assert "C059" in first.text
    assert "C000" not in first.text
    assert "not-in-touch" not in {row["rule"] for row in council.listed(day(1), "team-north.csv")}
    assert len(council.listed(day(1), "quarantined.csv")) == 20
    assert "Likely a data fault: not-in-touch would open 20 new flags" in " ".join(
        council.mail_to(ANALYST, day(1))[0].text.split()
    )


def test_a_surge_that_is_confirmed_goes_out_the_next_night(surge: Surge, tmp_path: Path) -> None:
    council = surge.council.copy_to(tmp_path)

    with council.open_database() as database:
        said = confirm_surge(database, "not-in-touch", by="A Example", today=day(1), now=dt.datetime.now(dt.UTC))
        none = confirm_surge(database, "homeless", by="A Example", today=day(1), now=dt.datetime.now(dt.UTC))
    council.night(day(2), SURGE)

    assert said is not None
    assert none is None
    assert {row["state"] for row in council.listed(day(2), "all.csv")} == {"open"}
    assert "20 new" in council.mail_to(NORTH, day(2))[0].subject


def test_an_unconfirmed_surge_goes_out_after_two_working_days_and_says_so(surge: Surge, tmp_path: Path) -> None:
    council = surge.council.copy_to(tmp_path)
    council.night(day(2), SURGE)
    before = council.mail_to(NORTH, day(2))

    night = council.night(day(3), SURGE)

    assert before == []
    assert (night.states.get("quarantined"), night.exit_code) == (None, 0)
    assert "nobody has confirmed it" in " ".join(council.mail_to(NORTH, day(3))[0].text.split())
    assert waiting(council) == [(0,)]


def test_what_is_resolved_while_it_waits_is_told_to_no_lead(surge: Surge, tmp_path: Path) -> None:
    council = surge.council.copy_to(tmp_path)

    council.night(day(2), out_of_touch(0, homeless("C059")))

    assert {state for (_, rule), state in council.flags().items() if rule == "not-in-touch"} == {"cleared"}
    assert council.mail_to(NORTH, day(2)) == []


def test_the_first_night_has_no_surge(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "not-in-touch", "contact-overdue"))

    night = council.night(NIGHT, out_of_touch(40))

    assert night.surges == ()
