"""Surges: which new flags wait, who hears of them meanwhile, and how they go out."""

import datetime as dt
from pathlib import Path

from service import NIGHT, Council, day, settled

from monitor.config import Quarantine
from monitor.store import open_store
from monitor.trust import quarantine
from monitor.trust.quarantine import judge

ANALYST, NORTH = "analyst@example.gov.uk", "north@example.gov.uk"
LIMITS = Quarantine()


def test_more_than_a_tenth_of_the_caseload_waits_and_fewer_than_ten_never() -> None:
    assert judge({"homeless": 90}, {}, 900, LIMITS) == ()
    assert [one.rule for one in judge({"homeless": 91}, {}, 900, LIMITS)] == ["homeless"]
    assert judge({"homeless": 9}, {}, 10, LIMITS) == ()


def test_five_times_the_most_of_earlier_nights_is_usual_and_more_waits_unless_days_went_by() -> None:
    earlier = {"homeless": [1.0, 4.0, 2.0]}

    assert judge({"homeless": 20}, earlier, 9000, LIMITS) == ()
    assert judge({"homeless": 21}, earlier, 9000, LIMITS)[0].usual == 4
    assert judge({"homeless": 21}, earlier, 9000, LIMITS, days_since=3) == ()
    assert judge({"homeless": 21}, {"homeless": [1.0, 4.0]}, 9000, LIMITS) == ()


def out_of_touch(number: int) -> list[dict[str, str]]:
    """Sixty people, of whom so many are out of touch."""
    return [settled(f"C{n:03}", in_touch="b) No" if n < number else "a) Yes") for n in range(60)]


def waiting(council: Council) -> list[tuple[object, ...]]:
    return council.rows("SELECT count(*) FROM flag WHERE quarantined_on IS NOT NULL AND released_on IS NULL")


def test_a_surge_is_open_but_told_to_the_analyst_alone_until_it_is_confirmed(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, out_of_touch(0))

    night = council.night(day(1), [*out_of_touch(20)[:59], settled("C059", accommodation="S: No fixed abode")])
    first = council.mail_to(NORTH, day(1))
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'monitor.db'}")
    said = quarantine.confirm(store, "not-in-touch", by="A Example", today=day(1), now=dt.datetime.now(dt.UTC))
    none = quarantine.confirm(store, "homeless", by="A Example", today=day(1), now=dt.datetime.now(dt.UTC))
    store.close()
    council.night(day(2), out_of_touch(20))

    assert ([one.rule for one in night.surges], night.exit_code) == (["not-in-touch"], 1)
    assert "C059" in first[0].text
    assert "C000" not in first[0].text
    assert "not-in-touch" not in {row["rule"] for row in council.listed(day(1), "team-north.csv")}
    assert len(council.listed(day(1), "quarantined.csv")) == 20
    assert {row["state"] for row in council.listed(day(2), "all.csv")} == {"open"}
    assert "Likely a data fault: not-in-touch would open 20 new flags" in " ".join(
        council.mail_to(ANALYST, day(1))[0].text.split()
    )
    assert said is not None
    assert none is None
    assert "20 new" in council.mail_to(NORTH, day(2))[0].subject


def test_an_unconfirmed_surge_goes_out_after_two_working_days_and_says_so(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, out_of_touch(0))
    council.night(day(1), out_of_touch(20))
    council.night(day(2), out_of_touch(20))
    before = council.mail_to(NORTH, day(2))

    night = council.night(day(3), out_of_touch(20))

    assert before == []
    assert (night.states.get("quarantined"), night.exit_code) == (None, 0)
    assert "nobody has confirmed it" in " ".join(council.mail_to(NORTH, day(3))[0].text.split())
    assert waiting(council) == [(0,)]


def test_what_is_resolved_while_it_waits_is_told_to_no_lead(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(NIGHT, out_of_touch(0))
    council.night(day(1), out_of_touch(20))

    council.night(day(2), out_of_touch(0))

    assert set(council.flags().values()) == {"cleared"}
    assert council.mail_to(NORTH, day(2)) == []


def test_the_first_night_has_no_surge(tmp_path: Path) -> None:
    night = Council(tmp_path).night(NIGHT, out_of_touch(40))

    assert night.surges == ()
