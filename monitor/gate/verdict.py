"""The trust gate: whether tonight's caseload can be believed, judged before any rule is asked.

    trusted     every rule is asked as at the night
    degraded    rules that rest on the columns named have no answers; nobody of the teams named is judged to have left;
                somebody cannot be told from somebody else, or has no id
    stale       the rules are asked as at an earlier date, so that nothing ages while nothing new is known
    refused     nothing changes, and the analyst is told why

``comparison`` gathers what is compared. What has no history to be compared with is judged by itself, in ``baseline``.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from monitor.config.settings import Gate
from monitor.errors import Refused
from monitor.gate.baseline import NEVER_WITHOUT, NOTHING_UNPROVEN, Unproven, doubt
from monitor.store.nights import is_jump
from monitor.words import write_date
from monitor.workdays import NEVER_CLOSED, WorkingDays
from monitor.workspace import Workspace, step

if TYPE_CHECKING:
    from monitor.rulebook.rule import Rule

Word = Literal["trusted", "degraded", "stale", "refused"]

MOVED_TOGETHER = 0.5
"""The share of people whose values must have gone from one column to another before it is said that they did."""


@dataclass(frozen=True)
class TeamThen:
    """A team of the last night: how many it had, how many of them are here tonight, how many still in it."""

    expected: int
    present: int
    stayed: int
    now_in: str | None = None
    """Where most of the others are."""


@dataclass(frozen=True)
class Movement:
    """One column for those compared: how many had a value on both nights, and what became of it."""

    compared: int
    changed: int
    back: int = 0
    forward: int = 0


@dataclass(frozen=True)
class TakenColumn:
    """A column that holds tonight what another held: for how many, of those in whom the two differed."""

    column: str
    held_by: str
    people: int
    compared: int


@dataclass(frozen=True)
class Dated:
    """How old one source is; ``newest``: the newest date inside it, tonight and on the last accepted night.

    ``columns``: those it brings.
    """

    source: str
    extracted_on: dt.date | None = None
    how: str = ""
    newest: dt.date | None = None
    newest_before: dt.date | None = None
    columns: frozenset[str] = frozenset()

    @property
    def is_older(self) -> bool:
        return bool(self.newest and self.newest_before and self.newest < self.newest_before)


Shares: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """Tonight beside the last accepted nights. ``usual_...`` is what they make us expect, by column."""

    last_night: dt.date | None
    expected: int
    present: int
    people: int
    joined: int = 0
    new_deaths: int = 0
    ids_changed: int = 0
    birth_dates_changed: int = 0
    birth_dates_by_years: int | None = None
    teams_changed: int = 0
    disagreeing: float = 0
    usual_disagreeing: float | None = None
    teams: Mapping[str, TeamThen] = field(default_factory=dict)
    filled: Shares = field(default_factory=dict)
    usual_filled: Shares = field(default_factory=dict)
    unreadable: Shares = field(default_factory=dict)
    usual_unreadable: Shares = field(default_factory=dict)
    supplied: frozenset[str] = frozenset()
    moved: Mapping[str, Movement] = field(default_factory=dict)
    taken: tuple[TakenColumn, ...] = ()
    sources: tuple[Dated, ...] = ()
    asked_before: frozenset[str] = frozenset()
    made: Mapping[str, str] = field(default_factory=dict)
    made_before: Mapping[str, str] | None = None
    """How columns were made that are not merely as written, tonight and on the last night; None where none kept it."""
    opened_before: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Of each rule, the new flags on earlier nights, the newest first."""
    confirmed: bool = False
    """The date itself was accepted before, so that nobody asks again whether it has come."""
    last_extracted_on: dt.date | None = None
    last_asked_on: dt.date | None = None
    unproven: Unproven = NOTHING_UNPROVEN


@dataclass(frozen=True)
class Verdict:
    """What the gate says. ``columns`` and ``teams`` are not believed, each with its reason; sentences fit to be shown.

    ``accepted``: somebody has said that the night is to be believed all the same.
    """

    asked_on: dt.date
    extracted_on: dt.date | None = None
    refusals: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, str] = field(default_factory=dict)
    stale: str | None = None
    notes: tuple[str, ...] = ()
    accepted: bool = False
    people: tuple[str, ...] = ()
    """Why it is doubtful who some of the people are."""

    @property
    def word(self) -> Word:
        if self.refusals:
            return "refused"
        if self.columns or self.teams or self.people:
            return "degraded"
        return "stale" if self.stale else "trusted"

    @property
    def doubts(self) -> tuple[str, ...]:
        stale = (self.stale,) if self.stale else ()
        return (*self.refusals, *self.columns.values(), *self.teams.values(), *self.people, *stale)

    @property
    def not_believed(self) -> frozenset[str]:
        """The columns that tonight is not believed in; none where somebody has said that it should be."""
        return frozenset() if self.accepted else frozenset(self.columns)

    @property
    def is_in_doubt(self) -> bool:
        """Return whether a part of the night was not believed, and nobody has said that it should be."""
        return self.word != "trusted" and not self.accepted


