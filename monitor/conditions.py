"""Conditions: SQL expressions parsed, checked against what a rule may say, and written back as DuckDB SQL.

Nothing a rule file says is run as written. It is parsed, every part of it is looked up in the lists below, and
only what sqlglot writes back from those parts reaches the database.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from monitor import columns
from monitor.errors import Problems
from monitor.limits import Duration, Limit, LimitFault, Unit, parse_duration

LONGEST_TEXT, MOST_WORDS, DEEPEST = 4_000, 1_000, 40
DEEPEST_TREE = 80

DERIVED_TYPES: Mapping[str, str] = {
    **{name: kind for name, (kind, _) in columns.DERIVED.items()},
    "first_seen_on": "DATE",
}
TYPES: Mapping[str, str] = {**{c.name: c.duckdb_type for c in columns.COLUMNS}, **DERIVED_TYPES}
"""Every name a condition may use beside its limits, with its DuckDB type."""

CODES: Mapping[str, Mapping[str, str]] = {
    **{c.name: c.codes for c in columns.COLUMNS if c.codes},
    "category": columns.ELIGIBILITY,
}
NOT_APPLICABLE = "0"
"""SSDA903's "not applicable", which any code column may hold: neither blank nor any other code."""

LOGICAL = (exp.And, exp.Or, exp.Not, exp.Paren)
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
FUNCTIONS: Mapping[type, str] = {
    exp.Greatest: "greatest", exp.Least: "least", exp.Coalesce: "coalesce", exp.Nullif: "nullif",
    exp.Abs: "abs", exp.Year: "year", exp.Month: "month", exp.Day: "day", exp.Length: "length",
    exp.Lower: "lower", exp.Upper: "upper", exp.Trim: "trim",
}  # fmt: skip
OWN_FUNCTIONS = ("birthday", "blank")
PLAIN: tuple[type, ...] = (
    *LOGICAL, *COMPARISONS, *FUNCTIONS, exp.Is, exp.Between, exp.In, exp.Like, exp.Add, exp.Sub, exp.Mul,
    exp.Neg, exp.Case, exp.If, exp.Null, exp.Boolean,
)  # fmt: skip
"""What needs no check of its own beyond its parts."""

UNITS: Mapping[str, Unit] = {"DAY": "day", "WEEK": "week", "MONTH": "month", "YEAR": "year"}

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    Tree: TypeAlias = Expr
else:
    Tree = exp.Expression


