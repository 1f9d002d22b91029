"""A hundred unattended nights of 900 young people in four teams: who was told what, how often, and how much of it."""

import datetime as dt
from pathlib import Path
from statistics import median

import pytest
from support.council import Council
from support.unattended_nights import Story

NIGHTS = 100
PEOPLE = 900
MOST_LINES_A_WEEK = 100


@pytest.mark.simulation
def test_a_hundred_nights_repeat_nothing_lose_nothing_and_can_be_read(tmp_path: Path) -> None:
    story = Story(Council(tmp_path), PEOPLE, dt.date(2026, 1, 12))

    story.live(range(NIGHTS))

    reading = story.reading()
    print(f"\n{NIGHTS} nights of {PEOPLE} young people: {len(story.sent)} e-mails")
    print(f"  told new twice: {len(story.told_new_twice())}, two a day: {len(story.days_with_two())}, ", end="")
    print(f"on days off: {len(story.days_off())}, of strangers: {len(story.strangers())}, lost: {len(story.lost())}")
    for to in sorted({row[0] for row in reading}):
        weeks = [row for row in reading if row[0] == to]
        print(f"  {to}, by week: e-mails / lines / rows as wrapped")
        print("    " + ", ".join(f"{mails}/{lines}/{rows}" for _, _, mails, lines, rows in weeks))
    after = [row for row in reading if 0 < row[1] < NIGHTS // 7]
    print(f"  a week after the baseline: median {median(row[3] for row in after)} lines, most ", end="")
    print(f"{max(row[3] for row in after)}; {median(row[4] for row in after)} rows as wrapped")
    assert story.told_new_twice() == []
    assert story.days_with_two() == []
    assert story.days_off() == []
    assert story.strangers() == []
    assert story.lost() == []
    assert story.told_twice_of_a_step() == []
    assert max(row[3] for row in after) < MOST_LINES_A_WEEK
