"""The rulebook: the checked rules in use, and how one is found."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType

from monitor.errors import Problems
from monitor.rulebook.rule import Rule
from monitor.words import did_you_mean


@dataclass(frozen=True)
class Rulebook:
    """The rules in use, most severe first, then by id.

    ``switched_off``: ids the config has switched off. ``adjustments``: a sentence for every way in which a
    rule that stands for law has been loosened here, fit for any message.
    """

    rules: tuple[Rule, ...]
    switched_off: tuple[str, ...] = ()
    adjustments: tuple[str, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Rule]:
        return MappingProxyType({rule.id: rule for rule in self.rules})

    @cached_property
    def fingerprint(self) -> str:
        """Return what changes when any flag could come out differently; not when only words do."""
        facts = [
            [rule.id, rule.meaning, rule.severity, rule.status, str(rule.effective_from), str(rule.effective_to),
             list(rule.continues)]
            for rule in sorted(self.rules, key=lambda rule: rule.id)
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def in_force(self, as_at: date) -> tuple[Rule, ...]:
        """Return the rules asked on a date: live, and within their dates."""
        return tuple(rule for rule in self.rules if rule.is_in_force(as_at))

    def find(self, rule: str) -> Rule:
        """Return the rule with that id; ``Problems`` names the nearest."""
        known = self.by_id.get(rule)
        if known is None:
            off = "; the config switches it off" if rule in self.switched_off else ""
            remedy = off or did_you_mean(rule, self.by_id) or '; see "monitor rules list"'
            raise Problems([f"{rule[:80]}: no such rule{remedy}"])
        return known
