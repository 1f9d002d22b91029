"""London time, and the working days of England."""

import datetime as dt
from dataclasses import dataclass
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")

FIRST_YEAR, LAST_YEAR = 1990, 2060
"""The years whose bank holidays are known; in any other only Saturdays and Sundays are no working days."""

# As the library holidays has them, which the tests compare: a newly announced one is added here.
BANK_HOLIDAYS = """
1990 01-01 04-13 04-16 05-07 05-28 08-27 12-25 12-26
1991 01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26
1992 01-01 04-17 04-20 05-04 05-25 08-31 12-25 12-26 12-28
1993 01-01 04-09 04-12 05-03 05-31 08-30 12-25 12-26 12-27 12-28
1994 01-01 01-03 04-01 04-04 05-02 05-30 08-29 12-25 12-26 12-27
1995 01-01 01-02 04-14 04-17 05-08 05-29 08-28 12-25 12-26
1996 01-01 04-05 04-08 05-06 05-27 08-26 12-25 12-26
1997 01-01 03-28 03-31 05-05 05-26 08-25 12-25 12-26
1998 01-01 04-10 04-13 05-04 05-25 08-31 12-25 12-26 12-28
1999 01-01 04-02 04-05 05-03 05-31 08-30 12-25 12-26 12-27 12-28 12-31
2000 01-01 01-03 04-21 04-24 05-01 05-29 08-28 12-25 12-26
2001 01-01 04-13 04-16 05-07 05-28 08-27 12-25 12-26
2002 01-01 03-29 04-01 05-06 06-03 06-04 08-26 12-25 12-26
2003 01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26
2004 01-01 04-09 04-12 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2005 01-01 01-03 03-25 03-28 05-02 05-30 08-29 12-25 12-26 12-27
2006 01-01 01-02 04-14 04-17 05-01 05-29 08-28 12-25 12-26
2007 01-01 04-06 04-09 05-07 05-28 08-27 12-25 12-26
2008 01-01 03-21 03-24 05-05 05-26 08-25 12-25 12-26
2009 01-01 04-10 04-13 05-04 05-25 08-31 12-25 12-26 12-28
2010 01-01 04-02 04-05 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2011 01-01 01-03 04-22 04-25 04-29 05-02 05-30 08-29 12-25 12-26 12-27
2012 01-01 01-02 04-06 04-09 05-07 06-04 06-05 08-27 12-25 12-26
2013 01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26
2014 01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26
2015 01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28
2016 01-01 03-25 03-28 05-02 05-30 08-29 12-25 12-26 12-27
2017 01-01 01-02 04-14 04-17 05-01 05-29 08-28 12-25 12-26
2018 01-01 03-30 04-02 05-07 05-28 08-27 12-25 12-26
2019 01-01 04-19 04-22 05-06 05-27 08-26 12-25 12-26
2020 01-01 04-10 04-13 05-08 05-25 08-31 12-25 12-26 12-28
2021 01-01 04-02 04-05 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2022 01-01 01-03 04-15 04-18 05-02 06-02 06-03 08-29 09-19 12-25 12-26 12-27
2023 01-01 01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26
2024 01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26
2025 01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26
2026 01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28
2027 01-01 03-26 03-29 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2028 01-01 01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26
2029 01-01 03-30 04-02 05-07 05-28 08-27 12-25 12-26
2030 01-01 04-19 04-22 05-06 05-27 08-26 12-25 12-26
2031 01-01 04-11 04-14 05-05 05-26 08-25 12-25 12-26
2032 01-01 03-26 03-29 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2033 01-01 01-03 04-15 04-18 05-02 05-30 08-29 12-25 12-26 12-27
2034 01-01 01-02 04-07 04-10 05-01 05-29 08-28 12-25 12-26
2035 01-01 03-23 03-26 05-07 05-28 08-27 12-25 12-26
2036 01-01 04-11 04-14 05-05 05-26 08-25 12-25 12-26
2037 01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28
2038 01-01 04-23 04-26 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2039 01-01 01-03 04-08 04-11 05-02 05-30 08-29 12-25 12-26 12-27
2040 01-01 01-02 03-30 04-02 05-07 05-28 08-27 12-25 12-26
2041 01-01 04-19 04-22 05-06 05-27 08-26 12-25 12-26
2042 01-01 04-04 04-07 05-05 05-26 08-25 12-25 12-26
2043 01-01 03-27 03-30 05-04 05-25 08-31 12-25 12-26 12-28
2044 01-01 04-15 04-18 05-02 05-30 08-29 12-25 12-26 12-27
2045 01-01 01-02 04-07 04-10 05-01 05-29 08-28 12-25 12-26
2046 01-01 03-23 03-26 05-07 05-28 08-27 12-25 12-26
2047 01-01 04-12 04-15 05-06 05-27 08-26 12-25 12-26
2048 01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28
2049 01-01 04-16 04-19 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2050 01-01 01-03 04-08 04-11 05-02 05-30 08-29 12-25 12-26 12-27
2051 01-01 01-02 03-31 04-03 05-01 05-29 08-28 12-25 12-26
2052 01-01 04-19 04-22 05-06 05-27 08-26 12-25 12-26
2053 01-01 04-04 04-07 05-05 05-26 08-25 12-25 12-26
2054 01-01 03-27 03-30 05-04 05-25 08-31 12-25 12-26 12-28
2055 01-01 04-16 04-19 05-03 05-31 08-30 12-25 12-26 12-27 12-28
2056 01-01 01-03 03-31 04-03 05-01 05-29 08-28 12-25 12-26
2057 01-01 04-20 04-23 05-07 05-28 08-27 12-25 12-26
2058 01-01 04-12 04-15 05-06 05-27 08-26 12-25 12-26
2059 01-01 03-28 03-31 05-05 05-26 08-25 12-25 12-26
2060 01-01 04-16 04-19 05-03 05-31 08-30 12-25 12-26 12-27 12-28
"""


