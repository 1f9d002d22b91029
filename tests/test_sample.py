"""The invented caseload: always in the same state, never quite the same two nights running."""

import csv
import random
import time
from collections import Counter
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest

from monitor.errors import MonitorError, Problems
from monitor.sample.list_9 import HEADINGS, write_sample
from monitor.sample.people import STAY, TEAMS, Record, birthday, record

NIGHT = date(2026, 1, 12)
NIGHTS = (NIGHT, date(2026, 8, 31), date(2028, 2, 29), date(2033, 5, 5))
RISKY = frozenset("SVWRX")


def caseload(day: date, *, people: int = 900, seed: int = 1) -> dict[str, Record]:
    rng = random.Random()
    found = (record(rng, seed=seed, place=place, day=day.toordinal()) for place in range(people))
    return {each.person_id: each for each in found if each is not None}


def age(person: Record, day: date) -> int:
    return max(years for years in range(15, 27) if birthday(person.born_on, years) <= day.toordinal())


def without_adviser(person: Record) -> bool:
    return person.adviser in (None, "Duty", "TBC")


def grid(path: Path) -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(BytesIO(path.read_bytes()))
    return [tuple(row) for row in book["List 9"].values]


@pytest.fixture(scope="module")
def workbook(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample") / "list-9.xlsx", people=900, as_at=NIGHT, seed=1)


@pytest.fixture(scope="module")
def rows(workbook):
    """The people's rows, as dicts by heading."""
    return [dict(zip(HEADINGS, row, strict=True)) for row in grid(workbook)[2:] if row[1] != "-"]


@pytest.mark.parametrize("night", NIGHTS, ids=str)
@pytest.mark.parametrize("seed", [1, 7])
def test_the_service_is_in_the_state_the_report_describes(night, seed):
    people = caseload(night, seed=seed).values()

    alive = [each for each in people if each.in_touch != "DIED" and 16 <= age(each, night) < 25]
    grown = [each for each in alive if age(each, night) >= 21 and each.eligibility == "former relevant"]
    unseen = [each for each in grown if without_adviser(each)]
    young = [each for each in alive if 18 <= age(each, night) < 21]
    day = night.toordinal()
    lapsed = [each for each in young if each.plan_on is None or day - each.plan_on > 184]
    homes = Counter(each.accommodation for each in people)
    critical = [
        each for each in unseen if each.in_touch != "REFU" and (each.disability or each.accommodation in RISKY)
    ]  # fmt: skip
    assert 860 <= len(people) <= 900
    assert 200 < len(unseen) < 300
    assert sum(each.disability is True for each in unseen) >= 20
    assert 4 <= homes["S"] <= 11
    assert 3 <= homes["V"] + homes["W"] <= 14
    assert 3 <= homes["X"] <= 14
    assert 0.18 < len(lapsed) / len(young) < 0.45
    assert 0.12 < sum(each.contact_on is None or day - each.contact_on > 56 for each in young) / len(young) < 0.35
    assert 0.28 < sum((each.activity or "").startswith("G") for each in alive) / len(alive) < 0.42
    assert len(critical) + homes["S"] < len(people) / 8
    assert {each.in_touch for each in people} >= {"YES", "NO", "DIED", "REFU", "NREQ"}
    assert sum(each.in_touch == "DIED" for each in people) <= 3
    assert sum(each.eligibility == "no current eligibility" for each in people) >= 3
    assert 0.07 < sum(each.uasc for each in people) / len(people) < 0.18
    assert all(150 < count < 300 for count in Counter(each.team for each in people).values())
    assert {each.team for each in people} == set(TEAMS)


def test_two_nights_running_differ_a_little():
    changes: Counter[str] = Counter()
    after = caseload(NIGHT)

    for ahead in range(1, 61):
        before, after = after, caseload(NIGHT + timedelta(ahead))
        left = [person_id for person_id in before if person_id not in after]
        both = [(before[person_id], after[person_id]) for person_id in before if person_id in after]
        deaths = sum(one.in_touch != "DIED" and two.in_touch == "DIED" for one, two in both)
        changes["left"] += len(left)
        changes["joined"] += len(after) - len(both)
        changes["died"] += deaths
        changes["spoilt"] += sum(one.spoilt is None and two.spoilt is not None for one, two in both)
        changes["dropped"] += sum(
            one.eligibility == "former relevant" and two.eligibility == "no current eligibility" for one, two in both
        )
        changes["contact"] += sum(one.contact_on != two.contact_on for one, two in both)
        changes["moved"] += sum(one.accommodation != two.accommodation for one, two in both)
        assert len(left) <= 0.02 * len(before)
        assert deaths <= 1
        assert set(TEAMS) == {each.team for each in after.values()}
        assert all(one.born_on == two.born_on and one.team == two.team for one, two in both)

    assert 10 < changes["left"] < 60
    assert 10 < changes["joined"] < 60
    assert changes["died"] <= 1
    assert 20 < changes["spoilt"] < 100
    assert 1 <= changes["dropped"] < 30
    assert changes["contact"] > 250
    assert 30 < changes["moved"] < 300


def test_a_person_is_the_same_however_many_others_there_are_and_whenever_first_asked_about():
    small, large = caseload(NIGHT, people=50), caseload(NIGHT, people=2000)

    assert all(large[person_id] == small[person_id] for person_id in small)


def test_nobody_comes_back_as_somebody_else():
    seen: dict[str, int] = {}

    for year in range(12):
        for person in caseload(NIGHT + timedelta(year * 365), people=120).values():
            assert seen.setdefault(person.person_id, person.born_on) == person.born_on

    assert len(seen) > 220


def test_everyone_is_between_16_and_25_or_about_to_be_replaced():
    for night in NIGHTS:
        for person in caseload(night).values():
            assert birthday(person.born_on, 16) <= night.toordinal() < birthday(person.born_on, 25) + 40
            assert (person.contact_on or 0) < night.toordinal()
            assert (person.plan_on or 0) < night.toordinal()
            assert min(filter(None, (person.contact_on, person.plan_on)), default=STAY * 300) > person.born_on


def test_another_seed_gives_other_people():
    one, other = caseload(NIGHT, seed=1), caseload(NIGHT, seed=2)

    assert sum(one[person_id].born_on == other[person_id].born_on for person_id in one if person_id in other) < 20


def test_the_same_arguments_give_the_same_bytes(workbook, tmp_path):
    again = write_sample(tmp_path / "again.xlsx", people=900, as_at=NIGHT, seed=1)
    # Zip entries and workbook properties carry times in steps of two seconds and of one.
    time.sleep(2.1)
    later = write_sample(tmp_path / "later.xlsx", people=900, as_at=NIGHT, seed=1)

    assert again.read_bytes() == workbook.read_bytes() == later.read_bytes()


def test_the_workbook_is_laid_out_as_councils_lay_theirs_out(workbook):
    book = openpyxl.load_workbook(BytesIO(workbook.read_bytes()))

    listed = grid(workbook)
    assert book.sheetnames == ["List 1", "List 8", "List 9", "List 10"]
    assert "Everyone is invented" in str(listed[0][0])
    assert listed[1] == HEADINGS
    assert any("\n" in heading for heading in HEADINGS)
    assert "Allocated Personal Advisor" in HEADINGS
    assert "Local notes flag" in HEADINGS
    assert all(set(row) == {"-"} for row in listed[-25:])


def test_every_mess_that_real_workbooks_have_is_there(rows):
    cells = {heading: [row[heading] for row in rows] for heading in HEADINGS}
    ids = Counter(cells["Child Unique ID"])
    texts = {str(cell) for column in cells.values() for cell in column}
    whole = Counter(tuple(row.values()) for row in rows)

    assert any(isinstance(each, int) for each in ids)
    assert sum(isinstance(each, str) and each.startswith("00") for each in ids) > 800
    assert ids[None] == 1
    assert sorted(count for count in ids.values() if count > 1) == [2, 2]
    assert sum(count == 2 for count in whole.values()) == 1
    for expected in (
        "31/02/2025", "see case note", "TBC", "#MULTIVALUE", "Code 'S' is not mapped", "-", "Duty",
        "Care Leaver Details Not Recorded", "Other - under 16", "former relevant 18-20", "FORMER RELEVANT",
        "S: No fixed abode", "a) Yes", "YES", "Leaving Care North ", "1", "2",
    ):  # fmt: skip
        assert expected in texts
    kinds = Counter(type(each) for each in cells["Latest Pathway Plan Review Date"])
    assert kinds[datetime] > 600
    assert 3 < kinds[str] < 150
    assert datetime(1900, 1, 1) in cells["Latest Pathway Plan Review Date"]  # noqa: DTZ001
    assert max(each for each in cells["Latest Date\nof Contact"] if isinstance(each, datetime)).date() > NIGHT
    assert None in cells["Date of Birth"]
    assert any(len(str(each)) == 2 and str(each)[1] in "12" for each in cells["Type of Accommodation"])


def test_mess_that_is_always_there_is_there_on_any_night(tmp_path):
    for night in NIGHTS:
        path = write_sample(tmp_path / f"{night}.xlsx", people=900, as_at=night, seed=3)

        texts = {str(cell) for row in grid(path) for cell in row}
        assert texts >= {"31/02/2025", "#MULTIVALUE", "Code 'S' is not mapped", "Other - under 16", "c) Died"}


def test_a_csv_holds_the_same_people_with_dates_as_excel_saves_them(rows, tmp_path):
    path = write_sample(tmp_path / "list-9.csv", people=900, as_at=NIGHT, seed=1)

    with path.open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.reader(file))
    assert listed[0] == [heading.replace("\n", " ") for heading in HEADINGS]
    assert [row[0] for row in listed[1:-25]] == [
        "" if row[HEADINGS[0]] is None else str(row[HEADINGS[0]]) for row in rows
    ]
    born = rows[0]["Date of Birth"]
    assert listed[1][3] == born.strftime("%d/%m/%Y")


@pytest.mark.parametrize("people", [1, 5, 40])
def test_a_small_sample_has_as_many_people_as_were_asked_for(tmp_path, people):
    path = write_sample(tmp_path / "small.csv", people=people, as_at=NIGHT, seed=1)

    with path.open(encoding="utf-8-sig", newline="") as file:
        listed = [row for row in csv.reader(file) if row[0] != "-"]
    assert len(listed) == people + 1


def test_what_cannot_be_written_is_said_plainly(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(
        Problems, match=r"sample\.ods: a sample is an \.xlsx, a \.csv or a \.parquet; name one of those"
    ):
        write_sample(tmp_path / "sample.ods", people=5, as_at=NIGHT, seed=1)
    with pytest.raises(Problems, match=r"do not fit on a worksheet; name a \.csv"):
        write_sample(tmp_path / "sample.xlsx", people=2_000_000, as_at=NIGHT, seed=1)
    with pytest.raises(MonitorError, match="cannot be written"):
        write_sample(tmp_path / "file" / "sample.csv", people=5, as_at=NIGHT, seed=1)
