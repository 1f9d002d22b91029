"""Figures of the service that are nobody's flag: per night and team, each with what could not be counted either way."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, select

from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.derived import birthday_sql
from monitor.errors import Refused
from monitor.flags.state import LISTED, is_quarantined
from monitor.rulebook.evaluation import Counts
from monitor.rulebook.questions import BREACH, CANNOT_ASSESS, OK
from monitor.store.bulk import insert_query
from monitor.store.database import Database
from monitor.store.tables import Flag, Indicator, Run, table_of
from monitor.workspace import Workspace, step

if TYPE_CHECKING:
    from monitor.rulebook.rule import Rule

SERVICE_WIDE = 3
"""A recording rule in breach for over one in so many of those asked says something of the service."""

UNTOUCHED_DAYS = 30
LONG_MONTHS = 6
LOOKED_BACK_DAYS = 28
"""How far back a share is compared with its own history."""
FELL_BY = 0.05
"""A column filled in for so much less than usual is named."""
CLEARED_WITHIN_DAYS = 365

FILLED = "filled:"


@dataclass(frozen=True)
class Proportion:
    """So many of so many; ``not_assessed``: those for whom it cannot be told."""

    numerator: int
    denominator: int
    not_assessed: int

    @property
    def share(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    def __add__(self, other: "Proportion") -> "Proportion":
        return Proportion(*map(sum, zip(vars(self).values(), vars(other).values(), strict=True)))


NOTHING = Proportion(0, 0, 0)


@dataclass(frozen=True)
class MeasureTonight:
    """One figure tonight, and its share on the accepted night nearest to four weeks before."""

    name: str
    label: str
    tonight: Proportion
    before: Proportion | None = None
    before_on: dt.date | None = None


@dataclass(frozen=True)
class Clearing:
    """How long a rule's flags took from breach to clearing, over a year; ``unresolved`` are still standing."""

    rule: str
    cleared: int
    median_days: int
    unresolved: int


@dataclass(frozen=True)
class MeasuresAccount:
    """What the figures say tonight: all of them, the columns filled in less than they were, how long clearing took."""

    standings: tuple[MeasureTonight, ...] = ()
    fallen: tuple[MeasureTonight, ...] = ()
    clearing: tuple[Clearing, ...] = ()


TRUE, FALSE, UNTOLD = 1, 0, 2
"""What a figure says of one person: a truth as a number, or that it cannot be told."""

OWED = "NOT c.died AND coalesce(c.age < 25, true)"
"""SQL of who is alive and under 25, or of no known age."""
ON_CASELOAD = f"c.present AND {OWED}"
"""SQL of who is on the caseload tonight: the number that every message, page and command gives."""

# What is counted: whom (SQL over the caseload), and whether it is so, where NULL is "cannot be told".

PEOPLE = """
    (
        SELECT *, category IN ('relevant', 'former relevant') AND NOT declined AND age BETWEEN 16 AND 24 AS entitled,
            category = 'former relevant' AND age BETWEEN 21 AND 24 AS over_21
        FROM caseload
    )
"""
WATCHED = f"c.first_seen_on + INTERVAL {LONG_MONTHS} MONTH <= c.as_at"
ENTITLED, OVER_21 = "c.entitled", "c.over_21"
GROUPS = (
    ("disabled", "disability", "true"),
    ("not-disabled", "disability", "false"),
    ("unaccompanied", "uasc", "true"),
    ("not-unaccompanied", "uasc", "false"),
)
LABELS: Mapping[str, str] = {
    "adviser-over-cap": "Advisers with more young people than the cap",
    "adviser-before-18": "Aged 16-17, eligible or relevant, with an adviser",
    "neet-health-or-caring": "Out of work and study for health or caring",
    "neet-long": "Out of work and study (G5) for over six months",
    "moved-often": "Three or more moves of home seen in six months",
    "foster-carers-at-21": "Turning 21 in 6 months: with former foster carers",
    "over-21-reached": "Aged 21 or over: in touch",
    "over-21-refused": "Aged 21 or over: declined",
    "over-21-not-reached": "Aged 21 or over: not in touch",
    "over-21-untouched": "Aged 21 or over: no contact or offer in 30 days",
    "plan-current:disabled": "Plan current: disabled",
    "plan-current:not-disabled": "Plan current: not disabled",
    "plan-current:unaccompanied": "Plan current: unaccompanied",
    "plan-current:not-unaccompanied": "Plan current: not unaccompanied",
    "flagged:disabled": "Flag open, held or waived: disabled",
    "flagged:not-disabled": "Flag open, held or waived: not disabled",
    "flagged:unaccompanied": "Flag open, held or waived: unaccompanied",
    "flagged:not-unaccompanied": "Flag open, held or waived: not unaccompanied",
}
"""Every figure but the share of each column that is filled in, in the order they are shown."""


