"""Surge quarantine: when one rule's new flags are too many to be true, they wait for the analyst.

    opened in a surge -> quarantined -> confirmed by name, or two working days gone by -> told like any other

A quarantined flag is open in every other way: it is held, released and resolved by what the nights say, and one
that is resolved while it waits is never told to a lead. Flags that carry an earlier one on do not wait.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitor.config.settings import Quarantine
from monitor.workspace import Workspace, step

FEWEST_NIGHTS = 3
"""How many nights a rule must have been asked before its own history says what is usual."""


@dataclass(frozen=True)
class Surge:
    """One rule's new flags that wait; ``usual``: the most on an earlier night, where enough are known."""

    rule: str
    new: int
    share: float
    usual: int | None
    wait: int


def judge_surges(
    new: Mapping[str, int],
    earlier: Mapping[str, Sequence[float]],
    people: int,
    limits: Quarantine,
    *,
    days_since: int = 1,
) -> tuple[Surge, ...]:
    """Return the rules whose ``new`` flags are far beyond their ``earlier`` nights', or a great share of ``people``.

    ``days_since`` the last night: more days bring more flags.
    """
    surges = []
    for rule, number in new.items():
        nights = earlier.get(rule, ())
        usual = int(max(nights)) if len(nights) >= FEWEST_NIGHTS else None
        share = number / max(people, 1)
        beyond = usual is not None and number > limits.most_times_usual * max(usual, 1) * max(days_since, 1)
        if number >= limits.fewest and (share > limits.highest_share or beyond):
            surges.append(Surge(rule, number, share, usual, limits.wait_working_days))
    return tuple(surges)


@step(reads=("opening",))
def count_new(workspace: Workspace, rules: Iterable[str]) -> dict[str, int]:
    """Return how many flags each of ``rules`` opens tonight, beside those that carry another on."""
    rows = workspace.execute(
        """
        SELECT rule, count(*) FROM opening
        WHERE continues_flag_id IS NULL AND list_contains($rules::VARCHAR[], rule) GROUP BY rule ORDER BY rule
        """,
        {"rules": list(rules)},
    )
    return dict(rows.fetchall())


@dataclass(frozen=True)
class Waiting:
    """One rule's flags that have waited since an earlier night."""

    rule: str
    flags: int
    since: date


def find_waiting(workspace: Workspace) -> tuple[Waiting, ...]:
    """Return how many flags still wait since an earlier night, and since when, by rule."""
    rows = workspace.execute("""
        SELECT rule, count(*), min(opened_on) FROM flag_line
        WHERE state = 'quarantined' AND change IS DISTINCT FROM 'opened'
        GROUP BY rule ORDER BY rule
    """)
    return tuple(Waiting(*row) for row in rows.fetchall())
