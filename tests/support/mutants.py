"""Whether a rule's examples would notice a mistake: each condition altered a little, and asked of every example.

A *mutant* is the rule with one small change: a comparison flipped, a day or a year shifted, a clause or a code
left out. One that answers every example as the rule does *survives*: the examples do not prove that part of the
rule. The rule file explains, under ``[[weak_mutants]]``, a change that no example can show.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
from sqlglot import exp

from monitor.durations import Limit
from monitor.rulebook.condition import Condition
from monitor.rulebook.conditions import make_condition, parse_text
from monitor.rulebook.evaluation import create_functions
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.questions import outcome_sql
from monitor.rulebook.rule import Rule
from monitor.workspace import Workspace, lock_down, open_workspace

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

    Tree: TypeAlias = Expr
else:
    Tree = exp.Expression

FLIPPED: Mapping[type[Tree], tuple[type[Tree], ...]] = {
    exp.LT: (exp.LTE,),
    exp.LTE: (exp.LT,),
    exp.GT: (exp.GTE,),
    exp.GTE: (exp.GT,),
    exp.EQ: (exp.NEQ,),
    exp.NEQ: (exp.EQ,),
    # What a blank answers is as easily got wrong as the comparison itself.
    exp.NullSafeEQ: (exp.NullSafeNEQ, exp.EQ),
    exp.NullSafeNEQ: (exp.NullSafeEQ, exp.NEQ),
    exp.Greatest: (exp.Least,),
    exp.Least: (exp.Greatest,),
}
FURTHER: Mapping[type[Tree], type[Tree]] = {exp.LT: exp.Sub, exp.LTE: exp.Add, exp.GT: exp.Add, exp.GTE: exp.Sub}
"""The way a boundary moves a day that flipping the comparison does not."""
CONDITIONS = ("applies_to", "due_on", "breach_if")


@dataclass(frozen=True)
class Mutant:
    """A rule with one change; ``change`` says which, as ``[[weak_mutants]]`` names it, ``outcome`` what it answers."""

    change: str
    rule: Rule
    outcome: str


@dataclass(frozen=True)
class Verdict:
    """What the examples of one rule made of its mutants, by ``change``.

    ``explained``: survivors with the file's reason. ``idle``: entries of ``[[weak_mutants]]`` that name no survivor.
    """

    rule: str
    mutants: int
    surviving: tuple[str, ...]
    explained: Mapping[str, str]
    idle: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not (self.surviving or self.idle)


def judge(rules: Sequence[Rule]) -> list[Verdict]:
    """Ask every mutant of every rule of the rule's own examples: one pass per rule, a column per mutant."""
    workspace = open_workspace()
    cases = [(rule, example) for rule in rules for example in rule.examples]
    build_caseload(workspace, (example for _, example in cases))
    places: dict[str, list[str]] = {rule.id: [] for rule in rules}
    for place, (rule, _) in enumerate(cases, start=1):
        places[rule.id].append(f"E{place}")
    create_functions(workspace, rules)
    lock_down(workspace)
    verdicts = [_judge(workspace, rule, places[rule.id]) for rule in rules]
    workspace.close()
    return verdicts


def _judge(workspace: Workspace, rule: Rule, people: Sequence[str]) -> Verdict:
    mutants = list(mutate(rule))
    own, *others = _answers(workspace, [_outcome(rule), *(mutant.outcome for mutant in mutants)], people)
    survivors = [mutant.change for mutant, answers in zip(mutants, others, strict=True) if answers == own]
    reasons = {_folded(change): why for change, why in rule.weak_mutants.items()}
    explained = {change: reasons[_folded(change)] for change in survivors if _folded(change) in reasons}
    alive = {_folded(change) for change in survivors}
    return Verdict(
        rule.id,
        len(mutants),
        tuple(change for change in survivors if change not in explained),
        explained,
        tuple(change for change in rule.weak_mutants if _folded(change) not in alive),
    )


def _outcome(rule: Rule) -> str:
    return outcome_sql(rule, frozenset(rule.needs))


def _folded(change: str) -> str:
    return " ".join(change.split())


def _answers(workspace: Workspace, columns: Sequence[str], people: Sequence[str]) -> list[tuple[object, ...]]:
    """What each column answers for each person; a column that cannot be run answers as nothing else does."""
    try:
        return _ask(workspace, columns, people)
    except duckdb.Error:
        answers: list[tuple[object, ...]] = []
        for column in columns:
            try:
                answers += _ask(workspace, [column], people)
            except duckdb.Error as fault:
                answers.append((type(fault),))
        return answers


