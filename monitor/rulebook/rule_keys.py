"""The keys of a rule file: what each may hold, and reading them with every problem collected."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from monitor.catalogue import columns
from monitor.durations import LimitFault
from monitor.errors import Problems
from monitor.rulebook.severity import SEVERITIES
from monitor.words import did_you_mean

BASES = ("law", "guidance", "return", "practice", "report")
OUTCOMES = ("ok", "breach", "not applicable", "cannot assess")
NOT_ASKED = "not asked"
LARGEST_FILE = 200_000

# A check returns the value to keep, or raises with the fault and the remedy.


class KeyFault(ValueError):
    """What is wrong with one key's value and what would be right, without its place."""


def _line(value: Any) -> str:
    text = _text(value)
    if len(text) > 300:
        raise KeyFault(f"{len(text)} characters long; at most 300")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise KeyFault(f"{kind_of(value)}; write text between quotation marks")
    text = " ".join(value.split())
    if not text:
        raise KeyFault("empty; write a line of text")
    if any(ord(character) < 32 for character in text):
        raise KeyFault("holds a control character; write plain text")
    return text


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise KeyFault(f"{kind_of(value)}; write true or false, without quotation marks")
    return value


def _one_of(*known: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in known:
            shown = f'"{value[:40]}"' if isinstance(value, str) else kind_of(value)
            close = did_you_mean(value, known) if isinstance(value, str) else ""
            raise KeyFault(f"{shown} is not one of {', '.join(known)}{close}")
        return str(value)

    return check


def _list(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise KeyFault(f'{kind_of(value)}; write a list of names, like ["neet"]')
    if twice := sorted({item for item in value if value.count(item) > 1}):
        raise KeyFault(f'"{twice[0]}" stands there twice; leave one out')
    return tuple(value)


def _column_list(value: Any) -> tuple[str, ...]:
    names = _list(value)
    if faults := [no_column(name) for name in names if name not in columns.BY_NAME]:
        raise Problems(faults)
    return names


def no_column(name: str) -> str:
    return f'no column "{name[:60]}"' + (did_you_mean(name, columns.BY_NAME) or '; see "monitor columns"')


def _paragraphs(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise KeyFault(f"{kind_of(value)}; write a list of paragraph numbers, like [32, 50]")
    if beyond := [number for number in value if not 1 <= number <= 54]:
        raise KeyFault(f"{beyond[0]} is not a paragraph of the report; they run from 1 to 54")
    return tuple(value)


def _date(value: Any) -> date:
    if type(value) is not date:
        raise KeyFault(f"{kind_of(value)}; write a date without quotation marks, like 2026-01-31")
    return value


def _reasons(value: Any) -> Mapping[str, str]:
    outcomes = _table(value)
    if faults := [f'"{name[:40]}" is not one of {", ".join(OUTCOMES)}' for name in outcomes if name not in OUTCOMES]:
        raise Problems(faults)
    return {name: _text(reason) for name, reason in outcomes.items()}


def _weak_mutants(value: Any) -> Mapping[str, str]:
    tables: list[Any] = value if isinstance(value, list) else [None]
    if not all(isinstance(one, dict) and one.keys() == {"mutant", "reason"} for one in tables):
        raise KeyFault("not a list of mutants; write [[weak_mutants]] with mutant and reason")
    return {_text(one["mutant"]): _text(one["reason"]) for one in tables}


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise KeyFault(f'{kind_of(value)}; write a table, like {{ name = "value" }}')
    return value


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise KeyFault(f"{kind_of(value)}; write each one under [[examples]]")
    return value


def kind_of(value: Any) -> str:
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return {**kinds, dict: "a table", date: "a date"}.get(type(value), "a time")


REQUIRED = object()
KEYS: Mapping[str, tuple[Callable[[Any], Any], Any]] = {
    "title": (_line, REQUIRED),
    "severity": (_one_of(*SEVERITIES), REQUIRED),
    "basis": (_one_of(*BASES), REQUIRED),
    "law": (_list, ()),
    "reference": (_text, None),
    "report": (_paragraphs, ()),
    "why": (_text, REQUIRED),
    "action": (_text, REQUIRED),
    "known_gaps": (_text, ""),
    "needs": (_column_list, ()),
    "applies_to": (_text, REQUIRED),
    "due_on": (_text, None),
    "breach_if": (_text, REQUIRED),
    "because": (_text, REQUIRED),
    "cleared_by": (_table, {}),
    "not_cleared_by": (_text, None),
    "limits": (_table, {}),
    "examples": (_tables, []),
    "sensitive": (_flag, False),
    "shown_as": (_line, None),
    "folds": (_list, ()),
    "continues": (_list, ()),
    "any_age": (_flag, False),
    "asks_absent": (_flag, False),
    "asks_unlisted": (_flag, False),
    "escalate": (_flag, True),
    "overrides": (_flag, False),
    "recording": (_flag, False),
    "status": (_one_of("live", "draft"), "live"),
    "effective_from": (_date, None),
    "effective_to": (_date, None),
    "cannot_exist": (_reasons, {}),
    "weak_mutants": (_weak_mutants, {}),
}
EXAMPLE_KEYS: Mapping[str, tuple[Callable[[Any], Any], Any]] = {
    "name": (_line, REQUIRED),
    "as_at": (_date, REQUIRED),
    "given": (_table, {}),
    "expect": (_one_of(*OUTCOMES, NOT_ASKED), REQUIRED),
    "unreadable": (_column_list, ()),
    "not_supplied": (_column_list, ()),
}


class Reader:
    """Collects every problem of one file; a key that is wrong is left out of what is read."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.problems: list[str] = []

    def complain(self, key: str, faults: Iterable[str]) -> None:
        self.problems.extend(f"{self.place}: {key}: {fault}" for fault in faults)

    def read_keys(
        self, found: Mapping[str, Any], keys: Mapping[str, tuple[Callable[[Any], Any], Any]], within: str = ""
    ) -> dict[str, Any]:
        """Return the checked value of every key that is right or may be left out."""
        for key in found.keys() - keys.keys():
            remedy = did_you_mean(key, keys) or f"; the keys are {', '.join(keys)}"
            self.complain(within + key[:60], [f"no such key{remedy}"])
        values: dict[str, Any] = {}
        for key, (check, default) in keys.items():
            if key not in found:
                if default is REQUIRED:
                    self.complain(within + key, ["missing; every rule has one" if not within else "missing"])
                else:
                    values[key] = default
                continue
            before = len(self.problems)
            value = self.attempt(within + key, check, found[key])
            if len(self.problems) == before:
                values[key] = value
        return values

    def attempt(self, key: str, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Return what ``work`` returns; None, and its faults collected, if it finds any."""
        try:
            return work(*given, **named)
        except Problems as faults:
            self.complain(key, faults.problems)
        except (KeyFault, LimitFault) as fault:
            self.complain(key, [str(fault)])
        return None


def read_text(path: Path, place: str) -> str:
    """Read a rule file's text; ``Problems`` says why there is none."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Problems([f"{place}: over {LARGEST_FILE // 1000} kB; a rule file is a page of text"])
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise Problems([f"{place}: cannot be opened ({fault.strerror}); check that it is a file"]) from None
    except UnicodeDecodeError as fault:
        raise Problems([f"{place}: byte {fault.start}: not UTF-8 text; save the file as UTF-8"]) from None


def read_toml(text: str, place: str) -> dict[str, Any]:
    """Read a rule file's keys; ``Problems`` names the line and column of a fault in its syntax."""
    try:
        return tomllib.loads(text)
    except ValueError as fault:  # also a number of more digits than Python reads
        parts = re.fullmatch(r"(.*) \(at (line \d+, column \d+|end of document)\)", str(fault), re.DOTALL)
        what, where = (parts[1], parts[2]) if parts else (str(fault), "somewhere")
        raise Problems([f"{place}: {where}: not TOML ({what[:1].lower() + what[1:]}); put it right there"]) from None
    except RecursionError:
        raise Problems([f"{place}: lists or tables too deep; a rule file is a page of text"]) from None
