"""A hundred unattended nights of 900 young people in four teams: who was told what, how often, and how much of it."""

import datetime as dt
import os
from pathlib import Path
from statistics import median

import pytest
from support.council import Council
from support.mail_figures import Reading, add_by_fault, judge_order, read_mails, sum_weeks, summarize
from support.unattended_nights import LEADS, Story
from support.unequal_teams import lose_advisers, lose_list, lose_team, spoil_accommodation

NIGHTS = int(os.environ.get("MONITOR_NIGHTS", "100"))
PEOPLE = 900
FAULTS = {
    9: lose_advisers, 10: lose_advisers, 15: spoil_accommodation, 17: lose_team, 21: lose_list,
    44: spoil_accommodation, 45: lose_advisers, 65: lose_advisers, 80: lose_team, 84: lose_list,
}  # fmt: skip
"""The 21st and the 84th are Mondays, which are refused."""
MOST_ROWS = {"ordinary": 45, "weekly": 70, "baseline": 140}
MOST_ROWS_A_WEEK, MOST_ROWS_MANAGER, MOST_ROWS_FAULT, MOST_SCREENS = 180, 70, 6, 2


@pytest.mark.simulation
def test_a_hundred_nights_repeat_nothing_lose_nothing_and_can_be_read(tmp_path: Path) -> None:
    story = Story(Council(_folder(tmp_path)), PEOPLE, dt.date(2026, 1, 12), FAULTS)

    story.live(range(NIGHTS))

    readings, order, faults = read_mails(story), judge_order(story), add_by_fault(story)
    print(f"\n{NIGHTS} nights of {PEOPLE} young people: {len(story.sent)} mails")
    print(f"  told new twice: {len(story.told_new_twice())}, two a day: {len(story.days_with_two())}, ", end="")
    print(f"on days off: {len(story.days_off())}, of strangers: {len(story.strangers())}, lost: {len(story.lost())}")
    print(f"  newly critical in {order.mails} mails: behind someone less serious in ", end="")
    print(f"{len({each[:2] for each in order.behind})}, unsaid in the subject of {len(order.unsaid)}, ", end="")
    print(f"not named in {len({each[:2] for each in order.unnamed})}")
    for line in summarize(readings):
        print(f"  {line}")
    for day, to, rows, without in faults:
        print(f"  fault on {day}, {to}: {rows} rows, {'no mail' if without is None else without} without it")
    assert story.told_new_twice() == []
    assert [each for each in story.days_with_two() if each[0] != "analyst@example.gov.uk"] == []
    assert story.days_off() == []
    assert story.strangers() == []
    assert story.lost() == []
    assert story.told_twice_of_a_step() == []
    assert (order.behind, order.unsaid, order.unnamed) == ([], [], [])
    assert [each for each in faults if each[3] is not None and each[2] - each[3] > MOST_ROWS_FAULT] == []
    for to in LEADS:
        _judge_lead([each for each in readings if each.to == to])
    assert max(each.rows for each in readings if each.to not in LEADS) <= MOST_ROWS_MANAGER


def _judge_lead(readings: list[Reading]) -> None:
    by_kind = {kind: [each for each in readings if each.kind == kind] for kind in MOST_ROWS}
    assert median(each.rows for each in by_kind["ordinary"]) <= MOST_ROWS["ordinary"]
    assert median(each.screens for each in by_kind["ordinary"]) <= MOST_SCREENS
    assert max(each.rows for each in by_kind["weekly"]) <= MOST_ROWS["weekly"]
    assert max(each.rows for each in by_kind["baseline"]) <= MOST_ROWS["baseline"]
    assert median(sum_weeks(readings, readings[0].to)) <= MOST_ROWS_A_WEEK


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "council"
    folder.mkdir()
    return folder
