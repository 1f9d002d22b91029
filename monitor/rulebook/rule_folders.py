"""The rulebook from its folders: every rule file, adjusted by the config, checked all at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from monitor.config.settings import RuleSettings
from monitor.durations import Duration, Limit, LimitFault, kind, may_loosen, parse_limit, words
from monitor.errors import Problems
from monitor.rulebook.condition import Condition
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.covers import check_covers, link_covers
from monitor.rulebook.ledger import LAW
from monitor.rulebook.rule import Rule
from monitor.rulebook.rule_file import read_rule
from monitor.rulebook.rulebook import Rulebook
from monitor.rulebook.severity import SEVERITIES
from monitor.rulebook.type_check import Binder, open_binder
from monitor.words import did_you_mean


def load_rulebook(folders: Sequence[Path], settings: Mapping[str, RuleSettings]) -> Rulebook:
    """Load every rule of every folder, a later folder's beside an earlier's; ``Problems`` lists all that is wrong."""
    binder = open_binder()
    problems: list[str] = []
    rules: dict[str, Rule] = {}
    seen: dict[str, Path] = {}
    replaced: dict[str, Rule] = {}
    for path in _files(folders, problems):
        first = seen.setdefault(path.stem, path)
        try:
            rule = read_rule(path)
        except Problems as faults:
            problems.extend(faults.problems)
            continue
        problems.extend(_check_override(rule, path, first))
        if rule.id in rules:
            replaced[rule.id] = rules[rule.id]
        rules[rule.id] = rule
    problems.extend(_check_references(rules.values(), seen.keys()))
    adjusted: list[Rule] = []
    loosened = list(_own_versions(rules, replaced))
    for name in settings.keys() - seen.keys():
        remedy = did_you_mean(name, seen) or '; see "monitor rules list"'
        problems.append(f"config: rule.{name[:80]}: no such rule{remedy}")
    for rule in rules.values():
        changed, sentences = _adjust(rule, settings.get(rule.id, RuleSettings()), binder, problems)
        loosened.extend(sentences)
        if changed is not None:
            adjusted.append(changed)
    problems.extend(check_covers(adjusted) if not problems else ())
    if problems:
        raise Problems(problems)
    adjusted.sort(key=lambda rule: (SEVERITIES.index(rule.severity), rule.id))
    in_use = {rule.id for rule in adjusted}
    return Rulebook(link_covers(adjusted), tuple(sorted(rules.keys() - in_use)), tuple(loosened))


def _files(folders: Sequence[Path], problems: list[str]) -> Iterable[Path]:
    """The rule files in order; a name that begins with _ or . is not a rule."""
    for folder in folders:
        if not folder.is_dir():
            problems.append(f"config: rules: {folder.name}: no such folder; name a folder of rule files")
            continue
        found = sorted(path for path in folder.glob("*.toml") if path.name[0] not in "_.")
        if not found:
            problems.append(f"config: rules: {folder.name}: holds no rule file; name a folder that does")
        yield from found


def _check_override(rule: Rule, path: Path, first: Path) -> Iterable[str]:
    if path != first and not rule.overrides:
        remedy = 'choose another, or say "overrides = true" to use this one instead'
        yield f"{rule.file}: name: {first.parent.name}/{first.name} has the same id; {remedy}"
    if path == first and rule.overrides:
        yield f"{rule.file}: overrides: no earlier folder has this rule; leave it out, or check the file's name"


def _check_references(rules: Iterable[Rule], known: Iterable[str]) -> Iterable[str]:
    names = set(known)
    for rule in rules:
        for key, listed in (("folds", rule.folds), ("continues", rule.continues)):
            for name in listed:
                if name == rule.id:
                    yield f"{rule.file}: {key}: names the rule itself; leave it out"
                elif name not in names:
                    remedy = did_you_mean(name, names) or '; see "monitor rules list"'
                    yield f'{rule.file}: {key}: no rule "{name[:80]}"{remedy}'


def _own_versions(rules: Mapping[str, Rule], replaced: Mapping[str, Rule]) -> Iterable[str]:
    for name, earlier in sorted(replaced.items()):
        if earlier.is_law and _facts(rules[name]) != _facts(earlier):
            yield f"{_stands(earlier)}; this authority uses its own version of it."


def _facts(rule: Rule) -> tuple[object, ...]:
    """What a council's own version of a rule of law cannot change without every message saying so."""
    return (rule.meaning, rule.severity, rule.is_law, rule.status, rule.effective_from, rule.effective_to)


