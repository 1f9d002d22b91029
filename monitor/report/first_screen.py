"""The first screen of the report: how many are out of sight, in which way, since when, and how that has changed."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.figures import out_of_sight
from monitor.figures.out_of_sight import (
    BY_NAME,
    EVERYONE,
    LINE_RULE,
    LINES,
    NOBODY_NAMED,
    OUT_OF_TOUCH,
    Line,
    LineCount,
)
from monitor.report import lost_people
from monitor.report.contents import NO_TEAM, Change, HowLong, OutOfSight, Sight, TeamSight, Trend
from monitor.report.report_data import ReportData
from monitor.report.report_nights import Nights
from monitor.report.spells import COUNTS_ON
from monitor.workspace import Workspace


@dataclass(frozen=True)
class AskedNights:
    """Which rules could be asked, and why not the others.

    ``cannot_assess``: checks that could not be made, by rule. ``asked_then``: the rules with answers on an earlier
    night, by its date.
    """

    why_not: Mapping[str, str]
    cannot_assess: Mapping[str, int]
    asked_then: Mapping[dt.date, frozenset[str]]

    def could_ask(self, rules: Collection[str], as_at: dt.date) -> bool:
        """Return whether any of them had answers then."""
        return not self.asked_then.get(as_at, frozenset()).isdisjoint(rules)


class PastCounts:
    """People out of sight on each night of the report: by line, and by team."""

    def __init__(self, workspace: Workspace, nights: Nights) -> None:
        dates = {night.as_at for night in nights.counted}
        self.by_line: dict[tuple[dt.date, str], int] = defaultdict(int)
        self.by_team: dict[tuple[dt.date, str], int] = defaultdict(int)
        for as_at, line, team, people in workspace.execute(
            PAST, {"no_team": NO_TEAM, "nights": sorted(dates)}
        ).fetchall():
            if line is not None:
                self.by_line[as_at, line] = people
            else:
                self.by_team[as_at, team] = people
        for as_at in dates:  # who is in both tiers counts as out of touch
            self.by_line[as_at, NOBODY_NAMED] = self.by_line[as_at, EVERYONE] - self.by_line[as_at, OUT_OF_TOUCH]


PAST = f"""
WITH person AS (
    SELECT DISTINCT n.as_at, r.line, coalesce(p.team, $no_team) AS team, s.person_id
    FROM spell AS s
    JOIN {LINE_RULE} ON r.rule = s.rule AND r.counted
    JOIN (SELECT unnest($nights::DATE[]) AS as_at) AS n ON {COUNTS_ON.format(day="n.as_at")}
    LEFT JOIN known_person AS p USING (person_id)
)
SELECT as_at, line, team, count(DISTINCT person_id) FROM person GROUP BY GROUPING SETS ((as_at, line), (as_at, team))
"""


def fill_first_screen(data: ReportData, asked: AskedNights, past: PastCounts, sizes: Mapping[str, int]) -> OutOfSight:
    """Return the first screen of the last night; ``sizes``: people by team."""
    as_at = data.as_at
    out_of_sight.find_people(data.workspace, data.store, "report_flag", as_at)
    counts = out_of_sight.count_lines(data.workspace, as_at)
    everyone, *kinds = (_fill_line(line, counts[line.name], past, data.nights, asked) for line in LINES)
    lost = {team: people for (night, team), people in past.by_team.items() if night == as_at}
    names = {name: (name == NO_TEAM, name.casefold()) for name in (*sizes, *lost)}
    teams = tuple(
        TeamSight(team, sizes.get(team, 0), lost.get(team, 0)) for team in sorted(names, key=names.__getitem__)
    )
    people = lost_people.list_people(data)
    shown = tuple(row for row in people if row.person_id not in data.restricted)
    return OutOfSight(everyone, tuple(kinds), teams, shown, restricted=len(people) - len(shown))


def empty_first_screen(why: str) -> OutOfSight:
    """Return the first screen of a report without an accepted night."""
    return OutOfSight(Sight(EVERYONE, BY_NAME[EVERYONE].label, asked=False, why_not=why))


def count_weeks(
    nights: Nights, asked: AskedNights, past: PastCounts, teams: Iterable[str]
) -> tuple[tuple[Trend, ...], tuple[Trend, ...]]:
    """Return people out of sight week by week: everyone and each line of the first screen, and by team."""

    def count(counts: Mapping[tuple[dt.date, str], int], name: str, rules: Collection[str] = ()) -> tuple[Any, ...]:
        return tuple(
            counts.get((night.as_at, name), 0)
            if night is not None and (not rules or asked.could_ask(rules, night.as_at))
            else None
            for _, night in nights.weeks
        )

    lines = tuple(
        Trend(line.name, line.label, count(past.by_line, line.name, line.rules if line.within else ()))
        for line in LINES
    )
    return lines, tuple(Trend(team, team, count(past.by_team, team)) for team in teams)


def _fill_line(line: Line, count: LineCount, past: PastCounts, nights: Nights, asked: AskedNights) -> Sight:
    answered = [rule for rule in line.rules if rule not in asked.why_not]
    if not answered and not count.people:
        why_not = "; ".join(dict.fromkeys(asked.why_not[rule] for rule in line.rules))
        return Sight(line.name, line.label, asked=False, why_not=why_not, rules=line.rules, within=line.within)
    as_at, longest = nights.last.as_at, count.longest_since  # type: ignore[union-attr]

    def change(then: Any | None) -> Change:
        """More being found by a rule that was not asked then is not more people out of sight."""
        if then is None or not set(answered) <= set(asked.asked_then.get(then.as_at, ())):
            return Change(then and then.as_at)
        return Change(then.as_at, count.people - past.by_line[then.as_at, line.name])

    return Sight(
        line.name,
        line.label,
        count.people,
        count.ages if count.ages[-1] else count.ages[:-1],
        held=count.held,
        waived=count.waived,
        not_assessed=sum(asked.cannot_assess.get(rule, 0) for rule in line.rules),
        since=HowLong(
            longest, (as_at - longest).days if longest else None, count.median_days, count.bands,
            count.not_known, count.at_least_since,
        ),
        last_week=change(nights.week_ago),
        last_month=change(nights.month_ago),
        rules=line.rules,
        within=line.within,
        also_nobody_named=count.also_nobody_named,
    )  # fmt: skip
