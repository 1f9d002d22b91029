"""Invented contents of an oversight report, in several sizes, for tests of what is made of them."""

import datetime as dt
from dataclasses import replace
from random import Random
from typing import Literal

from monitor.figures.burn_down import BurnDown, TeamBacklog
from monitor.figures.out_of_sight import SINCE
from monitor.report.board import suppress
from monitor.report.contents import (
    AdviserRow,
    Caseloads,
    Change,
    ClearingDays,
    Contents,
    FlagList,
    FlagRow,
    Header,
    HowLong,
    MeasureFigure,
    NotAccepted,
    OutOfSight,
    ParagraphRule,
    PersonRow,
    ReportParagraph,
    RuleCounts,
    RuleFigures,
    Sight,
    SourceStanding,
    Tally,
    TeamCaseload,
    TeamSight,
    Trend,
    Trends,
    Trust,
    Unanswered,
    UnansweredRow,
    WaiverFigures,
    WaiverRow,
    WeekFlow,
    WhatWasDone,
)

NIGHT = dt.date(2026, 1, 12)
TEAMS = ("Leaving Care East", "Leaving Care North", "Leaving Care South", "No team", "<script>alert(1)</script>")
KINDS = (
    ("out-of-touch", "Out of touch", "everyone"),
    ("no-contact", "No contact", "out-of-touch"),
    ("no-address", "No known address", "out-of-touch"),
    ("gone", "Gone off the caseload, or closed", "out-of-touch"),
    ("nobody-named", "Nobody named", "everyone"),
)
NOT_ASKED = "gone"
RULES = (
    ("homeless", "No fixed abode", "critical", "report", (36, 47)),
    ("pa-allocated", "No personal adviser", "high", "law", (29, 31, 37)),
    ("pathway-plan-current", "Pathway plan overdue for review", "high", "law", (32, 50)),
    ("contact-overdue", "Contact overdue", "medium", "practice", (31,)),
    ("neet", "Not in education, employment or training", "medium", "report", (32, 41)),
    ("activity-recorded", "Activity not recorded", "data", "return", (41,)),
)

Size = Literal["empty", "first night", "small", "council", "200 teams", "80,000 people", "refused", "board"]
PEOPLE = {"small": 40, "council": 1500, "200 teams": 9000, "80,000 people": 80_000}


