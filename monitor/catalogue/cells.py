"""What texts mean: a table from each distinct text of each column to its value or its fault.

Reading each distinct text once keeps a million rows cheap: dates, codes and team names repeat.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from monitor.catalogue.accommodation import read_accommodation
from monitor.catalogue.broken_cells import BROKEN, BROKEN_BECAUSE, explain_broken
from monitor.catalogue.codes import read_code, read_yes_no, says_died
from monitor.catalogue.columns import BLANK_CODE, BY_NAME, Column
from monitor.catalogue.date_orders import DateOrder, Order, judge_orders
from monitor.catalogue.date_texts import DatesBeside, list_texts, read_candidates, read_in_order, write_sign
from monitor.catalogue.no_adviser import NO_NAMES, NO_TEXTS, AdviserNames, AdviserTexts, tell_apart
from monitor.catalogue.phrases import BLANK_TEXTS, UNREADABLE, is_blank
from monitor.catalogue.shapes import show
from monitor.words import fold_name
from monitor.workspace import Workspace, literal

WHITE = r"[\s\x00\x{00a0}\x{2007}\x{202f}\x{feff}]+"
"""White space with the non-breaking kinds that workbooks hold, and the NUL that PostgreSQL cannot keep; for DuckDB."""

WHITE_SPACE = re.compile(r"[ \t\n\f\r\v\x00\u00a0\u2007\u202f\ufeff]+")
"""The same in Python."""

ADVISER, TEAM = "personal_adviser", "allocated_team"
LONGEST_SHOWN = 60

LAST_SENTINEL = date(1901, 12, 31)
"""Extracts write 1 January 1900 and its neighbours for "no date"."""

LATEST = date(2100, 12, 31)

NOT_A_DEATH = ("no", "n", "none", "false", "alive", "not applicable", "no date of death")

TOO_SHORT_YEAR = "the year is not written in four digits, or is before 1900"
NO_SUCH_YEAR = "a year in two digits that this column cannot have"
NOT_A_DATE = "not a date"
LATER = "later than the date of the run"
BEFORE_BIRTH = "before the date of birth"
NOT_A_CODE = "not one of the codes of this column, or could be two of them"
NOT_YES_OR_NO = "neither yes nor no"


OWN_CODES: Mapping[str, bool | None] = {"yes": True, "no": False, BLANK_CODE: None}
"""What a council maps a text to that is none of a column's codes."""

MEANING = {
    "column": "VARCHAR", "text": "VARCHAR", "value": "VARCHAR", "day": "DATE", "number": "INTEGER", "yes": "BOOLEAN",
    "fault": "VARCHAR", "shown": "VARCHAR", "suitable": "BOOLEAN", "died": "BOOLEAN", "placeholder": "BOOLEAN",
}  # fmt: skip
VALUES: Mapping[str, str] = {"code": "value", "text": "value", "date": "day", "number": "number", "yes_no": "yes"}
"""In which column of ``MEANING`` the value of each kind is."""


BLANK = f"(lower(t) IN ({list_texts(sorted(BLANK_TEXTS))}) OR starts_with(lower(t), 'ssd_ph'))"
"""Whether the tidy text ``t`` means an empty cell; the same as ``phrases.is_blank``."""


def tidy(text: str) -> str:
    """Return SQL for a text without outer white space, and with single spaces inside."""
    return f"trim(regexp_replace({text}, '{WHITE}', ' ', 'g'))"


@dataclass(frozen=True)
class ReadBeside:
    """What texts are read beside: the night's date, what the council says of its advisers' names, and by column the
    code that a folded text means because the council says so. ``known_on``: the list's own date, if it is before the
    night's; ``date_order``: the order of dates that the config says.
    """

    as_at: date
    advisers: AdviserNames = NO_NAMES
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known_on: date | None = None
    date_order: Order | None = None


@dataclass(frozen=True)
class ColumnTexts:
    """What the texts of one column hold, all told: one that cannot be read, one that says the person died, one that
    says something of suitability; the names of ``teams``; and the ``order`` of its dates if it had to be judged.
    """

    faulty: bool
    died: bool
    suits: bool
    teams: Sequence[str] = ()
    order: DateOrder | None = None


@dataclass(frozen=True)
class TextsFound:
    """What was found among the texts: of each column, which stand where an adviser's name should, and which of the
    council's own words, folded by column, stand in a cell.
    """

    columns: Mapping[str, ColumnTexts]
    advisers: AdviserTexts = NO_TEXTS
    own_words: frozenset[tuple[str, str]] = frozenset()


