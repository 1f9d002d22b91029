"""Who would be told of a flag of each team and severity, and when: what ``monitor check`` says of the routes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby
from typing import Any

from monitor.messages.routes import Instead, Routes, Unrouted
from monitor.words import write_count

INSTEAD: Mapping[Instead | Unrouted, str] = {
    "restricted": "restricted",
    "no team": "no team is recorded",
    "unknown team": "the settings do not know the team",
    "no manager": "there is no manager",
    "no head": "there is no head of service",
    "no lead": "there is no lead",
}


@dataclass(frozen=True)
class Later:
    """Who is told once a flag has been open for so many working days, and why it is not whom the step means."""

    after_working_days: int
    address: str | None
    instead: Instead | None


@dataclass(frozen=True)
class TableRow:
    """One team and severity: who is told the same day, and who later. ``team`` is None where none is recorded."""

    team: str | None
    severity: str
    daily: str | None
    daily_instead: Unrouted | None
    covered_until: date | None
    later: tuple[Later, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "covered_until": self.covered_until.isoformat() if self.covered_until else None}


def trace(routes: Routes, teams: Iterable[str], steps: Mapping[str, Sequence[int]]) -> tuple[TableRow, ...]:
    """Find who is told of each team and severity, and last of no team; ``steps``: the working days by severity."""
    found = []
    for team in (*teams, None):
        cover = routes.cover_of(team)
        daily = (routes.address(team, ""), routes.unrouted(team), cover.until if cover else None)
        for severity, all_days in steps.items():
            days_of_step = zip(("manager", "head"), all_days, strict=False)
            later = tuple(Later(days, *routes.escalate(step, team, "")) for step, days in days_of_step)
            found.append(TableRow(team, severity, *daily, later))
    return tuple(found)


def describe(rows: Iterable[TableRow]) -> tuple[str, ...]:
    """Write the same in lines: each team, and below it each severity; those that go to the same people together."""
    lines: list[str] = []
    for team, of_team in groupby(rows, key=lambda row: row.team):
        team_rows = list(of_team)
        first = team_rows[0]
        aside = f" ({INSTEAD[first.daily_instead]})" if first.daily_instead and team else ""
        cover = f" (covering until {first.covered_until})" if first.covered_until else ""
        lines.append(f"{team or 'no team recorded'}: {first.daily or 'nobody'}{cover}{aside}")
        for later, same in groupby(team_rows, key=lambda row: row.later):
            severities = ", ".join(row.severity for row in same)
            lines.append(f"  {severities}: {', then '.join(map(_write_later, later)) or 'nobody else'}")
    return tuple(lines)


def _write_later(later: Later) -> str:
    days = write_count(later.after_working_days, "working day")
    aside = f" ({INSTEAD[later.instead]})" if later.instead else ""
    return f"{later.address or 'nobody'} after {days}{aside}"
