"""Whether a table is what ``caseload_v1`` promises: refused with every fault, or what was found in it.

A cell outside what its column may hold counts as unreadable, as the night has it, and is never guessed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from monitor.catalogue.caseload_contract import (
    AS_AT,
    AUTHORITY,
    DIED,
    KEYS,
    PERSON_ID,
    PRESENT,
    RECORDED,
    ROSTER,
    SPARK_TYPES,
)
from monitor.catalogue.cells import LAST_SENTINEL, LATEST
from monitor.catalogue.columns import BY_NAME, DERIVED, ELIGIBILITY, Column
from monitor.catalogue.dialects import DUCKDB, Dialect
from monitor.errors import Refused
from monitor.rulebook.names import NOT_APPLICABLE
from monitor.scan.scan_engine import ScanEngine
from monitor.words import did_you_mean, join_words, write_count

MOST_AUTHORITIES = 1000
"""England has 153. A column of more different values tells something else."""
ALWAYS = ("date_of_birth", "eligibility", "in_touch")
"""Recorded columns that age and category are worked out from, whatever the rules ask."""


@dataclass(frozen=True)
class TableTypes:
    """The columns of a table that the contract allows: which of the roster's it has, and what it has besides."""

    place: str
    authority: str
    roster: frozenset[str]
    extra: tuple[str, ...]


@dataclass(frozen=True)
class CellsWanted:
    """The recorded columns to read, and the day to ask about, which may be another than the table's."""

    columns: tuple[str, ...]
    as_at: date


@dataclass(frozen=True)
class TableRows:
    """The rows of a table: how many, as at what day, and how many of whom nobody knows if they are on the caseload."""

    count: int
    as_at: date
    presence_unknown: int


@dataclass(frozen=True)
class TableFacts:
    """What the cells of a table hold. ``authorities``: how many people each has.

    ``gapped``: recorded columns with a gap in some row; ``unreadable``: by column, cells that the contract does not
    allow; ``unsupplied``: by authority, the columns that are *not supplied* in all its rows.
    """

    authorities: Mapping[str, int]
    gapped: frozenset[str]
    unreadable: Mapping[str, int]
    unsupplied: Mapping[str, frozenset[str]]
    fingerprint: str


# What the table has


def check_types(place: str, types: Mapping[str, str], authority: str, dialect: Dialect = DUCKDB) -> TableTypes:
    """Return what the table has of the contract; raises ``Refused`` with a line for each fault in its columns."""
    required = {authority if name == AUTHORITY else name: kind for name, kind in {**KEYS, **RECORDED}.items()}
    extra = tuple(name for name in types if name not in required and name not in ROSTER)
    faults = []
    for name, kind in {**required, **ROSTER}.items():
        found = types.get(name)
        said = kind if dialect is DUCKDB else SPARK_TYPES[kind]
        if found is None and name in required:
            faults.append(f"{place}: {name}: no such column{did_you_mean(name, extra) or f'; add it as {said}'}")
        elif found not in (None, kind):
            faults.append(f"{place}: {name}: is {found}; it must be {said}")
    if faults:
        raise Refused("\n".join([*faults, f'{place}: is not caseload_v1; "monitor columns --format parquet" tells it']))
    return TableTypes(place, authority, frozenset(types.keys() & ROSTER.keys()), extra)


