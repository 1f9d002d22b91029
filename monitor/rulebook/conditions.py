"""Conditions: SQL expressions parsed, checked against what a rule may say, and written back as DuckDB SQL.

Nothing a rule file says is run as written. It is parsed, every part of it is looked up in the vocabulary, and
only what sqlglot writes back from those parts reaches the database.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from monitor.catalogue import columns
from monitor.durations import Duration, Limit
from monitor.errors import Problems
from monitor.rulebook.vocabulary import DERIVED_TYPES, LOGICAL, TYPES, Checker, Tree, read_duration

LONGEST_TEXT, MOST_WORDS, DEEPEST = 4_000, 1_000, 40
DEEPEST_TREE = 80
OPENING, CLOSING = (TokenType.L_PAREN, TokenType.CASE), (TokenType.R_PAREN, TokenType.END)


@dataclass(frozen=True)
class Condition:
    """One checked expression, known by its text. ``tree`` is that text read, names in lower case; never change it."""

    text: str
    tree: Tree = field(compare=False)

    @cached_property
    def names(self) -> frozenset[str]:
        """Return every name it uses: columns, derived columns, limits, ``due_on``."""
        return frozenset(column.name for column in self.tree.find_all(exp.Column))

    @cached_property
    def functions(self) -> frozenset[str]:
        return frozenset(function.name for function in self.tree.find_all(exp.Anonymous))

    @cached_property
    def columns(self) -> frozenset[str]:
        """Return the recorded columns it uses by name."""
        return self.names & columns.BY_NAME.keys()

    @cached_property
    def blank_tests(self) -> tuple[frozenset[str], ...]:
        """Return for each test of a blank, the recorded columns it looks at; ``blank()`` needs no watching."""
        tests: list[frozenset[str]] = []
        for node in self.tree.find_all(exp.Is, exp.Coalesce):
            if isinstance(node, exp.Is) and not isinstance(node.expression, exp.Null):
                continue
            within = node.this if isinstance(node, exp.Is) else node
            found = frozenset(column.name for column in within.find_all(exp.Column))
            # Falling back on what the monitor knows itself is no test: nothing is taken from the blank.
            if isinstance(node, exp.Coalesce) and found & DERIVED_TYPES.keys():
                continue
            if tested := found & columns.BY_NAME.keys():
                tests.append(tested)
        return tuple(tests)

    @cached_property
    def meaning(self) -> str:
        """Return the text without spacing or letter case, so that laying it out differently changes nothing."""
        tokens = sqlglot.tokenize(self.text, read="duckdb")
        return " ".join(
            f"'{token.text}'" if token.token_type is TokenType.STRING else token.text.lower() for token in tokens
        )


def parse_condition(
    text: str, limits: Mapping[str, Limit], *, due_on: bool = False, may_go_back: bool = False
) -> Condition:
    """Parse a condition; ``Problems`` lists everything wrong with it, without its place.

    ``may_go_back``: months and years may be taken away, as in a birth date that would clear a rule.
    """
    tree = _parse(text)
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.name.lower())
        name.set("quoted", False)
    for function in tree.find_all(exp.Anonymous):
        function.set("this", str(function.this).lower())
    faults = list(dict.fromkeys(Checker(limits, due_on, may_go_back).check(tree)))
    if faults:
        raise Problems(faults)
    return Condition(text, tree)


TOO_DEEP = "too many parts one inside the other, or too long a chain; write it more plainly"


def _parse(text: str) -> Tree:
    _check_characters(text)
    _check_words(text)
    try:
        tree = sqlglot.parse_one(text, read="duckdb", into=exp.Condition)
    except RecursionError:
        raise Problems([TOO_DEEP]) from None
    except SqlglotError as fault:
        raise Problems([_where(fault)]) from None
    level: list[Tree] = [tree]
    for _ in range(DEEPEST_TREE):
        level = [part for node in level for part in node.iter_expressions()]
    if level:
        raise Problems([TOO_DEEP])
    return tree


def _check_characters(text: str) -> None:
    if not text.strip():
        raise Problems(["empty; write a condition, like \"activity = 'G5'\""])
    if len(text) > LONGEST_TEXT:
        raise Problems([f"{len(text)} characters long; at most {LONGEST_TEXT}"])
    if found := re.search(r"[^\x20-\x7e\n\t]", text):
        raise Problems([f"the character {found[0]!a} may not stand in a condition; use plain ASCII"])


def _check_words(text: str) -> None:
    """Refuse what is not one expression, and one too long or too deep to be parsed."""
    try:
        tokens = sqlglot.tokenize(text, read="duckdb")
    except SqlglotError:
        raise Problems(["cannot be read; look for a quotation mark that is not closed"]) from None
    if any(token.comments for token in tokens) or "--" in text or "/*" in text:
        raise Problems(["comments may not stand in a condition; put them above the key, after #"])
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise Problems(['";" may not stand in a condition; write one expression'])
    if len(tokens) > MOST_WORDS:
        raise Problems([f"{len(tokens)} words long; at most {MOST_WORDS}"])
    depth = deepest = 0
    for token in tokens:
        opens, closes = token.token_type in OPENING, token.token_type in CLOSING
        depth += opens - closes
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise Problems([f"brackets {deepest} deep; at most {DEEPEST}"])


def _where(fault: SqlglotError) -> str:
    error = (getattr(fault, "errors", None) or [{}])[0]
    near = str(error.get("highlight") or "").strip()[:40]
    place = f' near "{near}" (line {error.get("line")}, column {error.get("col")})' if near else ""
    return f"cannot be read as an expression{place}; write one true-or-false expression in SQL"


# Compiling


def compile_condition(
    condition: Condition,
    limits: Mapping[str, Limit],
    *,
    due_on: Condition | None = None,
    gapped: frozenset[str] = frozenset(),
) -> str:
    """Return the condition as DuckDB SQL over the caseload's columns.

    ``due_on``: what stands for that name; a column of that name if None. ``gapped``: needed columns in which
    some cell is unreadable or not supplied tonight; every predicate that mentions one is NULL for the people
    whose cell that is.
    """
    names = condition.names | (due_on.names if due_on else frozenset())
    used = tuple((name, limits[name]) for name in sorted(names & limits.keys()))
    return _write_sql(condition, used, due_on, gapped)


@lru_cache(maxsize=4096)
def _write_sql(
    condition: Condition, used: tuple[tuple[str, Limit], ...], due_on: Condition | None, gapped: frozenset[str]
) -> str:
    """Once for each condition and its limits: nights, forecasts and replays ask the same again and again."""
    limits = dict(used)

    def leaf(node: Tree) -> Tree:
        written = _compile(node, limits, due_on)
        mentioned = sorted(gapped & {column.name for column in node.find_all(exp.Column)})
        if not mentioned:
            return written
        read = exp.and_(*(_has_no_gap(name) for name in mentioned))
        return exp.Case(ifs=[exp.If(this=read, true=written)])

    tree = _map_leaves(condition.tree, leaf) if gapped else leaf(condition.tree)
    return tree.sql(dialect="duckdb", comments=False)


def _map_leaves(node: Tree, leaf: Callable[[Tree], Tree]) -> Tree:
    """AND, OR and NOT are left to SQL, whose three values are Kleene's; what they join is mapped whole."""
    if not isinstance(node, LOGICAL):
        return leaf(node)
    if isinstance(node, (exp.Not, exp.Paren)):
        return type(node)(this=_map_leaves(node.this, leaf))
    return type(node)(this=_map_leaves(node.left, leaf), expression=_map_leaves(node.right, leaf))


