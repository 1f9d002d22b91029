"""The days on which a rule's answer can change because of the date alone, as SQL over a row of the caseload.

An answer changes when the date passes a day that the rule compares it with, or on a birthday: in between it stays as
it is, so that a forecast need only look at these days.
"""

from collections.abc import Iterable, Iterator, Mapping

from monitor.catalogue.derived import birthday_sql
from monitor.durations import Duration, Limit
from monitor.rulebook.condition import Tree, Writer
from monitor.rulebook.rule import Rule

NEXT_BIRTHDAY = birthday_sql("date_of_birth", "(age + 1)")
CLOCK = frozenset({"as_at"})
OF_AGE = frozenset({"age", "category", "declined", "once_entitled"})
"""What changes on a birthday and on no other day."""

ON_THE_DAY, DAY_AFTER = (0,), (1,)
CHANGES: Mapping[str, tuple[int, ...]] = {
    "lt": ON_THE_DAY, "gte": ON_THE_DAY, "gt": DAY_AFTER, "lte": DAY_AFTER,
    "eq": (0, 1), "same": (0, 1), "neq": (0, 1), "differs": (0, 1),
}  # fmt: skip
"""How long after a day the comparison of the date with it changes, the date standing first."""
FLIPPED: Mapping[str, str] = {"lt": "gt", "gt": "lt", "gte": "lte", "lte": "gte"}
MONTHS_DIFFER = range(-1, 5)
"""Days around the one that lies so many months before another, from which these months reach it or pass it."""


class NotTold(Exception):
    """A rule looks at the date otherwise than by comparing it with a day, so its answer may change on any day."""


def find_change_days(rules: Iterable[Rule]) -> tuple[str, ...] | None:
    """Return an expression for each day on which an answer of these rules can change; None where it may be any day."""
    days: dict[str, None] = {NEXT_BIRTHDAY: None}
    try:
        for rule in rules:
            days |= dict.fromkeys(_list_days(rule))
    except NotTold:
        return None
    return tuple(days)


def _list_days(rule: Rule) -> Iterator[str]:
    if rule.effective_from:
        yield f"DATE '{rule.effective_from}'"
    for condition in (rule.applies_to, rule.breach_if):
        yield from _find_days(_put_in(condition.tree, rule.due_on.tree if rule.due_on else None), rule.limits)


def _put_in(tree: Tree, due_on: Tree | None) -> Tree:
    """Return the tree with ``due_on`` written out."""
    if due_on is not None and tree.kind == "column" and tree.word == "due_on":
        return Tree("paren", "", (due_on,))
    return tree._replace(parts=tuple(_put_in(part, due_on) for part in tree.parts))


def _find_days(tree: Tree, limits: Mapping[str, Limit]) -> Iterator[str]:
    if not _names(tree, CLOCK):
        return
    if tree.kind == "between":
        tested, low, high = tree.parts
        yield from _find_days(Tree("gte", "", (tested, low)), limits)
        yield from _find_days(Tree("lte", "", (tested, high)), limits)
        return
    if tree.kind in CHANGES:
        left, right = tree.parts
        for clock, other, kind in ((left, right, tree.kind), (right, left, FLIPPED.get(tree.kind, tree.kind))):
            moved = _read_clock(clock, limits)
            if moved is not None and not _names(other, CLOCK):
                for day in _list_branches(other):
                    yield from _write_days(Writer(limits).write(day), moved, CHANGES[kind])
                return
    if tree.kind == "column":
        raise NotTold
    for part in tree.parts:
        yield from _find_days(part, limits)


def _names(tree: Tree, names: frozenset[str]) -> bool:
    return any(part.kind == "column" and part.word in names for part in tree.walk())


def _read_clock(tree: Tree, limits: Mapping[str, Limit]) -> tuple[tuple[int, Duration], ...] | None:
    """Return by how much a tree moves the date, 1 for on and -1 for back; None where it is anything else."""
    if tree.kind == "paren":
        return _read_clock(tree.parts[0], limits)
    if tree.kind == "column" and tree.word == "as_at":
        return ()
    if tree.kind not in ("add", "sub"):
        return None
    clock, by = tree.parts
    if tree.kind == "add" and not _names(clock, CLOCK):
        clock, by = by, clock
    moved, duration = _read_clock(clock, limits), _read_duration(by, limits)
    if moved is None or duration is None or duration.unit == "working day":
        return None
    return (*moved, (1 if tree.kind == "add" else -1, duration))


def _read_duration(tree: Tree, limits: Mapping[str, Limit]) -> Duration | None:
    number = limits.get(tree.word) if tree.kind == "column" else tree.word if tree.kind == "number" else None
    if isinstance(number, int) or (isinstance(number, str) and number.isdecimal()):
        return Duration(int(number), "day")
    return Writer(limits).read_duration(tree)


def _list_branches(tree: Tree) -> Iterator[Tree]:
    """Give each day that a tree may stand for at one age or another."""
    if not _names(tree, OF_AGE):
        yield tree
    elif tree.kind == "case":
        *branches, last = tree.parts
        for part in (*branches[1::2], last):
            yield from _list_branches(part)
    elif not tree.parts:
        raise NotTold
    else:
        place = next(n for n, part in enumerate(tree.parts) if _names(part, OF_AGE))
        for branch in _list_branches(tree.parts[place]):
            yield from _list_branches(tree._replace(parts=(*tree.parts[:place], branch, *tree.parts[place + 1 :])))


def _write_days(day: str, moved: tuple[tuple[int, Duration], ...], after: tuple[int, ...]) -> Iterator[str]:
    """Write the days on which the date, moved so, passes a day."""
    in_months = False
    for sign, duration in reversed(moved):
        in_months |= duration.unit in ("month", "year")
        day = f"CAST({day} {'-' if sign > 0 else '+'} INTERVAL '{duration.count}' {duration.unit} AS DATE)"
    for days in sorted({n + each for n in after for each in (MONTHS_DIFFER if in_months else (0,))}):
        yield f"{day} + {days}" if days else day
