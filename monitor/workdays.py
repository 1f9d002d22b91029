"""London time, and the working days of England."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


@lru_cache(maxsize=64)
def bank_holidays(first_year: int, last_year: int) -> frozenset[dt.date]:
    """Return England's bank holidays of these years, both included."""
    import holidays

    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=range(first_year, last_year + 1)))


@lru_cache(maxsize=4096)
def is_working_day(day: dt.date) -> bool:
    """Whether ``day`` is from Monday to Friday and no bank holiday in England."""
    return day.weekday() < 5 and day not in bank_holidays(day.year, day.year)


def working_days_between(first: dt.date, last: dt.date) -> int:
    """How many working days there are after ``first``, up to and with ``last``."""
    return sum(is_working_day(first + dt.timedelta(n)) for n in range(1, (last - first).days + 1))


def london_date(moment: dt.datetime) -> dt.date:
    """Return the date in London at a moment."""
    return moment.astimezone(LONDON).date()
