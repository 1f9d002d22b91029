"""Faulty nights, whole: nothing is wrongly resolved, nothing wrongly opened and mailed, and each fault is named."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, Mail, day, settled

from monitor.errors import MonitorError, Refused, SourceError

ANALYST, NORTH, SOUTH = "analyst@example.gov.uk", "north@example.gov.uk", "south@example.gov.uk"
Person = dict[str, str]


def caseload() -> list[Person]:
    """Sixty people of two teams with ids that begin with a zero, some of them with something open."""
    people = [
        settled(f"0{n:03}", team="South" if n < 6 else "North", disability="a) Yes" if n % 4 else "b) No",
                contact=f"{8 - n % 5:02}/01/2026", plan=f"{5 + n % 20:02}/12/2025")
        for n in range(60)
    ]  # fmt: skip
    people[3] |= {"adviser": ""}
    people[10] |= {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}
    people[11] |= {"adviser": ""}
    people[12] |= {"plan": "01/02/2025"}
    people[13] |= {"contact": "01/10/2025"}
    people[14] |= {"in_touch": "d) Refu", "born": "01/06/2003"}
    people[15] |= {"accommodation": "R: Residence not known", "activity": "G5", "adviser": "", "contact": "01/09/2025"}
    people[16] |= {"suitable": "b) Unsuitable"}
    people[17] |= {"eligibility": "", "activity": "G5"}
    return people


OPEN = {
    ("0003", "pa-allocated"), ("0010", "homeless"), ("0011", "pa-allocated"), ("0012", "pathway-plan-current"),
    ("0013", "contact-overdue"), ("0015", "combined-risk"),
}  # fmt: skip
"""Some of what the first night finds."""


def each(people: list[Person], change: Callable[[Person], Person]) -> list[Person]:
    return [person | change(person) for person in people]


def century_back(person: Person) -> Person:
    return {key: f"{person[key][:6]}{int(person[key][6:]) - 100}" for key in ("born", "plan", "contact")}


def weeks_ago(person: Person) -> Person:
    """The record as it stood three weeks before: whatever happened since is not in it yet."""
    day_, month, year = (int(part) for part in person["contact"].split("/"))
    contact = dt.date(year, month, day_)
    return {"contact": f"{min(contact, contact - dt.timedelta(24)):%d/%m/%Y}", "accommodation": "U: Independent living"}


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council after its first night, to be copied and never changed."""
    council = Council(tmp_path_factory.mktemp("council"))
    council.night(NIGHT, caseload())
    assert {key for key, state in council.flags().items() if state == "open"} >= OPEN
    return council


@pytest.fixture
def council(first_night: Council, tmp_path: Path) -> Council:
    return first_night.copy_to(tmp_path)


def told(council: Council, night: dt.date) -> str:
    return " ".join(" ".join(mail.text.split()) for mail in council.mail_to(ANALYST, night))


def unharmed(council: Council, before: dict[tuple[str, str], str]) -> None:
    """Every flag is still unresolved, and there is none that was not there."""
    after = council.flags()
    assert after.keys() == before.keys()
    assert set(after.values()) <= {"open", "held"}


