"""One rule file: its keys, what each may hold, and the rule it makes."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from monitor.catalogue import columns
from monitor.durations import Limit, parse_limit
from monitor.errors import Problems
from monitor.rulebook.because import parse_wording
from monitor.rulebook.condition import Condition
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.ledger import LAW, find_provisions, name_basis, name_reference, open_ledger
from monitor.rulebook.rule import Example, Rule, sources_of
from monitor.rulebook.rule_keys import EXAMPLE_KEYS, KEYS, Reader, kind_of, no_column, read_text, read_toml
from monitor.rulebook.type_check import Binder, open_binder
from monitor.rulebook.wording import Wording
from monitor.words import did_you_mean

ROSTER_FACTS: Mapping[str, str] = {
    "present": "yes_no",
    "once_entitled": "yes_no",
    "once_accepted_as": "category",
    "accommodation_since": "date",
    "elsewhere_until": "date",
    "first_seen_on": "date",
    "unlisted": "yes_no",
}
"""What an example may give beside the catalogue's columns."""


def read_rule(path: Path) -> Rule:
    """Read the rule in a file; ``Problems`` lists everything wrong with it."""
    place = f"{path.parent.name}/{path.name}"
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", path.stem):
        raise Problems([f"{place}: name: a rule's id is lower-case words with hyphens, like contact-overdue.toml"])
    return _understand(place, path.stem, read_text(path, place))


@lru_cache(maxsize=500)
def _understand(place: str, name: str, text: str) -> Rule:
    """The rule that a text says; the service reads the same texts every night."""
    reader = Reader(place)
    values = reader.read_keys(read_toml(text, place), KEYS)
    _check_together(reader, values)
    _read_law(reader, values)
    values["limits"] = _read_limits(reader, values.get("limits", {}))
    values["examples"] = _read_examples(reader, values.get("examples", []))
    if "limits" in values:
        values.update(_read_conditions(reader, values, open_binder()))
    if reader.problems:
        raise Problems(reader.problems)
    frozen = {key: MappingProxyType(value) for key, value in values.items() if isinstance(value, dict)}
    return Rule(id=name, file=place, as_written=text, **{**values, **frozen})


def _check_together(reader: Reader, values: Mapping[str, Any]) -> None:
    if values.get("sensitive") and not values.get("shown_as"):
        reader.complain("shown_as", ["missing; a sensitive rule names the plain rule that messages show in its place"])
    if values.get("shown_as") and values.get("sensitive") is False:
        reader.complain("shown_as", ['only for a sensitive rule; say "sensitive = true" or leave it out'])
    begun, ended = values.get("effective_from"), values.get("effective_to")
    if begun and ended and ended < begun:
        reader.complain("effective_to", ["before effective_from; write the later date"])
    if values.get("cleared_by") and values.get("not_cleared_by"):
        reader.complain("not_cleared_by", ["stands beside cleared_by; leave one of them out"])


def _read_law(reader: Reader, values: dict[str, Any]) -> None:
    """Put the provisions in the place of their keys, and say the basis and the reference by them."""
    keys, reference = values.get("law", ()), values.get("reference")
    values["law"] = provisions = reader.attempt("law", find_provisions, keys, open_ledger()) or ()
    stands_on = keys or reference or (values.get("report") and values.get("basis") != LAW)
    if not stands_on and {"law", "reference", "report", "basis"} <= values.keys():
        reader.complain("reference", ["missing; say here what the rule stands on, or cite the ledger under law"])
    if "basis" in values:
        values["basis"] = name_basis(values["basis"], provisions)
    values["reference"] = name_reference(provisions, reference, values.get("report", ()))


def _read_limits(reader: Reader, given: Mapping[str, Any]) -> dict[str, Limit]:
    limits: dict[str, Limit] = {}
    for name, value in given.items():
        key = f"limits.{name[:60]}"
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
            reader.complain(key, ["not a name; write lower-case words with underscores, like review_within"])
        elif name in columns.BY_NAME or name in columns.DERIVED or name in ("due_on", "birthday", "blank"):
            reader.complain(key, ["is already the name of something else; call the limit by another"])
        else:
            # A limit that cannot be read still stands for its name, so that its uses are not complained of too.
            limit = reader.attempt(key, parse_limit, value)
            limits[name] = 0 if limit is None else limit
    return limits


def _read_conditions(reader: Reader, values: Mapping[str, Any], binder: Binder) -> dict[str, Any]:
    """The parsed conditions and wording, checked against each other and against ``needs`` and ``limits``."""
    limits: Mapping[str, Limit] = values["limits"]
    whole = not any(problem.startswith(f"{reader.place}: limits.") for problem in reader.problems)
    has_due_on = values.get("due_on") is not None
    parsed: dict[str, Any] = {"due_on": None}

    def parse(key: str, *, kind: str = "BOOLEAN", due_on: bool = False) -> Condition | None:
        if values.get(key) is None or not whole:
            return None
        condition = reader.attempt(key, parse_condition, values[key], limits, due_on=due_on)
        if condition is not None:
            reader.complain(key, binder.check(condition, limits, kind=kind))
        return condition  # type: ignore[no-any-return]

    parsed["applies_to"] = parse("applies_to")
    parsed["due_on"] = parse("due_on", kind="DATE")
    parsed["breach_if"] = parse("breach_if", due_on=has_due_on)
    conditions = {key: one for key, one in parsed.items() if isinstance(one, Condition)}
    complete = len(conditions) == 2 + has_due_on
    if "because" in values and whole:
        kinds = {"due_on": has_due_on, "sensitive": bool(values.get("sensitive"))}
        parsed["because"] = reader.attempt("because", parse_wording, values["because"], limits, **kinds)
    parsed["cleared_by"] = _read_cleared_by(reader, values.get("cleared_by", {}), limits, binder) if whole else {}
    if "needs" in values:
        _check_needs(reader, values["needs"], conditions, complete)
    if complete and parsed.get("because") is not None:
        _check_uses(reader, limits, conditions, parsed["because"])
    return parsed


