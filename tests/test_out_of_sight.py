"""Who is out of sight, and since when; that it is one number everywhere: ``test_consistency``."""

import datetime as dt
from pathlib import Path

import pytest
from support.council import Council, crowd, day, settled
from support.random_people import shipped_rules
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.figures.out_of_sight import BY_NAME, NOBODY_NAMED, OUT_OF_TOUCH, SINCE
from monitor.report.contents import Contents, PersonRow, Sight
from monitor.report.gather import gather_report
from monitor.report.report_nights import ReportRequest
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.database import open_store
from monitor.store.location import locate


def gather(council: Council, on: dt.date) -> Contents:
    config = load_config(council.config_path)
    database = open_store(locate(config, {}))
    try:
        return gather_report(database, config, load_rulebook(config.rule_folders(), config.rule), ReportRequest(on))
    finally:
        database.close()


def sight(contents: Contents, name: str) -> Sight:
    return next(line for line in contents.sight.kinds if line.name == name)


def ids(name: str) -> str:
    """The id of somebody called by what is the case with them; an id like everybody's."""
    names = [*ON_THE_FIRST_NIGHT, "NEWCOMER"]
    return f"C9{names.index(name):02}" if name in names else name


def person(contents: Contents, person_id: str) -> PersonRow:
    return next(row for row in contents.sight.people if row.person_id == ids(person_id))


# Since when


DATED = (
    "contact-overdue", "over-21-contact", "custody-contact", "known-address", "left-caseload", "pa-allocated",
    "over-21-adviser", "turning-18-adviser", "eligible-adviser",
)  # fmt: skip
ON_THE_FIRST_NIGHT = {
    "UNNAMED": {"adviser": ""},
    "DATED": {"contact": "01/06/2025"},
    "FINE": {},
    "FILLED": {"adviser": ""},
    "AWAY": {},
    "LEAVER": {},
    "CUSTODY": {"contact": ""},
    "CHILD": {"adviser": "", "born": "13/02/2008", "eligibility": "c) Eligible child"},
    "TURNS21": {"adviser": "", "born": "14/01/2005", "activity": "G6"},
    "LOST-AND-21": {"born": "14/01/2005", "activity": "G6"},
    "BOTH": {"adviser": "", "contact": "01/06/2025"},
}


@pytest.fixture(scope="module")
def three_nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contents, Contents]:
    """The first night and the third of people who are out of sight for every reason that there is or is no date."""
    folder = tmp_path_factory.mktemp("three")
    council = Council(folder, few_rules(folder, *DATED))
    people = {name: settled(ids(name), **other) for name, other in ON_THE_FIRST_NIGHT.items()}
    council.night(day(0), [*people.values(), *crowd(40)], accept="invented")
    first = gather(council, day(0))
    people["FINE"]["adviser"] = people["LOST-AND-21"]["adviser"] = ""
    people["FILLED"]["adviser"] = "A Example"
    people["CUSTODY"]["accommodation"] = "X: In custody"
    people["NEWCOMER"] = settled(ids("NEWCOMER"), adviser="")
    away = people.pop("AWAY")
    council.night(day(1), [*people.values(), *crowd(40)], accept="invented")
    people["FILLED"]["adviser"] = ""
    people["AWAY"] = {**away, "accommodation": "R: Residence not known"}
    del people["LEAVER"]
    council.night(day(2), [*people.values(), *crowd(40)], accept="invented")
    return first, gather(council, day(2))


def test_on_the_day_of_installation_nothing_without_a_date_is_under_a_month(
    three_nights: tuple[Contents, Contents],
) -> None:
    first, _ = three_nights

    unnamed = sight(first, "nobody-named")

    assert unnamed.people == unnamed.since.not_known == 3
    assert (unnamed.since.counts, unnamed.since.median_days) == ((0,) * len(SINCE), None)
    assert (unnamed.since.at_least_since, unnamed.since.longest_since) == (day(0), None)
    assert person(first, "DATED").since == dt.date(2025, 7, 28)


@pytest.mark.parametrize(
    ("person_id", "since", "at_least_since"),
    [
        ("UNNAMED", None, day(0)),
        ("DATED", dt.date(2025, 7, 28), None),
        ("BOTH", dt.date(2025, 7, 28), None),
        ("FINE", day(1), None),
        ("FILLED", day(2), None),
        ("LEAVER", day(2), None),
        ("NEWCOMER", None, day(1)),
        ("AWAY", None, day(2)),
        ("CUSTODY", None, day(0)),
        ("CHILD", None, day(0)),
        ("TURNS21", None, day(0)),
        ("LOST-AND-21", day(1), None),
    ],
)
def test_since_when_is_known_where_the_record_has_a_date_or_the_monitor_saw_it_begin(
    three_nights: tuple[Contents, Contents], person_id: str, since: dt.date | None, at_least_since: dt.date | None
) -> None:
    row = person(three_nights[1], person_id)

    assert (row.since, row.at_least_since) == (since, at_least_since)


def test_the_first_night_of_a_rule_sees_nothing_begin(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "known-address"))
    lost = settled("P1", accommodation="R: Residence not known")
    council.night(day(0), [lost, *crowd(9)], leave_out=["accommodation"])
    council.night(day(1), [lost, *crowd(9)], accept="a column that was not supplied before")

    row = person(gather(council, day(1)), "P1")

    assert (row.since, row.at_least_since) == (None, day(1))


def test_a_child_in_care_without_an_adviser_has_a_social_worker_and_is_in_no_line(
    three_nights: tuple[Contents, Contents],
) -> None:
    first, third = three_nights

    assert ids("CHILD") not in {row.person_id for row in first.sight.people}
    assert person(third, "CHILD").tier == "Nobody named"


def test_who_is_in_both_tiers_counts_once_and_is_said(three_nights: tuple[Contents, Contents]) -> None:
    first, _ = three_nights

    touch = sight(first, "out-of-touch")

    assert (touch.people, touch.also_nobody_named) == (3, 1)
    assert first.sight.everyone.people == 6
    assert person(first, "BOTH").ways == ("No contact", "Nobody named")


def test_over_21_nobody_is_in_sight_who_is_not_in_touch_or_has_nobody_though_support_was_accepted() -> None:
    shipped = shipped_rules().by_id.keys()

    assert {"over-21-not-in-touch", "over-21-contact-agreed"} < set(BY_NAME[OUT_OF_TOUCH].rules) <= shipped
    assert {"over-21-accepted"} < set(BY_NAME[NOBODY_NAMED].rules) <= shipped
