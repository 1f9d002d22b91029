"""The trust gate: which nights are refused, believed in part or asked as at an earlier date, and in which words."""

import datetime as dt
from dataclasses import replace

import pytest

from monitor.config.settings import Gate
from monitor.gate.verdict import Comparison, Dated, Movement, TakenColumn, TeamThen, accept, judge
from monitor.workdays import NEVER_CLOSED, WorkingDays

LAST, TONIGHT = dt.date(2026, 1, 5), dt.date(2026, 1, 6)
USUAL = Comparison(
    last_night=LAST,
    expected=900,
    present=898,
    people=900,
    teams={"North": TeamThen(450, 449, 449), "South": TeamThen(450, 449, 449)},
    filled={"accommodation": 0.97, "latest_contact_date": 0.9, "death_date": 0.004},
    usual_filled={"accommodation": 0.98, "latest_contact_date": 0.9, "death_date": 0.006},
    unreadable={"accommodation": 0.02, "latest_contact_date": 0.0},
    usual_unreadable={"accommodation": 0.01, "latest_contact_date": 0.0},
    supplied=frozenset({"accommodation", "latest_contact_date", "death_date"}),
    moved={"accommodation": Movement(890, 4), "latest_contact_date": Movement(800, 30, 1, 29)},
)


def refusals(seen: Comparison) -> tuple[str, ...]:
    return judge(seen, Gate(), TONIGHT).refusals


def test_a_usual_night_is_believed() -> None:
    verdict = judge(USUAL, Gate(), TONIGHT)

    assert (verdict.word, verdict.doubts, verdict.asked_on) == ("trusted", (), TONIGHT)


def test_the_first_night_has_nothing_to_be_compared_with() -> None:
    first = Comparison(None, 0, 0, 5, new_deaths=12)

    assert judge(first, Gate(), TONIGHT).word == "trusted"


@pytest.mark.parametrize(
    ("days", "newest", "declared", "refused"),
    [
        (7, 7, None, False),
        (8, 8, None, True),
        (8, 7, None, False),  # somebody wrote down a date of the last seven days
        (8, None, None, True),
        (400, 400, 1, False),  # a person declared it
        (400, 390, 8, True),
    ],
)
def test_a_night_over_a_week_after_the_last_one_and_after_every_date_in_the_extracts_is_refused(
    days: int, newest: int | None, declared: int | None, refused: bool
) -> None:
    tonight = LAST + dt.timedelta(days)
    inside = tonight - dt.timedelta(newest) if newest else None
    sources = [Dated("caseload", tonight, "by the file's own date", inside)]
    if declared:
        sources.append(Dated("visits", tonight - dt.timedelta(declared), "as declared"))
    seen = replace(USUAL, sources=tuple(sources))

    assert (
        any("the clock of the machine may be ahead" in why for why in judge(seen, Gate(), tonight).refusals) == refused
    )
    assert not judge(replace(seen, confirmed=True), Gate(), tonight).refusals


def test_exactly_nine_in_ten_present_is_believed_and_one_fewer_is_not() -> None:
    assert refusals(replace(USUAL, present=810)) == ()

    (reason,) = refusals(replace(USUAL, present=809))
    assert "only 809 of the 900 people of 5 January 2026 are present" in reason


def test_more_deaths_than_three_and_than_one_in_two_hundred_are_refused() -> None:
    assert refusals(replace(USUAL, new_deaths=4)) == ()
    assert "5 people are newly recorded as having died" in refusals(replace(USUAL, new_deaths=5))[0]
    small = replace(USUAL, expected=100, present=100)
    assert refusals(replace(small, new_deaths=3)) == ()
    assert len(refusals(replace(small, new_deaths=4))) == 1


def test_more_newcomers_than_a_quarter_are_refused_unless_they_are_few() -> None:
    assert refusals(replace(USUAL, joined=225)) == ()
    assert "226 people are new beside the 900" in refusals(replace(USUAL, joined=226))[0]
    assert refusals(replace(USUAL, expected=8, present=8, joined=20)) == ()


