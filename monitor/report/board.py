"""Makes the board's edition of a report as the Department for Education publishes: no people, no small numbers.

- Nought is given as it is, 1 to 5 is [c], every other count is given to the nearest ten.
- The parts of a number are given together or not at all: as soon as one is [c], all are; with the number [c], all are.
- People by age, since when and team are parts of everyone. They are withheld beside a tier that is [c].
- A number made up of [c] alone is [c] too. The rules of a way of being out of sight are given together or not at all.
- Nothing is derived from small numbers: no changes and no shares, and a median from 25 people on.
- Teams of five people or fewer are one row.

So each withheld number may be any of three or more. What two editions tell together is beyond any one edition; the
README says so.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass, replace
from itertools import starmap
from typing import Any, TypeVar, get_type_hints

from monitor.figures.out_of_sight import EVERYONE, OUT_OF_TOUCH
from monitor.report.contents import (
    HIDDEN,
    NO_BACKLOG,
    OTHER_TEAMS,
    About,
    Caseloads,
    Contents,
    FlagList,
    HowLong,
    Number,
    OutOfSight,
    ParagraphRule,
    RuleCounts,
    RuleFigures,
    Sight,
    Tally,
    TeamSight,
    Trends,
    Unanswered,
    WaiverFigures,
    WhatWasDone,
)
from monitor.report.rule_figures import add_up

Counts = TypeVar("Counts", RuleCounts, ParagraphRule)

MOST_WITHHELD, FEWEST_FOR_MEDIAN = 5, 30
LEFT_OUT = frozenset({"asked", "waived", "held", "also_nobody_named", "by", "percent", "percent_before"})
"""Numbers that no board is given: most are sums or differences of others."""
BY_TEAM = ("met", "breach", "cannot_assess")
THE_REST = ("over-21-refused", "over-21-not-reached")
"""Measures that with one more are a whole group."""


def suppress(contents: Contents) -> Contents:
    """Return the board's edition of a service's report."""
    bare = _leave_out_people(contents)
    if contents.is_empty:
        return bare
    board: Contents = _round(_gather_small_teams(bare))
    sight = _withhold_parts(board.sight, bare.sight.everyone)
    closed = _find_closed(sight.kinds, board.rules)
    return replace(
        board,
        sight=sight,
        rules=tuple(_share_out_rule(rule, closed) for rule in board.rules),
        trends=_withhold_weeks(board),
        measures=tuple(replace(measure, before_on=None) for measure in board.measures if measure.name not in THE_REST),
        paragraphs=tuple(
            replace(paragraph, rules=tuple(_withhold_breach(rule, rule.rule in closed) for rule in paragraph.rules))
            for paragraph in board.paragraphs
        ),
    )


def round_count(number: Number) -> Number:
    """Return a count to the nearest ten; nought as it is, and 1 to 5 withheld."""
    if not isinstance(number, int) or number == 0:
        return number
    return HIDDEN if number <= MOST_WITHHELD else About(max(10, (number + 5) // 10 * 10))


def share_out(total: Number, parts: Sequence[Number]) -> tuple[Number, ...]:
    """Return the rounded parts of a rounded number, or withhold all of them, nought too."""
    return tuple(map(_withhold, parts)) if HIDDEN in (total, *parts) else tuple(parts)


def _withhold(number: Number) -> Number:
    return None if number is None else HIDDEN


def _whole(number: Number) -> int:
    return number if isinstance(number, int) else 0


def _round(record: Any) -> Any:
    """Return a record of the report, and all records in it, with every count rounded and without ``LEFT_OUT``."""
    hints, changes = get_type_hints(type(record)), dict[str, Any]()
    for name, value in ((field.name, getattr(record, field.name)) for field in fields(record)):
        if hints[name] == Number:
            changes[name] = None if name in LEFT_OUT else round_count(value)
        elif hints[name] == tuple[Number, ...]:
            changes[name] = tuple(map(round_count, value))
        elif is_dataclass(value):
            changes[name] = _round(value)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            changes[name] = tuple(map(_round, value))
        elif isinstance(value, Mapping):
            changes[name] = {key: _round(part) for key, part in value.items()}
    return replace(record, **changes)


# People and teams.


def _leave_out_people(contents: Contents) -> Contents:
    """Return the report without rows of people, sentences that say how many or whose, and what is rarely needed."""
    header, trust, waivers = contents.header, contents.header.trust, contents.waivers
    doubts = ("The last night was believed only in part; the service's edition says why.",) if trust.doubts else ()
    because = "of a decision on record" if trust.accepted_because else None
    nights = tuple(replace(night, reasons=()) for night in header.not_accepted)
    trust = replace(trust, doubts=doubts, accepted_because=because)
    return replace(
        contents,
        header=replace(header, edition="board", trust=trust, not_accepted=nights, unreadable=()),
        sight=replace(contents.sight, people=(), restricted=0),
        trends=Trends(contents.trends.sight),
        clearing=(),
        done=_tell_number(contents.done),
        flow=(),
        backlog=NO_BACKLOG,
        unanswered=Unanswered(),
        waivers=WaiverFigures(waivers.in_force, waivers.ending_soon, waivers.ended),
        caseloads=Caseloads(contents.caseloads.cap),
        flags=FlagList(),
    )


def _tell_number(done: WhatWasDone) -> WhatWasDone:
    """Return how many of everything in the period, without when, and without what is a sum or a part of others."""
    return WhatWasDone(
        escalations=tuple(Tally(each.label, each.count) for each in done.escalations),
        answers=tuple(Tally(each.label, each.count) for each in done.answers),
        opened=Tally(done.opened.label, done.opened.count),
        cleared=Tally(done.cleared.label, done.cleared.count),
        no_longer_asked=Tally(done.no_longer_asked.label, done.no_longer_asked.count),
        rule_changed=Tally(done.rule_changed.label, done.rule_changed.count),
    )


def _gather_small_teams(contents: Contents) -> Contents:
    """Return the report with its small teams as one row; without teams if that would be the only row."""
    teams = {team.team: team for team in contents.sight.teams}
    sizes = {team: 0 for rule in contents.rules for team in rule.teams}
    rows = _group_teams(sizes | {name: _whole(team.people) for name, team in teams.items()})
    sums = {row: [teams[name] for name in names if name in teams] for row, names in rows.items()}
    return replace(
        contents,
        teams=tuple(rows),
        sight=replace(contents.sight, teams=tuple(starmap(_add_teams, sums.items()))),
        rules=tuple(replace(rule, teams=_add_counts(rule.teams, rows)) for rule in contents.rules),
    )


def _add_teams(row: str, teams: Sequence[TeamSight]) -> TeamSight:
    return TeamSight(row, sum(_whole(team.people) for team in teams), sum(_whole(team.out_of_sight) for team in teams))


def _add_counts(teams: Mapping[str, RuleCounts], rows: Mapping[str, Sequence[str]]) -> dict[str, RuleCounts]:
    sums = {row: [teams[name] for name in names if name in teams] for row, names in rows.items()}
    return {row: add_up(counts) for row, counts in sums.items() if counts}


def _group_teams(sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the teams of each row, in order: small teams, and as many more as it takes, are one row."""
    by_size = sorted(sizes, key=lambda team: (sizes[team], team))
    others = [team for team in by_size if sizes[team] <= MOST_WITHHELD]
    while others and len(others) < len(by_size) and sum(sizes[team] for team in others) <= MOST_WITHHELD:
        others.append(by_size[len(others)])
    rows = {team: [team] for team in sorted(sizes.keys() - set(others), key=str.casefold)}
    rows |= {OTHER_TEAMS: others} if others else {}
    return rows if len(rows) > 1 else {}


