"""The trust gate: which nights are not believed, and in which words."""

import datetime as dt
from dataclasses import replace

from monitor.config import Gate
from monitor.trust import Comparison, judge

USUAL = Comparison(
    last_night=dt.date(2026, 1, 4),
    expected=900,
    present=898,
    new_deaths=0,
    teams_before={"North": 450, "South": 450},
    teams_tonight={"North": 449, "South": 449},
)


def test_a_usual_night_is_believed() -> None:
    assert judge(USUAL, Gate()) == ()


def test_the_first_night_has_nothing_to_be_compared_with() -> None:
    first = Comparison(None, 0, 0, 12, {}, {"North": 5})

    assert judge(first, Gate()) == ()


def test_exactly_nine_in_ten_present_is_believed_and_one_fewer_is_not() -> None:
    assert judge(replace(USUAL, present=810), Gate()) == ()

    (reason,) = judge(replace(USUAL, present=809), Gate())
    assert "only 809 of the 900 people of 4 January 2026 are present" in reason


def test_a_team_fallen_to_zero_is_named_with_its_head_count() -> None:
    (reason,) = judge(replace(USUAL, teams_tonight={"North": 898}), Gate())

    assert 'team "South" had 450 people on 4 January 2026 and has none tonight' in reason


def test_more_deaths_than_three_and_than_one_in_two_hundred_are_refused() -> None:
    assert judge(replace(USUAL, new_deaths=4), Gate()) == ()
    assert "5 people are newly recorded as having died" in judge(replace(USUAL, new_deaths=5), Gate())[0]
    small = replace(USUAL, expected=100, present=100)
    assert judge(replace(small, new_deaths=3), Gate()) == ()
    assert len(judge(replace(small, new_deaths=4), Gate())) == 1