def read_cells(
    workspace: Workspace, table: str, positions: Mapping[str, int], source: str, beside: ReadBeside
) -> TextsFound:
    """Make ``table``: what each distinct text of each column means, of the table ``source`` with columns c0, c1 ...

    ``positions``: the catalogue's columns by name, and where they are. A value is in the column of ``VALUES`` that its
    kind has. ``fault`` says why a text cannot be read, ``shown`` repeats it, or its shape where it may hold a
    name, ``suitable`` is what an accommodation text says of suitability, ``died`` that the text says the person died,
    and ``placeholder`` that an adviser's name is not one. Dates are read in the order in which their whole column is
    written: day first, and once more where a column is judged to be written otherwise.
    """
    chosen = [name for name in positions if BY_NAME[name].kind in ("code", "yes_no")]
    asked = [*chosen, *(name for name in (ADVISER, TEAM) if ADVISER in positions and name in positions)]
    texts = workspace.execute(_count_texts(asked, positions, source)).fetchall() if asked else []
    advisers = tell_apart(
        (text for name, text, _ in texts if name == ADVISER),
        ((text, rows) for name, text, rows in texts if name == TEAM),
        beside.advisers,
    )
    own = {name: {fold_name(word): code for word, code in beside.words.get(name, {}).items()} for name in chosen}
    choices: list[Sequence[Any]] = [
        _read_adviser(text, advisers) if name == ADVISER else _choose(BY_NAME[name], text, own[name])
        for name, text, _ in texts
        if name != TEAM
    ]
    choices = list(zip(*choices, strict=True)) or [()] * len(MEANING)
    parameters: dict[str, Any] = {name: list(values) for name, values in zip(MEANING, choices, strict=True)}

    def read(orders: Mapping[str, DateOrder]) -> list[tuple[Any, ...]]:
        dates = DatesBeside(beside.as_at, beside.known_on or beside.as_at, orders)
        query = _select_meanings(positions, source, dates)
        workspace.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}", parameters)
        return workspace.execute(SUMMARY.format(table)).fetchall()

    found = read({})
    orders = judge_orders({name: signs for name, *_, signs in found if signs}, beside.date_order)
    if not all(order.as_written for order in orders.values()):
        found = read(orders)
    judged = {name for name, order in orders.items() if order.judged}
    used = ((name, fold_name(text)) for name, text, _ in texts if own.get(name))
    columns = {
        name: ColumnTexts(faulty, died, suits, teams or (), orders.get(name) if name in judged else None)
        for name, faulty, died, suits, teams, _ in found
    }
    return TextsFound(columns, advisers, frozenset((name, word) for name, word in used if word in own[name]))


SUMMARY = """
    SELECT "column", coalesce(bool_or(fault IS NOT NULL), false), coalesce(bool_or(died), false),
        coalesce(bool_or(suitable IS NOT NULL), false), list(value) FILTER ("column" = 'allocated_team'),
        histogram(sign)
    FROM {} GROUP BY "column"
"""


def _select_meanings(positions: Mapping[str, int], source: str, dates: DatesBeside) -> str:
    unnested = (f'unnest(${name}::{kind}[]) AS "{name}"' for name, kind in MEANING.items())
    selects = [f"SELECT {', '.join(unnested)}, NULL::VARCHAR AS sign"]
    named = {
        kind: [name for name in positions if BY_NAME[name].kind == kind and name != ADVISER]
        for kind in ("date", "number", "text")
    }
    if names := named["date"]:
        selects.append(_select_dates(names, _texts(names, positions, source), dates))
    for kind, select in (("number", _select_numbers), ("text", _select_texts)):
        if names := named[kind]:
            selects.append(select(names, _texts(names, positions, source)))
    return " UNION ALL BY NAME ".join(selects)


def join_meanings(table: str, positions: Mapping[str, int]) -> str:
    """Return SQL that joins to rows ``r`` what each of these columns' cells mean, under the column's name."""
    return " ".join(
        f'LEFT JOIN (SELECT * FROM {table} WHERE "column" = \'{name}\') AS "{name}" ON "{name}".text = r.c{position}'
        for name, position in positions.items()
    )


def value_of(name: str) -> str:
    """Return SQL for the value of a column, beside ``join_meanings``."""
    return f'"{name}".{VALUES[BY_NAME[name].kind]}'


def _texts(names: Sequence[str], positions: Mapping[str, int], source: str) -> str:
    return " UNION ALL ".join(
        f"SELECT DISTINCT '{name}' AS \"column\", c{positions[name]} AS text "
        f'FROM "{source}" WHERE c{positions[name]} IS NOT NULL'
        for name in names
    )


def _count_texts(names: Sequence[str], positions: Mapping[str, int], source: str) -> str:
    return " UNION ALL ".join(
        f"SELECT '{name}' AS \"column\", c{positions[name]} AS text, count(*) AS rows "
        f'FROM "{source}" WHERE c{positions[name]} IS NOT NULL GROUP BY 2'
        for name in names
    )


def _tidied(texts: str) -> str:
    """SQL for the texts with ``t``, tidy; put together first, for steps done column by column take longer."""
    return f"WITH texts AS MATERIALIZED ({texts}) SELECT *, {tidy('text')} AS t FROM texts"