@cache
def bank_holidays() -> frozenset[dt.date]:
    """Return England's bank holidays from ``FIRST_YEAR`` to ``LAST_YEAR``."""
    years = (line.split() for line in BANK_HOLIDAYS.splitlines() if line)
    return frozenset(dt.date.fromisoformat(f"{year}-{day}") for year, *days in years for day in days)


@dataclass(frozen=True)
class WorkingDays:
    """Which days are working days: Monday to Friday, but no bank holiday in England and no day of ``closed``.

    ``closed``: days on which the council is closed besides, by its config.
    """

    closed: frozenset[dt.date] = frozenset()

    def includes(self, day: dt.date) -> bool:
        """Return whether ``day`` is a working day."""
        return _is_weekday(day) and day not in self.closed

    def is_closed(self, day: dt.date) -> bool:
        """Return whether ``day`` would be a working day if the council were not closed."""
        return day in self.closed and _is_weekday(day)

    def between(self, first: dt.date, last: dt.date) -> int:
        """Return how many working days there are after ``first``, up to and with ``last``."""
        return _count_between(self, first, last)

    def next_from(self, day: dt.date) -> dt.date:
        """Return ``day`` where it is a working day, else the first one after it."""
        while not self.includes(day):
            day += dt.timedelta(1)
        return day


NEVER_CLOSED = WorkingDays()
"""Those of a council that closes on no other day."""


@lru_cache(maxsize=4096)
def _is_weekday(day: dt.date) -> bool:
    """Return whether ``day`` is from Monday to Friday and no bank holiday in England."""
    return day.weekday() < 5 and day not in bank_holidays()


@lru_cache(maxsize=4096)
def _count_between(days: WorkingDays, first: dt.date, last: dt.date) -> int:
    return sum(days.includes(first + dt.timedelta(n)) for n in range(1, (last - first).days + 1))


def london_date(moment: dt.datetime) -> dt.date:
    """Return the date in London at a moment."""
    return moment.astimezone(LONDON).date()
