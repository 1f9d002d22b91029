"""A checked condition: a plain tree, what it names, and the SQL it is written as.

Nothing a rule file says is run as written: ``conditions`` reads it into a tree of the kinds below, and only what is
written back from that tree reaches the database. A tree is data, so that a checked rulebook can be kept.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import NamedTuple

from monitor.catalogue import columns
from monitor.catalogue.derived import birthday_sql, working_days_sql
from monitor.catalogue.dialects import DUCKDB, Dialect
from monitor.durations import Duration, Limit, parse_duration
from monitor.rulebook.names import DERIVED_TYPES, TYPES


class Tree(NamedTuple):
    """One part of a condition: its ``kind``, a word or value where the kind has one, and the parts inside it.

    ``column``, ``text``, ``number``, ``date``, ``duration``, ``true``, ``false`` and ``null`` have no parts; ``call``
    has the function's name for its ``word``. A ``case`` has its WHEN and THEN in turn, then its ELSE if there is one.
    """

    kind: str
    word: str = ""
    parts: "tuple[Tree, ...]" = ()

    def walk(self) -> "Iterator[Tree]":
        """Yield it and every part inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True)
class Condition:
    """One checked expression, known by its text.

    ``meaning``: the text without spacing or letter case, so that laying it out differently changes nothing.
    """

    text: str
    tree: Tree = field(compare=False)
    meaning: str = field(compare=False)

    @cached_property
    def names(self) -> frozenset[str]:
        """Return every name it uses: columns, derived columns, limits, ``due_on``."""
        return _names(self.tree)

    @cached_property
    def functions(self) -> frozenset[str]:
        """Return the monitor's own functions that it uses."""
        return frozenset(part.kind for part in self.tree.walk() if part.kind in OWN_FUNCTIONS)

    @cached_property
    def columns(self) -> frozenset[str]:
        """Return the recorded columns it uses by name."""
        return self.names & columns.BY_NAME.keys()

    @cached_property
    def blank_tests(self) -> tuple[frozenset[str], ...]:
        """Return for each test of a blank, the recorded columns it looks at; ``blank()`` needs no watching."""
        tests: list[frozenset[str]] = []
        for part in self.tree.walk():
            coalesces = part.kind == "call" and part.word == "COALESCE"
            if not coalesces and not (part.kind == "is" and part.parts[1].kind == "null"):
                continue
            found = _names(part if coalesces else part.parts[0])
            # Falling back on what the monitor knows itself is no test: nothing is taken from the blank.
            if coalesces and found & DERIVED_TYPES.keys():
                continue
            if tested := found & columns.BY_NAME.keys():
                tests.append(tested)
        return tuple(tests)


OWN_FUNCTIONS = ("birthday", "blank")
LOGICAL = ("and", "or", "not", "paren")

BETWEEN_TWO: Mapping[str, str] = {
    "and": "AND", "or": "OR", "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
    "same": "IS NOT DISTINCT FROM", "differs": "IS DISTINCT FROM", "is": "IS", "like": "LIKE",
    "not like": "NOT LIKE", "add": "+", "sub": "-", "mul": "*",
}  # fmt: skip
"""The kinds with two parts, and what stands between them."""
PREDICATES = frozenset(
    ("eq", "neq", "gt", "gte", "lt", "lte", "same", "differs", "is", "like", "not like", "in", "between", "not")
)
"""What is put in brackets within anything but a logical part: which of two binds tighter, databases see otherwise."""
SPACES = "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
"""What ``trim`` takes away at the ends of a text; Spark by itself takes the first alone."""
TRIMS: Mapping[str, str] = {"TRIM": "BOTH", "LTRIM": "LEADING", "RTRIM": "TRAILING"}
DATES = ("date", "birthday")
FIRST_KNOWN = ("GREATEST", "LEAST", "COALESCE", "NULLIF")
"""The functions that give one of the things they are given."""