def _select_dates(names: Sequence[str], texts: str, dates: DatesBeside) -> str:
    past = list_texts([name for name in names if BY_NAME[name].records_past]) or "NULL"
    unreadable = {name: order.evidence for name, order in dates.orders.items() if order.order is None}
    whole = " ".join(f"WHEN {literal(name)} THEN {literal(why)}" for name, why in unreadable.items())
    return rf"""
        SELECT "column", text, CASE WHEN NOT blank AND fault IS NULL THEN found END AS day, fault, '' AS shown,
            "column" = 'death_date' AND NOT blank AS died, false AS placeholder,
            CASE WHEN NOT blank THEN sign END AS sign
        FROM (
            SELECT *, CASE
                WHEN blank THEN NULL
                WHEN {BROKEN} THEN {BROKEN_BECAUSE}
                {f'WHEN "column" IN ({list_texts(list(unreadable))}) THEN CASE "column" {whole} END' if whole else ""}
                WHEN found IS NULL AND short THEN '{NO_SUCH_YEAR}'
                WHEN found IS NULL THEN '{NOT_A_DATE}'
                WHEN found < DATE '1900-01-01' THEN '{TOO_SHORT_YEAR}'
                WHEN found > DATE '{dates.as_at}' AND "column" IN ({past}) THEN '{LATER}'
                WHEN found > DATE '{LATEST}' THEN 'later than {LATEST.year}'
            END AS fault
            FROM (
                SELECT *, {BLANK}
                    OR coalesce(found BETWEEN DATE '1900-01-01' AND DATE '{LAST_SENTINEL}', false)
                    OR ("column" = 'death_date' AND lower(t) IN ({list_texts(NOT_A_DEATH)})) AS blank
                FROM (SELECT *, {read_in_order(dates.orders)} AS found, {write_sign(dates, past)} AS sign
                    FROM ({read_candidates(_tidied(texts), dates, past)}))
            )
        )"""


def _select_numbers(names: Sequence[str], texts: str) -> str:
    bounds = " ".join(
        f"WHEN \"column\" = '{name}' AND found NOT BETWEEN {BY_NAME[name].lowest} AND {BY_NAME[name].highest} "
        f"THEN 'outside {BY_NAME[name].lowest} to {BY_NAME[name].highest}'"
        for name in names
    )
    return rf"""
        SELECT "column", text, CASE WHEN NOT blank AND fault IS NULL THEN found END AS number, fault, '' AS shown,
            false AS died, false AS placeholder
        FROM (
            SELECT *, CASE
                WHEN blank THEN NULL
                WHEN {BROKEN} THEN {BROKEN_BECAUSE}
                WHEN found IS NULL THEN 'not a whole number'
                {bounds}
            END AS fault
            FROM (
                SELECT *, {BLANK} AS blank,
                    CASE WHEN regexp_full_match(t, '\d{{1,6}}(\.0+)?') THEN floor(TRY_CAST(t AS DOUBLE))::INTEGER END
                        AS found
                FROM ({_tidied(texts)})
            )
        )"""


def _select_texts(_: Sequence[str], texts: str) -> str:
    died = r"""regexp_full_match(lower(t), '((the )?(young person|child|care leaver) )?(has )?(died|deceased)\.?'
        '|death( of (the )?(young person|child|care leaver))?\.?')"""
    return f"""
        SELECT "column", text, CASE WHEN NOT blank AND fault IS NULL THEN t END AS value, fault,
            '' AS shown, "column" = 'closure_reason' AND {died} AS died, false AS placeholder
        FROM (
            SELECT *, CASE WHEN NOT blank AND {BROKEN} THEN {BROKEN_BECAUSE} END AS fault
            FROM (SELECT *, {BLANK} AS blank FROM ({_tidied(texts)}))
        )"""


def _read_adviser(text: str, advisers: AdviserTexts) -> tuple[Any, ...]:
    """One text of an adviser's cell as a row of ``MEANING``; ``shown`` is what stands there for nobody."""
    tidied = WHITE_SPACE.sub(" ", text).strip()
    if is_blank(tidied):
        return ADVISER, text, None, None, None, None, None, "", None, False, False
    if broken := explain_broken(tidied):
        return ADVISER, text, None, None, None, None, broken, "", None, False, False
    if text in advisers.nobody:
        return ADVISER, text, None, None, None, None, None, tidied[:LONGEST_SHOWN], None, False, True
    return ADVISER, text, tidied, None, None, None, None, "", None, False, False


def _choose(column: Column, text: str, own: Mapping[str, str]) -> tuple[Any, ...]:
    """One text of a column of codes, or of yes and no, as a row of ``MEANING``; ``own``: the council's words."""
    suitable: bool | None = None
    read: object
    if own and (code := own.get(fold_name(text))):
        read = OWN_CODES.get(code, code)
    elif column.kind == "yes_no":
        read = read_yes_no(column.name, text)
    elif column.name == "accommodation":
        accommodation = read_accommodation(text)
        read, suitable = accommodation.code, accommodation.suitable
    else:
        read = read_code(column.name, text)
    if read is UNREADABLE:
        fault = explain_broken(text) or (NOT_YES_OR_NO if column.kind == "yes_no" else NOT_A_CODE)
        died = column.kind == "code" and column.name != "over21_offer_outcome" and says_died(text)
        return column.name, text, None, None, None, None, fault, show(text), None, died, False
    value, yes = (None, read) if column.kind == "yes_no" else (read, None)
    died = column.name == "in_touch" and read == "DIED"
    return column.name, text, value, None, None, yes, None, "", suitable, died, False
