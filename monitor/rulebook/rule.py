"""A rule as it is once checked: whom it asks, what it finds, and what is said of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from monitor.catalogue.derived import WORKED_OUT_FROM
from monitor.durations import Limit, words
from monitor.rulebook.condition import Condition
from monitor.rulebook.ledger import LAW, UNCONFIRMED, Provision
from monitor.rulebook.wording import Wording


@dataclass(frozen=True)
class Example:
    """One invented person and the outcome expected; what is not given is blank."""

    name: str
    as_at: date
    expect: str
    given: Mapping[str, Any] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    not_supplied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule, checked; ``limits`` and ``severity`` are those in force here."""

    id: str
    file: str
    as_written: str
    title: str
    severity: str
    basis: str
    """As lists and reports say it: "law" only where every provision it cites was read, else "law, to be confirmed"."""
    law: tuple[Provision, ...]
    reference: str
    """What it stands on, in words, computed from ``law``, its own words and ``report``."""
    report: tuple[int, ...]
    why: str
    action: str
    known_gaps: str
    needs: tuple[str, ...]
    applies_to: Condition
    due_on: Condition | None
    breach_if: Condition
    because: Wording
    cleared_by: Mapping[str, Condition]
    not_cleared_by: str | None
    limits: Mapping[str, Limit]
    examples: tuple[Example, ...]
    sensitive: bool
    shown_as: str | None
    """The plain rule that stands for it in every message, where it is sensitive."""
    folds: tuple[str, ...]
    continues: tuple[str, ...]
    any_age: bool
    asks_absent: bool
    asks_unlisted: bool
    escalate: bool
    overrides: bool
    recording: bool
    """What it finds may say more of how the service records than of anybody."""
    status: str
    effective_from: date | None
    effective_to: date | None
    cannot_exist: Mapping[str, str]
    weak_mutants: Mapping[str, str]
    stands_for: tuple[str, ...] = ()
    """The sensitive rules that are shown as this one, so that nothing more may be said of it than of them."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return the conditions its answer rests on."""
        return (self.applies_to, self.breach_if, *([self.due_on] if self.due_on else []))

    @property
    def is_law(self) -> bool:
        """Return whether it stands for a duty in law, confirmed or not, so that loosening it needs a reason."""
        return self.basis in (LAW, UNCONFIRMED)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return every recorded column its answer rests on, those it needs first."""
        rest = {column for condition in self.conditions for column in sources_of(condition)}
        return (*self.needs, *sorted(rest - set(self.needs)))

    @cached_property
    def meaning(self) -> str:
        """Return a fingerprint of what it asks: conditions, limits, whom and what it needs; not of its wording."""
        asked = {
            "applies_to": self.applies_to.meaning,
            "due_on": self.due_on.meaning if self.due_on else None,
            "breach_if": self.breach_if.meaning,
            "limits": {name: words(limit) for name, limit in sorted(self.limits.items())},
            "needs": sorted(self.needs),
            "any_age": self.any_age,
            "asks_absent": self.asks_absent,
            "asks_unlisted": self.asks_unlisted,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]

    def is_in_force(self, as_at: date) -> bool:
        """Return whether it is live and ``as_at`` is within its dates."""
        begun = self.effective_from is None or self.effective_from <= as_at
        return self.status == "live" and begun and (self.effective_to is None or as_at <= self.effective_to)


def sources_of(condition: Condition) -> frozenset[str]:
    """Return the recorded columns a condition rests on, by name or through a derived column."""
    used = condition.names | condition.functions
    return condition.columns | {column for name in used for column in WORKED_OUT_FROM.get(name, ())}
