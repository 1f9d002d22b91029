"""The inspection report beside the rulebook: what each paragraph says, which rules ask about it, or why none does."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.rulebook.ledger import REPORT
from monitor.rulebook.rule_keys import read_text, read_toml
from monitor.rulebook.rulebook import Rulebook

FIRST, LAST = 28, 54
"""The paragraphs about care leavers and about leadership."""

NOT_RULES, IN_FEW_WORDS = "_not-rules.toml", "_report.toml"
Keys = Mapping[str, frozenset[str]]
KEYS: Keys = {"paragraph": frozenset({"number", "why"}), "part": frozenset({"number", "what", "why"})}
GIST_KEYS: Keys = {"paragraph": frozenset({"number", "about"})}


@dataclass(frozen=True)
class AskedRule:
    """One rule that asks about a paragraph; ``standing`` says if it is not asked here (a draft, switched off), and
    ``unasked`` why nobody could be asked it.
    """

    rule: str
    title: str
    standing: str | None = None
    unasked: str | None = None


@dataclass(frozen=True)
class Paragraph:
    """One paragraph: its rules; why it has none; and the parts of it that no rule asks, each with its reason.

    ``about``: what it says, in a few words of our own, so that the rules beside it can be checked.
    """

    number: int
    about: str
    rules: tuple[AskedRule, ...]
    why_none: str | None
    parts: tuple[tuple[str, str], ...]

    @property
    def nobody_asked(self) -> bool:
        """Return whether it has rules, and nobody could be asked any of them."""
        return bool(self.rules) and all(rule.standing or rule.unasked for rule in self.rules)

    @property
    def is_covered(self) -> bool:
        return bool(self.rules or self.why_none)

    def as_dict(self) -> dict[str, Any]:
        return {
            "report": REPORT,
            "paragraph": self.number,
            "about": self.about,
            "rules": [
                {"id": one.rule, "title": one.title, "standing": one.standing, "unasked": one.unasked}
                for one in self.rules
            ],
            "nobody_asked": self.nobody_asked,
            "why_none": self.why_none,
            "not_asked": [{"what": what, "why": why} for what, why in self.parts],
        }


def draw(
    rulebook: Rulebook,
    folders: Sequence[Path],
    switched_off: Collection[str] = (),
    unasked: Mapping[str, str] | None = None,
) -> tuple[Paragraph, ...]:
    """Draw every paragraph from 28 to 54, with what the rule folders say of those that no rule asks about.

    ``unasked``: the rules that nobody could be asked, each with the reason.
    """
    reasons: dict[int, str] = {}
    parts: dict[int, list[tuple[str, str]]] = {}
    problems: list[str] = []
    for folder in folders:
        path = folder / NOT_RULES
        for kind, entry in _entries(path, KEYS, problems) if path.is_file() else ():
            if kind == "paragraph":
                reasons[entry["number"]] = entry["why"]
            else:
                parts.setdefault(entry["number"], []).append((entry["what"], entry["why"]))
    gists = {
        entry["number"]: entry["about"] for _, entry in _entries(shipped("rules") / IN_FEW_WORDS, GIST_KEYS, problems)
    }
    if problems:
        raise Problems(problems)
    return tuple(
        Paragraph(
            number,
            " ".join(gists[number].split()),
            _asked(rulebook, number, switched_off, unasked or {}),
            reasons.get(number),
            tuple(parts.get(number, ())),
        )
        for number in range(FIRST, LAST + 1)
    )


def _asked(
    rulebook: Rulebook, number: int, switched_off: Collection[str], unasked: Mapping[str, str]
) -> tuple[AskedRule, ...]:
    asking = [rule for rule in rulebook.rules if number in rule.report]
    here = {rule.id: "switched off" if rule.id in switched_off else rule.status for rule in asking}
    standing = {rule: None if word == "live" else word for rule, word in here.items()}
    return tuple(
        AskedRule(rule.id, rule.title, standing[rule.id], None if standing[rule.id] else unasked.get(rule.id))
        for rule in asking
    )


def _entries(path: Path, keys: Keys, problems: list[str]) -> Iterable[tuple[str, dict[str, Any]]]:
    place = f"{path.parent.name}/{path.name}"
    tables = read_toml(read_text(path, place), place)
    for kind, entries in tables.items():
        if kind not in keys or not isinstance(entries, list):
            problems.append(f"{place}: {kind[:60]}: no such table; write [[{']] or [['.join(keys)}]]")
            continue
        for n, entry in enumerate(entries, start=1):
            if fault := _fault(keys[kind], entry):
                problems.append(f"{place}: {kind} {n}: {fault}")
            else:
                yield kind, entry


def _fault(keys: frozenset[str], entry: Any) -> str | None:
    if not isinstance(entry, dict) or entry.keys() != keys:
        return f"its keys must be {', '.join(sorted(keys))}"
    if type(entry["number"]) is not int or not FIRST <= entry["number"] <= LAST:
        return f"number: not a paragraph from {FIRST} to {LAST}"
    empty = [key for key in sorted(keys) if key != "number" and not str(entry[key]).strip()]
    return f"{empty[0]}: empty; say it in a sentence" if empty else None
