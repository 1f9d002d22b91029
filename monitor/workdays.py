"""How old the sources are: the date each was taken, and working days in England between two dates."""

import datetime as dt
from functools import lru_cache


@lru_cache(maxsize=4096)
def is_working_day(day: dt.date) -> bool:
    """Whether ``day`` is from Monday to Friday and no bank holiday in England."""
    import holidays

    return day.weekday() < 5 and day not in holidays.country_holidays("GB", subdiv="ENG", years=day.year)


def working_days_between(first: dt.date, last: dt.date) -> int:
    """How many working days there are after ``first``, up to and with ``last``."""
    return sum(is_working_day(first + dt.timedelta(n)) for n in range(1, (last - first).days + 1))
