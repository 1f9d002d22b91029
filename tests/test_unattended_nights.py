"""A few unattended nights over a weekend: the hundred of ``tests/simulations`` in small."""

import datetime as dt
from pathlib import Path

from support.council import Council
from support.mail_figures import judge_order, read_mails
from support.unattended_nights import Story


def test_a_weekend_of_nights_piles_nothing_up_repeats_nothing_and_loses_nothing(tmp_path: Path) -> None:
    story = Story(Council(tmp_path), 40, dt.date(2026, 1, 16))

    story.live((0, 2, 3))  # Friday, Sunday, Monday

    assert {day for day, _ in story.sent} == {dt.date(2026, 1, day) for day in (16, 19)}
    assert story.days_with_two() == []
    assert story.told_new_twice() == []
    assert story.strangers() == []
    assert story.lost() == []
    assert story.told_twice_of_a_step() == []
    order = judge_order(story)
    assert (order.behind, order.unsaid, order.unnamed) == ([], [], [])
    readings = read_mails(story, screens=False)
    assert {reading.kind for reading in readings} == {"baseline", "weekly"}
    assert max(reading.rows for reading in readings) <= 70