class NotBelieved(Refused):
    """The gate refuses the night."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__("\n".join(verdict.doubts))


def judge(seen: Comparison, gate: Gate, as_at: dt.date, days: WorkingDays = NEVER_CLOSED) -> Verdict:
    """Return what to believe of tonight, every doubt with its numbers and a way on."""
    dates = [one.extracted_on for one in seen.sources if one.extracted_on]
    extracted_on = min(dates, default=None)
    limit = gate.oldest_extract_working_days
    asked_on, stale = _how_old(seen, limit, (extracted_on, as_at), days)
    unproven = tuple(doubt(seen.unproven, gate, as_at))
    if seen.last_night is None:
        return Verdict(asked_on, extracted_on, unproven, stale=stale)
    taken = tuple(one for one in seen.taken if _is_bulk_of(one.people, one.compared, MOVED_TOGETHER, gate))
    seen = replace(seen, taken=taken)
    columns = dict(_columns(seen, gate))
    refusals = [*_jumped(seen, as_at), *_people(seen, gate), *_identities(seen, gate), *_older(seen)]
    refusals += [f"{why}; {NEVER_WITHOUT[name]}" for name, why in columns.items() if name in NEVER_WITHOUT]
    refusals += unproven
    return Verdict(
        asked_on,
        extracted_on,
        refusals=tuple(refusals),
        columns={name: why for name, why in columns.items() if name not in NEVER_WITHOUT},
        teams=dict(_teams(seen, gate)),
        stale=stale,
        notes=tuple(_moved_teams(seen, gate)),
    )


def refuse_also(verdict: Verdict, refusals: Iterable[str], *, accepted: bool) -> Verdict:
    """Return the same verdict with what the answers say against the night."""
    found = (*verdict.refusals, *refusals)
    return replace(verdict, refusals=found, accepted=verdict.accepted or (accepted and bool(found)))


def doubt_people(verdict: Verdict, doubts: tuple[str, ...]) -> Verdict:
    """Return the same verdict with why it is doubtful who some of the people are."""
    return replace(verdict, people=doubts)


def accept(verdict: Verdict, as_at: dt.date) -> Verdict:
    """Return the same verdict, the night believed whole because somebody says so."""
    return replace(verdict, asked_on=as_at, accepted=bool(verdict.doubts))


def find_doubted(rules: Iterable["Rule"], columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the rules whose answer rests on a column that is not believed, needed or not, with those columns."""
    doubtful = frozenset(columns)
    found = {rule.id: tuple(name for name in rule.columns if name in doubtful) for rule in rules}
    return {rule: names for rule, names in found.items() if names}


@step(changes=("caseload",))
def leave_unjudged(workspace: Workspace, verdict: Verdict) -> None:
    """Make it unknown in ``caseload`` whether absent people of a team that is not believed are here."""
    if verdict.teams and not verdict.accepted:
        workspace.execute(
            """
            UPDATE caseload SET present = NULL
            WHERE NOT present AND person_id IN (
                SELECT person_id FROM expected WHERE NOT present AND list_contains($teams::VARCHAR[], team)
            )
            """,
            {"teams": list(verdict.teams)},
        )


def _jumped(seen: Comparison, as_at: dt.date) -> Iterator[str]:
    """A night long after the last one, without a word in the extracts that so much time has passed.

    The date of a file says nothing here: it may come from the same clock. A date inside it was written by somebody.
    """
    if seen.last_night is None or seen.confirmed or not is_jump(seen.last_night, as_at):
        return
    dates = [one.newest for one in seen.sources if one.newest]
    dates += [one.extracted_on for one in seen.sources if one.how == DECLARED and one.extracted_on]
    newest = max(dates, default=None)
    if newest is not None and not is_jump(newest, as_at):
        return
    extracts = f"the newest date in the extracts is {_day(newest)}" if newest else "no date in the extracts is newer"
    yield (
        f"{_day(as_at)} is {(as_at - seen.last_night).days:,} days after the last accepted night "
        f"({_day(seen.last_night)}), and {extracts}: the clock of the machine may be ahead; put it right, or export "
        'the data again; if it is right, say so once: monitor run --accept REASON --by "YOUR NAME"'
    )