def _check_uses(
    reader: Reader, limits: Mapping[str, Limit], conditions: Mapping[str, Condition], because: Wording
) -> None:
    used = {name for condition in conditions.values() for name in condition.names} | because.names
    for name in limits.keys() - used:
        reader.complain(f"limits.{name}", ["no condition uses it; use it or leave it out"])
    if "due_on" in conditions and "due_on" not in conditions["breach_if"].names:
        reader.complain("due_on", ['breach_if does not use it; write "due_on < as_at" there'])


def _check_needs(reader: Reader, needs: tuple[str, ...], conditions: Mapping[str, Condition], complete: bool) -> None:
    for key, condition in conditions.items():
        for tested in condition.blank_tests:
            if not tested & set(needs):
                unlisted = f"tests {' and '.join(sorted(tested))} for blank, but needs does not list it; list it there"
                remedy = f"or write blank({min(tested)}) where a cell that cannot be read should not count"
                reader.complain(key, [f"{unlisted}, {remedy}"])
    if complete:
        used = {column for condition in conditions.values() for column in sources_of(condition)}
        unused = [name for name in needs if name not in used]
        reader.complain("needs", [f'no condition uses "{name}"; leave it out or use it' for name in unused])


def _read_cleared_by(
    reader: Reader, given: Mapping[str, Any], limits: Mapping[str, Limit], binder: Binder
) -> dict[str, Condition]:
    cleared: dict[str, Condition] = {}
    for name, value in given.items():
        key = f"cleared_by.{name[:60]}"
        column = columns.BY_NAME.get(name)
        if column is None:
            reader.complain(key, [no_column(name)])
        elif not isinstance(value, str):
            reader.complain(key, [f'{kind_of(value)}; write an expression between quotation marks, like "as_at"'])
        else:
            condition = reader.attempt(key, parse_condition, value, limits, may_go_back=True)
            if condition is not None:
                reader.complain(key, binder.check(condition, limits, kind=column.duckdb_type))
                cleared[name] = condition
    return cleared


def _read_examples(reader: Reader, tables: list[dict[str, Any]]) -> tuple[Example, ...]:
    examples: list[Example] = []
    for number, table in enumerate(tables, start=1):
        name = table.get("name")
        within = f'examples "{name[:60]}": ' if isinstance(name, str) else f"examples {number}: "
        before = len(reader.problems)
        values = reader.read_keys(table, EXAMPLE_KEYS, within)
        if len(reader.problems) == before:
            example = Example(**values)
            for column, fault in check_given(example):
                reader.complain(f"{within}{column}", [fault])
            examples.append(example)
    names = [example.name for example in examples]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        reader.complain(f'examples "{twice[:60]}"', ["two have this name; give each its own"])
    return tuple(examples)


def check_given(example: Example) -> Iterable[tuple[str, str]]:
    """Return everything an example gives that no caseload could hold: the name and the fault."""
    for name, value in example.given.items():
        column = columns.BY_NAME.get(name)
        kind = column.kind if column else ROSTER_FACTS.get(name)
        if kind is None:
            yield f"given.{name[:60]}", _no_such_given(name)
        elif fault := _value_fault(kind, column, value, example.as_at):
            yield f"given.{name}", fault
    for name in sorted(set(example.unreadable) & set(example.not_supplied)):
        yield "not_supplied", f'"{name}" is unreadable too; it can be only one of them'
    for name in (*example.unreadable, *example.not_supplied):
        if name in example.given:
            yield f"given.{name}", "is also said to be unreadable or not supplied; it can be only one of them"


def _no_such_given(name: str) -> str:
    if name in columns.DERIVED:
        return "is worked out, not given; give what it is worked out from"
    return f'no column "{name[:60]}"' + (did_you_mean(name, [*columns.BY_NAME, *ROSTER_FACTS]) or "")


def _value_fault(kind: str, column: columns.Column | None, value: Any, as_at: date) -> str | None:
    if kind == "yes_no":
        return None if isinstance(value, bool) else f"{kind_of(value)}; write true or false"
    if kind == "date":
        return _date_fault(column, value, as_at)
    return _number_fault(column, value) if kind == "number" else _text_fault(column, value)


def _date_fault(column: columns.Column | None, value: Any, as_at: date) -> str | None:
    if type(value) is not date:
        return f"{kind_of(value)}; write a date without quotation marks, like 2026-01-31"
    if column and column.records_past and value > as_at:
        return "later than as_at, which would make it unreadable; list it under unreadable instead"
    return None


def _number_fault(column: columns.Column | None, value: Any) -> str | None:
    if type(value) is not int:
        return f"{kind_of(value)}; write a whole number"
    low, high = (column.lowest, column.highest) if column else (None, None)
    if (low is not None and value < low) or (high is not None and value > high):
        return f"{value} would be unreadable; it runs from {low} to {high}"
    return None


def _text_fault(column: columns.Column | None, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{kind_of(value)}; write text between quotation marks"
    codes = tuple(column.codes) if column else ("eligible", "relevant", "former relevant")
    if codes and value not in (*codes, "0"):
        return f'"{value[:40]}" is not one of {", ".join(codes)}{did_you_mean(value, codes)}'
    return None
