"""The first screen: how many young people are out of sight, in which way, since when, and how that has changed.

Somebody is out of sight in a way while one of its rules has a flag standing about them: open, held or waived. What
nobody could confirm or clear, and what nobody chases, is out of sight all the same.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.report.contents import BANDS, SINCE, Change, HowLong, OutOfSight, Sight, TeamSight, Trend
from monitor.report.report_nights import Nights
from monitor.report.spells import AGE, BAND, STANDS
from monitor.workspace import Workspace, load_rows

EVERYONE = "everyone"
EVERYONE_LABEL = "Out of sight in any way"


@dataclass(frozen=True)
class Kind:
    """One way of being out of sight, and the rules that find it."""

    name: str
    label: str
    rules: tuple[str, ...]


KINDS = (
    Kind("no-adviser", "No personal adviser", (
        "pa-allocated", "eligible-adviser", "turning-18-adviser", "over-21-adviser", "education-adviser-over-21",
        "over-21-vulnerable",
    )),
    Kind("no-contact", "No contact", (
        "contact-overdue", "over-21-contact", "not-in-touch", "closed-before-21", "custody-contact",
    )),
    Kind("no-address", "No known address", ("known-address",)),
    Kind("left-caseload", "Left the caseload", ("left-caseload",)),
    Kind("status-dropped", "Status dropped", ("status-dropped",)),
    Kind("entitled-absent", "Entitled, and on no caseload", ("entitled-not-on-caseload",)),
)  # fmt: skip
"""Refusing contact is a right and no way of being out of sight; nor is having no fixed abode, whoever is met there."""

MONTH_STEPS = (30, 91, 182, 365)
"""The last day of each of ``SINCE`` but the last."""


@dataclass(frozen=True)
class AskedNights:
    """What is known of the asking beside the flags: which rules could be asked, why not the others.

    ``cannot_assess``: checks that could not be made, by rule. ``asked_then``: the rules with answers on an earlier
    night, by its date.
    """

    why_not: Mapping[str, str]
    cannot_assess: Mapping[str, int]
    asked_then: Mapping[dt.date, frozenset[str]]

    def could_ask(self, rules: Collection[str], as_at: dt.date) -> bool:
        """Whether any of them had answers then."""
        return not self.asked_then.get(as_at, frozenset()).isdisjoint(rules)


def lay_out(workspace: Workspace, nights: Nights) -> None:
    """Make ``seen``: per night told of, and kind, everyone and team, how many are out of sight; after ``ground``."""
    rows = [(kind.name, rule) for kind in KINDS for rule in kind.rules]
    load_rows(workspace, "kind_rule", {"kind": "VARCHAR", "rule": "VARCHAR"}, rows)
    told = {one.as_at for _, one in nights.weeks if one is not None}
    told |= {one.as_at for one in (nights.last, nights.week_ago, nights.month_ago) if one is not None}
    load_rows(workspace, "moment", {"as_at": "DATE"}, [(day,) for day in sorted(told)])
    workspace.execute(f"""
        CREATE OR REPLACE TABLE seen AS
        WITH sighting AS (
            SELECT DISTINCT m.as_at, k.kind, coalesce(p.team, '') AS team, s.person_id
            FROM spell AS s
            JOIN kind_rule AS k USING (rule)
            JOIN moment AS m ON {STANDS.format(day="m.as_at")}
            LEFT JOIN known_person AS p USING (person_id)
        )
        SELECT as_at, kind, team, count(DISTINCT person_id) AS people FROM sighting
        GROUP BY GROUPING SETS ((as_at), (as_at, kind), (as_at, team))
    """)


def show(workspace: Workspace, nights: Nights, asked: AskedNights, sizes: Mapping[str, int], nobody: str) -> OutOfSight:
    """The first screen of the last night; ``sizes``: people by team."""
    if nights.last is None:
        return OutOfSight(Sight(EVERYONE, EVERYONE_LABEL, asked=False, why_not="no accepted night yet"))
    counted = _count_now(workspace, nights.last.as_at)
    by_night = {
        (as_at, kind or EVERYONE): people
        for as_at, kind, people in workspace.execute(
            "SELECT as_at, kind, people FROM seen WHERE team IS NULL"
        ).fetchall()
    }
    kinds = tuple(_sight(kind, counted, by_night, nights, asked) for kind in KINDS)
    whole = Kind(EVERYONE, EVERYONE_LABEL, tuple(rule for kind in KINDS for rule in kind.rules))
    everyone = _sight(whole, counted, by_night, nights, asked)
    query = "SELECT coalesce(nullif(team, ''), $nobody), people FROM seen WHERE as_at = $as_at AND team IS NOT NULL"
    found = dict(workspace.execute(query, {"as_at": nights.last.as_at, "nobody": nobody}).fetchall())
    teams = tuple(
        TeamSight(team, sizes.get(team, 0), found.get(team, 0))
        for team in sorted({*sizes, *found}, key=lambda name: (name == nobody, name.casefold()))
    )
    return OutOfSight(everyone, kinds, teams)


def draw_trends(workspace: Workspace, nights: Nights, teams: Sequence[str], nobody: str,
                asked: AskedNights) -> tuple[tuple[Trend, ...], tuple[Trend, ...]]:  # fmt: skip
    """People out of sight, night by night: everyone and each kind; and by team."""
    lines: defaultdict[tuple[str, str], dict[dt.date, int]] = defaultdict(dict)
    for as_at, kind, team, people in workspace.execute("SELECT as_at, kind, team, people FROM seen").fetchall():
        place = ("team", team or nobody) if team is not None else ("kind", kind or EVERYONE)
        lines[place][as_at] = people

    def line(place: tuple[str, str], label: str, rules: Collection[str] = ()) -> Trend:
        values = []
        for _, night in nights.weeks:
            known = night is not None and (not rules or asked.could_ask(rules, night.as_at))
            values.append(lines[place].get(night.as_at, 0) if night is not None and known else None)
        return Trend(place[1], label, tuple(values))

    whole = line(("kind", EVERYONE), EVERYONE_LABEL)
    kinds = tuple(line(("kind", kind.name), kind.label, kind.rules) for kind in KINDS)
    return (whole, *kinds), tuple(line(("team", team), team) for team in teams)


def _count_now(workspace: Workspace, as_at: dt.date) -> dict[str, dict[str, Any]]:
    """By kind, and everyone: people on the last night by band, by how long, and those all held or all waived."""
    steps = " ".join(f"WHEN days <= {last} THEN {place}" for place, last in enumerate(MONTH_STEPS))
    band = BAND.replace(AGE.format(day="{day}"), "age")
    counts = ", ".join(
        [f"count(*) FILTER (band = {n})" for n in range(len(BANDS))]
        + [f"count(*) FILTER (step = {n})" for n in range(len(SINCE))]
    )
    rows = workspace.execute(
        f"""
        WITH person AS (
            SELECT k.kind, s.person_id, any_value({band}) AS band, bool_and(s.state = 'waived') AS waived,
                bool_and(s.state IN ('held', 'waived')) AND NOT bool_and(s.state = 'waived') AS held,
                min(least(s.in_breach_since, $as_at)) AS since
            FROM standing AS s
            JOIN (SELECT * FROM kind_rule UNION ALL SELECT $everyone, rule FROM kind_rule) AS k USING (rule)
            GROUP BY k.kind, s.person_id
        ), placed AS (
            SELECT *, CAST($as_at AS DATE) - since AS days, CASE {steps} ELSE {len(MONTH_STEPS)} END AS step FROM person
        )
        SELECT kind, count(*), count(*) FILTER (held), count(*) FILTER (waived), min(since),
            CAST(quantile_disc(days, 0.5) AS INTEGER), {counts}
        FROM placed GROUP BY kind
        """,
        {"as_at": as_at, "everyone": EVERYONE},
    ).fetchall()
    return {
        kind: {
            "people": people, "held": held, "waived": waived,
            "since": HowLong(since, (as_at - since).days, median, tuple(counted[len(BANDS) :])),
            "bands": tuple(counted[: len(BANDS)]),
        }
        for kind, people, held, waived, since, median, *counted in rows
    }  # fmt: skip


def _sight(
    kind: Kind,
    counted: Mapping[str, Mapping[str, Any]],
    by_night: Mapping[tuple[dt.date, str], int],
    nights: Nights,
    asked: AskedNights,
) -> Sight:
    answered = [rule for rule in kind.rules if rule not in asked.why_not]
    found = counted.get(kind.name)
    if not answered and not found:
        reasons = dict.fromkeys(asked.why_not[rule] for rule in kind.rules)
        return Sight(kind.name, kind.label, asked=False, why_not="; ".join(reasons), rules=kind.rules)
    nobody = {"since": HowLong(counts=(0,) * len(SINCE)), "bands": (0,) * len(BANDS)}
    here = dict(found or {"people": 0, "held": 0, "waived": 0, **nobody})
    if not here["bands"][-1]:
        here["bands"] = here["bands"][:-1]
    return Sight(
        kind.name,
        kind.label,
        not_assessed=sum(asked.cannot_assess.get(rule, 0) for rule in kind.rules),
        last_week=_change(kind, here["people"], nights.week_ago, by_night, asked, answered),
        last_month=_change(kind, here["people"], nights.month_ago, by_night, asked, answered),
        rules=kind.rules,
        **here,
    )


def _change(
    kind: Kind,
    now: int,
    then: Any | None,
    by_night: Mapping[tuple[dt.date, str], int],
    asked: AskedNights,
    answered: Sequence[str],
) -> Change:
    """None where a rule that is asked now was not asked then: more being found is not more being lost."""
    if then is None or not set(answered) <= set(asked.asked_then.get(then.as_at, ())):
        return Change(then.as_at if then is not None else None)
    return Change(then.as_at, now - by_night.get((then.as_at, kind.name), 0))
