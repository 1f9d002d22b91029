"""The bank holidays are kept as a table; the library that knows of new ones says when it is out of date."""

import datetime as dt

import holidays

from monitor.workdays import FIRST_YEAR, LAST_YEAR, NEVER_CLOSED, WorkingDays, bank_holidays


def test_the_bank_holidays_are_those_of_the_library() -> None:
    known = holidays.country_holidays("GB", subdiv="ENG", years=range(FIRST_YEAR, LAST_YEAR + 1))

    assert bank_holidays() == frozenset(known)


def test_a_year_outside_the_table_has_weekends_and_no_bank_holidays() -> None:
    christmas = [dt.date(year, 12, 25) for year in (FIRST_YEAR - 1, LAST_YEAR + 1)]

    assert [NEVER_CLOSED.includes(day) for day in christmas] == [day.weekday() < 5 for day in christmas]


def test_a_closed_day_is_no_working_day_and_a_weekend_is_none_with_or_without_it() -> None:
    christmas = [dt.date(2026, 12, n) for n in range(24, 32)]
    days = WorkingDays(frozenset(christmas))

    assert [day.day for day in christmas if days.is_closed(day)] == [24, 29, 30, 31]
    assert not any(days.includes(day) for day in christmas)
    assert days.next_from(dt.date(2026, 12, 24)) == dt.date(2027, 1, 4)
    assert (days.between(dt.date(2026, 12, 23), dt.date(2027, 1, 5)), days.between(christmas[0], christmas[0])) == (
        2,
        0,
    )
