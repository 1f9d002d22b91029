"""Sets the figures of every authority beside each other, and all of them together, with small counts withheld."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.figures import measures
from monitor.figures.measures import FILLED, LABELS
from monitor.figures.suppression import SUPPRESS_BELOW, publish_rows_sql, publish_totals_sql
from monitor.fleet.authority_nights import FIGURE, RULE, AuthorityNight, RawCount
from monitor.words import write_count, write_date
from monitor.workspace import load_rows, open_workspace

OLD_DAYS = 7
"""A last accepted night so many days before the date asked for is old."""
KINDS = ("rule", "figure", "filled in")

RAW = {"authority": "VARCHAR", "measure": "VARCHAR", "met": "BIGINT", "breach": "BIGINT", "cannot_assess": "BIGINT"}


@dataclass(frozen=True, slots=True)
class GivenCounts:
    """What may leave the councils of one measure; None: withheld. ``denominator``: how many could be assessed.

    ``denominator`` and ``asked`` are to the nearest 5, and a percentage lies between ``percent_least`` and
    ``percent_most``, which are one where it is certain; None where it is withheld or there is nobody to have it of.
    """

    numerator: int | None
    numerator_least: int | None
    numerator_most: int | None
    denominator: int | None
    cannot_assess: int | None
    asked: int | None
    percent_least: int | None
    percent_most: int | None

    @property
    def percent(self) -> int | None:
        return self.percent_least if self.percent_least == self.percent_most else None


@dataclass(frozen=True)
class GivenTables:
    """What may be told by authority and measure, and by measure of how many authorities together."""

    rows: Mapping[tuple[str, str], GivenCounts]
    totals: Mapping[str, tuple[int, GivenCounts]]


@dataclass(frozen=True)
class MeasureByAuthority:
    """One measure by the code of each authority that has it, and of these ``authorities`` together.

    ``kind``: one of ``KINDS``. A rule counts those in breach of it; a figure those it is about. ``asked_otherwise``:
    authorities whose rule of this name asks something else than most, since theirs has been adjusted.
    """

    kind: str
    name: str
    title: str
    authorities: int
    together: GivenCounts
    rows: Mapping[str, GivenCounts]
    asked_otherwise: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FleetFigures:
    """The figures as at a date: every authority, in order, whether it has figures or not, and every measure."""

    as_at: dt.date
    nights: tuple[AuthorityNight, ...]
    measures: tuple[MeasureByAuthority, ...]
    suppress_below: int = SUPPRESS_BELOW

    @property
    def read(self) -> tuple[AuthorityNight, ...]:
        """Return the authorities that have figures."""
        return tuple(night for night in self.nights if night.as_at is not None)

    @property
    def are_whole(self) -> bool:
        """Return whether each authority has figures, none of them old."""
        return len(self.read) == len(self.nights) and not any(is_old(night, self.as_at) for night in self.nights)


def is_old(night: AuthorityNight, as_at: dt.date) -> bool:
    return night.as_at is not None and (as_at - night.as_at).days > OLD_DAYS


def describe_standing(night: AuthorityNight, as_at: dt.date) -> tuple[str, ...]:
    """Return what to know of an authority's figures before they are compared, in sentences without a full stop."""
    if night.why_not is not None or night.as_at is None:
        return (f"No figures: {night.why_not}",)
    standing = []
    if is_old(night, as_at):
        standing.append(f"Old: {write_count((as_at - night.as_at).days, 'day')} before {write_date(as_at)}")
    if night.verdict == "degraded":
        standing.append("Believed only in part")
    if night.verdict == "stale":
        standing.append("Its sources are old")
    if night.tried_on is not None:
        ended = "was refused" if night.tried_state == "refused" else "could not be finished"
        standing.append(f"The night of {write_date(night.tried_on)} {ended}")
    return tuple(standing)


def describe_counts(measure: MeasureByAuthority, night: AuthorityNight) -> tuple[str, ...]:
    """Return what to know of an authority's counts of one measure, in sentences without a full stop."""
    if night.code not in measure.rows:
        return ("Not asked there",)
    return ("Asks something else there",) if night.code in measure.asked_otherwise else ()


def describe_reach(figures: FleetFigures, measure: MeasureByAuthority) -> str:
    """Return how many of the authorities are in the figures of all together."""
    return f"{measure.authorities} of {write_count(len(figures.nights), 'authority', 'authorities')}"


def withhold_small_counts(counts: Mapping[str, Sequence[RawCount]], below: int = SUPPRESS_BELOW) -> GivenTables:
    """Return what may be told of the counts of each authority, by code, and of all of them together."""
    with open_workspace() as workspace:
        rows = ((code, *count) for code, measures in counts.items() for count in measures)
        load_rows(workspace, "raw", RAW, rows)
        told = workspace.execute(publish_rows_sql("raw", below)).fetchall()
        totals = workspace.execute(publish_totals_sql("raw", below)).fetchall()
    return tell(told, totals)


def tell(rows: Iterable[Sequence[object]], totals: Iterable[Sequence[object]]) -> GivenTables:
    """Return rows of ``publish_rows_sql`` and ``publish_totals_sql`` as values."""
    return GivenTables(
        {(str(code), str(measure)): GivenCounts(*map(_whole, counts)) for code, measure, *counts in rows},
        {
            str(measure): (_whole(authorities) or 0, GivenCounts(*map(_whole, counts)))
            for measure, authorities, *counts in totals
        },
    )


def _whole(number: object) -> int | None:
    return None if number is None else int(number)  # type: ignore[call-overload]


def lay_out(as_at: dt.date, nights: Sequence[AuthorityNight], told: GivenTables, below: int) -> FleetFigures:
    """Return the figures, rules before figures and those before columns filled in."""
    rows: defaultdict[str, dict[str, GivenCounts]] = defaultdict(dict)
    for night in nights:
        for measure in told.totals:
            if counts := told.rows.get((night.code, measure)):
                rows[measure][night.code] = counts
    titles = {RULE + rule: title for night in reversed(nights) for rule, title in night.titles.items()}
    by_authority = [
        MeasureByAuthority(
            *_name(measure, titles), *told.totals[measure], rows[measure], _find_otherwise(measure, nights)
        )
        for measure in told.totals
    ]
    return FleetFigures(as_at, tuple(nights), tuple(sorted(by_authority, key=_place)), below)


def _name(measure: str, titles: Mapping[str, str]) -> tuple[str, str, str]:
    """Return a measure's kind, name and title."""
    if measure.startswith(RULE):
        name = measure.removeprefix(RULE)
        return "rule", name, titles.get(measure, name)
    name = measure.removeprefix(FIGURE)
    return "filled in" if name.startswith(FILLED) else "figure", name.removeprefix(FILLED), measures.label(name)


def _place(measure: MeasureByAuthority) -> tuple[int, int, str, str]:
    known = list(LABELS)
    place = known.index(measure.name) if measure.name in known else len(known)
    return KINDS.index(measure.kind), place, measure.title.casefold(), measure.name


def _find_otherwise(measure: str, nights: Iterable[AuthorityNight]) -> frozenset[str]:
    """Return the authorities whose rule asks something else than that of most; the first of those as many stands."""
    rule = measure.removeprefix(RULE) if measure.startswith(RULE) else None
    meanings = {night.code: night.meanings[rule] for night in nights if rule is not None and rule in night.meanings}
    if len(set(meanings.values())) < 2:
        return frozenset()
    ((most, _),) = Counter(meanings.values()).most_common(1)
    return frozenset(code for code, meaning in meanings.items() if meaning != most)
