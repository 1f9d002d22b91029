"""The outbox: when messages are due, what becomes of them, and that none is lost or doubled."""

import datetime as dt
from pathlib import Path

import pytest
from service import Council, crowd, settled

from monitor.outbox import find_due

EIGHT = dt.time(8)


def homeless(person_id: str, **other: str) -> dict[str, str]:
    return settled(person_id, accommodation="S: No fixed abode", suitable="b) Unsuitable", **other)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


# When messages are due


@pytest.mark.parametrize(
    ("written_at", "due_at", "why"),
    [
        ("2026-01-13 02:30", "2026-01-13 08:00", "a working day before its send hour is that day itself"),
        ("2026-01-13 08:00", "2026-01-14 08:00", "the hour has struck"),
        ("2026-01-16 20:00", "2026-01-19 08:00", "Friday evening waits for Monday"),
        ("2026-01-17 02:30", "2026-01-19 08:00", "so does Saturday"),
        ("2026-04-03 01:30", "2026-04-07 07:00", "Good Friday and Easter Monday, and the summer hour"),
        ("2026-07-14 01:30", "2026-07-14 07:00", "eight in London is seven in UTC"),
        ("2025-12-25 02:30", "2025-12-29 08:00", "Christmas, Boxing Day and a weekend"),
        ("2026-10-25 01:30", "2026-10-26 08:00", "the Sunday on which the clock goes back"),
    ],
)
def test_messages_of_an_unattended_night_are_due_at_the_send_hour_of_a_working_day(written_at, due_at, why):
    assert find_due(utc(written_at), unattended=True, send_hour=EIGHT) == utc(due_at), why


def test_messages_of_a_night_that_a_person_ran_are_due_at_once():
    saturday = utc("2026-01-17 22:15")

    assert find_due(saturday, unattended=False, send_hour=EIGHT) == saturday


def test_an_unattended_night_sends_nothing_until_its_messages_are_due(tmp_path: Path):
    council = Council(tmp_path, clock=utc("2026-01-16 02:30"))
    night = council.night(dt.date(2026, 1, 17), [homeless("P1"), *crowd(5)], unattended=True)

    early = council.deliver(utc("2026-01-19 07:59"))
    sent_early = council.mail()
    due = council.deliver(utc("2026-01-19 08:00"))

    assert (night.messages, night.delivered.delivered, early.delivered, sent_early) == (2, 0, 0, [])
    assert due.delivered == 2
    assert len(council.mail()) == 2
