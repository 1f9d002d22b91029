"""What the texts of one column mean: a table from each distinct text to its value or its fault.

Reading each distinct text once keeps a million rows cheap: dates, codes and team names repeat.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from monitor.catalogue.codes import read_accommodation, read_code, read_yes_no, says_died, showable
from monitor.catalogue.columns import Column
from monitor.catalogue.phrases import BLANK_TEXTS, UNREADABLE
from monitor.workspace import Workspace, literal, load_rows

WHITE = r"[\s\x00\x{00a0}\x{2007}\x{202f}\x{feff}]+"
"""White space with the non-breaking kinds that workbooks hold, and the NUL that PostgreSQL cannot keep; for DuckDB."""

LAST_SENTINEL = date(1901, 12, 31)
"""Extracts write 1 January 1900 and its neighbours for "no date"."""

LATEST = date(2100, 12, 31)

NOT_A_DEATH = ("no", "n", "none", "false", "alive", "not applicable", "no date of death")

DATE_FORMATS = (
    "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %m %Y", "%Y-%m-%d", "%Y/%m/%d",
    "%d %B %Y", "%d %b %Y", "%d-%b-%Y", "%d-%B-%Y", "%d/%b/%Y", "%B %d %Y", "%b %d %Y",
)  # fmt: skip

TOO_SHORT_YEAR = "the year is not written in four digits, or is before 1900"
NOT_A_DATE = "not a date"
LATER = "later than the date of the run"
BEFORE_BIRTH = "before the date of birth"
NOT_A_CODE = "not one of the codes of this column, or could be two of them"
NOT_YES_OR_NO = "neither yes nor no"
A_FAILED_FORMULA = "a formula that failed"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(literal, texts))


BLANK = f"(lower(t) IN ({_listed(sorted(BLANK_TEXTS))}) OR starts_with(lower(t), 'ssd_ph'))"
"""Whether the tidy text ``t`` means an empty cell; the same as ``phrases.is_blank``."""

FAILED = r"regexp_full_match(t, '#[A-Z0-9_/]+[!?]?|Err:\d+')"


def tidy(text: str) -> str:
    """Return SQL for a text without outer white space, and with single spaces inside."""
    return f"trim(regexp_replace({text}, '{WHITE}', ' ', 'g'))"


@dataclass(frozen=True)
class ReadBeside:
    """What texts are read beside: the night's date, and the folded names that are no personal adviser's."""

    as_at: date
    placeholders: Sequence[str] = ()


def read_cells(workspace: Workspace, table: str, column: Column, texts: str, beside: ReadBeside) -> None:
    """Make ``table``(text, value, fault, shown, suitable, died, placeholder) for the query ``texts``.

    ``fault`` says why a text cannot be read, ``shown`` repeats it where it can only be a code, ``suitable`` is
    what an accommodation text says of suitability, ``died`` that the text says the person has died, and
    ``placeholder`` that an adviser's name is not one.
    """
    if column.kind in ("code", "yes_no"):
        _read_choices(workspace, table, column, texts)
    else:
        workspace.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE "{table}" AS
            WITH tidied AS (SELECT text, {tidy("text")} AS t FROM ({texts})),
            read AS (SELECT text, t, {_found(column)} AS found, {_blank(column)} AS blank FROM tidied),
            judged AS (
                SELECT
                    *,
                    CASE WHEN blank THEN NULL WHEN {FAILED} THEN '{A_FAILED_FORMULA}' ELSE {_fault(column)} END
                        AS fault,
                    {_placeholder(column)} AS placeholder
                FROM read
            )
            SELECT
                text,
                CASE WHEN NOT blank AND NOT placeholder AND fault IS NULL THEN found END AS value,
                fault,
                '' AS shown,
                NULL::BOOLEAN AS suitable,
                {_died(column)} AS died,
                placeholder
            FROM judged
            """,
            _parameters(column, beside),
        )


def _found(column: Column) -> str:
    if column.kind == "date":
        return _date()
    if column.kind == "number":
        return r"CASE WHEN regexp_full_match(t, '\d{1,6}(\.0+)?') THEN floor(TRY_CAST(t AS DOUBLE))::INTEGER END"
    return "t"