def compile_condition(
    condition: Condition,
    limits: Mapping[str, Limit],
    *,
    due_on: Condition | None = None,
    gapped: frozenset[str] = frozenset(),
    dialect: Dialect = DUCKDB,
) -> str:
    """Return the condition as SQL over the caseload's columns.

    ``due_on``: what stands for that name; a column of that name if None. ``gapped``: needed columns in which
    some cell is unreadable or not supplied tonight; every predicate that mentions one is NULL for the people
    whose cell that is.
    """
    names = condition.names | (due_on.names if due_on else frozenset())
    used = tuple((name, limits[name]) for name in sorted(names & limits.keys()))
    return _write_sql(condition, used, due_on, gapped & names, dialect)


@lru_cache(maxsize=4096)
def _write_sql(
    condition: Condition,
    used: tuple[tuple[str, Limit], ...],
    due_on: Condition | None,
    gapped: frozenset[str],
    dialect: Dialect,
) -> str:
    """Once for each condition and its limits: nights, forecasts and replays ask the same again and again."""
    return Writer(dict(used), due_on.tree if due_on else None, dialect).write_guarded(condition.tree, gapped)


def counts_working_days(condition: Condition, limits: Mapping[str, Limit]) -> bool:
    """Return whether running it needs the calendar of working days."""
    used = (limits.get(name) for name in condition.names)
    return any(isinstance(limit, Duration) and limit.unit == "working day" for limit in used)


@dataclass(frozen=True)
class Writer:
    """Writes trees as SQL, with the values of a rule's limits; ``due_on`` is what stands for that name."""

    limits: Mapping[str, Limit]
    due_on: Tree | None = None
    dialect: Dialect = DUCKDB

    def write_guarded(self, tree: Tree, gapped: frozenset[str]) -> str:
        """Write a condition in which each predicate is NULL where a cell of ``gapped`` that it mentions has a gap.

        AND, OR and NOT are left to SQL, whose three values are Kleene's.
        """
        if gapped and tree.kind in LOGICAL:
            return _join(tree.kind, [self.write_guarded(part, gapped) for part in tree.parts])
        mentioned = sorted(gapped & _names(tree)) if gapped else []
        if not mentioned:
            return self.write(tree)
        return f"CASE WHEN {' AND '.join(map(self._has_no_gap, mentioned))} THEN {self.write(tree)} END"

    def write(self, tree: Tree) -> str:
        """Write a tree as one expression."""
        if tree.kind in ("add", "sub") and (moved := self._write_moved(tree)):
            return moved
        if write := OF_KIND.get(tree.kind):
            return write(self, tree)
        write_part = self.write if tree.kind in LOGICAL else self._write_inside
        return _join(tree.kind, [write_part(part) for part in tree.parts])

    def is_date(self, tree: Tree) -> bool:
        """Return whether a checked tree stands for a date."""
        if tree.kind == "column":
            kind = "DATE" if tree.word == "due_on" else TYPES.get(tree.word)
            return kind == "DATE" or isinstance(self.limits.get(tree.word), date)
        if tree.kind in ("add", "sub"):
            # A date moved is a date; one date less another is a number.
            return [self.is_date(part) for part in tree.parts] in ([True, False], [False, True])
        if tree.kind == "paren" or (tree.kind == "call" and tree.word in FIRST_KNOWN):
            return any(map(self.is_date, tree.parts))
        if tree.kind == "case":
            *branches, last = tree.parts
            return any(map(self.is_date, (*branches[1::2], last)))
        return tree.kind in DATES

    def _write_inside(self, tree: Tree) -> str:
        """Write a part of what is not logical."""
        return f"({self.write(tree)})" if tree.kind in PREDICATES else self.write(tree)

    def _write_name(self, tree: Tree) -> str:
        name = tree.word
        if name == "due_on" and self.due_on is not None:
            return f"({Writer(self.limits, dialect=self.dialect).write(self.due_on)})"
        if name == "due_on" or name in TYPES:
            return self.dialect.name_of(name)
        value = self.limits[name]
        return f"CAST('{value.isoformat()}' AS DATE)" if isinstance(value, date) else f"({value})"

    def _write_moved(self, tree: Tree) -> str | None:
        """A duration added to a date or taken from it, or the days between two; None where it is neither."""
        left, right = tree.parts
        for moved, start in ((right, left), (left, right)):
            duration = self.read_duration(moved)
            if duration is None:
                continue
            if duration.unit == "working day":
                day = self.write(start)
                if self.dialect.has_calendar:
                    return f"plus_working_days({day}, {duration.count})"
                return f"({working_days_sql(day, duration.count)})"
            return self.dialect.move(self.write(start), BETWEEN_TWO[tree.kind], duration)
        if tree.kind == "sub" and self.is_date(left) and self.is_date(right):
            return self.dialect.days_between(self.write(left), self.write(right))
        return None

    def read_duration(self, tree: Tree) -> Duration | None:
        if tree.kind == "duration":
            return parse_duration(tree.word)
        limit = self.limits.get(tree.word) if tree.kind == "column" else None
        return limit if isinstance(limit, Duration) else None

    def _write_list(self, tree: Tree) -> str:
        tested, *items = tree.parts
        listed: list[str] = []
        for item in items:
            codes = self.limits.get(item.word) if item.kind == "column" else None
            listed += map(self.dialect.text_literal, codes) if isinstance(codes, tuple) else [self.write(item)]
        return f"{self._write_inside(tested)} IN ({', '.join(listed)})"

    def _write_case(self, tree: Tree) -> str:
        written = [self.write(part) for part in tree.parts]
        branches = [f"WHEN {when} THEN {then}" for when, then in zip(written[::2], written[1::2], strict=False)]
        rest = [f"ELSE {written[-1]}"] if len(written) % 2 else []
        return f"CASE {' '.join([*branches, *rest])} END"

    def _write_call(self, tree: Tree) -> str:
        given = [self.write(part) for part in tree.parts]
        if tree.word in TRIMS:
            text, characters = given if len(given) == 2 else (given[0], self.dialect.text_literal(SPACES))
            return f"trim({TRIMS[tree.word]} {characters} FROM {text})"
        if tree.word == "LOWER":
            # Else Java gives the last sigma of a word another form, and an I with a dot two characters.
            return f"lower(translate({given[0]}, '\u0130\u03a3', 'i\u03c3'))"
        if tree.word in ("GREATEST", "LEAST") and len(given) == 1:
            return f"({given[0]})"
        return f"{tree.word}({', '.join(given)})"

    def _write_blank(self, tree: Tree) -> str:
        name = tree.parts[0].word
        return f"({self.dialect.name_of(name)} IS NULL AND {self._has_no_gap(name)})"

    def _write_birthday(self, tree: Tree) -> str:
        return birthday_sql(self.dialect.name_of("date_of_birth"), self.write(tree.parts[0]))

    def _has_no_gap(self, name: str) -> str:
        return f"{self.dialect.name_of(f'{name}_gap')} IS NULL"