def test_three_ids_that_lost_their_zeros_are_refused_and_the_spreadsheet_is_named() -> None:
    assert refusals(replace(USUAL, ids_changed=2)) == ()
    assert "a spreadsheet has dropped leading zeros" in refusals(replace(USUAL, ids_changed=3))[0]


def test_birth_dates_that_changed_in_bulk_are_refused_with_the_shift() -> None:
    assert refusals(replace(USUAL, birth_dates_changed=8)) == ()

    (reason,) = refusals(replace(USUAL, birth_dates_changed=890, birth_dates_by_years=-100))
    assert "890 of 898 birth dates differ from 5 January 2026, most by 100 years" in reason


def test_people_moved_to_another_team_in_bulk_are_refused() -> None:
    assert refusals(replace(USUAL, teams_changed=179)) == ()
    assert "180 of 898 people are in another team" in refusals(replace(USUAL, teams_changed=180))[0]


def test_rows_that_disagree_in_bulk_are_refused_against_their_own_history() -> None:
    seen = replace(USUAL, disagreeing=0.2)

    assert refusals(seen) == ()
    assert refusals(replace(seen, usual_disagreeing=0.16)) == ()
    assert "180 rows disagree with another row" in refusals(replace(seen, usual_disagreeing=0.0))[0]


def test_a_team_that_lost_more_than_half_is_named_and_the_rest_goes_on() -> None:
    gone = {"North": TeamThen(450, 449, 449), "East": TeamThen(40, 0, 0), "West": TeamThen(40, 20, 20)}

    verdict = judge(replace(USUAL, teams=gone), Gate(), TONIGHT)

    assert (verdict.word, list(verdict.teams)) == ("degraded", ["East"])
    assert 'team "East" had 40 people on 5 January 2026 and none is here tonight' in verdict.teams["East"]


def test_a_team_of_four_may_empty_and_one_whose_people_are_elsewhere_is_only_noted() -> None:
    teams = {"Tiny": TeamThen(4, 0, 0), "Old": TeamThen(30, 30, 0, "New")}

    verdict = judge(replace(USUAL, teams=teams), Gate(), TONIGHT)

    assert verdict.word == "trusted"
    assert verdict.notes == ('team "Old" had 30 people on 5 January 2026 and has none tonight; most are now in "New"',)


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"filled": {"accommodation": 0.5}}, "accommodation: filled for 50% of people, usually 98%"),
        ({"supplied": frozenset({"latest_contact_date", "death_date"})}, "no source supplies it tonight (98% had it"),
        ({"unreadable": {"accommodation": 0.12}}, "accommodation: 12% of cells cannot be read, usually 1%"),
        ({"moved": {"accommodation": Movement(890, 446)}}, "other than on 5 January 2026 for 446 of 890"),
        ({"taken": (TakenColumn("accommodation", "activity", 500, 800),)}, "accommodation: holds what was in activity"),
    ],
)
def test_a_column_that_is_not_itself_is_named_and_the_rest_goes_on(differs: dict[str, object], words: str) -> None:
    seen = replace(USUAL, **differs)
    if "filled" in differs:
        seen = replace(seen, filled=dict(USUAL.filled) | {"accommodation": 0.5})

    verdict = judge(seen, Gate(), TONIGHT)

    assert (verdict.word, list(verdict.columns)) == ("degraded", ["accommodation"])
    assert words in verdict.columns["accommodation"]


def test_a_column_that_few_ever_had_may_lose_a_value() -> None:
    seen = replace(USUAL, filled=dict(USUAL.filled) | {"death_date": 0.002})

    assert judge(seen, Gate(), TONIGHT).word == "trusted"


def test_dates_that_went_forward_are_an_ordinary_night_and_back_are_not() -> None:
    forward = replace(USUAL, moved={"latest_contact_date": Movement(800, 700, 0, 700)})
    back = replace(USUAL, moved={"latest_contact_date": Movement(800, 201, 201, 0)})

    assert judge(forward, Gate(), TONIGHT).word == "trusted"
    assert "earlier than on 5 January 2026 for 201 of 800" in judge(back, Gate(), TONIGHT).doubts[0]