FAULTS: dict[str, tuple[Callable[[list[Person]], list[Person]], str]] = {
    "half the rows": (lambda people: people[::2], "only 30 of the 60 people of 12 January 2026 are present"),
    "leading zeros stripped": (
        lambda people: each(people, lambda one: {"id": one["id"].lstrip("0") or "0"}),
        "a spreadsheet has dropped leading zeros",
    ),
    "all dates a century back": (
        lambda people: each(people, century_back),
        "60 of 60 birth dates differ from 12 January 2026, most by 100 years",
    ),
    "a three-week-old file": (
        lambda people: each(people, weeks_ago),
        "an older extract than that of 12 January 2026",
    ),
    "the team column lost its values": (
        lambda people: each(people, lambda one: {"team": ""}),
        "allocated_team: filled for 0% of people, usually 100%",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_night_with_this_fault_is_refused_by_name_and_changes_nothing(council: Council, fault: str) -> None:
    spoil, words = FAULTS[fault]
    before = council.flags()

    with pytest.raises(Refused, match=words):
        council.night(day(1), spoil(caseload()))

    assert council.flags() == before
    assert [mail.to for mail in council.mail(day(1))] == [ANALYST]
    assert words in told(council, day(1))
    assert council.rows("SELECT state, verdict FROM run ORDER BY id DESC LIMIT 1") == [("refused", "refused")]


def test_all_rows_gone_is_a_source_that_cannot_be_read(council: Council) -> None:
    before = council.flags()

    with pytest.raises(SourceError, match="no rows beneath the headings"):
        council.night(day(1), [])

    assert council.flags() == before
    assert [mail.to for mail in council.mail(day(1))] == [ANALYST]


def test_one_person_missing_is_flagged_as_having_left_and_nothing_else_changes(council: Council) -> None:
    before = council.flags()

    night = council.night(day(1), caseload()[:-1])

    assert (night.verdict.word, night.exit_code) == ("trusted", 0)
    assert council.flags() == before | {("0059", "left-caseload"): "open"}
    (mail,) = council.mail_to(NORTH, day(1))
    assert "1 new" in mail.subject
    assert "0059" in mail.text


NAMES = {
    "uasc": "uasc", "disability": "disability", "worker": "allocated_worker", "adviser": "personal_adviser",
    "eligibility": "eligibility", "plan": "pathway_plan_review_date", "in_touch": "in_touch",
    "contact": "latest_contact_date", "accommodation": "accommodation", "suitable": "accommodation_suitable",
    "activity": "activity",
}  # fmt: skip


@pytest.mark.parametrize(
    "dropped",
    [
        ("eligibility",),
        ("uasc", "adviser"),
        ("disability", "plan"),
        ("worker", "accommodation", "in_touch"),
        ("contact", "suitable", "activity"),
    ],
    ids=" ".join,
)
def test_a_dropped_column_holds_what_rests_on_it_and_opens_and_resolves_nothing(
    council: Council, dropped: tuple[str, ...]
) -> None:
    """Dropped together are such as no rule asks together, so each is all that holds the rules that rest on it."""
    before = council.flags()

    night = council.night(day(1), caseload(), leave_out=dropped)

    unharmed(council, before)
    assert (night.verdict.word, night.exit_code) == ("degraded", 1)
    assert set(night.verdict.columns) == {NAMES[column] for column in dropped}
    for name, why in night.verdict.columns.items():
        assert "no source supplies it tonight" in why
        assert name in told(council, day(1))
    no_news(council)


@pytest.mark.parametrize("column", ["born", "team"])
def test_a_night_without_what_everything_rests_on_is_refused(council: Council, column: str) -> None:
    before = council.flags()

    with pytest.raises(MonitorError):
        council.night(day(1), caseload(), leave_out=[column])

    assert council.flags() == before
    assert [mail.to for mail in council.mail(day(1))] == [ANALYST]


def no_news(council: Council) -> None:
    """Leads hear of what is held, and of nothing new or cleared."""
    for mail in council.mail(day(1)):
        if mail.to != ANALYST:
            assert " new" not in mail.subject
            assert "cleared" not in mail.subject


def test_swapped_columns_are_both_named_and_held_for_as_long_as_they_are_swapped(council: Council) -> None:
    before = council.flags()
    swapped = each(caseload(), lambda one: {"plan": one["contact"], "contact": one["plan"]})

    first = council.night(day(1), swapped)
    second = council.night(day(2), swapped)
    unharmed(council, before)
    back = council.night(day(3), caseload())

    assert set(first.verdict.columns) == {"latest_contact_date", "pathway_plan_review_date"}
    assert "swapped with pathway_plan_review_date" in told(council, day(1))
    assert set(second.verdict.columns) == set(first.verdict.columns)
    assert (back.verdict.word, back.exit_code) == ("trusted", 0)
    assert council.flags() == before


def test_a_dropped_team_is_named_and_nobody_of_it_has_left(council: Council) -> None:
    before = council.flags()
    north = [person for person in caseload() if person["team"] == "North"]

    first = council.night(day(1), [*north, settled("0900")])
    second = council.night(day(2), [*north, settled("0900")])
    unharmed(council, before)
    (mail,) = council.mail_to(SOUTH, day(1))
    council.night(day(3), [*caseload(), settled("0900")])

    assert (first.verdict.word, list(first.verdict.teams), first.exit_code) == ("degraded", ["South"], 1)
    assert list(second.verdict.teams) == ["South"]
    assert 'team "South" had 6 people on 12 January 2026 and none is here tonight' in told(council, day(1))
    assert "does not look whole" in " ".join(mail.text.split())
    assert council.flags() == before
    assert council.rows("SELECT count(*) FROM person WHERE absent_since IS NOT NULL") == [(0,)]


def test_a_night_believed_on_request_judges_what_the_gate_would_not(council: Council) -> None:
    north = [person for person in caseload() if person["team"] == "North"]

    night = council.night(day(1), north, accept="South has moved to another authority", by="A Example")
    again = council.night(day(1), north)

    assert (night.exit_code, again.outcome, again.exit_code) == (0, "unchanged", 0)
    assert council.flags()[("0000", "left-caseload")] == "open"
    assert council.night(day(2), north).verdict.word == "trusted"


def test_an_unmapped_code_for_many_is_not_believed_and_nothing_is_lost(council: Council) -> None:
    before = council.flags()

    night = council.night(day(1), each(caseload(), lambda one: {"accommodation": "Code 'S' is not mapped"}))

    unharmed(council, before)
    assert list(night.verdict.columns) == ["accommodation"]
    no_news(council)


def test_a_stale_extract_does_not_age_and_every_reader_is_told(tmp_path: Path) -> None:
    council = Council(tmp_path)
    text = council.config_path.read_text(encoding="utf-8")
    declared = text.replace('path = "list-9.csv"', 'path = "list-9.csv"\nextracted_on = 2026-01-09')
    council.config_path.write_text(declared, encoding="utf-8")
    due_tomorrow = settled("0901", contact="18/11/2025")
    due_next_week = settled("0902", contact="25/11/2025")
    people = [*caseload(), due_tomorrow, due_next_week]
    council.night(day(0), people)
    council.night(day(2), people)
    assert council.flags()[("0901", "contact-overdue")] == "open"

    night = council.night(day(9), [*people, settled("0903", adviser="")])

    assert (night.verdict.word, night.verdict.asked_on, night.exit_code) == ("stale", day(2), 1)
    assert council.flags()[("0901", "contact-overdue")] == "open"
    assert ("0902", "contact-overdue") not in council.flags()
    assert "as at 14 January 2026" in told(council, day(9))
    lead: Any = council.mail_to(NORTH, day(9))
    assert isinstance(lead[0], Mail)
    assert "as on 14 January 2026" in " ".join(lead[0].text.split())
    assert council.rows("SELECT asked_on, extracted_on FROM run ORDER BY id DESC LIMIT 1") == [
        ("2026-01-14", "2026-01-09")
    ]


def test_an_old_first_extract_is_asked_as_at_its_own_date(tmp_path: Path) -> None:
    council = Council(tmp_path)
    people = [settled(f"0{n:03}", plan="01/12/2025", contact=f"{1 + n % 15:02}/12/2025") for n in range(120)]

    night = council.night(NIGHT, people)

    assert (night.verdict.word, night.verdict.asked_on) == ("stale", dt.date(2025, 12, 15))
    assert "by the newest date inside" in told(council, NIGHT)


def test_a_night_after_a_jump_of_the_clock_is_refused_until_somebody_says_that_it_is_right(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(day(0), caseload())
    before = council.flags()

    with pytest.raises(Refused) as refused:
        council.night(day(40), caseload())

    assert "21 February 2026 is 40 days after the last accepted night (12 January 2026)" in str(refused.value)
    assert "the newest date in the extracts is 8 January 2026: the clock of the machine may be ahead" in str(
        refused.value
    )
    assert refused.value.exit_code == 3
    assert council.flags() == before
    assert "the clock of the machine may be ahead" in told(council, day(40))
    accepted = council.night(day(40), accept="the service was off", by="A Example")
    assert (accepted.outcome, accepted.verdict.word) == ("accepted", "refused")


def test_a_night_put_right_is_not_asked_again_whether_its_day_has_come(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(day(0), caseload())
    council.night(day(40), caseload(), accept="the service was off", by="A Example")

    night = council.night(day(40), [*caseload(), settled("0901")], again=True, by="A Example")

    assert night.outcome == "put right"


def test_after_a_long_pause_dates_of_the_last_week_are_proof_enough(tmp_path: Path) -> None:
    council = Council(tmp_path)
    council.night(day(0), caseload())

    night = council.night(day(40), [person | {"contact": "14/02/2026"} for person in caseload()])

    assert night.verdict.word == "trusted"
