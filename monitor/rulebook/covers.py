"""Which plain rule stands for a sensitive one in every message, and whether a reader could tell the two apart.

A cover is a plain rule of the same severity that is asked at every age at which the sensitive rule is. Its title and
its next step are shown for both, and the reason of neither; a due day only where both have one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from monitor.rulebook.condition import Tree
from monitor.rulebook.rule import Rule
from monitor.words import did_you_mean

AGES = range(16, 25)
UNDER_18 = ("eligible", "relevant", "qualifying", "none")
FROM_18 = ("former relevant", "qualifying", "none")
MOST_SUGGESTED = 4


def link_covers(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules, each with the ids of those it stands for."""
    rules = tuple(rules)
    return tuple(
        replace(rule, stands_for=tuple(sorted(other.id for other in rules if other.shown_as == rule.id)))
        for rule in rules
    )


def check_covers(rules: Sequence[Rule]) -> Iterator[str]:
    """Return what is wrong with ``shown_as`` of each sensitive rule in use, with its place and what would be right."""
    by_id = {rule.id: rule for rule in rules}
    for rule in rules:
        if rule.shown_as is None:
            continue
        cover = by_id.get(rule.shown_as)
        if cover is None:
            unknown = f'no rule "{rule.shown_as[:80]}" is in use'
            yield f"{rule.file}: shown_as: {unknown}{did_you_mean(rule.shown_as, by_id) or _suggest(rule, rules)}"
        elif faults := list(_compare(rule, cover)):
            told = f'"{cover.id}" {" and ".join(faults)}, so a reader could tell the two apart'
            yield f"{rule.file}: shown_as: {told}{_suggest(rule, rules)}"


def _compare(rule: Rule, cover: Rule) -> Iterator[str]:
    """In what a reader of messages could tell a sensitive rule from its cover."""
    if cover.sensitive:
        yield "is sensitive itself"
    if cover.severity != rule.severity:
        yield f"is {cover.severity} where this rule is {rule.severity}"
    if missing := sorted(find_ages(rule) - find_ages(cover)):
        yield f"is not asked at {', '.join(map(str, missing))}"
    if rule.any_age and not cover.any_age:
        yield "is not asked of every age"
    if cover.due_on is not None and rule.due_on is None:
        yield "has a day on which it is due"
    if cover.escalate != rule.escalate:
        yield "goes above the leads" if cover.escalate else "never goes above the leads"
    if cover.recording:
        yield "may be said once of the whole service"
    if not _is_asked_whenever(rule, cover):
        yield "is not asked whenever this rule is"


def _is_asked_whenever(rule: Rule, cover: Rule) -> bool:
    if rule.status != "live":
        return True
    begins = cover.effective_from is None or (
        rule.effective_from is not None and cover.effective_from <= rule.effective_from
    )
    ends = cover.effective_to is None or (rule.effective_to is not None and cover.effective_to >= rule.effective_to)
    return cover.status == "live" and begins and ends


def _suggest(rule: Rule, rules: Sequence[Rule]) -> str:
    fit = [other.id for other in rules if other.id != rule.id and not any(_compare(rule, other))]
    if not fit:
        return f"; name a plain rule that is {rule.severity} and asked at the same ages"
    return f"; name one that fits, like {', '.join(fit[:MOST_SUGGESTED])}"


# Ages


def find_ages(rule: Rule) -> frozenset[int]:
    """Return each age from 16 to 24 at which it may be asked of somebody; what an age cannot decide counts as so."""
    return frozenset(
        age for age in AGES if any(_answer(rule.applies_to.tree, rule, age, kind) is not False for kind in _kinds(age))
    )


def _kinds(age: int) -> tuple[str, ...]:
    return UNDER_18 if age < 18 else FROM_18


MAYBE = object()
"""What rests on more than an age and a category."""


def _answer(tree: Tree, rule: Rule, age: int, category: str) -> bool | object:
    """Whether a condition holds at an age in a category: True, False or ``MAYBE``."""
    parts = tree.parts
    if tree.kind in ("and", "or"):
        answers = [_answer(part, rule, age, category) for part in parts]
        deciding = tree.kind == "or"
        if deciding in answers:
            return deciding
        return MAYBE if MAYBE in answers else not deciding
    if tree.kind == "not":
        answer = _answer(parts[0], rule, age, category)
        return answer if answer is MAYBE else not answer
    if tree.kind == "paren":
        return _answer(parts[0], rule, age, category)
    if tree.kind in ("true", "false"):
        return tree.kind == "true"
    if tree.kind == "is" and parts[1].kind in ("true", "false"):
        answer = _answer(parts[0], rule, age, category)
        return answer if answer is MAYBE else answer == (parts[1].kind == "true")
    return _compare_values(tree, rule, age, category)


def _compare_values(tree: Tree, rule: Rule, age: int, category: str) -> bool | object:
    values = [_value(part, rule, age, category) for part in tree.parts]
    if not values or MAYBE in values:
        return MAYBE
    first, *others = values
    if tree.kind == "in":
        return first in [each for value in others for each in (value if isinstance(value, tuple) else (value,))]
    try:
        if tree.kind == "between":
            return others[0] <= first <= others[1]  # type: ignore[operator,no-any-return]
        compare = COMPARE.get(tree.kind)
        return MAYBE if compare is None else compare(first, others[0])
    except TypeError:
        return MAYBE


COMPARE = {
    "eq": lambda a, b: a == b, "same": lambda a, b: a == b, "neq": lambda a, b: a != b, "differs": lambda a, b: a != b,
    "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
}  # fmt: skip


def _value(tree: Tree, rule: Rule, age: int, category: str) -> object:
    if tree.kind == "paren":
        return _value(tree.parts[0], rule, age, category)
    if tree.kind == "number":
        return float(tree.word)
    if tree.kind == "text":
        return tree.word
    if tree.kind == "column":
        known = {"age": age, "category": category}
        limit = rule.limits.get(tree.word)
        return known.get(tree.word, limit if isinstance(limit, int | float | tuple) else MAYBE)
    return MAYBE