def _has_no_gap(name: str) -> Tree:
    return exp.Is(this=exp.column(f"{name}_gap", quoted=True), expression=exp.Null())


def _compile(tree: Tree, limits: Mapping[str, Limit], due_on: Condition | None) -> Tree:
    def rewrite(node: Tree) -> Tree:
        if isinstance(node, exp.Column):
            return _compile_name(node, limits, due_on)
        if isinstance(node, (exp.Add, exp.Sub)):
            return _compile_sum(node, limits, compiled) or node
        if isinstance(node, exp.In):
            listed: list[Tree] = []
            for item in node.expressions:
                codes = limits.get(item.name) if isinstance(item, exp.Column) else None
                listed += map(exp.Literal.string, codes) if isinstance(codes, tuple) else [item]
            return exp.In(this=compiled(node.this), expressions=listed)
        if not isinstance(node, exp.Anonymous):
            return node
        if node.name == "blank":
            name = node.expressions[0].name
            nothing = exp.Is(this=exp.column(name, quoted=True), expression=exp.Null())
            return exp.paren(exp.and_(nothing, _has_no_gap(name)))
        born = exp.column("date_of_birth", quoted=True)
        return exp.Anonymous(this="birthday", expressions=[born, compiled(node.expressions[0])])

    def compiled(node: Tree) -> Tree:
        return node.transform(rewrite)

    return compiled(tree)


def _compile_name(node: exp.Column, limits: Mapping[str, Limit], due_on: Condition | None) -> Tree:
    if node.name == "due_on":
        return exp.paren(_compile(due_on.tree, limits, None)) if due_on else exp.column("due_on", quoted=True)
    if node.name in TYPES:
        return exp.column(node.name, quoted=True)
    value = limits[node.name]
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.paren(exp.Literal.number(str(value)))


def _compile_sum(node: exp.Add | exp.Sub, limits: Mapping[str, Limit], compiled: Callable[[Tree], Tree]) -> Tree | None:
    """A duration added to a date or taken from it; None where neither side is one."""
    for moved, from_date in ((node.right, node.left), (node.left, node.right)):
        duration = read_duration(moved, limits)
        if duration is None:
            continue
        start, count = compiled(from_date), str(duration.count)
        if duration.unit == "working day":
            return exp.Anonymous(this="plus_working_days", expressions=[start, exp.Literal.number(count)])
        interval = exp.Interval(this=exp.Literal.string(count), unit=exp.var(duration.unit))
        # Adding an interval to a DATE gives a TIMESTAMP.
        return exp.cast(type(node)(this=start, expression=interval), "DATE")
    return None


def counts_working_days(condition: Condition, limits: Mapping[str, Limit]) -> bool:
    """Return whether running it needs the calendar of working days."""
    used = (limits.get(name) for name in condition.names)
    return any(isinstance(limit, Duration) and limit.unit == "working day" for limit in used)
