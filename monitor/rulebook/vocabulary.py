"""What a condition may say: its functions, and the check of every part against them."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlglot import exp

from monitor.catalogue import columns
from monitor.durations import Duration, Limit, LimitFault, Unit, parse_duration
from monitor.rulebook.condition import OWN_FUNCTIONS
from monitor.rulebook.names import CODES, NOT_APPLICABLE, TYPES
from monitor.words import did_you_mean

LOGICAL = (exp.And, exp.Or, exp.Not, exp.Paren)
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
FUNCTIONS: Mapping[type, str] = {
    exp.Greatest: "greatest", exp.Least: "least", exp.Coalesce: "coalesce", exp.Nullif: "nullif",
    exp.Abs: "abs", exp.Year: "year", exp.Month: "month", exp.Day: "day", exp.Length: "length",
    exp.Lower: "lower", exp.Trim: "trim",
}  # fmt: skip
PLAIN: tuple[type, ...] = (
    *LOGICAL, *COMPARISONS, *FUNCTIONS, exp.Is, exp.Between, exp.In, exp.Like, exp.Add, exp.Sub, exp.Mul,
    exp.Neg, exp.Case, exp.If, exp.Null, exp.Boolean,
)  # fmt: skip
"""What needs no check of its own beyond its parts."""

UNITS: Mapping[str, Unit] = {"DAY": "day", "WEEK": "week", "MONTH": "month", "YEAR": "year"}

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    Parsed: TypeAlias = Expr
else:
    Parsed = exp.Expression


class Checker:
    """Walks a tree from the top; anything not in the lists is a fault and is not looked into."""

    def __init__(self, limits: Mapping[str, Limit], due_on: bool, may_go_back: bool) -> None:
        self.limits = limits
        self.due_on = due_on
        self.may_go_back = may_go_back

    def check(self, root: Parsed) -> Iterable[str]:
        waiting: list[Parsed] = [root]
        while waiting:
            node = waiting.pop()
            yield from self._check(node)
            waiting.extend(reversed(list(self._parts(node))))

    def _parts(self, node: Parsed) -> Iterable[Parsed]:
        if isinstance(node, (exp.Add, exp.Sub)):
            return [side for side in (node.left, node.right) if not self._is_duration(side)]
        if isinstance(node, exp.In):
            return [node.this]
        if isinstance(node, exp.Cast):
            return [node.this] if _is_boolean(node.this) else []
        if isinstance(node, exp.Anonymous):
            return []
        return node.iter_expressions() if isinstance(node, PLAIN) else []

    def _check(self, node: Parsed) -> Iterable[str]:
        checks: Mapping[tuple[type, ...], Callable[[Any], Iterable[str]]] = {
            (exp.Column,): self._check_name, (exp.Literal,): _check_literal, (exp.Add, exp.Sub): self._check_sum,
            (exp.In,): self._check_list, (exp.Cast,): _check_cast, (exp.Anonymous,): self._check_own_function,
            (exp.Interval,): _refuse_interval, COMPARISONS: self._check_comparison, (exp.Between,): _check_between,
            (exp.Is,): _check_is, (exp.Like,): _check_like, (exp.Upper,): _refuse_upper,
        }  # fmt: skip
        for kinds, check in checks.items():
            if isinstance(node, kinds):
                return check(node)
        return () if isinstance(node, PLAIN) else _refuse(node)

    def _check_name(self, node: exp.Column) -> Iterable[str]:
        name = node.name
        if len(node.parts) > 1 or isinstance(node.this, exp.Star):
            yield f"{write_fragment(node)}: a column is named by one word; leave out what stands before the dot"
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
            yield f'no column or limit "{name}"' + (did_you_mean(name, known) or '; see "monitor columns"')

    def _is_duration(self, node: Parsed) -> bool:
        limit = self.limits.get(node.name) if isinstance(node, exp.Column) else None
        return isinstance(node, exp.Interval) or isinstance(limit, Duration)

    def _check_sum(self, node: exp.Add | exp.Sub) -> Iterable[str]:
        durations = [side for side in (node.left, node.right) if self._is_duration(side)]
        if len(durations) == 2:
            yield f"{write_fragment(node)} adds two durations; add one to a date, then the other"
        for side in durations:
            try:
                duration = read_duration(side, self.limits)
            except LimitFault as fault:
                yield str(fault)
                continue
            if duration is None or not isinstance(node, exp.Sub):
                continue
            units = ("day", "week", "month", "year") if self.may_go_back else ("day", "week")
            if side is node.left or duration.unit not in units:
                remedy = "add them to the earlier date instead, and compare that"
                yield f"{write_fragment(node)} takes {duration.unit}s away; {remedy}"

    def _check_list(self, node: exp.In) -> Iterable[str]:
        if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
            yield f"{write_fragment(node)}: write what is in the list between brackets, like activity in ('G5')"
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
                yield f"{write_fragment(item)} may not stand in a list; write codes or the name of a list limit"
            else:
                yield f"{write_fragment(item)} may not stand in a list; write plain values"

    def _check_comparison(self, node: Parsed) -> Iterable[str]:
        left, right = node.this, node.expression
        if isinstance(left, exp.Null) or isinstance(right, exp.Null):
            yield f"{write_fragment(node)}: nothing compares with null; write is null or is not null"
        if isinstance(node, (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)):
            yield from _check_code(left, right)
            yield from _check_code(right, left)

    def _check_own_function(self, node: exp.Anonymous) -> Iterable[str]:
        name, given = node.name, node.expressions
        if name not in OWN_FUNCTIONS:
            known = [*OWN_FUNCTIONS, *FUNCTIONS.values()]
            yield f"{name}() may not be used in a condition" + (did_you_mean(name, known) or f"; {_allowed()}")
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


def _refuse(node: Parsed) -> Iterable[str]:
    yield f"{write_fragment(node)} may not be used in a condition; {_allowed()}"


def _refuse_interval(_: exp.Interval) -> Iterable[str]:
    yield "an interval stands only beside a date, after +"


def _refuse_upper(node: exp.Upper) -> Iterable[str]:
    yield f"{write_fragment(node)}: upper() makes two letters of some; compare lower() with small letters instead"


def _check_like(node: exp.Like) -> Iterable[str]:
    pattern = node.expression
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        yield f"{write_fragment(node)}: like is followed by a text, as in closure_reason like '%moved%'"
    elif "\\" in pattern.name:
        yield f"{write_fragment(node)}: a backslash may not stand after like; write _ for any one character"


def _check_between(node: exp.Between) -> Iterable[str]:
    if node.args.get("symmetric"):
        yield "between symmetric may not be used; write the lower end first"


def _check_is(node: exp.Is) -> Iterable[str]:
    if not isinstance(node.expression, (exp.Null, exp.Boolean)):
        yield f"{write_fragment(node)}: is may be followed by null, not null, true or not true"


def _check_literal(node: exp.Literal) -> Iterable[str]:
    if node.is_string:
        if len(node.name) > 200:
            yield "a text of over 200 characters; make it shorter"
    elif not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", node.name):
        yield f"the number {node.name[:20]} may not be used; at most 9 digits, written out"


def _check_code(column: Parsed, value: Parsed) -> Iterable[str]:
    codes = CODES.get(column.name) if isinstance(column, exp.Column) else None
    if codes and isinstance(value, exp.Literal):
        code = value.name
        if not value.is_string or code not in (*codes, NOT_APPLICABLE):
            close = did_you_mean(code, codes) if len(code) > 2 else ""
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
        allowed = "only date '2026-01-31', and cast(TRUE OR FALSE as integer) to count with"
        yield f"{write_fragment(node)} may not be used; {allowed}"


def _is_boolean(node: Parsed) -> bool:
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


def write_fragment(node: Parsed) -> str:
    """Return a part of a condition as a message quotes it, cut to 60 characters."""
    written = node.sql(dialect="duckdb", comments=False)
    return f'"{written if len(written) <= 60 else written[:57] + "..."}"'


def _allowed() -> str:
    return "a condition may compare, add, and use " + ", ".join([*OWN_FUNCTIONS, *FUNCTIONS.values()])


def read_duration(node: Parsed, limits: Mapping[str, Limit]) -> Duration | None:
    """Return the duration a node stands for; None if it stands for none."""
    if isinstance(node, exp.Interval):
        count, unit = node.this, node.args.get("unit")
        number = count.name if isinstance(count, exp.Literal) else ""
        word = (unit.name if unit is not None else "").upper().removesuffix("S")
        return parse_duration(f"{number} {UNITS.get(word, word.lower())}")
    limit = limits.get(node.name) if isinstance(node, exp.Column) else None
    return limit if isinstance(limit, Duration) else None
