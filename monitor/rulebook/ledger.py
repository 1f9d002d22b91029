"""The ledger of law: the provisions that rules stand on, and how sure each is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.rulebook.rule_keys import read_text, read_toml
from monitor.words import did_you_mean, join_words

LEDGER = "_law.toml"
GRADES: Mapping[str, str] = {
    "A": "its words were read",
    "B": "well known; its words were not read",
    "C": "general knowledge; not read",
}
CONFIRMED = "A"
LAW, UNCONFIRMED = "law", "law, to be confirmed"
REPORT = "Ofsted on Cheshire East, March 2024"
"""The inspection report, as it is named wherever a paragraph of it is."""
KEYS = ("title", "says", "grade", "read")


@dataclass(frozen=True)
class Provision:
    """One provision of law: ``says`` in our own words; ``read``: where and when it was read."""

    key: str
    title: str
    says: str
    grade: str
    read: str

    @property
    def how_sure(self) -> str:
        """Return what its grade means."""
        return GRADES[self.grade]


@cache
def open_ledger() -> Mapping[str, Provision]:
    """Return the shipped provisions by key; ``Problems`` lists all that is wrong."""
    return read_ledger(shipped("rules") / LEDGER)


def read_ledger(path: Path) -> Mapping[str, Provision]:
    """Return the provisions of a ledger by key; ``Problems`` lists all that is wrong."""
    place = f"{path.parent.name}/{path.name}"
    tables = read_toml(read_text(path, place), place)
    if problems := [f"{place}: {key[:60]}: {fault}" for key, table in tables.items() for fault in _faults(key, table)]:
        raise Problems(problems)
    return MappingProxyType(
        {
            key: Provision(key, **{name: " ".join(text.split()) for name, text in table.items()})
            for key, table in tables.items()
        }
    )


def _faults(key: str, table: Any) -> Iterable[str]:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key):
        yield "not a key; write lower-case words with hyphens, like ca1989-23c-1-5a"
    if not isinstance(table, dict) or set(table) != set(KEYS):
        yield f"its keys must be {', '.join(KEYS)}"
        return
    for name in KEYS:
        if not isinstance(table[name], str) or not table[name].strip():
            yield f"{name}: empty; say it in a sentence"
    if table["grade"] not in GRADES:
        yield f"grade: is not one of {', '.join(GRADES)}"


def find_provisions(keys: Sequence[str], ledger: Mapping[str, Provision]) -> tuple[Provision, ...]:
    """Return the provisions with these keys; ``Problems`` names the nearest for each that is not there."""
    if unknown := [key for key in keys if key not in ledger]:
        see = f"; see rules/{LEDGER}, or say the law in reference"
        raise Problems([f'no provision "{key[:60]}"{did_you_mean(key, ledger) or see}' for key in unknown])
    return tuple(ledger[key] for key in keys)


def name_basis(basis: str, provisions: Sequence[Provision]) -> str:
    """Return the basis as lists and reports say it: law only where every provision cited was read."""
    if basis != LAW:
        return basis
    confirmed = bool(provisions) and all(one.grade == CONFIRMED for one in provisions)
    return LAW if confirmed else UNCONFIRMED


def name_reference(provisions: Sequence[Provision], words: str | None, paragraphs: Sequence[int]) -> str:
    """Return what a rule stands on, in words: the provisions, its own words, the paragraphs of the report."""
    named = [one.title for one in provisions] + ([words] if words else [])
    return "; ".join([*named, *([name_paragraphs(paragraphs)] if paragraphs else [])])


def name_paragraphs(paragraphs: Sequence[int]) -> str:
    """Return paragraphs of the inspection report with the report's name: "..., paragraphs 28, 33 and 36"."""
    word = "paragraph" if len(paragraphs) == 1 else "paragraphs"
    return f"{REPORT}, {word} {join_words([str(number) for number in paragraphs])}"