def label(name: str) -> str:
    """Return what a figure is called in words."""
    if name.startswith(FILLED):
        return "Filled in: " + name.removeprefix(FILLED).replace("_", " ")
    return LABELS.get(name, name)


def _known(column: str, truth: str) -> str:
    return f"CASE WHEN c.{column}_gap IS NULL AND c.{column} IS NOT NULL THEN {truth} END"


def _counted(asked: Collection[str], supplied: Collection[str]) -> dict[str, tuple[str, str]]:
    """Each figure's people and truth, as far as tonight's rules and columns go."""
    found = {
        "adviser-before-18": (
            "c.category IN ('eligible', 'relevant') AND c.age BETWEEN 16 AND 17",
            "CASE WHEN c.personal_adviser_gap IS NULL THEN c.personal_adviser IS NOT NULL END",
        ),
        "neet-health-or-caring": (ENTITLED, _known("activity", "c.activity IN ('G4', 'G6')")),
        "foster-carers-at-21": (
            "c.category IN ('relevant', 'former relevant') AND c.age = 20 "
            f"AND {birthday_sql('c.date_of_birth', '21')} <= c.as_at + INTERVAL {LONG_MONTHS} MONTH",
            _known("accommodation", "c.accommodation = 'Z'"),
        ),
        # What the monitor has not watched for so long, it cannot tell.
        "moved-often": (
            ENTITLED,
            f"CASE WHEN list_contains($movers, c.person_id) THEN true "
            f"WHEN {WATCHED} AND c.accommodation_gap IS NULL THEN false END",
        ),
        "over-21-reached": (OVER_21, _known("in_touch", "c.in_touch = 'YES'")),
        "over-21-refused": (OVER_21, _known("in_touch", "c.in_touch IN ('REFU', 'NREQ')")),
        "over-21-not-reached": (OVER_21, _known("in_touch", "c.in_touch = 'NO'")),
        "over-21-untouched": (
            OVER_21,
            "CASE WHEN c.latest_contact_date_gap IS NULL THEN coalesce("
            f"greatest(c.latest_contact_date, c.over21_offer_date) + {UNTOUCHED_DAYS} < c.as_at, true) END",
        ),
    }
    if "neet" in asked:
        found["neet-long"] = (
            ENTITLED,
            f"CASE WHEN f.neet_since IS NULL THEN {_known('activity', 'false')} "
            f"WHEN f.neet_since + INTERVAL {LONG_MONTHS} MONTH < c.as_at THEN true WHEN {WATCHED} THEN false END",
        )
    plans = ("pathway-plan-missing", "pathway-plan-current")
    for group, column, member in GROUPS:
        unknown = f"(c.{column}_gap IS NOT NULL OR c.{column} IS NULL)"
        belongs = f"({unknown} OR c.{column} = {member})"
        if set(plans) <= set(asked):
            missing, late = (f'o."{rule}"' for rule in plans)
            found[f"plan-current:{group}"] = (
                f"{missing} IN ({OK}, {BREACH}, {CANNOT_ASSESS}) AND {belongs}",
                f"CASE WHEN {unknown} THEN NULL WHEN {missing} = {BREACH} OR {late} = {BREACH} THEN false "
                f"WHEN {missing} = {OK} AND {late} = {OK} THEN true END",
            )
        found[f"flagged:{group}"] = (belongs, f"CASE WHEN NOT {unknown} THEN f.person_id IS NOT NULL END")
    for column in BY_NAME:
        if column in supplied:
            truth = f"CASE WHEN c.{column}_gap IS NULL THEN c.{column} IS NOT NULL END"
            found[FILLED + column] = ("true", truth)
    return found


