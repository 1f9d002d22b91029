"""What may be said of a flag to a reader outside the case system: the one place that asks if a rule is sensitive.

A sensitive rule is shown as a plain one, its *cover*: the cover's title and next step, and a due day where the cover
has one. Of the cover itself no more is said, so that nothing in a message tells the two apart.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeVar

from monitor.catalogue.columns import BY_NAME
from monitor.words import one_line, write_date

Value = TypeVar("Value")


class RuleWords(Protocol):
    """What a message needs to know of a rule."""

    @property
    def title(self) -> str: ...
    @property
    def sensitive(self) -> bool: ...
    @property
    def shown_as(self) -> str | None: ...
    @property
    def stands_for(self) -> Collection[str]: ...
    @property
    def due_on(self) -> object | None: ...
    @property
    def action(self) -> str: ...
    @property
    def folds(self) -> Collection[str]: ...


Rules = Mapping[str, RuleWords]


class RuleReads(RuleWords, Protocol):
    """What a message needs to know of a rule to tell what the record said before."""

    @property
    def needs(self) -> Sequence[str]: ...


class FlagWords(Protocol):
    """What there is to say of a flag."""

    @property
    def rule(self) -> str: ...
    @property
    def because(self) -> str: ...
    @property
    def due_on(self) -> date | None: ...


class PersonFlag(Protocol):
    """A flag of somebody."""

    @property
    def person_id(self) -> str: ...
    @property
    def rule(self) -> str: ...


Line = TypeVar("Line", bound=PersonFlag)


@dataclass(frozen=True, slots=True)
class Shown:
    """A flag as a reader may see it; None is not said. Each kind of reader has its own words for None."""

    in_full: bool
    rule: str | None
    title: str | None
    because: str | None
    action: str | None
    due_on: date | None

    def if_full(self, value: Value) -> Value | None:
        """Return what is said only of a flag that is shown in full, such as its answer; else None."""
        return value if self.in_full else None


def is_plain(rule: RuleWords) -> bool:
    """Return whether everything may be said of a rule: it is not sensitive, and stands for no other."""
    return not rule.sensitive and not rule.stands_for


def tells_all(rules: Rules, rule_id: str) -> bool:
    """Return whether a message says everything of a flag of this rule."""
    rule = rules.get(rule_id)
    return rule is not None and is_plain(rule)


def shown(rules: Rules, flag: FlagWords) -> Shown:
    """Return what may be said of ``flag``: everything of a plain rule that stands for no other.

    A rule no longer in the rulebook is a due date, because nobody knows whether it was sensitive.
    """
    rule = rules.get(flag.rule)
    if rule is None:
        return Shown(False, None, None, None, None, flag.due_on)
    if is_plain(rule):
        return Shown(True, flag.rule, rule.title, flag.because, rule.action, flag.due_on)
    cover = _find_cover(rules, rule)
    if cover is None:
        return Shown(False, None, None, None, None, None)
    return Shown(False, None, cover.title, None, cover.action, None if cover.due_on is None else flag.due_on)


def shown_title(rules: Rules, rule_id: str) -> str | None:
    """Return what a message may call a rule; None for one no longer in the rulebook."""
    rule = rules.get(rule_id)
    cover = _find_cover(rules, rule) if rule is not None else None
    return None if cover is None else cover.title


def shown_id(rules: Rules, rule_id: str) -> str:
    """Return the id of the plain rule that a message shows a rule as; its own, where it is plain or gone."""
    rule = rules.get(rule_id)
    return rule.shown_as if rule is not None and rule.shown_as else rule_id


def shown_folds(rules: Rules, rule_id: str) -> Collection[str]:
    """Return the rules that a message shows inside this one: for all that are shown alike, the same."""
    alike = _find_alike(rules, rule_id)
    folded = {each for one in alike if one in rules for each in rules[one].folds}
    return {each for one in folded for each in _find_alike(rules, one)}.difference(alike)


def _find_alike(rules: Rules, rule_id: str) -> tuple[str, ...]:
    """The rules that are shown as this one is, itself among them."""
    cover_id = shown_id(rules, rule_id)
    cover = rules.get(cover_id)
    return (cover_id, *cover.stands_for) if cover is not None and cover.stands_for else (rule_id,)


def find_alike(rules: Rules) -> frozenset[str]:
    """Return the rules that a message shows as another, and those others."""
    return frozenset(name for name, rule in rules.items() if rule.shown_as or rule.stands_for)


def show_once(rules: Rules, lines: Iterable[Line], first: Callable[[Line], object]) -> list[Line]:
    """Return the lines without those that would say of a person what another says: two alike would tell of a cover.

    ``first``: which of several is kept, as for ``min``.
    """
    lines = list(lines)
    kept: dict[tuple[str, str], Line] = {}
    for line in lines:
        rule = rules.get(line.rule)
        if rule is not None and (rule.shown_as or rule.stands_for):
            key = line.person_id, shown_id(rules, line.rule)
            kept[key] = min(kept.get(key, line), line, key=first)  # type: ignore[arg-type]
    if not kept:
        return lines
    return [line for line in lines if kept.get((line.person_id, shown_id(rules, line.rule)), line) is line]


TELLABLE: Mapping[str, Collection[object] | None] = {
    # Not custody, nor a home that may be of the health service, nor who has gone abroad or was deported.
    "accommodation": frozenset("BDEKRSTUVWYZ"),
    "accommodation_suitable": None,
    # Not death, nor who refuses or no longer wants services, nor who went home.
    "in_touch": frozenset(("YES", "NO")),
    "personal_adviser": None,
    "pathway_plan_review_date": None,
    "latest_contact_date": None,
}
"""The columns of which a message may tell what stood there before, and the codes of which it may; None: any value."""


def tell_before(rule: RuleReads, before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words what stood on the record before in the columns that a plain rule needs, where that has changed.

    ``before`` and ``now`` by column, None for blank; a column without a key is not known. An earlier value is told
    only where that and the present one may both be told, and never of a rule that is sensitive or stands for one.
    """
    if not is_plain(rule):
        return ()
    columns = (column for column in rule.needs if column in TELLABLE and column in before and column in now)
    return tuple(
        _write_value(column, before[column])
        for column in columns
        if before[column] is not None
        and before[column] != now[column]
        and _may_tell(column, before[column])
        and (now[column] is None or _may_tell(column, now[column]))
    )


def _may_tell(column: str, value: object) -> bool:
    allowed = TELLABLE[column]
    return allowed is None or value in allowed


def _write_value(column: str, value: Any) -> str:
    known = BY_NAME[column]
    if known.kind == "yes_no":
        return "suitable" if value else "not suitable"
    if known.kind == "date":
        return write_date(date.fromisoformat(value))
    meaning = known.codes.get(value) if known.codes else None
    return meaning[:1].lower() + meaning[1:] if meaning else one_line(value)


def pass_rule(rule: RuleWords) -> tuple[object, ...]:
    """Return what this module needs of a rule, in the order of ``RuleWords``, for who may know no more of it."""
    title, action = ("", "") if rule.sensitive else (rule.title, rule.action)
    has_due_day = True if rule.due_on is not None else None
    return title, rule.sensitive, rule.shown_as, tuple(rule.stands_for), has_due_day, action, tuple(rule.folds)


def _find_cover(rules: Rules, rule: RuleWords) -> RuleWords | None:
    """The plain rule that is shown for this one: itself, where it is plain."""
    if not rule.sensitive:
        return rule
    cover = rules.get(rule.shown_as or "")
    return cover if cover is not None and not cover.sensitive else None