def _ask(workspace: Workspace, columns: Sequence[str], people: Sequence[str]) -> list[tuple[object, ...]]:
    listed = ", ".join(columns)
    rows = workspace.execute(
        f"SELECT {listed} FROM caseload WHERE list_contains($people::VARCHAR[], person_id) ORDER BY person_id",
        {"people": list(people)},
    ).fetchall()
    return list(zip(*rows, strict=True)) if rows else [()] * len(columns)


# Altering


def mutate(rule: Rule) -> Iterator[Mutant]:
    """Every mutant of a rule, each with a change of its own; none means the same as the rule by its SQL."""
    seen = {_outcome(rule)}
    names: Counter[str] = Counter()
    for change, altered in _altered(rule):
        sql = _outcome(altered)
        if sql in seen:
            continue
        seen.add(sql)
        names[change] += 1
        yield Mutant(change if names[change] == 1 else f"{change} ({names[change]})", altered, sql)


def _altered(rule: Rule) -> Iterator[tuple[str, Rule]]:
    for key in CONDITIONS:
        condition: Condition | None = getattr(rule, key)
        if condition is None:
            continue
        for change, tree in alter(parse_text(condition.text), rule.limits):
            written = make_condition(tree.sql(dialect="duckdb"), tree)
            changed: dict[str, Any] = {key: written}
            yield f"{key}: {change}", replace(rule, **changed)
    if rule.any_age:
        yield "any_age = false", replace(rule, any_age=False)
    if rule.asks_absent:
        yield "asks_absent = false", replace(rule, asks_absent=False)
    if rule.asks_unlisted:
        yield "asks_unlisted = false", replace(rule, asks_unlisted=False, asks_absent=True)


def alter(tree: Tree, limits: Mapping[str, Limit]) -> Iterator[tuple[str, Tree]]:
    """Every small change to a condition, in words, with the whole condition so changed."""
    for node in tree.walk():
        for change, new in _changes(node, limits):
            yield change, _replaced(tree, node, new)


def _replaced(tree: Tree, old: Tree, new: Tree) -> Tree:
    if old is tree:
        return new
    path: list[tuple[str, int | None]] = []
    node = old
    while node is not tree:
        path.append((str(node.arg_key), node.index))
        node = node.parent  # type: ignore[assignment]
    copied = tree.copy()
    place = copied
    for key, index in reversed(path):
        found = place.args[key]
        place = found if index is None else found[index]
    place.replace(new)
    return copied


def _changes(node: Tree, limits: Mapping[str, Limit]) -> Iterator[tuple[str, Tree]]:
    for kind in FLIPPED.get(type(node), ()):
        new = kind(**{key: _copied(value) for key, value in node.args.items()})
        yield _becomes(node, new), new
    if isinstance(node, tuple(FURTHER)):
        yield from _boundary_shifted(node)
    if isinstance(node, (exp.And, exp.Or)) and not isinstance(node.parent, type(node)):
        yield from _without_one(node, list(node.flatten(unnest=False)), _joined(type(node)))
    elif isinstance(node, exp.Add) and not isinstance(node.parent, exp.Add) and node.find(exp.Cast, exp.Case):
        yield from _without_one(node, list(node.flatten(unnest=False)), _joined(exp.Add))
    elif isinstance(node, (exp.Greatest, exp.Least, exp.Coalesce)):
        yield from _without_one(node, [node.this, *node.expressions], _called(type(node)))
    elif isinstance(node, (exp.Add, exp.Sub)) and not node.find(exp.Cast, exp.Case):
        yield from _shifted_by_a_day(node)
    elif isinstance(node, exp.Not):
        yield _becomes(node, node.this), node.this.copy()
    elif isinstance(node, exp.Is):
        yield from _opposites(node)
    elif isinstance(node, exp.In):
        yield from _without_a_code(node, limits)
    elif isinstance(node, exp.Anonymous) and node.name == "birthday":
        yield from _years_shifted(node)
    elif isinstance(node, exp.Literal):
        yield from _number_shifted(node)
    elif isinstance(node, exp.Column):
        yield from _limit_shifted(node, limits)


def _copied(value: object) -> object:
    if isinstance(value, list):
        return [_copied(one) for one in value]
    return value.copy() if isinstance(value, exp.Expression) else value


def _becomes(old: Tree, new: Tree) -> str:
    return f"{_words(old)} -> {_words(new)}"