def _people(seen: Comparison, gate: Gate) -> Iterator[str]:
    night = _day(seen.last_night)
    share = seen.present / seen.expected if seen.expected else 1.0
    if share < gate.lowest_share_present:
        yield (
            f"only {seen.present:,} of the {seen.expected:,} people of {night} are present ({share:.0%}; "
            f"at least {gate.lowest_share_present:.0%} is expected); check that the extract is whole"
        )
    if seen.joined > max(gate.highest_share_joined * seen.expected, 4 * gate.fewest):
        yield (
            f"{seen.joined:,} people are new beside the {seen.expected:,} of {night} (at most "
            f"{gate.highest_share_joined:.0%} is expected); check that the extract holds this service only"
        )
    most = max(gate.most_new_deaths, int(gate.highest_share_new_deaths * seen.expected))
    if seen.new_deaths > most:
        yield (
            f"{seen.new_deaths:,} people are newly recorded as having died (at most {most} is expected in a night); "
            "check the in-touch codes and dates of death"
        )
    usual = seen.usual_disagreeing
    if usual is not None and _is_bulk(seen.disagreeing - usual, seen.people, gate.highest_share_rows_disagreeing, gate):
        yield (
            f"{seen.disagreeing * seen.people:,.0f} rows disagree with another row for the same person (usually "
            f"{usual * seen.people:,.0f}); check what the extract joins"
        )


def _identities(seen: Comparison, gate: Gate) -> Iterator[str]:
    night = _day(seen.last_night)
    if seen.ids_changed > gate.most_ids_changed:
        yield (
            f"{seen.ids_changed:,} of the people missing since {night} are here under the same id written otherwise: "
            "a spreadsheet has dropped leading zeros; export ids as text"
        )
    if _is_bulk_of(seen.birth_dates_changed, seen.present, gate.highest_share_birth_dates_changed, gate):
        shift = f", most by {abs(seen.birth_dates_by_years)} years" if seen.birth_dates_by_years else ""
        yield (
            f"{seen.birth_dates_changed:,} of {seen.present:,} birth dates differ from {night}{shift}; "
            "check the column, and the order of day, month and century"
        )
    if _is_bulk_of(seen.teams_changed, seen.present, gate.highest_share_teams_changed, gate):
        yield (
            f"{seen.teams_changed:,} of {seen.present:,} people are in another team than on {night}; check the column, "
            "or add a team's new name to its also_known_as"
        )


def _older(seen: Comparison) -> Iterator[str]:
    """An extract from before the last one: it would undo what has been recorded since."""
    night = _day(seen.last_night)
    back = _count_dates_back(seen)
    older = [source for source in seen.sources if source.is_older]
    if older and back:
        yield (
            f"{older[0].source}: an older extract than that of {night}: its newest date is {_day(older[0].newest)}, "
            f"theirs was {_day(older[0].newest_before)}, and {back:,} dates have gone back; export it again"
        )
        return
    declared = [one.extracted_on for one in seen.sources if one.how == DECLARED and one.extracted_on]
    if declared and seen.last_extracted_on and min(declared) < seen.last_extracted_on:
        yield (
            f"an older extract than that of {night}: it is of {_day(min(declared))}, theirs was of "
            f"{_day(seen.last_extracted_on)}; export it again, or correct extracted_on"
        )


def _count_dates_back(seen: Comparison) -> int:
    """How many dates have gone back, if more than a slip of the pen and more than have gone forward."""
    taken = {one.column for one in seen.taken}
    moved = [movement for name, movement in seen.moved.items() if name not in taken]
    back, forward = sum(one.back for one in moved), sum(one.forward for one in moved)
    return back if back > max(forward, 2) else 0


DECLARED = "as declared"


def _columns(seen: Comparison, gate: Gate) -> Iterator[tuple[str, str]]:
    night = _day(seen.last_night)
    taken = {one.column for one in seen.taken}
    yield from _made_otherwise(seen)
    for one in seen.taken:
        how = "swapped with" if one.held_by in taken else "holds what was in"
        yield (
            one.column,
            f"{one.column}: {how} {one.held_by}: {one.people:,} of {one.compared:,} people have what the other "
            f"held on {night}; put the columns right",
        )
    for name, usual in seen.usual_filled.items():
        if name in taken:
            continue
        filled = seen.filled.get(name, 0.0)
        lost = (usual - filled) * seen.people
        if usual and name not in seen.supplied:
            yield name, f"{name}: no source supplies it tonight ({usual:.0%} had it on earlier nights); put it back"
        elif lost >= gate.fewest and filled < gate.lowest_share_of_usual_fill * usual:
            yield name, f"{name}: filled for {filled:.0%} of people, usually {usual:.0%}; check the column"
        elif _rose(name, seen, gate):
            unreadable, before = seen.unreadable[name], seen.usual_unreadable.get(name, 0.0)
            yield (
                name,
                f"{name}: {unreadable:.0%} of cells cannot be read, usually {before:.0%}; unreadable.csv has each",
            )
        elif name in seen.moved:
            yield from _moved(name, seen.moved[name], night, gate)