def test_two_swapped_columns_are_both_named() -> None:
    taken = (
        TakenColumn("latest_contact_date", "pathway_plan_review_date", 700, 780),
        TakenColumn("pathway_plan_review_date", "latest_contact_date", 690, 780),
    )

    verdict = judge(replace(USUAL, taken=taken), Gate(), TONIGHT)

    assert set(verdict.columns) == {"latest_contact_date", "pathway_plan_review_date"}
    assert "swapped with pathway_plan_review_date: 700 of 780" in verdict.columns["latest_contact_date"]


def test_a_night_without_birth_dates_is_refused_because_every_age_rests_on_them() -> None:
    seen = replace(USUAL, usual_filled={"date_of_birth": 0.99})

    (reason,) = refusals(seen)

    assert reason.startswith("date_of_birth: no source supplies it")
    assert reason.endswith("every age rests on it")


def test_an_extract_older_than_the_last_is_refused() -> None:
    older = Dated("caseload", dt.date(2025, 12, 15), "by the newest date inside", dt.date(2025, 12, 15), LAST)
    seen = replace(USUAL, sources=(older,), moved={"latest_contact_date": Movement(800, 60, 60, 0)})

    (reason,) = refusals(seen)

    assert "caseload: an older extract than that of 5 January 2026: its newest date is 15 December 2025" in reason


def test_one_corrected_date_does_not_make_an_extract_older() -> None:
    dated = Dated("caseload", None, "", dt.date(2026, 1, 2), LAST)
    seen = replace(USUAL, sources=(dated,), moved={"latest_contact_date": Movement(800, 3, 2, 1)})

    assert refusals(seen) == ()


def test_an_extract_is_stale_after_three_working_days_and_asked_as_at_its_own_date() -> None:
    friday = dt.date(2026, 1, 2)
    seen = Comparison(None, 0, 0, 900, sources=(Dated("caseload", friday, "as declared"),))

    on_time = judge(seen, Gate(), dt.date(2026, 1, 7))
    late = judge(seen, Gate(), dt.date(2026, 1, 8))

    assert (on_time.word, on_time.asked_on) == ("trusted", dt.date(2026, 1, 7))
    assert (late.word, late.asked_on) == ("stale", friday)
    closed = WorkingDays(frozenset({dt.date(2026, 1, 6)}))
    assert judge(seen, Gate(), dt.date(2026, 1, 8), closed).word == "trusted"
    assert "caseload: of 2 January 2026 (as declared), 4 working days old" in late.doubts[0]


def test_a_stale_night_is_never_asked_as_at_before_the_last_answers() -> None:
    friday = dt.date(2026, 1, 2)
    sources = (Dated("caseload", friday, "as declared"),)
    seen = replace(USUAL, sources=sources, last_asked_on=dt.date(2026, 1, 7), last_extracted_on=friday)

    assert judge(seen, Gate(), dt.date(2026, 1, 9)).asked_on == dt.date(2026, 1, 7)


def test_a_night_believed_on_request_is_asked_whole_and_as_at_itself() -> None:
    sources = (Dated("caseload", dt.date(2025, 12, 1), "as declared"),)

    verdict = accept(judge(replace(USUAL, present=10, sources=sources), Gate(), TONIGHT), TONIGHT)

    assert (verdict.accepted, verdict.is_in_doubt, verdict.asked_on) == (True, False, TONIGHT)
    assert len(verdict.doubts) == 2


def test_working_days_leave_out_weekends_and_englands_bank_holidays() -> None:
    assert NEVER_CLOSED.between(dt.date(2025, 12, 24), dt.date(2025, 12, 29)) == 1
    assert NEVER_CLOSED.between(dt.date(2026, 4, 2), dt.date(2026, 4, 7)) == 1
    assert NEVER_CLOSED.between(dt.date(2026, 11, 27), dt.date(2026, 12, 1)) == 2