@dataclass(frozen=True)
class Condition:
    """One checked expression. ``tree`` is as written, with names in lower case; never change it, copy it."""

    text: str
    tree: Tree

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name it uses: columns, derived columns, limits, ``due_on``."""
        return frozenset(column.name for column in self.tree.find_all(exp.Column))

    @cached_property
    def functions(self) -> frozenset[str]:
        return frozenset(function.name for function in self.tree.find_all(exp.Anonymous))

    @cached_property
    def columns(self) -> frozenset[str]:
        """The recorded columns it uses by name."""
        return self.names & columns.BY_NAME.keys()

    @cached_property
    def blank_tests(self) -> tuple[frozenset[str], ...]:
        """For each test of a blank, the recorded columns it looks at; ``blank()`` needs no watching."""
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
        """The text without spacing or letter case, so that laying it out differently changes nothing."""
        tokens = sqlglot.tokenize(self.text, read="duckdb")
        return " ".join(
            f"'{token.text}'" if token.token_type is sqlglot.TokenType.STRING else token.text.lower()
            for token in tokens
        )


def nearest(word: str, known: Iterable[str]) -> str:
    """`` ; did you mean "x"?`` or nothing."""
    close = get_close_matches(word.lower(), list(known), n=1, cutoff=0.7)
    return f'; did you mean "{close[0]}"?' if close else ""


def parse_condition(
    text: str, limits: Mapping[str, Limit], *, due_on: bool = False, may_go_back: bool = False
) -> Condition:
    """The checked condition; ``Problems`` lists everything wrong with it, without its place.

    ``may_go_back``: months and years may be taken away, as in a birth date that would clear a rule.
    """
    tree = _parse(text)
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.name.lower())
        name.set("quoted", False)
    for function in tree.find_all(exp.Anonymous):
        function.set("this", str(function.this).lower())
    faults = list(dict.fromkeys(_Checker(limits, due_on, may_go_back).check(tree)))
    if faults:
        raise Problems(faults)
    return Condition(text, tree)


def _parse(text: str) -> Tree:
    if not text.strip():
        raise Problems(["empty; write a condition, like \"activity = 'G5'\""])
    if len(text) > LONGEST_TEXT:
        raise Problems([f"{len(text)} characters long; at most {LONGEST_TEXT}"])
    if found := re.search(r"[^\x20-\x7e\n\t]", text):
        raise Problems([f"the character {found[0]!a} may not stand in a condition; use plain ASCII"])
    try:
        tokens = sqlglot.tokenize(text, read="duckdb")
    except SqlglotError:
        raise Problems(["cannot be read; look for a quotation mark that is not closed"]) from None
    if any(token.comments for token in tokens) or "--" in text or "/*" in text:
        raise Problems(["comments may not stand in a condition; put them above the key, after #"])
    if any(token.token_type is sqlglot.TokenType.SEMICOLON for token in tokens):
        raise Problems(['";" may not stand in a condition; write one expression'])
    if len(tokens) > MOST_WORDS:
        raise Problems([f"{len(tokens)} words long; at most {MOST_WORDS}"])
    depth = deepest = 0
    for token in tokens:
        opens = token.token_type in (sqlglot.TokenType.L_PAREN, sqlglot.TokenType.CASE)
        closes = token.token_type in (sqlglot.TokenType.R_PAREN, sqlglot.TokenType.END)
        depth += opens - closes
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise Problems([f"brackets {deepest} deep; at most {DEEPEST}"])
    too_deep = Problems(["too many parts one inside the other, or too long a chain; write it more plainly"])
    try:
        tree = sqlglot.parse_one(text, read="duckdb", into=exp.Condition)
    except RecursionError:
        raise too_deep from None
    except SqlglotError as fault:
        raise Problems([_where(fault)]) from None
    level: list[Tree] = [tree]
    for _ in range(DEEPEST_TREE):
        level = [part for node in level for part in node.iter_expressions()]
    if level:
        raise too_deep
    return tree


def _where(fault: SqlglotError) -> str:
    found = (getattr(fault, "errors", None) or [{}])[0]
    near = str(found.get("highlight") or "").strip()[:40]
    place = f' near "{near}" (line {found.get("line")}, column {found.get("col")})' if near else ""
    return f"cannot be read as an expression{place}; write one true-or-false expression in SQL"


class _Checker:
    """Walks a tree from the top; anything not in the lists is a fault and is not looked into."""

    def __init__(self, limits: Mapping[str, Limit], due_on: bool, may_go_back: bool) -> None:
        self.limits = limits
        self.due_on = due_on
        self.may_go_back = may_go_back

    def check(self, root: Tree) -> Iterable[str]:
        waiting: list[Tree] = [root]
        while waiting:
            node = waiting.pop()
            yield from self._check(node)
            waiting.extend(reversed(list(self._parts(node))))

    def _parts(self, node: Tree) -> Iterable[Tree]:
        if isinstance(node, (exp.Add, exp.Sub)):
            return [side for side in (node.left, node.right) if not self._is_duration(side)]
        if isinstance(node, exp.In):
            return [node.this]
        if isinstance(node, exp.Cast):
            return [node.this] if _is_boolean(node.this) else []
        if isinstance(node, exp.Anonymous):
            return []
        return node.iter_expressions() if isinstance(node, PLAIN) else []

    def _check(self, node: Tree) -> Iterable[str]:
        if isinstance(node, exp.Column):
            yield from self._check_name(node)
        elif isinstance(node, exp.Literal):
            yield from _check_literal(node)
        elif isinstance(node, (exp.Add, exp.Sub)):
            yield from self._check_sum(node)
        elif isinstance(node, exp.In):
            yield from self._check_list(node)
        elif isinstance(node, exp.Cast):
            yield from _check_cast(node)
        elif isinstance(node, exp.Anonymous):
            yield from self._check_own_function(node)
        elif isinstance(node, exp.Interval):
            yield "an interval stands only beside a date, after +"
        elif not isinstance(node, PLAIN):
            yield f"{_fragment(node)} may not be used in a condition; {_allowed()}"
        if isinstance(node, COMPARISONS):
            yield from self._check_comparison(node)
        if isinstance(node, exp.Between) and node.args.get("symmetric"):
            yield "between symmetric may not be used; write the lower end first"
        if isinstance(node, exp.Is) and not isinstance(node.expression, (exp.Null, exp.Boolean)):
            yield f"{_fragment(node)}: is may be followed by null, not null, true or not true"

    def _check_name(self, node: exp.Column) -> Iterable[str]:
        name = node.name
        if len(node.parts) > 1 or isinstance(node.this, exp.Star):
            yield f"{_fragment(node)}: a column is named by one word; leave out what stands before the dot"
        elif name == "due_on":
            if not self.due_on:
                yield "due_on may stand only in breach_if of a rule that has due_on; write the date out"
        elif name in self.limits:
            if isinstance(self.limits[name], Duration):
                yield f'the limit "{name}" is a duration; add it to a date, like latest_contact_date + {name}'
            if isinstance(self.limits[name], tuple):
                yield f'the limit "{name}" is a list of codes; use it like activity in ({name})'
        elif name not in TYPES:
            known = [*TYPES, *self.limits]
            yield f'no column or limit "{name}"' + (nearest(name, known) or '; see "monitor columns"')

    def _is_duration(self, node: Tree) -> bool:
        limit = self.limits.get(node.name) if isinstance(node, exp.Column) else None
        return isinstance(node, exp.Interval) or isinstance(limit, Duration)

    def _check_sum(self, node: exp.Add | exp.Sub) -> Iterable[str]:
        durations = [side for side in (node.left, node.right) if self._is_duration(side)]
        if len(durations) == 2:
            yield f"{_fragment(node)} adds two durations; add one to a date, then the other"
        for side in durations:
            try:
                duration = _duration(side, self.limits)
            except LimitFault as fault:
                yield str(fault)
                continue
            if duration is None or not isinstance(node, exp.Sub):
                continue
            units = ("day", "week", "month", "year") if self.may_go_back else ("day", "week")
            if side is node.left or duration.unit not in units:
                yield (
                    f"{_fragment(node)} takes {duration.unit}s away; add them to the earlier date instead, "
                    "and compare that"
                )

    def _check_list(self, node: exp.In) -> Iterable[str]:
        if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
            yield f"{_fragment(node)}: write what is in the list between brackets, like activity in ('G5')"
            return
        for item in node.expressions:
            if isinstance(item, exp.Literal):
                yield from _check_literal(item)
                yield from _check_code(node.this, item)
            elif isinstance(item, exp.Column) and isinstance(self.limits.get(item.name), tuple):
                for code in self.limits[item.name]:  # type: ignore[union-attr]
                    for fault in _check_code(node.this, exp.Literal.string(code)):
                        yield f'the limit "{item.name}": {fault}'
            elif isinstance(item, exp.Column):
                yield from self._check_name(item)
                yield f"{_fragment(item)} may not stand in a list; write codes or the name of a list limit"
            else:
                yield f"{_fragment(item)} may not stand in a list; write plain values"

    def _check_comparison(self, node: Tree) -> Iterable[str]:
        left, right = node.this, node.expression
        if isinstance(left, exp.Null) or isinstance(right, exp.Null):
            yield f"{_fragment(node)}: nothing compares with null; write is null or is not null"
        if isinstance(node, (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)):
            yield from _check_code(left, right)
            yield from _check_code(right, left)

    def _check_own_function(self, node: exp.Anonymous) -> Iterable[str]:
        name, given = node.name, node.expressions
        if name not in OWN_FUNCTIONS:
            known = [*OWN_FUNCTIONS, *FUNCTIONS.values()]
            yield f"{name}() may not be used in a condition" + (nearest(name, known) or f"; {_allowed()}")
        elif len(given) != 1:
            yield f"{name}() takes one thing between its brackets"
        elif name == "blank":
            if not (isinstance(given[0], exp.Column) and given[0].name in columns.BY_NAME):
                yield "blank() takes the name of a recorded column, like blank(personal_adviser)"
        else:
            years: object = given[0].name if isinstance(given[0], exp.Literal) else None
            if isinstance(given[0], exp.Column):
                years = self.limits.get(given[0].name)
            if not re.fullmatch(r"\d{1,2}", str(years)):
                yield "birthday() takes a whole number of years, like birthday(18), or a limit that is one"


def _check_literal(node: exp.Literal) -> Iterable[str]:
    if node.is_string:
        if len(node.name) > 200:
            yield "a text of over 200 characters; make it shorter"
    elif not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", node.name):
        yield f"the number {node.name[:20]} may not be used; at most 9 digits, written out"


def _check_code(column: Tree, value: Tree) -> Iterable[str]:
    codes = CODES.get(column.name) if isinstance(column, exp.Column) else None
    if codes and isinstance(value, exp.Literal):
        code = value.name
        if not value.is_string or code not in (*codes, NOT_APPLICABLE):
            close = nearest(code, codes) if len(code) > 2 else ""
            upper = f'; did you mean "{code.upper()}"?' if code.upper() in codes else ""
            yield f'"{code}" is not a code of {column.name}' + (upper or close or f"; its codes are {', '.join(codes)}")


def _check_cast(node: exp.Cast) -> Iterable[str]:
    kind = node.to.this
    if kind == exp.DataType.Type.DATE and isinstance(node.this, exp.Literal) and node.this.is_string:
        try:
            date.fromisoformat(node.this.name)
        except ValueError:
            yield f"\"{node.this.name[:20]}\" is not a date; write it like date '2026-01-31'"
    elif type(node) is not exp.Cast or kind != exp.DataType.Type.INT or not _is_boolean(node.this):
        yield (
            f"{_fragment(node)} may not be used; only date '2026-01-31', and cast(TRUE OR FALSE as integer) to "
            "count with"
        )


def _is_boolean(node: Tree) -> bool:
    """Whether it can only be true, false or NULL, by its shape."""
    if isinstance(node, exp.Paren):
        return _is_boolean(node.this)
    if isinstance(node, exp.Column):
        return TYPES.get(node.name) == "BOOLEAN"
    if isinstance(node, exp.Anonymous):
        return bool(node.name == "blank")
    return isinstance(
        node, (exp.And, exp.Or, exp.Not, *COMPARISONS, exp.Is, exp.Between, exp.In, exp.Like, exp.Boolean)
    )


def _fragment(node: Tree) -> str:
    written = node.sql(dialect="duckdb", comments=False)
    return f'"{written if len(written) <= 60 else written[:57] + "..."}"'


def _allowed() -> str:
    return "a condition may compare, add, and use " + ", ".join([*OWN_FUNCTIONS, *FUNCTIONS.values()])


def _duration(node: Tree, limits: Mapping[str, Limit]) -> Duration | None:
    """The duration a node stands for; None if it stands for none."""
    if isinstance(node, exp.Interval):
        count, unit = node.this, node.args.get("unit")
        number = count.name if isinstance(count, exp.Literal) else ""
        word = (unit.name if unit is not None else "").upper().removesuffix("S")
        return parse_duration(f"{number} {UNITS.get(word, word.lower())}")
    limit = limits.get(node.name) if isinstance(node, exp.Column) else None
    return limit if isinstance(limit, Duration) else None


# Compiling


def compile_condition(
    condition: Condition,
    limits: Mapping[str, Limit],
    *,
    due_on: Condition | None = None,
    gapped: frozenset[str] = frozenset(),
) -> str:
    """The condition as DuckDB SQL over the caseload's columns.

    ``due_on``: what stands for that name; a column of that name if None. ``gapped``: needed columns in which
    some cell is unreadable or not supplied tonight; every predicate that mentions one is NULL for the people
    whose cell that is.
    """

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
            return _compile_sum(node, limits, rewrite)
        if isinstance(node, exp.In):
            listed: list[Tree] = []
            for item in node.expressions:
                codes = limits.get(item.name) if isinstance(item, exp.Column) else None
                listed += map(exp.Literal.string, codes) if isinstance(codes, tuple) else [item.copy()]
            return exp.In(this=rewrite(node.this), expressions=listed)
        if isinstance(node, exp.Anonymous):
            if node.name == "blank":
                name = node.expressions[0].name
                nothing = exp.Is(this=exp.column(name, quoted=True), expression=exp.Null())
                return exp.paren(exp.and_(nothing, _has_no_gap(name)))
            born = exp.column("date_of_birth", quoted=True)
            return exp.Anonymous(this="birthday", expressions=[born, rewrite(node.expressions[0])])
        copied = node.copy() if not node.args else type(node)()
        for key, value in node.args.items():
            if isinstance(value, list):
                copied.set(key, [rewrite(v) if isinstance(v, exp.Expression) else v for v in value])
            elif isinstance(value, exp.DataType):
                copied.set(key, value.copy())
            else:
                copied.set(key, rewrite(value) if isinstance(value, exp.Expression) else value)
        return copied

    return rewrite(tree)


def _compile_name(node: exp.Column, limits: Mapping[str, Limit], due_on: Condition | None) -> Tree:
    if node.name == "due_on":
        return exp.paren(_compile(due_on.tree, limits, None)) if due_on else exp.column("due_on", quoted=True)
    if node.name in TYPES:
        return exp.column(node.name, quoted=True)
    value = limits[node.name]
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.paren(exp.Literal.number(str(value)))


def _compile_sum(node: exp.Add | exp.Sub, limits: Mapping[str, Limit], rewrite: Callable[[Tree], Tree]) -> Tree:
    for moved, from_date in ((node.right, node.left), (node.left, node.right)):
        duration = _duration(moved, limits)
        if duration is None:
            continue
        start, count = rewrite(from_date), str(duration.count)
        if duration.unit == "working day":
            return exp.Anonymous(this="plus_working_days", expressions=[start, exp.Literal.number(count)])
        interval = exp.Interval(this=exp.Literal.string(count), unit=exp.var(duration.unit))
        # Adding an interval to a DATE gives a TIMESTAMP.
        return exp.cast(type(node)(this=start, expression=interval), "DATE")
    return type(node)(this=rewrite(node.left), expression=rewrite(node.right))


def counts_working_days(condition: Condition, limits: Mapping[str, Limit]) -> bool:
    """Whether running it needs the calendar of working days."""
    used = (limits.get(name) for name in condition.names)
    return any(isinstance(limit, Duration) and limit.unit == "working day" for limit in used)