OF_KIND: Mapping[str, Callable[[Writer, Tree], str]] = {
    "column": Writer._write_name,
    "text": lambda writer, tree: writer.dialect.text_literal(tree.word),
    "number": lambda _, tree: tree.word,
    "date": lambda writer, tree: f"CAST({writer.dialect.text_literal(tree.word)} AS DATE)",
    "true": lambda _, tree: "TRUE",
    "false": lambda _, tree: "FALSE",
    "null": lambda _, tree: "NULL",
    "not": lambda writer, tree: f"NOT {writer.write(tree.parts[0])}",
    "count": lambda writer, tree: f"CAST({writer.write(tree.parts[0])} AS INT)",
    "in": Writer._write_list,
    "case": Writer._write_case,
    "blank": Writer._write_blank,
    "birthday": Writer._write_birthday,
    "call": Writer._write_call,
}
"""How each kind is written whose parts are not only joined."""


def _join(kind: str, parts: list[str]) -> str:
    if between := BETWEEN_TWO.get(kind):
        return f"{parts[0]} {between} {parts[1]}"
    return {"not": "NOT {}", "paren": "({})", "neg": "- {}", "between": "{} BETWEEN {} AND {}"}[kind].format(*parts)


def _names(tree: Tree) -> frozenset[str]:
    return frozenset(part.word for part in tree.walk() if part.kind == "column")