def _words(node: Tree) -> str:
    return node.sql(dialect="duckdb", comments=False)


def _joined(kind: type[Tree]) -> Callable[[Sequence[Tree]], Tree]:
    def join(parts: Sequence[Tree]) -> Tree:
        whole = parts[0]
        for part in parts[1:]:
            whole = kind(this=whole, expression=part)
        return whole

    return join


def _called(kind: type[Tree]) -> Callable[[Sequence[Tree]], Tree]:
    return lambda parts: parts[0] if len(parts) == 1 else kind(this=parts[0], expressions=list(parts[1:]))


def _without_one(
    node: Tree, parts: Sequence[Tree], join: Callable[[Sequence[Tree]], Tree]
) -> Iterator[tuple[str, Tree]]:
    for place, part in enumerate(parts):
        left = [one.copy() for n, one in enumerate(parts) if n != place]
        what = f" in {_words(node)}" if isinstance(node, (exp.Greatest, exp.Least, exp.Coalesce)) else ""
        yield f"without {_words(part)}{what}", join(left)


def _shifted_by_a_day(node: Tree) -> Iterator[tuple[str, Tree]]:
    if isinstance(node.parent, (exp.Add, exp.Sub)):
        return
    for kind, words in ((exp.Add, "a day later"), (exp.Sub, "a day earlier")):
        yield f"{_words(node)}, {words}", exp.paren(kind(this=node.copy(), expression=exp.Literal.number(1)))


def _boundary_shifted(node: Tree) -> Iterator[tuple[str, Tree]]:
    """A date compared with the night's own; where a sum makes the date, it is the sum that is shifted."""
    left, right = node.this, node.expression
    if right == exp.column("as_at") and not left.find(exp.Add, exp.Sub) and left != exp.column("due_on"):
        shifted = FURTHER[type(node)](this=right.copy(), expression=exp.Literal.number(1))
        new = type(node)(this=left.copy(), expression=shifted)
        yield _becomes(node, new), new


def _opposites(node: exp.Is) -> Iterator[tuple[str, Tree]]:
    negated = isinstance(node.parent, exp.Not)
    if not negated:
        opposite = exp.Not(this=node.copy())
        yield _becomes(node, opposite), opposite
    if isinstance(node.expression, exp.Boolean):
        # "is true" and "is not false" differ only in what a blank answers.
        value = exp.Boolean(this=not node.expression.this)
        other = exp.Is(this=node.this.copy(), expression=value)
        yield _becomes(node, exp.Not(this=other)) + (" inside not" if negated else ""), exp.paren(exp.Not(this=other))


def _without_a_code(node: exp.In, limits: Mapping[str, Limit]) -> Iterator[tuple[str, Tree]]:
    codes: list[Tree] = []
    for item in node.expressions:
        listed = limits.get(item.name) if isinstance(item, exp.Column) else None
        codes += map(exp.Literal.string, listed) if isinstance(listed, tuple) else [item]
    if len(codes) > 1:
        for place, code in enumerate(codes):
            left = [one.copy() for n, one in enumerate(codes) if n != place]
            yield f"{_words(node)} without {_words(code)}", exp.In(this=node.this.copy(), expressions=left)


def _years_shifted(node: exp.Anonymous) -> Iterator[tuple[str, Tree]]:
    (years,) = node.expressions
    if isinstance(years, exp.Literal):
        for n in (int(years.name) - 1, int(years.name) + 1):
            new = exp.Anonymous(this="birthday", expressions=[exp.Literal.number(n)])
            yield _becomes(node, new), new


def _number_shifted(node: exp.Literal) -> Iterator[tuple[str, Tree]]:
    beside = node.parent
    if beside is None or node.is_string or not isinstance(beside, (*FLIPPED, exp.Between)) or not node.name.isdigit():
        return
    for n in (int(node.name) - 1, int(node.name) + 1):
        new = exp.Literal.number(n)
        yield f"{_words(beside)} with {n} for {node.name}", new


def _limit_shifted(node: exp.Column, limits: Mapping[str, Limit]) -> Iterator[tuple[str, Tree]]:
    limit = limits.get(node.name)
    if not isinstance(limit, (int, date)) or isinstance(node.parent, exp.Anonymous):
        return
    for kind in (exp.Add, exp.Sub):
        new = exp.paren(kind(this=node.copy(), expression=exp.Literal.number(1)))
        yield _becomes(node, new), new
