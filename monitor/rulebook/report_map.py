"""The inspection report beside the rulebook: which rules ask about each paragraph, and why none asks about some."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import Problems
from monitor.rulebook.rule_keys import read_text, read_toml
from monitor.rulebook.rulebook import Rulebook

FIRST, LAST = 28, 54
"""The paragraphs about care leavers and about leadership."""

NOT_RULES = "_not-rules.toml"
KEYS: Mapping[str, frozenset[str]] = {
    "paragraph": frozenset({"number", "why"}),
    "part": frozenset({"number", "what", "why"}),
}


@dataclass(frozen=True)
class AskedRule:
    """One rule that asks about a paragraph; ``standing`` says if it is not asked here (a draft, switched off)."""

    rule: str
    title: str
    standing: str | None = None


@dataclass(frozen=True)
class Paragraph:
    """One paragraph: its rules; why it has none; and the parts of it that no rule asks, each with its reason."""

    number: int
    rules: tuple[AskedRule, ...]
    why_none: str | None
    parts: tuple[tuple[str, str], ...]

    @property
    def is_covered(self) -> bool:
        return bool(self.rules or self.why_none)

    def as_dict(self) -> dict[str, Any]:
        return {
            "paragraph": self.number,
            "rules": [{"id": one.rule, "title": one.title, "standing": one.standing} for one in self.rules],
            "why_none": self.why_none,
            "not_asked": [{"what": what, "why": why} for what, why in self.parts],
        }


def draw(rulebook: Rulebook, folders: Sequence[Path], switched_off: Collection[str] = ()) -> tuple[Paragraph, ...]:
    """Draw every paragraph from 28 to 54, with what the rule folders say of those that no rule asks about."""
    reasons: dict[int, str] = {}
    parts: dict[int, list[tuple[str, str]]] = {}
    problems: list[str] = []
    for folder in folders:
        path = folder / NOT_RULES
        for kind, entry in _entries(path, problems) if path.is_file() else ():
            if kind == "paragraph":
                reasons[entry["number"]] = entry["why"]
            else:
                parts.setdefault(entry["number"], []).append((entry["what"], entry["why"]))
    if problems:
        raise Problems(problems)
    return tuple(
        Paragraph(number, _asked(rulebook, number, switched_off), reasons.get(number), tuple(parts.get(number, ())))
        for number in range(FIRST, LAST + 1)
    )


def _asked(rulebook: Rulebook, number: int, switched_off: Collection[str]) -> tuple[AskedRule, ...]:
    asking = [rule for rule in rulebook.rules if number in rule.report]
    here = {rule.id: "switched off" if rule.id in switched_off else rule.status for rule in asking}
    return tuple(AskedRule(rule.id, rule.title, None if here[rule.id] == "live" else here[rule.id]) for rule in asking)


def _entries(path: Path, problems: list[str]) -> Iterable[tuple[str, dict[str, Any]]]:
    place = f"{path.parent.name}/{path.name}"
    tables = read_toml(read_text(path, place), place)
    for kind, entries in tables.items():
        if kind not in KEYS or not isinstance(entries, list):
            problems.append(f"{place}: {kind[:60]}: no such table; write [[paragraph]] or [[part]]")
            continue
        for n, entry in enumerate(entries, start=1):
            if fault := _fault(kind, entry):
                problems.append(f"{place}: {kind} {n}: {fault}")
            else:
                yield kind, entry


def _fault(kind: str, entry: Any) -> str | None:
    keys = ", ".join(sorted(KEYS[kind]))
    if not isinstance(entry, dict) or entry.keys() != KEYS[kind]:
        return f"its keys must be {keys}"
    if type(entry["number"]) is not int or not FIRST <= entry["number"] <= LAST:
        return f"number: not a paragraph from {FIRST} to {LAST}"
    empty = [key for key in keys.split(", ") if key != "number" and not str(entry[key]).strip()]
    return f"{empty[0]}: empty; say it in a sentence" if empty else None
