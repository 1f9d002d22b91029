"""The bank holidays are kept as a table; the library that knows of new ones says when it is out of date."""

import datetime as dt

import holidays

from monitor.workdays import FIRST_YEAR, LAST_YEAR, bank_holidays, is_working_day


def test_the_bank_holidays_are_those_of_the_library() -> None:
    known = holidays.country_holidays("GB", subdiv="ENG", years=range(FIRST_YEAR, LAST_YEAR + 1))

    assert bank_holidays() == frozenset(known)


def test_a_year_outside_the_table_has_weekends_and_no_bank_holidays() -> None:
    christmas = [dt.date(year, 12, 25) for year in (FIRST_YEAR - 1, LAST_YEAR + 1)]

    assert [is_working_day(day) for day in christmas] == [day.weekday() < 5 for day in christmas]