@step(reads=("caseload", "flag_line", "outcome"), makes=("indicator",))
def count(workspace: Workspace, supplied: Collection[str], *, adviser_cap: int, movers: Sequence[str] = ()) -> None:
    """Make ``indicator`` (name, team, numerator, denominator, not_assessed) of everyone present and alive, under 25.

    ``movers``: who has moved home often (``moves.find_movers``).
    """
    figures = _counted(workspace.columns_of("outcome"), supplied)
    told = ", ".join(
        f'CASE WHEN {whom} THEN coalesce(CAST({truth} AS UTINYINT), {UNTOLD}) END AS "{name}"'
        for name, (whom, truth) in figures.items()
    )
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE indicator AS
        SELECT name, team,
            count(*) FILTER (told = {TRUE}) AS numerator, count(*) FILTER (told <> {UNTOLD}) AS denominator,
            count(*) FILTER (told = {UNTOLD}) AS not_assessed
        FROM (
            UNPIVOT (
                SELECT coalesce(c.allocated_team, '') AS team, {told}
                FROM {PEOPLE} AS c JOIN outcome AS o USING (person_id)
                LEFT JOIN (
                    SELECT person_id, min(opened_on) FILTER (rule = 'neet') AS neet_since FROM flag_line
                    WHERE list_contains({list(LISTED)}, state) AND severity <> 'data' GROUP BY person_id
                ) AS f USING (person_id)
                WHERE {ON_CASELOAD}
            ) ON COLUMNS(* EXCLUDE (team)) INTO NAME name VALUE told
        )
        GROUP BY ALL
        UNION ALL ({ADVISERS})
        """,
        {"cap": adviser_cap, "movers": list(movers)},
    )


# An adviser counts in the team most of their young people are in, so that the teams add up to the service.
ADVISERS = f"""
    WITH people AS (
        SELECT c.person_id, coalesce(c.allocated_team, '') AS team, lower(trim(c.personal_adviser)) AS adviser,
            c.personal_adviser_gap IS NOT NULL AS unknown
        FROM caseload AS c WHERE {ON_CASELOAD}
    ),
    advisers AS (
        SELECT adviser, count(*) AS people, mode(team ORDER BY team) AS team
        FROM people WHERE adviser IS NOT NULL GROUP BY adviser
    ),
    counted AS (
        SELECT team, count(*) FILTER (people > $cap) AS over, count(*) AS advisers, 0 AS unknown
        FROM advisers GROUP BY team
        UNION ALL
        SELECT team, 0, 0, count(*) FROM people WHERE unknown GROUP BY team
    )
    SELECT 'adviser-over-cap', team, CAST(sum(over) AS BIGINT), CAST(sum(advisers) AS BIGINT),
        CAST(sum(unknown) AS BIGINT)
    FROM counted GROUP BY team
"""


@step(reads=("indicator",))
def save(workspace: Workspace, store: Connection, *, run_id: int, as_at: dt.date, corrects: Sequence[int] = ()) -> None:
    """Keep ``indicator`` for the night, in place of what an earlier run of its date kept."""
    table = table_of(Indicator)
    store.execute(table.delete().where(table.c.run_id.in_(corrects)))
    columns = ("run_id", "as_at", "name", "team", "numerator", "denominator", "not_assessed")
    kept = f"SELECT {run_id}, DATE '{as_at}', {', '.join(columns[2:])} FROM indicator"
    insert_query(workspace, store, Indicator, columns, kept)


Nights = dict[dt.date, dict[str, dict[str, Proportion]]]
"""By night, figure and team."""


def read_nights(store: Connection, *nights: ColumnElement[bool]) -> Nights:
    """Return what accepted nights kept; ``nights``: which of them, as conditions on ``indicator``."""
    table = table_of(Indicator)
    columns = (table.c[name] for name in ("as_at", "name", "team", "numerator", "denominator", "not_assessed"))
    kept: Nights = defaultdict(lambda: defaultdict(dict))
    for as_at, name, team, *figures in store.execute(select(*columns).where(*nights).order_by(table.c.as_at)):
        kept[as_at][name][team] = Proportion(*figures)
    return kept


def gather(workspace: Workspace, store: Connection, as_at: dt.date) -> MeasuresAccount:
    """Return what ``indicator`` and the nights before say, before tonight's is saved."""
    kept_on = table_of(Indicator).c.as_at
    nights = read_nights(store, kept_on >= as_at - dt.timedelta(2 * LOOKED_BACK_DAYS), kept_on < as_at)
    for name, team, *figures in workspace.execute("SELECT * FROM indicator").fetchall():
        nights[as_at][name][team] = Proportion(*figures)
    return compare(nights, as_at, read_clearing(store, as_at))