def _blank(column: Column) -> str:
    if column.kind != "date":
        return BLANK
    sentinel = f"coalesce(found BETWEEN DATE '1900-01-01' AND DATE '{LAST_SENTINEL}', false)"
    no_death = f" OR lower(t) IN ({_listed(NOT_A_DEATH)})" if column.name == "death_date" else ""
    return f"{BLANK} OR {sentinel}{no_death}"


def _date() -> str:
    """SQL for the date that tidy text ``t`` writes; far too early where the year is in two digits."""
    formats = ", ".join(f"'{one}'" for one in DATE_FORMATS)
    plain = "t"
    for pattern, replacement in (
        (r" ?T?\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?$", ""),
        (r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? ", ""),
        (r"(\d)(st|nd|rd|th)\b", r"\1"),
        (r",| of\b", ""),
        (r"\bsept\b", "Sep"),
    ):
        plain = f"regexp_replace({plain}, '{pattern}', '{replacement}', 'gi')"
    return rf"""
        CASE
            WHEN t IN ('00:00:00', '0000-00-00', '00/00/0000', '00/01/1900') THEN DATE '1900-01-01'
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
            ELSE try_strptime({plain}, [{formats}])::DATE
        END"""


def _fault(column: Column) -> str:
    if column.kind == "date":
        later = f"WHEN found > $as_at THEN {literal(LATER)}" if column.records_past else ""
        return f"""
            CASE
                WHEN found IS NULL THEN '{NOT_A_DATE}'
                WHEN found < DATE '1900-01-01' THEN '{TOO_SHORT_YEAR}'
                {later}
                WHEN found > DATE '{LATEST}' THEN 'later than {LATEST.year}'
            END"""
    if column.kind == "number":
        return f"""
            CASE
                WHEN found IS NULL THEN 'not a whole number'
                WHEN found NOT BETWEEN {column.lowest} AND {column.highest}
                    THEN 'outside {column.lowest} to {column.highest}'
            END"""
    return "NULL::VARCHAR"


def _died(column: Column) -> str:
    if column.name == "death_date":
        return "NOT blank"
    if column.name == "closure_reason":
        return r"""regexp_full_match(lower(t), '((the )?(young person|child|care leaver) )?(has )?(died|deceased)\.?'
            '|death( of (the )?(young person|child|care leaver))?\.?')"""
    return "false"


def _placeholder(column: Column) -> str:
    named = "NOT blank AND list_contains($not_an_adviser::VARCHAR[], lower(t))"
    return named if column.name == "personal_adviser" else "false"


def _parameters(column: Column, beside: ReadBeside) -> dict[str, Any]:
    if column.name == "personal_adviser":
        return {"not_an_adviser": list(beside.placeholders)}
    return {"as_at": beside.as_at} if column.kind == "date" and column.records_past else {}


def _read_choices(workspace: Workspace, table: str, column: Column, texts: str) -> None:
    distinct = workspace.execute(texts).fetchall()
    value = "BOOLEAN" if column.kind == "yes_no" else "VARCHAR"
    kinds = {
        "text": "VARCHAR", "value": value, "fault": "VARCHAR", "shown": "VARCHAR",
        "suitable": "BOOLEAN", "died": "BOOLEAN", "placeholder": "BOOLEAN",
    }  # fmt: skip
    load_rows(workspace, table, kinds, _choices(column, (text for (text,) in distinct)))


def _choices(column: Column, texts: Iterator[str]) -> Iterator[tuple[Any, ...]]:
    for text in texts:
        suitable: bool | None = None
        read: object
        if column.kind == "yes_no":
            read = read_yes_no(column.name, text)
        elif column.name == "accommodation":
            accommodation = read_accommodation(text)
            read, suitable = accommodation.code, accommodation.suitable
        else:
            read = read_code(column.name, text)
        if read is UNREADABLE:
            fault = NOT_YES_OR_NO if column.kind == "yes_no" else NOT_A_CODE
            died = column.kind == "code" and column.name != "over21_offer_outcome" and says_died(text)
            yield text, None, fault, showable(text), None, died, False
        else:
            yield text, read, None, "", suitable, column.name == "in_touch" and read == "DIED", False