AS_WRITTEN = "taken as written"


def _made_otherwise(seen: Comparison) -> Iterator[tuple[str, str]]:
    """A column made in another way than before holds other people's facts under the same name."""
    before = seen.made_before
    if before is None:
        return
    for name in sorted({*seen.made, *before} & seen.supplied & seen.usual_filled.keys()):
        now, then = seen.made.get(name, AS_WRITTEN), before.get(name, AS_WRITTEN)
        if now != then:
            yield (
                name,
                f"{name}: {now} tonight, {then} on {_day(seen.last_night)}; put back what the config or the extract "
                "had, or, if it is meant, run the night with --accept",
            )


def _rose(name: str, seen: Comparison, gate: Gate) -> bool:
    rise = seen.unreadable.get(name, 0.0) - seen.usual_unreadable.get(name, 0.0)
    return _is_bulk(rise, seen.people, gate.highest_rise_unreadable, gate)


def _moved(name: str, one: Movement, night: str, gate: Gate) -> Iterator[tuple[str, str]]:
    if _is_bulk_of(one.back, one.compared, gate.highest_share_dates_back, gate):
        yield (
            name,
            f"{name}: earlier than on {night} for {one.back:,} of {one.compared:,} people compared; check the column",
        )
    elif not (one.back or one.forward) and _is_bulk_of(
        one.changed, one.compared, gate.highest_share_values_changed, gate
    ):
        yield (
            name,
            f"{name}: other than on {night} for {one.changed:,} of {one.compared:,} people compared; check the codes",
        )


def _teams(seen: Comparison, gate: Gate) -> Iterator[tuple[str, str]]:
    night = _day(seen.last_night)
    for name, team in seen.teams.items():
        if team.expected >= gate.fewest and team.present < gate.lowest_share_of_team * team.expected:
            here = f"{team.present:,} of them {'is' if team.present == 1 else 'are'}" if team.present else "none is"
            yield (
                name,
                f'team "{name}" had {team.expected:,} people on {night} and {here} here tonight; check that the '
                "extract covers it, or that they were not given new ids",
            )


def _moved_teams(seen: Comparison, gate: Gate) -> Iterator[str]:
    for name, team in seen.teams.items():
        enough = team.present >= gate.lowest_share_of_team * team.expected
        if team.expected >= gate.fewest and enough and not team.stayed:
            where = f'; most are now in "{team.now_in}"' if team.now_in else ""
            yield f'team "{name}" had {team.expected:,} people on {_day(seen.last_night)} and has none tonight{where}'


def _how_old(
    seen: Comparison, limit: int, dates: tuple[dt.date | None, dt.date], days: WorkingDays
) -> tuple[dt.date, str | None]:
    """The date to ask the rules as at, and why it is not tonight's; ``dates``: of the oldest extract, and tonight's.

    Never before the date of the last night's answers: flags that time alone has opened since the extract would
    otherwise be resolved because the clock was put back.
    """
    extracted_on, as_at = dates
    if extracted_on is None or (as_at - extracted_on).days <= limit:
        return as_at, None
    age = days.between(extracted_on, as_at)
    if age <= limit:
        return as_at, None
    asked_on = min(max(extracted_on, seen.last_asked_on or extracted_on), as_at)
    oldest = min((one for one in seen.sources if one.extracted_on), key=lambda one: one.extracted_on or as_at)
    return asked_on, (
        f"{oldest.source}: of {_day(extracted_on)} ({oldest.how}), {age} working days old (at most {limit} is expected)"
        f"; the rules are asked as at {_day(asked_on)}, so that nothing ages until a newer extract comes"
    )


def _is_bulk(share: float, people: int, limit: float, gate: Gate) -> bool:
    return share > limit and share * people >= gate.fewest


def _is_bulk_of(number: int, of: int, limit: float, gate: Gate) -> bool:
    return bool(of) and _is_bulk(number / of, of, limit, gate)


def _day(day: dt.date | None) -> str:
    return write_date(day) if day else "no night"