# Out of sight, and the rules.


def _withhold_parts(sight: OutOfSight, exact: Sight) -> OutOfSight:
    """Return the first screen: each line by its number, and everyone by age, since when and team."""
    everyone, since = sight.everyone, sight.everyone.since
    lines = (everyone, *sight.kinds)
    numbers = _withhold_sums({line.name: line.people for line in lines}, lines)
    tiers = [numbers[line.name] for line in sight.kinds if line.within == EVERYONE]
    total = HIDDEN if HIDDEN in tiers else numbers[EVERYONE]
    *counts, not_known = share_out(total, (*since.counts, since.not_known))
    lost = share_out(total, [team.out_of_sight for team in sight.teams])
    everyone, *kinds = (replace(line, people=numbers[line.name], bands=(), since=HowLong()) for line in lines)
    since = HowLong(median_days=_round_median(exact), counts=tuple(counts), not_known=not_known)
    return OutOfSight(
        replace(everyone, bands=share_out(total, sight.everyone.bands), since=since),
        tuple(kinds),
        tuple(replace(team, out_of_sight=number) for team, number in zip(sight.teams, lost, strict=True)),
    )


def _round_median(exact: Sight) -> Number:
    """Return the median where enough people have a date."""
    dated = round_count(sum(map(_whole, exact.since.counts)))
    is_large = isinstance(dated, About) and dated.nearest >= FEWEST_FOR_MEDIAN
    return exact.since.median_days if is_large else _withhold(exact.since.median_days)


def _withhold_sums(numbers: dict[str, Number], lines: Sequence[Sight]) -> dict[str, Number]:
    """Return the numbers of lines by name; a sum of small numbers alone is withheld, because it could tell each."""
    within = {line.name: line.within for line in lines}
    for whole in (OUT_OF_TOUCH, EVERYONE):
        if {number for name, number in numbers.items() if within.get(name) == whole} - {0, None} == {HIDDEN}:
            numbers[whole] = HIDDEN
    return numbers


def _withhold_weeks(board: Contents) -> Trends:
    trends, lines = board.trends.sight, (board.sight.everyone, *board.sight.kinds)
    weeks = [
        _withhold_sums({trend.name: trend.values[week] for trend in trends}, lines) for week in range(len(board.weeks))
    ]
    return Trends(tuple(replace(trend, values=tuple(week[trend.name] for week in weeks)) for trend in trends))


def _find_closed(lines: Sequence[Sight], rules: Sequence[RuleFigures]) -> set[str]:
    """Return the rules of every way that has a small number among them, or is small itself."""
    breaches = {rule.rule: rule.total.breach for rule in rules}
    ways = [line for line in lines if line.name != OUT_OF_TOUCH]
    small = [way for way in ways if HIDDEN in (way.people, *(breaches.get(rule) for rule in way.rules))]
    return {rule for way in small for rule in way.rules}


def _share_out_rule(rule: RuleFigures, closed: Set[str]) -> RuleFigures:
    total = _withhold_breach(rule.total, rule.rule in closed)
    columns = [share_out(getattr(total, name), [getattr(row, name) for row in rule.teams.values()]) for name in BY_TEAM]
    rows = (RuleCounts(**dict(zip(BY_TEAM, row, strict=True))) for row in zip(*columns, strict=True))
    return replace(rule, total=total, teams=dict(zip(rule.teams, rows, strict=True)))


def _withhold_breach(counts: Counts, is_closed: bool) -> Counts:
    return replace(counts, breach=_withhold(counts.breach)) if is_closed else counts
