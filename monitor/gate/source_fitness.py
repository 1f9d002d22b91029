"""How far each rule can be believed on the sources there are: sound, with a caveat, cannot fire, or not supplied.

What is known of each kind of source stands in ``fitness.toml``, by column, so that it holds for rules yet to be
written. Whether a rule can fire at all is worked out from its conditions.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from sqlglot import exp

from monitor.catalogue.derived import WORKED_OUT_FROM
from monitor.catalogue.headings import PERSON_ID, match_headings
from monitor.sources.extract import Extract

if TYPE_CHECKING:
    from monitor.rulebook.evaluation import Evaluation
    from monitor.rulebook.rule_file import Rule

Verdict = Literal["sound", "sound with a caveat", "cannot fire", "not supplied"]
VERDICTS: tuple[Verdict, ...] = ("sound", "sound with a caveat", "cannot fire", "not supplied")
Truth = bool | None
ANY: frozenset[Truth] = frozenset({True, False, None})
EITHER: frozenset[Truth] = frozenset({True, False})
ONLY_TRUE: frozenset[Truth] = frozenset({True})
ONLY_FALSE: frozenset[Truth] = frozenset({False})
UNKNOWN: frozenset[Truth] = frozenset({None})

EXTRACTED_ON, SUPPLIED_BY = "extracted on", "supplied by "
"""Names under which a night's profile keeps, by source, its date and the columns it brought."""


@dataclass(frozen=True)
class Supply:
    """What one source brings: its name, its kind, and the catalogue's columns it has."""

    source: str
    kind: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Fitness:
    """One rule on one source, or on all of them together (``source`` is then empty)."""

    rule: str
    source: str
    verdict: Verdict
    why: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {"rule": self.rule, "source": self.source, "verdict": self.verdict, "why": list(self.why)}


def find_supplies(extracts: Iterable[Extract], supplied: frozenset[str]) -> tuple[Supply, ...]:
    """Return what each extract brings; a column split from another (the accommodation's digit) comes with that one."""
    found = []
    for extract in extracts:
        columns = frozenset(match_headings(extract.headings).positions) - {PERSON_ID}
        if "accommodation" in columns and "accommodation_suitable" in supplied:
            columns |= {"accommodation_suitable"}
        found.append(Supply(extract.source, extract.kind, columns & supplied))
    return tuple(found)


def judge(rules: Iterable["Rule"], supplies: Sequence[Supply]) -> tuple[Fitness, ...]:
    """Return every rule on all the sources together."""
    everything = frozenset().union(*(supply.columns for supply in supplies))
    return tuple(_judge(rule, "", everything, supplies) for rule in rules)


def judge_each(rules: Sequence["Rule"], supplies: Sequence[Supply]) -> tuple[Fitness, ...]:
    """Return every rule on each source alone."""
    return tuple(_judge(rule, supply.source, supply.columns, (supply,)) for rule in rules for supply in supplies)


def annotate(
    evaluated: "Evaluation", rules: Iterable["Rule"], extracts: Iterable[Extract], supplied: frozenset[str]
) -> "Evaluation":
    """Return the night's answers with what cannot fire, and the caveats that go with the rest."""
    fitness = judge(rules, find_supplies(extracts, supplied))
    return replace(
        evaluated,
        cannot_fire={each.rule: each.why[0] for each in fitness if each.verdict == "cannot fire"},
        caveats={each.rule: each.why for each in fitness if each.verdict == "sound with a caveat"},
    )


def describe(fitness: Iterable[Fitness], supplies: Iterable[Supply]) -> tuple[str, ...]:
    """Return the table as lines: what is known of each kind of source, then every rule on every source.

    What is said of a column is said once, beside the rules' verdicts rather than after each.
    """
    lines = [f"{supply.source}: {known['known']}" for supply in supplies if (known := _known().get(supply.kind))]
    judged = sorted(fitness, key=lambda each: (each.source, VERDICTS.index(each.verdict), each.rule))
    for each in judged:
        why = f"  {'; '.join(each.why)}" if each.verdict in ("cannot fire", "not supplied") else ""
        lines.append(f"{each.source[:20]:<20} {each.rule:<34} {each.verdict}{why}")
    said = {(each.source, why): None for each in judged if each.verdict == "sound with a caveat" for why in each.why}
    return (*lines, *(f"{source}: {why}" for source, why in said))


def _judge(rule: "Rule", source: str, columns: frozenset[str], supplies: Sequence[Supply]) -> Fitness:
    if missing := [name for name in rule.needs if name not in columns]:
        return Fitness(rule.id, source, "not supplied", (f"no {', '.join(missing).replace('_', ' ')}",))
    if never := _find_never(rule, columns, supplies):
        return Fitness(rule.id, source, "cannot fire", (never,))
    caveats = _find_caveats(rule, supplies)
    return Fitness(rule.id, source, "sound with a caveat" if caveats else "sound", caveats)


