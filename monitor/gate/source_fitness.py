"""How far each rule can be believed on the sources there are: sound, with a caveat, cannot fire, or not supplied.

What is known of each kind of source stands in ``fitness.toml``, by column, so that it holds for rules yet to be
written. Whether a rule can fire at all is worked out from its conditions.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from monitor.catalogue.derived import WORKED_OUT_FROM
from monitor.catalogue.headings import PERSON_ID
from monitor.rulebook.condition import Condition, Tree
from monitor.sources.extract import Extract

if TYPE_CHECKING:
    from monitor.rulebook.evaluation import Evaluation
    from monitor.rulebook.rule import Rule

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
        columns = frozenset(extract.matched.positions) - {PERSON_ID}
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
    return all(True in _answers(condition, blank) for condition in (rule.applies_to, rule.breach_if))


@lru_cache(maxsize=4096)
def _answers(condition: Condition, blank: frozenset[str]) -> frozenset[Truth]:
    """Once for each condition and the columns nobody supplies, which are the same from night to night."""
    return _truths(condition.tree, blank)


def _truths(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    """The answers a condition could give; every answer, where that is not plain to see."""
    answers = TRUTHS.get(tree.kind)
    return answers(tree, blank) if answers else ANY


def _of_not(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    return frozenset(None if answer is None else not answer for answer in _truths(tree.parts[0], blank))


def _of_both(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    """AND is false where either is, OR true where either is; else unknown where either is."""
    decides = tree.kind == "or"
    left, right = (_truths(part, blank) for part in tree.parts)
    pairs = [(a, b) for a in left for b in right]
    return frozenset(decides if decides in pair else None if None in pair else not decides for pair in pairs)


def _of_is(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    tested, what = tree.parts
    if what.kind == "null":
        return ONLY_TRUE if _is_null(tested, blank) else EITHER
    return frozenset(answer is (what.kind == "true") for answer in _truths(tested, blank))


def _of_distinct(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    tested, value = tree.parts
    if value.kind not in ("text", "number"):
        return ANY
    return frozenset({tree.kind == "differs"}) if _is_null(tested, blank) else EITHER


def _of_column(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    if tree.word == "declined":
        return ONLY_FALSE if "declined" in blank else EITHER
    return UNKNOWN if _is_null(tree, blank) else ANY


def _of_blank(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    # A cell that nobody supplies is not blank.
    return ONLY_FALSE if _is_null(tree.parts[0], blank) else ANY


def _of_comparison(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    return UNKNOWN if any(_is_null(part, blank) for part in tree.parts) else ANY


def _of_range(tree: Tree, blank: frozenset[str]) -> frozenset[Truth]:
    return UNKNOWN if _is_null(tree.parts[0], blank) else ANY


TRUTHS: Mapping[str, Callable[[Tree, frozenset[str]], frozenset[Truth]]] = {
    "paren": lambda tree, blank: _truths(tree.parts[0], blank),
    "not": _of_not,
    **dict.fromkeys(("and", "or"), _of_both),
    "is": _of_is,
    **dict.fromkeys(("same", "differs"), _of_distinct),
    "column": _of_column,
    "blank": _of_blank,
    **dict.fromkeys(("eq", "neq", "lt", "lte", "gt", "gte"), _of_comparison),
    **dict.fromkeys(("in", "between"), _of_range),
}


def _is_null(tree: Tree, blank: frozenset[str]) -> bool:
    """Whether an expression is NULL for everybody."""
    if tree.kind == "column":
        # Derived columns that the monitor fills in whatever is missing.
        return tree.word in blank and tree.word not in ("declined", "category")
    if tree.kind in ("paren", "count"):
        return _is_null(tree.parts[0], blank)
    if tree.kind in ("add", "sub"):
        return any(_is_null(part, blank) for part in tree.parts)
    if tree.kind == "call" and tree.word in ("COALESCE", "GREATEST", "LEAST"):
        return all(_is_null(part, blank) for part in tree.parts)
    return tree.kind == "birthday" and "birthday" in blank
