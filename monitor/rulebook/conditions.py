"""Conditions as rule files say them: SQL expressions parsed, checked against what a rule may say, and made plain trees.

Every part of an expression is looked up in the vocabulary. Importing this module takes sqlglot, which a night with a
kept rulebook never needs.
"""

import re
from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from monitor.durations import Limit
from monitor.errors import Problems
from monitor.rulebook.condition import Condition, Tree
from monitor.rulebook.vocabulary import FUNCTIONS, Checker, Parsed, read_duration, write_fragment

LONGEST_TEXT, MOST_WORDS, DEEPEST = 4_000, 1_000, 40
DEEPEST_TREE = 80
OPENING, CLOSING = (TokenType.L_PAREN, TokenType.CASE), (TokenType.R_PAREN, TokenType.END)


def parse_condition(
    text: str, limits: Mapping[str, Limit], *, due_on: bool = False, may_go_back: bool = False
) -> Condition:
    """Parse a condition; ``Problems`` lists everything wrong with it, without its place.

    ``may_go_back``: months and years may be taken away, as in a birth date that would clear a rule.
    """
    try:
        parsed = parse_text(text)
        faults = list(dict.fromkeys(Checker(limits, due_on, may_go_back).check(parsed)))
        if faults:
            raise Problems(faults)
        return make_condition(text, parsed)
    except Problems:
        raise
    except Exception as fault:  # a parser has faults of its own, and none of them is the council's to read
        what = f"cannot be read as an expression ({type(fault).__name__})"
        raise Problems([f"{what}; write one true-or-false expression in SQL, more plainly"]) from None


def make_condition(text: str, parsed: Parsed) -> Condition:
    """Make the condition of a checked expression."""
    tokens = sqlglot.tokenize(text, read="duckdb")
    words = (f"'{token.text}'" if token.token_type is TokenType.STRING else token.text.lower() for token in tokens)
    return Condition(text, _make_tree(parsed), " ".join(words))


def parse_text(text: str) -> Parsed:
    """Parse an expression, its names in lower case, without looking anything up."""
    parsed = _parse(text)
    for name in parsed.find_all(exp.Identifier):
        name.set("this", name.name.lower())
        name.set("quoted", False)
    for function in parsed.find_all(exp.Anonymous):
        function.set("this", str(function.this).lower())
    return parsed


def quote_part(condition: Condition, part: Tree) -> str:
    """Return a part of a condition as a message quotes it."""
    return next(write_fragment(node) for node in parse_text(condition.text).walk() if _is_tree_of(node, part))


def _is_tree_of(node: Parsed, part: Tree) -> bool:
    return isinstance(node, PLACED) and _make_tree(node) == part


TOO_DEEP = "too many parts one inside the other, or too long a chain; write it more plainly"


def _parse(text: str) -> Parsed:
    _check_characters(text)
    _check_words(text)
    try:
        tree = sqlglot.parse_one(text, read="duckdb", into=exp.Condition)
    except RecursionError:
        raise Problems([TOO_DEEP]) from None
    except SqlglotError as fault:
        raise Problems([_where(fault)]) from None
    level: list[Parsed] = [tree]
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


# Making trees

SAME_SHAPE: Mapping[type, str] = {
    exp.And: "and", exp.Or: "or", exp.Not: "not", exp.Paren: "paren", exp.EQ: "eq", exp.NEQ: "neq", exp.GT: "gt",
    exp.GTE: "gte", exp.LT: "lt", exp.LTE: "lte", exp.NullSafeEQ: "same", exp.NullSafeNEQ: "differs", exp.Is: "is",
    exp.Like: "like", exp.Add: "add", exp.Sub: "sub", exp.Mul: "mul", exp.Neg: "neg", exp.Between: "between",
    exp.In: "in", exp.Case: "case", exp.If: "case", exp.Null: "null", exp.Cast: "count",
}  # fmt: skip
PLACED = (*SAME_SHAPE, *FUNCTIONS, exp.Column, exp.Literal, exp.Boolean, exp.Anonymous)
"""What has a place of its own in a plain tree."""
TRIMS: Mapping[str, str] = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}
"""What ``trim`` is called that takes away at one end."""


def _make_tree(node: Parsed) -> Tree:
    """The plain tree of an expression that has been checked."""
    parts = tuple(_make_tree(part) for part in _list_parts(node))
    if isinstance(node, (exp.Column, exp.Literal)):
        return Tree("column" if isinstance(node, exp.Column) else "text" if node.is_string else "number", node.name)
    if isinstance(node, exp.Boolean):
        return Tree("true" if node.this else "false")
    if isinstance(node, exp.Interval):
        return Tree("duration", str(read_duration(node, {})))
    if isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.DATE:
        return Tree("date", node.this.name)
    if isinstance(node, exp.Anonymous):
        return Tree(node.name, "", parts)
    if isinstance(node, exp.Like) and node.args.get("negate"):
        return Tree("not like", "", parts)
    if isinstance(node, exp.Case) and node.this is not None:
        tested, *branches = parts
        return Tree("case", "", tuple(_compare_with(tested, branches)))
    for kind, name in FUNCTIONS.items():
        if isinstance(node, kind):
            return Tree("call", TRIMS.get(str(node.args.get("position")), name.upper()), parts)
    return Tree(SAME_SHAPE[type(node)], "", parts)


def _list_parts(node: Parsed) -> list[Parsed]:
    if isinstance(node, exp.Case):
        branches = [part for branch in node.args["ifs"] for part in (branch.this, branch.args["true"])]
        listed = [node.this, *branches, node.args.get("default")]
    elif isinstance(node, exp.If):
        listed = [node.this, node.args["true"], node.args.get("false")]
    elif isinstance(node, exp.Between):
        listed = [node.this, node.args["low"], node.args["high"]]
    elif isinstance(node, exp.Anonymous):
        listed = list(node.expressions)
    elif isinstance(node, (exp.Column, exp.Literal, exp.Boolean, exp.Interval)):
        listed = []
    else:
        listed = [node.this, node.args.get("expression"), *node.expressions]
    return [part for part in listed if isinstance(part, exp.Expression)]


def _compare_with(tested: Tree, branches: list[Tree]) -> Iterable[Tree]:
    """The branches of ``CASE tested WHEN value THEN``, each value compared with what is tested."""
    for place, part in enumerate(branches):
        is_value = place % 2 == 0 and place + 1 < len(branches)
        yield Tree("eq", "", (tested, part)) if is_value else part
