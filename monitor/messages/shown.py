"""What may be said of a flag to a reader outside the case system: the one place that asks if a rule is sensitive."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

Value = TypeVar("Value")


class RuleWords(Protocol):
    """What a message needs to know of a rule."""

    @property
    def title(self) -> str: ...
    @property
    def email_title(self) -> str | None: ...
    @property
    def sensitive(self) -> bool: ...
    @property
    def action(self) -> str: ...
    @property
    def folds(self) -> Collection[str]: ...


class FlagWords(Protocol):
    """What there is to say of a flag."""

    @property
    def rule(self) -> str: ...
    @property
    def because(self) -> str: ...
    @property
    def due_on(self) -> date | None: ...


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


def shown(rule: RuleWords | None, flag: FlagWords) -> Shown:
    """Return what may be said of ``flag``.

    A sensitive rule is its e-mail title and its due date and no more: its id, reason and next step may disclose.
    A rule no longer in the rulebook (None) is a due date, because nobody knows whether it was sensitive.
    """
    title = shown_title(rule)
    if rule is None or rule.sensitive:
        return Shown(False, None, title, None, None, flag.due_on)
    return Shown(True, flag.rule, title, flag.because, rule.action, flag.due_on)


def shown_title(rule: RuleWords | None) -> str | None:
    """Return what a message may call a rule; None for one no longer in the rulebook."""
    if rule is None:
        return None
    return rule.email_title if rule.sensitive else rule.title
