"""Makes the board's edition of a report: no people, and no number from which a number from 1 to 4 follows.

Three means (``withholding``):

- *Withheld parts.* Where parts add up to a total that is shown, the parts from 1 to 4 are withheld together with the
  next smallest, until what is withheld comes to at least five more than there are parts withheld; where it cannot,
  every part is withheld. Nothing but their sum can be worked out, so each may still be anything up to it.
- *One relation for each number.* A number withheld in one place is withheld wherever else it is counted: a rule's
  figures by team when its total is, every rule of a way of being out of sight when one of them is, since together
  they make up the number on the first screen.
- *The nearest ten.* Numbers of people asked, and others that overlap (two rules ask nearly the same people, and the
  few between them would be the difference), are given to the nearest ten, so that no difference of two is known.

Nought is shown, as is usual. Teams of fewer than five people are one row with others, and their names are nowhere.
Sentences that name teams, people or small numbers are left out. What two editions of different days or different
sources would tell together is beyond any one edition; the README says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.report.contents import (
    HIDDEN,
    OTHER_TEAMS,
    About,
    Caseloads,
    Change,
    ClearingDays,
    Contents,
    FlagList,
    Header,
    HowLong,
    MeasureFigure,
    Number,
    OutOfSight,
    ParagraphRule,
    RuleCounts,
    RuleFigures,
    Sight,
    Tally,
    TeamCaseload,
    TeamSight,
    Trend,
    Trends,
    WaiverFigures,
)
from monitor.report.rounding import SMALLEST, cover, divide, is_small, near, near_all, plain, value

FEWEST_FOR_MEDIAN, FEWEST_FOR_QUARTERS = 10, 20
COUNTED = ("breach", "cannot_assess", "waived", "held")
"""Given as they are, or withheld."""
STANDING = ("breach", "waived", "held")
"""What makes up the people of a way of being out of sight."""
PARTITIONS = (("over-21-reached", "over-21-refused", "over-21-not-reached"),)
"""Measures that share out one group."""


def suppress(contents: Contents) -> Contents:
    """The board's edition of a service's."""
    if contents.is_empty:
        return replace(contents, header=_head(contents.header))
    teams = _group_teams(contents)
    shown = tuple(dict.fromkeys(teams.values()))
    kinds = tuple(map(_sight, contents.sight.kinds))
    everyone = _everyone(contents.sight.everyone, contents.sight.kinds, kinds)
    trends = _trends(contents, teams, shown, kinds)
    rules = _rules(contents.rules, kinds, teams, shown)
    by_id = {rule.rule: rule for rule in rules}
    return Contents(
        header=_head(contents.header),
        sight=OutOfSight(
            _in_step(everyone, trends.sight, contents), tuple(_in_step(kind, trends.sight, contents) for kind in kinds),
            _team_sights(contents, teams, shown, everyone.people),
        ),
        teams=shown,
        rules=rules,
        week_starts=contents.week_starts,
        weeks=contents.weeks,
        trends=trends,
        clearing=_clearing(contents.clearing, _find_loose(contents.rules, kinds)),
        done=replace(
            contents.done,
            escalations=_tallies(contents.done.escalations), answers=_tallies(contents.done.answers),
            opened=near(contents.done.opened), cleared=near(contents.done.cleared),
            no_longer_asked=near(contents.done.no_longer_asked),
        ),
        waivers=WaiverFigures(
            near(contents.waivers.in_force), near(contents.waivers.ending_soon), near(contents.waivers.ended),
            _tallies(contents.waivers.reasons),
        ),
        caseloads=_caseloads(contents.caseloads, teams, shown),
        measures=_measures(contents.measures),
        paragraphs=tuple(
            replace(one, rules=tuple(_beside(rule, by_id.get(rule.rule)) for rule in one.rules))
            for one in contents.paragraphs
        ),
        flags=FlagList(),
    )  # fmt: skip


def _head(header: Header) -> Header:
    """Without the sentences that say how many, or whose; that there was a doubt, and about which columns, stays."""
    doubts = ("The last night was believed only in part; the service's edition says why.",)
    return replace(
        header,
        edition="board",
        people=near(header.people),
        absent=near(header.absent),
        trust=replace(
            header.trust,
            doubts=doubts if header.trust.doubts else (),
            accepted_because="of a decision on record" if header.trust.accepted_because else None,
        ),
        not_accepted=tuple(replace(one, reasons=()) for one in header.not_accepted),
    )


# Teams.


def _group_teams(contents: Contents) -> dict[str, str]:
    """Each team with the row that stands for it: those of fewer than five people, and as many more as it takes, in one.

    Empty where one row would be left: it would be the service.
    """
    sizes = {each.team: value(each.people) for each in contents.sight.teams}
    named = dict.fromkeys([*sizes, *(team for rule in contents.rules for team in rule.teams)])
    named |= dict.fromkeys([*(line.name for line in contents.trends.teams)])
    named |= dict.fromkeys([*(each.team for each in contents.caseloads.teams)])
    by_size = sorted(named, key=lambda team: (sizes.get(team, 0), team))
    others: list[str] = [team for team in by_size if sizes.get(team, 0) < SMALLEST]
    kept = by_size[len(others) :]
    while others and kept and (sum(sizes.get(team, 0) for team in others) < SMALLEST):
        others.append(kept.pop(0))
    rows = {team: OTHER_TEAMS if team in others else team for team in named}
    ordered = sorted(rows.items(), key=lambda each: (each[1] == OTHER_TEAMS, each[1].casefold()))
    return dict(ordered) if len(set(rows.values())) > 1 else {}


def _merge(values: Mapping[str, Number], teams: Mapping[str, str], shown: Sequence[str]) -> list[Number]:
    """Numbers by team added up by row, in the order of ``shown``; None where no team of a row has any."""
    sums: dict[str, Number] = dict.fromkeys(shown)
    for team, number in values.items():
        if number is not None and team in teams:
            sums[teams[team]] = value(sums[teams[team]]) + value(number)
    return [sums[team] for team in shown]


def _team_sights(
    contents: Contents, teams: Mapping[str, str], shown: Sequence[str], everyone: Number
) -> tuple[TeamSight, ...]:
    people = near_all(_merge({each.team: each.people for each in contents.sight.teams}, teams, shown))
    lost = _merge({each.team: each.out_of_sight for each in contents.sight.teams}, teams, shown)
    return tuple(map(TeamSight, shown, people, divide(lost, everyone)))


# The first screen.


def _sight(kind: Sight) -> Sight:
    """One way of being out of sight: with its number withheld, so is all that is said of it."""
    if not kind.asked:
        return kind
    if is_small(kind.people):
        return _withhold(kind)
    return replace(
        kind,
        bands=tuple(cover(kind.bands)),
        held=near(kind.held), waived=near(kind.waived), not_assessed=near(kind.not_assessed),
        since=HowLong(
            median_days=kind.since.median_days if value(kind.people) >= FEWEST_FOR_MEDIAN else
            HIDDEN if kind.people else None,
            counts=tuple(cover(kind.since.counts)),
        ),
        last_week=_change(kind.people, kind.last_week), last_month=_change(kind.people, kind.last_month),
    )  # fmt: skip


def _withhold(sight: Sight) -> Sight:
    def change(one: Change) -> Change:
        return one if one.by is None else replace(one, by=HIDDEN)

    return replace(
        sight, people=HIDDEN, bands=(HIDDEN,) * len(sight.bands), held=HIDDEN, waived=HIDDEN, not_assessed=HIDDEN,
        since=HowLong(median_days=HIDDEN, counts=(HIDDEN,) * len(sight.since.counts)),
        last_week=change(sight.last_week), last_month=change(sight.last_month),
    )  # fmt: skip


def _change(now: Number, change: Change) -> Change:
    """A change gives away the number then."""
    if isinstance(change.by, int) and is_small(value(now) - change.by):
        return replace(change, by=HIDDEN)
    return change


def _everyone(everyone: Sight, kinds: Sequence[Sight], shown: Sequence[Sight]) -> Sight:
    """All together, each person once: at least as many as any one way, and at most as many as all ways together."""
    if not everyone.asked or not _may_show(everyone.people, [kind.people for kind in kinds]):
        return _withhold(everyone)
    found = _sight(everyone)
    if any(HIDDEN in kind.bands for kind in shown):
        found = replace(found, bands=(HIDDEN,) * len(everyone.bands))
    if any(HIDDEN in kind.since.counts for kind in shown):
        found = replace(found, since=replace(found.since, counts=(HIDDEN,) * len(everyone.since.counts)))
    return replace(
        found,
        last_week=_step(everyone.people, found.last_week, [(kind.people, kind.last_week) for kind in kinds]),
        last_month=_step(everyone.people, found.last_month, [(kind.people, kind.last_month) for kind in kinds]),
    )


def _step(now: Number, change: Change, kinds: Sequence[tuple[Number, Change]]) -> Change:
    """A change of everyone, where their number then may be shown beside those of each way then."""
    may = _may_show(_before(now, change), [_before(*kind) for kind in kinds])
    return replace(change, by=HIDDEN) if isinstance(change.by, int) and not may else change


def _before(now: Number, change: Change) -> Number:
    return now - change.by if isinstance(now, int) and isinstance(change.by, int) else None


def _may_show(everyone: Number, kinds: Sequence[Number]) -> bool:
    """Whether the number of all together leaves open what each withheld way may be."""
    if is_small(everyone):
        return False
    hidden = sum(is_small(kind) for kind in kinds)
    return hidden != 1 or sum(value(kind) for kind in kinds if not is_small(kind)) >= SMALLEST


def _in_step(sight: Sight, trends: Sequence[Trend], contents: Contents) -> Sight:
    """A change since a week whose number is withheld is withheld."""
    line = next((line.values for line in trends if line.name == sight.name), ())
    withheld = {week for week, value in zip(contents.weeks, line, strict=False) if value is HIDDEN}

    def change(one: Change) -> Change:
        return replace(one, by=HIDDEN) if one.by is not None and one.since in withheld else one

    return replace(sight, last_week=change(sight.last_week), last_month=change(sight.last_month))


def _trends(contents: Contents, teams: Mapping[str, str], shown: Sequence[str], shown_kinds: Sequence[Sight]) -> Trends:
    """Week by week as tonight: everyone beside each way, and everyone beside the teams; rules to the nearest ten."""
    trends, weeks = contents.trends, range(len(contents.weeks))
    by_name = {line.name: line for line in trends.sight}
    whole = by_name.get(contents.sight.everyone.name)
    kinds = [line for line in trends.sight if line is not whole]
    everyone = [
        whole.values[n] if _may_show(whole.values[n], [line.values[n] for line in kinds]) else HIDDEN for n in weeks
    ] if whole is not None else []  # fmt: skip
    sight = [replace(line, values=tuple(map(plain, line.values))) for line in kinds]
    if whole is not None:
        sight.insert(0, replace(whole, values=tuple(everyone)))
    columns = [
        divide(_merge({line.name: line.values[n] for line in trends.teams}, teams, shown), everyone[n])
        for n in (weeks if whole is not None else ())
    ]
    rows = zip(*columns, strict=True) if columns else [()] * len(shown)
    return Trends(
        tuple(sight),
        tuple(Trend(team, team, tuple(values)) for team, values in zip(shown, rows, strict=False)),
        _rule_trends(trends.rules, contents.sight.kinds, _find_loose(contents.rules, shown_kinds)),
    )


def _rule_trends(lines: Sequence[Trend], kinds: Sequence[Sight], loose: frozenset[str]) -> tuple[Trend, ...]:
    """In a week in which one rule of a way of being out of sight is small, none of that way is told."""
    withheld: set[tuple[str, int]] = set()
    for kind in kinds:
        about = [line for line in lines if line.name in kind.rules]
        for week, values in enumerate(zip(*(line.values for line in about), strict=True)):
            tonight = week == len(about[0].values) - 1 and any(line.name in loose for line in about)
            if tonight or any(map(is_small, values)):
                withheld.update((line.name, week) for line in about if line.values[week])
    return tuple(
        replace(line, values=tuple(
            HIDDEN if (line.name, week) in withheld else near(number) for week, number in enumerate(line.values)
        ))
        for line in lines
    )  # fmt: skip


# The rules.


def _rules(
    rules: Sequence[RuleFigures], kinds: Sequence[Sight], teams: Mapping[str, str], shown: Sequence[str]
) -> tuple[RuleFigures, ...]:
    loose = _find_loose(rules, kinds)
    return tuple(_rule(rule, rule.rule in loose, teams, shown) for rule in rules)


def _find_loose(rules: Sequence[RuleFigures], kinds: Sequence[Sight]) -> frozenset[str]:
    """The rules whose numbers, given as they are, would tell what else is withheld of a way of being out of sight.

    The ages a rule asks about are no secret: where several make up one way, one of them may be all there is of a band.
    """
    loose: set[str] = set()
    for kind in kinds:
        about = [rule for rule in rules if rule.rule in kind.rules]
        small = any(is_small(getattr(rule.total, name)) for rule in about for name in STANDING)
        if small or kind.people is HIDDEN or (len(about) > 1 and HIDDEN in kind.bands):
            loose.update(rule.rule for rule in about if any(getattr(rule.total, name) for name in STANDING))
    return frozenset(loose)


def _rule(rule: RuleFigures, loose: bool, teams: Mapping[str, str], shown: Sequence[str]) -> RuleFigures:
    """One rule by team, each column beside its own total."""

    def merged(name: str) -> list[Number]:
        return _merge({team: getattr(counts, name) for team, counts in rule.teams.items()}, teams, shown)

    totals = {
        name: HIDDEN if loose and name in STANDING else plain(getattr(rule.total, name)) for name in COUNTED
    }  # fmt: skip
    columns = {name: divide(merged(name), totals[name]) for name in COUNTED}
    if _waived_shows(columns, merged("waived")):
        totals["waived"], columns["waived"] = HIDDEN, [HIDDEN] * len(shown)
    rows = [RuleCounts(**{name: columns[name][n] for name in COUNTED}) for n in range(len(shown))]
    # Without what was asked of its row, a withheld number can be exchanged with another's and nothing shown changes.
    asked = near_all([
        1 if HIDDEN in (row.breach, row.cannot_assess) else number
        for row, number in zip(rows, merged("asked"), strict=True)
    ])  # fmt: skip
    found = {
        team: _complete(row, whole, passed)
        for team, row, whole, passed in zip(shown, rows, asked, near_all(merged("met")), strict=True)
        if whole is not None or any(number for number in vars(row).values())
    }
    total, passed = RuleCounts(**totals), near(rule.total.met)
    whole = HIDDEN if _is_tight(total, rule.total.asked, passed) else near(rule.total.asked)
    return replace(rule, total=_complete(total, whole, passed), teams=found)


def _waived_shows(columns: Mapping[str, Sequence[Number]], waived: Sequence[Number]) -> bool:
    """Whether a withheld number of waivers follows from the flags there are to waive: no team has more than those."""
    hidden = [place for place, number in enumerate(columns["waived"]) if number is HIDDEN]
    whole = sum(value(waived[place]) for place in hidden)
    room = {place: _room(columns["breach"][place], columns["held"][place], whole) for place in hidden}
    for place in hidden:
        least = max(0, whole - sum(most for other, most in room.items() if other != place))
        if is_small(waived[place]) and min(whole, room[place]) - least < SMALLEST - 1:
            return True
    return False


def _room(breach: Number, held: Number, whole: int) -> int:
    return whole if HIDDEN in (breach, held) else value(breach) + value(held)


def _complete(row: RuleCounts, asked: Number, met: Number) -> RuleCounts:
    """Where a number of a row is withheld, so is how many met it: it would be the difference."""
    shy = asked is HIDDEN or any(getattr(row, name) is HIDDEN for name in COUNTED)
    return replace(row, asked=asked, met=HIDDEN if shy and met is not None else met)


def _is_tight(row: RuleCounts, asked: Number, met: Number) -> bool:
    """Whether the number asked, even to the nearest ten, leaves what is withheld of a row fewer than five ways."""
    about = near(asked)
    if not isinstance(about, About) or not (met is HIDDEN or any(number is HIDDEN for number in vars(row).values())):
        return False
    hidden = 1 + sum(number is HIDDEN for number in (row.breach, row.cannot_assess))
    return about.nearest + 4 - value(row.breach) - value(row.cannot_assess) < SMALLEST + hidden


def _beside(one: ParagraphRule, rule: RuleFigures | None) -> ParagraphRule:
    if rule is None:
        return replace(one, asked=near(one.asked), breach=plain(one.breach), cannot_assess=plain(one.cannot_assess))
    return replace(one, asked=rule.total.asked, breach=rule.total.breach, cannot_assess=rule.total.cannot_assess)


# What was done, and the service.


def _clearing(lines: Sequence[ClearingDays], loose: frozenset[str]) -> tuple[ClearingDays, ...]:
    """Each severity beside its rules."""
    found: dict[int, ClearingDays] = {}
    groups: dict[tuple[str, bool], list[int]] = {}
    for place, line in enumerate(lines):
        groups.setdefault((line.severity, not line.rule), []).append(place)
    for places in groups.values():
        cleared = near_all([lines[place].cleared for place in places])
        standing = near_all([1 if lines[place].rule in loose else lines[place].standing for place in places])
        for place, many, still in zip(places, cleared, standing, strict=True):
            line, known = lines[place], value(lines[place].cleared)
            middle = line.median if known >= FEWEST_FOR_MEDIAN else HIDDEN if known else None
            ends = (
                (line.lower, line.upper)
                if known >= FEWEST_FOR_QUARTERS
                else (HIDDEN, HIDDEN)
                if known
                else (None, None)
            )
            found[place] = replace(line, cleared=many, standing=still, lower=ends[0], median=middle, upper=ends[1])
    return tuple(found[place] for place in range(len(lines)))


def _tallies(tallies: Sequence[Tally]) -> tuple[Tally, ...]:
    numbers = near_all([each.count for each in tallies])
    return tuple(replace(each, count=number) for each, number in zip(tallies, numbers, strict=True))


def _caseloads(caseloads: Caseloads, teams: Mapping[str, str], shown: Sequence[str]) -> Caseloads:
    def merged(name: str) -> list[Number]:
        return near_all(_merge({each.team: getattr(each, name) for each in caseloads.teams}, teams, shown))

    rows = map(TeamCaseload, shown, merged("advisers"), merged("over_cap"), merged("without_adviser"))
    return Caseloads(caseloads.cap, tuple(rows))


def _measures(measures: Sequence[MeasureFigure]) -> tuple[MeasureFigure, ...]:
    """Shares of the numbers as shown; none where either part of the group is small."""
    numerators = {one.name: HIDDEN if _is_shy(one) else near(one.numerator) for one in measures}
    for names in PARTITIONS:
        about = [one for one in measures if one.name in names]
        if any(numerators[one.name] is HIDDEN for one in about):
            rest = [one for one in about if isinstance(numerators[one.name], About)]
            for one in sorted(rest, key=lambda one: value(one.numerator))[:1]:
                numerators[one.name] = HIDDEN
    found = []
    for one in measures:
        many, of = numerators[one.name], near(one.denominator)
        percent: Number = HIDDEN if HIDDEN in (many, of) else None
        if isinstance(of, About) and many is not HIDDEN:
            percent = min(100, round(100 * (many.nearest if isinstance(many, About) else 0) / of.nearest))
        found.append(replace(
            one, numerator=many, denominator=of, not_assessed=near(one.not_assessed), percent=percent,
            percent_before=None, before_on=None,
        ))  # fmt: skip
    return tuple(found)


def _is_shy(one: MeasureFigure) -> bool:
    small = (one.numerator, one.denominator, value(one.denominator) - value(one.numerator))
    return any(is_small(number) for number in small)