def check_rows(engine: ScanEngine, table: TableTypes) -> TableRows:
    """Return what the keys of the rows say; raises ``Refused`` with a line for each fault.

    Nobody is listed twice in an authority, and all rows are of one day.
    """
    names = {table.authority if name == AUTHORITY else name: kind for name, kind in KEYS.items()}
    tests = [
        f"{_name(engine, name)} IS NULL" + (f" OR trim({_name(engine, name)}) = ''" if kind == "VARCHAR" else "")
        for name, kind in names.items()
    ]
    counts = ", ".join(f"count_if({test})" for test in tests)
    ((rows, first, last, unknown, *missing),) = engine.run(
        f"SELECT count(*), min({AS_AT}), max({AS_AT}), count_if({PRESENT} IS NULL), {counts} FROM {engine.caseload}"
    )
    if not rows:
        raise Refused(f"{table.place}: holds nobody, and nobody in breach would be no answer; check how it is written")
    faults = [
        f"{table.place}: {name}: {write_count(count, 'row')} without it; write it in every row"
        for name, count in zip(names, missing, strict=True)
        if count
    ]
    if first != last:
        faults.append(f"{table.place}: {AS_AT}: holds days from {first} to {last}; write one day's caseload alone")
    keys = [_name(engine, table.authority), _name(engine, PERSON_ID)]
    if not faults and (repeated := engine.count_repeated(keys, rows)):
        faults.append(
            f"{table.place}: {table.authority}, {PERSON_ID}: {write_count(repeated, 'row')} of somebody who has one "
            "already; give each person of an authority one row"
        )
    if faults:
        raise Refused("\n".join(faults))
    return TableRows(rows, first, unknown)


def check_cells(engine: ScanEngine, table: TableTypes, rows: TableRows, asked: CellsWanted) -> TableFacts:
    """Return what the cells of these columns hold, those counted that the contract does not allow.

    Every cell is looked at once, cheaply; those of a column in which something may be amiss once more. Raises
    ``Refused`` for cells of the roster that cannot be: they have no gap in which to say so.
    """
    figures = {
        name: sums
        for part in _parts(asked.columns, engine.most_rules)
        for name, sums in zip(part, _add_up(engine, part, asked.as_at), strict=True)
    }
    gaps = [name for name, sums in figures.items() if sums.gaps]
    authorities, unsupplied, odd = _count_authorities(engine, table, gaps)
    doubtful = [
        name for name, sums in figures.items() if name in odd or _may_be_amiss(BY_NAME[name], sums, asked.as_at)
    ]
    unreadable = {
        name: count
        for part in _parts(doubtful, engine.most_rules)
        for name, count in zip(part, _count_unreadable(engine, part, asked.as_at), strict=True)
        if count
    }
    _check_roster(engine, table)
    told = [rows.count, sorted(authorities.items()), rows.as_at, *sorted((name, *s) for name, s in figures.items())]
    return TableFacts(
        authorities=authorities,
        gapped=frozenset({*gaps, *unreadable}),
        unreadable=unreadable,
        unsupplied=unsupplied,
        fingerprint=hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest(),
    )


class _Sums(NamedTuple):
    """What the cells of a column add up to: the same on every database, and enough to tell that nothing is amiss.

    ``known``: cells with a code of the column; ``early``: cells before the date of birth.
    """

    gaps: int
    filled: int
    total: int
    lowest: Any
    highest: Any
    known: int
    early: int


def _add_up(engine: ScanEngine, columns: Sequence[str], as_at: date) -> list[_Sums]:
    tests = [sql for name in columns for sql in _sums_sql(engine, BY_NAME[name], as_at)]
    (row,) = engine.run(f"SELECT {', '.join(tests)} FROM {engine.caseload}")
    each = len(_Sums._fields)
    return [
        _Sums(*(int(value or 0) if isinstance(value, int | None) else value for value in row[at : at + each]))
        for at in range(0, len(row), each)
    ]


def _sums_sql(engine: ScanEngine, column: Column, as_at: date) -> list[str]:
    name, gap = _name(engine, column.name), _name(engine, f"{column.name}_gap")
    lowest, highest, known, early = f"min({name})", f"max({name})", "0", "0"
    total = f"sum(CAST({name} AS INT))"
    if column.kind == "date":
        total = f"sum({engine.dialect.days_between(name, _day(date(1970, 1, 1)))})"
        if column.records_past and column.name != "date_of_birth":
            early = f"count_if({name} < {_name(engine, 'date_of_birth')})"
    elif column.kind == "code":
        codes = enumerate((*column.codes, NOT_APPLICABLE), start=1)
        place = " ".join(f"WHEN {engine.dialect.text_literal(code)} THEN {number}" for number, code in codes)
        total, known = f"sum(CASE {name} {place} END)", f"count(CASE {name} {place} END)"
        lowest = highest = "0"
    elif column.kind == "text":
        total = f"sum(length({name}))"
    return [f"count({gap})", f"count({name})", total, lowest, highest, known, early]