def _find_never(rule: "Rule", columns: frozenset[str], supplies: Sequence[Supply]) -> str | None:
    """Why nobody can be in breach of the rule, if nobody can."""
    # A detail source adds to others: one of them alone decides who could be in breach only where all agree.
    never = [_known().get(supply.kind, {}).get("cannot_fire", {}).get(rule.id) for supply in supplies]
    if never and all(never):
        return str(never[0])
    absent = frozenset(rule.columns) - columns
    if absent and not _can_fire(rule, absent):
        return f"without {', '.join(sorted(absent)).replace('_', ' ')} it is never in breach"
    return None


def _find_caveats(rule: "Rule", supplies: Sequence[Supply]) -> tuple[str, ...]:
    caveats = [
        f"{name.replace('_', ' ')}: {caveat}"
        for name in rule.columns
        for supply in supplies
        if name in supply.columns and (caveat := _known().get(supply.kind, {}).get("columns", {}).get(name))
    ]
    return tuple(dict.fromkeys(caveats))


def caveats_of(kind: str) -> tuple[str, ...]:
    """Return what is known of a kind of source: how it came to be supported, then column by column."""
    known = _known().get(kind, {})
    columns = (f"{name.replace('_', ' ')}: {said}" for name, said in known.get("columns", {}).items())
    return (*((known["known"],) if "known" in known else ()), *columns)


@cache
def _known() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("monitor.gate").joinpath("source_fitness.toml").read_text(encoding="utf-8"))


# Whether a rule can be in breach when some columns are always NULL


def _can_fire(rule: "Rule", absent: frozenset[str]) -> bool:
    blank = absent | {name for name, origin in WORKED_OUT_FROM.items() if set(origin) <= absent}
    if rule.due_on is not None and _is_null(rule.due_on.tree, blank):
        blank |= {"due_on"}
    return all(True in _truths(condition.tree, blank) for condition in (rule.applies_to, rule.breach_if))


def _truths(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    """The answers a condition could give; every answer, where that is not plain to see."""
    return next((answers(node, blank) for kinds, answers in TRUTHS if isinstance(node, kinds)), ANY)


def _of_not(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    return frozenset(None if answer is None else not answer for answer in _truths(node.this, blank))


def _of_both(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    """AND is false where either is, OR true where either is; else unknown where either is."""
    decides = isinstance(node, exp.Or)
    pairs = [(a, b) for a in _truths(node.left, blank) for b in _truths(node.right, blank)]
    return frozenset(decides if decides in pair else None if None in pair else not decides for pair in pairs)


def _of_is(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    if isinstance(node.expression, exp.Null):
        return ONLY_TRUE if _is_null(node.this, blank) else EITHER
    if isinstance(node.expression, exp.Boolean):
        return frozenset(answer is node.expression.this for answer in _truths(node.this, blank))
    return ANY


def _of_distinct(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    if not isinstance(node.expression, exp.Literal):
        return ANY
    return frozenset({isinstance(node, exp.NullSafeNEQ)}) if _is_null(node.this, blank) else EITHER


def _of_column(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    if node.name == "declined":
        return ONLY_FALSE if "declined" in blank else EITHER
    return UNKNOWN if _is_null(node, blank) else ANY


def _of_call(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    # A cell that nobody supplies is not blank.
    asks_blank = node.name.casefold() == "blank"
    return ONLY_FALSE if asks_blank and any(_is_null(cell, blank) for cell in node.expressions) else ANY


def _of_comparison(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    return UNKNOWN if _is_null(node.left, blank) or _is_null(node.right, blank) else ANY


def _of_range(node: Any, blank: frozenset[str]) -> frozenset[Truth]:
    return UNKNOWN if _is_null(node.this, blank) else ANY


TRUTHS: tuple[tuple[Any, Callable[[Any, frozenset[str]], frozenset[Truth]]], ...] = (
    (exp.Paren, lambda node, blank: _truths(node.this, blank)),
    (exp.Not, _of_not),
    (exp.And | exp.Or, _of_both),
    (exp.Is, _of_is),
    (exp.NullSafeEQ | exp.NullSafeNEQ, _of_distinct),
    (exp.Column, _of_column),
    (exp.Anonymous, _of_call),
    (exp.EQ | exp.NEQ | exp.LT | exp.LTE | exp.GT | exp.GTE, _of_comparison),
    (exp.In | exp.Between, _of_range),
)


def _is_null(node: Any, blank: frozenset[str]) -> bool:
    """Whether an expression is NULL for everybody."""
    if isinstance(node, exp.Column):
        # Derived columns that the monitor fills in whatever is missing.
        return node.name in blank and node.name not in ("declined", "category")
    if isinstance(node, exp.Paren | exp.Cast):
        return _is_null(node.this, blank)
    if isinstance(node, exp.Add | exp.Sub):
        return _is_null(node.left, blank) or _is_null(node.right, blank)
    if isinstance(node, exp.Coalesce | exp.Greatest | exp.Least):
        return all(_is_null(each, blank) for each in (node.this, *node.expressions))
    if isinstance(node, exp.Anonymous):
        return node.name.casefold() in blank
    return False
