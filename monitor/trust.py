"""The trust gate: whether tonight's caseload can be believed, judged before any rule is asked.

The first night has no history, and says so. After it, a night on which too many people, a whole team or too
many deaths changed at once is refused: nothing changes, and the analyst is told the numbers.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.config import Gate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Comparison:
    """Tonight beside the last accepted night: counts of people, whole numbers."""

    last_night: dt.date | None
    expected: int
    present: int
    new_deaths: int
    teams_before: Mapping[str, int]
    teams_tonight: Mapping[str, int]


def compare(con: "DuckDBPyConnection", *, last_night: dt.date | None) -> Comparison:
    """Count from ``tonight`` and ``roster``; people at 25 or dead on the last night are not expected."""
    expected, present = con.execute("""
        SELECT count(*), count(tonight.person_id)
        FROM roster LEFT JOIN tonight USING (person_id)
        WHERE roster.absent_since IS NULL AND roster.died_on IS NULL AND roster.ended_on IS NULL
    """).fetchall()[0]
    (new_deaths,) = con.execute("""
        SELECT count(*) FROM tonight LEFT JOIN roster USING (person_id) WHERE tonight.died AND roster.died_on IS NULL
    """).fetchall()[0]
    before = con.execute("""
        SELECT team, count(*) FROM roster
        WHERE team IS NOT NULL AND absent_since IS NULL AND died_on IS NULL AND ended_on IS NULL
        GROUP BY team ORDER BY team
    """).fetchall()
    tonight = con.execute("""
        SELECT allocated_team, count(*) FROM tonight WHERE allocated_team IS NOT NULL GROUP BY ALL ORDER BY ALL
    """).fetchall()
    return Comparison(last_night, expected, present, new_deaths, dict(before), dict(tonight))


def judge(seen: Comparison, gate: Gate) -> tuple[str, ...]:
    """Why the night is refused, each reason with its numbers and a way on; empty where it is believed."""
    if seen.last_night is None:
        return ()
    reasons = []
    night = f"{seen.last_night.day} {seen.last_night:%B %Y}"
    share = seen.present / seen.expected if seen.expected else 1.0
    if share < gate.lowest_share_present:
        reasons.append(
            f"only {seen.present} of the {seen.expected} people of {night} are present ({share:.0%}; "
            f"at least {gate.lowest_share_present:.0%} is expected); check that the extract is whole"
        )
    for team, people in seen.teams_before.items():
        if team not in seen.teams_tonight:
            reasons.append(
                f'team "{team}" had {people} {"person" if people == 1 else "people"} on {night} and has none tonight; '
                "check that the extract covers it, or that it was renamed"
            )
    most = max(gate.most_new_deaths, int(gate.highest_share_new_deaths * seen.expected))
    if seen.new_deaths > most:
        reasons.append(
            f"{seen.new_deaths} people are newly recorded as having died (at most {most} is expected in a night); "
            "check the in-touch codes and dates of death"
        )
    return tuple(reasons)