def _may_be_amiss(column: Column, sums: _Sums, as_at: date) -> bool:
    """Return whether a cell may be one that the contract does not allow, for each kind from what all add up to."""
    if sums.early or not sums.filled:
        return sums.early > 0
    if column.kind == "date":
        latest = as_at if column.records_past else LATEST
        return bool(sums.lowest <= LAST_SENTINEL or sums.highest > min(latest, LATEST))
    if column.kind == "number":
        return bool(sums.lowest < column.lowest or sums.highest > column.highest)
    # No text of white space alone comes after this sign.
    return sums.known < sums.filled if column.kind == "code" else column.kind == "text" and bool(sums.lowest < "!")


def _count_unreadable(engine: ScanEngine, columns: Sequence[str], as_at: date) -> tuple[int, ...]:
    tests = ", ".join(f"count_if({unreadable_sql(engine, BY_NAME[name], as_at)})" for name in columns)
    return tuple(count or 0 for count in engine.run(f"SELECT {tests} FROM {engine.caseload}")[0])


def _count_authorities(
    engine: ScanEngine, table: TableTypes, columns: Sequence[str]
) -> tuple[dict[str, int], dict[str, frozenset[str]], frozenset[str]]:
    """How many people each authority has, what none of its rows is supplied with, and columns with a gap that is none.

    ``columns``: those with gaps. A gap is of two words, and beside it there is no value.
    """
    authority = _name(engine, table.authority)
    if (count := engine.run(f"SELECT count(DISTINCT {authority}) FROM {engine.caseload}")[0][0]) > MOST_AUTHORITIES:
        raise Refused(
            f"{table.place}: {table.authority}: holds {count:,} different authorities; name with scan.authority the "
            "column that tells whose person it is"
        )
    people: dict[str, int] = {}
    unsupplied: dict[str, set[str]] = {}
    odd: set[str] = set()
    for part in _parts(columns, engine.most_rules) or [()]:
        tests = "".join(f", {test}" for name in part for test in _gaps_sql(engine, name))
        for code, rows, *counts in engine.run(
            f"SELECT {authority}, count(*){tests} FROM {engine.caseload} GROUP BY {authority}"
        ):
            people[code] = rows
            of_code = unsupplied.setdefault(code, set())
            for name, (all_told, not_supplied, unreadable, beside) in zip(part, _fours(counts), strict=True):
                of_code |= {name} if not_supplied == rows else set()
                odd |= {name} if beside or not_supplied + unreadable < all_told else set()
    return people, {code: frozenset(names) for code, names in unsupplied.items()}, frozenset(odd)


def _gaps_sql(engine: ScanEngine, column: str) -> tuple[str, str, str, str]:
    name, gap = _name(engine, column), _name(engine, f"{column}_gap")
    beside = f"count_if({gap} IS NOT NULL AND {name} IS NOT NULL)"
    return f"count({gap})", f"count_if({gap} = 'not supplied')", f"count_if({gap} = 'unreadable')", beside


def _fours(counts: Sequence[int | None]) -> list[tuple[int, ...]]:
    return [tuple(count or 0 for count in counts[at : at + 4]) for at in range(0, len(counts), 4)]


def _check_roster(engine: ScanEngine, table: TableTypes) -> None:
    """Refuse a record of earlier nights that cannot be one: it has no gaps in which to say so."""
    tests = {
        name: _is_strange(engine, name, tuple(ELIGIBILITY))
        if kind == "VARCHAR"
        else _is_out_of_bounds(_name(engine, name))
        for name, kind in ROSTER.items()
        if name in table.roster
    }
    if not tests:
        return
    (counts,) = engine.run(f"SELECT {', '.join(f'count_if({test})' for test in tests.values())} FROM {engine.caseload}")
    faults = [
        f"{table.place}: {name}: {write_count(count, 'cell')} that it cannot hold; "
        + (f"it is one of {', '.join(ELIGIBILITY)}" if ROSTER[name] == "VARCHAR" else "a day from 1902 to 2100")
        + ", or NULL"
        for name, count in zip(tests, counts, strict=True)
        if count
    ]
    if faults:
        raise Refused("\n".join(faults))


