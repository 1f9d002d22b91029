"""Figures of the service that are nobody's flag: per night and team, each with what could not be counted either way."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from monitor.evaluation import Counts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from monitor.rulebook import Rule

SERVICE_WIDE = 3
"""A recording rule in breach for over one in so many of those asked says something of the service."""


def find_service_wide(rules: Iterable["Rule"], totals: Mapping[str, Counts]) -> tuple[str, ...]:
    """The recording rules so often in breach tonight that nobody is named for them."""
    counts = ((rule.id, totals[rule.id]) for rule in rules if rule.recording and rule.id in totals)
    return tuple(rule for rule, each in counts if each.breach * SERVICE_WIDE > each.asked)


def by_team(con: "DuckDBPyConnection", rules: Iterable[str]) -> dict[str, dict[str, Counts]]:
    """Tonight's answers to these rules, team by team."""
    found: dict[str, dict[str, Counts]] = {rule: {} for rule in rules}
    rows = con.execute("SELECT rule, team, asked, ok, breach, cannot_assess FROM measure").fetchall()
    for rule, team, *figures in rows:
        if rule in found:
            found[rule][team] = Counts(*figures)
    return found
