"""Who is out of sight, in which way and since when: the one definition, for the weekly mail, the report and its list.

Somebody is out of sight in a way while one of its rules has a flag about them that is open, held or waived; a
quarantined or resolved flag does not count. Two tiers make up everybody out of sight:

- *out of touch*: no contact, no known address, or gone from the caseload;
- *nobody named*: no personal adviser. Who is in both tiers counts in the first, and the overlap is said.

Refusing contact is a right and no way of being out of sight. A child in care has a social worker, so
``eligible-adviser`` makes nobody out of sight; it only says since when there has been no adviser.

Since when, of one flag:

- *known*, where the record has a date: the rule has a due day, and it is in breach since the day after;
- *known*, where the monitor saw it begin: on the accepted night before the flag opened, the young person was on the
  caseload and the rule had answers, and there was no flag. It is in breach since the night that opened it;
- *not known* otherwise, *at least since* the night that opened it: everything without a date on the first night, on
  somebody's first night, on the first night of a rule, after an absence, and where another rule of the same way
  stopped asking on that very night (somebody who moves into custody with no contact recorded).

A flag that carries another on keeps its first night, and what is known of that. A cell that was unreadable the night
before leaves no trace in the database, so it counts as asked. In a line of several flags the earliest date is the
young person's; it is known if the record knows that date. No median and no band holds a date that is not known.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, or_, select

from monitor.flags.state import LISTED
from monitor.store.tables import Flag, Person, Profile, table_of
from monitor.workspace import Workspace

SINCE = ("under 1 month", "1 to 3 months", "3 to 12 months", "over 1 year")
"""How long people have been out of sight, in order, where that is known."""
SINCE_MONTHS = (1, 3, 12)
"""The months at which each of ``SINCE`` but the last ends."""
AGES = ("16-17", "18-20", "21-24", "other or not known")
AGE_RANGES = ((16, 17), (18, 20), (21, 24))

EVERYONE, OUT_OF_TOUCH, NOBODY_NAMED = "everyone", "out-of-touch", "nobody-named"


@dataclass(frozen=True)
class Line:
    """One line of figures: everybody out of sight, a tier, or a way of being out of touch, and the rules that find it.

    ``within``: the line that it is a part of.
    """

    name: str
    label: str
    within: str
    rules: tuple[str, ...]


NO_CONTACT = (
    "not-in-touch", "contact-overdue", "over-21-not-in-touch", "over-21-contact-agreed", "over-21-contact",
    "custody-contact",
)  # fmt: skip
NO_ADDRESS = ("known-address",)
GONE = ("left-caseload", "status-dropped", "closed-before-21", "entitled-not-on-caseload")
NO_ADVISER = (
    "pa-allocated", "over-21-adviser", "education-adviser-over-21", "over-21-vulnerable", "over-21-accepted",
    "turning-18-adviser",
)  # fmt: skip

LINES = (
    Line(EVERYONE, "Out of sight in any way", "", (*NO_CONTACT, *NO_ADDRESS, *GONE, *NO_ADVISER)),
    Line(OUT_OF_TOUCH, "Out of touch", EVERYONE, (*NO_CONTACT, *NO_ADDRESS, *GONE)),
    Line("no-contact", "No contact", OUT_OF_TOUCH, NO_CONTACT),
    Line("no-address", "No known address", OUT_OF_TOUCH, NO_ADDRESS),
    Line("gone", "Gone off the caseload, or closed", OUT_OF_TOUCH, GONE),
    Line(NOBODY_NAMED, "Nobody named", EVERYONE, NO_ADVISER),
)
BY_NAME = {line.name: line for line in LINES}
TIERS = {name: frozenset(BY_NAME[name].rules) for name in (OUT_OF_TOUCH, NOBODY_NAMED)}
DATED_ONLY = ("eligible-adviser",)
"""Rules that say since when somebody has nobody named, and count nobody."""
WAYS = (NO_CONTACT, NO_ADDRESS, GONE, (*NO_ADVISER, *DATED_ONLY))
WAY_OF = {rule: way for way, rules in enumerate(WAYS) for rule in rules}
LINE_RULE = "(VALUES {}) AS r (line, rule, counted)".format(
    ", ".join(
        [f"('{line.name}', '{rule}', true)" for line in LINES for rule in line.rules]
        + [f"('{line}', '{rule}', false)" for line in (EVERYONE, NOBODY_NAMED) for rule in DATED_ONLY]
    )
)
"""The rules of each line in SQL, and whether they count anybody."""


@dataclass(frozen=True)
class LineCount:
    """The young people of one line, each once.

    ``bands`` by ``SINCE``, ``longest_since`` and ``median_days`` are of those whose date is known; ``not_known`` are
    the others, the first of them seen on ``at_least_since``. ``ages`` by ``AGES``. ``held``: whom the night could
    neither confirm nor clear; ``waived``: whom nobody chases for now.
    """

    name: str
    people: int = 0
    bands: tuple[int, ...] = (0,) * len(SINCE)
    not_known: int = 0
    at_least_since: dt.date | None = None
    longest_since: dt.date | None = None
    median_days: int | None = None
    also_nobody_named: int = 0
    held: int = 0
    waived: int = 0
    ages: tuple[int, ...] = (0,) * len(AGES)

    @property
    def label(self) -> str:
        return BY_NAME[self.name].label

    @property
    def within(self) -> str:
        return BY_NAME[self.name].within

    @property
    def by_since(self) -> list[tuple[int, str]]:
        return list(zip(self.bands, SINCE, strict=True))


@dataclass(frozen=True)
class LostPerson:
    """One young person out of sight. ``known``: whether ``since`` is the beginning, or the first night that saw it."""

    person_id: str
    tier: str
    ways: tuple[str, ...]
    since: dt.date
    known: bool


def find_people(workspace: Workspace, store: Connection, flags: str, as_at: dt.date) -> None:
    """Make ``out_of_sight``: each young person once a line, with since when.

    ``flags``: the table of the night's flags, with flag_id, person_id, rule, state, team, age, due_on and
    in_breach_since.
    """
    workspace.execute(PEOPLE.format(flags=flags), {"as_at": as_at, "seen": find_seen(store, as_at)})


def count_lines(workspace: Workspace, as_at: dt.date, teams: Collection[str] | None = None) -> dict[str, LineCount]:
    """Return the figures of every line, in order, from ``out_of_sight``; of ``teams`` only, where given."""
    counted = {}
    values = {"as_at": as_at, "teams": list(teams or ()), "all_teams": teams is None}
    for name, *row in workspace.execute(COUNTS, values).fetchall():
        singles, lists = row[: -len(SINCE) - len(AGES)], row[-len(SINCE) - len(AGES) :]
        people, held, waived, not_known, at_least_since, longest_since, median_days, also = singles
        counted[name] = LineCount(
            name, people, tuple(lists[: len(SINCE)]), not_known, at_least_since, longest_since, median_days,
            also if name == OUT_OF_TOUCH else 0, held, waived, tuple(lists[len(SINCE) :]),
        )  # fmt: skip
    return {line.name: counted.get(line.name, LineCount(line.name)) for line in LINES}


def list_people(workspace: Workspace) -> list[LostPerson]:
    """Return everybody out of sight, those out of touch first, then the longest first."""
    return [
        LostPerson(person_id, *_name_ways(lines), since, known)
        for person_id, lines, since, known in workspace.execute(PERSON_LINES).fetchall()
    ]


@cache
def _name_ways(lines: int) -> tuple[str, tuple[str, ...]]:
    """Return the tier and the ways of somebody in these lines, of which each is a bit, in the order of ``LINES``."""
    names = [line.name for n, line in enumerate(LINES) if lines >> n & 1]
    ways = [name for name in names if BY_NAME[name].within == OUT_OF_TOUCH]
    tail = [NOBODY_NAMED] if NOBODY_NAMED in names else []
    return OUT_OF_TOUCH if OUT_OF_TOUCH in names else NOBODY_NAMED, (*ways, *tail)


def find_seen(store: Connection, as_at: dt.date, severities: Collection[str] = ()) -> Sequence[int]:
    """Return the ids of the flags without a due day whose beginning the monitor saw.

    Of the rules of out of sight; of every rule, where ``severities`` says which flags are wanted.
    """
    flag, person, profile = table_of(Flag), table_of(Person), table_of(Profile)
    asked, other, opening = profile.alias("asked"), flag.alias("other"), flag.alias("opening")

    def way(rule: Any) -> ColumnElement[int]:
        return case(WAY_OF, value=rule)

    night = (
        select(profile.c.as_at)
        .where(profile.c.name == "people", profile.c.as_at < opening.c.opened_on)
        .order_by(profile.c.as_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    # Materialized: worked out once, not for every flag.
    nights = (
        select(opening.c.opened_on, night.label("before"))
        .group_by(opening.c.opened_on)
        .cte("nights")
        .prefix_with("MATERIALIZED")
    )
    answers = (
        select(asked.c.as_at, asked.c.key)
        .where(asked.c.name == "asked", *(() if severities else (asked.c.key.in_(WAY_OF),)))
        .cte("answers")
        .prefix_with("MATERIALIZED")
    )
    had_answers = exists().where(
        answers.c.as_at == nights.c.before,
        or_(
            answers.c.key == flag.c.rule,
            and_(flag.c.continues_flag_id.is_not(None), way(answers.c.key) == way(flag.c.rule)),
        ),
    )
    of_person = other.c.person_id == flag.c.person_id
    was_absent = exists().where(
        of_person,
        other.c.rule == "left-caseload",
        other.c.opened_on <= nights.c.before,
        other.c.resolved_on > nights.c.before,
    )
    no_longer_asked = exists().where(
        of_person, other.c.resolved_reason.in_(("no longer asked", "rule changed")),
        other.c.resolved_on == flag.c.opened_on,
        other.c.rule.in_(WAY_OF), way(other.c.rule) == way(flag.c.rule),
    )  # fmt: skip
    seen = (
        select(flag.c.id)
        .join(person, person.c.person_id == flag.c.person_id)
        .join(nights, nights.c.opened_on == flag.c.opened_on)
        .where(
            flag.c.severity.in_(severities) if severities else flag.c.rule.in_(WAY_OF),
            flag.c.due_on.is_(None),
            or_(flag.c.resolved_on.is_(None), flag.c.resolved_on > as_at),
            person.c.first_seen_on <= nights.c.before,
            had_answers,
            ~was_absent,
            ~no_longer_asked,
        )
    )
    return store.execute(seen).scalars().all()


PEOPLE = f"""
CREATE OR REPLACE TABLE out_of_sight AS
WITH found AS (
    SELECT r.line, r.counted, f.person_id, f.team, f.state, f.age, least(f.in_breach_since, $as_at::DATE) AS began,
        f.due_on IS NOT NULL OR f.flag_id IN (SELECT unnest($seen::BIGINT[])) AS dated
    FROM {{flags}} AS f JOIN {LINE_RULE} USING (rule)
    WHERE list_contains({list(LISTED)}, f.state)
), person AS (
    SELECT line, person_id, any_value(team) AS team, any_value(age) AS age, min(began) AS since,
        coalesce(min(began) FILTER (dated) = min(began), false) AS known,
        bool_and(state = 'waived') FILTER (counted) AS waived,
        bool_and(state IN ('held', 'waived')) FILTER (counted) AND NOT bool_and(state = 'waived') FILTER (counted)
            AS held
    FROM found GROUP BY line, person_id HAVING bool_or(counted)
), tiers AS (
    SELECT person_id, bool_or(line = '{OUT_OF_TOUCH}') AS out_of_touch, bool_or(line = '{NOBODY_NAMED}') AS nobody_named
    FROM person GROUP BY person_id
)
SELECT person.*, line <> '{NOBODY_NAMED}' OR NOT out_of_touch AS counts, out_of_touch AND nobody_named AS in_both
FROM person JOIN tiers USING (person_id)
"""


def _in_bands(edges: Sequence[int]) -> str:
    """The columns that count the known dates of each of ``SINCE``."""
    ends = [f"since > $as_at::DATE - INTERVAL {months} MONTH" for months in edges] + ["true"]
    within = [f"{end} AND NOT ({ends[n - 1]})" if n else end for n, end in enumerate(ends)]
    return ", ".join(f"count(*) FILTER (known AND {condition})" for condition in within)


def _in_ages(ranges: Iterable[tuple[int, int]]) -> str:
    within = [f"age BETWEEN {youngest} AND {oldest}" for youngest, oldest in ranges]
    other = f"({' OR '.join(within)}) IS NOT TRUE"
    return ", ".join(f"count(*) FILTER ({condition})" for condition in (*within, other))


COUNTS = f"""
SELECT line, count(*), count(*) FILTER (held), count(*) FILTER (waived), count(*) FILTER (NOT known),
    min(since) FILTER (NOT known), min(since) FILTER (known),
    CAST(quantile_disc($as_at::DATE - since, 0.5) FILTER (known) AS INTEGER), count(*) FILTER (in_both),
    {_in_bands(SINCE_MONTHS)}, {_in_ages(AGE_RANGES)}
FROM out_of_sight WHERE counts AND ($all_teams OR list_contains($teams::VARCHAR[], team)) GROUP BY line
"""

SEVERAL = "; "
"""What stands between the ways of one young person: a comma is in the label of one of them."""


def _label_each(line: Line) -> str:
    rules = ", ".join(f"'{rule}'" for rule in line.rules)
    return f"max('{line.label}') FILTER (rule IN ({rules}))"


WAYS_SQL = "array_to_string([{}], '{}')".format(
    ", ".join(_label_each(line) for line in LINES if line.within == OUT_OF_TOUCH or line.name == NOBODY_NAMED), SEVERAL
)
"""In SQL, the ways in which one young person is out of sight, of all their flags that are open, held or waived."""

PERSON_LINES = f"""
SELECT person_id, CAST(sum(1 << (list_position({[line.name for line in LINES]}, line) - 1)) AS INTEGER),
    any_value(since) FILTER (line = '{EVERYONE}') AS began, bool_or(known) FILTER (line = '{EVERYONE}')
FROM out_of_sight GROUP BY person_id
ORDER BY NOT bool_or(line = '{OUT_OF_TOUCH}'), began, person_id
"""