# A cell outside the contract


def unreadable_sql(engine: ScanEngine, column: Column, as_at: date) -> str:
    """Return the test of a cell that the contract does not allow; NULL is no."""
    name, gap = _name(engine, column.name), _name(engine, f"{column.name}_gap")
    tests = [f"{gap} NOT IN ('unreadable', 'not supplied')", f"{gap} IS NOT NULL AND {name} IS NOT NULL"]
    if column.kind == "date":
        tests.append(_is_out_of_bounds(name))
        if column.records_past:
            tests.append(f"{name} > {_day(as_at)}")
        if column.records_past and column.name != "date_of_birth":
            born = _name(engine, "date_of_birth")
            tests.append(f"{name} < {born} AND {born} <= {_day(as_at)}")
    elif column.kind == "number":
        tests.append(f"{name} NOT BETWEEN {column.lowest} AND {column.highest}")
    elif column.kind == "code":
        tests.append(_is_strange(engine, column.name, (*column.codes, NOT_APPLICABLE)))
    elif column.kind == "text":
        tests.append(f"replace({name}, ' ', '') = ''")
    return " OR ".join(f"({test})" for test in tests)


def _is_strange(engine: ScanEngine, name: str, codes: Iterable[str]) -> str:
    return f"{_name(engine, name)} NOT IN ({', '.join(map(engine.dialect.text_literal, codes))})"


def _is_out_of_bounds(name: str) -> str:
    return f"{name} <= {_day(LAST_SENTINEL)} OR {name} > {_day(LATEST)}"


# The people to ask


def people_sql(engine: ScanEngine, table: TableTypes, facts: TableFacts, asked: CellsWanted) -> str:
    """Return SQL for the people of the table as the rules are asked of them: keys, cells, gaps and the roster's.

    A cell that cannot be read is NULL with a gap.
    """
    columns, as_at = asked.columns, asked.as_at
    selected = [
        f"{_name(engine, table.authority)} AS {AUTHORITY}", PERSON_ID, f"{_day(as_at)} AS {AS_AT}", DIED, PRESENT,
    ]  # fmt: skip
    for name in columns:
        cell, gap = _name(engine, name), _name(engine, f"{name}_gap")
        if name in facts.unreadable:
            spoilt = unreadable_sql(engine, BY_NAME[name], as_at)
            selected.append(f"CASE WHEN {spoilt} THEN NULL ELSE {cell} END AS {cell}")
            selected.append(f"CASE WHEN {spoilt} THEN coalesce(CASE {gap} WHEN 'not supplied' THEN {gap} END, "
                            f"'unreadable') ELSE {gap} END AS {gap}")  # fmt: skip
        else:
            selected += [cell, gap if name in facts.gapped else f"CAST(NULL AS {engine.dialect.text}) AS {gap}"]
    for name, kind in ROSTER.items():
        word = engine.dialect.text if kind == "VARCHAR" else kind
        selected.append(_name(engine, name) if name in table.roster else f"CAST(NULL AS {word}) AS {name}")
    return f"SELECT {', '.join(selected)} FROM {engine.caseload}"


def describe_extra(table: TableTypes) -> str | None:
    """Say which columns of the table are not of the contract; None where there are none."""
    if not table.extra:
        return None
    worked_out = [name for name in table.extra if name in DERIVED]
    more = f"; {join_words(worked_out)}: worked out by the scan" if worked_out else ""
    return f"not of the contract, and not read: {', '.join(table.extra)}{more}"


def _name(engine: ScanEngine, column: str) -> str:
    return engine.dialect.name_of(column)


def _day(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def _parts(columns: Sequence[str], most: int) -> list[Sequence[str]]:
    return [columns[start : start + most] for start in range(0, len(columns), most)]
