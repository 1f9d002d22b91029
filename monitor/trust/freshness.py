"""How old the sources are: the date each was taken, and working days in England between two dates."""

import datetime as dt


def working_days_between(first: dt.date, last: dt.date) -> int:
    """How many working days there are after ``first``, up to and with ``last``."""
    import holidays

    closed = holidays.country_holidays("GB", subdiv="ENG", years=range(first.year, last.year + 1))
    days = (first + dt.timedelta(n) for n in range(1, (last - first).days + 1))
    return sum(day.weekday() < 5 and day not in closed for day in days)
