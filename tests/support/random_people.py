"""Invented people with every column filled in at random, so that nearly every rule finds someone."""

import datetime as dt
from pathlib import Path
from random import Random
from typing import Any

from monitor.catalogue import columns
from monitor.config.settings import shipped
from monitor.rulebook.rule import Example
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook

AS_AT = dt.date(2026, 1, 12)


def shipped_rules(folder: Path | None = None) -> Rulebook:
    return load_rulebook([folder or shipped("rules")], {})


def invent(number: int, *, as_at: dt.date = AS_AT, seed: int = 1) -> list[Example]:
    """As many people, some born on 29 February, with dates near every deadline."""
    rng = Random(seed)
    return [Example(f"person {n}", as_at, "ok", _record(rng, as_at)) for n in range(number)]


def _record(rng: Random, as_at: dt.date) -> dict[str, Any]:
    born = as_at - dt.timedelta(rng.choice([5840, 6480, 6575, 7580, 7660]) + rng.randrange(-40, 1200))
    if rng.random() < 0.1:
        born = dt.date(rng.choice([2004, 2008]), 2, 29)
    given: dict[str, Any] = {"date_of_birth": born}
    for column in columns.COLUMNS:
        if column.name in ("date_of_birth", "death_date") or rng.random() < 0.25:
            continue
        given[column.name] = _cell(rng, column, as_at)
    if given.get("in_touch") == "DIED":
        given["in_touch"] = "NO"
    given["accommodation_since"] = as_at - dt.timedelta(rng.randrange(1, 60))
    if rng.random() < 0.3:
        given["elsewhere_until"] = given["accommodation_since"] - dt.timedelta(rng.randrange(1, 8))
    if rng.random() < 0.1:
        given["once_accepted_as"] = rng.choice(["eligible", "relevant", "former relevant"])
    return given


def _cell(rng: Random, column: columns.Column, as_at: dt.date) -> Any:
    if column.kind == "date":
        ago = rng.choice([7, 28, 56, 61, 90, 182, 184, 365]) + rng.randrange(-30, 20)
        return as_at - dt.timedelta(max(ago, 0)) if column.records_past else as_at + dt.timedelta(ago)
    if column.kind == "yes_no":
        return rng.random() < 0.5
    if column.kind == "number":
        return rng.randrange(column.lowest or 0, min(column.highest or 60, 60) + 1)
    if column.codes:
        codes = list(column.codes)
        return rng.choice(codes[:3] if rng.random() < 0.6 else codes)
    return "A Example"
