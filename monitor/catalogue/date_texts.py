"""The dates that a text of a date column could be, in SQL: by each order of its numbers, for ``cells`` to choose from.

A text's *sign*, of which ``date_orders`` has the meaning, tells what it could be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitor.catalogue.date_orders import DateOrder
from monitor.workspace import literal

DATE_FORMATS = (
    "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %m %Y", "%Y-%m-%d", "%Y/%m/%d",
    "%d %B %Y", "%d %b %Y", "%d%b%Y", "%d-%b-%Y", "%d-%B-%Y", "%d/%b/%Y", "%B %d %Y", "%b %d %Y",
)  # fmt: skip

NUMBERS = r"\d{1,2}(/\d{1,2}/|-\d{1,2}-|\.\d{1,2}\.| \d{1,2} )(\d{4}|\d\d)"
NAMED_SHORT = r".*[A-Za-z][^0-9]*(\d{1,2}[^0-9]+)?\d\d"
YEAR_FIRST = r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
NO_DATE = (
    "00:00:00", "0000-00-00", "00/00/0000", "00/00/00", "00/01/1900", "01/00/1900", "1/0/1900", "0/1/1900",
    "00/01/00", "01/00/00", "1/0/00", "0/1/00", "00-jan-00", "00-jan-1900", "0-jan-00", "0-jan-1900",
)  # fmt: skip
"""How workbooks show a zero that is formatted as a date."""


@dataclass(frozen=True)
class DatesBeside:
    """What date texts are read beside: the night's date, the list's own, and the orders judged so far."""

    as_at: date
    known_on: date
    orders: Mapping[str, DateOrder]


def list_texts(texts: Sequence[str]) -> str:
    """Return SQL for texts set apart by commas."""
    return ", ".join(map(literal, texts))


def read_candidates(rows: str, dates: DatesBeside, past: str) -> str:
    """Return SQL for ``rows`` of tidy texts ``t`` with ``by_day``, ``by_month`` and ``by_year``, dates by their order.

    ``plain`` is the date where there is no order to it; ``real`` dates have ``plain``, and swapped, ``by_month``.

    A year in two digits (``short``) is one within thirty years before the night that the column can have: a birth year
    makes an age of 10 to 30, and what records the past is in no later year than the night.
    """
    of_two = f"CASE WHEN {_year('{0}', dates.as_at)} <= last THEN {_year('{0}', dates.as_at)} END"
    last = (
        f"CASE WHEN \"column\" = 'date_of_birth' THEN {dates.as_at.year - 10} "
        f'WHEN "column" IN ({past}) THEN {dates.as_at.year} ELSE {dates.as_at.year + 30} END'
    )
    # Excel shows an empty date as 1 January 1900.
    empty = "\"column\" <> 'date_of_birth' AND (n[1]::INTEGER, n[2]::INTEGER, n[3]) = (1, 1, '00')"
    for added in (
        f"{_strip_date()} AS p, lower(t) IN ({list_texts(NO_DATE)}) AS none",
        rf"CASE WHEN NOT none AND regexp_full_match(p, '{NUMBERS}') THEN regexp_extract_all(p, '\d+') END AS n, "
        f"{last} AS last",
        f"coalesce(length(n[3]) = 2, regexp_full_match(p, '{NAMED_SHORT}')) AS short",
        f"CASE WHEN NOT short THEN n[3]::INTEGER WHEN {empty} THEN NULL ELSE {of_two.format('right(p, 2)')} END "
        f"AS year_last, CASE WHEN short AND n IS NOT NULL THEN {of_two.format('n[1]')} END AS year_first",
        f"{_read_plain()} AS plain",
        rf"n IS NULL AND regexp_matches(t, '^\d{{4}}') AND (plain IS NOT NULL OR regexp_full_match(p, '{YEAR_FIRST}')) "
        "AS real",
        rf"""TRY_CAST(year_last || '-' || n[2] || '-' || n[1] AS DATE) AS by_day,
        TRY_CAST(CASE
            WHEN NOT real THEN year_last || '-' || n[1] || '-' || n[2]
            WHEN plain IS NULL THEN regexp_replace(p, '{YEAR_FIRST}', '\1-\3-\2')
            ELSE year(plain) || '-' || day(plain) || '-' || month(plain)
        END AS DATE) AS by_month,
        TRY_CAST(year_first || '-' || n[2] || '-' || n[3] AS DATE) AS by_year""",
    ):
        rows = f"SELECT *, {added} FROM ({rows})"
    return rows


def _year(text: str, as_at: date) -> str:
    """SQL for the year within the hundred from thirty years before the night whose last two digits the text has."""
    first = as_at.year - 30
    return f"{first} + ({text}::INTEGER + {100 - first % 100}) % 100"


def _strip_date() -> str:
    """SQL for the tidy text ``t`` without a time, the day of the week and what else stands about a date."""
    plain = "t"
    for pattern, replacement in (
        (r" ?T?\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?$", ""),
        (r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? ", ""),
        (r"(\d)(st|nd|rd|th)\b", r"\1"),
        (r",| of\b", ""),
        (r"\bsept\b", "Sep"),
    ):
        plain = f"regexp_replace({plain}, '{pattern}', '{replacement}', 'gi')"
    return f"CASE WHEN regexp_full_match(t, '[0-9/.-]+') THEN t ELSE {plain} END"


def _read_plain() -> str:
    """SQL for the date of a text whose order of numbers decides nothing; far too early where the year is too short."""
    formats = ", ".join(f"'{one}'" for one in DATE_FORMATS)
    return rf"""
        CASE
            WHEN none THEN DATE '1900-01-01'
            WHEN n IS NOT NULL THEN NULL
            WHEN regexp_full_match(t, '\d{{1,5}}(\.\d+)?') THEN
                -- A number is a day counted from 1900, unless it could as well be a year or an age.
                CASE
                    WHEN floor(TRY_CAST(t AS DOUBLE)) <= 2 THEN DATE '1900-01-01'
                    WHEN floor(TRY_CAST(t AS DOUBLE)) BETWEEN 20000 AND 73050
                        THEN DATE '1899-12-30' + floor(TRY_CAST(t AS DOUBLE))::INTEGER
                END
            WHEN regexp_full_match(t, '(19|20)\d{{6}}') THEN try_strptime(t, '%Y%m%d')::DATE
            WHEN regexp_full_match(t, '\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.]\d+)?)? ?(Z|[+-]\d\d(:?\d\d)?)')
                THEN (TRY_CAST(t AS TIMESTAMPTZ) AT TIME ZONE 'Europe/London')::DATE
            WHEN short THEN try_strptime(regexp_replace(p, '\d\d$', year_last::VARCHAR), [{formats}])::DATE
            ELSE try_strptime(p, [{formats}])::DATE
        END"""


def read_in_order(orders: Mapping[str, DateOrder]) -> str:
    """Return SQL for the date that a text has in its column's order, beside ``read_candidates``.

    Years in two digits are read only where the column is judged to have them.
    """

    def among(chosen: Callable[[DateOrder], bool]) -> str:
        names = [name for name, order in orders.items() if chosen(order)]
        return f'"column" IN ({list_texts(names)})' if names else "false"

    return f"""
        CASE
            WHEN short AND NOT {among(lambda order: order.short_years)} THEN NULL
            WHEN real AND {among(lambda order: order.flipped)} THEN by_month
            WHEN n IS NULL THEN plain
            WHEN {among(lambda order: order.order == "month-first")} THEN by_month
            WHEN {among(lambda order: order.order == "year-first")} THEN by_year
            ELSE by_day
        END"""


def write_sign(dates: DatesBeside, past: str) -> str:
    """Return SQL for the sign of a text, as ``date_orders`` has it; NULL where there is nothing to judge."""
    fits = ", ".join(
        f"CASE WHEN {found} IS NULL THEN '-' WHEN \"column\" IN ({past}) AND {found} > DATE '{dates.known_on}' "
        f"THEN '{letter.lower()}' ELSE '{letter}' END"
        for letter, found in (("D", "coalesce(by_day, plain)"), ("M", "by_month"), ("Y", "by_year"))
    )
    written = (
        "CASE WHEN n IS NULL THEN 'named' WHEN NOT short THEN 'numbers' WHEN contains(p, '/') THEN 'short' "
        "ELSE 'dashed' END"
    )
    number = "coalesce(greatest(n[1]::INTEGER, n[2]::INTEGER), 0)"
    return f"""
        CASE
            WHEN real THEN concat('real ', coalesce(day(plain), 0), ' ', {fits})
            WHEN n IS NOT NULL OR short THEN concat({written}, ' ', {number}, ' ', {fits})
        END"""