def _adjust(rule: Rule, settings: RuleSettings, binder: Binder, problems: list[str]) -> tuple[Rule | None, list[str]]:
    """The rule as the config wants it (None: switched off), and what that loosens, in sentences."""
    place = f"config: rule.{rule.id}"
    new = dict(_read_new_limits(rule, settings.limits, f"{place}.limits.", problems))
    changed = replace(
        rule, severity=settings.severity or rule.severity, limits=MappingProxyType({**rule.limits, **new})
    )
    loosened = list(_find_loosened(rule, changed)) if settings.enabled else ["it is not checked here"]
    sentences = []
    if rule.is_law and loosened:
        problems.extend(_check_signed(settings, rule, loosened, place))
        signed = f"{str(settings.reason).rstrip('. ')} (approved by {settings.approved_by})."
        sentences = [f"{_stands(rule)}; {what}: {signed}" for what in loosened]
    if not settings.enabled:
        return None, sentences
    if changed.limits != rule.limits:
        problems.extend(_check_adjusted(changed, binder, place))
    return changed, sentences


def _stands(rule: Rule) -> str:
    """What a message may call a rule that stands for law; beside the name of a limit, no cover would hide it."""
    called = "A rule that messages do not name" if rule.sensitive else f'"{rule.title}"'
    return f"{called} stands for a legal duty" + ("" if rule.basis == LAW else " that is to be confirmed")


def _find_loosened(rule: Rule, changed: Rule) -> Iterable[str]:
    """In what ways a rule asks less than the one it was made of."""
    if SEVERITIES.index(changed.severity) > SEVERITIES.index(rule.severity):
        yield f"its severity here is {changed.severity}, not {rule.severity}"
    for name, new in changed.limits.items():
        old = rule.limits[name]
        if may_loosen(old, new, is_deadline=_is_deadline(rule, name)):
            yield f"{name.replace('_', ' ')} is {words(new)} here, not {words(old)}"


def _check_signed(settings: RuleSettings, rule: Rule, loosened: Sequence[str], place: str) -> Iterable[str]:
    """Whether somebody answers for loosening a rule that stands for law."""
    for key, given in (("reason", settings.reason), ("approved_by", settings.approved_by)):
        if given is None:
            stands = "law" if rule.basis == LAW else "law that is to be confirmed"
            law = f"this rule stands for {stands} and {' and '.join(loosened)}"
            yield f"{place}.{key}: missing; {law}, which needs a reason and the name of whoever approved it"


def _read_new_limits(
    rule: Rule, given: Mapping[str, Any], place: str, problems: list[str]
) -> Iterable[tuple[str, Limit]]:
    """The limits given, each of a name and kind the rule has."""
    for name, value in given.items():
        key = f"{place}{name[:60]}"
        old = rule.limits.get(name)
        if old is None:
            has = f"; its limits are {', '.join(rule.limits)}" if rule.limits else "; the rule has none"
            problems.append(f"{key}: no such limit{did_you_mean(name, rule.limits) or has}")
            continue
        try:
            new = parse_limit(value)
        except LimitFault as fault:
            problems.append(f"{key}: {fault}")
            continue
        if kind(new) != kind(old):
            problems.append(f"{key}: is {kind(new)}; it must be {kind(old)}")
            continue
        yield name, new


def change_limits(rule: Rule, given: Mapping[str, Any], place: str) -> Rule:
    """Return the rule with other limits; ``Problems`` lists what is wrong with them, each after ``place``."""
    problems: list[str] = []
    new = dict(_read_new_limits(rule, given, place, problems))
    changed = replace(rule, limits=MappingProxyType({**rule.limits, **new}))
    if new:
        problems.extend(_check_adjusted(changed, open_binder(), place))
    if problems:
        raise Problems(problems)
    return changed


def add_file(rulebook: Rulebook, path: Path) -> tuple[Rulebook, Rule]:
    """Return the rulebook with the rule of one more file, in the place of one of the same id; and that rule."""
    rule = read_rule(path)
    others = [other for other in rulebook.rules if other.id != rule.id]
    known = {other.id for other in (rule, *others)} | set(rulebook.switched_off)
    if problems := [*_check_references([rule], known), *check_covers((rule, *others))]:
        raise Problems(problems)
    linked = link_covers((rule, *others))
    return replace(rulebook, rules=linked), linked[0]


def _is_deadline(rule: Rule, limit: str) -> bool:
    """Whether a longer duration only ever makes a breach begin later."""
    return isinstance(rule.limits[limit], Duration) and limit not in rule.applies_to.names


def _check_adjusted(rule: Rule, binder: Binder, place: str) -> Iterable[str]:
    """What the new limits would break in conditions that were right with the old."""
    asked: list[tuple[Condition | None, str]] = [
        (rule.applies_to, "BOOLEAN"), (rule.due_on, "DATE"), (rule.breach_if, "BOOLEAN")
    ]  # fmt: skip
    for condition, wanted in asked:
        if condition is None:
            continue
        try:
            parsed: Any = parse_condition(condition.text, rule.limits, due_on=rule.due_on is not None)
        except Problems as faults:
            yield from (f"{place}.limits: {fault}" for fault in faults.problems)
            continue
        yield from (f"{place}.limits: {fault}" for fault in binder.check(parsed, rule.limits, kind=wanted))