def example(size: Size = "small", *, team: str | None = None) -> Contents:
    """A whole report about invented people, the same every time; "board" has no rows, and withheld numbers."""
    if size == "empty":
        header = replace(_header(0, None), as_at=None, people=None, absent=None, sources=(), first_night_on=None)
        return Contents(header, OutOfSight(Sight("everyone", "Out of sight in any way", asked=False)))
    if size == "refused":
        whole = example("council")
        refused = NotAccepted(dt.date(2026, 1, 13), "refused", ("only 3 of the 1,500 people are present",))
        return replace(whole, header=replace(whole.header, not_accepted=(refused,)))
    if size == "board":
        return suppress(example("council"))
    people = PEOPLE.get(size, 40)
    rng = Random(people)
    teams = tuple(f"Team {n:03}" for n in range(200)) if size == "200 teams" else TEAMS
    nights = 1 if size == "first night" else 20 if size == "small" else 730
    weeks = max(1, min(nights // 7, 104))
    starts = tuple(NIGHT - dt.timedelta(7 * n) for n in reversed(range(weeks)))
    rules = tuple(_rule(rng, rule, teams, people) for rule in RULES)
    return Contents(
        header=_header(people, team),
        sight=_sight(rng, teams, people, first=nights == 1),
        teams=teams,
        rules=rules,
        week_starts=starts,
        weeks=tuple(None if n == 3 else start for n, start in enumerate(starts)),
        trends=Trends(
            sight=tuple(_trend(rng, name, label, weeks, people // 10) for name, label, _ in (EVERYONE, *KINDS)),
            teams=tuple(_trend(rng, name, name, weeks, people // 10 // len(teams)) for name in teams),
            rules=tuple(_trend(rng, rule.rule, rule.title, weeks, people // 8) for rule in rules),
        ),
        clearing=(
            ClearingDays("", "High", "high", 40, 12, 6, 14, 33),
            ClearingDays("contact-overdue", "Contact overdue", "medium", 31, 8, 3, 9, 21),
            ClearingDays("homeless", "No fixed abode", "critical", 2, 3),
        ),
        done=WhatWasDone(
            (_tally("To the manager", 12), _tally("To the head of service", 3)),
            (_tally("Done", 20), _tally("Wait until a date", 4), _tally("The record is wrong", 2)),
            *(
                _tally(label, number)
                for label, number in (
                    ("Opened", 88), ("Found on a first night", 900), ("Cleared", 61), ("No longer asked", 9),
                    ("No longer asked for (rule changed)", 4), ("Raised above the lead", 15),
                    ("Answered by a lead", 26), ("Waived", 6),
                )
            ),
        ),
        flow=tuple(
            WeekFlow(start, 20 + n % 7, 900 * (n == 0), 15 + n % 9, (start + dt.timedelta(2),) * (n % 5 == 4))
            for n, start in enumerate(starts)
        ),
        backlog=BurnDown(tuple(
            TeamBacklog(name, 30 + n, 2, 4, 1, (60 + n, 50 + n, 45 + n, 35 + n)[: weeks - 1])
            for n, name in enumerate(teams)
        )),
        unanswered=Unanswered(people // 3, tuple(
            UnansweredRow(f"0{n:05}", teams[n % len(teams)], RULES[n][1], RULES[n][2], NIGHT - dt.timedelta(40), 40,
                          f"https://cms.example.gov.uk/person/0{n:05}")
            for n in range(5)
        )),
        waivers=_waivers(),
        caseloads=Caseloads(
            25,
            tuple(TeamCaseload(name, 4, 1, rng.randrange(9)) for name in teams),
            tuple(AdviserRow(f"A Example {n}", teams[n % len(teams)], 20 + n, n, n > 5) for n in range(8)),
        ),
        measures=(
            MeasureFigure("over-21-reached", "Aged 21 or over: in touch", 140, 200, 11, 70, 74, dt.date(2025, 12, 15)),
            MeasureFigure("plan-current:disabled", "Plan current: disabled", 0, 0, 30),
        ),
        paragraphs=_paragraphs(rules),
        flags=_flags(rng, teams, people),
    )  # fmt: skip


EVERYONE = ("everyone", "Out of sight in any way", "")


def _tally(label: str, number: int) -> Tally:
    return Tally(label, number, number // 9, number // 3, NIGHT - dt.timedelta(3))


def _header(people: int, team: str | None) -> Header:
    return Header(
        authority="Exampleshire",
        marking="OFFICIAL-SENSITIVE",
        edition="service",
        since=NIGHT - dt.timedelta(364),
        until=NIGHT,
        made_on=NIGHT,
        as_at=NIGHT,
        team=team,
        people=people,
        absent=3,
        trust=Trust("degraded", ("activity: filled for 40% of people, usually 96%; check the column",), ("activity",)),
        sources=(
            SourceStanding("caseload", "annex-a-list-9", NIGHT - dt.timedelta(3), 1),
            SourceStanding("supplement", "supplement", None, None, ("last_visit_date: only visits since 2024",)),
        ),
        adjustments=('"No personal adviser" stands for a legal duty; its severity here is medium, not high: agreed.',),
        chain_head="4f" * 32,
        unreadable=(("accommodation", 13), ("activity", 3)),
        first_night_on=NIGHT - dt.timedelta(730),
        nights=700,
    )


def _sight(rng: Random, teams: tuple[str, ...], people: int, *, first: bool) -> OutOfSight:
    def one(name: str, label: str, within: str, share: float) -> Sight:
        number = max(1, int(people * share))
        bands = (number // 4, number // 4, number - 2 * (number // 4), 0)
        unknown = number // 5
        return Sight(
            name, label, number, bands, held=number // 10, waived=number // 20, not_assessed=rng.randrange(people),
            since=HowLong(
                NIGHT - dt.timedelta(700), 700, 40, _split(number - unknown, len(SINCE)), unknown,
                NIGHT - dt.timedelta(70),
            ),
            last_week=Change() if first else Change(NIGHT - dt.timedelta(7), rng.randrange(-4, 5)),
            last_month=Change() if first else Change(NIGHT - dt.timedelta(31), rng.randrange(-9, 10)),
            rules=("pa-allocated",), within=within, also_nobody_named=number // 3 if name == "out-of-touch" else 0,
        )  # fmt: skip

    kinds = tuple(
        Sight(name, label, asked=False, why_not="no source tells who was in care", within=within)
        if name == NOT_ASKED
        else one(name, label, within, {"out-of-touch": 0.06, "nobody-named": 0.04}.get(name, 0.03))
        for name, label, within in KINDS
    )
    by_team = tuple(TeamSight(team, people // len(teams), people // 10 // len(teams)) for team in teams)
    rows = tuple(_person(n, teams) for n in range(max(1, people // 10)))
    return OutOfSight(one(*EVERYONE, 0.1), kinds, by_team, rows, restricted=2)


DONE = ("Nothing yet", "Told by e-mail", "Escalated to the manager", "Answered “done”", "Waived until 3 March 2026")


def _person(n: int, teams: tuple[str, ...]) -> PersonRow:
    day, dated = NIGHT - dt.timedelta(n % 900), n % 3 != 0
    tier, ways = [("Out of touch", ("No contact", "No known address")), ("Nobody named", ("Nobody named",))][n % 2]
    return PersonRow(
        f"0{n:05}", teams[n % len(teams)], f"A Example {n % 8}", tier, ways, day if dated else None,
        None if dated else day, last_contact=day if n % 4 else None, done=DONE[n % len(DONE)],
        done_on=day if n % len(DONE) else None, link=f"https://cms.example.gov.uk/person/0{n:05}",
    )  # fmt: skip


def _split(number: int, parts: int) -> tuple[int, ...]:
    return (*[number // parts] * (parts - 1), number - number // parts * (parts - 1))


def _rule(
    rng: Random, rule: tuple[str, str, str, str, tuple[int, ...]], teams: tuple[str, ...], people: int
) -> RuleFigures:
    found = {}
    for team in teams:
        breach, cannot = rng.randrange(people // len(teams) // 4 + 2), rng.randrange(4)
        met = people // len(teams)
        found[team] = RuleCounts(
            met + breach + cannot, met, breach, cannot, rng.randrange(breach + 1), rng.randrange(3)
        )
    names = ("asked", "met", "breach", "cannot_assess", "waived", "held")
    total = RuleCounts(*(sum(getattr(each, name) for each in found.values()) for name in names))
    return RuleFigures(*rule, total=total, teams=found, caveats=("Refusals are not told apart.",) * (rule[0] == "neet"))


def _trend(rng: Random, name: str, label: str, weeks: int, start: int) -> Trend:
    values, value = [], start
    for _ in range(weeks):
        value = max(0, value + rng.randrange(-3, 4))
        values.append(value)
    return Trend(name, label, tuple(None if n == 3 else value for n, value in enumerate(values)))


def _waivers() -> WaiverFigures:
    rows = tuple(
        WaiverRow(f"W{n:03}", TEAMS[n % 4], "neet", "Not in education, employment or training", "agreed plan",
                  "M Manager", NIGHT + dt.timedelta(n), link=f"https://cms.example.gov.uk/person/W{n:03}")
        for n in range(5)
    )  # fmt: skip
    return WaiverFigures(5, 2, 1, (Tally("agreed plan", 4), Tally("refused", 1)), rows)


def _paragraphs(rules: tuple[RuleFigures, ...]) -> tuple[ReportParagraph, ...]:
    def about(number: int) -> ReportParagraph:
        asked = tuple(
            ParagraphRule(r.rule, r.title, r.total.asked, r.total.breach, r.total.cannot_assess)
            for r in rules
            if number in r.paragraphs
        )
        if asked:
            return ReportParagraph(number, asked, not_asked=(("pride in the service", "No field shows it."),))
        return ReportParagraph(number, why_none="About the service. No record of a young person shows it.")

    return tuple(about(number) for number in range(28, 55))


def _flags(rng: Random, teams: tuple[str, ...], people: int) -> FlagList:
    total = int(people * 1.3)
    rows = []
    for n in range(min(total, 2000)):
        rule, title, severity, _, _ = RULES[n * len(RULES) // min(total, 2000)]
        days = rng.randrange(1, 900)
        rows.append(FlagRow(
            f"0{n // 2:05}", teams[n % len(teams)], f"A Example {n % 8}", rng.choice([None, 16, 19, 22]), rule, title,
            severity, rng.choice(["open", "held", "waived"]), NIGHT - dt.timedelta(days), days,
            'Last contact 1 June 2025; "agreed" weekly <b>.', "Make contact and record it.",
            f"https://cms.example.gov.uk/person/0{n // 2:05}",
        ))  # fmt: skip
    return FlagList(tuple(rows), total, restricted=2)
