"""The columns worked out from others, and birthdays: one SQL for the night, the examples and the scan.

    workspace.execute(f"CREATE TABLE caseload AS SELECT *, {derived_sql()} FROM joined")

``joined`` is any relation with ``date_of_birth`` DATE, ``eligibility`` VARCHAR, ``eligibility_gap``
VARCHAR, ``in_touch`` VARCHAR, ``strongest_category`` VARCHAR (NULL: never accepted as entitled) and ``as_at``
DATE, and without columns called ``age``, ``category``, ``declined`` or ``once_entitled``: those four are what
the select-list adds. ``strongest_category`` is the roster's; leave it out of the caseload with
``* EXCLUDE (strongest_category)``.

They work on a connection closed by ``workspace.lock_down``.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from monitor.workdays import FIRST_YEAR, LAST_YEAR, bank_holidays
from monitor.workspace import Workspace

WORKED_OUT_FROM: Mapping[str, tuple[str, ...]] = {
    "age": ("date_of_birth",),
    "birthday": ("date_of_birth",),
    "category": ("eligibility", "in_touch"),
    "declined": ("in_touch",),
    "accommodation_since": ("accommodation",),
    "elsewhere_until": ("accommodation",),
}
"""The recorded columns each derived one rests on."""

NEVER, BACK = 0xFFFF, 7
"""What stands for a day that is not known, and what is added to the others, of which some lie back."""

# What is recorded, unless the person was once entitled: that lasts until 25 whatever is recorded later.
ENTITLEMENT = """CASE
        WHEN eligibility IN ('eligible', 'relevant', 'former relevant') THEN eligibility
        WHEN once_entitled THEN strongest_category
        WHEN eligibility_gap IS NOT NULL THEN NULL
        ELSE coalesce(eligibility, 'no current eligibility')
    END"""

# A birthday is counted by month and day: DuckDB's own year differences count year ends, or 28 February.
DERIVED = f"""
    CAST(
        year(as_at) - year(date_of_birth)
        - CASE
            WHEN month(as_at) * 100 + day(as_at) < month(date_of_birth) * 100 + day(date_of_birth) THEN 1
            ELSE 0
          END AS INTEGER
    ) AS age,
    strongest_category IS NOT NULL AND coalesce(age < 25, true) AS once_entitled,
    CASE
        WHEN {ENTITLEMENT} IN ('eligible', 'relevant') AND age >= 18 THEN 'former relevant'
        WHEN {ENTITLEMENT} IN ('relevant', 'former relevant') AND age < 18
            THEN CASE WHEN in_touch = 'RHOM' THEN 'qualifying' ELSE 'relevant' END
        ELSE {ENTITLEMENT}
    END AS category,
    coalesce(age >= 21 AND in_touch IN ('REFU', 'NREQ'), false) AS declined
"""


def birthday_sql(date_of_birth: str, years: str) -> str:
    """Return the SQL for the nth birthday, on any of the databases; for 29 February that is 1 March in a common year.

    Moving the day itself by years would land on 28 February: the first of its month is moved, and the days after it
    are added. ``years`` is a number, or an expression in brackets.
    """
    return (
        f"(make_date(year({date_of_birth}) + {years}, month({date_of_birth}), 1) "
        f"+ CAST(day({date_of_birth}) - 1 AS INTEGER))"
    )


def derived_sql() -> str:
    """Return the select-list that adds ``age``, ``once_entitled``, ``category`` and ``declined``, for any dialect."""
    return DERIVED


def strongest_known() -> str:
    """Return the SQL for ``strongest_category`` as a row of the caseload still tells it, to derive columns again.

    Who is recorded tonight as entitled will be known as such from the next night on.
    """
    return """CASE
        WHEN once_entitled OR eligibility IN ('eligible', 'relevant', 'former relevant')
        THEN CASE category WHEN 'qualifying' THEN 'relevant' ELSE category END
    END"""


def working_days_sql(day: str, count: int) -> str:
    """Return for Spark what ``plus_working_days(day, count)`` is on DuckDB: days on, from two bytes for each day."""
    first = date(FIRST_YEAR, 1, 1)
    table = b"".join((BACK + days).to_bytes(2, "big") for days in _list_days_on(count)).hex()
    place = f"2 * datediff({day}, DATE '{first}') + 1"
    days_on = f"CAST(conv(hex(substring(X'{table}', {place}, 2)), 16, 10) AS INT)"
    end = date(LAST_YEAR + 1, 1, 1)
    moved = f"date_add({day}, nullif({days_on}, {NEVER}) - {BACK})"
    return f"CASE WHEN {day} >= DATE '{first}' AND {day} < DATE '{end}' THEN {moved} END"


@lru_cache(maxsize=8)
def _list_days_on(count: int) -> tuple[int, ...]:
    """For each day, how many days later so many working days have passed; ``NEVER - BACK`` where the calendar ends."""
    days = range(date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR + 1, 1, 1).toordinal())
    holidays = {holiday.toordinal() for holiday in bank_holidays()}
    # Day 1 of the ordinals is a Monday.
    open_days = [day for day in days if day % 7 not in (6, 0) and day not in holidays]
    reached = (bisect_right(open_days, day) + count for day in days)
    return tuple(
        open_days[place - 1] - day if 0 < place <= len(open_days) else NEVER - BACK
        for day, place in zip(days, reached, strict=True)
    )


def create_working_days(workspace: Workspace) -> None:
    """Make ``plus_working_days(day, n)``: n days on, not counting weekends or England's bank holidays.

    NULL before 1990 and near the end of 2060, so a date nobody can vouch for is never a deadline. Only for
    a rulebook that counts working days: the calendar takes three statements.
    """
    first, end = date(FIRST_YEAR, 1, 1), date(LAST_YEAR + 1, 1, 1)
    workspace.execute(
        """
        CREATE OR REPLACE TEMP TABLE working_calendar AS
        SELECT day, is_open, CAST(count(*) FILTER (is_open) OVER (ORDER BY day) AS INTEGER) AS worked
        FROM (
            SELECT day, dayofweek(day) BETWEEN 1 AND 5 AND NOT list_contains($3::DATE[], day) AS is_open
            FROM (SELECT CAST(range AS DATE) AS day FROM range($1::DATE, $2::DATE, INTERVAL 1 DAY))
        )
        """,
        [first, end, list(bank_holidays())],
    )
    # Two lists rather than a join, so that a deadline in working days is an expression like any other.
    workspace.execute("SET VARIABLE working_days_so_far = (SELECT list(worked ORDER BY day) FROM working_calendar)")
    workspace.execute(
        "SET VARIABLE working_dates = (SELECT list(day ORDER BY day) FROM working_calendar WHERE is_open)"
    )
    workspace.execute(f"""
        CREATE OR REPLACE MACRO plus_working_days(day, n) AS CASE
            WHEN day >= DATE '{first}' AND day < DATE '{end}'
            THEN getvariable('working_dates')[getvariable('working_days_so_far')[(day - DATE '{first}') + 1] + n]
        END
    """)