def read_clearing(store: Connection, as_at: dt.date) -> tuple[Clearing, ...]:
    """Return, by rule, the flags cleared in the year up to ``as_at`` and the days each was in breach; slowest first."""
    flag = table_of(Flag)
    since = as_at - dt.timedelta(CLEARED_WITHIN_DAYS)
    # Flags alike in these are counted together: many are on a large caseload.
    alike = (flag.c.rule, flag.c.in_breach_since, flag.c.resolved_on)
    lately = (flag.c.resolved_reason == "cleared", flag.c.resolved_on > since, flag.c.resolved_on <= as_at)
    cleared: defaultdict[str, list[int]] = defaultdict(list)
    for rule, in_breach_since, resolved_on, flags in store.execute(
        select(*alike, func.count()).where(*lately).group_by(*alike)
    ):
        cleared[rule] += [(resolved_on - in_breach_since).days] * flags
    unresolved = (
        select(flag.c.rule, func.count().label("flags"))
        .where(flag.c.resolved_on.is_(None), ~is_quarantined())
        .group_by(flag.c.rule)
    )
    standing = {row.rule: row.flags for row in store.execute(unresolved)}
    found = [Clearing(rule, len(days), round(median(days)), standing.get(rule, 0)) for rule, days in cleared.items()]
    return tuple(sorted(found, key=lambda each: (-each.median_days, each.rule)))


def compare(nights: Nights, as_at: dt.date, clearing: tuple[Clearing, ...] = ()) -> MeasuresAccount:
    """Compare the figures of ``as_at``, over all teams, with those of the nights before."""
    by_night = {
        night: {name: sum(teams.values(), NOTHING) for name, teams in names.items()} for night, names in nights.items()
    }
    tonight = by_night.pop(as_at, {})
    back = as_at - dt.timedelta(LOOKED_BACK_DAYS)
    then = min((night for night in by_night if night < as_at), key=lambda night: abs(night - back), default=None)
    before = by_night[then] if then else {}
    compared = tuple(
        MeasureTonight(name, label(name), tonight[name], before.get(name), then) for name in LABELS if name in tonight
    )
    columns = sorted(name for name in tonight if name.startswith(FILLED))
    fallen = filter(None, (_find_fall(name, tonight[name], by_night) for name in columns))
    return MeasuresAccount(compared, tuple(fallen), clearing)


def _find_fall(
    name: str, tonight: Proportion, earlier: Mapping[dt.date, Mapping[str, Proportion]]
) -> MeasureTonight | None:
    """Compare a column with how far it is usually filled in: the middle of the earlier nights."""
    usual = [(night, names[name]) for night, names in sorted(earlier.items()) if names.get(name, NOTHING).denominator]
    if not usual:
        return None
    night, middle = sorted(usual, key=lambda kept: kept[1].share or 0)[len(usual) // 2]
    fell = (middle.share or 0) - (tonight.share or 0) >= FELL_BY
    return MeasureTonight(name, label(name), tonight, middle, night) if fell else None


# Rules that say more of how the service records than of anybody.


def find_service_wide(rules: Iterable["Rule"], totals: Mapping[str, Counts]) -> tuple[str, ...]:
    """Return the recording rules so often in breach tonight that nobody is named for them."""
    counts = ((rule.id, totals[rule.id]) for rule in rules if rule.recording and rule.id in totals)
    return tuple(rule for rule, each in counts if each.breach * SERVICE_WIDE > each.asked)


def by_team(workspace: Workspace, rules: Iterable[str]) -> dict[str, dict[str, Counts]]:
    """Return tonight's answers to these rules, team by team."""
    found: dict[str, dict[str, Counts]] = {rule: {} for rule in rules}
    rows = workspace.execute("SELECT rule, team, asked, ok, breach, cannot_assess FROM measure").fetchall()
    for rule, team, *figures in rows:
        if rule in found:
            found[rule][team] = Counts(*figures)
    return found


def as_dict(nights: Nights, account: MeasuresAccount) -> dict[str, object]:
    """Return every figure of the last night by team, with its history, for a program to read."""
    as_at = max(nights)
    names = [*(name for name in LABELS if name in nights[as_at]), *sorted(nights[as_at].keys() - LABELS.keys())]
    return {
        "as_at": as_at,
        "measures": [
            {
                "name": name,
                "label": label(name),
                "teams": [{"team": team, **vars(figures)} for team, figures in sorted(nights[as_at][name].items())],
                "nights": [
                    {"as_at": night, **vars(sum(found[name].values(), NOTHING))}
                    for night, found in sorted(nights.items())
                    if name in found
                ],
            }
            for name in names
        ],
        "days_to_clear": [vars(each) for each in account.clearing],
    }


def read_last(database: Database) -> tuple[Nights, MeasuresAccount]:
    """Return all the nights' figures, and what they say of the last accepted one."""
    run = table_of(Run)
    with database.reading() as store:
        as_at = store.execute(select(func.max(run.c.as_at)).where(run.c.state == "accepted")).scalar()
        if as_at is None:
            raise Refused("the database holds no accepted night yet; run one with: monitor run")
        nights = read_nights(store, table_of(Indicator).c.as_at <= as_at)
        clearing = read_clearing(store, as_at)
    return nights, compare(nights, as_at, clearing)
